"""A live session without camera and network, whose pictures say how it was driven.

The input is grey with a bar that moves; the output is `TONES[style]` under it, mixed with the input by the strength.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime.catalogue import load_catalogue
from realtime.errors import UsageError
from realtime.live_frame import LiveFrame, Subscription
from realtime.live_settings import LiveControls
from realtime.live_source import PushSource
from realtime.live_status import LiveStatus, SinkStatus
from realtime.meters import RateMeter
from realtime.picture import Picture
from realtime.style_choice import StyleChoice

WIDTH, HEIGHT = 320, 180
GREY = 90
BAR = 255
FPS = 30
TONES = {"starry-night": (20, 40, 200), "great-wave": (200, 60, 20)}
# For every other style, and for pictures their mean colour.
OTHER_TONE = (30, 180, 30)


class FakeSession:
    """What the page uses of `LiveSession`, with frames from a thread or from `camera`."""

    def __init__(self, camera: PushSource | None = None) -> None:
        self.controls = LiveControls()
        self.clock = time.monotonic
        self.message = ""
        self.wanted_style = ""
        self.pictures: list[tuple[str, Picture]] = []
        self.weights: list[float] = []
        self.subscriptions: list[Subscription] = []
        self.frames = 0
        self._choices = tuple(StyleChoice(style) for style in load_catalogue().values())
        self._style = self._choices[-1].label
        self._tone = TONES["starry-night"]
        self._camera = camera
        self._rate = RateMeter()
        self._newest: LiveFrame | None = None
        self._recording: tuple[Path, float] | None = None
        self.recording_fault = ""
        self.recorded: Path | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake session")

    def __enter__(self) -> "FakeSession":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def styles(self) -> tuple[StyleChoice, ...]:
        return self._choices

    def set_style(self, choice: StyleChoice) -> None:
        self._style = choice.label
        self._tone = TONES.get(choice.model.name, OTHER_TONE)

    def step_style(self, step: int) -> None:
        labels = [choice.label for choice in self._choices]
        place = labels.index(self._style) if self._style in labels else -1
        self.set_style(self._choices[(place + step) % len(labels)])

    def set_pictures(self, pictures: Sequence[tuple[str, Picture]], weights: Sequence[float]) -> None:
        self.pictures, self.weights = list(pictures), list(weights)
        self._style = "any-style: " + ", ".join(name for name, _ in pictures)
        tones = [picture.rgb.reshape(-1, 3).mean(0) for _, picture in pictures]
        self._tone = tuple(np.average(tones, axis=0, weights=weights))

    def status(self) -> LiveStatus:
        empty = Subscription("none").latency
        return LiveStatus(
            fps=self._rate.per_second(),
            source_fps=FPS,
            latency=replace(empty, p50_ms=8.0, p95_ms=21.4, p99_ms=30.0),
            frames=self.frames,
            dropped=3,
            skipped=0,
            style=self._style,
            wanted_style=self.wanted_style or self._style,
            is_loading=False,
            engine="OpenVINO cpu bf16",
            frame_size=(WIDTH, HEIGHT),
            inference_size=(WIDTH, HEIGHT),
            is_governed=self.controls.size is None,
            source="fake camera",
            message=self.message,
            recording_s=time.monotonic() - self._recording[1] if self._recording else None,
            recording_path=str(self._recording[0]) if self._recording else None,
            sinks=tuple(SinkStatus(sub.name, sub.fps, sub.latency, sub.dropped) for sub in self.subscriptions),
        )

    def subscribe(self, name: str, *, depth: int = 1) -> Subscription:
        subscription = Subscription(name, depth=depth)
        self.subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        subscription.close()
        self.subscriptions.remove(subscription)

    def start_recording(self, path: Path) -> None:
        if self._recording:
            raise UsageError("a recording is running already")
        path.write_bytes(b"")
        self._recording = (path, time.monotonic())

    def stop_recording(self) -> Path | None:
        recording, self._recording = self._recording, None
        if recording is None:
            return None
        write_clip(recording[0])
        self.recorded = recording[0]
        return self.recorded

    def snapshot(self) -> LiveFrame | None:
        return self._newest

    def _run(self) -> None:
        source = self._camera.frames(self._stop) if self._camera else None
        while not self._stop.is_set():
            if source is None:
                self._stop.wait(1 / FPS)
                self._finish(moving_bar(self.frames), time.monotonic())
                continue
            captured = next(source, None)
            if captured is not None:
                self._finish(captured.to_rgb(), captured.captured_s)

    def _finish(self, rgb: NDArray[np.uint8], captured_s: float) -> None:
        strength = self.controls.strength
        # The brightness of the input stays, so that timestamps in its pixels can still be read.
        tone = np.asarray(self._tone) * (0.4 + 0.6 * rgb.mean(-1, keepdims=True) / 255)
        output = (rgb * (1 - strength) + tone * strength).astype(np.uint8)
        if self.controls.mirror:
            rgb, output = rgb[:, ::-1], output[:, ::-1]
        self._newest = LiveFrame(np.ascontiguousarray(rgb), np.ascontiguousarray(output), captured_s, self.frames)
        self.frames += 1
        self._rate.tick()
        for subscription in self.subscriptions.copy():
            subscription.put(self._newest)


def moving_bar(index: int) -> NDArray[np.uint8]:
    rgb = np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
    left = 4 * index % (WIDTH - 20)
    rgb[:, left : left + 20] = BAR
    return rgb


def write_clip(path: Path) -> None:
    """Write a second of the moving bar as a video that browsers play."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", FPS, width=WIDTH, height=HEIGHT, pix_fmt="yuv420p")
        for index in range(FPS):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moving_bar(index), format="rgb24")))
        container.mux(stream.encode())


def wait_until(condition: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Wait for a condition; the test fails when it does not come true."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, "it did not come true in time"
        time.sleep(0.01)
