"""The scores of a style's card: which figures a kind of style has, and from what pictures they are measured."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.graph import TrainedNetwork, export_onnx, load_network
from export.sample import Sample, read_pictures
from export.score import perceptual_scores
from export.score_adain import any_style_scores
from export.score_cyclegan import SCORED_SIDE_PX, cyclegan_scores
from export.style import ExportedStyle
from realtime.style_code import ENCODED_SHORT_SIDE_PX
from training.backbone import Backbone
from training.backbone_choice import perceptual_backbone
from training.photograph import list_pictures
from training.trainer_cyclegan import UNPAINTER_FILE

# Any-style models are scored on pairs: this many paintings with every photograph.
PAIRED_PAINTINGS = 10
# Of the photographs that a kind is scored on, where it is not that of all others.
SCORED_SIDES_PX = {"cyclegan": SCORED_SIDE_PX}


@dataclass(frozen=True, slots=True)
class Scored:
    """A style that was exported from the training run in `run`.

    `pictures` is the folder of its style picture; for any-style models and CycleGANs one of paintings, to tell
    something those that training did not see.
    """

    trained: TrainedNetwork
    exported: ExportedStyle
    sample: Sample
    run: Path
    pictures: Path


def require_scored_kind(kind: str) -> None:
    """Refuse to publish styles of a kind that has no scores.

    Raises:
        ValueError: it is, as those that were learned for one video are.
    """
    if kind not in _SCORES:
        raise ValueError(f"styles of kind {kind} are not scored, and so not published; give --output FILE instead")


def scores_of(scored: Scored, *, vgg: Path | None) -> dict[str, Any]:
    """Return the scores of a style for its card, by its kind; `vgg` is a file of VGG19; None takes
    torchvision's weights, or the small backbone where they cannot be had.

    Raises:
        OSError, ValueError: a picture is missing or cannot be read.
    """
    return _SCORES[scored.trained.kind](scored, perceptual_backbone(vgg))


def _feed_forward(scored: Scored, backbone: Backbone) -> dict[str, Any]:
    recipe = scored.trained.recipe
    return perceptual_scores(
        scored.exported.model,
        style_picture=scored.pictures / recipe["picture"],
        style_size_px=recipe["style_size_px"],
        photographs=scored.sample.scored,
        backbone=backbone,
    )


def _any_style(scored: Scored, backbone: Backbone) -> dict[str, Any]:
    paintings = read_pictures(list_pictures(scored.pictures), PAIRED_PAINTINGS, short_side_px=ENCODED_SHORT_SIDE_PX)
    return any_style_scores(
        scored.exported.model,
        scored.exported.parts["encoder"],
        fitter=scored.exported.parts["fitter"],
        photographs=scored.sample.scored,
        paintings=list(paintings.values()),
        backbone=backbone,
    )


def _cyclegan(scored: Scored, backbone: Backbone) -> dict[str, Any]:
    files = list_pictures(scored.pictures)
    return cyclegan_scores(
        scored.exported.model,
        export_onnx(load_network(scored.run / UNPAINTER_FILE).network),
        photographs=scored.sample.scored,
        paintings=read_pictures(files, len(files), short_side_px=SCORED_SIDE_PX),
        backbone=backbone,
    )


_SCORES: dict[str, Callable[[Scored, Backbone], dict[str, Any]]] = {
    "feed-forward": _feed_forward,
    "adain": _any_style,
    "cyclegan": _cyclegan,
}
