"""`stylize-keyframe`: stylise one picture or frames of a video by optimisation (Gatys et al. 2016).

Slow and good: minutes a picture, for key frames and stills. It lives here since it reads videos as the runtime does and
optimises with torch.
"""

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.keyframe_options import START_NAMES, make_keyframe_parser
from realtime.command import Interrupts, run_command, write_side_file
from realtime.errors import StylizeError, UsageError
from realtime.meters import peak_memory_mb

if TYPE_CHECKING:
    from PIL.Image import Image

    from export.keyframe_job import KeyframeJob


def main(arguments: list[str] | None = None) -> int:
    parser = make_keyframe_parser()
    options = parser.parse_args(arguments)
    options.is_series = options.auto is not None or options.frames is not None
    if options.start is None:
        options.start = "previous" if options.is_series else "content"
    return run_command(parser.prog, lambda interrupts: _run(options, interrupts))


def _run(options: argparse.Namespace, interrupts: Interrupts) -> int:
    # Imported here: `--help` must not wait, and what is refused not for torch.
    from export.keyframe_files import read_image, require_files

    _require_series(options)
    require_files(options)
    interrupts.check()
    from export.keyframe_job import KeyframeJob

    start = None if options.start in START_NAMES else read_image(Path(options.start))
    job = KeyframeJob(options)
    if options.is_series:
        _make_series(job, start, interrupts)
    else:
        _make_one(job, start, interrupts)
    return 0


def _make_one(job: "KeyframeJob", start: "Image | None", interrupts: Interrupts) -> None:
    from export.keyframe_files import read_content

    options = job.options
    content = read_content(options)
    keyframe = job.open(content, start=start)
    # From here on a signal ends the loop between two iterations, where the state is whole.
    interrupts.hold()
    figures = job.make(
        keyframe,
        content,
        options.output,
        previews=options.output,
        state=options.resume,
        stops=lambda: interrupts.received is not None,
        keeps_unfinished=True,
    )
    assert figures is not None  # it keeps what is unfinished, too
    _write_report(job, figures)
    if not figures["finished"] and options.resume is None:
        print(
            f"{options.output} is what there is so far; --resume STATE.pt from the start on lets a run go on",
            file=sys.stderr,
        )
    if figures["diverged"]:
        raise StylizeError(f"{figures['diverged']}; the best picture until then is saved")


def _make_series(job: "KeyframeJob", start: "Image | None", interrupts: Interrupts) -> None:
    from export.keyframe_series import make_series

    made, numbers = _reported(job), []
    for number, figures in make_series(job, start, interrupts):
        numbers.append(number)
        # A picture that is kept has the figures of the run that painted it, as far as they are there.
        made[number] = figures or made.get(number, {"frame": number})
        if figures is not None:
            _write_report(job, {"keyframes": list(made.values())})
    _write_report(job, {"keyframes": [made[number] for number in numbers]})


def _reported(job: "KeyframeJob") -> dict[int, dict[str, Any]]:
    """Return the figures by frame of the report that a series which is continued is to replace."""
    options = job.options
    if not (options.resume and options.report and options.report.is_file()):
        return {}
    try:
        report = json.loads(options.report.read_text(encoding="utf-8"))
        settings = json.loads(json.dumps(dataclasses.asdict(job.settings)))
        return {each["frame"]: each for each in report["keyframes"]} if report["settings"] == settings else {}
    except (OSError, ValueError, KeyError, TypeError):  # a report of something else
        return {}


def _write_report(job: "KeyframeJob", figures: dict[str, Any]) -> None:
    if job.options.report is None:
        return
    report = {
        **figures,
        "measured_by": job.measured_by,
        "backbone": job.backbone_name,
        "peak_memory_mb": peak_memory_mb(),
        "settings": dataclasses.asdict(job.settings),
    }
    write_side_file("report", job.options.report, json.dumps(report, indent=2) + "\n")


def _require_series(options: argparse.Namespace) -> None:
    """Refuse what means nothing for one picture, or for several."""
    if options.is_series and (options.plot or options.evolution):
        raise UsageError("--plot and --evolution show one picture; leave them, or --auto and --frames, out")
    if options.start == "previous" and not options.is_series:
        raise UsageError("--start previous needs several pictures; add --auto N or give another start")
