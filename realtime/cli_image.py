"""`stylize-image`: stylise still pictures."""

import argparse
import sys
from pathlib import Path

from .command import EXIT_FAILED, Interrupts, add_paths, make_parser, paths_in_use, run_command
from .options import add_options, read_options
from .settings import PICTURE_OPTIONS, Controls, Settings


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    return run_command(parser.prog, lambda interrupts: _run(options, interrupts))


def _parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "stylize-image",
        "Stylise a picture with a neural network, at its own size. Several pictures, or a folder, go into an output "
        "folder.",
    )
    add_paths(parser, "pictures")
    add_options(parser, Controls, only=PICTURE_OPTIONS)
    add_options(parser, Settings, only=PICTURE_OPTIONS)
    return parser


def _run(options: argparse.Namespace, interrupts: Interrupts) -> int:
    # Imported here: `--help` must not wait for OpenCV and Pillow.
    from .batch import PICTURES, error_text, plan_paths, run_batch, skipped_text
    from .picture_job import PictureJobs, PictureReport
    from .style_choice import choose_style

    interrupts.check()
    settings, controls = read_options(options, Settings), read_options(options, Controls)
    with paths_in_use():
        pairs, single = plan_paths(options.paths, PICTURES, command="stylize-image", overwrite=settings.overwrite)
    style = choose_style(settings.style, settings.mix)
    with PictureJobs(style, settings, controls, check_stop=interrupts.check) as jobs:

        def run(input_path: Path, output_path: Path) -> PictureReport:
            report = jobs.run(input_path, output_path)
            for note in report.notes:
                print(f"note: {input_path}: {note}", file=sys.stderr)
            print(
                f"{report.output}: {report.width}x{report.height} in {report.run_s:.1f} s; "
                f"{report.style}; {report.engine}",
                file=sys.stderr,
            )
            return report

        if single:
            run(*pairs[0])
            return 0
        results = run_batch(run, pairs, overwrite=settings.overwrite)
    is_failed = False
    for result in results:
        if result.error is not None:
            is_failed = True
            print(f"{result.input_path}: FAILED: {error_text(result.error)}", file=sys.stderr)
        elif result.report is None:
            print(f"{result.input_path}: {skipped_text(result.output_path)}", file=sys.stderr)
    return EXIT_FAILED if is_failed else 0
