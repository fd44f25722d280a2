"""The networks: shapes, the two entry points of the slim one, and no checkerboard before training."""

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from training.network import BLOCK_CHANNELS, JohnsonNetwork, SlimNetwork, fold_blocks, unfold_blocks  # noqa: E402

# Grey levels: `forward_uint8` rounds.
ROUNDING_LEVELS = 0.501


@pytest.fixture
def network() -> SlimNetwork:
    torch.manual_seed(1)
    return SlimNetwork(trunk_channels=16, edge_channels=8, residual_blocks=2).eval()


def test_folding_keeps_every_value_and_is_inverted() -> None:
    pictures = torch.rand(2, 3, 16, 24)

    blocks = fold_blocks(pictures)

    assert blocks.shape == (2, BLOCK_CHANNELS, 4, 6)
    assert torch.equal(unfold_blocks(blocks), pictures)


def test_block_holds_its_pixels_in_the_order_row_column_colour() -> None:
    pictures = torch.rand(1, 3, 8, 8)

    block = fold_blocks(pictures)[0, :, 1, 0]

    assert torch.equal(block, pictures[0, :, 4:8, 0:4].permute(1, 2, 0).flatten())


@pytest.mark.parametrize(("height", "width"), [(16, 16), (24, 40), (56, 8)])
def test_frames_of_bytes_come_out_as_pictures_do(network: SlimNetwork, height: int, width: int) -> None:
    frames = torch.randint(0, 256, (2, height, width, 3), dtype=torch.uint8)

    with torch.no_grad():
        levels = network.forward_uint8(frames)
        stylized = network(frames.permute(0, 3, 1, 2).float() / 255).permute(0, 2, 3, 1) * 255

    assert levels.dtype == torch.uint8
    assert levels.shape == frames.shape
    assert (levels.float() - stylized).abs().max() <= ROUNDING_LEVELS


@pytest.mark.parametrize("make", [SlimNetwork, JohnsonNetwork])
def test_picture_keeps_its_size_and_range(make: type) -> None:
    with torch.no_grad():
        stylized = make()(torch.rand(1, 3, 40, 48))

    assert stylized.shape == (1, 3, 40, 48)
    assert 0 <= stylized.min() < stylized.max() <= 1


def test_untrained_network_paints_no_pattern_inside_its_blocks(network: SlimNetwork) -> None:
    with torch.no_grad():
        blocks = fold_blocks(network(torch.rand(1, 3, 32, 32))).reshape(1, 16, 3, 8, 8)

    assert torch.allclose(blocks, blocks[:, :1], atol=1e-6)


@pytest.mark.parametrize("make", [SlimNetwork, JohnsonNetwork])
def test_every_weight_learns(make: type) -> None:
    network = make()

    network(torch.rand(1, 3, 32, 32)).square().mean().backward()

    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())
