"""`stylize compare`: measure stylised videos against their input."""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from .command import (
    Interrupts,
    paths_in_use,
    print_output,
    require_side_file,
    write_side_file,
)
from .errors import UsageError
from .settings import path_argument, size_px

CHART_SUFFIX = ".svg"
CHART_TITLE = "Warping error E_warp of each pair of frames"


def add_compare(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb's options."""
    parser = verbs.add_parser(
        "compare",
        help="measure flicker and sharpness of stylised videos against their input",
        description="Measure stylised videos, ours or anybody's, against the input they were made of: how much they "
        "flicker (E_warp), how far their changes differ from the input's (FDB), how sharp they are.",
    )
    parser.add_argument("input", type=path_argument, metavar="INPUT", help="the video before stylisation")
    parser.add_argument("outputs", nargs="+", type=path_argument, metavar="STYLISED", help="what was made of it")
    parser.add_argument(
        "--unsmoothed",
        type=path_argument,
        metavar="FILE",
        help="the same style frame by frame, by which the flicker removed is counted",
    )
    parser.add_argument(
        "--size",
        type=size_px,
        metavar="PX",
        help="short side at which all are measured; smaller is faster [the input's]",
    )
    parser.add_argument(
        "--flow", type=path_argument, metavar="FOLDER", help="the true motion, a .flo file for every pair of frames"
    )
    parser.add_argument(
        "--plot", type=path_argument, metavar=f"FILE{CHART_SUFFIX}", help="draw E_warp over time, cuts marked"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run_compare(options: argparse.Namespace, interrupts: Interrupts) -> int:
    from tqdm import tqdm

    from .compare import compare

    interrupts.check()
    if options.plot is not None:
        unsmoothed = [options.unsmoothed] if options.unsmoothed is not None else []
        require_chart(options.plot, [options.input, *options.outputs, *unsmoothed])
    with closing(tqdm(unit=" frames", leave=False, disable=None)) as bar:  # None: only on a terminal

        def on_frame(frames: int, expected: int | None) -> None:
            bar.total = expected
            bar.update(frames - bar.n)
            interrupts.check()

        with paths_in_use():
            result = compare(
                options.input,
                options.outputs,
                unsmoothed=options.unsmoothed,
                short_side_px=options.size,
                flow_folder=options.flow,
                on_frame=on_frame,
            )
    for note in result.notes:
        print(f"note: {note}", file=sys.stderr)
    if options.plot is not None:
        write_chart(options.plot, result.lines(), cuts=result.cuts)
    if options.json:
        print_output(json.dumps(result.as_json(), indent=2))
        return 0
    print_output(f"{result.frames} frames at {result.size[0]}x{result.size[1]}, cuts left out: {len(result.cuts)}")
    print_output(result.table())
    return 0


def require_chart(path: Path, others: list[Path]) -> None:
    """Refuse a chart that cannot be drawn or written, or that would overwrite one of `others`."""
    if path.suffix.lower() != CHART_SUFFIX:
        raise UsageError(f"--plot draws an SVG: {path} must end in {CHART_SUFFIX}")
    require_side_file("plot", path, others)


def write_chart(path: Path, warping_errors: dict[str, list[float]], *, cuts: Sequence[int]) -> None:
    """Draw the E_warp of every pair of frames, by the name of the video."""
    from .chart import line_chart

    write_side_file("plot", path, line_chart(CHART_TITLE, warping_errors, first=1, marks=cuts))
