"""The losses: zero where they should be, by hand where that can be done, and large for what they are to punish."""

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from training.coherence import coherence_loss  # noqa: E402
from training.flatness import flat_pattern_loss  # noqa: E402
from training.grid import grid_loss  # noqa: E402
from training.mean_std import mean_and_std, mean_std_loss  # noqa: E402
from training.motion import move, random_flow, warp  # noqa: E402
from training.perceptual import content_loss, gram_matrix, style_loss  # noqa: E402
from training.total_variation import total_variation  # noqa: E402

# Sampling at whole pixels through normalised coordinates costs some rounding of float32.
SAMPLING_ERROR = 1e-4


def _random(*shape: int, seed: int = 1) -> "torch.Tensor":
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_gram_matrix_by_hand() -> None:
    features = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 1.0], [0.0, -1.0]]]])  # (1, 2, 2, 2)

    # <f1, f1> = 30, <f1, f2> = 2 - 4, <f2, f2> = 2, over four positions.
    assert torch.equal(gram_matrix(features), torch.tensor([[[7.5, -0.5], [-0.5, 0.5]]]))


def test_gram_matrix_does_not_depend_on_the_size_of_the_picture() -> None:
    features = _random(1, 3, 4, 4)

    assert torch.allclose(gram_matrix(features.repeat(1, 1, 2, 3)), gram_matrix(features))


def test_gram_matrix_of_reduced_precision_is_float32() -> None:
    assert gram_matrix(_random(1, 3, 4, 4).bfloat16()).dtype == torch.float32


def test_style_loss_is_zero_for_the_style_itself_whatever_the_place() -> None:
    features = {"a": _random(1, 3, 4, 6), "b": _random(1, 5, 2, 3)}
    grams = {layer: gram_matrix(feature) for layer, feature in features.items()}
    moved = {layer: feature.roll((1, 2), dims=(2, 3)) for layer, feature in features.items()}

    assert style_loss(moved, grams).item() == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("scale", [0.05, 20.0])
def test_style_and_content_loss_do_not_depend_on_the_scale_of_the_features(scale: float) -> None:
    one, other = _random(2, 3, 4, 6), _random(1, 3, 4, 6, seed=2)

    style, scaled_style = (
        style_loss({"a": factor * one}, {"a": gram_matrix(factor * other)}) for factor in (1.0, scale)
    )
    content, scaled_content = (content_loss(factor * one, factor * one.flip(2)) for factor in (1.0, scale))

    assert style > 0.01
    assert torch.allclose(style, scaled_style, rtol=1e-4)
    assert content > 0.01
    assert torch.allclose(content, scaled_content, rtol=1e-4)


def test_style_loss_of_nothing_is_one() -> None:
    """All energy of the target is missing: the unit of the scale."""
    target = {"a": gram_matrix(_random(1, 3, 4, 4)), "b": gram_matrix(_random(1, 2, 4, 4))}

    assert style_loss({"a": torch.zeros(1, 3, 4, 4), "b": torch.zeros(1, 2, 4, 4)}, target).item() == pytest.approx(1)


def test_style_loss_is_the_mean_over_the_batch() -> None:
    first, second, target = _random(1, 3, 4, 4), _random(1, 3, 4, 4, seed=2), gram_matrix(_random(1, 3, 4, 4, seed=3))

    both = style_loss({"a": torch.cat((first, second))}, {"a": target})

    each = [style_loss({"a": one}, {"a": target}).item() for one in (first, second)]
    assert both.item() == pytest.approx(sum(each) / 2)


def test_content_loss_is_zero_for_itself_and_one_for_nothing() -> None:
    features = _random(2, 3, 4, 6)

    assert content_loss(features, features).item() == 0
    assert content_loss(torch.zeros_like(features), features).item() == pytest.approx(1)


def test_each_picture_is_held_against_its_own_target() -> None:
    features = _random(2, 3, 4, 4)
    grams = gram_matrix(_random(2, 3, 4, 4, seed=2))

    both = style_loss({"a": features}, {"a": grams}).item()

    each = [style_loss({"a": features[i : i + 1]}, {"a": grams[i : i + 1]}).item() for i in range(2)]
    assert both == pytest.approx(sum(each) / 2)
    swapped = style_loss({"a": features}, {"a": grams.flip(0)}).item()
    assert swapped != pytest.approx(both)


def test_total_variation_by_hand() -> None:
    ramp = torch.arange(4.0).view(1, 1, 1, 4).expand(1, 3, 4, 4)

    assert total_variation(ramp).item() == 0.5
    assert total_variation(torch.full((1, 3, 4, 4), 0.3)).item() == 0


@pytest.mark.parametrize(("x", "y"), [(0, 0), (3, 0), (0, -2), (-4, 1)])
@pytest.mark.parametrize(("height", "width"), [(24, 32), (17, 31)])
def test_warp_by_whole_pixels_moves_them_exactly(x: int, y: int, height: int, width: int) -> None:
    pictures = _random(2, 3, height, width)
    flow = torch.tensor([float(x), float(y)]).view(1, 2, 1, 1).expand(2, 2, height, width)

    warped, inside = warp(pictures, flow)

    expected = torch.full((2, 1, height, width), 0.0)
    rows, columns = slice(max(0, -y), height - max(0, y)), slice(max(0, -x), width - max(0, x))
    expected[:, :, rows, columns] = 1
    assert torch.equal(inside, expected)
    moved = pictures.roll((-y, -x), dims=(2, 3))
    assert ((warped - moved) * inside).abs().max() < SAMPLING_ERROR


def test_random_flow_is_smooth_and_of_some_pixels() -> None:
    flow = random_flow(4, 64, 96, generator=torch.Generator().manual_seed(1))

    assert flow.shape == (4, 2, 64, 96)
    assert 1 < flow.std() < 10
    assert max(flow.diff(dim=dimension).abs().max() for dimension in (2, 3)) < 1.5


def test_picture_moves_by_the_flow_that_is_returned() -> None:
    pictures = _random(2, 3, 6, 8).repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)

    moved, flow, _ = move(pictures, torch.Generator().manual_seed(1))

    warped, _ = warp(pictures, flow)
    assert moved.min() >= 0
    assert moved.max() <= 1
    assert 0 < (moved - warped).abs().mean() < 0.01
    assert (moved - pictures).abs().mean() > 0.05


def test_motion_is_the_same_for_the_same_seed() -> None:
    pictures = _random(1, 3, 16, 16)

    first, second = (move(pictures, torch.Generator().manual_seed(7))[0] for _ in range(2))

    assert torch.equal(first, second)


def _coherence(stylized: "torch.Tensor", moved: "torch.Tensor", chroma_weight: float = 1.0) -> float:
    batch, _, height, width = stylized.shape
    flow, valid = torch.zeros(batch, 2, height, width), torch.ones(batch, 1, height, width)
    return coherence_loss(stylized, moved, flow=flow, valid=valid, chroma_weight=chroma_weight).item()


def test_error_in_grey_costs_its_mean_square_whatever_the_weight_of_colour() -> None:
    stylized = _random(2, 3, 8, 8)

    for chroma_weight in (0.0, 0.5, 1.0):
        assert _coherence(stylized, stylized + 0.1, chroma_weight) == pytest.approx(0.01, rel=1e-3)
        assert _coherence(stylized, stylized, chroma_weight) == pytest.approx(0, abs=1e-9)


def test_error_in_colour_alone_costs_by_its_weight() -> None:
    stylized = torch.full((1, 3, 8, 8), 0.5)
    # Of luminance 0: 0.299 r + 0.587 g + 0.114 b.
    other = stylized + torch.tensor([0.587, -0.299, 0.0]).view(1, 3, 1, 1)

    full = _coherence(stylized, other, 1.0)

    assert full > 0.1
    assert _coherence(stylized, other, 0.5) == pytest.approx(full / 2)
    assert _coherence(stylized, other, 0.0) == pytest.approx(0, abs=1e-9)


def test_network_that_follows_the_motion_costs_less_than_one_that_flickers() -> None:
    pictures = _random(2, 3, 6, 8).repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)
    moved, flow, valid = move(pictures, torch.Generator().manual_seed(1))

    follows, stands_still, flickers = (
        coherence_loss(1 - pictures, output, flow=flow, valid=valid, chroma_weight=0.5).item()
        for output in (1 - moved, 1 - pictures, 0.8 - moved)
    )

    assert follows < 1e-3
    assert stands_still > 10 * follows
    assert flickers == pytest.approx(0.04, rel=0.2)


def test_pixels_that_leave_the_picture_do_not_count() -> None:
    stylized = _random(1, 3, 16, 16)
    flow = torch.zeros(1, 2, 16, 16)
    flow[:, 0] = 4
    expected, inside = warp(stylized, flow)
    expected[..., 12:] = 5  # beyond the border nothing is known

    assert coherence_loss(stylized, expected, flow=flow, valid=inside, chroma_weight=0.5).item() < 1e-8


def test_mean_and_deviation_by_hand() -> None:
    features = torch.tensor([[[[1.0, 3.0]], [[2.0, 2.0]]]])  # (1, 2, 1, 2)

    assert torch.allclose(mean_and_std(features), torch.tensor([[[2.0, 2.0], [1.0, 0.0]]]), atol=4e-3)


def test_mean_std_loss_is_zero_for_the_style_itself_and_nearly_one_for_nothing() -> None:
    features = _random(2, 3, 8, 8)
    target = mean_and_std(features)

    assert torch.equal(mean_std_loss(features.flip(2), target), mean_std_loss(features, target).clamp(max=1e-6))
    assert torch.allclose(mean_std_loss(torch.zeros_like(features), target), torch.ones(2), atol=1e-2)


def _grid_pattern(period: int) -> "torch.Tensor":
    tile = _random(1, 3, period, period, seed=4) - 0.5
    return tile.repeat(1, 1, 64 // period, 64 // period)


def _with_energy(pattern: "torch.Tensor") -> "torch.Tensor":
    return 0.5 + 0.1 * (pattern - pattern.mean()) / pattern.std()


def test_grid_loss_is_next_to_nothing_for_a_smooth_picture() -> None:
    x = torch.linspace(0, 3, 64)
    smooth = (0.5 + 0.3 * torch.sin(x)[:, None] * torch.cos(x)[None, :]).expand(1, 3, 64, 64)

    assert grid_loss(torch.full((1, 3, 64, 64), 0.7)).item() == pytest.approx(0, abs=1e-10)
    assert grid_loss(smooth).item() < 1e-4


@pytest.mark.parametrize("period", [2, 4, 8])
def test_grid_costs_far_more_than_random_texture_of_its_energy(period: int) -> None:
    grid, texture = _with_energy(_grid_pattern(period)), _with_energy(torch.randn(1, 3, 64, 64))

    assert grid_loss(grid) > 20 * grid_loss(texture)


def test_grid_can_be_unlearnt() -> None:
    picture = _with_energy(_grid_pattern(4)).requires_grad_()
    before = grid_loss(picture)

    (gradient,) = torch.autograd.grad(before, picture)

    assert grid_loss(picture.detach() - 1000 * gradient) < 0.9 * before


def test_patterns_count_where_the_photograph_is_flat_and_there_alone() -> None:
    photographs = torch.full((1, 3, 64, 96), 0.7)
    photographs[..., 48:] = _random(1, 3, 64, 48)
    rings = 0.5 + 0.1 * torch.sin(torch.arange(96) * 0.6).expand(1, 3, 64, 96)
    in_sky, in_trees = torch.full_like(photographs, 0.5), torch.full_like(photographs, 0.5)
    in_sky[..., :32], in_trees[..., 64:] = rings[..., :32], rings[..., 64:]

    # A third of the picture has a sine of amplitude 0.1, whose variance is 0.005.
    assert flat_pattern_loss(in_sky, photographs).item() == pytest.approx(0.005 / 3, rel=0.3)
    assert flat_pattern_loss(in_trees, photographs).item() < 1e-6


def test_a_flat_area_may_take_another_colour_and_a_slow_gradient() -> None:
    photographs = torch.full((1, 3, 64, 64), 0.7) + 0.004 * (_random(1, 3, 64, 64) - 0.5)
    slope = torch.linspace(0.2, 0.5, 64).expand(1, 3, 64, 64)

    assert flat_pattern_loss(slope, photographs).item() < 0.001
    assert flat_pattern_loss(0.1 * photographs, photographs).item() < 1e-6
