"""The verb `doctor` of `stylize`."""

import argparse
import dataclasses
import json
import os
from typing import Any

from .command import EXIT_FAILED, Interrupts, print_output


def add_doctor(verbs: Any) -> None:
    parser = verbs.add_parser(
        "doctor",
        help="try engines, encoders, weights and cameras; say what is missing and the fix",
        description="Try engines, encoders, weights and cameras of this machine; say what is missing and the fix. "
        "The result holds nothing private and can be pasted into a bug report.",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run_doctor(options: argparse.Namespace, interrupts: Interrupts) -> int:
    """Print every finding; the exit code tells whether something is broken."""
    # Before the import of OpenCV: it would warn of cameras that are not there.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    from .doctor import BROKEN, examine

    interrupts.check()
    findings, part = [], ""
    for finding in examine():
        interrupts.check()
        findings.append(finding)
        if options.json:
            continue
        if finding.part != part:
            part = finding.part
            print_output(f"{part}:")
        print_output(f"  {finding.state:<8} {finding.name}: {finding.detail}")
    if options.json:
        print_output(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    return EXIT_FAILED if any(finding.state == BROKEN for finding in findings) else 0
