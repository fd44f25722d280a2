"""Several inputs, or a folder of them, into an output folder: one bad file does not stop the others."""

from dataclasses import dataclass
from pathlib import Path

from .errors import OutputError, StylizeError, UsageError
from .job_report import JobListener, JobReport
from .video_job import VideoJobs
from .video_sink import FORMAT_OF_SUFFIX

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


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of one input: a report, or the error that ended it."""

    input_path: Path
    output_path: Path
    report: JobReport | None
    error: Exception | None


def plan_batch(inputs: list[Path], output: Path) -> list[tuple[Path, Path]]:
    """Return (input, output) pairs. A folder among the inputs stands for the videos in it, not below.

    Raises:
        UsageError: several inputs but no output folder, no video in a folder, or two inputs with one output.
    """
    files: list[Path] = []
    for path in inputs:
        if path.is_dir():
            found = sorted(item for item in path.iterdir() if item.suffix.lower() in VIDEO_SUFFIXES and item.is_file())
            if not found:
                raise UsageError(f"no videos ({' '.join(sorted(VIDEO_SUFFIXES))}) in the folder {path}")
            files += found
        else:
            files.append(path)
    if len(inputs) == 1 and not inputs[0].is_dir() and not output.is_dir():
        return [(inputs[0], output)]
    if output.suffix and not output.is_dir():
        raise UsageError(f"several inputs need a folder as output, but {output} looks like a file")
    pairs = [(path, output / _output_name(path)) for path in files]
    doubled = {target for _, target in pairs if sum(other == target for _, other in pairs) > 1}
    if doubled:
        raise UsageError(
            f"several inputs would be written to {', '.join(sorted(map(str, doubled)))}; rename them or run them apart"
        )
    return pairs


def run_batch(jobs: VideoJobs, pairs: list[tuple[Path, Path]], listener: JobListener) -> list[BatchResult]:
    """Run all jobs in order; an error ends its own job only.

    Raises:
        OutputError: the output folder cannot be made.
    """
    for folder in {target.parent for _, target in pairs}:
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot create the output folder {folder}: {error.strerror}") from error
    results = []
    for input_path, output_path in pairs:
        try:
            report = jobs.run(input_path, output_path, listener)
            results.append(BatchResult(input_path, output_path, report, None))
        except Exception as error:  # handed on in the result; the files that follow may be well
            results.append(BatchResult(input_path, output_path, None, error))
    return results


def result_table(results: list[BatchResult]) -> str:
    """Return the table that ends a batch, one line for each input."""
    rows = [("input", "frames", "fps", "result")]
    for result in results:
        if result.report is not None:
            figures = (str(result.report.frames), f"{result.report.frames_per_s:.1f}", f"ok: {result.output_path}")
        else:
            figures = ("-", "-", f"FAILED: {_told(result.error)}")
        rows.append((result.input_path.name, *figures))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}" for row in rows)


def _told(error: Exception | None) -> str:
    if isinstance(error, StylizeError):
        return str(error)
    return f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"


def _output_name(path: Path) -> str:
    """Return the input's own name, or one of an MP4 where its container is not one that is written."""
    return path.name if path.suffix.lower() in FORMAT_OF_SUFFIX else path.stem + ".mp4"
