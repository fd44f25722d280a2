"""A live run as its users see it: the window, the page, the virtual camera and the command talk to a `LiveSession`.

    source -> capture -> network -> smooth, finish -> one slot for each consumer

Every method may be called from any thread and none waits for the network.
"""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from .catalogue import is_any_style, load_styles
from .errors import UsageError
from .governor import START_PX
from .live_frame import LiveFrame, Subscription
from .live_loop import LiveLoop
from .live_settings import LiveControls, LiveSettings
from .live_source import LiveSource
from .live_status import LiveStatus, SinkStatus
from .microphone import Microphone
from .picture import Picture
from .recorder import RECORDING_DEPTH, Recorder
from .style_bank import StyleBank
from .style_choice import StyleChoice

RECORD_SINK = "record"
_MICROPHONE = "microphone"
_PEOPLE = "people"
_LOST = "frames lost in a recording"


class LiveSession:
    """A live run of `source` with `style`; threads start in `__enter__` and have ended after `__exit__`.

    Raises:
        StylizeError: style or engine cannot be used; on leaving, the first error of a thread.
    """

    def __init__(
        self,
        source: LiveSource,
        style: StyleChoice,
        *,
        settings: LiveSettings,
        controls: LiveControls,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._source = source
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._recording = threading.Lock()
        self._slots: tuple[Subscription, ...] = ()
        self._newest: LiveFrame | None = None
        self._recorder: Recorder | None = None
        self._recorded: Path | None = None
        self._faults: dict[str, str] = {}
        alone = [StyleChoice(model) for model in load_styles().values() if not is_any_style(model)]
        self._styles = tuple(alone if style in alone else [style, *alone])
        self._wanted = style
        self._bank = StyleBank(
            style, self._neighbours, settings=settings, size_px=controls.size or START_PX, clock=clock
        )
        self._loop = LiveLoop(
            source,
            self._bank,
            self._hand_out,
            controls=controls,
            fps=settings.fps,
            say=partial(self.say, _PEOPLE),
            clock=clock,
        )

    def __enter__(self) -> "LiveSession":
        self._bank.__enter__()
        try:
            self._loop.start()
        except BaseException:
            self._loop.stop()
            self._bank.__exit__()
            self._source.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        self._loop.stop()
        self.stop_recording()
        for slot in self._slots:
            slot.close()
        self._bank.__exit__()
        self._source.close()
        if kind is None and self._loop.error is not None:
            raise self._loop.error

    @property
    def controls(self) -> LiveControls:
        """The controls in force; set others to use them from the next frame on."""
        return self._loop.controls

    @controls.setter
    def controls(self, controls: LiveControls) -> None:
        self._loop.controls = controls

    @property
    def clock(self) -> Callable[[], float]:
        """The clock of `captured_s`, in seconds."""
        return self._clock

    def styles(self) -> tuple[StyleChoice, ...]:
        """Return the styles that `step_style` goes through: the catalogue's that stand alone, and the one given."""
        return self._styles

    def set_style(self, choice: StyleChoice) -> None:
        """Change over to `choice` as soon as it is loaded, in less than half a second; the last call wins.

        Returns at once. A style that cannot be loaded leaves the present one and is told in `status().message`.
        """
        self._wanted = choice
        self._bank.ask(choice)

    def step_style(self, step: int) -> None:
        """Change over to the style that is `step` places further in `styles()`, cyclically."""
        place = self._styles.index(self._wanted) if self._wanted in self._styles else -1
        self.set_style(self._styles[(place + step) % len(self._styles)])

    def set_pictures(self, pictures: Sequence[tuple[str, Picture]], weights: Sequence[float]) -> None:
        """Change over to a mix of up to `MIXED_STYLES_MAX` pictures in an any-style model, `(name, picture)` each.

        Returns at once. Each `Picture` object is encoded once, as long as it is in use: with the same objects
        other weights take effect within a frame or two. Weights are at least 0 and not all of them 0.

        Raises:
            UsageError: no any-style model here, too many pictures, or weights that do not go with them.
        """
        self._bank.ask_pictures(pictures, weights)

    def status(self) -> LiveStatus:
        loop, recorder, view = self._loop, self._recorder, self._bank.view
        state = self._source.state
        return LiveStatus(
            fps=loop.shown.per_second(),
            source_fps=loop.arriving.per_second(),
            latency=loop.latency.percentiles(),
            frames=loop.frames,
            dropped=loop.dropped,
            skipped=loop.skipped,
            style=view.style.label,
            wanted_style=self._bank.wanted_label,
            is_loading=self._bank.is_loading,
            engine=view.style.engine.description,
            frame_size=loop.frame_size,
            inference_size=loop.inference_size,
            is_governed=loop.controls.size is None,
            source=state.label,
            message=next(filter(None, (state.fault, loop.silence, self._bank.fault, *self._faults.values())), ""),
            recording_s=recorder.seconds if recorder is not None else None,
            recording_path=str(recorder.path) if recorder is not None else None,
            sinks=tuple(SinkStatus(slot.name, slot.fps, slot.latency, slot.dropped) for slot in self._slots),
        )

    def say(self, who: str, fault: str) -> None:
        """Have `status().message` tell a fault of a consumer; an empty one takes it back."""
        self._faults = {**self._faults, who: fault}

    def subscribe(self, name: str, *, depth: int = 1) -> Subscription:
        """Return a new slot that gets every frame from now on; give it back to `unsubscribe`."""
        slot = Subscription(name, depth=depth, clock=self._clock)
        with self._lock:
            self._slots = (*self._slots, slot)
        return slot

    def unsubscribe(self, subscription: Subscription) -> None:
        """Close a slot; may be called twice."""
        with self._lock:
            self._slots = tuple(slot for slot in self._slots if slot is not subscription)
        subscription.close()

    def start_recording(self, path: Path) -> None:
        """Record the output to a new file from the next frame on; what was written so far plays even after a kill.

        Raises:
            UsageError: something is being recorded already, the file exists, or its suffix is unknown.
            OutputError: the encoder or the folder cannot be used.
            InputError: the microphone cannot be used.
        """
        # Opening encoder and microphone takes a while, in which another thread may ask for the same.
        with self._recording:
            if self._recorder is not None:
                raise UsageError(f"{self._recorder.path} is being recorded already; stop that first")
            self._recorder = self._open_recorder(path)
            self.say(RECORD_SINK, "")
            self.say(_MICROPHONE, "")
            self.say(_LOST, "")
            self._recorder.start()

    def stop_recording(self) -> Path | None:
        """Finish the recording and return the path of what there is to play, None if nothing.

        `recording_fault` tells of a failure.
        """
        with self._recording:
            recorder, self._recorder = self._recorder, None
        if recorder is None:
            return None
        self.unsubscribe(recorder.slot)
        recorder.stop()
        lost = recorder.slot.dropped
        if lost:
            self.say(_LOST, f"{lost} frames are missing in {recorder.path}: the encoder was too slow for them")
        if recorder.fault:
            self.say(RECORD_SINK, recorder.fault)
        return self._ended(recorder)

    @property
    def recorded(self) -> Path | None:
        """The last recording that has ended, by itself or not, and left more than one picture."""
        return self._recorded

    @property
    def recording_fault(self) -> str:
        """What became of the recording that ended last, in one line, empty while all is well."""
        return self._faults.get(RECORD_SINK, "")

    def _open_recorder(self, path: Path) -> Recorder:
        slot = self.subscribe(RECORD_SINK, depth=RECORDING_DEPTH)
        device = self._settings.microphone
        try:
            return Recorder(
                path,
                slot,
                on_failure=self._recording_failed,
                fps=self._settings.fps,
                open_microphone=partial(self._open_microphone, device) if device is not None else None,
            )
        except BaseException:
            self.unsubscribe(slot)
            raise

    def _open_microphone(self, device: str) -> Microphone:
        return Microphone(
            device,
            on_failure=lambda fault: self.say(_MICROPHONE, f"{fault} The recording goes on without sound"),
            clock=self._clock,
        )

    def _recording_failed(self, recorder: Recorder) -> None:
        """Called by a recorder that failed, in its thread."""
        self.say(RECORD_SINK, recorder.fault)
        self.unsubscribe(recorder.slot)
        if self._recorder is recorder:
            self._recorder = None
        self._ended(recorder)

    def _ended(self, recorder: Recorder) -> Path | None:
        if recorder.seconds > 0:
            self._recorded = recorder.path
        return recorder.path if recorder.path.exists() else None

    def snapshot(self) -> LiveFrame | None:
        """Return the newest frame, None before the first."""
        return self._newest

    def wait(self, timeout_s: float) -> bool:
        """Wait until the run ends (the source is exhausted or a thread failed); tell whether it has."""
        return self._loop.ended.wait(timeout_s)

    def _hand_out(self, frame: LiveFrame) -> None:
        self._newest = frame
        for slot in self._slots:
            slot.put(frame)

    def _neighbours(self, choice: StyleChoice) -> tuple[StyleChoice, ...]:
        if choice not in self._styles or len(self._styles) < 2:
            return ()
        place = self._styles.index(choice)
        return tuple(self._styles[(place + step) % len(self._styles)] for step in (1, -1))
