"""`stylize` with its verbs, the commands around the main ones."""

import argparse
import json
from typing import TYPE_CHECKING

from .cli_bench import add_bench, run_bench
from .cli_compare import add_compare, run_compare
from .cli_doctor import add_doctor, run_doctor
from .cli_preview import add_preview, run_preview
from .command import Interrupts, make_parser, print_output, run_command

if TYPE_CHECKING:
    from .catalogue import Style


def main(arguments: list[str] | None = None) -> int:
    parser = make_parser(
        "stylize",
        "List the styles, show what they make of a video, measure videos and this machine. "
        "To stylise: stylize-video, stylize-image, stylize-webcam",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    styles = verbs.add_parser(
        "styles",
        help="list the styles, and verify their weights",
        description="List the styles, and verify their weights.",
    )
    styles.add_argument("--json", action="store_true", help="print the cards as JSON")
    add_preview(verbs)
    add_compare(verbs)
    add_bench(verbs)
    add_doctor(verbs)
    options = parser.parse_args(arguments)
    runs = {
        "styles": _styles,
        "preview": run_preview,
        "compare": run_compare,
        "bench": run_bench,
        "doctor": run_doctor,
    }
    return run_command(parser.prog, lambda interrupts: runs[options.verb](options, interrupts))


def _styles(options: argparse.Namespace, interrupts: Interrupts) -> int:
    from .catalogue import load_styles, verify_style
    from .errors import StyleError

    interrupts.check()
    intact, damaged = [], None
    for style in load_styles().values():
        try:
            verify_style(style)
        except StyleError as error:
            if not style.is_users:
                raise
            damaged = error  # the others are still worth a list
        else:
            intact.append(style)
    if options.json:
        print_output(json.dumps([style.card for style in intact], indent=2))
    else:
        width = max((len(style.name) for style in intact), default=0)
        for style in intact:
            print_output(f"{style.name:<{width}}  {_line(style)}")
    if damaged:
        raise damaged
    return 0


def _line(style: "Style") -> str:
    """Return what is said of a style: title, whose it is, kind, and the figures that its card has."""
    from .catalogue import is_any_style, megabytes_of
    from .style_figures import figures_of

    card = style.card
    painter = ", ".join(str(card[key]) for key in ("artist", "year") if card.get(key))
    facts = [
        "paints after --style PICTURE" if is_any_style(style) else "",
        "your own" if style.is_users else "",
        card.get("kind", ""),
        *figures_of(card),
        f"{megabytes_of(card):.1f} MB",
        " ".join(variant["precision"] for variant in card.get("variants", ())),
    ]
    return f"{style.title}{f' ({painter})' if painter else ''}: {', '.join(filter(None, facts))}"
