"""What the pictures of a job depend on: a job that was stopped goes on only if all of it is still the same."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import __version__, people_mask
from .encoder import EncoderChoice
from .settings import Controls, Settings
from .style_choice import StyleChoice

# Of the input, beginning and end are looked at: films have gigabytes.
_SAMPLE_BYTES = 1 << 20


def job_identity(
    input_path: Path,
    style: StyleChoice,
    settings: Settings,
    controls: Controls,
    *,
    engine: str,
    encoder: EncoderChoice,
) -> dict[str, Any]:
    """Return it by name: contents, never how a path is spelled; `engine` and `encoder` are what was chosen."""
    return {
        "input": f"{input_path.stat().st_size} bytes, {_digest(input_path, _read_ends)}",
        "style": [style.label, *(_digest(path, Path.read_bytes) for path in (style.model.path, *style.pictures))],
        "shares": style.shares,
        "people": _digest(people_mask.CARD, Path.read_bytes) if controls.paint else None,
        "mask": _digest(Path(settings.mask), _read_ends) if settings.mask else None,
        **asdict(controls),
        **{name: getattr(settings, name) for name in ("size", "shifts", "start", "end", "split", "invert_mask")},
        "engine": engine,
        "encoder": asdict(encoder),
        "stylecast": __version__,
    }


def _digest(path: Path, read: Callable[[Path], bytes]) -> str:
    return hashlib.sha256(read(path)).hexdigest()[:16]


def _read_ends(path: Path) -> bytes:
    with path.open("rb") as file:
        begin = file.read(_SAMPLE_BYTES)
        file.seek(max(0, path.stat().st_size - _SAMPLE_BYTES))
        return begin + file.read(_SAMPLE_BYTES)
