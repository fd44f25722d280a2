"""Show how a job goes: a bar on a terminal, plain lines when piped, JSON lines on request."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from .errors import OutputError
from .job_report import JobReport, JobStart

# Seconds between two plain lines, two JSON lines, and two drawings of the bar.
LINE_INTERVAL_S = 5.0
JSON_INTERVAL_S = 0.5
BAR_INTERVAL_S = 0.2


def make_listener(
    kind: str, *, stream: TextIO | None = None, json_stream: TextIO | None = None
) -> "NoProgress | LineProgress | JsonProgress":
    """Return the listener for `--progress KIND`; `auto` is a bar on a terminal and lines elsewhere.

    Text goes to `stream` (standard error), JSON to `json_stream` (standard output).
    """
    text = stream or sys.stderr
    if kind == "auto":
        kind = "bar" if text.isatty() else "lines"
    if kind == "json":
        return JsonProgress(json_stream or sys.stdout)
    if kind == "bar":
        return BarProgress(text)
    return LineProgress(text, interval_s=LINE_INTERVAL_S) if kind == "lines" else NoProgress()


def summary(report: JobReport) -> str:
    """Return the last line of a job."""
    memory = f", peak memory {report.peak_memory_mb:.0f} MB" if report.peak_memory_mb is not None else ""
    reused = f" ({report.frames_reused} reused)" if report.frames_reused else ""
    before = f" ({report.frames_before} of them before)" if report.frames_before else ""
    removed = report.coherence.flicker_removed if report.coherence is not None else None
    coherence = f"; flicker removed {100 * removed:.0f} %" if removed is not None else ""
    return (
        f"{report.output}: {report.frames} frames{before}{reused} in {report.run_s:.1f} s, "
        f"{report.frames_per_s:.1f} fps; {report.engine}; {report.encoder}{memory}{coherence}"
    )


@dataclass(frozen=True, slots=True)
class _Pace:
    """How fast a job goes: frames a second since its first ones, and the seconds left where they can be known."""

    frames_per_s: float
    left_s: float | None


class _PaceMeter:
    """Measures the pace of a job, but no more often than every `interval_s`."""

    def __init__(self, interval_s: float, clock: Callable[[], float]) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._started_s = self._measured_s = clock()
        self._frames_at_start: int | None = None
        self._frames_before = 0
        self.frames_expected: int | None = None

    def start(self, start: JobStart) -> None:
        self._started_s = self._measured_s = self._clock()
        self._frames_at_start = None
        self._frames_before = start.frames_before
        self.frames_expected = start.frames_expected

    def measure(self, frames: int) -> _Pace | None:
        """Return the pace after `frames` frames, None if the interval is not over yet."""
        now_s = self._clock()
        is_due = now_s - self._measured_s >= self._interval_s
        if self._frames_at_start is None:
            self._frames_at_start = self._frames_before
            if is_due:  # what came before the first frame, such as the motion of a whole clip, is no frame's time
                self._started_s = self._measured_s = now_s
                self._frames_at_start = frames
                return None
        if not is_due:
            return None
        self._measured_s = now_s
        frames_per_s = (frames - self._frames_at_start) / (now_s - self._started_s)
        # A file that promised too few frames tells nothing of the rest.
        if self.frames_expected is None or self.frames_expected < frames:
            return _Pace(frames_per_s, None)
        return _Pace(frames_per_s, (self.frames_expected - frames) / frames_per_s)


class NoProgress:
    """Say nothing; errors are the command's to say, notes are in the report."""

    def preparing(self, what: str) -> None:
        pass

    def started(self, start: JobStart) -> None:
        pass

    def advanced(self, frames: int) -> None:
        pass

    def finished(self, report: JobReport) -> None:
        pass

    def failed(self, input_path: Path, error: Exception) -> None:
        pass

    def close(self) -> None:
        pass


class LineProgress:
    """One line at the start, one every `interval_s`, one at the end."""

    def __init__(self, stream: TextIO, *, interval_s: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._stream = stream
        self._pace = _PaceMeter(interval_s, clock)

    def preparing(self, what: str) -> None:
        self._say(f"{what} ...")

    def started(self, start: JobStart) -> None:
        self._pace.start(start)
        going_on = f", going on after {start.frames_before} frames" if start.frames_before else ""
        self._say(f"{start.input_path} -> {start.output_path}, {start.style}, {start.engine}{going_on}")

    def advanced(self, frames: int) -> None:
        pace = self._pace.measure(frames)
        if pace is None:
            return
        total = f" of {self._pace.frames_expected}" if self._pace.frames_expected else ""
        left = f", {pace.left_s:.0f} s left" if pace.left_s is not None else ""
        self._say(f"{frames}{total} frames, {pace.frames_per_s:.1f} fps{left}")

    def finished(self, report: JobReport) -> None:
        for note in report.notes:
            self._say(f"note: {note}")
        if report.corrupt_packets:
            self._say(
                f"note: {report.corrupt_packets} corrupt packets in the input; their frames are missing or damaged"
            )
        if report.repaired_timestamps:
            self._say(f"note: {report.repaired_timestamps} missing or disordered timestamps in the input were repaired")
        self._say(summary(report))

    def failed(self, input_path: Path, error: Exception) -> None:
        """Say nothing: the command says it once, in its last line or table."""

    def close(self) -> None:
        pass

    def _say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class BarProgress(LineProgress):
    """Between the first and the last line, tqdm's bar."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream, interval_s=float("inf"))
        self._bar: Any = None

    def started(self, start: JobStart) -> None:
        from tqdm import tqdm

        self.close()
        super().started(start)
        self._bar = tqdm(
            total=start.frames_expected,
            initial=start.frames_before,
            unit=" frames",
            file=self._stream,
            mininterval=BAR_INTERVAL_S,
            dynamic_ncols=True,
            leave=False,
        )

    def advanced(self, frames: int) -> None:
        self._bar.update(frames - self._bar.n)

    def finished(self, report: JobReport) -> None:
        self.close()
        super().finished(report)

    def failed(self, input_path: Path, error: Exception) -> None:
        self.close()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class JsonProgress:
    """One JSON object a line: `started`, `progress` twice a second, `finished` with the report or `failed`.

    Before the first job there may be `preparing`.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._stream = stream
        self._pace = _PaceMeter(JSON_INTERVAL_S, clock)

    def preparing(self, what: str) -> None:
        self._say({"event": "preparing", "what": what})

    def started(self, start: JobStart) -> None:
        self._pace.start(start)
        self._say(
            {
                "event": "started",
                "input": str(start.input_path),
                "output": str(start.output_path),
                "style": start.style,
                "engine": start.engine,
                "frames_expected": start.frames_expected,
                "frames_before": start.frames_before,
            }
        )

    def advanced(self, frames: int) -> None:
        pace = self._pace.measure(frames)
        if pace is None:
            return
        self._say(
            {
                "event": "progress",
                "frames": frames,
                "frames_expected": self._pace.frames_expected,
                "fps": round(pace.frames_per_s, 2),
                "eta_s": round(pace.left_s, 1) if pace.left_s is not None else None,
            }
        )

    def finished(self, report: JobReport) -> None:
        self._say({"event": "finished", **report.as_json()})

    def failed(self, input_path: Path, error: Exception) -> None:
        self._say({"event": "failed", "input": str(input_path), "error": str(error)})

    def close(self) -> None:
        pass

    def _say(self, values: dict[str, Any]) -> None:
        try:
            print(json.dumps(values), file=self._stream, flush=True)
        except BrokenPipeError:
            raise  # the reader has gone, which is no fault
        except OSError as error:
            raise OutputError(f"cannot write to standard output: {error.strerror}") from error
