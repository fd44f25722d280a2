"""From a picture to a style of the user's own with one command; what cannot work is said before the training."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the export needs torch: pip install stylecast[train]")

from export import cli_train  # noqa: E402
from export import verify as verify_module  # noqa: E402
from export.cli_train import HELD_OUT_FILE, main  # noqa: E402
from export.style import export_style  # noqa: E402
from export.verify import ParityError  # noqa: E402
from realtime.catalogue import load_styles, resolve_style, verify_style  # noqa: E402
from realtime.settings import DEFAULT_STYLE  # noqa: E402
from tests.export.conftest import save_network  # noqa: E402
from training.network import SlimNetwork  # noqa: E402
from training.photograph import list_pictures, without_excluded  # noqa: E402
from training.recipe import FeedForwardRecipe  # noqa: E402
from training.run_folder import CHECKPOINT_FILE, NETWORK_FILE  # noqa: E402

pytestmark = pytest.mark.usefixtures("quick_checks")


class FakeTraining:
    """Stands in for `train`: notes what it was given and leaves an untrained network."""

    def __init__(self, network: SlimNetwork) -> None:
        self._network = network
        self.recipes: list[FeedForwardRecipe] = []
        self.given: dict[str, Any] = {}

    def __call__(self, recipe: FeedForwardRecipe, *, run_folder: Path, **given: Any) -> Path:
        self.recipes.append(recipe)
        self.given = given
        save_network(self._network, run_folder / NETWORK_FILE, name=recipe.name, picture=recipe.picture, artist="")
        (run_folder / CHECKPOINT_FILE).touch()
        return run_folder / NETWORK_FILE


def _scores(_: bytes, *, photographs: dict[Path, object], **__: object) -> dict[str, Any]:
    return {"style_loss": 0.1, "content_loss": 0.5, "photographs": [path.name for path in photographs]}


@pytest.fixture
def training(network: SlimNetwork, monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    fake = FakeTraining(network)
    monkeypatch.setattr(cli_train, "train", fake)
    monkeypatch.setattr(cli_train, "perceptual_scores", _scores)  # seconds of VGG19; test_cli.py has the real ones
    return fake


@pytest.fixture
def make(training: FakeTraining, photographs: Path, vgg_file: Path, tmp_path: Path) -> Callable[..., int]:
    words = [str(photographs / "00.png"), "--photographs", str(photographs), "--vgg", str(vgg_file)]
    return lambda *more: main([*words, "--run", str(tmp_path / "run"), *more])


def test_picture_becomes_a_style_that_can_be_used(
    make: Callable[..., int], training: FakeTraining, user_styles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make("--name", "dusk-2", "--minutes", "30") == 0

    style = resolve_style("dusk-2")
    verify_style(style)
    assert style.is_users
    assert style.path.parent == user_styles
    assert style.card["recipe"]["picture"] == "00.png"
    assert style.card["scores"]["held_out"] is False
    assert style.card["training"]["data"].startswith("13 photographs")
    assert {variant["precision"] for variant in style.card["variants"]} == {"int8"}
    assert capsys.readouterr().out.splitlines()[-1] == "use it: stylize-video in.mp4 out.mp4 --style dusk-2"
    assert training.recipes[0].initial == f"shipped:{DEFAULT_STYLE}"
    assert training.recipes[0].title == "Dusk 2"
    assert training.given["minutes"] == 30


def test_photographs_to_score_on_are_held_out_where_there_are_enough(
    make: Callable[..., int], training: FakeTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_train, "PHOTOGRAPHS_FEW", 10)

    assert make("--name", "dusk") == 0

    card = resolve_style("dusk").card
    held_out = (tmp_path / "run" / HELD_OUT_FILE).read_text(encoding="utf-8").splitlines()
    assert training.given["excluded"] == tmp_path / "run" / HELD_OUT_FILE
    assert [Path(line).name for line in held_out] == card["scores"]["photographs"]
    assert card["training"]["data"].startswith("11 photographs")
    assert card["scores"]["held_out"] is True


def test_finished_style_leaves_no_checkpoint_that_a_replacement_would_continue(
    make: Callable[..., int], tmp_path: Path
) -> None:
    make("--name", "dusk")

    assert not (tmp_path / "run" / CHECKPOINT_FILE).exists()


def test_namesakes_in_other_folders_are_photographs_of_their_own(
    make: Callable[..., int], training: FakeTraining, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_train, "PHOTOGRAPHS_FEW", 10)
    for folder in "abcdef":
        (tmp_path / "many" / folder).mkdir(parents=True)
        for name in ("01.png", "02.png"):
            shutil.copy(photographs / name, tmp_path / "many" / folder / name)

    assert make("--name", "dusk", "--photographs", str(tmp_path / "many")) == 0

    held_out = (tmp_path / "run" / HELD_OUT_FILE).read_text(encoding="utf-8").splitlines()
    left = without_excluded(list_pictures(tmp_path / "many"), tmp_path / "run" / HELD_OUT_FILE)
    assert len(set(held_out)) == 2
    assert len(left) == 10


@pytest.mark.skipif(os.name == "nt", reason="such names are not on Windows")
def test_a_name_that_is_no_utf8_is_no_obstacle(
    make: Callable[..., int], photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_train, "PHOTOGRAPHS_FEW", 2)
    (tmp_path / "old").mkdir()
    for number in range(4):
        shutil.copy(photographs / "01.png", os.fsencode(tmp_path / "old") + b"/caf\xe9%d.png" % number)

    assert make("--name", "dusk", "--photographs", str(tmp_path / "old")) == 0

    assert resolve_style("dusk").card["scores"]["photographs"][0].startswith("caf?")


def test_a_folder_of_styles_that_cannot_be_written_to_is_told_before_the_training(
    make: Callable[..., int],
    training: FakeTraining,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("STYLECAST_STYLES", "/dev/null/styles")

    assert make("--name", "dusk") == 1

    assert "/dev/null/styles" in capsys.readouterr().err
    assert not training.recipes


def test_a_style_is_kept_without_the_variant_that_is_too_far_off(
    make: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli_train, "export_style", export_style)
    monkeypatch.setitem(verify_module.PSNR_MIN_DB, "int8", 95.0)

    assert make("--name", "dusk") == 0

    assert "note: without a file in int8" in capsys.readouterr().out
    assert "variants" not in resolve_style("dusk").card


def test_own_style_is_replaced_only_when_asked_to(
    make: Callable[..., int], training: FakeTraining, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make("--name", "dusk") == 0

    assert make("--name", "dusk") == 1
    assert "you have a style dusk already; give --replace" in capsys.readouterr().err
    assert len(training.recipes) == 1

    assert make("--name", "dusk", "--replace", "--title", "Another") == 0
    assert len(training.recipes) == 2


@pytest.mark.parametrize("start", ["none", "dusk"])
def test_start_is_none_or_a_style_of_the_users_own(
    make: Callable[..., int], training: FakeTraining, user_styles: Path, start: str
) -> None:
    make("--name", "dusk")

    assert make("--name", "dawn", "--start", start) == 0

    assert training.recipes[1].initial == ("" if start == "none" else str(user_styles / "dusk.onnx"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--name", DEFAULT_STYLE), "is a shipped style; choose another name"),
        (("--name", "../dusk"), "cannot name a style"),
        (("--name", "dusk", "--start", "starry-nigt"), f"did you mean {DEFAULT_STYLE}"),
        (("--name", "dusk", "--backbone", "small", "--vgg", "typo.safetensors"), "no file --vgg typo.safetensors"),
    ],
)
def test_what_cannot_work_is_said_before_the_training(
    make: Callable[..., int],
    training: FakeTraining,
    words: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert make(*words) == 1

    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not training.recipes


def test_without_photographs_the_message_says_what_folder_and_how_many(
    photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(photographs / "00.png"), "--name", "dusk"]) == 1

    assert "--photographs DIR is missing: a folder of about 2,000 photographs" in capsys.readouterr().err


def test_file_that_is_no_picture_is_named(photographs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(photographs / "broken.png"), "--name", "dusk", "--photographs", str(photographs)]

    assert main(words) == 1

    assert "broken.png" in capsys.readouterr().err


def test_style_that_fails_is_not_published(make: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ParityError("int8 is too far off")

    monkeypatch.setattr(cli_train, "export_style", fail)

    assert make("--name", "dusk") == 1

    assert "dusk" not in load_styles()


def test_recipe_goes_to_the_training_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr(cli_train, "train_recipe", lambda words: given.append(words) or 7)
    words = ["training/recipes/starry-night.toml", "--photographs", "x"]

    assert main(words) == 7
    assert given == [words]
