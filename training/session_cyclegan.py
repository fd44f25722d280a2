"""One training of a CycleGAN from start to end; `session.py` is the same for styles that VGG19 judges."""

import logging
from pathlib import Path

import torch
from torch import nn

from training.backbone_choice import perceptual_backbone
from training.comparison import GramComparison
from training.cyclegan import CycleGan, PatchDiscriminator, SlimGenerator, make_generator
from training.dataset import UnpairedDataset
from training.hardware import Hardware, feature_dtype, open_fabric
from training.initial import WEIGHTS_FOLDER, load_initial
from training.loop import RunPlan
from training.network import SlimNetwork
from training.objective_cyclegan import DomainTexture
from training.photograph import PictureFolder, list_pictures, names_digest, pictures_digest, without_excluded
from training.recipe import CycleGanRecipe
from training.report import train_and_report
from training.run_folder import NETWORK_FILE, sole_use
from training.trainer_cyclegan import CycleGanTrainer

CHECKPOINT_INTERVAL_STEPS = 1000
PREVIEW_INTERVAL_STEPS = 2000
PREVIEWED = 6
# Random crops of paintings whose mean Gram matrices stand for the texture of all.
DOMAIN_PAINTINGS = 256

logger = logging.getLogger(__name__)
PREVIEW_SIDE_PX = 256


def train_cyclegan(
    recipe: CycleGanRecipe,
    *,
    paintings: Path,
    photographs: Path,
    run_folder: Path,
    vgg: Path | None = None,
    backbone: str | None = None,
    minutes: float | None = None,
    excluded: Path | None = None,
    weights_folder: Path = WEIGHTS_FOLDER,
    hardware: Hardware = Hardware(),  # noqa: B008 - frozen
    checkpoint_steps: int = CHECKPOINT_INTERVAL_STEPS,
) -> Path:
    """Train a recipe and return the file of the painter, `run_folder/network.safetensors`.

    A run folder with a checkpoint is continued. `paintings` and `photographs` are folders, searched with their
    subfolders; `excluded`, `vgg` and `backbone` are those of `session.train`, the last two for recipes with a texture
    weight. `weights_folder` is where a recipe's `initial` is looked for as ONNX.

    Raises:
        OSError, ValueError: a file or a setting is missing or wrong; the message is one line.
        NonFiniteLossError: the training diverged.
    """
    if hardware.devices > 1:
        raise ValueError(f"a CycleGAN is trained on one device, not on {hardware.devices}")
    files = list_pictures(photographs)
    if excluded:
        files = without_excluded(files, excluded)
    photograph_folder, painting_folder = PictureFolder(files), PictureFolder(list_pictures(paintings))
    torch.manual_seed(recipe.seed)
    networks = CycleGan(
        *(make_generator(recipe.network) for _ in range(2)),
        *(PatchDiscriminator(channels=recipe.discriminator_channels) for _ in range(2)),
    )
    dataset = UnpairedDataset(photograph_folder, painting_folder, side_px=recipe.crop_px, seed=recipe.seed)
    fabric = open_fabric(hardware)
    facts = {
        "photographs": str(len(files)),
        "paintings": str(len(painting_folder.files)),
        "photographs_sha256": names_digest(files, photographs),
        "excluded": excluded.name if excluded else "",
        "style_pictures_sha256": pictures_digest(painting_folder.files),
    }
    if recipe.initial:
        _start(networks.painter, recipe, run_folder=run_folder, weights_folder=weights_folder)
    domain = None
    if recipe.texture_weight:
        network = perceptual_backbone(vgg, name=backbone)
        domain = DomainTexture(
            GramComparison(network), torch.stack([dataset.painting(index) for index in range(DOMAIN_PAINTINGS)])
        )
        network.compute_in(feature_dtype(fabric))
        facts["vgg"] = network.weights_name
    shown = [folder.spread(PREVIEWED, side_px=PREVIEW_SIDE_PX) for folder in (photograph_folder, painting_folder)]
    previewed = min(map(len, shown))  # of few files some may be unreadable
    with sole_use(run_folder):
        trainer = CycleGanTrainer(
            networks,
            dataset,
            recipe=recipe,
            fabric=fabric,
            plan=RunPlan(folder=run_folder, facts=facts, workers=hardware.workers, checkpoint_steps=checkpoint_steps),
            previewed=(shown[0][:previewed], shown[1][:previewed]),
            domain=domain,
        )
        train_and_report(trainer, run_folder, minutes=minutes, preview_steps=PREVIEW_INTERVAL_STEPS)
    return run_folder / NETWORK_FILE


def _start(painter: nn.Module, recipe: CycleGanRecipe, *, run_folder: Path, weights_folder: Path) -> None:
    if not isinstance(painter, SlimGenerator):
        raise ValueError(f"{recipe.name}: only a slim painter can start from a style, not {recipe.network}")
    style = SlimNetwork()
    path = load_initial(style, recipe.initial, run_folder=run_folder, weights_folder=weights_folder)
    painter.start_from(style, strength=recipe.initial_strength)
    logger.info("%s starts from %s at strength %g", recipe.name, path, recipe.initial_strength)
