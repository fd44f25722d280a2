"""Put a verified style into a folder of styles, shipped or the user's own: its model files and its card."""

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from filelock import FileLock

from realtime.catalogue import (
    CATALOGUE_FILE,
    CATALOGUE_SCHEMA,
    MODEL_SUFFIX,
    STYLE_NAME_LENGTH_MAX,
    files_of,
    is_style_name,
    load_catalogue,
    load_user_styles,
    user_styles_folder,
)
from realtime.output_file import replace_file

# A shipped style must stay small enough to live in the repository and in the wheel.
MODEL_BYTES_MAX = 2_500_000
LOCK_FILE = ".catalogue.lock"


class NameTakenError(ValueError):
    """A style of this name exists and was not to be replaced."""


def require_free_name(name: str, *, replace: bool) -> None:
    """Refuse a name for a style of the user's own that is unsafe, shipped, or taken while `replace` is False.

    Raises:
        ValueError: the name cannot be used; says what to do.
        StyleError: the catalogue of the user's styles is damaged.
    """
    _require_safe_name(name)
    if name in load_catalogue():
        raise NameTakenError(f"{name} is a shipped style; choose another name")
    if replace:
        load_user_styles()  # a damaged catalogue is told
        return
    if name in load_user_styles():
        raise NameTakenError(f"you have a style {name} already; give --replace, or choose another name")
    # Such as one that `few-shot` was told to write here, which no card names.
    strangers = [user_styles_folder() / f"{name}{MODEL_SUFFIX}", *user_styles_folder().glob(f"{name}.*{MODEL_SUFFIX}")]
    for path in strangers:
        if path.exists():
            raise NameTakenError(f"{path} is there; give --replace to replace it, or choose another name")


def make_styles_folder(folder: Path) -> None:
    """Make the folder of the user's styles, if it is not there.

    Raises:
        OSError: it cannot be made, or nothing can be written to it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise OSError(f"the folder of your styles, {folder}, cannot be written to: {error.strerror}") from error


def publish(
    model: bytes,
    card: dict[str, Any],
    folder: Path,
    *,
    variants: Mapping[str, tuple[bytes, float]] | None = None,
    parts: Mapping[str, bytes] | None = None,
) -> None:
    """Write the model files and add or replace the card; the other styles stay as they are.

    `variants` maps precisions to the model in it and its PSNR in dB; `parts` are the other files of an any-style model,
    of `ANY_STYLE_PARTS`. Every file is written under a temporary name first and renamed when all are there, the
    catalogue last: whatever ends the process, no other style is touched and no file is half written. Of two that
    publish at once, one waits.

    Raises:
        ValueError: a model is larger than a style may be, or the name is not safe.
        StyleError: the catalogue that is there is damaged; nothing is written.
    """
    name = card["name"]
    _require_safe_name(name)
    files = {"": model, **{precision: item for precision, (item, _) in (variants or {}).items()}, **(parts or {})}
    for content in files.values():
        if len(content) > MODEL_BYTES_MAX:
            raise ValueError(f"{name} has {len(content)} bytes, more than the {MODEL_BYTES_MAX} of a style")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / LOCK_FILE):
        _publish(files, card, folder, variants or {}, parts or {})


def _publish(
    files: Mapping[str, bytes],
    card: dict[str, Any],
    folder: Path,
    variants: Mapping[str, tuple[bytes, float]],
    parts: Mapping[str, bytes],
) -> None:
    name = card["name"]
    styles = _styles(folder)
    replaced = {str(listed["file"]) for listed in files_of(styles.pop(name))} if name in styles else set()
    listed = {
        kind: {
            # A name of a style has no dot, so that no style has a file of another one.
            "file": f"{name}.{kind}{MODEL_SUFFIX}" if kind else f"{name}{MODEL_SUFFIX}",
            "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        for kind, content in files.items()
    }
    complete = {"name": name, "title": card["title"], **listed[""], **card}
    if variants:
        complete["variants"] = [
            {"precision": precision, **listed[precision], "psnr_db": psnr_db}
            for precision, (_, psnr_db) in variants.items()
        ]
    complete |= {part: listed[part] for part in parts}
    styles[name] = complete
    in_order = [styles[other] for other in sorted(styles)]
    catalogue = json.dumps({"schema": CATALOGUE_SCHEMA, "styles": in_order}, indent=2, ensure_ascii=False)
    contents = {str(listed[kind]["file"]): content for kind, content in files.items()}
    # Names of files may hold bytes that are no UTF-8.
    _write_all(folder, {**contents, CATALOGUE_FILE: (catalogue + "\n").encode("utf-8", "replace")})
    for file_name in replaced - contents.keys():
        (folder / file_name).unlink(missing_ok=True)


def _styles(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the cards of a folder by name, checked by the runtime's own reader; none if there is no catalogue."""
    if not (folder / CATALOGUE_FILE).exists():
        return {}
    return {name: style.card for name, style in load_catalogue(folder).items()}


def _require_safe_name(name: str) -> None:
    if not is_style_name(name):
        raise ValueError(
            f"{name!r} cannot name a style; use lower-case letters, digits and single hyphens between them, "
            f"at most {STYLE_NAME_LENGTH_MAX} characters"
        )


def _write_all(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files into a folder, all under temporary names before the first gets its own."""
    with ExitStack() as unfinished:
        written = {}
        for name, content in contents.items():
            path = folder / f".{name}.{os.getpid()}.part"
            unfinished.callback(path.unlink, missing_ok=True)
            with path.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            written[name] = path
        for name, path in written.items():
            replace_file(path, folder / name)
