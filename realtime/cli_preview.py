"""The verb `preview` of `stylize`."""

import argparse
from typing import TYPE_CHECKING, Any

from .command import Interrupts, paths_in_use, say
from .errors import StyleError, UsageError
from .options import add_options, read_options
from .settings import Controls, Settings, count_up_to, path_argument, require_range

if TYPE_CHECKING:
    from .style_choice import StyleChoice

CONTROLS = frozenset({"strength", "keep_colors"})
SETTINGS = frozenset({"size", "shifts", "device", "engine", "precision", "start", "end", "overwrite"})
FRAMES = 3
FRAMES_MAX = 12


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
        type=count_up_to(FRAMES_MAX),
        default=FRAMES,
        metavar="N",
        help=f"of a video, from the middles of so many equal parts, up to {FRAMES_MAX} [%(default)s]",
    )
    parser.add_argument(
        "--style",
        action="append",
        default=[],
        metavar="NAME|PICTURE|FILE.onnx",
        help="a row for this style; repeatable [all that need no picture]",
    )
    add_options(parser, Controls, only=CONTROLS)
    helps = {
        "size": "short side at which the network runs",
        "start": "of a video: show what comes after this time (12.5 or 0:01:02.5)",
        "end": "of a video: show what comes before it",
    }
    add_options(parser, Settings, only=SETTINGS, helps=helps)


def run_preview(options: argparse.Namespace, interrupts: Interrupts) -> int:
    from contextlib import closing

    import numpy as np

    from .loaded_style import load_style
    from .output_file import require_not_read, require_paths, write_whole
    from .picture import SAVE_OPTIONS, Picture, write_picture
    from .preview import preview_frames, preview_row

    interrupts.check()
    settings, controls = read_options(options, Settings), read_options(options, Controls)
    require_range(settings)
    with paths_in_use():
        require_paths(options.input, options.sheet, suffixes=SAVE_OPTIONS, overwrite=settings.overwrite)
        choices = _choices(tuple(options.style))
        require_not_read(options.sheet, [path for choice in choices for path in choice.pictures])
    notes: list[str] = []
    frames = preview_frames(options.input, options.frames, start_s=settings.start, end_s=settings.end, notes=notes)
    for note in notes:
        say(f"note: {note}")
    rows = [preview_row(frames, options.input.name)]
    suffix = options.sheet.suffix.lower()
    _require_room(suffix, rows=1 + len(choices), row_px=len(rows[0]))
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
    write_whole(options.sheet, lambda part: write_picture(part, sheet, suffix=suffix), overwrite=settings.overwrite)
    height, width = sheet.rgb.shape[:2]
    say(f"{options.sheet}: {width}x{height}; styles: {len(rows) - 1}, frames: {len(frames)}")
    return 0


def _choices(names: tuple[str, ...]) -> "list[StyleChoice]":
    from .catalogue import is_any_style, load_styles
    from .style_choice import StyleChoice, choose_style

    if names:
        return [choose_style((name,)) for name in dict.fromkeys(names)]
    return [StyleChoice(style) for style in load_styles().values() if not is_any_style(style)]


def _require_room(suffix: str, *, rows: int, row_px: int) -> None:
    """Refuse a sheet that its format cannot hold, before anything is painted."""
    from .picture import SIDE_MAX_PX, WEBP_SIDE_MAX_PX

    side_max_px = WEBP_SIDE_MAX_PX if suffix == ".webp" else SIDE_MAX_PX
    if rows * row_px > side_max_px:
        raise UsageError(
            f"{rows} rows of {row_px} px are more than the {side_max_px} px of a {suffix}; name fewer with --style"
        )
