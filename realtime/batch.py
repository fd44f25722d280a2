"""Several inputs, or a folder of them, into an output folder: one bad file does not stop the others."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from .container import FORMAT_OF_SUFFIX
from .errors import OutputError, StylizeError, UsageError
from .job_report import JobReport
from .output_file import require_paths
from .picture import READ_SUFFIXES, SAVE_OPTIONS

Report = TypeVar("Report")

VIDEO_SUFFIXES = frozenset(
    {
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
        ".avi",
        ".ts",
        ".mts",
        ".m2ts",
        ".mpg",
        ".mpeg",
        ".flv",
        ".wmv",
        ".3gp",
        ".ogv",
        ".gif",
    }
)


PICTURE_SUFFIXES = READ_SUFFIXES


@dataclass(frozen=True, slots=True)
class MediaKind:
    """What a folder is searched for, which suffixes are written, and the one that stands in for all others."""

    plural: str
    read_suffixes: frozenset[str]
    written_suffixes: Collection[str]
    default_suffix: str


VIDEOS = MediaKind("videos", VIDEO_SUFFIXES, FORMAT_OF_SUFFIX, ".mp4")
PICTURES = MediaKind("pictures", PICTURE_SUFFIXES, SAVE_OPTIONS, ".png")


@dataclass(frozen=True, slots=True)
class BatchResult(Generic[Report]):
    """What became of one input: a report, the error that ended it, or neither where its output was there already."""

    input_path: Path
    output_path: Path
    report: Report | None
    error: Exception | None


def plan_batch(inputs: list[Path], output: Path, kind: MediaKind = VIDEOS) -> list[tuple[Path, Path]]:
    """Return (input, output) pairs. A folder among the inputs stands for the videos (or pictures) in it, not below.

    Raises:
        UsageError: several inputs but no output folder, nothing of the kind in a folder, or two inputs with one output.
    """
    files: list[Path] = []
    for path in inputs:
        if path.is_dir():
            found = sorted(
                item
                for item in path.iterdir()
                # macOS leaves a hidden `._clip.mp4`, which is no video, beside each file on disks of other systems.
                if item.suffix.lower() in kind.read_suffixes and not item.name.startswith(".") and item.is_file()
            )
            if not found:
                raise UsageError(f"no {kind.plural} ({' '.join(sorted(kind.read_suffixes))}) in the folder {path}")
            files += found
        else:
            files.append(path)
    if len(inputs) == 1 and not inputs[0].is_dir() and not output.is_dir():
        return [(inputs[0], output)]
    if output.suffix and not output.is_dir():
        raise UsageError(f"several inputs need a folder as output, but {output} looks like a file")
    pairs = [(path, output / _output_name(path, kind)) for path in files]
    doubled = {target for _, target in pairs if sum(other == target for _, other in pairs) > 1}
    if doubled:
        raise UsageError(
            f"several inputs would be written to {', '.join(sorted(map(str, doubled)))}; rename them or run them apart"
        )
    return pairs


def plan_paths(
    paths: list[Path], kind: MediaKind, *, command: str, overwrite: bool
) -> tuple[list[tuple[Path, Path]], bool]:
    """Return the pairs of a command's paths, the last of which is the output, and whether it is one file into one.

    The paths of one file are checked here (`require_paths`); those of several when their turn comes.

    Raises:
        UsageError: there is no output, or as `plan_batch` and `require_paths`.
    """
    if len(paths) < 2:
        raise UsageError(f"give at least one input and the output: {command} INPUT OUTPUT")
    *inputs, output = paths
    pairs = plan_batch(inputs, output, kind)
    is_single = len(pairs) == 1 and pairs[0][1] == output
    if is_single:
        require_paths(*pairs[0], suffixes=kind.written_suffixes, overwrite=overwrite)
    return pairs, is_single


def run_batch(
    run: Callable[[Path, Path], Report], pairs: list[tuple[Path, Path]], *, overwrite: bool
) -> list[BatchResult[Report]]:
    """Run all jobs in order; an error ends its own job only.

    Without `overwrite`, inputs whose output is there already are skipped, so that a folder that was interrupted goes on
    where it was: outputs get their names last, when they are whole.

    Raises:
        OutputError: the output folder cannot be made.
    """
    for folder in {target.parent for _, target in pairs}:
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot create the output folder {folder}: {error.strerror}") from error
    results: list[BatchResult[Report]] = []
    for input_path, output_path in pairs:
        if not overwrite and _is_made(input_path, output_path):
            results.append(BatchResult(input_path, output_path, None, None))
            continue
        try:
            results.append(BatchResult(input_path, output_path, run(input_path, output_path), None))
        except Exception as error:  # handed on in the result; the files that follow may be well
            results.append(BatchResult(input_path, output_path, None, error))
    return results


def result_table(results: list[BatchResult[JobReport]]) -> str:
    """Return the table that ends a batch, one line for each input."""
    rows = [("input", "frames", "fps", "result")]
    for result in results:
        if result.report is not None:
            figures = (str(result.report.frames), f"{result.report.frames_per_s:.1f}", f"ok: {result.output_path}")
        elif result.error is None:
            figures = ("-", "-", skipped_text(result.output_path))
        else:
            figures = ("-", "-", f"FAILED: {error_text(result.error)}")
        rows.append((result.input_path.name, *figures))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}" for row in rows)


def result_as_json(result: BatchResult[JobReport]) -> dict[str, Any]:
    """Return an entry of the report of a batch."""
    if result.report is not None:
        return result.report.as_json()
    if result.error is not None:
        return {"input": str(result.input_path), "error": str(result.error)}
    return {"input": str(result.input_path), "skipped": str(result.output_path)}


def skipped_text(output_path: Path) -> str:
    """Return the line that tells why an input was skipped."""
    return f"skipped: {output_path} exists; --overwrite replaces it"


def error_text(error: Exception) -> str:
    """Return the line that tells of a failure."""
    if isinstance(error, StylizeError):
        return str(error)
    return f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"


def _is_made(input_path: Path, output_path: Path) -> bool:
    """Return whether there is an output; the job itself tells what is wrong with its paths."""
    is_there = input_path.is_file() and output_path.is_file() and not output_path.samefile(input_path)
    return is_there and output_path.stat().st_size > 0


def _output_name(path: Path, kind: MediaKind) -> str:
    """Return the input's own name, or one with the default suffix where its format is not one that is written."""
    return path.name if path.suffix.lower() in kind.written_suffixes else path.stem + kind.default_suffix
