"""The controls of a live run as the page shows them, made from their declarations, and changes of them read back."""

import argparse
import dataclasses
from typing import Any

from ..errors import UsageError
from ..live_settings import LiveControls, live_size_px
from ..options import value_text
from ..settings import unit_interval

# Short sides that are offered; any other may be asked for on the command line.
OFFERED_SIZES_PX = (180, 240, 270, 360, 480, 540, 720, 1080)
# The values of the page: None is a text, since it is an entry of a list.
Values = dict[str, bool | float | str]


def describe_options() -> list[dict[str, Any]]:
    """Return every control as JSON: `name`, `label`, `help`, and `kind` range, switch or choice with what it needs."""
    return [_describe(item) for item in dataclasses.fields(LiveControls)]


def control_values(controls: LiveControls) -> Values:
    """Return the value of every control as the page holds it."""
    values: Values = {}
    for item in dataclasses.fields(controls):
        value = getattr(controls, item.name)
        values[item.name] = value if isinstance(value, bool | float) else value_text(item, value)
    return values


def changed_controls(controls: LiveControls, changes: Any) -> LiveControls:
    """Return `controls` with the changes of a request, checked as on the command line.

    Raises:
        UsageError: no such control, or not a value of it.
    """
    declared = {item.name: item for item in dataclasses.fields(controls)}
    if not isinstance(changes, dict) or not changes.keys() <= declared.keys():
        raise UsageError(f"the controls are {', '.join(declared)}")
    return dataclasses.replace(controls, **{name: _parse(declared[name], value) for name, value in changes.items()})


def _describe(item: "dataclasses.Field[Any]") -> dict[str, Any]:
    label = item.name.replace("_", " ").capitalize()
    described: dict[str, Any] = {"name": item.name, "label": label, "help": item.metadata["help"]}
    if item.default is False:
        return described | {"kind": "switch"}
    if item.metadata["parse"] is unit_interval:
        return described | {"kind": "range", "minimum": 0, "maximum": 1, "step": 0.01}
    is_size = item.metadata["parse"] is live_size_px
    offered = map(str, OFFERED_SIZES_PX) if is_size else item.metadata["choices"]
    return described | {"kind": "choice", "choices": [value_text(item, None), *offered]}


def _parse(item: "dataclasses.Field[Any]", value: Any) -> Any:
    if item.default is False:
        if not isinstance(value, bool):
            raise UsageError(f"{item.name} is true or false, not {value!r}")
        return value
    choices = item.metadata["choices"]
    if choices is not None:
        none = value_text(item, None)
        if value not in (none, *choices):
            raise UsageError(f"{item.name} is one of {', '.join((none, *choices))}, not {value!r}")
        return None if value == none else value
    try:
        return item.metadata["parse"](str(value))
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"{item.name}: {error}") from error
