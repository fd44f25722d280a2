"""`stylize-export` publishes what it verified, with a card of what it measured, and nothing that failed."""

from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the export needs torch: pip install stylecast[train]")

from export import cli  # noqa: E402
from export import verify as verify_module  # noqa: E402
from export.cli import main  # noqa: E402
from export.style import export_style  # noqa: E402
from realtime.catalogue import load_catalogue, verify_style  # noqa: E402
from realtime.engine import open_engine  # noqa: E402
from tests.export.conftest import save_network  # noqa: E402
from tests.test_weights import CARD_FIELDS  # noqa: E402
from training.network import SlimNetwork  # noqa: E402
from training.run_folder import NETWORK_FILE  # noqa: E402

pytestmark = pytest.mark.usefixtures("quick_checks")


@pytest.fixture
def export(trained_run: Path, photographs: Path, vgg_file: Path) -> Callable[..., int]:
    words = [
        str(trained_run),
        "--photographs",
        str(photographs),
        "--pictures",
        str(photographs),
        "--vgg",
        str(vgg_file),
    ]
    return lambda *more: main([*words, *map(str, more)])


def test_published_style_has_a_complete_card_and_intact_files(export: Callable[..., int], tmp_path: Path) -> None:
    assert export("--publish", tmp_path / "weights", "--warping-error", "0.01") == 0

    style = load_catalogue(tmp_path / "weights")["dusk"]
    card = style.card
    verify_style(style)
    assert set(card) >= CARD_FIELDS
    assert card["recipe"] == "training/recipes/dusk.toml"
    assert card["training"] == {"data": f"13 photographs ({_name(card)})", "steps": 7, "minutes": 1.5, "vgg": "v"}
    assert [variant["precision"] for variant in card["variants"]] == ["int8"]
    assert all(variant["psnr_db"] >= 32 for variant in card["variants"])
    assert len(card["scores"]["photographs"]) == 2
    assert card["scores"]["warping_error"] == 0.01
    assert "cores of" in card["milliseconds"]["hardware"]
    assert card["milliseconds"]["int8"] == 1.5


def _name(card: dict[str, dict[str, str]]) -> str:
    return card["training"]["data"].split("(")[1].rstrip(")")


def test_data_is_described_as_it_was_given(export: Callable[..., int], tmp_path: Path) -> None:
    assert export("--publish", tmp_path, "--data", "my holidays") == 0

    assert load_catalogue(tmp_path)["dusk"].card["training"]["data"] == "my holidays"


def test_scored_are_the_photographs_of_the_list(export: Callable[..., int], tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("05.png\n", encoding="utf-8")

    assert export("--publish", tmp_path, "--scored-list", tmp_path / "list.txt") == 0

    assert load_catalogue(tmp_path)["dusk"].card["scores"]["photographs"] == ["05.png"]


def test_list_that_names_no_photograph_is_refused(
    export: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list.txt").write_text("other.png\n", encoding="utf-8")

    assert export("--publish", tmp_path / "weights", "--scored-list", tmp_path / "list.txt") == 1

    assert capsys.readouterr().err == "stylize-export: no photograph is called other.png\n"


def test_output_alone_writes_the_model(export: Callable[..., int], tmp_path: Path) -> None:
    assert export("--output", tmp_path / "my.onnx") == 0

    assert open_engine((tmp_path / "my.onnx").read_bytes(), device="cpu")
    assert not list(tmp_path.rglob("catalogue.json"))

    before = (tmp_path / "my.onnx").read_bytes()
    (tmp_path / "my.onnx").write_bytes(b"precious")
    assert export("--output", tmp_path / "my.onnx") == 1
    assert (tmp_path / "my.onnx").read_bytes() == b"precious"
    assert export("--output", tmp_path / "my.onnx", "--overwrite") == 0
    assert (tmp_path / "my.onnx").read_bytes() == before


def test_output_alone_needs_no_variants(
    export: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "export_style", export_style)
    monkeypatch.setitem(verify_module.PSNR_MIN_DB, "int8", 95.0)

    assert export("--output", tmp_path / "my.onnx") == 0


def test_style_that_fails_is_not_published_and_the_message_says_where(
    export: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "export_style", export_style)
    monkeypatch.setitem(verify_module.PSNR_MIN_DB, "int8", 95.0)

    assert export("--publish", tmp_path / "weights") == 1

    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "int8 file at 16x16: PSNR" in error
    assert "int8 must reach 95.0 dB" in error
    assert not (tmp_path / "weights").exists()


def test_network_of_one_video_is_not_published(
    network: SlimNetwork, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_network(network, tmp_path / NETWORK_FILE, kind="few-shot")

    words = [str(tmp_path), "--photographs", str(photographs), "--pictures", str(photographs), "--publish", "x"]
    assert main(words) == 1

    assert "styles of kind few-shot are not scored" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{run}", "--photographs", "{photographs}", "--publish", "x"], "--publish needs --pictures"),
        (["{run}", "--photographs", "nowhere"], "no pictures"),
        (["nowhere", "--photographs", "{photographs}"], "nowhere"),
    ],
)
def test_what_is_missing_is_one_line(
    words: list[str], message: str, trained_run: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word.format(run=trained_run, photographs=photographs) for word in words]) == 1

    error = capsys.readouterr().err
    assert error.startswith("stylize-export: ")
    assert message in error
    assert error.count("\n") == 1
