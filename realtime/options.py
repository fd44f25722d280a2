"""Options as the fields of dataclasses: declared by `option`, given to argparse, read back, shown as a table.

No heavy imports: `--help` reads this module.
"""

import argparse
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

Declared = TypeVar("Declared")


def option(
    default: Any,
    *,
    help: str,
    parse: Callable[[str], Any] = str,
    choices: tuple[str, ...] | None = None,
    metavar: str | None = None,
    flags: tuple[str, ...] = (),
    none: str | None = None,
) -> Any:
    """Declare a field that is also a command-line option; a False default makes it a switch, a tuple repeatable.

    `none` is how a default of None is shown.
    """
    return dataclasses.field(
        default=default,
        metadata={"help": help, "parse": parse, "choices": choices, "metavar": metavar, "flags": flags, "none": none},
    )


def add_options(
    parser: argparse.ArgumentParser,
    declared: type[Any],
    *,
    only: frozenset[str] | None = None,
    helps: Mapping[str, str] = {},
) -> None:
    """Add an option to `parser` for every field of `declared`, or for those whose names are in `only`.

    `helps` has, by name, what is said of some instead of what they declare.
    """
    for item in dataclasses.fields(declared):
        if only is not None and item.name not in only:
            continue
        flags = item.metadata["flags"] or ("--" + item.name.replace("_", "-"),)
        text = helps.get(item.name, item.metadata["help"])
        if item.default is False:
            parser.add_argument(*flags, dest=item.name, action="store_true", help=text)
            continue
        repeatable = isinstance(item.default, tuple)
        shown = f" [{default_text(item)}]" if item.default != () else ""
        parser.add_argument(
            *flags,
            dest=item.name,
            action="append" if repeatable else "store",
            default=[] if repeatable else item.default,
            type=item.metadata["parse"],
            choices=item.metadata["choices"],
            metavar=item.metadata["metavar"],
            help=(text + shown).replace("%", "%%"),
        )


def value_text(item: "dataclasses.Field[Any]", value: object) -> str:
    """Return how a value of an option is shown."""
    return str(value) if value is not None else str(item.metadata["none"])


def default_text(item: "dataclasses.Field[Any]") -> str:
    """Return how the default of an option is shown."""
    if isinstance(item.default, tuple):
        return ", ".join(item.default) or "none"
    return value_text(item, item.default)


def read_options(namespace: argparse.Namespace, declared: type[Declared]) -> Declared:
    """Return the declared options out of a parsed command line; those that it does not know have their defaults."""
    values: dict[str, Any] = {}
    for item in dataclasses.fields(cast("Any", declared)):
        value = getattr(namespace, item.name, item.default)
        # The default of a repeatable option is not in the list that argparse appends to.
        values[item.name] = tuple(value) or item.default if isinstance(value, list) else value
    return declared(**values)


def options_table(*declarations: type[Any]) -> str:
    """Return the options of `declarations` as a Markdown table of the README."""
    lines = ["| option | default | meaning |", "|---|---|---|"]
    for declared in declarations:
        for item in dataclasses.fields(declared):
            flags = item.metadata["flags"] or ("--" + item.name.replace("_", "-"),)
            choices = item.metadata["choices"]
            value = "" if item.default is False else " " + ("|".join(choices) if choices else item.metadata["metavar"])
            default = "off" if item.default is False else default_text(item)
            cells = (f"`{', '.join(flags)}{value}`", default, item.metadata["help"])
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
