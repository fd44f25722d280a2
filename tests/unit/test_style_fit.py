"""A code is fitted by the gradient that the model's fitter gives, the same for the same picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realtime.catalogue import any_style_model, load_catalogue
from realtime.errors import StyleError
from realtime.loaded_style import load_style
from realtime.style_choice import StyleChoice
from realtime.style_code import StyleCode
from realtime.style_fit import StyleFitter, open_fitter
from tests.models import encoder_model, fitter_model

PICTURE = np.full((40, 60, 3), (200, 100, 50), dtype=np.uint8)


@pytest.fixture
def code() -> StyleCode:
    return StyleCode(np.array([[[180, 120, 50], [30, 30, 30]]], dtype=np.float32))


def test_code_comes_nearer_to_what_the_picture_asks_for(code: StyleCode) -> None:
    fitted = StyleFitter(fitter_model()).fit(code, PICTURE)

    before, after = (np.abs(made.statistics[0, 0] - PICTURE[0, 0]) for made in (code, fitted))
    assert (after[:2] < before[:2] / 2).all()
    assert after[2] == 0
    np.testing.assert_array_equal(fitted.statistics[0, 1], code.statistics[0, 1])


def test_fit_is_the_same_for_the_same_picture_and_leaves_the_code_alone(code: StyleCode) -> None:
    fitter, before = StyleFitter(fitter_model()), code.statistics.copy()

    first, second = (fitter.fit(code, PICTURE).statistics for _ in range(2))

    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(code.statistics, before)


def test_fit_that_diverges_is_an_error(code: StyleCode) -> None:
    fitter = StyleFitter(fitter_model())
    fitter.gradient = lambda statistics, target: np.full_like(statistics, np.nan)  # type: ignore[method-assign]

    with pytest.raises(StyleError, match="diverged"):
        fitter.fit(code, PICTURE)


@pytest.mark.parametrize(("model", "words"), [(b"no model", "cannot load"), (encoder_model(), "is no fitter")])
def test_what_is_no_fitter_is_refused_in_a_line(model: bytes, words: str) -> None:
    with pytest.raises(StyleError, match=words) as raised:
        StyleFitter(model)

    assert "\n" not in str(raised.value)


def test_file_jobs_fit_where_the_model_has_a_fitter(
    any_style_catalogue: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    picture = np.tile(np.arange(64, dtype=np.uint8)[:, np.newaxis, np.newaxis], (1, 64, 3))
    Image.fromarray(picture).save(tmp_path / "ramp.png")

    plain = _mean_of_code(tmp_path / "ramp.png", has_fitter=False)
    request.getfixturevalue("fitted_catalogue")
    fitted = _mean_of_code(tmp_path / "ramp.png", has_fitter=True)

    assert plain == pytest.approx(picture.mean(), abs=0.5)
    assert plain + 5 < fitted < picture.max()


def _mean_of_code(picture: Path, *, has_fitter: bool) -> float:
    model = any_style_model(load_catalogue())
    assert model is not None
    assert (open_fitter(model) is not None) == has_fitter
    loaded = load_style(StyleChoice(model, (picture,), (1.0,)), engine="auto", device="cpu", precision="auto")
    assert loaded.code is not None
    loaded.close()
    return float(loaded.code.statistics[0, 0].mean())
