"""What else is beside the main video is carried along: chapters, tags, cover art, attachments, data."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from tests.media import MediaWriter, numbers, streams_of, write_clip

Stylize = Callable[..., int]
ReadReport = Callable[[], dict[str, Any]]

ATTACHED_PICTURE = int(av.stream.Disposition.attached_pic)


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


@pytest.mark.parametrize(
    ("suffix", "pts", "start", "timecode"),
    [
        (".mov", range(50), "1.2", "01:00:01:05"),
        (".mkv", range(50), "1.2", "01:00:01:05"),
        # So short that FFmpeg does not tell where the video begins.
        (".mkv", range(25, 28), "0.04", "01:00:00:01"),
    ],
)
def test_a_timecode_is_that_of_the_first_frame_that_is_kept(
    suffix: str, pts: range, start: str, timecode: str, tmp_path: Path, stylize: Stylize
) -> None:
    writer = MediaWriter(tmp_path / f"in{suffix}")
    writer.video(pts=pts).metadata["timecode"] = "01:00:00:00"
    source = writer.write()

    assert stylize(source, tmp_path / "out.mov", "--start", start) == 0

    with av.open(str(tmp_path / "out.mov")) as container:
        assert container.streams.video[0].metadata["timecode"] == timecode


def test_tags_that_mp4_cannot_hold_are_said(tmp_path: Path, stylize: Stylize, read_report: ReadReport) -> None:
    writer = MediaWriter(tmp_path / "in.mkv")
    writer.video()
    writer.container.metadata.update({"title": "Ape", "DIRECTOR": "Bee"})
    source = writer.write()

    assert stylize(source, tmp_path / "out.mp4", "--report", tmp_path / "report.json") == 0

    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.metadata["title"] == "Ape"
    assert "mp4 cannot hold, and leaves out, the tags DIRECTOR; .mkv can" in read_report()["notes"]
