"""Subtitles are carried along as text, at their times, also where a container wants another kind or a cut falls in."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from tests.media import MediaWriter, streams_of

Stylize = Callable[..., int]
ReadReport = Callable[[], dict[str, Any]]

LINES = [(0, 100, "First"), (120, 80, "Grüße, 世界"), (220, 100, "third {\\i1}slanted{\\i0}")]


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
