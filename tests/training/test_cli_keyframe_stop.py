"""`stylize-keyframe` interrupted: nothing is lost, and the same command goes on."""

import json
import signal
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from tests.training.keyframe_command import Run  # noqa: E402
from training.keyframe import Keyframe  # noqa: E402

pytestmark = [
    pytest.mark.usefixtures("_restored_signals"),
    pytest.mark.skipif(
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
        reason="interrupts are ignored, as in a job in the background",
    ),
]


@pytest.fixture
def _restored_signals() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _interrupt() -> None:
    """Call the handler as Ctrl-C would. A real signal crashes a process in which OpenVINO has ended a thread."""
    handler = signal.getsignal(signal.SIGINT)
    assert callable(handler)
    handler(signal.SIGINT, None)


def test_ctrl_c_saves_the_best_so_far_and_the_same_command_goes_on(
    run_keyframe: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_keyframe("-o", tmp_path / "whole.png", "--iterations", "6") == 0
    whole_run = Keyframe.run

    def interrupted(keyframe: Keyframe) -> Iterator[Any]:
        yield from islice(whole_run(keyframe), 3)
        _interrupt()
        yield from islice(whole_run(keyframe), 1)

    with monkeypatch.context() as patch:
        patch.setattr(Keyframe, "run", interrupted)
        state = ("--resume", tmp_path / "state.pt", "--iterations", "6")
        assert run_keyframe(*state) == 130
    assert "stopped" in capsys.readouterr().err
    assert (tmp_path / "out.png").is_file()

    assert run_keyframe(*state) == 0

    assert (tmp_path / "out.png").read_bytes() == (tmp_path / "whole.png").read_bytes()


def test_a_stopped_series_goes_on_where_it_was(
    run_keyframe: Run, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = ("--auto", "2", "--iterations", "4", "--report", tmp_path / "report.json", "--overwrite")
    assert run_keyframe(*series, "-o", tmp_path / "whole", content=clip) == 0
    whole_run = Keyframe.run
    runs = []

    def interrupted(keyframe: Keyframe) -> Iterator[Any]:
        runs.append(keyframe)
        for count, step in enumerate(whole_run(keyframe)):
            yield step
            if len(runs) == 2 and count == 1:
                _interrupt()

    with monkeypatch.context() as patch:
        patch.setattr(Keyframe, "run", interrupted)
        state = ("--resume", tmp_path / "state.pt", "-o", tmp_path / "keys")
        assert run_keyframe(*series, *state, content=clip) == 130
    assert len(list((tmp_path / "keys").glob("*.png"))) == 1, "an unfinished picture would pass for a finished one"

    assert run_keyframe(*series, *state, content=clip) == 0

    whole, resumed = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()} for folder in ("whole", "keys")
    )
    assert resumed == whole
    report = tmp_path / "report.json"
    reported = json.loads(report.read_text(encoding="utf-8"))["keyframes"]
    assert [f"{each['frame']:06}.png" for each in reported] == sorted(name for name in whole if name.endswith(".png"))
    assert all("losses" in each for each in reported)
    assert not list(tmp_path.glob("state*.pt"))

    report.unlink()
    assert run_keyframe(*series, *state, content=clip) == 0
    frames = [{"frame": each["frame"]} for each in reported]
    assert json.loads(report.read_text(encoding="utf-8"))["keyframes"] == frames, "nothing is left but their numbers"


def test_pictures_of_before_do_not_pass_for_those_that_are_painted_anew(
    run_keyframe: Run, clip: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    series, other = ("--frames", "3,15", "-o", tmp_path / "keys"), (pictures / "2.png",)
    assert run_keyframe("--frames", "3,15", "-o", tmp_path / "whole", content=clip, styles=other) == 0
    assert run_keyframe(*series, content=clip) == 0
    whole_run = Keyframe.run

    def interrupted(keyframe: Keyframe) -> Iterator[Any]:
        yield next(iter(whole_run(keyframe)))
        _interrupt()
        yield from islice(whole_run(keyframe), 1)

    with monkeypatch.context() as patch:
        patch.setattr(Keyframe, "run", interrupted)
        assert run_keyframe(*series, "--overwrite", content=clip, styles=other) == 130

    assert run_keyframe(*series, "--resume", tmp_path / "state.pt", content=clip, styles=other) == 0
    for name in ("000003.png", "000015.png"):
        assert (tmp_path / "keys" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_series_that_begins_overwrites_no_report_of_something_else(
    run_keyframe: Run, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "report.json").write_text("mine")
    series = ("--frames", "3", "-o", tmp_path / "keys", "--resume", tmp_path / "state.pt")

    assert run_keyframe(*series, "--report", tmp_path / "report.json", content=clip) == 2

    assert "report.json; add --overwrite" in capsys.readouterr().err
    assert (tmp_path / "report.json").read_text() == "mine"


def test_a_run_that_goes_on_overwrites_no_files_of_others(
    run_keyframe: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = ("--resume", tmp_path / "state.pt")
    assert run_keyframe(*state, "-o", tmp_path / "own.png", "--report", tmp_path / "own.json") == 0
    for name in ("other.png", "other.json"):
        (tmp_path / name).write_text("mine")
    capsys.readouterr()

    more = (*state, "--iterations", "3")
    assert run_keyframe(*more, "-o", tmp_path / "other.png") == 2
    assert "other.png exists, and --resume" in capsys.readouterr().err
    assert run_keyframe(*more, "-o", tmp_path / "own.png", "--report", tmp_path / "other.json") == 2
    assert [(tmp_path / name).read_text() for name in ("other.png", "other.json")] == ["mine"] * 2

    assert run_keyframe(*more, "-o", tmp_path / "own.png", "--report", tmp_path / "own.json") == 0
    assert run_keyframe(*more, "-o", tmp_path / "other.png", "--overwrite") == 0


def test_a_series_that_goes_on_overwrites_no_report_of_something_else(
    run_keyframe: Run, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    series = ("--frames", "3", "-o", tmp_path / "keys", "--resume", tmp_path / "state.pt")
    assert run_keyframe(*series, "--report", tmp_path / "own.json", content=clip) == 0
    (tmp_path / "other.json").write_text("mine")
    capsys.readouterr()

    assert run_keyframe(*series, "--report", tmp_path / "other.json", content=clip) == 2

    assert "does not tell that it is its report" in capsys.readouterr().err
    assert (tmp_path / "other.json").read_text() == "mine"
    assert run_keyframe(*series, content=clip) == 0
    assert run_keyframe(*series, "--report", tmp_path / "own.json", content=clip) == 0


def test_a_series_that_cannot_begin_leaves_the_pictures_of_before(
    run_keyframe: Run, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    series = ("--frames", "3", "-o", tmp_path / "keys")
    assert run_keyframe(*series, content=clip) == 0
    painted = (tmp_path / "keys" / "000003.png").read_bytes()
    Image.new("L", (50, 10), 255).save(tmp_path / "mask.png")
    capsys.readouterr()

    assert run_keyframe(*series, "--overwrite", "--mask", tmp_path / "mask.png", content=clip) == 2

    assert "proportions" in capsys.readouterr().err
    assert (tmp_path / "keys" / "000003.png").read_bytes() == painted


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (("--iterations", "3"), "painted with other values of: iterations;"),
        (("--start", "content"), "painted with other values of: start;"),
        (("--frames", "3,15,21"), "painted with other values of: frames;"),
        (("--frames", "3,16"), "000015.png is none of the frames 3, 16"),
    ],
)
def test_a_series_does_not_go_on_with_pictures_of_another_one(
    run_keyframe: Run,
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changed: tuple[str, ...],
    told: str,
) -> None:
    series = ("--frames", "3,15", "--resume", tmp_path / "state.pt", "-o", tmp_path / "keys")
    assert run_keyframe(*series, content=clip) == 0
    painted = (tmp_path / "keys" / "000015.png").read_bytes()
    capsys.readouterr()

    assert run_keyframe(*series, *changed, content=clip) == 2

    assert told in capsys.readouterr().err
    assert (tmp_path / "keys" / "000015.png").read_bytes() == painted
    assert not (tmp_path / "keys" / "000021.png").exists()


def test_a_series_does_not_go_on_with_another_painting_or_without_a_record(
    run_keyframe: Run, clip: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    series = ("--frames", "3,15", "--resume", tmp_path / "state.pt", "-o", tmp_path / "keys")
    assert run_keyframe(*series, content=clip) == 0

    assert run_keyframe(*series, content=clip, styles=(pictures / "2.png",)) == 2
    assert "painted with other values of: style;" in capsys.readouterr().err

    (tmp_path / "keys" / "series.json").unlink()
    assert run_keyframe(*series, content=clip) == 2
    assert "no series.json that tells how they were painted" in capsys.readouterr().err
