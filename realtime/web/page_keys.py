"""The keys of the page: letters and signs of the window, with the same meanings, but for its figures and its end."""

from typing import Any

from ..errors import UsageError
from ..live_keys import KEYS, Action, Key, action_of, changed_controls
from ..live_session import LiveSession

_STEPS = {Action.NEXT_STYLE: 1, Action.PREVIOUS_STYLE: -1}
# What the page does itself, by the buttons that it has for it.
_BUTTONS = {Action.RECORD: "record", Action.SNAPSHOT: "snapshot", Action.FULL_SCREEN: "full"}
_PRINTABLE = range(0x21, 0x7F)


def describe_keys() -> list[dict[str, Any]]:
    """Return every key as JSON: `characters` that it has, what it is called, `help`, and its `button` or None."""
    return [
        {
            "characters": characters,
            "name": " ".join(part for part in key.name.split(", ") if len(part) == 1),
            "help": key.action.value if key.action in _BUTTONS else key.help,
            "button": _BUTTONS.get(key.action) if key.action else None,
        }
        for key in KEYS
        if (characters := _characters(key)) and (key.action in (None, *_STEPS, *_BUTTONS))
    ]


def style_step_of(character: str) -> int | None:
    """Return how many styles further a key asks for, None for one that asks for something else."""
    action = action_of(ord(character)) if len(character) == 1 else None
    return _STEPS.get(action) if action else None


def press_key(session: LiveSession, character: str) -> None:
    """Change the controls as a key asks for that has no button and is no step to another style.

    Raises:
        UsageError: there is no such key.
    """
    known = "".join(key["characters"] for key in describe_keys() if key["button"] is None)
    if len(character) != 1 or character not in known:
        raise UsageError(f"the keys are {' '.join(known)}, not {character[:20]!r}")
    size = session.status().inference_size
    session.controls = changed_controls(session.controls, ord(character), size_px=min(size) if size else None)


def _characters(key: Key) -> str:
    return "".join(chr(code) for code in key.codes if code in _PRINTABLE)
