"""`stylize styles`: the list for people, the cards for programs, and an error where weights are damaged."""

import hashlib
import io
import json
import signal
import sys
from pathlib import Path

import pytest

from realtime import catalogue as catalogue_module
from realtime.catalogue import is_any_style, load_catalogue
from realtime.cli import main
from realtime.command import Interrupts, run_command
from tests.models import identity_model

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def test_every_style_is_a_line_with_its_name_title_and_artist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["styles"]) == 0

    styles = load_catalogue()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(styles)
    for line, style in zip(lines, styles.values(), strict=True):
        if is_any_style(style):
            assert f"  {style.title}: paints after --style PICTURE, adain" in line
        elif style.card["kind"] == "cyclegan":
            assert f"  {style.title}: cyclegan, cycle PSNR " in line
        else:
            assert (
                f"  {style.title} ({style.card['artist']}, {style.card['year']}): feed-forward, style loss 0." in line
            )
        assert "your own" not in line


@pytest.mark.usefixtures("any_style_catalogue")
def test_any_style_model_says_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["styles"]) == 0

    assert "Colours of any picture: paints after --style PICTURE, adain" in capsys.readouterr().out.splitlines()[1]


def test_damaged_encoder_is_one_line(any_style_catalogue: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (any_style_catalogue / "encoder.onnx").write_bytes(b"cut off")

    assert main(["styles"]) == 1

    assert "the weights of style colours (encoder) are damaged" in capsys.readouterr().err


def test_titles_stand_below_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    main(["styles"])

    styles = load_catalogue().values()
    columns = {
        line.index(style.title, len(style.name))
        for line, style in zip(capsys.readouterr().out.splitlines(), styles, strict=True)
    }
    assert len(columns) == 1


def test_json_gives_the_cards_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["styles", "--json"]) == 0

    assert json.loads(capsys.readouterr().out) == [style.card for style in load_catalogue().values()]


@pytest.mark.parametrize("arguments", [["styles"], ["styles", "--json"]], ids=["text", "json"])
def test_damaged_weights_are_one_line_and_no_list(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    card = {"name": "wave", "title": "Wave", "artist": "H", "year": 1831, "file": "wave.onnx"}
    content = identity_model()
    (tmp_path / "wave.onnx").write_bytes(content)
    card |= {"sha256": "0" * 64, "size_bytes": len(content)}
    (tmp_path / "catalogue.json").write_text(json.dumps({"schema": 1, "styles": [card]}), encoding="utf-8")
    monkeypatch.setattr(catalogue_module.load_catalogue, "__defaults__", (tmp_path,))

    assert main(arguments) == 1

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "stylize: the weights of style wave are damaged" in captured.err


def _train_user_style(folder: Path, *, intact: bool, **changes: object) -> dict[str, object]:
    content = identity_model()
    digest = hashlib.sha256(content if intact else b"").hexdigest()
    card: dict[str, object] = {"name": "dusk", "title": "Dusk", "kind": "feed-forward", "artist": "", "year": ""}
    card |= {"file": "dusk.onnx", "sha256": digest, "size_bytes": len(content), "scores": {"style_loss": 0.25}}
    card |= changes
    folder.mkdir()
    (folder / "dusk.onnx").write_bytes(content)
    (folder / "catalogue.json").write_text(json.dumps({"schema": 1, "styles": [card]}), encoding="utf-8")
    return card


def test_own_styles_are_listed_last_with_kind_and_figures(
    user_styles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = _train_user_style(user_styles, intact=True)

    assert main(["styles"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("dusk ")
    assert last.endswith("  Dusk: your own, feed-forward, style loss 0.250, 0.0 MB")

    assert main(["styles", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[-1] == card


def test_style_of_every_kind_is_listed_with_the_figures_of_its_kind(
    user_styles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = {"cycle_psnr_photographs_db": 26.54, "cycle_psnr_paintings_db": 25.0, "share_nearer": 1.0}
    scores |= {"gram_distance": 0.307, "gram_distance_of_photographs": 0.5}
    _train_user_style(user_styles, intact=True, kind="cyclegan", scores=scores)

    assert main(["styles"]) == 0
    lines = capsys.readouterr().out.splitlines()

    assert lines[-1].endswith(
        "your own, cyclegan, cycle PSNR 26.5 dB from photographs, 25.0 dB from paintings, "
        "Gram distance 0.31, 0.50 before, 0.0 MB"
    )
    for kind in ("feed-forward", "adain"):
        assert any(f" {kind}, style loss 0." in line for line in lines)


def test_own_style_that_is_damaged_is_an_error_after_the_list_of_the_others(
    user_styles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _train_user_style(user_styles, intact=False)

    assert main(["styles"]) == 1
    captured = capsys.readouterr()
    assert [line.split()[0] for line in captured.out.splitlines()] == list(load_catalogue())
    assert "the weights of style dusk are damaged" in captured.err
    assert "train it again" in captured.err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "out of memory"),
        (RuntimeError("can't start new thread"), "no more threads"),
        (KeyError("x"), "KeyError"),
    ],
)
def test_every_fault_is_one_line(error: Exception, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: Interrupts) -> int:
        raise error

    assert run_command("stylize", fail) == 1
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert words in text


def test_interrupt_is_raised_once_and_remembered_where_it_is_swallowed(capsys: pytest.CaptureFixture[str]) -> None:
    raised = []

    def work(interrupts: Interrupts) -> int:
        interrupts.check()
        for _ in range(3):
            try:
                interrupts.receive(signal.SIGTERM, None)
            except KeyboardInterrupt as interrupt:
                raised.append(interrupt)
        raise ImportError("numpy failed to import")

    handlers = [signal.getsignal(number) for number in SIGNALS]
    try:
        code = run_command("stylize", work)
    finally:
        for number, handler in zip(SIGNALS, handlers, strict=True):
            signal.signal(number, handler)

    assert (code, len(raised)) == (143, 1)
    assert capsys.readouterr().err == "stylize: stopped\n"


@pytest.mark.parametrize("arguments", [[], ["no-such-verb"], ["styles", "--no-such-option"]])
def test_wrong_usage_ends_with_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)

    assert exit_.value.code == 2


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])

    assert exit_.value.code == 0
    assert capsys.readouterr().out.startswith("stylecast ")


def test_letters_that_standard_output_does_not_have_are_written_by_their_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on Windows, where a file that output goes to has the letters of one language."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1251"))

    assert main(["styles"]) == 0

    sys.stdout.flush()
    assert rb"Fernand L\xe9ger" in written.getvalue()
