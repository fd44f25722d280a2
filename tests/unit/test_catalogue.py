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
    load_styles,
    read_model,
    resolve_style,
    user_styles_folder,
    verify_style,
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
    monkeypatch.setattr(load_catalogue, "__defaults__", (tmp_path,))
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
        {"schema": CATALOGUE_SCHEMA, "styles": [_card("../x")]},
        {"schema": CATALOGUE_SCHEMA, "styles": [_card("x") | {"file": "../x.onnx"}]},
        {"schema": CATALOGUE_SCHEMA, "styles": [_card("x") | {"file": "/etc/passwd"}]},
        {"schema": CATALOGUE_SCHEMA, "styles": [_card("x") | {"variants": [{"file": "a/b"}]}]},
        {"schema": CATALOGUE_SCHEMA, "styles": [_card("x") | {"variants": 7}]},
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


def _add_user_style(user_styles: Path, name: str, model: bytes = MODEL) -> None:
    user_styles.mkdir(parents=True, exist_ok=True)
    (user_styles / f"{name}.onnx").write_bytes(model)
    _write(user_styles, {"schema": CATALOGUE_SCHEMA, "styles": [_card(name)]})


@pytest.mark.usefixtures("folder")
class TestStylesOfTheUser:
    def test_are_found_by_name_after_the_shipped_ones(self, user_styles: Path) -> None:
        _add_user_style(user_styles, "dusk")

        style = resolve_style("dusk")

        assert list(load_styles()) == [*NAMES, "dusk"]
        assert (style.path, style.is_users, read_model(style)) == (user_styles / "dusk.onnx", True, MODEL)
        assert not resolve_style(NAMES[0]).is_users

    def test_are_offered_when_a_name_is_misspelt(self, user_styles: Path) -> None:
        _add_user_style(user_styles, "dusk")

        with pytest.raises(UsageError, match="did you mean dusk"):
            resolve_style("dust")

    def test_do_not_hide_a_shipped_style_and_it_is_said(
        self, user_styles: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        _add_user_style(user_styles, NAMES[0], b"another model")

        assert read_model(resolve_style(NAMES[0])) == MODEL
        assert f"your own style {NAMES[0]} is left out" in caplog.text

    @pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b'{"schema": 99, "styles": []}'])
    def test_that_cannot_be_listed_leave_the_shipped_ones_and_one_line_that_says_what_to_do(
        self, user_styles: Path, content: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        user_styles.mkdir()
        (user_styles / CATALOGUE_FILE).write_bytes(content)

        assert tuple(load_styles()) == NAMES
        (record,) = caplog.records
        assert record.levelname == "WARNING"
        assert f"repair {user_styles / CATALOGUE_FILE}, or move it away" in record.getMessage()

    def test_that_are_damaged_are_to_be_trained_again(self, user_styles: Path) -> None:
        _add_user_style(user_styles, "dusk", MODEL[:-1])

        with pytest.raises(
            StyleError, match=r"dusk are damaged.*train it again: stylize-train .* --name dusk --replace"
        ):
            read_model(resolve_style("dusk"))

    def test_need_no_folder(self) -> None:
        assert tuple(load_styles()) == NAMES

    def test_lie_in_the_users_data_folder_unless_the_environment_says_where(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("STYLECAST_STYLES", str(tmp_path))
        assert user_styles_folder() == tmp_path
        monkeypatch.delenv("STYLECAST_STYLES")
        monkeypatch.setattr(catalogue.platformdirs, "user_data_path", lambda *_, **__: Path("data"))
        assert user_styles_folder() == Path("data") / "styles"


@pytest.fixture
def style_with_int8(folder: Path) -> Path:
    """Return the file of the int8 variant of the style `wave`."""
    path = folder / "wave.int8.onnx"
    path.write_bytes(b"int8")
    (folder / "wave.onnx").write_bytes(MODEL)
    variant = {"precision": "int8", "file": path.name, "size_bytes": 4, "sha256": hashlib.sha256(b"int8").hexdigest()}
    _write(folder, {"schema": CATALOGUE_SCHEMA, "styles": [_card("wave") | {"variants": [variant]}]})
    return path


def test_variant_is_read_and_verified_like_the_style(style_with_int8: Path) -> None:
    style = resolve_style("wave")
    int8 = style.variant("int8")

    assert int8 is not None
    assert read_model(int8) == b"int8"
    assert style.variant("fp16") is None
    verify_style(style)


def test_damaged_variant_is_found(style_with_int8: Path) -> None:
    style_with_int8.write_bytes(b"INT8")

    with pytest.raises(StyleError, match=r"wave are damaged: .*wave\.int8\.onnx"):
        verify_style(resolve_style("wave"))
