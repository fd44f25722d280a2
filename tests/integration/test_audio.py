"""Sound is carried along packet for packet, and encoded anew only where the container cannot hold it."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from realtime import stream_copy
from realtime.stream_copy import StreamCopier
from tests.media import MediaWriter, numbers, streams_of, write_clip

Stylize = Callable[..., int]
ReadReport = Callable[[], dict[str, Any]]


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".mp4", "aac"),
        (".mp4", "libmp3lame"),
        (".mp4", "ac3"),
        (".mov", "pcm_s16le"),
        (".mkv", "flac"),
        (".mkv", "libopus"),
    ],
)
def test_audio_is_copied_packet_for_packet(suffix: str, codec: str, tmp_path: Path, stylize: Stylize) -> None:
    writer = MediaWriter(tmp_path / f"in{suffix}")
    writer.video()
    writer.audio(codec, language="fra")
    writer.audio(codec, language="deu", start_s=0.1)
    source = writer.write()

    assert stylize(source, tmp_path / f"out{suffix}") == 0

    before, after = streams_of(source, "audio"), streams_of(tmp_path / f"out{suffix}", "audio")
    assert [stream.packets for stream in after] == [stream.packets for stream in before]
    # FFmpeg's mov muxer knows only the languages of QuickTime.
    assert suffix == ".mov" or [stream.metadata["language"] for stream in after] == ["fra", "deu"]


@pytest.mark.parametrize(("target", "codec"), [(".webm", "opus"), (".ts", "aac")])
def test_audio_that_the_container_cannot_hold_is_encoded_anew_in_step(
    target: str, codec: str, tmp_path: Path, stylize: Stylize, read_report: ReadReport
) -> None:
    writer = MediaWriter(tmp_path / "in.mkv")
    writer.video(pts=range(25))
    writer.audio("flac", start_s=0.2, seconds=0.6)
    source = writer.write()

    assert stylize(source, tmp_path / f"out{target}", "--report", tmp_path / "report.json") == 0

    assert any("re-encoded" in note for note in read_report()["notes"])
    with av.open(str(tmp_path / f"out{target}")) as container:
        assert container.streams.audio[0].codec_context.name == codec
        frames = [frame for frame in container.decode(audio=0)]
    samples = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
    loud = np.flatnonzero(np.abs(samples) > 0.1)
    begin_s = float(frames[0].pts * frames[0].time_base) + loud[0] / 48000
    assert begin_s == pytest.approx(0.2, abs=0.03)  # an encoder's pre-echo
    assert (loud[-1] - loud[0]) / 48000 == pytest.approx(0.6, abs=0.06)


def _write_with_audio(path: Path, codec: str, *, layout: str, rate: int) -> Path:
    """Write a file with 0.4 s of a tone in all channels."""
    writer = MediaWriter(path)
    writer.video()
    stream = writer.container.add_stream(codec, rate=rate, layout=layout)
    context = stream.codec_context

    def packets() -> list[Any]:
        context.open()
        count = context.frame_size or 1024
        resampler = av.AudioResampler(format=context.format, layout=layout, rate=rate)
        made = []
        for first in range(0, round(0.4 * rate), count):
            tone = 0.3 * np.sin(np.arange(first, first + count) / rate * 2 * np.pi * 440)
            samples = np.tile(tone.astype(np.float32), (context.layout.nb_channels, 1))
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, first, Fraction(1, rate)
            for resampled in resampler.resample(frame):
                made += stream.encode(resampled)
        return made + stream.encode(None)

    writer._packets.append(packets)
    return writer.write()


@pytest.mark.parametrize(
    ("name", "codec", "layout", "rate", "target", "wanted_layout", "wanted_rate"),
    [
        # AVI, and Matroska with PCM, tell only how many channels there are.
        ("in.avi", "pcm_u8", "mono", 48000, ".mp4", "mono", 48000),
        ("in.mkv", "pcm_s16le", "stereo", 11025, ".mp4", "stereo", 11025),
        ("in.mkv", "pcm_s16le", "stereo", 11025, ".ts", "stereo", 11025),
        ("in.mkv", "ac3", "5.1(side)", 48000, ".webm", "5.1", 48000),
        # AAC has no such rates.
        ("in.mkv", "flac", "stereo", 192000, ".mov", "stereo", 96000),
        ("in.mkv", "flac", "mono", 12345, ".ts", "mono", 16000),
    ],
)
def test_audio_that_the_encoder_does_not_take_as_it_is_becomes_what_is_nearest(
    name: str,
    codec: str,
    layout: str,
    rate: int,
    target: str,
    wanted_layout: str,
    wanted_rate: int,
    tmp_path: Path,
    stylize: Stylize,
    read_report: ReadReport,
) -> None:
    source = _write_with_audio(tmp_path / name, codec, layout=layout, rate=rate)

    assert stylize(source, tmp_path / f"out{target}", "--report", tmp_path / "report.json") == 0

    assert any("re-encoded" in note for note in read_report()["notes"])
    with av.open(str(tmp_path / f"out{target}")) as container:
        stream = container.streams.audio[0]
        assert (stream.layout.name, stream.sample_rate) == (wanted_layout, wanted_rate)
        samples = np.concatenate([frame.to_ndarray() for frame in container.decode(stream)], axis=1)
    loud = np.abs(samples) > 0.1
    assert (np.count_nonzero(loud.any(axis=1))) >= len(samples) - 1  # the one for bass does not have the tone
    heard = np.flatnonzero(loud[0])
    assert (heard[-1] - heard[0]) / wanted_rate == pytest.approx(0.4, abs=0.11)  # filled up to whole packets
    crossings = np.count_nonzero(np.diff(np.signbit(samples[0, heard[0] : heard[-1]])))
    assert crossings / (heard[-1] - heard[0]) * wanted_rate / 2 == pytest.approx(440, rel=0.03)


@pytest.mark.parametrize("target", [".mp4", ".webm"])
def test_audio_that_changes_its_channels_where_two_recordings_are_joined(
    target: str, tmp_path: Path, stylize: Stylize
) -> None:
    parts = [
        _write_with_audio(tmp_path / f"{layout}.ts", "ac3", layout=layout, rate=48000).read_bytes()
        for layout in ("stereo", "mono")
    ]
    (tmp_path / "in.ts").write_bytes(b"".join(parts))

    assert stylize(tmp_path / "in.ts", tmp_path / f"out{target}") == 0

    before, after = (streams_of(path, "audio")[0] for path in (tmp_path / "in.ts", tmp_path / f"out{target}"))
    assert len(numbers(tmp_path / f"out{target}")) == 20
    assert target == ".webm" or [packet.content for packet in after.packets] == [p.content for p in before.packets]
    assert sum(packet.duration_s for packet in after.packets) > 0.3


@pytest.mark.parametrize("target", [".mp4", ".mov", ".mkv", ".ts", ".webm"])
def test_audio_of_an_unknown_codec_is_left_out_and_named(
    target: str, tmp_path: Path, stylize: Stylize, read_report: ReadReport
) -> None:
    writer = MediaWriter(tmp_path / "in.mp4")
    writer.video()
    writer.audio()
    writer.audio(frequency=880)
    content = writer.write().read_bytes()
    begin = content.rindex(b"mp4a")  # of the second track
    renamed = content[begin:].replace(b"mp4a", b"apac", 1).replace(b"esds", b"dapa", 1)
    (tmp_path / "in.mp4").write_bytes(content[:begin] + renamed)
    assert [stream.codec for stream in streams_of(tmp_path / "in.mp4", "audio")] == ["aac", "none"]

    assert stylize(tmp_path / "in.mp4", tmp_path / f"out{target}", "--report", tmp_path / "report.json") == 0

    assert len(streams_of(tmp_path / f"out{target}", "audio")) == 1
    assert any("stream 2 (audio, unknown)" in note and "left out" in note for note in read_report()["notes"])


def test_a_file_without_audio_gets_none(tmp_path: Path, stylize: Stylize) -> None:
    source = write_clip(tmp_path / "in.mp4", audio=False)

    assert stylize(source, tmp_path / "out.mp4") == 0

    assert not streams_of(tmp_path / "out.mp4", "audio")


class CountingContainer:
    """An input that counts the packets that are read of it."""

    def __init__(self, container: Any) -> None:
        self.count = 0
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def demux(self, streams: Any) -> Iterator[Any]:
        for packet in self._container.demux(streams):
            self.count += 1
            yield packet


@pytest.mark.parametrize("languages", [1, 2])
def test_of_what_lies_far_behind_the_end_nothing_is_read(
    languages: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = MediaWriter(tmp_path / "in.mkv")
    writer.video()
    for _ in range(languages):
        writer.audio(seconds=60)
    source = CountingContainer(av.open(str(writer.write())))
    monkeypatch.setattr(stream_copy, "open_input", lambda _, **options: source)
    copier = StreamCopier(writer.path, time_shift_s=Fraction(0), end_s=Fraction(1))

    with av.open(str(tmp_path / "out.mkv"), "w") as output:
        copier.add_streams(output, main_video=lambda: output.add_stream("libx264", rate=25))
        copier.copy_rest(output)
    copier.close()

    copied = sum(len(stream.packets) for stream in streams_of(tmp_path / "out.mkv", "audio"))
    assert copied == languages * 48  # of 1,024 samples, with the first one of the encoder
    assert copied < source.count < 15 * copied
