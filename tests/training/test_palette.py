"""The colours of the content are kept: exactly in chrominance, or as mean and covariance of the style picture's."""

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from training.palette import (  # noqa: E402
    luminance,
    match_color_histograms,
    match_colors,
    match_luminance,
    with_luminance,
)

# Values that are cut to [0, 1] are not matched any more; the pictures below keep away from the ends.
ROUNDING = 1e-3


def _picture(seed: int, *, low: float = 0.35, high: float = 0.65) -> "torch.Tensor":
    values = torch.rand(1, 3, 20, 30, generator=torch.Generator().manual_seed(seed))
    values[:, 1] = 0.5 * values[:, 0] + 0.5 * values[:, 1]  # colours of pictures are correlated
    return low + (high - low) * values


def test_other_luminances_leave_the_chrominance_alone() -> None:
    picture, other = _picture(1), luminance(_picture(2))

    changed = with_luminance(picture, other)

    assert torch.allclose(luminance(changed), other, atol=ROUNDING)
    before, after = (image - luminance(image) for image in (picture, changed))
    assert torch.allclose(before, after, atol=ROUNDING)


def test_its_own_luminance_changes_nothing() -> None:
    picture = _picture(1)

    assert torch.allclose(with_luminance(picture, luminance(picture)), picture, atol=ROUNDING)


def test_matched_luminances_have_mean_and_deviation_of_the_content() -> None:
    style, content = luminance(_picture(1, low=0.0, high=0.9)), luminance(_picture(2))

    matched = match_luminance(style, content)

    assert matched.mean().item() == pytest.approx(content.mean().item(), abs=ROUNDING)
    assert matched.std().item() == pytest.approx(content.std().item(), rel=0.01)


def test_matched_colors_have_mean_and_covariance_of_the_content() -> None:
    style, content = _picture(1, low=0.0, high=1.0).flip(1), _picture(2)

    matched = match_colors(style, content)

    assert torch.allclose(matched.mean(dim=(2, 3)), content.mean(dim=(2, 3)), atol=ROUNDING)
    covariances = [torch.cov(image.flatten(2)[0]) for image in (matched, content)]
    assert torch.allclose(*covariances, rtol=0.02, atol=1e-5)


def _two_tones() -> "torch.Tensor":
    """Return a picture of dark and bright halves, whose histogram no mean and deviation describes."""
    picture = _picture(3, low=0.1, high=0.2)
    picture[..., 15:] += 0.7
    return picture


def test_matched_histograms_have_the_levels_of_the_content() -> None:
    style, content = _picture(1, low=0.2, high=0.8), _two_tones()

    matched, linear = match_color_histograms(style, content), match_colors(style, content)

    levels, wanted, rough = (picture.flatten(2).sort().values for picture in (matched, content, linear))
    assert torch.allclose(levels, wanted, atol=0.01)
    assert (rough - wanted).abs().max() > 0.1


def test_matched_histograms_keep_the_correlation_of_the_colors_of_the_content() -> None:
    style, content = _picture(1, low=0.2, high=0.8).flip(1), _picture(2)

    matched = match_color_histograms(style, content)

    correlations = [torch.corrcoef(picture.flatten(2)[0]) for picture in (matched, content)]
    assert torch.allclose(*correlations, atol=0.1)


@pytest.mark.parametrize("flat", ["style", "content"])
def test_a_picture_of_one_color_can_be_matched(flat: str) -> None:
    one_color = torch.tensor([0.2, 0.5, 0.7]).view(1, 3, 1, 1).expand(1, 3, 20, 30)
    style, content = (one_color, _picture(1)) if flat == "style" else (_picture(1), one_color)

    for matched in (match_colors(style, content), match_luminance(luminance(style), luminance(content))):
        assert torch.isfinite(matched).all()
    assert torch.allclose(match_colors(style, content).mean(dim=(2, 3)), content.mean(dim=(2, 3)), atol=0.01)
