"""A microphone's sound is in a recording, in time with the picture, whatever the clock of the one who hands it over."""

import shutil
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

import realtime.microphone
from realtime.color import SDR_TAGS
from realtime.errors import InputError, UsageError
from realtime.frame import Frame
from realtime.microphone import SILENT_S, WAITING_MAX_S, BlockListener, Microphone, open_stream, require_microphone
from realtime.recorder import _encoder
from realtime.sound_track import SoundTrack
from realtime.video_info import VideoInfo
from realtime.video_sink import VideoFileSink
from tests.live import FakeTime

BLOCK_S = 0.02
# What lip-sync tolerates is 45 ms; half of it is for the recording, half for the devices.
IN_STEP_S = 0.025
CLICK_LEVEL = 20_000
# What a kill may cost: a fragment, and what waits for the microphone.
LOST_S = 2.2
# The clock of the stand-in has another origin than that of the run.
ORIGIN_S = 7_000.0


class FakeStream:
    """A microphone in place of PortAudio's; `hear` hands a block over as its thread would."""

    def __init__(self, clock: FakeTime, *, rate_hz: int = 48_000, channels: int = 2) -> None:
        self.rate_hz, self.channels = rate_hz, channels
        self.closed = 0
        self.is_started = False
        self.on_block: BlockListener = lambda samples, taken_s, now_s: None
        self.on_end: Callable[[], None] = lambda: None
        self._clock = clock

    def open(self, device: str, on_block: BlockListener, on_end: Callable[[], None]) -> "FakeStream":
        self.on_block, self.on_end = on_block, on_end
        return self

    def start(self) -> None:
        self.is_started = True

    def close(self) -> None:
        self.closed += 1

    def hear(self, *, level: int = 0, late_s: float = 0.0) -> None:
        """Hand over the block that has just ended, `late_s` too late."""
        samples = np.full((round(BLOCK_S * self.rate_hz), self.channels), level, np.int16)
        ended_s = self._clock.now_s + ORIGIN_S
        self._clock.now_s += late_s
        self.on_block(samples, ended_s - BLOCK_S, ended_s + late_s)
        self._clock.now_s -= late_s


@pytest.fixture
def clock() -> FakeTime:
    return FakeTime()


@pytest.fixture
def stream(clock: FakeTime, monkeypatch: pytest.MonkeyPatch) -> FakeStream:
    stream = FakeStream(clock)
    monkeypatch.setattr(realtime.microphone, "open_stream", stream.open)
    return stream


@pytest.fixture
def faults() -> list[str]:
    return []


@pytest.fixture
def microphone(stream: FakeStream, clock: FakeTime, faults: list[str]) -> Iterator[Microphone]:
    microphone = Microphone("auto", on_failure=faults.append, clock=clock)
    yield microphone
    microphone.close()


def test_blocks_have_the_time_at_which_they_began(microphone: Microphone, stream: FakeStream, clock: FakeTime) -> None:
    begun_s = []
    for late_s in (0.004, 0.0, 0.3, 0.05, 0.0):
        clock.now_s += BLOCK_S
        begun_s.append(clock.now_s - BLOCK_S)
        stream.hear(late_s=late_s)

    blocks = microphone.take_until(clock.now_s)

    assert [block.began_s for block in blocks[1:]] == pytest.approx(begun_s[1:], abs=0.001)
    assert microphone.take_until(clock.now_s) == []


def test_only_what_is_due_is_taken_and_what_waits_is_bounded(
    microphone: Microphone, stream: FakeStream, clock: FakeTime
) -> None:
    began_s = clock.now_s
    for _ in range(round(2 * WAITING_MAX_S / BLOCK_S)):
        clock.now_s += BLOCK_S
        stream.hear()

    assert microphone.take_until(began_s + WAITING_MAX_S - 1) == []
    blocks = microphone.take_until(clock.now_s)
    assert len(blocks) * BLOCK_S == pytest.approx(WAITING_MAX_S, abs=0.1)


def test_a_microphone_that_ends_or_falls_silent_is_told_once(
    microphone: Microphone, stream: FakeStream, clock: FakeTime, faults: list[str]
) -> None:
    clock.now_s += SILENT_S + 0.1
    microphone.take_until(clock.now_s)
    stream.on_end()

    assert faults == ["the microphone gives no sound any more; is it unplugged?"]


def test_one_that_is_closed_is_not_told(
    microphone: Microphone, stream: FakeStream, clock: FakeTime, faults: list[str]
) -> None:
    microphone.close()
    stream.on_end()

    assert faults == []
    assert stream.closed


def _record(
    path: Path,
    microphone: Microphone,
    stream: FakeStream,
    clock: FakeTime,
    *,
    clicks: set[int],
    deaf: range = range(0),
    killed: Path | None = None,
) -> None:
    """Record 3 s in which blocks of `clicks` are white and loud; in those of `deaf` nothing is heard.

    `killed` gets what is on the disk before the end.
    """
    info = VideoInfo(
        width=64,
        height=48,
        time_base=Fraction(1, 1000),
        frame_rate=Fraction(50),
        constant_frame_rate=False,
        sample_aspect_ratio=None,
        display_matrix=None,
        color_tags=SDR_TAGS,
    )
    track = SoundTrack(microphone, began_s=clock.now_s)
    with VideoFileSink(
        path, info=info, encoder=_encoder(path, 50), copier=track, overwrite=False, recording=True
    ) as sink:
        for block in range(150):
            white = 255 if block in clicks else 0
            pts_s = Fraction(block, 50)
            sink.write(Frame(np.full((48, 64, 3), white, np.uint8), pts_s, Fraction(1, 50), block))
            clock.now_s += BLOCK_S
            if block not in deaf:
                stream.hear(level=CLICK_LEVEL if block in clicks else 0, late_s=0.1 if block % 7 == 0 else 0)
        if killed is not None:
            shutil.copy(path, killed)
        sink.finish()


def _flashes_and_clicks(path: Path) -> tuple[list[float], list[float]]:
    """Return when the picture turns white and when the sound becomes loud, in seconds."""
    flashes: list[float] = []
    clicks: list[float] = []
    with av.open(str(path)) as container:
        was_white = False
        for frame in container.decode(video=0):
            is_white = frame.to_ndarray(format="gray").mean() > 128
            if is_white and not was_white:
                flashes.append(float(frame.time))
            was_white = is_white
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.3)
            if len(loud):
                at_s = float(frame.time) + loud[0] / frame.sample_rate
                if not clicks or at_s > clicks[-1] + 0.2:
                    clicks.append(at_s)
    return flashes, clicks


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize(("rate_hz", "channels"), [(48_000, 2), (44_100, 1)])
def test_sound_is_in_step_with_the_picture(
    suffix: str,
    rate_hz: int,
    channels: int,
    microphone: Microphone,
    stream: FakeStream,
    clock: FakeTime,
    tmp_path: Path,
) -> None:
    stream.rate_hz = microphone.rate_hz = rate_hz
    stream.channels = microphone.channels = channels

    _record(tmp_path / f"out{suffix}", microphone, stream, clock, clicks={25, 75, 125})

    flashes, clicks = _flashes_and_clicks(tmp_path / f"out{suffix}")
    assert flashes == pytest.approx([0.5, 1.5, 2.5], abs=0.002)
    assert clicks == pytest.approx(flashes, abs=IN_STEP_S)


def test_sound_that_is_missing_is_silence_and_what_follows_in_step(
    microphone: Microphone, stream: FakeStream, clock: FakeTime, tmp_path: Path
) -> None:
    _record(tmp_path / "out.mp4", microphone, stream, clock, clicks={25, 125}, deaf=range(30, 90))

    flashes, clicks = _flashes_and_clicks(tmp_path / "out.mp4")
    assert clicks == pytest.approx(flashes, abs=IN_STEP_S)
    with av.open(str(tmp_path / "out.mp4")) as container:
        times_s = [float(packet.pts * packet.time_base) for packet in container.demux(audio=0) if packet.size]
    assert np.diff(times_s[1:]).max() < 0.03  # the first is the encoder's priming


def test_a_microphone_that_is_deaf_from_the_start_leaves_the_picture_whole(
    microphone: Microphone, stream: FakeStream, clock: FakeTime, tmp_path: Path
) -> None:
    _record(tmp_path / "out.mp4", microphone, stream, clock, clicks={25}, deaf=range(150))

    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 150


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("deaf", [range(0), range(25, 150)])
def test_what_is_on_the_disk_plays_also_when_the_microphone_has_failed(
    suffix: str, deaf: range, microphone: Microphone, stream: FakeStream, clock: FakeTime, tmp_path: Path
) -> None:
    killed = tmp_path / f"killed{suffix}"

    _record(tmp_path / f"out{suffix}", microphone, stream, clock, clicks={10}, deaf=deaf, killed=killed)

    flashes, clicks = _flashes_and_clicks(killed)
    assert clicks == pytest.approx(flashes, abs=IN_STEP_S)
    with av.open(str(killed)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert frames > 50 * (3 - LOST_S)


class FakePortAudio:
    """The part of `sounddevice` that is used."""

    PortAudioError = type("PortAudioError", (Exception,), {})

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.devices = [
            {"index": 0, "name": "Speakers", "max_input_channels": 0, "default_samplerate": 48_000.0},
            {"index": 1, "name": "Desk microphone", "max_input_channels": 1, "default_samplerate": 44_100.0},
            # As on Windows, where each is there once for each interface to sound.
            {"index": 2, "name": "Desk microphone", "max_input_channels": 1, "default_samplerate": 44_100.0},
        ]
        self.fails_to_start = False

    def query_devices(self, device: int | str | None = None, kind: str | None = None) -> Any:
        if kind is None:
            return self.devices
        if device not in (None, 1):
            raise ValueError(f"No input device matching {device!r}, or several")
        return self.devices[1]

    def InputStream(self, **options: Any) -> Any:
        self.asked = options
        return SimpleNamespace(start=self._start, close=lambda: options["finished_callback"]())

    def _start(self) -> None:
        if self.fails_to_start:
            raise self.PortAudioError("Device unavailable")


@pytest.fixture
def port_audio(monkeypatch: pytest.MonkeyPatch) -> FakePortAudio:
    fake = FakePortAudio()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)  # type: ignore[arg-type]
    return fake


@pytest.mark.parametrize(("name", "device"), [("auto", None), ("desk", 1), ("1", 1)])
def test_a_microphone_is_found_by_name_or_index_and_runs_at_its_own_rate(
    name: str, device: object, port_audio: FakePortAudio
) -> None:
    require_microphone(name)

    asked = {key: port_audio.asked[key] for key in ("device", "samplerate", "channels", "dtype")}
    assert asked == {"device": device, "samplerate": 44_100, "channels": 1, "dtype": "int16"}


@pytest.mark.parametrize(("adc_s", "taken_s"), [(9.5, 9.5), (0.0, 10 - 441 / 44_100)])
def test_the_time_of_a_block_is_that_of_its_first_sample(
    adc_s: float, taken_s: float, port_audio: FakePortAudio
) -> None:
    heard: list[tuple[int, float, float]] = []
    open_stream("auto", lambda samples, taken, now: heard.append((len(samples), taken, now)), lambda: None).start()

    times = SimpleNamespace(inputBufferAdcTime=adc_s, currentTime=10.0)
    port_audio.asked["callback"](np.zeros((441, 1), np.int16), 441, times, None)

    assert heard == [(441, pytest.approx(taken_s), 10.0)]


def test_a_microphone_that_cannot_be_used_is_one_line_with_those_there_are(port_audio: FakePortAudio) -> None:
    with pytest.raises(InputError, match=r"'C920' cannot be used.*microphones here: 1: Desk microphone, 2: "):
        require_microphone("C920")
    port_audio.fails_to_start = True
    with pytest.raises(InputError, match=r"of this system cannot be used \(Device unavailable\)"):
        require_microphone("auto")


@pytest.mark.parametrize(
    ("error", "advice"), [(ModuleNotFoundError("no"), r"stylecast\[microphone\]"), (OSError("no"), "libportaudio2")]
)
def test_what_is_not_installed_is_named(error: Exception, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, *rest: Any) -> Any:
        if name == "sounddevice":
            raise error
        return imported(name, *rest)

    imported = __import__
    monkeypatch.setattr("builtins.__import__", fail)

    with pytest.raises(UsageError, match=advice):
        require_microphone("auto")
