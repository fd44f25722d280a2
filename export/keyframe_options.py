"""The options of `stylize-keyframe`, and the settings that they stand for. No heavy imports: `--help` reads this."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from realtime.command import make_parser
from realtime.settings import GATYS_SIZE_PX, SIZE_MAX_PX, path_argument, time_s

if TYPE_CHECKING:
    from training.backbone import LayerChoice
    from training.keyframe import KeyframeSettings

# Iterations between two saved states: with the 100 pairs of L-BFGS, one is 0.8 GB at 512x512.
STATE_INTERVAL = 50
# Starts that are no files.
START_NAMES = ("content", "noise", "previous")
SIZE_MIN_PX = 32


def make_keyframe_parser() -> argparse.ArgumentParser:
    parser = make_parser("stylize-keyframe", "Stylise one picture, or frames of a video, by optimising its pixels.")
    add = parser.add_argument
    add("content", type=path_argument, metavar="CONTENT", help="picture, or video with --at or the like")
    add(
        "styles",
        type=_share_argument,
        nargs="+",
        metavar="STYLE[=SHARE]",
        help="one or more style pictures; several are mixed by their shares [1]",
    )
    add(
        "--mask",
        dest="masks",
        type=path_argument,
        action="append",
        default=[],
        metavar="FILE",
        help="where a style goes, white on black over the content: one for each style, in the same order",
    )
    add(
        "-o",
        "--output",
        type=path_argument,
        required=True,
        metavar="FILE|DIR",
        help="a PNG, JPEG or WebP; a folder with --auto or --frames",
    )
    moment = parser.add_mutually_exclusive_group()
    moment.add_argument("--at", type=time_s, metavar="TIME", help="moment of the video (12.5 or 0:01:02.5)")
    moment.add_argument("--frame", type=_count, metavar="N", help="frame of the video, counted from 0")
    moment.add_argument(
        "--auto", type=_positive, metavar="N", help="N key frames of the video, sharp ones of every scene: 000123.png"
    )
    moment.add_argument(
        "--frames", type=_numbers, metavar="N,N...", help="these frames of the video, counted from 0: 000123.png"
    )
    add("--size", type=_size, default=GATYS_SIZE_PX, metavar="PX", help="short side of the result [%(default)s]")
    add("--style-size", type=_size, metavar="PX", help="short side of the style pictures beside it [--size]")
    add("--scales", type=_positive, default=1, metavar="N", help="sizes from coarse to fine, each twice the last [1]")
    add("--iterations", type=_positive, default=300, metavar="N", help="at each scale [%(default)s]")
    add("--optimizer", choices=("lbfgs", "adam"), default="lbfgs", help="[%(default)s]")
    add(
        "--start",
        metavar="content|noise|previous|FILE",
        help="first picture; previous is the key frame before, moved with the video [content; previous of several]",
    )
    add("--seed", type=_count, default=1, metavar="N", help="of the noise [%(default)s]")
    add("--style-weight", type=_weight, default=15.0, metavar="W", help="beside content's 1 [%(default)s]")
    add("--tv-weight", type=_weight, default=0.0, metavar="W", help="total variation: smoothness [%(default)s]")
    add(
        "--backbone",
        metavar="vgg19|resnet50|small|FILE",
        help="network whose features are compared; FILE is a classifier of stylize-train's, resnet50:FILE ResNet50 as "
        "safetensors [vgg19, or small where that cannot be had]",
    )
    add("--vgg", type=path_argument, metavar="FILE", help="VGG19 as safetensors [torchvision's, downloaded once]")
    layer_help = "repeatable; an unknown name tells those of the backbone"
    add("--content-layer", type=_share, action="append", metavar="LAYER[=W]", help=f"{layer_help} [vgg19: relu4_1]")
    add(
        "--style-layer",
        type=_share,
        action="append",
        metavar="LAYER[=W]",
        help=f"{layer_help} [vgg19: relu1_1, relu2_1, relu3_1 and relu4_1]",
    )
    add("--pooling", choices=("max", "average"), default="max", help="of the backbone [%(default)s]")
    add(
        "--keep-colors",
        nargs="?",
        const="luminance",
        choices=("luminance", "match", "histogram"),
        help="keep the content's colours: paint in luminance only, or give the style its colours first, by mean and "
        "covariance or by histograms [luminance]",
    )
    add("--preview-every", type=_positive, metavar="N", help="save a PNG beside the output every N iterations")
    add(
        "--resume",
        type=path_argument,
        metavar="FILE.pt",
        help=f"keep the state here, every {STATE_INTERVAL} iterations and at Ctrl-C; continue from it if there is one; "
        "with --auto and --frames one for each key frame, and finished ones are kept",
    )
    add("--precision", choices=("auto", "bf16", "fp32"), default="auto", help="of the backbone [%(default)s]")
    add("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="[%(default)s]")
    add("--report", type=path_argument, metavar="FILE.json", help="write losses, measures and settings as JSON")
    add("--plot", type=path_argument, metavar="FILE", help="draw the losses over the iterations, PNG or SVG")
    add(
        "--evolution",
        type=path_argument,
        metavar="FILE.png",
        help="a strip of iterations 0, 10, 50, 100, 300 and the last",
    )
    add("--overwrite", action="store_true", help="replace an existing output")
    return parser


def settings_of(options: argparse.Namespace, layers: "LayerChoice") -> "KeyframeSettings":
    """Return the settings that the options stand for, with `layers`' own where the options name none.

    Raises ValueError if they do not fit together.
    """
    from training.gatys_objective import ObjectiveWeights
    from training.keyframe import KeyframeSettings

    weights = ObjectiveWeights(
        style=options.style_weight,
        total_variation=options.tv_weight,
        content_layers=dict(options.content_layer or {layers.content: 1.0}),
        style_layers=dict(options.style_layer or dict.fromkeys(layers.style, 1.0)),
    )
    return KeyframeSettings(
        size_px=options.size,
        style_size_px=options.style_size,
        scales=options.scales,
        iterations=options.iterations,
        method=options.optimizer,
        start=options.start if options.start in ("content", "noise") else "content",
        seed=options.seed,
        weights=weights,
        pooling=options.pooling,
        keep_colors=options.keep_colors,
        precision=options.precision,
    )


def _share(text: str) -> tuple[str, float]:
    """Parse NAME or NAME=WEIGHT."""
    name, separator, weight = text.rpartition("=")
    return (name, _weight(weight)) if separator else (text, 1.0)


def _share_argument(text: str) -> tuple[str, float]:
    """Parse FILE or FILE=SHARE; a file whose name holds the sign is taken as it is."""
    return (text, 1.0) if Path(text).exists() else _share(text)


def _weight(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} must be 0 or more")
    return value


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def _numbers(text: str) -> list[int]:
    """Parse the numbers of frames, in any order, as ascending ones."""
    return sorted({_count(part) for part in text.split(",")})


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def _size(text: str) -> int:
    if not text.isdecimal() or not SIZE_MIN_PX <= int(text) <= SIZE_MAX_PX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {SIZE_MIN_PX} to {SIZE_MAX_PX}")
    return int(text)
