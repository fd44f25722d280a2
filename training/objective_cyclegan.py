"""What the two sides of a CycleGAN minimise (Zhu et al. 2017, sections 3 and 4): least squares, cycle and identity.

Pictures are RGB in [0, 1], where the paper's are in [-1, 1]: differences are halves of the paper's, so that its cycle
weight of 10 is 20 here.
"""

import torch
from torch import Tensor, nn

from training.coherence import coherence_loss
from training.comparison import GramComparison
from training.cyclegan import CycleGan
from training.grid import grid_loss
from training.palette import luminance
from training.recipe import CycleGanRecipe

# Mean and deviation of ImageNet's photographs, about which VGG19 was trained.
TEXTURE_MEAN, TEXTURE_DEVIATION = 0.45, 0.22
# Added to the deviation (squared), so that a clear sky is not enlarged to noise: two grey levels.
FLAT_DEVIATION = 2 / 255


class DomainTexture(nn.Module):
    """The style loss between a picture's texture and that of all `paintings` (N, 3, H, W): their mean Gram matrices.

    Texture is luminance of one mean and contrast (`texture`), so that the loss tells of brush strokes alone: with
    colours in it, every sky turned into the mean colour of the paintings. Tones and colours are the discriminator's
    matter. Must be built before `comparison` is set to a reduced precision.
    """

    def __init__(self, comparison: GramComparison, paintings: Tensor) -> None:
        super().__init__()
        self._comparison = comparison
        sums: dict[str, Tensor] = {}
        for painting in paintings:  # one by one: the features of all would not fit into memory
            for layer, gram in comparison.style(texture(painting.unsqueeze(0))).items():
                sums[layer] = sums.get(layer, torch.zeros_like(gram)) + gram
        self._grams = nn.ParameterDict(
            {layer: nn.Parameter(total / len(paintings), requires_grad=False) for layer, total in sums.items()}
        )

    def forward(self, pictures: Tensor) -> Tensor:
        return self._comparison.style_alone(texture(pictures), dict(self._grams.items()))


def texture(pictures: Tensor) -> Tensor:
    """Return the luminance of (B, 3, H, W), each with mean and deviation of an average photograph, as grey pictures."""
    grey = luminance(pictures)
    variance, mean = torch.var_mean(grey, dim=(2, 3), keepdim=True)
    deviation = (variance + FLAT_DEVIATION**2).sqrt()
    return (TEXTURE_MEAN + TEXTURE_DEVIATION * (grey - mean) / deviation).expand_as(pictures)


class GeneratorObjective(nn.Module):
    """The terms of both generators, and the weight of every term in `weights`.

    To the paper's terms come some for the painter alone, which is what videos see: against flicker (`coherence.py`),
    against patterns of the pixel grid (`grid.py`) and, with a `domain`, the distance from the texture of all paintings,
    which teaches brush strokes long before a discriminator does.
    """

    def __init__(self, networks: CycleGan, recipe: CycleGanRecipe, *, domain: DomainTexture | None = None) -> None:
        super().__init__()
        self._domain = domain
        self.painter = networks.painter
        self.unpainter = networks.unpainter
        # Not as submodules: their weights are another optimiser's.
        self._discriminators = (networks.painting_discriminator, networks.photograph_discriminator)
        self._chroma_weight = recipe.coherence_chroma_weight
        self.weights = {
            "adversarial_painting": 1.0,
            "adversarial_photograph": 1.0,
            "cycle_photograph": recipe.cycle_weight,
            "cycle_painting": recipe.cycle_weight,
            "identity": recipe.identity_weight,
            "coherence": recipe.coherence_weight,
            "grid": recipe.grid_weight,
            "texture": recipe.texture_weight,
        }

    def forward(self, batch: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Return the terms, the paintings made of photographs and the photographs made of paintings."""
        photographs, paintings = batch["photograph"], batch["painting"]
        painted, moved, kept_paintings = (
            self.painter(torch.cat((photographs, batch["moved"], paintings))).float().chunk(3)
        )
        unpainted, kept_photographs = self.unpainter(torch.cat((paintings, photographs))).float().chunk(2)
        judge_paintings, judge_photographs = self._discriminators
        terms = {
            "adversarial_painting": judged(judge_paintings(painted), real=True),
            "adversarial_photograph": judged(judge_photographs(unpainted), real=True),
            "cycle_photograph": (self.unpainter(painted).float() - photographs).abs().mean(),
            "cycle_painting": (self.painter(unpainted).float() - paintings).abs().mean(),
            "identity": (kept_paintings - paintings).abs().mean() + (kept_photographs - photographs).abs().mean(),
            "coherence": coherence_loss(
                painted, moved, flow=batch["flow"], valid=batch["valid"], chroma_weight=self._chroma_weight
            ),
            "grid": grid_loss(painted),
        }
        if self._domain:
            terms["texture"] = self._domain(painted)
        return terms, painted.detach(), unpainted.detach()


class DiscriminatorObjective(nn.Module):
    """The terms of both discriminators; halved, as in the paper, so that they learn at half the generators' rate."""

    def __init__(self, networks: CycleGan) -> None:
        super().__init__()
        self.painting_discriminator = networks.painting_discriminator
        self.photograph_discriminator = networks.photograph_discriminator

    def forward(self, batch: dict[str, Tensor], painted: Tensor, unpainted: Tensor) -> dict[str, Tensor]:
        pairs = {
            "painting_discriminator": (self.painting_discriminator, batch["painting"], painted),
            "photograph_discriminator": (self.photograph_discriminator, batch["photograph"], unpainted),
        }
        terms = {}
        for name, (discriminator, real, generated) in pairs.items():
            of_real, of_generated = discriminator(torch.cat((real, generated))).chunk(2)
            terms[name] = (judged(of_real, real=True) + judged(of_generated, real=False)) / 2
        return terms


def judged(scores: Tensor, *, real: bool) -> Tensor:
    """Return how far scores are from 1 for real or 0 for generated ones, squared (Mao et al. 2017)."""
    return (scores.float() - float(real)).square().mean()
