"""The card of a style: where it comes from, what it was trained on, and the figures measured."""

import subprocess
from pathlib import Path
from typing import Any

from export.graph import OPSET, TrainedNetwork
from export.runner import processor
from export.score import TIMED_SIZE, engine_times_ms
from export.style import ExportedStyle

RECIPES_FOLDER = Path("training/recipes")
# Fields of a recipe that a card repeats, where the recipe has them.
DESCRIPTION = ("artist", "artist_died", "year", "picture")


def make_card(
    trained: TrainedNetwork,
    exported: ExportedStyle,
    *,
    scores: dict[str, Any],
    data: str,
    licence: str,
    embed_recipe: bool,
) -> dict[str, Any]:
    """Return the card, but for what `publish` knows of the files; times the engines on this machine.

    `data` describes the training data. The recipe is embedded, or named as a file of the repository.
    """
    recipe = trained.recipe
    timed = {"fp32": exported.model} | {
        precision: model for precision, (model, _) in exported.variants.items() if precision == "int8"
    }
    card = {
        "name": recipe["name"],
        "title": recipe["title"],
        "kind": trained.kind,
        **{key: recipe[key] for key in DESCRIPTION if key in recipe},
        "licence": licence,
        "recipe": recipe if embed_recipe else (RECIPES_FOLDER / f"{recipe['name']}.toml").as_posix(),
        "commit": _commit(),
        "training": {
            "data": data,
            "steps": trained.steps,
            "minutes": trained.minutes,
            **({"vgg": trained.vgg} if trained.vgg else {}),
        },
        "opset": OPSET,
        "parity": [
            {
                "engine": parity.engine,
                "share_within_one_level": round(parity.share_within_one_level, 5),
                "psnr_db": round(parity.psnr_db, 1),
            }
            for parity in exported.parities
        ],
        "scores": scores,
    }
    if exported.statistics_size is not None:
        card["statistics_size"] = exported.statistics_size
    else:
        card["milliseconds"] = {
            "size": "x".join(map(str, TIMED_SIZE)),
            "hardware": processor(),
            **engine_times_ms(timed),
        }
    return card


def describe_photographs(count: int, folder: Path) -> str:
    """Return what a card says of training data that nobody described."""
    return f"{count:,} photographs ({folder.name})"


def _commit() -> str:
    """Return the commit of the source tree that this runs from, `unknown` where it is installed."""
    folder = Path(__file__).parent
    command = ["git", "-C", str(folder), "rev-parse", "--short=12", "HEAD"]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return shown.stdout.strip()
