"""What cannot work ends in one clear line, the right exit code, and without a trace in the file system."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.media import MediaWriter, numbers, streams_of, times, write_clip

Stylize = Callable[..., int]
ReadReport = Callable[[], dict[str, Any]]


def _refused(code: int, words: str, captured: "pytest.CaptureFixture[str]") -> None:
    """Expect one line on standard error that holds `words`; `code` must not be 0."""
    text = captured.readouterr().err
    assert code in (1, 2)
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    assert words in text


def _make_bad(kind: str, folder: Path) -> Path:
    path = folder / "in.mp4"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("To be, or not to be.\n" * 200)
    elif kind == "text-named-txt":
        path = folder / "in.txt"
        path.write_text("To be, or not to be.\n" * 200)
    elif kind == "noise":
        path.write_bytes(np.random.default_rng(1).bytes(50_000))
    elif kind == "without-index":
        whole = write_clip(path).read_bytes()
        path.write_bytes(whole[: whole.index(b"moov") - 4])
    elif kind == "audio-only":
        writer = MediaWriter(path)
        writer.audio()
        writer.write()
    elif kind == "audio-with-cover":
        writer = MediaWriter(path)
        writer.audio()
        writer.cover()
        writer.write()
    elif kind == "picture":
        import cv2

        path = folder / "in.png"
        cv2.imwrite(str(path), np.zeros((40, 40, 3), np.uint8))
    elif kind == "folder":
        path.mkdir()
        write_clip(path / "clip.mp4")
    elif kind == "pipe":
        os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "not found"),
        ("empty", "empty"),
        ("text", "in.mp4"),  # some text passes for audio
        ("text-named-txt", "not a"),
        ("noise", "not a video file"),
        ("without-index", "index is missing"),
        ("audio-only", "holds no video, only audio"),
        ("audio-with-cover", "holds no video, only audio, cover art"),
        ("picture", "not a video"),
        ("pipe", "not a regular file"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    kind: str, words: str, tmp_path: Path, stylize: Stylize, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _make_bad(kind, tmp_path)
    output = tmp_path / "out.mp4"
    output.write_bytes(b"precious")

    code = stylize(path, output, "--overwrite")

    _refused(code, words, capsys)
    assert code == 1
    assert output.read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["in.mp4", "nowhere/out.mp4"], 1, "does not exist"),
        (["in.mp4", "in.mp4", "--overwrite"], 2, "same file"),
        (["in.mp4", "symlink.mp4", "--overwrite"], 2, "same file"),
        (["in.mp4", "hardlink.mp4", "--overwrite"], 2, "same file"),
        (["in.mp4", "old.mp4"], 2, "--overwrite"),
        (["in.mp4", "out.xyz"], 2, "must end in"),
        (["in.mp4", "out"], 2, "must end in"),
        (["in.mp4"], 2, "output"),
        (["in.mp4", "out.mp4", "--codec", "h265000"], 2, "no video encoder"),
        (["in.mp4", "out.mp4", "--codec", "h264_nvenc"], 1, "does not work here"),
        (["in.mp4", "out.mp4", "--pix-fmt", "rgb48le"], 2, "cannot encode"),
        (["in.mp4", "out.mp4", "--preset", "warp"], 1, "libx264"),
        (["in.mp4", "out.mp4", "-e", "crf=cat"], 1, "libx264"),
        (["in.mp4", "out.mp4", "--start", "2", "--end", "1"], 2, "--end"),
        (["in.mp4", "out.webm", "--codec", "h264"], 2, "webm files cannot hold h264"),
        (["in.mp4", "out.mp4", "--report", "nowhere/report.json"], 1, "report"),
        (["in.mp4", "out.mp4", "--report", "in.mp4"], 2, "report would overwrite in.mp4"),
        (["in.mp4", "out.mp4", "--report", "hardlink.mp4"], 2, "report would overwrite in.mp4"),
        (["in.mp4", "out.mp4", "--report", "./out.mp4"], 2, "report would overwrite out.mp4"),
        (["in.mp4", "out.mp4", "--report", "."], 2, "report is a folder"),
        (["in.mp4", "dangling.mp4"], 2, "--overwrite"),
        (["in.mp4", "pipe.mp4", "--overwrite"], 2, "not a regular file"),
        (["in.mp4", "x" * 260 + ".mp4"], 2, "File name too long"),
        (["x" * 260 + ".mp4", "out.mp4"], 2, "File name too long"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_cannot_work_are_refused_in_one_line(
    arguments: list[str],
    code: int,
    words: str,
    tmp_path: Path,
    stylize: Stylize,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "h264_nvenc" in arguments and os.path.exists("/dev/nvidia0"):
        pytest.skip("this machine has an NVIDIA GPU")
    monkeypatch.chdir(tmp_path)
    content = write_clip(tmp_path / "in.mp4").read_bytes()
    (tmp_path / "symlink.mp4").symlink_to("in.mp4")
    (tmp_path / "dangling.mp4").symlink_to("nowhere.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "hardlink.mp4").hardlink_to(tmp_path / "in.mp4")
    (tmp_path / "old.mp4").write_bytes(b"precious")

    returned = stylize(*arguments)

    _refused(returned, words, capsys)
    assert returned == code
    assert (tmp_path / "in.mp4").read_bytes() == content
    assert (tmp_path / "old.mp4").read_bytes() == b"precious"
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["in.mp4", "out.mp4", "--no-such-option"],
        ["in.mp4", ""],
        ["", "out.mp4"],
        ["in.mp4", "out.mp4", "--report", ""],
        ["in.mp4", "out.mp4", "--start", "9" * 20],
    ],
    ids=repr,
)
def test_what_the_parser_refuses_ends_with_two_as_well(arguments: list[str], stylize: Stylize) -> None:
    with pytest.raises(SystemExit) as exit_:
        stylize(*arguments)
    assert exit_.value.code == 2


def test_an_unwritable_folder_is_named(tmp_path: Path, stylize: Stylize, capsys: pytest.CaptureFixture[str]) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    code = stylize(write_clip(tmp_path / "in.mp4"), folder / "out.mp4")
    _refused(code, "not writable", capsys)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_corrupt_packets_cost_their_frames_only(
    suffix: str, tmp_path: Path, stylize: Stylize, read_report: ReadReport
) -> None:
    # MPEG-4 part 2 without B-frames in mp4, VP9 in mkv and MPEG-2 in ts: every key frame begins anew.
    codec = {".mp4": "libx264", ".mkv": "libvpx-vp9", ".ts": "libx264"}[suffix]
    options = {"g": "5", "bf": "0"} if codec == "libx264" else {"g": "5", "deadline": "realtime", "cpu-used": "8"}
    source = write_clip(tmp_path / f"in{suffix}", frames=40, audio=False, codec=codec, options=options)
    content = bytearray(source.read_bytes())
    for packet in streams_of(source, "video")[0].packets[17:19]:
        begin = content.find(packet.content[:20])
        if begin < 0:  # a transport stream cuts packets up
            begin = len(content) // 2
        content[begin + 4 : begin + len(packet.content)] = b"\xff" * (len(packet.content) - 4)
    whole = times(source)
    source.write_bytes(content)

    assert stylize(source, tmp_path / "out.mp4", "--report", tmp_path / "report.json") == 0

    after = times(tmp_path / "out.mp4")
    assert set(after) <= set(whole)
    assert len(after) >= 30
    assert after[-1] == whole[-1]
    report = read_report()
    # A transport stream that lost whole packets of 188 bytes shows no trace of them.
    assert report["corrupt_packets"] > 0 or len(after) == 40 or suffix == ".ts"


@pytest.mark.parametrize("target", [".mkv", ".mp4"])
def test_corrupt_audio_costs_its_packets_only(
    target: str, tmp_path: Path, stylize: Stylize, read_report: ReadReport
) -> None:
    writer = MediaWriter(tmp_path / "in.ts")
    writer.video()
    writer.audio(seconds=1)
    source = writer.write()
    packets = streams_of(source, "audio")[0].packets
    content = bytearray(source.read_bytes())
    # Bytes 2 to 6 of an ADTS header: past the sync word, so that the packet is found but cannot be unwrapped.
    begin = content.index(packets[6].content[:16])
    content[begin + 2 : begin + 7] = b"\xff" * 5
    source.write_bytes(content)

    assert stylize(source, tmp_path / f"out{target}", "--report", tmp_path / "report.json") == 0

    assert numbers(tmp_path / f"out{target}") == list(range(10))
    after = [packet.content for packet in streams_of(tmp_path / f"out{target}", "audio")[0].packets]
    assert len(packets) // 2 <= len(after) < len(packets)
    assert any("audio, aac) is damaged" in note for note in read_report()["notes"])


@pytest.mark.parametrize("target", [".mp4", ".ts", ".webm"])
def test_audio_that_cannot_even_be_decoded_is_left_out(
    target: str, tmp_path: Path, stylize: Stylize, read_report: ReadReport
) -> None:
    writer = MediaWriter(tmp_path / "in.mkv")
    writer.video()
    writer.audio("flac")
    content = writer.write().read_bytes()
    assert content.count(b"A_FLAC") == 1
    (tmp_path / "in.mkv").write_bytes(content.replace(b"A_FLAC", b"A_NONE"))

    assert stylize(tmp_path / "in.mkv", tmp_path / f"out{target}", "--report", tmp_path / "report.json") == 0

    assert not streams_of(tmp_path / f"out{target}", "audio")
    assert any("left out" in note for note in read_report()["notes"])


def test_a_video_of_an_unknown_codec_is_refused(
    tmp_path: Path, stylize: Stylize, capsys: pytest.CaptureFixture[str]
) -> None:
    content = write_clip(tmp_path / "in.mp4", audio=False).read_bytes()
    assert content.count(b"avc1") > 0
    (tmp_path / "in.mp4").write_bytes(content.replace(b"avc1", b"zzzz"))

    code = stylize(tmp_path / "in.mp4", tmp_path / "out.mp4")

    _refused(code, "codec that this FFmpeg does not know", capsys)


@pytest.mark.parametrize("suffix", [".mkv", ".ts"])
def test_a_cut_off_file_gives_the_frames_it_has(suffix: str, tmp_path: Path, stylize: Stylize) -> None:
    source = write_clip(tmp_path / f"in{suffix}", frames=50, options={"bf": "0"})
    whole = times(source)
    content = source.read_bytes()
    source.write_bytes(content[: len(content) * 3 // 4])

    assert stylize(source, tmp_path / "out.mp4") == 0

    after = times(tmp_path / "out.mp4")
    assert 5 < len(after) < 50
    assert after == whole[: len(after)]
    assert numbers(tmp_path / "out.mp4")[:5] == list(range(5))


def test_a_cut_off_mp4_with_its_index_first_says_how_many_are_missing(
    tmp_path: Path, stylize: Stylize, read_report: ReadReport
) -> None:
    writer = MediaWriter(tmp_path / "in.mp4", movflags="faststart")
    writer.video(pts=range(50), options={"bf": "0"})
    content = writer.write().read_bytes()
    (tmp_path / "in.mp4").write_bytes(content[: content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 2])

    assert stylize(tmp_path / "in.mp4", tmp_path / "out.mp4", "--report", tmp_path / "report.json") == 0

    assert 5 < len(times(tmp_path / "out.mp4")) < 50
    assert any("promises 50 frames" in note for note in read_report()["notes"])


def test_a_style_that_is_no_style_is_refused(
    tmp_path: Path, stylize: Stylize, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_clip(tmp_path / "in.mp4")
    (tmp_path / "bad.onnx").write_bytes(b"no model at all")

    code = stylize(source, tmp_path / "out.mp4", style=tmp_path / "bad.onnx")

    _refused(code, "style", capsys)
    assert code == 1


def test_a_very_long_file_name_is_no_obstacle(tmp_path: Path, stylize: Stylize) -> None:
    source = write_clip(tmp_path / "in.mp4")

    assert stylize(source, tmp_path / ("x" * 250 + ".mp4")) == 0
