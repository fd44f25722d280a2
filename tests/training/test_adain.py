"""The any-style networks: what the statistics carry, what strength means, and the entry points for export."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from training.adain import FADE_STRENGTH, AdainNetwork, SlimAdainNetwork, exchange_statistics  # noqa: E402
from training.mean_std import mean_and_std  # noqa: E402
from training.vgg import Vgg19  # noqa: E402

# Grey levels: `forward_uint8` rounds.
ROUNDING_LEVELS = 0.501


def _random(*shape: int, seed: int = 1) -> "torch.Tensor":
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def slim() -> SlimAdainNetwork:
    torch.manual_seed(1)
    network = SlimAdainNetwork(trunk_channels=16, edge_channels=8, residual_blocks=2, refine_channels=8)
    for parameter in network.refine[-1].parameters():
        torch.nn.init.normal_(parameter, std=0.01)  # as if it had learnt something
    return network.eval()


@pytest.fixture
def paper(vgg_file: Path) -> AdainNetwork:
    torch.manual_seed(1)
    return AdainNetwork(Vgg19(("relu4_1",), weights=vgg_file)).eval()


@pytest.fixture(params=["slim", "paper"])
def network(request: pytest.FixtureRequest) -> SlimAdainNetwork | AdainNetwork:
    return request.getfixturevalue(request.param)


def test_exchanged_features_have_the_statistics_of_the_style() -> None:
    features, style = _random(2, 5, 16, 16), mean_and_std(3 * _random(2, 5, 16, 16, seed=2) + 1)

    exchanged = exchange_statistics(features, style[:, 0], style[:, 1], None)

    assert torch.allclose(mean_and_std(exchanged), style, atol=1e-3)


def test_strength_interpolates_the_statistics() -> None:
    features, style = _random(2, 5, 16, 16), mean_and_std(3 * _random(2, 5, 16, 16, seed=2) + 1)
    strength = torch.tensor([0.0, 0.25])

    exchanged = exchange_statistics(features, style[:, 0], style[:, 1], strength)

    assert torch.equal(exchanged[0], features[0])
    expected = 0.75 * mean_and_std(features)[1] + 0.25 * style[1]
    assert torch.allclose(mean_and_std(exchanged)[1], expected, atol=1e-3)


def test_shapes_and_the_number_of_statistics(network: SlimAdainNetwork | AdainNetwork) -> None:
    with torch.no_grad():
        statistics, reconstructed = network.read_style(_random(2, 3, 32, 40))
        stylized = network(_random(2, 3, 24, 48, seed=2), statistics, torch.ones(1))

    assert statistics.shape == (2, 2, network.statistics_channels)
    assert (statistics[:, 1] > 0).all()
    assert reconstructed.shape == (2, 3, 32, 40)
    assert stylized.shape == (2, 3, 24, 48)


def test_style_changes_the_picture_and_strength_its_amount(network: SlimAdainNetwork | AdainNetwork) -> None:
    photographs = _random(1, 3, 32, 32)
    with torch.no_grad():
        statistics = network.style_statistics(0.2 * _random(1, 3, 32, 32, seed=2))
        some, half, full = (network(photographs, statistics, torch.tensor([value])) for value in (0.25, 0.5, 1.0))
        unstated = network(photographs, statistics)

    assert torch.allclose(full, unstated, atol=1e-5)
    assert 0 < (half - some).norm() < (full - some).norm()


def test_strength_0_of_the_papers_network_is_the_picture_in_its_own_style(paper: AdainNetwork) -> None:
    photographs = _random(1, 3, 32, 32)
    with torch.no_grad():
        _, reconstructed = paper.read_style(photographs)
        statistics = paper.style_statistics(_random(1, 3, 32, 32, seed=2))

        assert torch.allclose(paper(photographs, statistics, torch.zeros(1)), reconstructed, atol=1e-5)


def test_strength_0_of_the_slim_network_is_the_picture_and_from_a_quarter_on_all_of_it_is_painted(
    slim: SlimAdainNetwork,
) -> None:
    photographs = _random(1, 3, 32, 32)
    with torch.no_grad():
        statistics = slim.style_statistics(_random(1, 3, 32, 32, seed=2))
        distances = [
            (slim(photographs, statistics, torch.tensor([strength])) - photographs).abs().mean().item()
            for strength in (0.0, FADE_STRENGTH / 2, FADE_STRENGTH)
        ]

    assert distances[0] == 0
    assert distances[1] == pytest.approx(distances[2] / 2, rel=0.05)


def test_each_picture_of_a_batch_gets_its_own_style(slim: SlimAdainNetwork) -> None:
    photographs, styles = _random(2, 3, 32, 32), _random(2, 3, 32, 32, seed=2) * torch.tensor([0.2, 1]).view(2, 1, 1, 1)
    with torch.no_grad():
        statistics = slim.style_statistics(styles)
        both = slim(photographs, statistics)
        second = slim(photographs[1:], slim.style_statistics(styles[1:]))

    assert torch.allclose(both[1:], second, atol=1e-5)
    assert not torch.allclose(statistics[0], statistics[1], atol=0.01)


def test_bytes_come_out_as_pictures_do(slim: SlimAdainNetwork) -> None:
    generator = torch.Generator().manual_seed(1)
    frames, picture = (
        torch.randint(0, 256, (1, side, 40, 3), dtype=torch.uint8, generator=generator) for side in (24, 32)
    )
    strength = torch.tensor([0.7])
    with torch.no_grad():
        statistics = slim.statistics_uint8(picture)
        levels = slim.forward_uint8(frames, statistics, strength)
        as_pictures = [pixels.permute(0, 3, 1, 2).float() / 255 for pixels in (frames, picture)]
        expected = slim(as_pictures[0], slim.style_statistics(as_pictures[1]), strength)

    assert (statistics.dtype, statistics.shape) == (torch.float32, (1, 2, slim.statistics_channels))
    assert (levels.dtype, levels.shape) == (torch.uint8, frames.shape)
    assert (levels.float() - expected.permute(0, 2, 3, 1) * 255).abs().max() <= ROUNDING_LEVELS


def test_every_weight_of_the_slim_network_learns(slim: SlimAdainNetwork) -> None:
    statistics, reconstructed = slim.read_style(_random(2, 3, 32, 32))
    stylized = slim(_random(2, 3, 32, 32, seed=2), statistics)

    (stylized.square().mean() + reconstructed.square().mean()).backward()

    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in slim.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in slim.refine.parameters())


def test_of_the_papers_network_the_decoder_learns_and_the_encoder_does_not(paper: AdainNetwork) -> None:
    statistics, _ = paper.read_style(_random(1, 3, 16, 16))

    paper(_random(1, 3, 16, 16, seed=2), statistics).square().mean().backward()

    assert all(parameter.grad is not None for parameter in paper.decoder.parameters())
    assert not any(parameter.requires_grad for parameter in paper.encoder.parameters())


def test_untrained_slim_network_has_activations_in_range() -> None:
    """Without norm layers a bad start would saturate the sigmoid, and nothing would be learnt."""
    torch.manual_seed(1)
    with torch.no_grad():
        _, reconstructed = SlimAdainNetwork().read_style(_random(1, 3, 64, 64))

    assert 0.05 < reconstructed.mean() < 0.95
    assert reconstructed.std() > 0.01
