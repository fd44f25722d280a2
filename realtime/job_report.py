"""What a file job tells: while it runs to a listener, at its end in a report."""

import dataclasses
import platform
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from . import __version__
from .settings import Controls, Settings
from .smoothing_watch import CutSeen, JobCoherence

# What the pictures and the speed of a job depend on.
_LIBRARIES = ("av", "numba", "numpy", "onnxruntime", "onnxruntime-gpu", "opencv-python", "openvino")


@dataclass(frozen=True, slots=True)
class JobReport:
    """What a finished job did. Times are wall-clock seconds; `load_s` (model and files) is not part of `run_s`.

    `frames_before` of the `frames` were made by an earlier run that was stopped. `frames_reused` of those that this run
    saw took over the result of the frame before, which looked the same. `cuts` are where the smoother began anew;
    `coherence` is there only if it was to be measured. `style_pictures` are the paths that an any-style model painted
    after, each with its share of the mix.
    """

    input: str
    output: str
    style: str
    style_pictures: tuple[tuple[str, float], ...]
    engine: str
    encoder: str
    frames: int
    frames_before: int
    frames_reused: int
    duration_s: float
    load_s: float
    run_s: float
    cores_used: float
    peak_memory_mb: float | None
    stage_ms: dict[str, float]
    corrupt_packets: int
    repaired_timestamps: int
    cuts: tuple[CutSeen, ...]
    coherence: JobCoherence | None
    options: dict[str, Any]
    versions: dict[str, str]
    notes: tuple[str, ...]

    @property
    def frames_per_s(self) -> float:
        return (self.frames - self.frames_before) / self.run_s if self.run_s > 0 else 0.0

    def as_json(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values["cuts"] = [{"frame": cut.frame, "time_s": round(float(cut.time_s), 6)} for cut in self.cuts]
        values["coherence"] = self.coherence.as_json() if self.coherence is not None else None
        return {"stylecast": __version__, **values, "frames_per_s": round(self.frames_per_s, 3)}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStart:
    """What is known of a job before its first frame; `frames_before` were made by an earlier run that was stopped."""

    input_path: Path
    output_path: Path
    style: str
    engine: str
    frames_expected: int | None
    frames_before: int


class JobListener(Protocol):
    """Hears how jobs go, one after another; called in the thread of the job."""

    def preparing(self, what: str) -> None:
        """Hear what is done before there is a frame, where that takes seconds or more."""
        ...

    def started(self, start: JobStart) -> None:
        """Hear that a job begins, or goes on."""
        ...

    def advanced(self, frames: int) -> None:
        """Hear that `frames` frames of the job have been written so far."""
        ...

    def finished(self, report: JobReport) -> None: ...

    def failed(self, input_path: Path, error: Exception) -> None:
        """Hear why a job ended, which may be before it was `started`; the caller of the job is told as well."""
        ...

    def close(self) -> None:
        """Stop showing what is left of an interrupted job; may be called twice, and jobs may follow."""
        ...


def options_used(settings: Settings, controls: Controls) -> dict[str, Any]:
    """Return every option with its value, those that were not given with their default."""
    return {
        name: float(value) if isinstance(value, Fraction) else value
        for declared in (controls, settings)
        for name, value in dataclasses.asdict(declared).items()
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that are installed."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
