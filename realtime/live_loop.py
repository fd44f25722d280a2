"""The threads of a live run: from the source to the slots of the consumers, newest frame first.

    thread "capture"    source -> newest slot
    thread "feed"       takes a frame as soon as the network has a worker free, its motion, and the noise out of it
    pool "network"      stylise, find people; engine.workers at once, results in order
    thread "finish"     smooth, enlarge, colours, strength, mask, split -> one slot for each consumer

What comes too fast is dropped in the first slot, before it has cost anything; behind it at most one frame more than the
network has workers is on its way, so that latency stays bounded whatever the load.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from .channel import Channel, channel_thread
from .errors import InputError
from .finish import enlarge_guided, finish
from .frame_pace import FramePace
from .governor import Governor
from .input_motion import Look, MotionTracker
from .live_frame import LiveFrame
from .live_people import LivePeople
from .live_settings import LiveControls
from .live_source import CapturedFrame, LiveSource
from .live_style import StyleView
from .meters import LatencyMeter, RateMeter
from .newest import NewestSlot
from .noise_filter import NoiseFilter
from .people_mask import Found
from .repeat import RepeatDetector
from .smoother import FlowSmoother
from .split import Split
from .style_bank import StyleBank
from .stylizer import Stylized, at_inference_size

# Without a picture for so long, the last one is shown with a message, and again after each such time.
SILENCE_S = 0.7
_STEP_S = 0.1
_JOIN_TIMEOUT_S = 3.0
# What is shown before there was a picture, (width, height).
_BLACK_SIZE = (1280, 720)


@dataclass(frozen=True, slots=True)
class _OnItsWay:
    """A frame with the network, mirrored where that is asked for, and what finishes it.

    `look` tells how it follows the one before it. `future` gives what was made of it; None stands for a message that
    needs no network.
    """

    rgb: NDArray[np.uint8]
    captured_s: float
    controls: LiveControls
    look: Look
    future: "Future[_Made] | None"


@dataclass(frozen=True, slots=True)
class _Made:
    """What the pool made of a frame in `seconds`: `people` where they are looked for, and their network is open."""

    stylized: Stylized
    people: Found | None
    seconds: float


class LiveLoop:
    """Runs `source` through the styles of `bank` and hands finished frames to `publish`, in the thread "finish".

    `controls` may be replaced at any time; `say` is told of what they ask for and cannot be had. `error` is the first
    failure of a thread, which has ended the run; `silence` says that no picture comes, as long as none does.
    """

    def __init__(
        self,
        source: LiveSource,
        bank: StyleBank,
        publish: Callable[[LiveFrame], None],
        *,
        controls: LiveControls,
        fps: int,
        say: Callable[[str], None] = lambda fault: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.controls = controls
        self.ended = threading.Event()
        self.error: BaseException | None = None
        self.silence = ""
        self.frames = self.skipped = 0
        self.latency = LatencyMeter()
        self.arriving, self.shown = RateMeter(clock), RateMeter(clock)
        self.frame_size: tuple[int, int] | None = None
        self.inference_size: tuple[int, int] | None = None
        self._source = source
        self._bank = bank
        self._publish = publish
        self._fps = fps
        self._clock = clock
        self._exhausted = threading.Event()
        self._captured: NewestSlot[CapturedFrame] = NewestSlot()
        workers = bank.view.style.engine.workers
        self._workers = workers
        self._free = threading.Semaphore(workers)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="network")
        self._stylized: Channel[_OnItsWay] = Channel(workers + 1)
        self._smoother = FlowSmoother()
        self._people = LivePeople(say)
        self._repeats = RepeatDetector()
        self._motion = MotionTracker()
        self._noise = NoiseFilter()
        self._governor = Governor(wanted_fps=fps, start_px=bank.view.size_px or 0)
        # Never an input: people may be in it who want to be seen painted, or not at all.
        self._last_output: NDArray[np.uint8] | None = None
        self._threads = [
            channel_thread(name, work, on_failure=self._fail)
            for name, work in (("capture", self._capture), ("feed", self._feed), ("finish", self._finish))
        ]

    @property
    def dropped(self) -> int:
        """Frames that came while the network was busy, and those that the source itself was late with."""
        return self._captured.dropped + self._source.dropped

    def start(self) -> None:
        _warm_up()
        if self.controls.paint is not None:
            self._people.open()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads; a camera that hangs in its driver is left to the end of the process."""
        self.ended.set()
        self._stylized.stop()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_JOIN_TIMEOUT_S)
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._people.close()

    def _fail(self, error: BaseException) -> None:
        self.error = self.error or error
        self.ended.set()
        self._stylized.stop()

    def _capture(self) -> None:
        for frame in self._source.frames(self.ended):
            self.arriving.tick()
            self._captured.put(frame)
        self._exhausted.set()  # what is on its way is still shown

    def _feed(self) -> None:
        pace = FramePace(self._fps)
        silent_since_s = self._clock()
        made: tuple[Future[_Made], StyleView, LiveControls] | None = None
        while not self.ended.is_set():
            if not self._free.acquire(timeout=_STEP_S):
                continue
            exhausted = self._exhausted.is_set()
            frame = self._captured.take(_STEP_S)
            now_s = self._clock()
            if frame is None or pace.is_early(frame.captured_s):
                self._free.release()
                if frame is not None:
                    self.skipped += 1
                elif exhausted:
                    self._stylized.finish()
                    return
                elif now_s - silent_since_s >= SILENCE_S:
                    silent_since_s = now_s
                    self.silence = f"no picture comes from {self._source.state.label}"
                    self._stylized.put(_OnItsWay(self._last_picture(), now_s, self.controls, Look(None), None))
                continue
            controls, view = self.controls, self._bank.view
            try:
                rgb = frame.to_rgb()
            except InputError:  # damaged; the next one may be whole
                self._free.release()
                continue
            silent_since_s, self.silence = now_s, ""
            pace.take(frame.captured_s)
            if controls.mirror:
                rgb = np.asarray(cv2.flip(rgb, 1), dtype=np.uint8)
            self._choose_size(rgb, controls)
            is_repeat = self._repeats.is_repeat(rgb, exactly=controls.smoothing == 0)
            reused = made[0] if made is not None and is_repeat and made[1:] == (view, controls) else None
            pts_s = Fraction(frame.captured_s)
            seen, look = self._looked_at(rgb, pts_s, controls, view, is_repeat=reused is not None)
            future = reused or self._pool.submit(self._make, rgb, seen, view, controls)
            # What is made during a fade, or while people cannot be found yet, is of no use for a later frame.
            is_final = view.share(now_s) == 1 and (controls.paint is None or self._people.is_open)
            made = (future, view, controls) if is_final else None
            self._stylized.put(_OnItsWay(rgb, frame.captured_s, controls, look, future))

    def _looked_at(
        self, rgb: NDArray[np.uint8], pts_s: Fraction, controls: LiveControls, view: StyleView, *, is_repeat: bool
    ) -> tuple[NDArray[np.uint8], Look]:
        """Return what the network is to see, with less noise where there is time for it, and how it follows."""
        content = at_inference_size(rgb, view.size_px)
        if controls.smoothing == 0:
            self._noise.reset()
            return content, Look(None)
        look = self._motion.look(content, pts_s, is_repeat=is_repeat)
        if is_repeat:
            return content, look
        # Scaling down averages noise away, too, and is done where there is no time for more.
        if content is not rgb:
            self._noise.reset()
            return content, look
        return self._noise.filter(content, look)

    def _make(self, rgb: NDArray[np.uint8], seen: NDArray[np.uint8], view: StyleView, controls: LiveControls) -> _Made:
        started_s = self._clock()
        people = self._people.find(rgb) if controls.paint is not None else None
        stylized = view.stylize(seen, strength=controls.strength, now_s=started_s)
        return _Made(stylized, people, self._clock() - started_s)

    def _finish(self) -> None:
        for item in self._stylized:
            if item.future is None:
                self._show(LiveFrame(item.rgb, item.rgb, item.captured_s, self.frames, is_message=True))
                continue
            made = item.future.result()
            self._free.release()
            started_s = self._clock()
            output = self._finished(item, made)
            self._show(LiveFrame(item.rgb, output, item.captured_s, self.frames))
            now_s = self._clock()
            self.latency.add(now_s - item.captured_s)
            self.shown.tick()
            self._bank.has_shown()
            self._govern(max(made.seconds / self._workers, now_s - started_s), now_s)
        self.ended.set()

    def _finished(self, item: _OnItsWay, made: _Made) -> NDArray[np.uint8]:
        height, width = item.rgb.shape[:2]
        stylized = made.stylized
        self.frame_size = (width, height)
        self.inference_size = (stylized.content.shape[1], stylized.content.shape[0])
        smoothed = self._smoother.smooth(item.look, stylized.stylized, smoothing=item.controls.smoothing)
        picture = finish(item.rgb, replace(stylized, stylized=smoothed), item.controls)
        if made.people is not None:
            picture = self._people.mix(item.rgb, picture, made.people, item.look, item.controls)
        if item.controls.split is not None:
            picture = Split(item.controls.split).join(item.rgb, picture)
        self._last_output = picture
        return picture

    def _show(self, frame: LiveFrame) -> None:
        self._publish(frame)
        self.frames += not frame.is_message

    def _last_picture(self) -> NDArray[np.uint8]:
        if self._last_output is None:
            return np.zeros((_BLACK_SIZE[1], _BLACK_SIZE[0], 3), dtype=np.uint8)
        return self._last_output

    def _choose_size(self, rgb: NDArray[np.uint8], controls: LiveControls) -> None:
        """Have the bank prepare the size that is asked for, or that the governor has chosen."""
        height, width = rgb.shape[:2]
        self._bank.ask_size(min(controls.size or self._governor.size_px, min(width, height)), (width, height))

    def _govern(self, busy_s: float, now_s: float) -> None:
        if self._bank.is_busy or self._bank.is_loading or self._bank.view.share(now_s) < 1 or self.controls.size:
            self._governor.start_window()
        elif self.frame_size is not None:
            self._governor.see(
                busy_s,
                now_s=now_s,
                arriving_fps=self.arriving.per_second(),
                dropped=self.dropped,
                short_side_px=min(self.frame_size),
            )


def _warm_up() -> None:
    """Load the compiled loops before frames wait for them: 0.3 s, 3 s at the first run on a machine."""
    picture = np.zeros((64, 64, 3), dtype=np.uint8)
    motion, noise, smoother = MotionTracker(), NoiseFilter(), FlowSmoother()
    for number in range(2):
        rgb, look = noise.filter(picture, motion.look(picture, Fraction(number, 25)))
        smoother.smooth(look, rgb, smoothing=1.0)
    small = np.ascontiguousarray(picture[::2, ::2])
    enlarge_guided(picture, Stylized(small, small))
