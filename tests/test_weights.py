"""The shipped styles: complete cards, files that match them, and pictures that are really stylised on every engine."""

import re
import tomllib
from contextlib import closing
from functools import cache
from pathlib import Path
from unittest.mock import patch

import av
import numpy as np
import pytest

from realtime.catalogue import (
    WEIGHTS_FOLDER,
    Style,
    any_style_model,
    files_of,
    is_any_style,
    load_catalogue,
    read_model,
)
from realtime.engine import open_engine
from realtime.loaded_style import load_style, open_encoder
from realtime.settings import DEFAULT_STYLE
from realtime.style_choice import StyleChoice
from realtime.style_code import as_encoded, encode_picture
from realtime.style_fit import open_fitter
from realtime.stylizer import Stylizer

ROOT = Path(__file__).parent.parent
MODEL_BYTES_MAX = 2_500_000
FOLDER_BYTES_MAX = 30_000_000
STYLES_MIN = 10
# Mean change in grey levels that no style stays under: the shipped ones change a gradient by 30 and more.
CHANGE_MIN_LEVELS = 15.0
# int8 against float32, as `stylize-export` demands.
VARIANT_MIN_PSNR_DB = 32.0
# bf16 against float32: 38 dB PSNR is 3.2 grey levels.
ENGINE_DIFFERENCE_MAX_LEVELS = 3.2
CARD_FIELDS = {
    "name", "title", "kind", "licence", "recipe", "commit", "training", "opset", "parity", "scores", "file",
    "size_bytes", "sha256",
}  # fmt: skip
PAINTING_FIELDS = {"artist", "artist_died", "year", "picture"}
# An any-style picture at a strength of 0.1 stays above this against the photograph.
LITTLE_STRENGTH_MIN_PSNR_DB = 24.0

STYLES = list(load_catalogue().values())
PAINTED_AFTER_ONE = [style for style in STYLES if style.card["kind"] == "feed-forward"]
WITH_VARIANTS = [style for style in STYLES if not is_any_style(style)]


def _gradient(width: int, height: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.dstack((x, y, (x + y) / 2)).astype(np.uint8)


def _sample_frame() -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    with av.open(str(ROOT / "samples" / "coast.mp4")) as container:
        frame = next(container.decode(video=0))
        return frame.to_ndarray(format="rgb24", width=640, height=360)


def _stylizer(style: Style, engine_name: str) -> Stylizer:
    return _any_stylizer(engine_name) if is_any_style(style) else _loaded(StyleChoice(style), engine_name)


@cache
def _any_stylizer(engine_name: str) -> Stylizer:
    """Return the any-style model, painting after the thumbnail of the default style."""
    thumbnail = WEIGHTS_FOLDER / "thumbnails" / f"{DEFAULT_STYLE}.jpg"
    with patch("realtime.style_fit.STEPS", 1):  # all of them take seconds
        return _loaded(StyleChoice(_any_style(), (thumbnail,), (1.0,)), engine_name)


def _loaded(choice: StyleChoice, engine_name: str) -> Stylizer:
    return load_style(choice, engine=engine_name, device="cpu", precision="fp32").stylizer(size_px=None, shifts=1)


def test_there_are_enough_styles_and_the_default_is_one_of_them() -> None:
    assert len(PAINTED_AFTER_ONE) >= STYLES_MIN
    assert DEFAULT_STYLE in load_catalogue()


def test_every_picture_that_was_learned_from_is_named() -> None:
    notice = (WEIGHTS_FOLDER.parent / "NOTICE").read_text(encoding="utf-8")

    for name, style in load_catalogue().items():
        assert name in notice
        assert style.card.get("artist", "") in notice


def test_all_weights_together_stay_small() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS_FOLDER.rglob("*") if path.is_file()) <= FOLDER_BYTES_MAX


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
class TestShippedStyle:
    def test_its_card_is_complete(self, style: Style) -> None:
        assert set(style.card) >= CARD_FIELDS
        assert len(read_model(style)) <= MODEL_BYTES_MAX
        assert (WEIGHTS_FOLDER / "thumbnails" / f"{style.name}.jpg").is_file()

    def test_its_card_names_the_recipe_and_agrees_with_it(self, style: Style) -> None:
        recipe = tomllib.loads((ROOT / style.card["recipe"]).read_text(encoding="utf-8"))

        for key in ("name", "title", "artist", "artist_died", "year", "picture"):
            assert str(recipe.get(key)) == str(style.card.get(key))

    @pytest.mark.parametrize("engine_name", ["onnxruntime", "openvino"])
    @pytest.mark.parametrize("size", [(16, 16), (17, 31), (160, 90)])
    def test_it_stylises_any_size(self, style: Style, engine_name: str, size: tuple[int, int]) -> None:
        picture = _gradient(*size)

        stylized = _stylizer(style, engine_name).stylize(picture).stylized

        assert stylized.shape == picture.shape
        assert np.abs(stylized.astype(int) - picture).mean() > CHANGE_MIN_LEVELS

    def test_the_engines_agree(self, style: Style) -> None:
        picture = _sample_frame()

        one, other = (_stylizer(style, name).stylize(picture).stylized for name in ("onnxruntime", "openvino"))

        assert np.sqrt(np.square(one.astype(float) - other).mean()) < ENGINE_DIFFERENCE_MAX_LEVELS


@pytest.mark.parametrize("style", PAINTED_AFTER_ONE, ids=lambda style: style.name)
class TestStyleOfAPainting:
    def test_its_painter_is_named_and_died_more_than_70_years_ago(self, style: Style) -> None:
        assert set(style.card) >= PAINTING_FIELDS
        # Anonymous works of antiquity have no year of death.
        died = re.search(r"\d{3,4}", style.card["artist_died"])
        assert style.card["artist_died"] == "antiquity" or (died and int(died.group()) < 2026 - 70)


@pytest.mark.parametrize("style", WITH_VARIANTS, ids=lambda style: style.name)
class TestStyleWithVariants:
    def test_its_speed_was_measured(self, style: Style) -> None:
        assert len(style.card["milliseconds"]) > 2  # size, hardware and engines

    def test_its_variants_make_the_same_picture(self, style: Style) -> None:
        picture = _sample_frame()
        whole = _stylizer(style, "onnxruntime").stylize(picture).stylized

        for listed in style.card["variants"]:
            variant = style.variant(listed["precision"])
            assert variant is not None
            made = Stylizer(open_engine(read_model(variant), engine="onnxruntime", device="cpu")).stylize(picture)
            assert _psnr_db(made.stylized, whole) > VARIANT_MIN_PSNR_DB


class TestAnyStyleModel:
    def test_all_its_files_are_small(self) -> None:
        assert max(listed["size_bytes"] for listed in files_of(_any_style().card)) <= MODEL_BYTES_MAX

    def test_fitted_code_is_another_near_the_encoder_s(self) -> None:
        model, picture = _any_style(), _sample_frame()
        with closing(open_encoder(model)) as encoder:
            code = encode_picture(encoder, picture)
        fitter = open_fitter(model)
        assert fitter is not None

        fitted = fitter.fit(code, picture)

        target = fitter.target(as_encoded(picture))
        before, after = (
            np.linalg.norm(fitter.gradient(made.statistics, target) * code.statistics[:, 1:]) for made in (code, fitted)
        )
        assert 0 < after < before

    def test_no_strength_is_the_photograph_and_little_is_near_it(self) -> None:
        picture, stylizer = _sample_frame(), _stylizer(_any_style(), "onnxruntime")

        none, little, whole = (stylizer.stylize(picture, strength=strength).stylized for strength in (0, 0.1, 1))

        assert np.array_equal(none, picture)
        assert _psnr_db(little, picture) > max(_psnr_db(whole, picture), LITTLE_STRENGTH_MIN_PSNR_DB)


def _any_style() -> Style:
    model = any_style_model()
    assert model is not None
    return model


def _psnr_db(
    one: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]", other: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]"
) -> float:
    return float(10 * np.log10(255**2 / np.square(one.astype(float) - other).mean()))
