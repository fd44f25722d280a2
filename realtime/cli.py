"""`stylize`: the commands around the main ones; `stylize styles` and `stylize compare`."""

import argparse
import json

from .cli_compare import add_compare, run_compare
from .command import Interrupts, make_parser, print_output, run_command


def main(arguments: list[str] | None = None) -> int:
    parser = make_parser("stylize", "List the styles. To stylise a video: stylize-video INPUT OUTPUT")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    styles = verbs.add_parser(
        "styles",
        help="list the styles, and verify their weights",
        description="List the styles, and verify their weights.",
    )
    styles.add_argument("--json", action="store_true", help="print the cards as JSON")
    add_compare(verbs)
    options = parser.parse_args(arguments)
    run = {"styles": _styles, "compare": run_compare}[options.verb]
    return run_command(parser.prog, lambda interrupts: run(options, interrupts))


def _styles(options: argparse.Namespace, interrupts: Interrupts) -> int:
    from .catalogue import encoder_of, is_any_style, load_catalogue, read_model

    interrupts.check()
    catalogue = load_catalogue()
    for style in catalogue.values():
        read_model(style)
        if is_any_style(style):
            read_model(encoder_of(style))
    if options.json:
        print_output(json.dumps([style.card for style in catalogue.values()], indent=2))
        return 0
    width = max((len(name) for name in catalogue), default=0)
    for style in catalogue.values():
        after = (
            "any picture: --style PICTURE" if is_any_style(style) else f"{style.card['artist']}, {style.card['year']}"
        )
        print_output(f"{style.name:<{width}}  {style.title} ({after})")
    return 0
