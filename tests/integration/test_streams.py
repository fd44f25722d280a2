"""Everything beside the main video is carried along: audio, subtitles, chapters, cover art, tags, rotation."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.media import MediaWriter, numbers, read_frames, streams_of, write_clip

Stylize = Callable[..., int]
ReadReport = Callable[[], dict[str, Any]]

LINES = [(0, 100, "First"), (120, 80, "Grüße, 世界"), (220, 100, "third {\\i1}slanted{\\i0}")]
ATTACHED_PICTURE = int(av.stream.Disposition.attached_pic)


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


def _spoken(path: Path) -> list[tuple[Fraction, str]]:
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[0]
        return [
            (packet.pts * packet.time_base, event.dialogue.decode())
            for packet in container.demux(stream)
            if packet.size
            for event in packet.decode()
            if event.dialogue
        ]


@pytest.mark.parametrize("codec", ["subrip", "ass"])
@pytest.mark.parametrize(("target", "wanted"), [(".mp4", "mov_text"), (".mov", "mov_text"), (".webm", "webvtt")])
def test_text_subtitles_are_converted_and_can_be_read_again(
    codec: str, target: str, wanted: str, tmp_path: Path, stylize: Stylize, read_report: ReadReport
) -> None:
    writer = MediaWriter(tmp_path / "in.mkv")
    writer.video()
    writer.subtitles(codec, LINES, language="deu")
    source = writer.write()

    assert stylize(source, tmp_path / f"out{target}", "--report", tmp_path / "report.json") == 0

    after = streams_of(tmp_path / f"out{target}", "subtitle")
    assert [stream.codec for stream in after] == [wanted]
    assert target == ".mov" or after[0].metadata["language"] == "deu"
    assert any(f"converted to {wanted}" in note for note in read_report()["notes"])
    spoken = _spoken(tmp_path / f"out{target}")
    assert [time_s for time_s, _ in spoken] == [Fraction(begin, 1000) for begin, _, _ in LINES]
    texts = [text for _, text in spoken]
    assert texts[:2] == ["First", "Grüße, 世界"]
    assert "slanted" in texts[2]


def _shown(path: Path) -> list[tuple[Fraction | None, Fraction, bytes]]:
    """Return begin, duration and text of the subtitles, without the empty ones between them in MP4."""
    packets = [packet for stream in streams_of(path, "subtitle") for packet in stream.packets]
    texts = [(packet, packet.content.removeprefix(b"\0" + bytes([len(packet.content) - 2]))) for packet in packets]
    return [(packet.pts_s, packet.duration_s, text) for packet, text in texts if text]


@pytest.mark.parametrize("source_suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_a_subtitle_on_screen_at_the_cut_is_cut_as_well(
    suffix: str, source_suffix: str, tmp_path: Path, stylize: Stylize
) -> None:
    writer = MediaWriter(tmp_path / f"in{source_suffix}")
    writer.video(pts=range(50), options={"g": "5"})
    lines = [(0, 100, "gone"), (120, 880, "long"), (1100, 100, "whole"), (1300, 400, "last"), (1800, 100, "never")]
    writer.subtitles("mov_text" if source_suffix == ".mp4" else "subrip", lines)
    source = writer.write()

    assert stylize(source, tmp_path / f"out{suffix}", "--start", "0.4", "--end", "1.6") == 0

    assert _shown(tmp_path / f"out{suffix}") == [
        (0, Fraction(6, 10), b"long"),
        (Fraction(7, 10), Fraction(1, 10), b"whole"),
        (Fraction(9, 10), Fraction(3, 10), b"last"),
    ]


def test_the_pauses_of_mp4_subtitles_do_not_breed(tmp_path: Path, stylize: Stylize) -> None:
    writer = MediaWriter(tmp_path / "in.mp4")
    writer.video()
    writer.subtitles("mov_text", [(40, 60, "one"), (200, 100, "two")])
    source = writer.write()

    assert stylize(source, tmp_path / "second.mp4") == 0
    assert stylize(tmp_path / "second.mp4", tmp_path / "third.mp4") == 0

    assert _shown(tmp_path / "third.mp4") == _shown(source)
    assert len(_shown(source)) == 2
    generations = [streams_of(tmp_path / f"{name}.mp4", "subtitle")[0].packets for name in ("in", "second", "third")]
    assert generations[2] == generations[1] == generations[0]


@pytest.mark.parametrize("codec", ["subrip", "ass"])
def test_text_subtitles_are_copied_where_they_fit(codec: str, tmp_path: Path, stylize: Stylize) -> None:
    writer = MediaWriter(tmp_path / "in.mkv")
    writer.video()
    writer.subtitles(codec, LINES)
    source = writer.write()

    assert stylize(source, tmp_path / "out.mkv") == 0

    assert streams_of(tmp_path / "out.mkv", "subtitle")[0].packets == streams_of(source, "subtitle")[0].packets


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_chapters_and_tags_are_kept_and_those_of_the_old_file_not(
    suffix: str, tmp_path: Path, stylize: Stylize
) -> None:
    writer = MediaWriter(tmp_path / f"in{suffix}")
    writer.video(pts=range(50))
    writer.container.metadata.update(title="A title", artist="Somebody", comment="Grüße")
    chapters = [
        {"id": 1, "start": 0, "end": 1000, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}},
        {"id": 2, "start": 1000, "end": 2000, "time_base": Fraction(1, 1000), "metadata": {"title": "Two"}},
    ]
    writer.container.set_chapters(chapters)  # type: ignore[arg-type]
    source = writer.write()

    assert stylize(source, tmp_path / f"out{suffix}") == 0
    assert stylize(source, tmp_path / f"cut{suffix}", "--start", "0.4", "--end", "1.6") == 0

    def read(path: Path) -> list[tuple[Fraction, Fraction, str]]:
        with av.open(str(path)) as container:
            return [
                (item["start"] * item["time_base"], item["end"] * item["time_base"], item["metadata"]["title"])
                for item in container.chapters()
            ]

    assert read(tmp_path / f"out{suffix}") == read(source) == [(0, 1, "One"), (1, 2, "Two")]
    cut = [(0, Fraction(3, 5), "One"), (Fraction(3, 5), Fraction(6, 5), "Two")]
    assert read(tmp_path / f"cut{suffix}") == cut
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        tags = {key.lower(): text for key, text in container.metadata.items()}
    assert (tags["title"], tags["artist"], tags["comment"]) == ("A title", "Somebody", "Grüße")
    assert suffix == ".mp4" or "major_brand" not in tags


CHAPTER = {"id": 1, "start": 0, "end": 400, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}}


def test_chapters_of_mp4_are_not_said_to_be_lost(tmp_path: Path, stylize: Stylize, read_report: ReadReport) -> None:
    writer = MediaWriter(tmp_path / "in.mp4")
    writer.video()
    writer.container.set_chapters([CHAPTER])  # type: ignore[list-item]
    source = writer.write()
    assert streams_of(source, "data")

    assert stylize(source, tmp_path / "out.mp4", "--report", tmp_path / "report.json") == 0

    assert read_report()["notes"] == []
    assert len(streams_of(tmp_path / "out.mp4", "data")) == 1


def test_what_a_transport_stream_cannot_hold_is_said(tmp_path: Path, stylize: Stylize, read_report: ReadReport) -> None:
    plain = write_clip(tmp_path / "plain.mkv")
    writer = MediaWriter(tmp_path / "rich.mkv")
    writer.video()
    writer.audio().disposition = av.stream.Disposition.comment
    writer.container.metadata["title"] = "A title"
    writer.container.set_chapters([CHAPTER])  # type: ignore[list-item]
    rich = writer.write()

    notes = {}
    for source in (plain, rich):
        assert stylize(source, tmp_path / f"{source.stem}.ts", "--report", tmp_path / "report.json") == 0
        notes[source.stem] = read_report()["notes"]

    assert notes["plain"] == []
    assert [note for note in notes["rich"] if "chapters, tags, what streams are for" in note]


@pytest.mark.parametrize("start", ["0", "0.2"])
def test_cover_art_stays_cover_art_and_is_not_stylised(start: str, tmp_path: Path, stylize: Stylize) -> None:
    writer = MediaWriter(tmp_path / "in.mp4")
    writer.cover()
    writer.video(options={"g": "5"})
    writer.audio()
    source = writer.write()
    before = [stream for stream in streams_of(source, "video") if stream.disposition & ATTACHED_PICTURE]
    assert len(before) == 1

    assert stylize(source, tmp_path / "out.mp4", "--start", start) == 0
    assert stylize(source, tmp_path / "out.mkv") == 0

    for name in ("out.mp4", "out.mkv"):
        after = [stream for stream in streams_of(tmp_path / name, "video") if stream.disposition & ATTACHED_PICTURE]
        assert [[packet.content for packet in stream.packets] for stream in after] == [[before[0].packets[0].content]]
    assert numbers(tmp_path / "out.mkv") == list(range(10))


def test_attachments_are_kept_in_matroska_and_named_in_mp4(
    tmp_path: Path, stylize: Stylize, read_report: ReadReport
) -> None:
    writer = MediaWriter(tmp_path / "in.mkv")
    writer.video()
    writer.container.add_attachment("font.ttf", "application/x-truetype-font", b"not really a font")
    source = writer.write()

    assert stylize(source, tmp_path / "out.mkv") == 0
    assert stylize(source, tmp_path / "out.mp4", "--report", tmp_path / "report.json") == 0

    with av.open(str(tmp_path / "out.mkv")) as container:
        assert [item.data for item in container.streams.attachments] == [b"not really a font"]
    assert any("left out" in note for note in read_report()["notes"])


def test_a_timecode_track_does_not_stop_the_job(tmp_path: Path, stylize: Stylize) -> None:
    writer = MediaWriter(tmp_path / "in.mov")
    writer.video().metadata["timecode"] = "01:00:00:00"
    writer.audio("pcm_s16le")
    source = writer.write()
    assert streams_of(source, "data")

    assert stylize(source, tmp_path / "out.mov") == 0

    assert numbers(tmp_path / "out.mov") == list(range(10))
    assert len(streams_of(tmp_path / "out.mov", "data")) == 1


@pytest.mark.parametrize("degrees", [90, 180, -90])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_rotation_is_kept_or_applied(degrees: int, suffix: str, tmp_path: Path, stylize: Stylize) -> None:
    writer = MediaWriter(tmp_path / "in.mp4")
    writer.video(sample_aspect_ratio=Fraction(4, 3)).set_display_rotation(degrees)
    source = writer.write()

    assert stylize(source, tmp_path / f"out{suffix}") == 0

    before, after = read_frames(source)[3], read_frames(tmp_path / f"out{suffix}")[3]
    shown = np.rot90(before.rgb, before.frame.rotation // 90)
    assert np.abs(np.rot90(after.rgb, after.frame.rotation // 90).astype(int) - shown).mean() < 4
    assert suffix == ".ts" or after.frame.rotation == before.frame.rotation


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_pixel_aspect_is_kept(suffix: str, tmp_path: Path, stylize: Stylize) -> None:
    source = write_clip(tmp_path / "in.mp4", audio=False, sample_aspect_ratio=Fraction(16, 15))

    assert stylize(source, tmp_path / f"out{suffix}") == 0

    with av.open(str(tmp_path / f"out{suffix}")) as container:
        stream = container.streams.video[0]
        shape = Fraction(stream.width, stream.height) * (stream.sample_aspect_ratio or 1)
    if suffix == ".webm":  # scaled to square pixels
        assert float(shape) == pytest.approx(64 / 48 * 16 / 15, rel=0.02)
    else:
        assert (stream.width, shape) == (64, Fraction(64, 48) * Fraction(16, 15))


def test_mp4_begins_with_its_index_and_plays_in_browsers(tmp_path: Path, stylize: Stylize) -> None:
    source = write_clip(tmp_path / "in.mkv", codec="ffv1", pixel_format="yuv444p")

    assert stylize(source, tmp_path / "out.mp4") == 0

    content = (tmp_path / "out.mp4").read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")
    assert streams_of(tmp_path / "out.mp4", "video")[0].codec == "h264"
    assert read_frames(tmp_path / "out.mp4")[0].frame.format.name == "yuv420p"


@pytest.mark.parametrize("color_range", [1, 2])
@pytest.mark.parametrize("matrix", [1, 6])
def test_colours_and_their_tags_are_kept(matrix: int, color_range: int, tmp_path: Path, stylize: Stylize) -> None:
    colors = [(200, 40, 40), (40, 200, 40), (40, 40, 200), (255, 255, 255), (0, 0, 0), (128, 128, 128)]
    source = write_clip(
        tmp_path / "in.mp4",
        audio=False,
        frames=len(colors),
        picture=lambda number, size: np.full((size[1], size[0], 3), colors[number], np.uint8),
        pixel_format="yuv444p",
        options={"crf": "1"},
        matrix=matrix,
        color_range=color_range,
        primaries=matrix,
        transfer=matrix,
    )

    assert stylize(source, tmp_path / "out.mp4", "--crf", "1") == 0

    after = read_frames(tmp_path / "out.mp4")
    tags = after[0].frame
    assert (tags.colorspace, tags.color_range, tags.color_primaries, tags.color_trc) == (
        matrix,
        color_range,
        matrix,
        matrix,
    )
    for frame, color in zip(after, colors, strict=True):
        assert np.abs(frame.rgb.astype(int) - color).max() <= 4  # two roundings to 8-bit YUV


def test_the_split_view_shows_before_and_after(tmp_path: Path, stylize: Stylize, invert_style: Path) -> None:
    source = write_clip(
        tmp_path / "in.mp4", audio=False, picture=lambda number, size: np.full((size[1], size[0], 3), 60, np.uint8)
    )

    assert stylize(source, tmp_path / "out.mp4", "--split", "wipe", style=invert_style) == 0

    picture = read_frames(tmp_path / "out.mp4")[5].rgb
    assert abs(picture[:, :24].mean() - 60) < 5
    assert abs(picture[:, -24:].mean() - 195) < 5


def test_pictures_too_wide_for_the_encoder_are_one_clear_line(
    tmp_path: Path, stylize: Stylize, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_clip(tmp_path / "in.mkv", frames=1, codec="ffv1", pixel_format="bgr0", audio=False, size=(8400, 64))

    assert stylize(source, tmp_path / "out.mp4", "--split", "side") == 1

    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "the encoder failed on 16800x64 yuv420p" in error
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("width", [64, 63])
def test_side_by_side_doubles_the_width_and_keeps_the_sound(
    width: int, tmp_path: Path, stylize: Stylize, invert_style: Path
) -> None:
    source = write_clip(
        tmp_path / "in.mp4",
        size=(width, 48),
        pixel_format="yuv444p",
        picture=lambda number, size: np.full((size[1], size[0], 3), 60, np.uint8),
    )

    assert stylize(source, tmp_path / "out.mp4", "--split", "side", style=invert_style) == 0

    after = read_frames(tmp_path / "out.mp4")
    assert after[5].rgb.shape == (48, 2 * width, 3)
    assert abs(after[5].rgb[:, : width - 2].mean() - 60) < 5
    assert abs(after[5].rgb[:, width + 2 :].mean() - 195) < 5
    assert [frame.pts_s for frame in after] == [frame.pts_s for frame in read_frames(source)]
    copied = streams_of(tmp_path / "out.mp4", "audio")
    assert [stream.packets for stream in copied] == [stream.packets for stream in streams_of(source, "audio")]


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format", "decoder"),
    [
        (".mp4", "hevc", "yuv420p10le", "hevc"),
        (".mp4", "libx264", "yuv444p", "h264"),
        (".mov", "prores", "yuv422p10le", "prores"),
        (".webm", "vp9", "yuv420p", "vp9"),
        (".mkv", "ffv1", "bgr0", "ffv1"),
        (".mp4", "auto", "yuv420p", "h264"),
    ],
)
def test_codec_and_pixel_format_are_those_asked_for(
    suffix: str, codec: str, pixel_format: str, decoder: str, tmp_path: Path, stylize: Stylize
) -> None:
    source = write_clip(tmp_path / "in.mp4", audio=False)

    assert stylize(source, tmp_path / f"out{suffix}", "--codec", codec, "--pix-fmt", pixel_format) == 0

    frame = read_frames(tmp_path / f"out{suffix}")[0].frame
    assert streams_of(tmp_path / f"out{suffix}", "video")[0].codec == decoder
    assert frame.format.name == pixel_format
    assert numbers(tmp_path / f"out{suffix}") == list(range(10))
