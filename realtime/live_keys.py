"""What the keys of the window do. Only values go in and out, so that it can be tested without a window."""

from dataclasses import Field, dataclass, fields, replace
from enum import Enum
from typing import Any

from .live_settings import LiveControls
from .options import value_text
from .settings import BACKGROUND_ONLY, PEOPLE_ONLY

STEP = 0.1
# The sizes that + and - go through, short sides in pixels; the governor itself may be beyond either end.
_PINNED_SIZES_PX = (180, 240, 360, 480, 720, 1080)
_SPLITS = (None, "wipe", "side")
_PAINTED = (None, PEOPLE_ONLY, BACKGROUND_ONLY)


class Action(Enum):
    """What a key asks of the session or the window, beyond changing the controls."""

    NEXT_STYLE = "next style"
    PREVIOUS_STYLE = "previous style"
    RECORD = "start or stop recording"
    SNAPSHOT = "save a snapshot"
    FIGURES = "show or hide the figures"
    FULL_SCREEN = "full screen on or off"
    QUIT = "quit"


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is documented: its name, what it does, and the characters or codes that OpenCV gives for it."""

    name: str
    help: str
    codes: tuple[int, ...]
    action: Action | None = None


def _codes(characters: str, *special: int) -> tuple[int, ...]:
    return (*map(ord, characters), *special)


# Arrows: X11 and Qt, Windows, macOS.
_RIGHT, _LEFT = (65363, 2555904, 63235), (65361, 2424832, 63234)
_UP, _DOWN = (65362, 2490368, 63232), (65364, 2621440, 63233)
_ESCAPE = 27

KEYS = (
    Key("n, right", "next style", _codes("nN", *_RIGHT), Action.NEXT_STYLE),
    Key("p, left", "previous style", _codes("pP", *_LEFT), Action.PREVIOUS_STYLE),
    Key("up, down", "more, less of the style", (*_UP, *_DOWN)),
    Key("[, ]", "less, more smoothing", _codes("[]")),
    Key("c", "keep the colours of the camera", _codes("cC")),
    Key("b", "before and after: wipe, side by side, off", _codes("bB")),
    Key("o", "paint everything, people only, only what is behind them", _codes("oO")),
    Key("m", "mirror", _codes("mM")),
    Key("-, +", "smaller, larger inference size, held", _codes("-_+=")),
    Key("a", "inference size by the governor", _codes("aA")),
    Key("r", "start or stop recording, into the folder you started in", _codes("rR"), Action.RECORD),
    Key("s", "save a snapshot there", _codes("sS"), Action.SNAPSHOT),
    Key("h", "show or hide the figures", _codes("hH"), Action.FIGURES),
    Key("f", "full screen", _codes("fF"), Action.FULL_SCREEN),
    Key("q, Esc", "quit", _codes("qQ", _ESCAPE), Action.QUIT),
)


def action_of(code: int) -> Action | None:
    """Return what the key of this code asks for, None for one that only changes controls or has no meaning."""
    return next((key.action for key in KEYS if code in key.codes), None)


def changed_controls(controls: LiveControls, code: int, *, size_px: int | None) -> LiveControls:
    """Return the controls after a key; `size_px` is the short side at which the network runs now."""
    character = chr(code).lower() if 0 < code < 0x80 else ""
    if code in _UP or code in _DOWN:
        return replace(controls, strength=_stepped(controls.strength, STEP if code in _UP else -STEP))
    match character:
        case "[" | "]":
            return replace(controls, smoothing=_stepped(controls.smoothing, STEP if character == "]" else -STEP))
        case "c":
            return replace(controls, keep_colors=not controls.keep_colors)
        case "b":
            return replace(controls, split=_after(controls.split, _SPLITS))
        case "o":
            return replace(controls, paint=_after(controls.paint, _PAINTED))
        case "m":
            return replace(controls, mirror=not controls.mirror)
        case "-" | "_" if size_px is not None:
            smaller = [size for size in _PINNED_SIZES_PX if size < size_px]
            return replace(controls, size=smaller[-1] if smaller else min(size_px, _PINNED_SIZES_PX[0]))
        case "+" | "=" if size_px is not None:
            larger = [size for size in _PINNED_SIZES_PX if size > size_px]
            return replace(controls, size=larger[0] if larger else max(size_px, _PINNED_SIZES_PX[-1]))
        case "a":
            return replace(controls, size=None)
    return controls


def keys_table() -> str:
    """Return the keys as the Markdown table of the README."""
    return "\n".join(["| key | what it does |", "|---|---|", *(f"| {key.name} | {key.help} |" for key in KEYS)])


def _after(value: str | None, values: tuple[str | None, ...]) -> str | None:
    return values[(values.index(value) + 1) % len(values)]


def _stepped(value: float, step: float) -> float:
    return round(min(1.0, max(0.0, value + step)), 2)


def changes(before: LiveControls, after: LiveControls) -> str:
    """Return in words what a key has changed."""
    changed = [each for each in fields(LiveControls) if getattr(before, each.name) != getattr(after, each.name)]
    return ", ".join(f"{each.name.replace('_', ' ')} {_spelled(each, getattr(after, each.name))}" for each in changed)


def _spelled(declared: "Field[Any]", value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.0%}"
    return value_text(declared, value)
