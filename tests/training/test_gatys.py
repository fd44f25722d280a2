"""The optimisation of one picture: it falls, resumes to the bit, and minimises what the recipes mean."""

import io
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from training.gatys import HISTORY_PAIRS, DivergedError, Iterate, PictureOptimizer, history_pairs  # noqa: E402
from training.gatys_objective import GatysObjective, ObjectiveWeights, feature_network  # noqa: E402
from training.perceptual import STYLE_LAYERS, content_loss, gram_matrix, style_loss  # noqa: E402
from training.vgg import Vgg19  # noqa: E402

LAYERS = {"relu1_1": 1.0, "relu2_1": 1.0}
# How far the minima of both precisions may lie apart: bfloat16 has 3 significant digits, and the paths differ.
BFLOAT16_TOLERANCE = 0.1
SMALL = ObjectiveWeights(content_layers={"relu2_1": 1.0}, style_layers=LAYERS)


def _smooth(seed: int, height: int = 32, width: int = 40) -> "torch.Tensor":
    cells = torch.rand(1, 3, 5, 6, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(cells, size=(height, width), mode="bilinear")


@pytest.fixture(scope="module")
def vgg(vgg_file: Path) -> Vgg19:
    return feature_network(Vgg19(STYLE_LAYERS, weights=vgg_file), pooling="max")


@pytest.fixture(scope="module")
def objective(vgg: Vgg19) -> GatysObjective:
    return GatysObjective(vgg, _smooth(1), [(_smooth(2, 24, 24), 1.0)], weights=SMALL)


def _run(optimizer: PictureOptimizer, iterations: int) -> list[Iterate]:
    return list(optimizer.run(iterations))


def test_the_objective_is_that_of_the_training(vgg: Vgg19) -> None:
    content, style, picture = _smooth(1), _smooth(2, 24, 24), _smooth(3)
    weights = ObjectiveWeights(style=7.0)

    objective = GatysObjective(vgg, content, [(style, 1.0)], weights=weights)
    terms = objective(picture)

    features = vgg(picture)
    grams = {layer: gram_matrix(vgg(style)[layer]) for layer in STYLE_LAYERS}
    assert terms["style"].item() == pytest.approx(style_loss(features, grams).item(), rel=1e-5)
    expected = content_loss(features["relu4_1"], vgg(content)["relu4_1"]).item()
    assert terms["content"].item() == pytest.approx(expected, rel=1e-5)
    assert objective.total(terms).item() == pytest.approx(expected + 7 * terms["style"].item(), rel=1e-5)


def test_content_costs_nothing_on_the_content_and_style_nothing_on_the_style(vgg: Vgg19) -> None:
    objective = GatysObjective(vgg, _smooth(1), [(_smooth(2), 1.0)], weights=SMALL)

    assert objective(_smooth(1))["content"].item() == pytest.approx(0, abs=1e-6)
    assert objective(_smooth(2))["style"].item() == pytest.approx(0, abs=1e-6)


def test_layers_count_by_their_weights(vgg: Vgg19) -> None:
    def style_term(layers: dict[str, float]) -> float:
        weights = ObjectiveWeights(content_layers={"relu1_1": 1.0}, style_layers=layers)
        return GatysObjective(vgg, _smooth(1), [(_smooth(2), 1.0)], weights=weights)(_smooth(3))["style"].item()

    first, second = style_term({"relu1_1": 1.0}), style_term({"relu2_1": 1.0})

    assert style_term({"relu1_1": 3.0, "relu2_1": 1.0}) == pytest.approx((3 * first + second) / 4, rel=1e-4)


def test_two_styles_mix_by_their_shares(vgg: Vgg19) -> None:
    one, other = _smooth(2), _smooth(4)

    def style_term(*styles: tuple["torch.Tensor", float]) -> float:
        return GatysObjective(vgg, _smooth(1), styles, weights=SMALL)(one)["style"].item()

    assert style_term((one, 2.0), (other, 0.0)) == pytest.approx(0, abs=1e-6)
    assert 0 < style_term((one, 3.0), (other, 1.0)) < style_term((one, 1.0), (other, 3.0)) < style_term((other, 1.0))


def test_shares_of_nothing_are_refused(vgg: Vgg19) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        GatysObjective(vgg, _smooth(1), [(_smooth(2), 0.0)], weights=SMALL)


def test_a_layer_that_the_network_does_not_return_is_named(vgg: Vgg19) -> None:
    weights = ObjectiveWeights(style_layers={"relu5_1": 1.0})

    with pytest.raises(ValueError, match="relu5_1"):
        GatysObjective(vgg, _smooth(1), [(_smooth(2), 1.0)], weights=weights)


def test_average_pooling_is_another_network_and_leaves_the_first_alone(vgg: Vgg19) -> None:
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    before = vgg(picture)["relu2_1"]

    averaged = feature_network(vgg, pooling="average")(picture)

    assert torch.allclose(averaged["relu1_1"], vgg(picture)["relu1_1"])
    # The mean of four values is below their maximum, and so is what random weights make of it.
    assert averaged["relu2_1"].square().mean() < 0.95 * before.square().mean()
    assert torch.equal(vgg(picture)["relu2_1"], before)


@pytest.mark.parametrize("method", ["lbfgs", "adam"])
def test_the_objective_falls_and_the_picture_stays_in_range(objective: GatysObjective, method: str) -> None:
    iterates = _run(PictureOptimizer(objective, _smooth(1), method=method), 10)

    assert [iterate.iteration for iterate in iterates] == list(range(11))
    assert iterates[-1].total < 0.5 * iterates[0].total
    assert all(iterate.picture.min() >= 0 and iterate.picture.max() <= 1 for iterate in iterates)


def test_what_is_yielded_was_measured_on_its_picture(objective: GatysObjective) -> None:
    last = _run(PictureOptimizer(objective, _smooth(1)), 3)[-1]

    assert {name: term.item() for name, term in objective(last.picture).items()} == pytest.approx(last.terms)


def test_lbfgs_beats_adam_at_equal_iterations(objective: GatysObjective) -> None:
    lbfgs, adam = (_run(PictureOptimizer(objective, _smooth(1), method=method), 20)[-1] for method in ("lbfgs", "adam"))

    assert lbfgs.total < adam.total


def test_features_in_bfloat16_lead_to_the_same_minimum(vgg: Vgg19, objective: GatysObjective) -> None:
    network = feature_network(vgg, dtype=torch.bfloat16)
    reduced = GatysObjective(network, _smooth(1), [(_smooth(2, 24, 24), 1.0)], weights=SMALL)

    exact, rough = (_run(PictureOptimizer(one, _smooth(1)), 15)[-1] for one in (objective, reduced))

    assert rough.picture.dtype == torch.float32
    measured = objective.total(objective(rough.picture)).item()
    assert measured == pytest.approx(exact.total, rel=BFLOAT16_TOLERANCE)
    assert measured < 0.25 * objective.total(objective(_smooth(1))).item()


@pytest.mark.parametrize("method", ["lbfgs", "adam"])
def test_a_resumed_optimisation_is_the_same_to_the_bit(objective: GatysObjective, method: str) -> None:
    whole = _run(PictureOptimizer(objective, _smooth(1), method=method), 9)
    first = PictureOptimizer(objective, _smooth(1), method=method)
    _run(first, 4)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)

    second = PictureOptimizer(objective, torch.zeros(1, 3, 32, 40), method=method)
    second.load_state_dict(torch.load(file, weights_only=True))
    rest = _run(second, 9)

    assert [iterate.iteration for iterate in rest] == [4, 5, 6, 7, 8, 9]
    assert torch.equal(rest[-1].picture, whole[-1].picture)
    assert rest[-1].total == whole[-1].total
    assert second.best is not None
    assert second.best.total == min(iterate.total for iterate in whole)


def test_a_state_of_another_size_is_refused(objective: GatysObjective) -> None:
    state = PictureOptimizer(objective, _smooth(1)).state_dict()

    with pytest.raises(ValueError, match="saved state"):
        PictureOptimizer(objective, _smooth(1, 32, 32)).load_state_dict(state)


class _Scripted:
    """An objective whose values come from a list: to see what is kept when they rise."""

    def __init__(self, values: list[float]) -> None:
        self._values = iter(values)

    def __call__(self, picture: "torch.Tensor") -> "dict[str, torch.Tensor]":
        return {"content": picture.mean() * 0 + next(self._values)}

    def total(self, terms: "dict[str, torch.Tensor]") -> "torch.Tensor":
        return terms["content"]


def test_the_best_picture_is_kept_when_later_ones_are_worse() -> None:
    optimizer = PictureOptimizer(_Scripted([3.0, 1.0, 2.0]), torch.full((1, 3, 4, 4), 0.5))

    _run(optimizer, 2)

    assert optimizer.best is not None
    assert optimizer.best.iteration == 1


def test_a_term_that_is_not_finite_is_named_and_the_best_remains() -> None:
    optimizer = PictureOptimizer(_Scripted([3.0, float("nan")]), torch.full((1, 3, 4, 4), 0.5))

    with pytest.raises(DivergedError, match="content not finite after 1 iterations"):
        _run(optimizer, 5)

    assert optimizer.best is not None
    assert optimizer.best.total == 3.0


class _Distance:
    """The squared distance to a colour out of range, which no picture can reach."""

    def __call__(self, picture: "torch.Tensor") -> "dict[str, torch.Tensor]":
        return {"content": (picture - 1.5).square().mean()}

    def total(self, terms: "dict[str, torch.Tensor]") -> "torch.Tensor":
        return terms["content"]


def test_a_minimum_out_of_range_is_met_at_the_border() -> None:
    last = _run(PictureOptimizer(_Distance(), torch.full((1, 3, 4, 4), 0.2)), 8)[-1]

    assert torch.equal(last.picture, torch.ones(1, 3, 4, 4))


class _MostlyEdges:
    """The squared distance to a picture, that of its fine detail a hundred times: areas are what takes long."""

    def __init__(self, wanted: "torch.Tensor") -> None:
        self._wanted = wanted

    def __call__(self, picture: "torch.Tensor") -> "dict[str, torch.Tensor]":
        difference = picture - self._wanted
        detail = difference - torch.nn.functional.avg_pool2d(difference, 9, stride=1, padding=4)
        return {"content": difference.square().mean() + 100 * detail.square().mean()}

    def total(self, terms: "dict[str, torch.Tensor]") -> "torch.Tensor":
        return terms["content"]


def test_areas_follow_as_soon_as_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    objective, start = _MostlyEdges(_smooth(2, 61, 83)), torch.full((1, 3, 61, 83), 0.5)

    in_a_pyramid = _run(PictureOptimizer(objective, start), 12)[-1]
    monkeypatch.setattr("training.gatys.COARSEST_SIDE_PX", 61)  # one level, the picture's
    in_pixels = _run(PictureOptimizer(objective, start), 12)[-1]

    assert in_a_pyramid.total < 0.7 * in_pixels.total


def test_the_history_of_large_pictures_is_shorter_and_that_of_usual_ones_whole() -> None:
    assert history_pairs(3 * 512 * 768) == HISTORY_PAIRS
    assert 10 <= history_pairs(3 * 1920 * 1080) <= 20
    assert history_pairs(3 * 40_000 * 40_000) == 1
