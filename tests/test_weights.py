"""The shipped styles: complete cards, files that match them, and pictures that are really stylised on every engine."""

import tomllib
from pathlib import Path

import av
import numpy as np
import pytest

from realtime.catalogue import WEIGHTS_FOLDER, Style, load_catalogue, read_model
from realtime.engine import Engine, open_engine
from realtime.settings import DEFAULT_STYLE
from realtime.stylizer import Stylizer

ROOT = Path(__file__).parent.parent
MODEL_BYTES_MAX = 2_500_000
FOLDER_BYTES_MAX = 30_000_000
STYLES_MIN = 3
# Mean change in grey levels that no style stays under: the shipped ones change a gradient by 30 and more.
CHANGE_MIN_LEVELS = 15.0
# bf16 against float32: 38 dB PSNR is 3.2 grey levels.
ENGINE_DIFFERENCE_MAX_LEVELS = 3.2
CARD_FIELDS = {
    "name", "title", "kind", "artist", "artist_died", "year", "picture", "licence", "recipe", "commit", "training",
    "opset", "parity", "scores", "milliseconds", "file", "size_bytes", "sha256",
}  # fmt: skip

STYLES = list(load_catalogue().values())


def _gradient(width: int, height: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.dstack((x, y, (x + y) / 2)).astype(np.uint8)


def _sample_frame() -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    with av.open(str(ROOT / "samples" / "coast.mp4")) as container:
        frame = next(container.decode(video=0))
        return frame.to_ndarray(format="rgb24", width=640, height=360)


def _engine(style: Style, name: str) -> Engine:
    return open_engine(read_model(style), engine=name, device="cpu")


def test_there_are_enough_styles_and_the_default_is_one_of_them() -> None:
    assert len(STYLES) >= STYLES_MIN
    assert DEFAULT_STYLE in load_catalogue()


def test_all_weights_together_stay_small() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS_FOLDER.rglob("*") if path.is_file()) <= FOLDER_BYTES_MAX


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
class TestShippedStyle:
    def test_its_card_is_complete(self, style: Style) -> None:
        assert set(style.card) >= CARD_FIELDS
        assert len(read_model(style)) <= MODEL_BYTES_MAX
        assert (WEIGHTS_FOLDER / "thumbnails" / f"{style.name}.jpg").is_file()

    def test_its_painter_died_more_than_70_years_ago(self, style: Style) -> None:
        assert int(style.card["artist_died"]) < 2026 - 70

    def test_its_card_names_the_recipe_and_agrees_with_it(self, style: Style) -> None:
        recipe = tomllib.loads((ROOT / style.card["recipe"]).read_text(encoding="utf-8"))

        for key in ("name", "title", "artist", "artist_died", "year", "picture"):
            assert str(recipe[key]) == style.card[key]

    @pytest.mark.parametrize("engine_name", ["onnxruntime", "openvino"])
    @pytest.mark.parametrize("size", [(16, 16), (17, 31), (160, 90)])
    def test_it_stylises_any_size(self, style: Style, engine_name: str, size: tuple[int, int]) -> None:
        picture = _gradient(*size)

        stylized = Stylizer(_engine(style, engine_name)).stylize(picture).stylized

        assert stylized.shape == picture.shape
        assert np.abs(stylized.astype(int) - picture).mean() > CHANGE_MIN_LEVELS

    def test_the_engines_agree(self, style: Style) -> None:
        picture = _sample_frame()

        one, other = (Stylizer(_engine(style, name)).stylize(picture).stylized for name in ("onnxruntime", "openvino"))

        assert np.sqrt(np.square(one.astype(float) - other).mean()) < ENGINE_DIFFERENCE_MAX_LEVELS
