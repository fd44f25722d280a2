"""What the pictures of a series are made of, kept beside them: a series goes on with its own pictures only."""

import argparse
import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from export.keyframe_job import KeyframeJob
from export.keyframe_options import START_NAMES
from realtime.errors import InputError, UsageError
from realtime.keyframe_folder import RECORD_NAME
from realtime.output_file import write_whole
from realtime.picture import READ_SUFFIXES

_REPORT_KEY = "report"


def series_record(job: KeyframeJob, numbers: Sequence[int], outputs: Sequence[Path]) -> dict[str, Any]:
    """Return the record of a series: what `outputs`, the pictures of the frames `numbers`, are made of.

    Raises:
        UsageError: the folder holds pictures of something else, or `--report` is of something else.
        InputError: a file cannot be read.
    """
    options = job.options
    pictures = _pictures_in(options.output)
    strangers = [path for path in pictures if path not in outputs]
    if strangers:
        raise UsageError(f"{strangers[0]} is none of the frames {_listed(numbers)} that are painted; remove it")
    made_of = _made_of(job, numbers)
    before = _read(options.output / RECORD_NAME) if options.resume and pictures else made_of
    differences = sorted(key for key, value in made_of.items() if before.get(key) != value)
    if differences:
        raise UsageError(
            f"{options.output} holds pictures that were painted with other values of: {', '.join(differences)}; "
            "give another folder"
        )
    report = before.get(_REPORT_KEY)
    if options.report is not None and str(options.report.resolve()) != report:
        if options.report.exists() and not options.overwrite:
            raise UsageError(
                f"{options.report} exists, and the series in {options.output} does not tell that it is its report; add "
                "--overwrite to replace it"
            )
        report = str(options.report.resolve())
    return {**made_of, _REPORT_KEY: report}


def begin_series(folder: Path, record: Mapping[str, Any], *, goes_on: bool) -> None:
    """Write the record of a series; the pictures in the folder of one that does not go on are removed."""
    if not goes_on:
        # What is to be painted anew must not pass for it, should this run be stopped and continued.
        for picture in _pictures_in(folder):
            picture.unlink()
    write_whole(folder / RECORD_NAME, lambda part: _write(part, record), overwrite=True)


def _pictures_in(folder: Path) -> list[Path]:
    shown = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(path for path in shown if path.suffix.lower() in READ_SUFFIXES)


def _made_of(job: KeyframeJob, numbers: Sequence[int]) -> dict[str, Any]:
    """Return what must be the same for pictures to belong together, as JSON holds it; files by their SHA-256."""
    options: argparse.Namespace = job.options
    try:
        record = {
            "video": _digest(options.content),
            "frames": list(numbers),
            "style": [[_digest(Path(path)), share] for path, share in options.styles],
            "mask": [_digest(path) for path in options.masks],
            **dataclasses.asdict(job.settings),
            "start": options.start if options.start in START_NAMES else _digest(Path(options.start)),
            "backbone": job.backbone_name,
        }
    except OSError as error:
        raise InputError(f"cannot read {error.filename}: {error.strerror}") from error
    whole: dict[str, Any] = json.loads(json.dumps(record))
    return whole


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"{path.parent} holds pictures, but no {path.name} that tells how they were painted; give another folder"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read; give another folder") from error
    return record if isinstance(record, dict) else {}


def _write(path: Path, record: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
