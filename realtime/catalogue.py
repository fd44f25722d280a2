"""The styles: a catalogue of verified model files with a card each, and style arguments resolved to one of them.

There are two folders of one layout: the shipped styles, and those that the user has trained.
"""

import dataclasses
import difflib
import hashlib
import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from .errors import StyleError, UsageError

logger = logging.getLogger(__name__)

WEIGHTS_FOLDER = Path(__file__).resolve().parent.parent / "weights"
USER_STYLES_VARIABLE = "STYLECAST_STYLES"
CATALOGUE_FILE = "catalogue.json"
CATALOGUE_SCHEMA = 1
MODEL_SUFFIX = ".onnx"
# The kind of cards whose model paints after any picture.
ANY_STYLE_KIND = "adain"
# The other files of such a model: what makes codes of pictures, and what fits them; the second may be missing.
ANY_STYLE_PARTS = ("encoder", "fitter")
# A name becomes a file name on every system and is typed on a command line.
STYLE_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
STYLE_NAME_LENGTH_MAX = 64
# The largest model that is read into memory: forty times the size of a shipped one.
MODEL_BYTES_MAX = 100_000_000
_REINSTALL = "reinstall stylecast"


@dataclass(frozen=True, slots=True)
class Style:
    """A style that can be run: where its model lies, what it must hash to, and its card.

    `sha256` and `size_bytes` are None for a file that the user named; the card is then empty. `is_users` says that
    the user trained it.
    """

    name: str
    title: str
    path: Path
    sha256: str | None
    size_bytes: int | None
    card: dict[str, Any]
    is_users: bool = False

    @property
    def remedy(self) -> str:
        """What helps when its files are missing or damaged."""
        return f"train it again: stylize-train ... --name {self.name} --replace" if self.is_users else _REINSTALL

    def variant(self, precision: str) -> "Style | None":
        """Return the style with the model file of a lower precision (`int8`, `fp16`), or None if it has none."""
        for variant in self.card.get("variants", ()):
            if variant["precision"] == precision:
                path = self.path.parent / variant["file"]
                return dataclasses.replace(self, path=path, sha256=variant["sha256"], size_bytes=variant["size_bytes"])
        return None


def user_styles_folder() -> Path:
    """Return the folder of the styles that the user has trained; it need not exist."""
    chosen = os.environ.get(USER_STYLES_VARIABLE)
    return Path(chosen) if chosen else platformdirs.user_data_path("stylecast", appauthor=False) / "styles"


def is_style_name(text: str) -> bool:
    return len(text) <= STYLE_NAME_LENGTH_MAX and STYLE_NAME.fullmatch(text) is not None


def load_catalogue(folder: Path = WEIGHTS_FOLDER) -> dict[str, Style]:
    """Return the styles of a folder by name, by default the shipped ones.

    Raises:
        StyleError: the catalogue is missing, damaged or of another schema.
    """
    path = folder / CATALOGUE_FILE
    are_users = folder == user_styles_folder()
    remedy = f"repair {path}, or move it away and train its styles again" if are_users else _REINSTALL
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != CATALOGUE_SCHEMA:
            raise StyleError(f"{path} has schema {content['schema']} but must have {CATALOGUE_SCHEMA}; {remedy}")
        styles = [_style(card, folder, is_users=are_users) for card in content["styles"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StyleError(f"the style catalogue {path} cannot be read ({error}); {remedy}") from error
    return {style.name: style for style in styles}


def load_user_styles() -> dict[str, Style]:
    """Return the styles that the user has trained by name; none if there is no catalogue of them.

    Raises:
        StyleError: the catalogue is damaged or of another schema.
    """
    folder = user_styles_folder()
    return load_catalogue(folder) if (folder / CATALOGUE_FILE).exists() else {}


def load_styles() -> dict[str, Style]:
    """Return all styles by name, the shipped ones first; faults of the user's are warnings and stop no shipped style.

    Raises:
        StyleError: the shipped catalogue is missing, damaged or of another schema.
    """
    shipped = load_catalogue()
    try:
        trained = load_user_styles()
    except (StyleError, OSError) as error:
        logger.warning("your own styles are left out: %s", error)
        trained = {}
    for name in shipped.keys() & trained.keys():
        logger.warning("your own style %s is left out: a shipped style has its name; train it under another", name)
    return {**shipped, **{name: style for name, style in trained.items() if name not in shipped}}


def _style(card: dict[str, Any], folder: Path, *, is_users: bool) -> Style:
    """Return the style of a card. Raises ValueError for names and files that would lead out of the folder."""
    if not is_style_name(card["name"]):
        raise ValueError(f"{card['name']!r} is no name of a style")
    for file in (listed["file"] for listed in files_of(card)):
        if Path(file).name != file:
            raise ValueError(f"{file!r} of style {card['name']} is not a plain file name")
    path = folder / card["file"]
    return Style(card["name"], card["title"], path, card["sha256"], card["size_bytes"], card, is_users)


def megabytes_of(card: dict[str, Any]) -> float:
    """Return what all files of a card take on the disk."""
    return sum(int(listed["size_bytes"]) for listed in files_of(card)) / 1e6


def files_of(card: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a card says of each file of its style: `file`, `size_bytes` and `sha256`."""
    return [card, *card.get("variants", ()), *(card[part] for part in ANY_STYLE_PARTS if part in card)]


def resolve_style(text: str, catalogue: Mapping[str, Style] | None = None) -> Style:
    """Return the style that `--style` names: one of the catalogues, or an ONNX file.

    `catalogue` is what `load_styles` returned, where that is at hand: each load may warn.

    Raises:
        UsageError: no such style or file; the closest names are offered.
    """
    path = Path(text)
    if path.suffix.lower() == MODEL_SUFFIX:
        if not is_file(path):
            raise UsageError(f"style file not found: {text}")
        return Style(path.stem, path.stem, path, None, None, {})
    if catalogue is None:
        catalogue = load_styles()
    if text in catalogue:
        return catalogue[text]
    if is_file(path):
        raise UsageError(
            f"--style {text}: pictures as styles need an any-style model, and none is installed; "
            f"give a style's name ({', '.join(catalogue)}) or an {MODEL_SUFFIX} file"
        )
    close = difflib.get_close_matches(text, catalogue, n=3, cutoff=0.4)
    offer = f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(catalogue)}"
    missing = ", and there is no such file" if path.suffix else ""
    raise UsageError(f"no style is called {text!r}{missing}; {offer}")


def any_style_model(catalogue: Mapping[str, Style] | None = None) -> Style | None:
    """Return the model that paints after any picture, None if there is none; `catalogue` as in `resolve_style`."""
    return next(filter(is_any_style, (load_styles() if catalogue is None else catalogue).values()), None)


def is_any_style(style: Style) -> bool:
    return bool(style.card.get("kind") == ANY_STYLE_KIND)


def encoder_of(model: Style) -> Style:
    """Return the file that turns pictures into codes for an any-style model, to be read like a style's.

    Raises:
        StyleError: the card of the model names none.
    """
    return _part(model, "encoder")


def fitter_of(model: Style) -> Style | None:
    """Return the file that fits codes to their pictures for an any-style model, None if its card names none.

    Raises:
        StyleError: the card says of it what cannot be read.
    """
    return _part(model, "fitter") if "fitter" in model.card else None


def _part(model: Style, kind: str) -> Style:
    try:
        part = model.card[kind]
        path, name = model.path.parent / part["file"], f"{model.name} ({kind})"
        return dataclasses.replace(model, name=name, path=path, sha256=part["sha256"], size_bytes=part["size_bytes"])
    except (KeyError, TypeError) as error:
        raise StyleError(f"the card of {model.name} names no {kind} of pictures ({error}); {model.remedy}") from error


def verify_style(style: Style) -> None:
    """Read every file of the style. Raises StyleError where one is missing or does not match the card."""
    read_model(style)
    for part in ANY_STYLE_PARTS:
        if part in style.card:
            read_model(_part(style, part))
    for listed in style.card.get("variants", ()):
        variant = style.variant(listed["precision"])
        if variant is not None:
            read_model(variant)


def is_file(path: Path) -> bool:
    """Return whether there is such a file, also for texts that cannot be paths."""
    try:
        return path.is_file()
    except OSError:  # a name too long for the file system, or below a folder that may not be read
        return False


def read_model(style: Style) -> bytes:
    """Return the bytes of the style's model, verified against the catalogue.

    Raises:
        StyleError: the file is missing or too large, or size or sha256 do not match.
    """
    try:
        size_bytes = style.path.stat().st_size
        if size_bytes > MODEL_BYTES_MAX:
            raise StyleError(
                f"{style.path} has {size_bytes} bytes, more than the {MODEL_BYTES_MAX} that a style may have"
            )
        model = style.path.read_bytes()
    except OSError as error:
        raise StyleError(f"the weights of style {style.name} cannot be read: {error}; {style.remedy}") from error
    if style.sha256 is None:
        return model
    found = hashlib.sha256(model).hexdigest()
    if len(model) != style.size_bytes or found != style.sha256:
        raise StyleError(
            f"the weights of style {style.name} are damaged: {style.path} has {len(model)} bytes and sha256 "
            f"{found[:12]}..., expected {style.size_bytes} and {style.sha256[:12]}...; {style.remedy}"
        )
    return model
