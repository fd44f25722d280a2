"""The verb `bench` of `stylize`."""

import argparse
import dataclasses
import json
from typing import Any

from .command import Interrupts, print_output
from .options import add_options, read_options
from .settings import Settings

OPTIONS = frozenset({"style", "mix", "device", "engine", "precision"})
SECONDS_OF_SIZE = 2.0


def add_bench(verbs: Any) -> None:
    parser = verbs.add_parser(
        "bench",
        help="measure how fast a style runs here, on every engine that loads",
        description="Measure how fast the network of a style runs on this machine, at the sizes of video, on every "
        "engine that loads. Leave the machine idle meanwhile.",
    )
    add_options(parser, Settings, only=OPTIONS)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run_bench(options: argparse.Namespace, interrupts: Interrupts) -> int:
    from .bench import LIVE_FPS, live_limit, measure_speeds
    from .style_choice import choose_style

    interrupts.check()
    settings = read_options(options, Settings)
    choice = choose_style(settings.style, settings.mix)
    if not options.json:
        print_output(f"{choice.label}, the network alone: latency of one frame, frames a second with all workers busy")
    speeds, engine = [], ""
    for speed in measure_speeds(
        choice,
        engine=settings.engine,
        device=settings.device,
        precision=settings.precision,
        seconds=SECONDS_OF_SIZE,
        check_stop=interrupts.check,
    ):
        speeds.append(speed)
        if options.json:
            continue
        if speed.engine != engine:
            engine = speed.engine
            print_output(f"{engine}:")
        print_output(f"  {f'{speed.width}x{speed.height}':<9}  {speed.latency_ms:7.1f} ms  {speed.fps:6.1f} fps")
    if options.json:
        print_output(json.dumps([dataclasses.asdict(speed) for speed in speeds], indent=2))
        return 0
    limit = live_limit(speeds)
    if limit is None:
        print_output(f"no size holds {LIVE_FPS} fps here; --size of the other commands may be smaller than these")
    else:
        print_output(f"{LIVE_FPS} fps, the network alone: up to {limit.width}x{limit.height} with {limit.engine}")
    return 0
