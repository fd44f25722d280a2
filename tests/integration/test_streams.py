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

    assert stylize(source, tmp_path / "out.mp4", "--split", style=invert_style) == 0

    picture = read_frames(tmp_path / "out.mp4")[5].rgb
    assert abs(picture[:, :24].mean() - 60) < 5
    assert abs(picture[:, -24:].mean() - 195) < 5


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
