"""The file pipeline: decode, network, smoothing and encoding overlap; no frame is dropped and none overtakes another.

    thread "decode"     source -> frame, is it a repeat? motion, less noise -+
    pool "network"              find people, paint (painter.workers at once, results in order)
    thread "smooth"                     smooth, finish, compose -----+
    calling thread                                                   sink.write, on_frame

A frame that repeats the one before takes over its result: at smoothing 0 only where all bytes are the same, so that the
output stays what the network makes of every frame, else also where no difference is visible.

Memory is bounded by the two channels. The first error stops every thread and is raised to the caller.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .channel import Channel, Stopped, channel_thread
from .finish import finish
from .frame import Frame
from .input_motion import Look, MotionTracker
from .meters import StageMeter
from .noise_filter import NoiseFilter
from .painter import Painter
from .people_mask import Found
from .repeat import RepeatDetector
from .settings import Controls
from .sink import Sink
from .smoother import Smoother
from .source import Source
from .stylizer import Stylized

# Frames that wait before the encoder; more would only take memory.
_FINISHED_WAITING = 2
_JOIN_TIMEOUT_S = 10.0
STAGES = ("decode", "motion", "network", "smooth", "encode")
Composer = Callable[[Frame, Look, Found | None, NDArray[np.uint8]], NDArray[np.uint8]]
# What was made of a frame, and who was found in it.
_Made = tuple[Stylized, Found | None]
SmoothedListener = Callable[[Frame, NDArray[np.uint8], NDArray[np.uint8]], None]


class FilePipeline:
    """Run every frame of `source` through painter and smoother into `sink`.

    `meters` holds a StageMeter for each of STAGES; `frames_reused` counts those that the network did not see.
    `on_smoothed` is called in the thread "smooth" with each frame, what the network made of it and that smoothed, both
    at inference size; `compose` in the same thread with each frame, how it follows the one before, what `find_people`
    found in it, and its finished picture, and makes what is written. `find_people` is called in the pool, in no order.
    """

    def __init__(
        self,
        source: Source,
        painter: Painter,
        smoother: Smoother,
        sink: Sink,
        *,
        controls: Controls,
        compose: Composer = lambda frame, look, found, picture: picture,
        find_people: Callable[[NDArray[np.uint8]], Found] | None = None,
        on_smoothed: SmoothedListener = lambda frame, stylized, smoothed: None,
    ) -> None:
        self.meters = {name: StageMeter(name) for name in STAGES}
        self._source = source
        self._painter = painter
        self._smoother = smoother
        self._sink = sink
        self._controls = controls
        self._compose = compose
        self._find_people = find_people
        self._on_smoothed = on_smoothed
        self._repeats = RepeatDetector()
        self._motion = MotionTracker()
        self._noise = NoiseFilter()
        self.frames_reused = 0
        self._pool = ThreadPoolExecutor(painter.workers, thread_name_prefix="network")
        # One frame more than there are workers, so that none waits for the decoder.
        self._stylized: Channel[tuple[Frame, Look, Future[_Made]]] = Channel(painter.workers + 1)
        self._finished: Channel[Frame] = Channel(_FINISHED_WAITING)
        self._errors: list[BaseException] = []

    def run(self, on_frame: Callable[[Frame], None]) -> int:
        """Process all frames and return their number; `on_frame` is called after each was written."""
        threads = [
            channel_thread(name, work, on_failure=self._fail)
            for name, work in (("decode", self._decode), ("smooth", self._smooth))
        ]
        for thread in threads:
            thread.start()
        frames = 0
        try:
            for frame in self._finished:
                with self.meters["encode"].measure():
                    self._sink.write(frame)
                frames += 1
                on_frame(frame)
        except Stopped:
            pass  # the error of the thread that stopped the run is raised below
        finally:
            self._stop()
            for thread in threads:
                thread.join(_JOIN_TIMEOUT_S)
            self._pool.shutdown(wait=True, cancel_futures=True)
        if self._errors:
            raise self._errors[0]
        return frames

    def _fail(self, error: BaseException) -> None:
        self._errors.append(error)
        self._stop()

    def _stop(self) -> None:
        self._painter.stop()
        self._stylized.stop()
        self._finished.stop()

    def _decode(self) -> None:
        frames = iter(self._source)
        made: Future[_Made] | None = None
        while True:
            with self.meters["decode"].measure():
                frame = next(frames, None)
                if frame is None:
                    break
                is_repeat = self._painter.repeats and self._repeats.is_repeat(
                    frame.rgb, exactly=self._controls.smoothing == 0
                )
            is_reused = made is not None and is_repeat
            seen, look = self._looked_at(frame, is_repeat=is_reused)
            if made is None or not is_reused:
                made = self._pool.submit(self._paint, seen)
            self.frames_reused += is_reused
            self._stylized.put((frame, look, made))
        self._stylized.finish()

    def _looked_at(self, frame: Frame, *, is_repeat: bool) -> tuple[Frame, Look]:
        """Return the frame with less noise, and how it follows the one before; a repeat keeps its noise."""
        if self._controls.smoothing == 0:
            return frame, Look(None)
        with self.meters["motion"].measure():
            look = self._motion.look(frame.rgb, frame.pts_s, is_repeat=is_repeat)
            if is_repeat:
                return frame, look
            rgb, look = self._noise.filter(frame.rgb, look)
            return replace(frame, rgb=rgb), look

    def _paint(self, frame: Frame) -> _Made:
        with self.meters["network"].measure():
            found = self._find_people(frame.rgb) if self._find_people is not None else None
            return self._painter.paint(frame), found

    def _smooth(self) -> None:
        for frame, look, future in self._stylized:
            made, found = future.result()
            with self.meters["smooth"].measure():
                smoothed = self._smoother.smooth(look, made.stylized, smoothing=self._controls.smoothing)
                picture = finish(frame.rgb, replace(made, stylized=smoothed), self._controls)
                picture = self._compose(frame, look, found, picture)
            self._on_smoothed(frame, made.stylized, smoothed)
            self._finished.put(replace(frame, rgb=picture))
        self._finished.finish()
