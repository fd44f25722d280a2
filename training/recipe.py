"""A recipe: every setting of one style's training, read from TOML; unknown keys are errors."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """What to train and how; loss weights are relative to a content weight of 1.

    `initial` names the style whose trained network is the start, empty for random weights: what keeps the content
    recognisable is learned once. `steps` of 0 means that a time budget decides. Sizes are in pixels of a side.
    """

    name: str
    title: str
    picture: str
    artist: str
    artist_died: str
    year: str
    initial: str = ""
    style_size_px: int = 512
    crop_px: int = 256
    batch: int = 4
    steps: int = 1400
    learning_rate: float = 2e-3
    warmup_steps: int = 50
    style_weight: float = 15.0
    coherence_weight: float = 60.0
    grid_weight: float = 300.0
    total_variation_weight: float = 0.1
    gradient_norm_max: float = 5.0
    ema_decay: float = 0.99
    seed: int = 1


def load_recipe(path: Path) -> Recipe:
    """Read a recipe. Raises ValueError that names the unknown, missing or mistyped keys."""
    with path.open("rb") as file:
        values = tomllib.load(file)
    fields = {field.name: field for field in dataclasses.fields(Recipe)}
    unknown = sorted(set(values) - set(fields))
    missing = sorted(
        name for name, field in fields.items() if field.default is dataclasses.MISSING and name not in values
    )
    if unknown or missing:
        raise ValueError(f"{path}: unknown keys {unknown}, missing keys {missing}; known: {', '.join(fields)}")
    for name, value in values.items():
        _require_type(path, fields[name], value)
    return Recipe(**values)


def _require_type(path: Path, field: "dataclasses.Field[Any]", value: object) -> None:
    accepted = (int, float) if field.type is float else (field.type,)
    if not isinstance(value, accepted) or isinstance(value, bool):  # type: ignore[arg-type]
        raise ValueError(f"{path}: {field.name} is {value!r} but must be {getattr(field.type, '__name__', field.type)}")
