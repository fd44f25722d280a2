"""One training from start to end: what the command does, as a function for other code."""

import logging
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.multiprocessing.spawn import ProcessRaisedException

from training.adain import AdainNetwork, SlimAdainNetwork
from training.backbone import Backbone
from training.backbone_choice import perceptual_backbone
from training.clip import ClipPairs
from training.comparison import GramComparison, MeanStdComparison
from training.dataset import StepDataset
from training.hardware import Hardware, feature_dtype, open_fabric, share_cores
from training.initial import WEIGHTS_FOLDER, load_initial
from training.loop import CHECKPOINT_INTERVAL_STEPS, RunPlan
from training.network import JohnsonNetwork, SlimNetwork
from training.objective import Objective
from training.objective_adain import AdainObjective
from training.objective_feedforward import FeedForwardObjective
from training.perceptual import CONTENT_LAYER
from training.photograph import (
    PictureFolder,
    list_pictures,
    load_picture,
    names_digest,
    pictures_digest,
    to_tensor,
    without_excluded,
)
from training.recipe import AdainRecipe, FeedForwardRecipe
from training.report import train_and_report
from training.run_folder import NETWORK_FILE, sole_use
from training.trainer import Trainer
from training.vgg import Vgg19

PREVIEW_PHOTOGRAPHS = 6
PREVIEW_PAINTINGS = 8
PREVIEW_SIDE_PX = 256

logger = logging.getLogger(__name__)


class SessionError(RuntimeError):
    """A process of a training on several devices failed; the message is the last line of what it said."""


@dataclass(frozen=True, slots=True)
class _Session:
    """The arguments of `train`, as they go to the process of each device."""

    recipe: FeedForwardRecipe | AdainRecipe
    style_pictures: Path
    photographs: Path
    run_folder: Path
    vgg: Path | None
    minutes: float | None
    excluded: Path | None
    clips: Path | None
    weights_folder: Path
    workers: int
    checkpoint_steps: int
    backbone: str | None


def train(
    recipe: FeedForwardRecipe | AdainRecipe,
    *,
    style_pictures: Path,
    photographs: Path,
    run_folder: Path,
    vgg: Path | None = None,
    backbone: str | None = None,
    minutes: float | None = None,
    excluded: Path | None = None,
    clips: Path | None = None,
    weights_folder: Path = WEIGHTS_FOLDER,
    hardware: Hardware = Hardware(),  # noqa: B008 - frozen
    checkpoint_steps: int = CHECKPOINT_INTERVAL_STEPS,
) -> Path:
    """Train a recipe and return the file of the network, `run_folder/network.safetensors`.

    A run folder with a checkpoint is continued.

    Args:
        style_pictures: the style picture of a feed-forward recipe, the folder of paintings of an any-style one.
        photographs: folder of photographs, searched with its subfolders.
        vgg: safetensors file of VGG19; None takes torchvision's weights, or where they cannot be had the small
            backbone.
        backbone: what pictures are compared by, one of `backbone_option.PERCEPTUAL`, if not the default.
        minutes: budget of time that the schedule is fitted to; without it the recipe's steps decide.
        excluded: text file of the names or absolute paths of photographs to hold out, one a line.
        clips: folder of frame pairs with their flow (see `clip.py`).
        weights_folder: where a recipe's `initial` is looked for as ONNX.

    Raises:
        OSError, ValueError: a file or a setting is missing or wrong; the message is one line.
        NonFiniteLossError: the training diverged.
        SessionError: the same on several devices, each in a process of its own.
    """
    session = _Session(
        *(recipe, style_pictures, photographs, run_folder, vgg, minutes, excluded, clips, weights_folder),
        *(hardware.workers, checkpoint_steps, backbone),
    )
    try:
        open_fabric(hardware).launch(partial(_train, session=session))
    except ProcessRaisedException as error:
        raise SessionError(str(error).strip().splitlines()[-1]) from error
    return run_folder / NETWORK_FILE


def _train(fabric: Fabric, session: _Session) -> None:
    with sole_use(session.run_folder) if fabric.is_global_zero else nullcontext():
        _train_alone(fabric, session)


def _train_alone(fabric: Fabric, session: _Session) -> None:
    recipe = session.recipe
    share_cores(fabric)
    if fabric.world_size > 1:  # a process of its own, where nobody has set up the log
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    files = list_pictures(session.photographs)
    if session.excluded:
        files = without_excluded(files, session.excluded)
    photographs = PictureFolder(files)
    paintings = PictureFolder(list_pictures(session.style_pictures)) if isinstance(recipe, AdainRecipe) else None
    backbone = perceptual_backbone(session.vgg, name=session.backbone)
    objective = _objective(session, backbone, photographs, paintings)
    backbone.compute_in(feature_dtype(fabric))
    clips = ClipPairs(session.clips, side_px=recipe.crop_px) if session.clips else None
    dataset = StepDataset(
        photographs,
        side_px=recipe.crop_px,
        seed=recipe.seed,
        paintings=paintings,
        painting_side_px=recipe.style_size_px,
        clips=clips,
    )
    trainer = Trainer(
        objective,
        dataset,
        recipe=recipe,
        fabric=fabric,
        plan=RunPlan(
            folder=session.run_folder,
            facts={
                "vgg": backbone.weights_name,
                "style_pictures_sha256": pictures_digest(paintings.files if paintings else [session.style_pictures]),
                "photographs_sha256": names_digest(files, session.photographs),
                "clips_sha256": names_digest(clips.files, session.clips) if clips and session.clips else "",
                "excluded": session.excluded.name if session.excluded else "",
            },
            workers=session.workers,
            checkpoint_steps=session.checkpoint_steps,
        ),
    )
    if fabric.is_global_zero:
        train_and_report(trainer, session.run_folder, minutes=session.minutes)
    else:
        for _ in trainer.run(minutes=session.minutes):
            pass


def _objective(
    session: _Session, backbone: Backbone, photographs: PictureFolder, paintings: PictureFolder | None
) -> Objective:
    recipe = session.recipe
    torch.manual_seed(recipe.seed)
    previewed = photographs.spread(PREVIEW_PHOTOGRAPHS, side_px=PREVIEW_SIDE_PX)
    if isinstance(recipe, FeedForwardRecipe):
        network = SlimNetwork() if recipe.network == "slim" else JohnsonNetwork()
        _start(network, session)
        style_picture = load_picture(session.style_pictures, short_side_px=recipe.style_size_px)
        return FeedForwardObjective(
            network,
            recipe,
            comparison=GramComparison(backbone),
            style_picture=to_tensor(style_picture),
            previewed=previewed,
        )
    assert paintings is not None
    if recipe.network == "slim":
        any_style: SlimAdainNetwork | AdainNetwork = SlimAdainNetwork()
    else:
        any_style = AdainNetwork(Vgg19((CONTENT_LAYER,), weights=session.vgg))
    _start(any_style, session)
    comparison = GramComparison(backbone) if recipe.style_loss == "gram" else MeanStdComparison(backbone)
    return AdainObjective(
        any_style,
        recipe,
        comparison=comparison,
        previewed=previewed,
        previewed_paintings=paintings.spread(PREVIEW_PAINTINGS, side_px=PREVIEW_SIDE_PX),
    )


def _start(network: nn.Module, session: _Session) -> None:
    initial = session.recipe.initial
    if initial:
        path = load_initial(network, initial, run_folder=session.run_folder, weights_folder=session.weights_folder)
        logger.info("%s starts from %s", session.recipe.name, path)
