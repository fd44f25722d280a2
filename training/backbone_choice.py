"""The backbones by the names that a user gives them: `vgg19`, `resnet50`, `small`, or the file of a classifier."""

import copy
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from training.backbone import Backbone, LayerChoice
from training.classifier import ResNet50Classifier, load_classifier
from training.distilled import DISTILLED_LAYERS
from training.perceptual import STYLE_LAYERS
from training.resnet import RESNET50_LAYERS, ResNet50, resnet_chain
from training.shipped_backbone import SMALL_CARD, SmallBackbone
from training.vgg import VGG19_LAYERS, Vgg19

logger = logging.getLogger(__name__)

# With a colon and a file behind them, the weights of that file.
KINDS = ("vgg19", "resnet50", "small", "home")


@dataclass(frozen=True, slots=True)
class BackboneChoice:
    """A backbone before its layers are chosen.

    `open` takes the layers and raises ValueError for unknown ones or damaged weights, OSError for absent weights.
    """

    layers: LayerChoice
    open: Callable[[tuple[str, ...]], Backbone]


def choose_backbone(name: str | None, *, vgg: Path | None = None) -> BackboneChoice:
    """Return the backbone that is called `KIND`, `KIND:FILE` or `FILE`; `home` and a bare file are a classifier's.

    None is VGG19 if its weights are there or can be downloaded, else the small backbone, with a warning in the log.
    `vgg` is a safetensors file of VGG19.

    Raises:
        ValueError: the name fits nothing, or the file of a classifier is damaged.
        OSError: the file of a classifier is not there.
    """
    if name is None:
        return BackboneChoice(VGG19_LAYERS, partial(Vgg19, weights=vgg) if vgg else _open_default)
    kind, _, file = name.partition(":")
    weights = Path(file) if file else None
    if vgg and (kind != "vgg19" or weights):
        raise ValueError(f"weights of VGG19 are given ({vgg}), but the backbone is {name}")
    match kind:
        case "vgg19":
            return BackboneChoice(VGG19_LAYERS, partial(Vgg19, weights=weights or vgg))
        case "resnet50":
            return BackboneChoice(RESNET50_LAYERS, partial(ResNet50, weights=weights))
        case "small":
            return BackboneChoice(DISTILLED_LAYERS, partial(SmallBackbone, card=weights or SMALL_CARD))
    path = Path(file if kind == "home" else name)
    if not path.is_file() and not path.suffix:
        raise ValueError(f"no backbone {name!r}: it must be one of {', '.join(KINDS[:3])}, or the file of a classifier")
    return _classifier(path)


def perceptual_backbone(vgg: Path | None, *, name: str | None = None) -> Backbone:
    """Return what trainings and scores compare pictures by, with the layers of `perceptual.py`.

    `name` is one of `backbone_option.PERCEPTUAL`; without it the default is taken, as `choose_backbone` says. `vgg`
    means nothing to the small one: trainings by it may still be scored by VGG19.

    Raises:
        ValueError, OSError: the weights cannot be used or had.
    """
    return choose_backbone(name, vgg=None if name == "small" else vgg).open(STYLE_LAYERS)


def _open_default(layers: tuple[str, ...]) -> Backbone:
    try:
        return Vgg19(layers, weights=None)
    except OSError as error:
        backbone = SmallBackbone(layers)
        logger.warning("the small backbone stands in for VGG19: %s", error)
        return backbone


def _classifier(path: Path) -> BackboneChoice:
    """Return a classifier trained here as a backbone; its layers are called as those of VGG19 or of ResNet50."""
    network, facts = load_classifier(path)
    if isinstance(network, ResNet50Classifier):
        modules, names = resnet_chain(network)
        layers = RESNET50_LAYERS
    else:
        modules, names = list(network.features), list(network.layer_names)
        layers = LayerChoice(tuple(filter(None, names)), content=VGG19_LAYERS.content, style=STYLE_LAYERS)

    def open_layers(chosen: tuple[str, ...]) -> Backbone:
        # A copy: the precision of one that was opened is not that of the next.
        own = copy.deepcopy(modules)
        return Backbone(own, names, layers=chosen, title=facts.architecture, weights_name=path.name)

    return BackboneChoice(layers, open_layers)
