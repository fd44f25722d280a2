"""What every live source must do: pictures in order of time, an end soon after `stop`, faults in words."""

import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from realtime.camera_address import CameraAddress
from realtime.camera_source import CameraSource
from realtime.live_source import LiveSource, PushSource
from realtime.paced_source import LATE_S, PacedFileSource
from tests.live import PATIENCE_S, FakeCapture, FakeTime, ScriptedSource, noise, until
from tests.media import MediaWriter, read_number, write_clip

FRAMES = 10
KINDS = ["camera", "file", "push", "scripted"]


class PushedSource(PushSource):
    """A push source with someone who pushes."""

    def __init__(self) -> None:
        super().__init__()
        self._time = FakeTime()

    def frames(self, stop: threading.Event) -> Iterator[Any]:
        self.push(partial(noise, 0), self._time())
        for number, frame in enumerate(super().frames(stop), 1):
            yield frame
            self._time.now_s += 0.04
            if number < FRAMES:
                self.push(partial(noise, number), self._time())


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], LiveSource]:
    def camera() -> LiveSource:
        clock = FakeTime()
        pictures = [noise(number) for number in range(FRAMES)]
        return CameraSource(
            CameraAddress(0, cv2.CAP_ANY, "camera 0"),
            size=(64, 48),
            fps=30,
            clock=clock,
            open_capture=lambda _: FakeCapture(pictures, clock=clock),
        )

    makers: dict[str, Callable[[], LiveSource]] = {
        "camera": camera,
        "file": lambda: PacedFileSource(write_clip(tmp_path / "in.mp4", audio=False, frames=FRAMES), loop=True),
        "push": PushedSource,
        "scripted": lambda: ScriptedSource((noise(number) for number in range(FRAMES)), FakeTime()),
    }
    return lambda kind: makers[kind]()


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_rgb_bytes_in_order_of_time(kind: str, make: Callable[[str], LiveSource]) -> None:
    source = make(kind)
    frames = list(islice(source.frames(threading.Event()), FRAMES))
    source.close()

    assert len(frames) == FRAMES
    pictures = [frame.to_rgb() for frame in frames]
    assert all(rgb.dtype == np.uint8 and rgb.shape == (48, 64, 3) for rgb in pictures)
    assert all(earlier.captured_s <= later.captured_s for earlier, later in pairwise(frames))
    assert not source.state.fault
    assert source.state.label


@pytest.mark.parametrize("kind", KINDS)
def test_it_ends_soon_after_stop_whatever_it_waits_for(kind: str, make: Callable[[str], LiveSource]) -> None:
    source, stop = make(kind), threading.Event()
    thread = threading.Thread(target=lambda: list(source.frames(stop)))
    thread.start()

    stop.set()
    thread.join(PATIENCE_S)

    assert not thread.is_alive()
    source.close()
    source.close()


def play(
    path: Path, clock: FakeTime, *, slow_frame: int | None = None
) -> tuple[PacedFileSource, list[tuple[int, float]]]:
    """Play a file against a clock that obeys; `slow_frame` takes a second to be consumed."""
    source = PacedFileSource(path, clock=clock)
    shown = []
    for frame in source.frames(clock):  # type: ignore[arg-type]  # it waits as an event does
        shown.append((read_number(frame.to_rgb()), frame.captured_s))
        if len(shown) == slow_frame:
            clock.now_s += 0.1
    return source, shown


def test_a_file_is_played_at_its_own_pace(tmp_path: Path) -> None:
    pts = [0, 40, 80, 300, 310, 1000]
    path = write_clip(tmp_path / "in.mkv", audio=False, pts=pts, time_base=Fraction(1, 1000), max_b_frames=0)
    clock = FakeTime(50.0)

    _, shown = play(path, clock)

    assert [number for number, _ in shown] == list(range(len(pts)))
    assert [captured_s - 50 for _, captured_s in shown] == pytest.approx([ms / 1000 for ms in pts])


def test_the_last_frame_is_shown_as_long_as_it_lasts(tmp_path: Path) -> None:
    """Played again and again, a picture of one second would spin."""
    path = write_clip(tmp_path / "in.mkv", audio=False, pts=[0, 1, 2], time_base=Fraction(1), rate=Fraction(1))
    clock = FakeTime(50.0)

    play(path, clock)

    assert clock.now_s == pytest.approx(53, abs=0.01)


def test_what_a_file_is_late_with_is_left_out_and_counted(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "in.mp4", audio=False, frames=FRAMES)
    clock = FakeTime(50.0)

    source, shown = play(path, clock, slow_frame=3)

    missing = FRAMES - len(shown)
    assert 1 <= missing <= 2
    assert source.dropped == missing
    assert all(captured_s - 50 - number / 25 <= LATE_S for number, captured_s in shown)


def test_a_turned_video_is_shown_upright(tmp_path: Path) -> None:
    quarter = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    writer = MediaWriter(tmp_path / "in.mp4")
    writer.video(pts=range(2)).set_display_matrix(quarter)
    writer.write()

    (frame, *_) = PacedFileSource(writer.path).frames(threading.Event())

    assert frame.to_rgb().shape == (64, 48, 3)


@pytest.mark.parametrize(("aspect", "width"), [(Fraction(3, 2), 96), (Fraction(3, 4), 48), (Fraction(900, 1), 64)])
def test_a_video_of_wide_pixels_is_shown_with_square_ones(aspect: Fraction, width: int, tmp_path: Path) -> None:
    writer = MediaWriter(tmp_path / "in.mkv")
    writer.video(pts=range(2), sample_aspect_ratio=aspect)
    writer.write()

    (frame, *_) = PacedFileSource(writer.path).frames(threading.Event())

    assert frame.to_rgb().shape == (48, width, 3)


def test_silence_of_who_pushes_is_told_and_ends_with_the_next_picture() -> None:
    source, stop = PushSource("phone", silence_s=0.2), threading.Event()
    taken: list[Any] = []
    thread = threading.Thread(target=lambda: taken.extend(source.frames(stop)))
    thread.start()

    until(lambda: source.state.fault == "no picture comes from the phone")
    source.push(partial(noise, 0), 1.0)
    until(lambda: taken and not source.state.fault)

    stop.set()
    thread.join(PATIENCE_S)


def test_only_the_newest_pushed_picture_waits() -> None:
    source = PushSource()
    for number in range(5):
        source.push(partial(noise, number), float(number))

    frame = next(source.frames(threading.Event()))

    assert frame.captured_s == 4
    assert source.dropped == 4
