"""Classifiers trained here from random weights, to be backbones of style transfer: their networks, and their files.

All take RGB in [0, 1], (B, 3, H, W) of any size from 32x32 on, and return logits (B, classes).
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet

from training.backbone import IMAGENET_MEAN_RGB, IMAGENET_STD_RGB
from training.run_folder import save_network
from training.vgg import build_stages

CUSTOM_VGG19, SMALL_CNN, RESNET50 = "custom-vgg19", "small-cnn", "resnet50"
ARCHITECTURES = (SMALL_CNN, CUSTOM_VGG19, RESNET50)
SIDE_MIN_PX = 32  # five halvings leave one cell

_VGG19_STAGES = ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4)
# An eighth of VGG19's multiplications; the layers that style transfer reads keep their names.
_SMALL_STAGES = ((32,) * 2, (64,) * 2, (128,) * 2, (256,) * 2)
_DROPOUT = 0.5


class SequentialClassifier(nn.Module):
    """A classifier in VGG's layout, whose `features` can be walked module by module.

    `layer_names` runs parallel to `features`: `relu1_1` and so on for each ReLU, empty for the rest. The names of the
    weights are those of torchvision's `vgg19` and `vgg19_bn` up to the head. That is one linear layer on the mean of
    each channel: torchvision's, three layers on 7x7 cells, would hold 120 of its 140 million weights and, below
    224 px, read the same cells many times.
    """

    def __init__(self, stages: tuple[tuple[int, ...], ...], *, classes: int, batch_norm: bool) -> None:
        super().__init__()
        modules, names = build_stages(stages, batch_norm=batch_norm)
        self.features = nn.Sequential(*modules, nn.MaxPool2d(2))
        self.layer_names = (*names, "")
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(_DROPOUT), nn.Linear(stages[-1][-1], classes)
        )
        self.apply(_initialise)

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(normalise(pictures)))
        return logits


class ResNet50Classifier(ResNet):  # type: ignore[misc]  # torchvision has no types
    """torchvision's ResNet50 (He et al. 2015), with its names of layers and weights and its initialisation."""

    def __init__(self, *, classes: int) -> None:
        super().__init__(Bottleneck, [3, 4, 6, 3], num_classes=classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = super().forward(normalise(x))
        return logits


@dataclass(frozen=True, slots=True)
class ClassifierFacts:
    """What is known of a trained classifier; `top1` is the share of the held-out pictures it names, in [0, 1]."""

    architecture: str
    batch_norm: bool
    class_names: tuple[str, ...]
    data: str
    size_px: int
    top1: float
    minutes: float
    steps: int
    precision: str


def normalise(pictures: Tensor) -> Tensor:
    """Return RGB in [0, 1] on the scale that ImageNet's networks are given, (B, 3, H, W)."""
    mean, std = (pictures.new_tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN_RGB, IMAGENET_STD_RGB))
    return (pictures - mean) / std


def build_classifier(
    architecture: str, *, classes: int, batch_norm: bool = True
) -> SequentialClassifier | ResNet50Classifier:
    """Return a network of `ARCHITECTURES` with random weights, drawn from torch's generator.

    Raises:
        ValueError: there is no such architecture, or it cannot do without batch norm.
    """
    if architecture == RESNET50:
        if not batch_norm:
            raise ValueError(f"{RESNET50} has batch norm by design; only {SMALL_CNN} and {CUSTOM_VGG19} can go without")
        return ResNet50Classifier(classes=classes)
    stages = {CUSTOM_VGG19: _VGG19_STAGES, SMALL_CNN: _SMALL_STAGES}.get(architecture)
    if stages is None:
        raise ValueError(f"no architecture {architecture!r}; there are {', '.join(ARCHITECTURES)}")
    return SequentialClassifier(stages, classes=classes, batch_norm=batch_norm)


def save_classifier(network: nn.Module, facts: ClassifierFacts, path: Path) -> None:
    """Write the weights as safetensors with the facts as metadata; the file appears whole or not at all."""
    metadata = {name: value if isinstance(value, str) else json.dumps(value) for name, value in asdict(facts).items()}
    save_network(path, network.state_dict(), metadata)


def load_classifier(path: Path) -> tuple[SequentialClassifier | ResNet50Classifier, ClassifierFacts]:
    """Return what `save_classifier` wrote, the network in evaluation mode.

    Raises:
        ValueError: the file is damaged or no classifier of ours.
        OSError: there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no classifier at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        facts = ClassifierFacts(
            architecture=metadata["architecture"],
            batch_norm=json.loads(metadata["batch_norm"]),
            class_names=tuple(json.loads(metadata["class_names"])),
            data=metadata["data"],
            size_px=json.loads(metadata["size_px"]),
            top1=json.loads(metadata["top1"]),
            minutes=json.loads(metadata["minutes"]),
            steps=json.loads(metadata["steps"]),
            precision=metadata["precision"],
        )
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no classifier of stylize-train ({type(error).__name__}: {error})") from error
    network = build_classifier(facts.architecture, classes=len(facts.class_names), batch_norm=facts.batch_norm)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{path} does not hold the weights of a {facts.architecture}") from error
    return network.eval(), facts


def _initialise(module: nn.Module) -> None:
    """Kaiming initialisation (He et al. 2015) for convolutions; small weights for the head, as in torchvision."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        assert module.bias is not None
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
        nn.init.zeros_(module.bias)
