"""`--gatys`, `--carry few-shot`, `--carry auto`: other commands paint and train, here stand-ins of the same options."""

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from realtime import child_command
from realtime.cli_video import main
from realtime.clip_survey import ClipSurvey
from realtime.keyframe_painting import _suitable_count
from tests.media import read_frames, write_clip

SIZE = (160, 112)
FRAMES = 6
NETWORK_OPTIONS = ["--engine", "onnxruntime", "--device", "cpu"]
AUTO_OPTIONS = ["--carry", "auto", *NETWORK_OPTIONS]
OPTIONS = ["--progress", "none", "--crf", "0", "--pix-fmt", "yuv444p"]
# A signal ends parent and child within this.
END_TIMEOUT_S = 20
PAINTER = """
import argparse, os, sys, time
from pathlib import Path
from PIL import Image

def main():
    parser = argparse.ArgumentParser()
    for name in ("video", "style", "--frames", "-o", "--size", "--vgg", "--resume"):
        parser.add_argument(name)
    options = parser.parse_args()
    print("painting 1 of 1", file=sys.stderr, flush=True)
    if Path(options.style).stem == "fails":
        return "stylize-keyframe: the weights of VGG19 may be damaged"
    if Path(options.style).stem == "waits":
        Path(os.environ["CHILD"]).write_text(str(os.getpid()))
        time.sleep(60)
    Path(options.o, "series.json").touch()
    for number in map(int, options.frames.split(",")):
        Image.new("RGB", (160, 112), (200, 100, 50)).save(f"{options.o}/{number:06}.png")
"""
TRAINER = """
import os, shutil, sys

def main():
    assert sys.argv[3] == "-o"
    print("size", sys.argv[sys.argv.index("--size") + 1], file=sys.stderr)
    assert os.listdir(sys.argv[2])
    assert sys.argv[-2] == "--run"
    assert os.path.dirname(sys.argv[-1]) == os.path.dirname(sys.argv[4]), "it would be left if this is killed"
    print("learns", *sys.argv[1:], file=sys.stderr)
    shutil.copy(os.environ["TRAINED"], sys.argv[4])
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(
        tmp_path_factory.mktemp("clip") / "in.mp4",
        frames=FRAMES,
        size=SIZE,
        pixel_format="yuv444p",
        options={"qp": "0"},
    )


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invert_style: Path) -> Path:
    """Put stand-ins in the place of the commands; a few-shot network inverts."""
    package = tmp_path / "stand_ins" / "export"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "cli_keyframe.py").write_text(PAINTER, encoding="utf-8")
    (package / "cli_few_shot.py").write_text(TRAINER, encoding="utf-8")
    monkeypatch.setattr(child_command, "PACKAGES", package.parent)
    monkeypatch.setenv("TRAINED", str(invert_style))
    monkeypatch.setenv("CHILD", str(tmp_path / "child"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for name in ("style", "fails", "waits"):
        Image.new("RGB", (16, 16)).save(tmp_path / f"{name}.png")
    return package


@pytest.fixture
def keyframes(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir()
    Image.new("RGB", SIZE, (200, 100, 50)).save(tmp_path / "keys" / "0.png")
    Image.new("RGB", SIZE, (200, 100, 50)).save(tmp_path / "keys" / "5.png")
    return tmp_path / "keys"


@pytest.mark.usefixtures("stand_ins")
def test_key_frames_are_painted_carried_and_kept(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    (tmp_path / "vgg.bin").touch()
    painted = ["--gatys", str(tmp_path / "style.png"), "--gatys-keyframes", "2", "--keep-keyframes", str(kept)]
    arguments = [*painted, "--vgg", str(tmp_path / "vgg.bin")]

    assert main([str(clip), str(tmp_path / "out.mp4"), *arguments, *OPTIONS]) == 0

    assert len(list(kept.glob("*.png"))) == 2
    frames = read_frames(tmp_path / "out.mp4")
    assert len(frames) == FRAMES
    assert abs(frames[-1].rgb.mean(axis=(0, 1)) - (200, 100, 50)).max() < 3
    assert "painting 1 of 1" in capsys.readouterr().err
    assert not list(tmp_path.glob("stylecast-*")), "the temporary folder is left"


@pytest.mark.usefixtures("stand_ins")
def test_only_frames_of_the_range_are_painted_and_the_first_reaches_back_to_its_start(
    clip: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    arguments = [
        "--gatys",
        str(tmp_path / "style.png"),
        "--keep-keyframes",
        str(kept),
        "--start",
        "0.08",
        "--end",
        "0.2",
    ]

    assert main([str(clip), str(tmp_path / "out.mp4"), *arguments, *OPTIONS]) == 0

    assert [int(path.stem) in (2, 3, 4) for path in kept.glob("*.png")] == [True]
    frames = read_frames(tmp_path / "out.mp4")
    assert len(frames) == 3
    for frame in frames:
        assert abs(frame.rgb.mean(axis=(0, 1)) - (200, 100, 50)).max() < 3


@pytest.mark.usefixtures("stand_ins")
def test_a_folder_of_something_else_is_refused_and_one_of_an_earlier_run_is_not(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "notes.txt").touch()
    arguments = ["--gatys", str(tmp_path / "style.png"), "--keep-keyframes", str(kept), *OPTIONS]

    assert main([str(clip), str(tmp_path / "out.mp4"), *arguments]) == 2
    assert "holds no series.json of an earlier run" in capsys.readouterr().err

    (kept / "notes.txt").rename(kept / "series.json")
    assert main([str(clip), str(tmp_path / "out.mp4"), *arguments]) == 0


@pytest.mark.usefixtures("stand_ins")
def test_a_painter_that_fails_is_told_in_its_own_words(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(clip), str(tmp_path / "out.mp4"), "--gatys", str(tmp_path / "fails.png"), *OPTIONS]) == 1

    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("stylize-video: painting the key frames failed")
    assert last.endswith("the weights of VGG19 may be damaged")
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("options", [["fails.png"], ["style.png", "--codec", "none-such"]])
@pytest.mark.usefixtures("stand_ins")
def test_programs_hear_once_of_a_failure_before_the_job(
    options: list[str], clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, *more = options
    gatys = ["--gatys", str(tmp_path / picture), *more]

    assert main([str(clip), str(tmp_path / "out.mp4"), *gatys, *OPTIONS, "--progress", "json"]) != 0

    assert "".join(capsys.readouterr()).count('"event": "failed"') == 1


@pytest.mark.parametrize("options", [["--gatys", "none.png"], ["--gatys", "style.png", "--vgg", "none.bin"]])
@pytest.mark.usefixtures("stand_ins")
def test_a_file_that_is_not_there_is_told_before_the_video_is_read(
    options: list[str],
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("realtime.keyframe_painting.survey_clip", lambda *_, **__: pytest.fail("it was read"))
    monkeypatch.chdir(tmp_path)

    assert main([str(clip), str(tmp_path / "out.mp4"), *options, *OPTIONS]) == 1

    assert options[-1] in capsys.readouterr().err


@pytest.mark.usefixtures("stand_ins")
def test_a_report_overwrites_no_picture_that_is_painted_after(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    style = tmp_path / "style.png"

    assert main([str(clip), str(tmp_path / "o.mp4"), "--gatys", str(style), "--report", str(style), *OPTIONS]) == 2

    assert "would overwrite" in capsys.readouterr().err


@pytest.mark.usefixtures("stand_ins")
def test_what_of_the_video_is_not_made_is_not_learned(
    clip: Path, keyframes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "--keyframes",
        str(keyframes),
        "--carry",
        "few-shot",
        *NETWORK_OPTIONS,
        "--start",
        "0.08",
        "--end",
        "0.2",
    ]

    assert main([str(clip), str(tmp_path / "out.mp4"), *arguments, *OPTIONS]) == 0

    assert "--from 0.080000 --to 0.200000" in capsys.readouterr().err


@pytest.mark.usefixtures("stand_ins")
def test_few_shot_runs_the_network_that_was_trained(clip: Path, keyframes: Path, tmp_path: Path) -> None:
    arguments = ["--keyframes", str(keyframes), "--carry", "few-shot", *NETWORK_OPTIONS, "--smoothing", "0"]

    assert main([str(clip), str(tmp_path / "out.mp4"), *arguments, *OPTIONS]) == 0

    inputs, outputs = read_frames(clip), read_frames(tmp_path / "out.mp4")
    for before, after in zip(inputs, outputs, strict=True):
        assert abs(after.rgb.astype(int) - (255 - before.rgb)).mean() < 3


@pytest.mark.usefixtures("stand_ins")
def test_a_network_runs_at_the_size_at_which_it_learned(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "small").mkdir()
    Image.new("RGB", (120, 84)).save(tmp_path / "small" / "0.png")
    arguments = ["--keyframes", str(tmp_path / "small"), "--carry", "few-shot", *NETWORK_OPTIONS, "--overwrite"]
    for size, learned_px in (([], 84), (["--size", "72"], 72)):
        report = tmp_path / "report.json"
        assert main([str(clip), str(tmp_path / "out.mp4"), *arguments, *size, "--report", str(report), *OPTIONS]) == 0

        assert json.loads(report.read_text(encoding="utf-8"))["options"]["size"] == learned_px
        assert f"size {size[1] if size else 540}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        ("out.mp4", ["--codec", "none-such"], "none-such"),
        ("out.xyz", [], "must end in"),
        ("out.mp4", ["--start", "2", "--end", "1"], "--end (1 s) must be after --start (2 s)"),
    ],
)
@pytest.mark.usefixtures("stand_ins")
def test_nothing_is_painted_for_an_output_that_cannot_be_written(
    output: str, options: list[str], message: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    arguments = ["--gatys", str(tmp_path / "style.png"), "--keep-keyframes", str(kept), *options]

    assert main([str(clip), str(tmp_path / output), *arguments, *OPTIONS]) != 0

    errors = capsys.readouterr().err
    assert message in errors
    assert "painting" not in errors
    assert not kept.exists()


@pytest.mark.usefixtures("stand_ins", "any_style_catalogue")
def test_auto_judges_what_is_painted_and_not_the_input_beside_it(clip: Path, keyframes: Path, tmp_path: Path) -> None:
    mask, report = tmp_path / "mask.png", tmp_path / "report.json"
    Image.new("L", SIZE).save(mask)
    notes = []
    for shown in ([], ["--mask", str(mask), "--invert-mask"], ["--paint", "people", "--split", "side"]):
        arguments = ["--keyframes", str(keyframes), *AUTO_OPTIONS, "--report", str(report), "--overwrite", *shown]
        assert main([str(clip), str(tmp_path / "out.mp4"), *arguments, *OPTIONS]) == 0
        notes.append(json.loads(report.read_text(encoding="utf-8"))["notes"][-1])

    assert len(set(notes)) == 1
    assert read_frames(tmp_path / "out.mp4")[0].rgb.shape[1] == 2 * SIZE[0]


@pytest.mark.usefixtures("stand_ins", "any_style_catalogue")
def test_auto_keeps_what_measures_better_and_says_why(clip: Path, keyframes: Path, tmp_path: Path) -> None:
    """The network of the stand-in inverts, which looks nothing like the key frames."""
    arguments = ["--keyframes", str(keyframes), *AUTO_OPTIONS, "--report", str(tmp_path / "report.json")]

    assert main([str(clip), str(tmp_path / "out.mp4"), *arguments, *OPTIONS]) == 0

    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["style"] == "keyframes"
    note = report["notes"][-1]
    assert note.startswith("key frames carried by flow, of flow: E_warp")
    assert "few-shot: E_warp" in note
    assert report["output"] == str(tmp_path / "out.mp4")
    assert len(read_frames(tmp_path / "out.mp4")) == FRAMES


def test_without_torch_the_way_to_it_is_named(
    clip: Path, keyframes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(child_command.importlib.util, "find_spec", lambda name: None)

    for options in (["--gatys", "style.jpg"], ["--keyframes", str(keyframes), "--carry", "few-shot"]):
        assert main([str(clip), str(tmp_path / "out.mp4"), *options, *OPTIONS]) == 2
        assert "pip install 'stylecast[train]'" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_signal_ends_the_painter_too(clip: Path, tmp_path: Path, stand_ins: Path) -> None:
    code = (
        "import sys; from realtime import child_command; from realtime.cli_video import main; "
        f"child_command.PACKAGES = {str(stand_ins.parent)!r}; sys.exit(main())"
    )
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            code,
            str(clip),
            str(tmp_path / "out.mp4"),
            "--gatys",
            str(tmp_path / "waits.png"),
            *OPTIONS,
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    limit_s = time.monotonic() + END_TIMEOUT_S
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
        assert time.monotonic() < limit_s, "the painter did not start"
        time.sleep(0.05)
    child = int((tmp_path / "child").read_text())

    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=END_TIMEOUT_S)

    assert process.returncode == 143, errors
    assert errors.splitlines()[-1] == "stylize-video: stopped"
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert not list(tmp_path.glob("stylecast-*"))


@pytest.mark.parametrize(("numbers", "count"), [(range(60), 1 + 3), (range(3, 26), 1 + 2), (range(6, 26), 1)])
def test_one_key_frame_a_scene_and_for_every_two_seconds_is_asked_for(numbers: range, count: int) -> None:
    survey = ClipSurvey(tuple(Fraction(index, 10) for index in range(60)), Fraction(0), (0, 5))

    assert _suitable_count(survey, survey.scenes_in(numbers)) == count


def test_no_more_key_frames_than_frames_are_asked_for() -> None:
    survey = ClipSurvey(tuple(Fraction(5 * index) for index in range(5)), Fraction(0), (0,))

    assert _suitable_count(survey, survey.scenes_in(range(5))) == 5
