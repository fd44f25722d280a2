"""The styles: a catalogue of verified model files with a card each, and style arguments resolved to one of them."""

import difflib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import StyleError, UsageError

WEIGHTS_FOLDER = Path(__file__).resolve().parent.parent / "weights"
CATALOGUE_FILE = "catalogue.json"
CATALOGUE_SCHEMA = 1
MODEL_SUFFIX = ".onnx"
# The kind of cards whose model paints after any picture.
ANY_STYLE_KIND = "adain"
# The largest model that is read into memory: forty times the size of a shipped one.
MODEL_BYTES_MAX = 100_000_000


@dataclass(frozen=True, slots=True)
class Style:
    """A style that can be run: where its model lies, what it must hash to, and its card.

    `sha256` and `size_bytes` are None for a file that the user named; the card is then empty.
    """

    name: str
    title: str
    path: Path
    sha256: str | None
    size_bytes: int | None
    card: dict[str, Any]


def load_catalogue(folder: Path = WEIGHTS_FOLDER) -> dict[str, Style]:
    """Return the shipped styles by name.

    Raises:
        StyleError: the catalogue is missing, damaged or of another schema.
    """
    path = folder / CATALOGUE_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != CATALOGUE_SCHEMA:
            raise StyleError(
                f"{path} has schema {content['schema']} but must have {CATALOGUE_SCHEMA}; reinstall stylecast"
            )
        return {
            card["name"]: Style(
                card["name"], card["title"], folder / card["file"], card["sha256"], card["size_bytes"], card
            )
            for card in content["styles"]
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StyleError(f"the style catalogue {path} cannot be read ({error}); reinstall stylecast") from error


def resolve_style(text: str) -> Style:
    """Return the style that `--style` names: one of the catalogue, or an ONNX file.

    Raises:
        UsageError: no such style or file; the closest names are offered.
    """
    path = Path(text)
    if path.suffix.lower() == MODEL_SUFFIX:
        if not is_file(path):
            raise UsageError(f"style file not found: {text}")
        return Style(path.stem, path.stem, path, None, None, {})
    catalogue = load_catalogue()
    if text in catalogue:
        return catalogue[text]
    if is_file(path):
        raise UsageError(
            f"--style {text}: pictures as styles need an any-style model, which this version does not have yet; "
            f"give a style's name ({', '.join(catalogue)}) or an {MODEL_SUFFIX} file"
        )
    close = difflib.get_close_matches(text, catalogue, n=3, cutoff=0.4)
    offer = f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(catalogue)}"
    missing = ", and there is no such file" if path.suffix else ""
    raise UsageError(f"no style is called {text!r}{missing}; {offer}")


def any_style_model() -> Style | None:
    """Return the model of the catalogue that paints after any picture, None if there is none."""
    return next(filter(is_any_style, load_catalogue().values()), None)


def is_any_style(style: Style) -> bool:
    return bool(style.card.get("kind") == ANY_STYLE_KIND)


def encoder_of(model: Style) -> Style:
    """Return the file that turns pictures into codes for an any-style model, to be read like a style's.

    Raises:
        StyleError: the card of the model names none.
    """
    try:
        encoder = model.card["encoder"]
        path = model.path.parent / encoder["file"]
        return Style(f"{model.name} (encoder)", model.title, path, encoder["sha256"], encoder["size_bytes"], {})
    except (KeyError, TypeError) as error:
        raise StyleError(
            f"the card of {model.name} names no encoder of pictures ({error}); reinstall stylecast"
        ) from error


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
        raise StyleError(f"the weights of style {style.name} cannot be read: {error}; reinstall stylecast") from error
    if style.sha256 is None:
        return model
    found = hashlib.sha256(model).hexdigest()
    if len(model) != style.size_bytes or found != style.sha256:
        raise StyleError(
            f"the weights of style {style.name} are damaged: {style.path} has {len(model)} bytes and sha256 "
            f"{found[:12]}..., expected {style.size_bytes} and {style.sha256[:12]}...; reinstall stylecast"
        )
    return model
