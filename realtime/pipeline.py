"""The file pipeline: decode, network, smoothing and encoding overlap; no frame is dropped and none overtakes another.

    thread "decode"     source -> frame ------------------+
    pool "network"              stylise (engine.workers at once, results in order)
    thread "smooth"                     smooth, finish ---+
    calling thread                                        sink.write, on_frame

Memory is bounded by the two channels. The first error stops every thread and is raised to the caller.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from .channel import Channel, Stopped
from .finish import finish, split_view
from .frame import Frame
from .meters import StageMeter
from .settings import Controls
from .sink import Sink
from .smoother import Smoother
from .source import Source
from .stylizer import Stylized, Stylizer

# Frames that wait before the encoder; more would only take memory.
_FINISHED_WAITING = 2
_JOIN_TIMEOUT_S = 10.0
STAGES = ("decode", "network", "smooth", "encode")


class FilePipeline:
    """Run every frame of `source` through network and smoother into `sink`.

    `meters` holds a StageMeter for each of STAGES.
    """

    def __init__(
        self,
        source: Source,
        stylizer: Stylizer,
        smoother: Smoother,
        sink: Sink,
        *,
        workers: int,
        controls: Controls,
        split: bool,
    ) -> None:
        self.meters = {name: StageMeter(name) for name in STAGES}
        self._source = source
        self._stylizer = stylizer
        self._smoother = smoother
        self._sink = sink
        self._controls = controls
        self._split = split
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="network")
        # One frame more than there are workers, so that none waits for the decoder.
        self._stylized: Channel[tuple[Frame, Future[Stylized]]] = Channel(workers + 1)
        self._finished: Channel[Frame] = Channel(_FINISHED_WAITING)
        self._errors: list[BaseException] = []

    def run(self, on_frame: Callable[[Frame], None]) -> int:
        """Process all frames and return their number; `on_frame` is called after each was written."""
        threads = [
            threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True)
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

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Stopped:
            pass
        except BaseException as error:
            self._errors.append(error)
            self._stop()

    def _stop(self) -> None:
        self._stylized.stop()
        self._finished.stop()

    def _decode(self) -> None:
        frames = iter(self._source)
        while True:
            with self.meters["decode"].measure():
                frame = next(frames, None)
            if frame is None:
                break
            self._stylized.put((frame, self._pool.submit(self._stylize, frame)))
        self._stylized.finish()

    def _stylize(self, frame: Frame) -> Stylized:
        with self.meters["network"].measure():
            return self._stylizer.stylize(frame.rgb, strength=self._controls.strength)

    def _smooth(self) -> None:
        for frame, future in self._stylized:
            made = future.result()
            with self.meters["smooth"].measure():
                smoothed = self._smoother.smooth(
                    made.content, made.stylized, frame.pts_s, smoothing=self._controls.smoothing
                )
                picture = finish(frame.rgb, replace(made, stylized=smoothed), self._controls)
                if self._split:
                    picture = split_view(frame.rgb, picture)
            self._finished.put(replace(frame, rgb=picture))
        self._finished.finish()
