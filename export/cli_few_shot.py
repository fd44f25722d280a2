"""`stylize-train few-shot`: a live filter from a video and a few stylised frames of it.

stylize-train few-shot in.mp4 keyframes/ -o dusk.onnx
stylize-video in.mp4 out.mp4 --style dusk.onnx
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from export.start import initial_of
from realtime.catalogue import MODEL_SUFFIX
from realtime.command import Interrupts, make_parser, print_output, run_command
from realtime.errors import StylizeError, UsageError
from realtime.output_file import require_paths, write_whole
from realtime.settings import DEFAULT_STYLE, FEW_SHOT_SIZE_PX, path_argument, size_px, time_s
from training.backbone_option import add_backbone_option
from training.option_types import minutes

if TYPE_CHECKING:
    from training.footage import Footage

MINUTES = 5.0


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    return run_command(parser.prog, lambda interrupts: _run(options, interrupts))


def _parser() -> argparse.ArgumentParser:
    parser = make_parser("stylize-train few-shot", "Learn a style from a video and stylised frames of it, in minutes.")
    add = parser.add_argument
    add("video", type=path_argument, metavar="VIDEO", help="the video that the key frames are of")
    add(
        "keyframes",
        type=path_argument,
        metavar="KEYFRAMES",
        help="folder of stylised frames, named by number from 0 (000120.png) or time (00-01-02.500.png)",
    )
    add("-o", "--output", type=path_argument, required=True, metavar="FILE.onnx", help="the style")
    add("--minutes", type=minutes, default=MINUTES, help="time to train [%(default)g]")
    add(
        "--size",
        type=size_px,
        default=FEW_SHOT_SIZE_PX,
        metavar="PX",
        help="short side at which frames are learned, at most that of video and key frames; 'full' is theirs "
        "[%(default)s]",
    )
    add(
        "--from",
        type=time_s,
        dest="from_s",
        metavar="TIME",
        help="learn the motion of the video from here on [its start]",
    )
    add("--to", type=time_s, dest="to_s", metavar="TIME", help="to here (12.5 or 0:01:02.5) [its end]")
    add("--start", default=DEFAULT_STYLE, metavar="STYLE", help="style to start from, or none [%(default)s]")
    add("--vgg", type=path_argument, metavar="FILE", help="VGG19 as safetensors [torchvision's, downloaded once]")
    add_backbone_option(parser)
    add("--run", type=path_argument, metavar="DIR", help="keep checkpoints and previews here, and continue from them")
    add("--overwrite", action="store_true", help="replace an existing output")
    return parser


def _run(options: argparse.Namespace, interrupts: Interrupts) -> int:
    require_paths(options.video, options.output, suffixes=(MODEL_SUFFIX,), overwrite=options.overwrite)
    if options.to_s is not None and options.to_s <= (options.from_s or 0):
        raise UsageError(f"--to ({float(options.to_s):g} s) must be after --from ({float(options.from_s or 0):g} s)")
    # Imported here: `--help` must not wait for torch.
    from export.footage import read_footage

    interrupts.check()
    initial = initial_of(options.start)
    footage = read_footage(
        options.video,
        options.keyframes,
        size_px=options.size,
        start_s=options.from_s,
        end_s=options.to_s,
        check_stop=interrupts.check,
    )
    if options.run is not None:
        model = _train(options, footage, initial, options.run)
    else:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as run_folder:
            model = _train(options, footage, initial, Path(run_folder))
    write_whole(options.output, lambda part: part.write_bytes(model), overwrite=options.overwrite)
    size = min(footage.keyframes[0].frame.shape[:2])
    print_output(f"use it: stylize-video {options.video} out.mp4 --style {options.output} --size {size}")
    return 0


def _train(options: argparse.Namespace, footage: "Footage", initial: str, run_folder: Path) -> bytes:
    """Return the model, verified on the engines that compute in float32."""
    import logging

    from safetensors import SafetensorError

    from export.graph import INPUT_NAME, export_onnx, load_network, run_uint8
    from export.sample import at_sizes
    from export.verify import ParityError, measure_parity, picture_cases
    from training.few_shot import train_few_shot
    from training.loop import NonFiniteLossError
    from training.recipe import FewShotRecipe

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    recipe = FewShotRecipe(
        name=options.output.stem,
        initial=initial,
        style_size_px=min(footage.keyframes[0].frame.shape[:2]),
        footage=footage.digest(),
    )
    try:
        chosen = {"minutes": options.minutes, "vgg": options.vgg, "backbone": options.backbone}
        trained = load_network(train_few_shot(footage, recipe, run_folder=run_folder, **chosen))
        model = export_onnx(trained.network)
        pictures = at_sizes([moment.later for moment in footage.moments])
        cases = picture_cases(lambda frames: run_uint8(trained.network, frames), INPUT_NAME, pictures)
        for parity in measure_parity(model, cases):
            if parity.shortfall and parity.is_float32:
                raise ParityError(parity.shortfall)
            if parity.shortfall:  # of use on other engines, and no reason to throw away what was learned
                logging.warning("note: %s; --engine onnxruntime is exact", parity.shortfall)
    except (OSError, ValueError, SafetensorError, NonFiniteLossError) as error:
        raise StylizeError(str(error)) from error
    return model


if __name__ == "__main__":
    sys.exit(main())
