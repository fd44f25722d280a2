"""The verb `preview` of `stylize`."""

import argparse
from typing import TYPE_CHECKING, Any

from .command import Interrupts, paths_in_use, say
from .errors import StyleError, UsageError
from .options import add_options, read_options
from .settings import Controls, Settings, path_argument

if TYPE_CHECKING:
    from .style_choice import StyleChoice

CONTROLS = frozenset({"strength", "keep_colors"})
SETTINGS = frozenset({"size", "shifts", "device", "engine", "precision", "start", "end", "overwrite"})
FRAMES = 3
FRAMES_MAX = 12
# A row each; a JPEG ends at 65,500 pixels.
STYLES_MAX = 60


def add_preview(verbs: Any) -> None:
    parser = verbs.add_parser(
        "preview",
        help="show how a video or picture will look, in all styles or some, on one sheet",
        description="Paint some frames of a video, or a picture, in all styles or some, and lay them out on one sheet: "
        "a row for the input and for each style. Each frame is painted for itself; nothing is smoothed.",
    )
    parser.add_argument("input", type=path_argument, metavar="INPUT", help="a video or picture")
    parser.add_argument("sheet", type=path_argument, metavar="SHEET", help="the picture to write: .jpg, .png, .webp")
    parser.add_argument(
        "--frames",
        type=_frames,
        default=FRAMES,
        metavar="N",
        help=f"of a video, from its beginning, middle and end alike, up to {FRAMES_MAX} [%(default)s]",
    )
    parser.add_argument(
        "--style",
        action="append",
        default=[],
        metavar="NAME|PICTURE|FILE.onnx",
        help="a row for this style; repeatable [all that need no picture]",
    )
    add_options(parser, Controls, only=CONTROLS)
    add_options(parser, Settings, only=SETTINGS)


def run_preview(options: argparse.Namespace, interrupts: Interrupts) -> int:
    from contextlib import closing

    import numpy as np

    from .loaded_style import load_style
    from .output_file import require_not_read, require_paths, write_whole
    from .picture import SAVE_OPTIONS, Picture, write_picture
    from .preview import preview_frames, preview_row

    interrupts.check()
    settings, controls = read_options(options, Settings), read_options(options, Controls)
    with paths_in_use():
        require_paths(options.input, options.sheet, suffixes=SAVE_OPTIONS, overwrite=settings.overwrite)
        choices = _choices(tuple(options.style))
        require_not_read(options.sheet, [path for choice in choices for path in choice.pictures])
    frames = preview_frames(options.input, options.frames, start_s=settings.start, end_s=settings.end)
    rows = [preview_row(frames, options.input.name)]
    for choice in choices:
        interrupts.check()
        try:
            loaded = load_style(choice, engine=settings.engine, device=settings.device, precision=settings.precision)
        except StyleError as error:
            if options.style or not choice.model.is_users:
                raise
            say(f"note: {error}")  # the others are still worth a sheet
            continue
        with closing(loaded):
            stylizer = loaded.stylizer(size_px=settings.size, shifts=settings.shifts)
            rows.append(preview_row(frames, choice.label, stylizer, controls))
        say(f"{choice.label}: painted")
    sheet = Picture(np.vstack(rows), None, b"", ())
    suffix = options.sheet.suffix.lower()
    write_whole(options.sheet, lambda part: write_picture(part, sheet, suffix=suffix), overwrite=settings.overwrite)
    height, width = sheet.rgb.shape[:2]
    say(f"{options.sheet}: {width}x{height}, {len(rows) - 1} styles, {len(frames)} frames")
    return 0


def _choices(names: tuple[str, ...]) -> "list[StyleChoice]":
    from .catalogue import is_any_style, load_styles
    from .style_choice import StyleChoice, choose_style

    if names:
        choices = [choose_style((name,)) for name in dict.fromkeys(names)]
    else:
        choices = [StyleChoice(style) for style in load_styles().values() if not is_any_style(style)]
    if len(choices) > STYLES_MAX:
        raise UsageError(f"{len(choices)} styles are too many for one sheet; name up to {STYLES_MAX} with --style")
    return choices


def _frames(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= FRAMES_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {FRAMES_MAX}")
    return int(text)
