"""`stylize-video`: stylise video files."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import chain
from pathlib import Path

from .cli_compare import require_chart, write_chart
from .command import (
    EXIT_FAILED,
    Interrupts,
    add_paths,
    make_parser,
    paths_in_use,
    require_side_file,
    run_command,
    say,
    write_side_file,
)
from .errors import UsageError
from .options import add_options, read_options
from .settings import PROGRESS_KINDS, Controls, Settings, path_argument


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    return run_command(parser.prog, lambda interrupts: _run(options, interrupts))


def _parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "stylize-video",
        "Stylise a video with a neural network: every frame, timestamp, audio track and subtitle is kept. "
        "Several inputs, or a folder, go into an output folder.",
    )
    add_paths(parser, "videos")
    add_options(parser, Controls)
    add_options(parser, Settings)
    parser.add_argument(
        "--progress",
        choices=PROGRESS_KINDS,
        default="auto",
        help="how progress is shown [auto: a bar on a terminal, else lines]",
    )
    parser.add_argument(
        "--report", type=path_argument, metavar="FILE.json", help="write what was done, measured and noticed as JSON"
    )
    parser.add_argument(
        "--plot", type=path_argument, metavar="FILE.svg", help="with --measure: draw the flicker over time, cuts marked"
    )
    return parser


def _run(options: argparse.Namespace, interrupts: Interrupts) -> int:
    # Imported here: `--help` must not wait for PyAV and OpenCV.
    import cv2

    from .batch import VIDEOS, plan_paths, result_as_json, result_table, run_batch
    from .keyframe_run import KeyframeRun, uses_keyframes
    from .progress import make_listener
    from .style_choice import choose_style
    from .video_job import VideoJobs

    interrupts.check()
    # Every stage has its thread; OpenCV's own would only compete with the network's (7 % of the time at 640x360).
    cv2.setNumThreads(1)
    settings, controls = read_options(options, Settings), read_options(options, Controls)
    with paths_in_use():
        pairs, single = plan_paths(options.paths, VIDEOS, command="stylize-video", overwrite=settings.overwrite)
        named = [name for name in (settings.gatys, settings.vgg, settings.mask) if name is not None]
        used = [*map(Path, (*settings.style, *named)), *chain.from_iterable(pairs)]
        if options.report is not None:
            require_side_file("report", options.report, used)
        if options.plot is not None:
            if not (single and settings.measure):
                raise UsageError("--plot needs --measure, and one input at a time")
            require_chart(options.plot, [*used, *([options.report] if options.report is not None else [])])
    with_keyframes = uses_keyframes(settings)
    if with_keyframes and not single:
        raise UsageError("--keyframes and --gatys are for one input and one output file at a time")
    with ExitStack() as stack:
        if settings.resume:
            stack.enter_context(_hint_at_what_is_kept([target for _, target in pairs]))
        progress = stack.enter_context(closing(make_listener(options.progress)))
        jobs: KeyframeRun | VideoJobs
        if with_keyframes:
            jobs = KeyframeRun(settings, controls, check_stop=interrupts.check)
        else:
            style = choose_style(settings.style, settings.mix)
            if style.pictures:  # seconds pass before there is a first frame
                progress.preparing(f"fitting the style to {', '.join(path.name for path in style.pictures)}")
            jobs = stack.enter_context(VideoJobs(style, settings, controls, check_stop=interrupts.check))
        if single:
            report = jobs.run(*pairs[0], progress)
            reports, failed = [report.as_json()], False
            if options.plot is not None and report.coherence is not None:
                write_chart(options.plot, report.coherence.lines(), cuts=report.coherence.cuts)
        else:
            results = run_batch(
                lambda source, target: jobs.run(source, target, progress), pairs, overwrite=settings.overwrite
            )
            progress.close()
            print(result_table(results), file=sys.stderr)
            reports = [result_as_json(result) for result in results]
            failed = any(result.error is not None for result in results)
    if options.report is not None:
        written = reports[0] if single else reports
        write_side_file("report", options.report, json.dumps(written, indent=2) + "\n")
    return EXIT_FAILED if failed else 0


@contextmanager
def _hint_at_what_is_kept(outputs: list[Path]) -> Iterator[None]:
    from .encoded_journal import journal_path

    try:
        yield
    except BaseException as error:
        kept = [path for path in map(journal_path, outputs) if path.exists()]
        if kept and not isinstance(error, UsageError):
            say(f"what has been made is kept in {kept[0]}; the same command goes on from there")
        raise
