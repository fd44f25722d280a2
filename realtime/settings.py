"""Every option, declared once: default, range, unit and help. The command lines and the README's table come from here.

`Controls` may change while a run goes on; `Settings` are fixed for a run. No heavy imports: `--help` reads this module.
"""

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from .errors import UsageError
from .options import option

DEVICES = ("auto", "cpu", "cuda", "tensorrt", "intel-gpu", "coreml", "directml")
ENGINES = ("auto", "onnxruntime", "openvino")
SPLIT_KINDS = ("wipe", "side")
PRECISIONS = ("auto", "fp32", "fp16", "int8")
PEOPLE_ONLY, BACKGROUND_ONLY = "people", "background"
CARRY_KINDS = ("flow", "few-shot", "auto")
PROGRESS_KINDS = ("auto", "bar", "lines", "json", "none")

DEFAULT_STYLE = "starry-night"
MIXED_STYLES_MAX = 4
SIZE_MIN_PX = 64
SIZE_MAX_PX = 4320
# Short sides where `--size` is not given: of key frames that are painted, and at which they are learned.
GATYS_SIZE_PX = 512
FEW_SHOT_SIZE_PX = 540
# Passes over a picture (`stylizer.GRID_SHIFTS`).
SHIFT_COUNTS = (1, 2, 4)

# Each takes minutes to paint.
KEYFRAMES_MAX = 1000
# More than any video lasts, and little enough for every clock of FFmpeg.
TIME_MAX_S = 10**9

_WEIGHT_MAX = 1000

_DECIMAL = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")


def unit_interval(text: str) -> float:
    """Parse a number from 0 to 1."""
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is outside 0..1")
    return value


def mix_weights(text: str) -> tuple[float, ...]:
    """Parse the weights of a mix (`2,1` or `0.7,0.3`) as shares whose sum is 1."""
    weights = tuple(_number(part) for part in text.split(","))
    if not 2 <= len(weights) <= MIXED_STYLES_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} must have 2 to {MIXED_STYLES_MAX} weights, such as 2,1")
    if not all(0 <= weight <= _WEIGHT_MAX for weight in weights) or not any(weights):
        raise argparse.ArgumentTypeError(f"the weights {text!r} must be from 0 to {_WEIGHT_MAX}, and not all of them 0")
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def size_px(text: str) -> int | None:
    """Parse `full` or a short side in pixels."""
    if text == "full":
        return None
    if not text.isdecimal() or not SIZE_MIN_PX <= int(text) <= SIZE_MAX_PX:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither 'full' nor a whole number from {SIZE_MIN_PX} to {SIZE_MAX_PX}"
        )
    return int(text)


def time_s(text: str) -> Fraction:
    """Parse seconds (`12.5`) or a clock time (`01:02:03.5`, `2:03`) as exact seconds."""
    parts = text.split(":")
    # Fraction alone would also take 1/2, and work on 1e999999999 for hours.
    numbers = [Fraction(part) for part in parts] if all(_DECIMAL.fullmatch(part) for part in parts) else []
    if not 1 <= len(numbers) <= 3 or any(number >= 60 for number in numbers[1:]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; write seconds (12.5) or HH:MM:SS (0:01:02.5)")
    seconds = Fraction(0)
    for number in numbers:
        seconds = seconds * 60 + number
    if seconds > TIME_MAX_S:
        raise argparse.ArgumentTypeError(f"{text!r} is more than {TIME_MAX_S} seconds")
    return seconds


def path_argument(text: str) -> Path:
    """Parse a path; an empty one, such as that of an unset variable in a script, would mean the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return Path(text)


def key_value(text: str) -> tuple[str, str]:
    """Parse KEY=VALUE."""
    key, separator, value = text.partition("=")
    if not (key and separator):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


def _crf(text: str) -> int:
    if not text.isdecimal() or int(text) > 63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 63")
    return int(text)


def count_up_to(maximum: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from 1 to `maximum`."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= maximum:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {maximum}")
        return int(text)

    return parse


def _shifts(text: str) -> int:
    if text not in {str(count) for count in SHIFT_COUNTS}:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(map(str, SHIFT_COUNTS))}")
    return int(text)


def _path_text(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


@dataclass(frozen=True, slots=True)
class Controls:
    """What may change from frame to frame."""

    strength: float = option(
        1.0, parse=unit_interval, metavar="0..1", help="how much of the style: 0 is the input, 1 the whole style"
    )
    smoothing: float = option(
        0.8,
        parse=unit_interval,
        metavar="0..1",
        help="temporal smoothing against flicker; 0 leaves every frame as the network made it; key frames that are "
        "carried along the motion need none",
    )
    keep_colors: bool = option(False, help="keep the colours of the frame and take only the luminance of the style")
    paint: str | None = option(
        None,
        none="everything",
        choices=(PEOPLE_ONLY, BACKGROUND_ONLY),
        help="paint people only, or only what is behind them; a small network finds them",
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """What is fixed for a file job."""

    style: tuple[str, ...] = option(
        (DEFAULT_STYLE,),
        metavar="NAME|PICTURE|FILE.onnx",
        help="a style by name (see `stylize styles`), any picture to paint after, or an ONNX file; "
        f"up to {MIXED_STYLES_MAX} pictures are mixed when repeated",
    )
    mix: tuple[float, ...] | None = option(
        None,
        none="equal parts",
        parse=mix_weights,
        metavar="W,W...",
        help="weights of the --style pictures in their order, such as 2,1",
    )
    keyframes: str | None = option(
        None,
        none="none",
        parse=_path_text,
        metavar="DIR",
        help="carry these painted frames through the clip instead of a --style: pictures named by frame number "
        "(000123.png, from 0) or time (00-01-02.500.png)",
    )
    gatys: str | None = option(
        None,
        none="none",
        parse=_path_text,
        metavar="PICTURE",
        help="paint key frames after this picture by optimisation (minutes each; needs the extra `train`) and carry "
        "them through the clip",
    )
    gatys_keyframes: int | None = option(
        None,
        none="one a scene and every two seconds",
        parse=count_up_to(KEYFRAMES_MAX),
        metavar="K",
        help="with --gatys: how many frames are painted",
    )
    keep_keyframes: str | None = option(
        None,
        none="removed at the end",
        parse=_path_text,
        metavar="DIR",
        help="with --gatys: keep the painted frames in this folder, for --keyframes; an interrupted run goes on with "
        "those that are there",
    )
    carry: str = option(
        "flow",
        choices=CARRY_KINDS,
        help="how key frames become a clip: along the motion (flow), by a network trained on them for five minutes "
        "(few-shot; needs the extra `train`), or what measures better of both (auto)",
    )
    vgg: str | None = option(
        None,
        none="torchvision's, downloaded once",
        parse=_path_text,
        metavar="FILE",
        help="with --gatys and few-shot: VGG19 as safetensors",
    )
    size: int | None = option(
        None,
        none="full",
        parse=size_px,
        metavar="PX",
        help="short side at which the network runs; the output keeps the input's size; 'full' is the input's own; with "
        f"--gatys that at which key frames are painted [{GATYS_SIZE_PX}], with few-shot learned [{FEW_SHOT_SIZE_PX}]",
    )
    shifts: int = option(
        1,
        parse=_shifts,
        metavar="1|2|4",
        help="paint each picture so many times, moved by half a block of the network's, and take the mean: smoother "
        "edges and less flicker, for so many times the network's time and a little weaker fine strokes",
    )
    device: str = option("auto", choices=DEVICES, help="where the network runs")
    engine: str = option("auto", choices=ENGINES, help="what runs the network")
    precision: str = option(
        "auto",
        choices=PRECISIONS,
        help="which of the style's models: auto is int8 on processors without bf16, else fp32",
    )
    start: Fraction | None = option(
        None,
        none="the beginning",
        parse=time_s,
        metavar="TIME",
        help="begin here (12.5 or 0:01:02.5); the output's time starts at 0",
    )
    end: Fraction | None = option(None, none="the end", parse=time_s, metavar="TIME", help="stop here")
    split: str | None = option(
        None,
        none="off",
        choices=SPLIT_KINDS,
        help="show before and after: in one picture, or side by side at twice the width",
    )
    mask: str | None = option(
        None,
        none="all is painted",
        parse=_path_text,
        metavar="FILE",
        help="paint where this picture or video is white and keep the input where it is black; a video runs along "
        "with the input",
    )
    invert_mask: bool = option(False, help="with --mask: paint where it is black")
    measure: bool = option(
        False,
        help="measure the flicker of the input, of the network's pictures and of the smoothed ones, for --report "
        "and the last line; takes much longer",
    )
    codec: str | None = option(
        None,
        none="h264; vp9 in .webm",
        metavar="NAME",
        help="h264, hevc, av1, vp9, prores, an encoder of FFmpeg (h264_nvenc), "
        "or 'auto': a hardware encoder if one works",
    )
    crf: int | None = option(
        None,
        none="20 for h264, 22 hevc, 30 av1 and vp9",
        parse=_crf,
        metavar="0..63",
        help="quality of the encoder, lower is better",
    )
    preset: str | None = option(
        None,
        none="veryfast for h264 and hevc, 10 av1, 6 vp9",
        metavar="NAME",
        help="speed of the encoder; with --codec auto of libx264 alone",
    )
    pix_fmt: str | None = option(
        None, none="yuv420p; yuv422p10le for prores", metavar="FORMAT", help="pixel format of the output"
    )
    encoder_options: tuple[tuple[str, str], ...] = option(
        (),
        parse=key_value,
        metavar="KEY=VALUE",
        flags=("-e", "--encoder-option"),
        help="any further option of the encoder; repeatable",
    )
    overwrite: bool = option(False, help="replace an existing output")
    resume: bool = option(False, help="go on with a job that was stopped: what it made is kept in OUTPUT.unfinished")


def require_range(settings: Settings) -> None:
    """Refuse an `--end` that is not after `--start`.

    Raises:
        UsageError: it is not.
    """
    if settings.start is not None and settings.end is not None and settings.end <= settings.start:
        raise UsageError(f"--end ({float(settings.end):g} s) must be after --start ({float(settings.start):g} s)")


# The options of `stylize-image`.
PICTURE_OPTIONS = frozenset(
    {
        "strength",
        "keep_colors",
        "paint",
        "style",
        "mix",
        "size",
        "shifts",
        "device",
        "engine",
        "precision",
        "split",
        "mask",
        "invert_mask",
        "overwrite",
    }
)
