"""The catalogue of styles: nothing runs that is missing, damaged or too large, and the message says what to do."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from realtime import catalogue
from realtime.catalogue import (
    CATALOGUE_FILE,
    CATALOGUE_SCHEMA,
    Style,
    encoder_of,
    load_catalogue,
    read_model,
    resolve_style,
)
from realtime.errors import StyleError, UsageError

MODEL = b"the weights of a style"
NAMES = ("great-wave", "starry-night")


def _card(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": name.title(),
        "file": f"{name}.onnx",
        "sha256": hashlib.sha256(MODEL).hexdigest(),
        "size_bytes": len(MODEL),
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in NAMES:
        (tmp_path / f"{name}.onnx").write_bytes(MODEL)
    _write(tmp_path, {"schema": CATALOGUE_SCHEMA, "styles": [_card(name) for name in NAMES]})
    monkeypatch.setattr(catalogue, "load_catalogue", lambda: load_catalogue(tmp_path))
    return tmp_path


def _write(folder: Path, content: object) -> None:
    (folder / CATALOGUE_FILE).write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("name", load_catalogue())
def test_shipped_style_is_intact(name: str) -> None:
    assert read_model(load_catalogue()[name])


def test_styles_are_listed_in_their_order_with_their_cards(folder: Path) -> None:
    styles = load_catalogue(folder)

    assert tuple(styles) == NAMES
    assert styles["great-wave"].card == _card("great-wave")
    assert styles["great-wave"].path == folder / "great-wave.onnx"


def test_model_that_matches_its_card_is_read(folder: Path) -> None:
    assert read_model(resolve_style("starry-night")) == MODEL


@pytest.mark.parametrize(
    "damaged", [MODEL[:-1], MODEL + b"x", b"", MODEL[:-1] + b"X"], ids=["cut", "long", "empty", "flip"]
)
def test_damaged_model_is_refused(folder: Path, damaged: bytes) -> None:
    (folder / "starry-night.onnx").write_bytes(damaged)

    with pytest.raises(StyleError, match=r"starry-night are damaged.*reinstall stylecast"):
        read_model(resolve_style("starry-night"))


def test_missing_model_is_named(folder: Path) -> None:
    (folder / "starry-night.onnx").unlink()

    with pytest.raises(StyleError, match=r"starry-night cannot be read: .*starry-night\.onnx.*reinstall stylecast"):
        read_model(resolve_style("starry-night"))


def test_model_above_the_limit_is_not_read_into_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "MODEL_BYTES_MAX", len(MODEL) - 1)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read"))

    with pytest.raises(StyleError, match=f"has {len(MODEL)} bytes, more than the {len(MODEL) - 1}"):
        read_model(resolve_style("starry-night"))


@pytest.mark.parametrize("suffix", [".onnx", ".ONNX"])
def test_file_of_the_user_is_a_style_without_card(folder: Path, suffix: str) -> None:
    path = folder / f"My style{suffix}"
    path.write_bytes(b"anything")

    style = resolve_style(str(path))

    assert (style.name, style.card, style.sha256) == ("My style", {}, None)
    assert read_model(style) == b"anything"


def test_style_file_that_is_missing_is_named(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"style file not found: .*nowhere\.onnx"):
        resolve_style(str(folder / "nowhere.onnx"))


@pytest.mark.parametrize(("typed", "meant"), [("stary-night", "starry-night"), ("wave", "great-wave")])
def test_misspelt_name_is_answered_with_the_closest(folder: Path, typed: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"no style is called '{typed}'; did you mean {meant}"):
        resolve_style(typed)


@pytest.mark.parametrize("typed", ["zzz", "", "x" * 5000, "nul\0byte", "folder/name"])
def test_name_like_no_other_is_answered_with_the_list(folder: Path, typed: str) -> None:
    with pytest.raises(UsageError, match="there are: great-wave, starry-night"):
        resolve_style(typed)


def test_picture_as_style_is_answered_with_what_there_is(folder: Path) -> None:
    picture = folder / "picture.jpg"
    picture.write_bytes(b"\xff\xd8")

    with pytest.raises(
        UsageError, match=r"pictures as styles need an any-style model.*great-wave, starry-night.*\.onnx"
    ):
        resolve_style(str(picture))


def test_picture_that_is_missing_is_no_name(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"no style is called 'no\.jpg', and there is no such file"):
        resolve_style("no.jpg")


@pytest.mark.parametrize("encoder", [None, {}, {"file": "x.onnx"}, "x.onnx"])
def test_any_style_card_without_encoder_is_refused(encoder: object, folder: Path) -> None:
    model = Style("any", "Any", folder / "any.onnx", None, None, {"kind": "adain", "encoder": encoder})

    with pytest.raises(StyleError, match=r"the card of any names no encoder.*reinstall stylecast"):
        encoder_of(model)


@pytest.mark.parametrize("schema", [0, CATALOGUE_SCHEMA + 1, "1", None])
def test_catalogue_of_another_schema_is_refused(folder: Path, schema: object) -> None:
    _write(folder, {"schema": schema, "styles": []})

    with pytest.raises(StyleError, match=f"has schema {schema} but must have {CATALOGUE_SCHEMA}"):
        load_catalogue(folder)


@pytest.mark.parametrize(
    "content",
    [
        [],
        7,
        {"styles": []},
        {"schema": CATALOGUE_SCHEMA},
        {"schema": CATALOGUE_SCHEMA, "styles": [7]},
        {"schema": CATALOGUE_SCHEMA, "styles": [{"name": "no title"}]},
        {"schema": CATALOGUE_SCHEMA, "styles": [_card("x") | {"name": []}]},
    ],
)
def test_catalogue_of_another_form_is_refused(folder: Path, content: object) -> None:
    _write(folder, content)

    with pytest.raises(StyleError, match=r"catalogue\.json cannot be read.*reinstall stylecast"):
        load_catalogue(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00"])
def test_catalogue_that_is_no_json_is_refused(folder: Path, content: bytes) -> None:
    (folder / CATALOGUE_FILE).write_bytes(content)

    with pytest.raises(StyleError, match=r"catalogue\.json cannot be read"):
        load_catalogue(folder)


def test_catalogue_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(StyleError, match=r"catalogue\.json cannot be read"):
        load_catalogue(tmp_path)
