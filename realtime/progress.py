"""Show how a job goes: a bar on a terminal, plain lines when piped, JSON lines on request."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TextIO

from .video_job import JobListener, JobReport

# Seconds between plain lines and between JSON lines.
LINE_INTERVAL_S = 5.0
JSON_INTERVAL_S = 0.5
# Frames over which the shown rate is averaged matter less than its start: the first frames load code and fill queues.
BAR_INTERVAL_S = 0.2


class Progress(JobListener, Protocol):
    """A listener that also hears of failures, and is closed when the last job has ended."""

    def failed(self, input_path: Path, error: Exception) -> None: ...

    def close(self) -> None: ...


def make_listener(kind: str, *, stream: TextIO | None = None, json_stream: TextIO | None = None) -> Progress:
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
    return (
        f"{report.output}: {report.frames} frames in {report.run_s:.1f} s, {report.frames_per_s:.1f} fps; "
        f"{report.engine}; {report.encoder}{memory}"
    )


class NoProgress:
    """Nothing; errors are the command's to say, notes are in the report."""

    def started(self, *, input_path: Path, output_path: Path, engine: str, frames_expected: int | None) -> None:
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

    def __init__(self, stream: TextIO, *, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._interval_s = interval_s
        self._clock = clock
        self._started_s = self._shown_s = clock()
        self._total: int | None = None

    def started(self, *, input_path: Path, output_path: Path, engine: str, frames_expected: int | None) -> None:
        self._started_s = self._shown_s = self._clock()
        self._total = frames_expected
        self._say(f"{input_path} -> {output_path}, {engine}")

    def advanced(self, frames: int) -> None:
        now_s = self._clock()
        if now_s - self._shown_s < self._interval_s:
            return
        self._shown_s = now_s
        rate = frames / (now_s - self._started_s)
        rest = f", {(self._total - frames) / rate:.0f} s left" if self._total and self._total >= frames else ""
        self._say(f"{frames}{f' of {self._total}' if self._total else ''} frames, {rate:.1f} fps{rest}")

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
    """tqdm's bar between the first and the last line."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream, interval_s=float("inf"))
        self._bar: Any = None

    def started(self, *, input_path: Path, output_path: Path, engine: str, frames_expected: int | None) -> None:
        from tqdm import tqdm

        self.close()
        super().started(input_path=input_path, output_path=output_path, engine=engine, frames_expected=frames_expected)
        self._bar = tqdm(
            total=frames_expected,
            unit=" frames",
            file=self._stream,
            mininterval=BAR_INTERVAL_S,
            dynamic_ncols=True,
            leave=False,
        )
        self._bar.set_postfix_str(engine)

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
    """One JSON object a line: `started`, `progress` twice a second, `finished` with the report or `failed`."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._started_s = self._shown_s = clock()
        self._total: int | None = None

    def started(self, *, input_path: Path, output_path: Path, engine: str, frames_expected: int | None) -> None:
        self._started_s = self._shown_s = self._clock()
        self._total = frames_expected
        self._say(
            {
                "event": "started",
                "input": str(input_path),
                "output": str(output_path),
                "engine": engine,
                "frames_expected": frames_expected,
            }
        )

    def advanced(self, frames: int) -> None:
        now_s = self._clock()
        if now_s - self._shown_s < JSON_INTERVAL_S:
            return
        self._shown_s = now_s
        rate = frames / (now_s - self._started_s)
        eta_s = round((self._total - frames) / rate, 1) if self._total and self._total >= frames else None
        self._say(
            {
                "event": "progress",
                "frames": frames,
                "frames_expected": self._total,
                "fps": round(rate, 2),
                "eta_s": eta_s,
            }
        )

    def finished(self, report: JobReport) -> None:
        self._say({"event": "finished", **report.as_json()})

    def failed(self, input_path: Path, error: Exception) -> None:
        self._say({"event": "failed", "input": str(input_path), "error": str(error)})

    def close(self) -> None:
        pass

    def _say(self, values: dict[str, Any]) -> None:
        print(json.dumps(values), file=self._stream, flush=True)
