"""Train a network of the shipped kind on key frames of one video, in minutes."""

from pathlib import Path

import torch
from lightning_fabric import Fabric

from training.backbone_choice import perceptual_backbone
from training.comparison import GramComparison
from training.footage import Footage, FootageDataset
from training.hardware import Hardware, feature_dtype, open_fabric
from training.initial import WEIGHTS_FOLDER, load_initial
from training.loop import RunPlan
from training.network import SlimNetwork
from training.objective_few_shot import FewShotObjective
from training.recipe import FewShotRecipe
from training.report import train_and_report
from training.run_folder import NETWORK_FILE, sole_use
from training.trainer import Trainer


def train_few_shot(
    footage: Footage,
    recipe: FewShotRecipe,
    *,
    run_folder: Path,
    minutes: float | None = None,
    vgg: Path | None = None,
    backbone: str | None = None,
    weights_folder: Path = WEIGHTS_FOLDER,
    hardware: Hardware = Hardware(),  # noqa: B008 - frozen
) -> Path:
    """Train a recipe on `footage` and return the file of the network, `run_folder/network.safetensors`.

    A run folder with a checkpoint is continued.

    Args:
        minutes: budget of time that the schedule is fitted to; without it the recipe's steps decide.
        vgg: safetensors file of VGG19; None takes torchvision's weights, or where they cannot be had the small
            backbone.
        backbone: what pictures are compared by, one of `backbone_option.PERCEPTUAL`, if not the default.
        weights_folder: where the recipe's `initial` is looked for as ONNX.

    Raises:
        OSError, ValueError: a file or a setting is missing or wrong; the message is one line.
        NonFiniteLossError: the training diverged.
    """

    def work(fabric: Fabric) -> None:
        torch.manual_seed(recipe.seed)
        network = SlimNetwork()
        if recipe.initial:
            load_initial(network, recipe.initial, run_folder=run_folder, weights_folder=weights_folder)
        features = perceptual_backbone(vgg, name=backbone)
        features.compute_in(feature_dtype(fabric))
        with sole_use(run_folder):
            trainer = Trainer(
                FewShotObjective(network, recipe, comparison=GramComparison(features), footage=footage),
                FootageDataset(footage, patch_px=recipe.crop_px, seed=recipe.seed),
                recipe=recipe,
                fabric=fabric,
                plan=RunPlan(folder=run_folder, facts={"vgg": features.weights_name}),
            )
            train_and_report(trainer, run_folder, minutes=minutes)

    open_fabric(hardware).launch(work)
    return run_folder / NETWORK_FILE
