"""CycleGAN: the networks and losses are the paper's, and the history of pictures works as described."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from training.comparison import GramComparison  # noqa: E402
from training.cyclegan import CycleGan, PatchDiscriminator, ResNetGenerator, SlimGenerator  # noqa: E402
from training.network import SlimNetwork  # noqa: E402
from training.objective_cyclegan import DomainTexture, GeneratorObjective, judged, texture  # noqa: E402
from training.perceptual import STYLE_LAYERS, gram_matrix, style_loss  # noqa: E402
from training.picture_buffer import PictureBuffer  # noqa: E402
from training.recipe import CycleGanRecipe  # noqa: E402
from training.vgg import Vgg19  # noqa: E402

RECEPTIVE_FIELD_PX = 70


def test_score_of_the_discriminator_sees_a_patch_of_70_pixels() -> None:
    discriminator = PatchDiscriminator(channels=2).double()
    pictures = torch.rand(1, 3, 160, 160, dtype=torch.float64, requires_grad=True)
    # The norm sees the whole picture; without it only the convolutions are left.
    for number, layer in enumerate(discriminator):
        if isinstance(layer, torch.nn.InstanceNorm2d):
            discriminator[number] = torch.nn.Identity()

    scores = discriminator(pictures)
    scores[0, 0, scores.shape[2] // 2, scores.shape[3] // 2].backward()

    assert pictures.grad is not None
    rows, columns = pictures.grad[0].abs().sum(dim=0).nonzero().T
    assert rows.max() - rows.min() + 1 == columns.max() - columns.min() + 1 == RECEPTIVE_FIELD_PX


@pytest.mark.parametrize("blocks", [6, 9])
def test_resnet_generator_has_the_parameters_of_the_paper(blocks: int) -> None:
    """c7s1-64, d128, d256, R256 x N, u128, u64, c7s1-3, weights and biases of all convolutions."""
    ends = (3 * 64 * 49 + 64) + (64 * 128 * 9 + 128) + (128 * 256 * 9 + 256)
    back = (256 * 128 * 9 + 128) + (128 * 64 * 9 + 64) + (64 * 3 * 49 + 3)
    residual = 2 * (256 * 256 * 9 + 256)

    generator = ResNetGenerator(blocks)

    assert sum(parameter.numel() for parameter in generator.parameters()) == ends + blocks * residual + back


def test_resnet_generator_keeps_size_and_range() -> None:
    with torch.no_grad():
        made = ResNetGenerator(6, channels=4)(torch.rand(2, 3, 32, 40))

    assert made.shape == (2, 3, 32, 40)
    assert 0 <= made.min() <= made.max() <= 1


def test_slim_generator_begins_as_the_identity_on_floats_and_bytes() -> None:
    generator = SlimGenerator()
    frames = torch.randint(0, 256, (1, 32, 40, 3), dtype=torch.uint8)
    pictures = frames.permute(0, 3, 1, 2).float() / 255

    with torch.no_grad():
        assert torch.equal(generator.forward_uint8(frames), frames)
        assert torch.allclose(generator(pictures), pictures)


def test_slim_generator_that_starts_from_a_style_is_that_style_at_a_strength() -> None:
    style, generator = SlimNetwork(), SlimGenerator()
    picture = torch.rand(1, 3, 32, 40)

    generator.start_from(style, strength=0.25)

    with torch.no_grad():
        assert torch.allclose(generator(picture), 0.75 * picture + 0.25 * style(picture), atol=1e-6)


def test_buffer_returns_all_new_pictures_until_it_is_full() -> None:
    buffer, random = PictureBuffer(capacity=3), np.random.default_rng(0)
    pictures = torch.arange(3.0).view(3, 1, 1, 1)

    assert torch.equal(buffer.exchange(pictures, random), pictures)
    assert torch.equal(torch.stack(buffer.pictures), pictures)


def test_full_buffer_returns_old_pictures_half_the_time_and_keeps_the_new_in_their_place() -> None:
    buffer, random = PictureBuffer(capacity=50), np.random.default_rng(0)
    old = 0
    for number in range(2050):
        held = {int(picture) for picture in buffer.pictures}
        (returned,) = buffer.exchange(torch.full((1, 1, 1, 1), float(number)), random)
        holds = {int(picture) for picture in buffer.pictures}
        if int(returned) != number:
            old += 1
            assert holds == held - {int(returned)} | {number}
        elif number >= 50:
            assert holds == held

    assert len(buffer.pictures) == 50
    assert old / 2000 == pytest.approx(0.5, abs=0.05)


def test_buffer_keeps_no_graph_and_no_batch() -> None:
    buffer = PictureBuffer()
    buffer.exchange(torch.rand(8, 3, 4, 4, requires_grad=True) * 2, np.random.default_rng(0))

    assert not any(picture.requires_grad for picture in buffer.pictures)
    assert all(picture.untyped_storage().size() == 3 * 4 * 4 * 4 for picture in buffer.pictures)


@pytest.mark.parametrize(("score", "real", "expected"), [(1.0, True, 0.0), (0.0, True, 1.0), (0.5, False, 0.25)])
def test_scores_are_judged_by_least_squares(score: float, real: bool, expected: float) -> None:
    assert judged(torch.full((1, 1, 3, 3), score), real=real).item() == expected


def test_generators_that_change_nothing_have_no_cycle_and_no_identity_loss() -> None:
    networks = CycleGan(
        SlimGenerator(), SlimGenerator(), PatchDiscriminator(channels=2), PatchDiscriminator(channels=2)
    )
    pictures = {name: torch.rand(1, 3, 32, 32) for name in ("photograph", "moved", "painting")}
    batch = pictures | {"flow": torch.zeros(1, 2, 32, 32), "valid": torch.ones(1, 1, 32, 32)}

    terms, painted, unpainted = GeneratorObjective(networks, CycleGanRecipe(name="test", title="Test"))(batch)

    assert terms["cycle_photograph"] < 1e-6
    assert terms["cycle_painting"] < 1e-6
    assert terms["identity"] < 1e-6
    assert torch.allclose(painted, pictures["photograph"], atol=1e-6)
    assert torch.allclose(unpainted, pictures["painting"], atol=1e-6)


def test_texture_of_a_domain_is_its_mean_gram_matrix(vgg_file: Path) -> None:
    vgg = Vgg19(STYLE_LAYERS, weights=vgg_file)
    paintings, picture = torch.rand(3, 3, 32, 32), torch.rand(1, 3, 32, 32)
    features = vgg(texture(paintings))
    means = {layer: gram_matrix(features[layer]).mean(dim=0, keepdim=True) for layer in STYLE_LAYERS}

    domain = DomainTexture(GramComparison(vgg), paintings)

    assert domain(picture).item() == pytest.approx(style_loss(vgg(texture(picture)), means).item(), rel=1e-4)


def test_texture_knows_neither_colour_nor_contrast() -> None:
    grey = torch.rand(1, 1, 32, 32).expand(1, 3, 32, 32)
    tinted = 0.6 * grey + torch.tensor([0.3, 0.1, 0.2]).view(1, 3, 1, 1)

    assert (texture(tinted) - texture(grey)).abs().max() < 0.03


def test_texture_of_a_clear_sky_is_flat_and_has_a_gradient() -> None:
    sky = torch.full((1, 3, 8, 8), 0.5, requires_grad=True)

    flat = texture(sky)
    flat.square().sum().backward()

    assert flat.std() < 1e-6
    assert sky.grad is not None
    assert sky.grad.isfinite().all()
