"""`stylize-train`: from a picture to a style that every command can use, or the training of a recipe alone.

    stylize-train painting.jpg --name dusk --minutes 30 --photographs photographs/
    stylize-train training/recipes/starry-night.toml --pictures paintings/ --photographs photographs/

The first form trains, exports, verifies, scores and publishes to the folder of the user's own styles. The second is
`python -m training`; its result goes to `stylize-export`.
"""

import argparse
import sys
from pathlib import Path

from export.card import describe_photographs, make_card
from export.cli import print_parities
from export.graph import load_network
from export.publish import publish, require_free_name
from export.sample import Sample, choose_sample
from export.score import perceptual_scores
from export.style import export_style
from realtime.catalogue import resolve_style, user_styles_folder
from realtime.errors import StylizeError
from realtime.settings import DEFAULT_STYLE
from training.cli import main as train_recipe
from training.cli import run_training
from training.perceptual import STYLE_LAYERS
from training.photograph import list_pictures, load_picture
from training.recipe import FeedForwardRecipe
from training.run_folder import CHECKPOINT_FILE
from training.session import train
from training.vgg import Vgg19

RECIPE_SUFFIX = ".toml"
# From a shipped style's network; the shipped styles that began so took 600 to 900.
STEPS = 800
STYLE_WEIGHT = 10.0
PHOTOGRAPHS_ADVISED = 2000
PHOTOGRAPHS_FEW = 200
NO_START = "none"
HELD_OUT_FILE = "held-out.txt"


def main(arguments: list[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    if any(word.endswith(RECIPE_SUFFIX) for word in words):
        return train_recipe(words)
    options = _parser().parse_args(words)
    return run_training(lambda: _make_style(options), StylizeError)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stylize-train",
        description="Make a style of a picture: train it, verify it, and put it among your own styles.",
        epilog="With a recipe (FILE.toml) instead of a picture only the training is done; its options: "
        "python -m training --help",
    )
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="the painting, photograph or texture to learn")
    parser.add_argument("--name", required=True, help="what --style will call it: letters, digits and hyphens")
    parser.add_argument("--title", help="what people read [the name]")
    parser.add_argument("--photographs", type=Path, metavar="DIR", help="photographs of all kinds to train on")
    parser.add_argument(
        "--minutes", type=float, help=f"time budget; the schedule is fitted to it [{STEPS} steps, however long]"
    )
    parser.add_argument(
        "--start",
        default=DEFAULT_STYLE,
        metavar="STYLE",
        help=f"shipped style to start from, or {NO_START} [%(default)s]",
    )
    parser.add_argument("--style-weight", type=float, default=STYLE_WEIGHT, metavar="W", help="[%(default)s]")
    parser.add_argument(
        "--vgg", type=Path, metavar="FILE", help="VGG19 as safetensors [torchvision's, downloaded once]"
    )
    parser.add_argument("--run", type=Path, metavar="DIR", help="checkpoints [runs/NAME]")
    parser.add_argument("--replace", action="store_true", help="replace your style of that name")
    return parser


def _make_style(options: argparse.Namespace) -> None:
    require_free_name(options.name, replace=options.replace)
    if options.photographs is None:
        raise ValueError(
            f"--photographs DIR is missing: a folder of about {PHOTOGRAPHS_ADVISED:,} photographs of all kinds "
            "(people, streets, rooms, nature), of 256 px or more; any collection of yours will do"
        )
    if options.minutes is not None and not options.minutes > 0:
        raise ValueError(f"--minutes is {options.minutes} but must be more than 0")
    load_picture(options.picture)
    files = list_pictures(options.photographs)
    if len(files) < PHOTOGRAPHS_FEW:
        print(
            f"note: {len(files)} photographs are few; with {PHOTOGRAPHS_ADVISED:,} faces and streets keep their shape"
        )
    sample = choose_sample(files)
    run_folder = options.run or Path("runs") / options.name
    held_out = _hold_out(sample, run_folder) if len(files) >= PHOTOGRAPHS_FEW else None
    recipe = FeedForwardRecipe(
        name=options.name,
        title=options.title or options.name.replace("-", " ").capitalize(),
        picture=options.picture.name,
        artist="",
        artist_died="",
        year="",
        initial=_initial(options.start),
        steps=STEPS,
        style_weight=options.style_weight,
    )
    network_file = train(
        recipe,
        style_pictures=options.picture,
        photographs=options.photographs,
        run_folder=run_folder,
        vgg=options.vgg,
        minutes=options.minutes,
        excluded=held_out,
    )
    trained = load_network(network_file)
    exported = export_style(trained.network, sample)
    print_parities(exported)
    scores = perceptual_scores(
        exported.model,
        style_picture=options.picture,
        style_size_px=recipe.style_size_px,
        photographs=sample.scored,
        vgg=Vgg19(STYLE_LAYERS, weights=options.vgg),
    )
    scores["held_out"] = held_out is not None
    data = describe_photographs(len(files) - len(sample.scored) * scores["held_out"], options.photographs)
    card = make_card(trained, exported, scores=scores, data=data, licence="your own", embed_recipe=True)
    require_free_name(options.name, replace=options.replace)  # it may have been taken while the training ran
    publish(exported.model, card, user_styles_folder(), variants=exported.variants)
    (run_folder / CHECKPOINT_FILE).unlink(missing_ok=True)  # so that --replace begins anew
    print(f"{recipe.name}: style loss {scores['style_loss']:.3f}, content loss {scores['content_loss']:.2f}")
    print(f"use it: stylize-video in.mp4 out.mp4 --style {recipe.name}")


def _initial(start: str) -> str:
    """Return what the recipe calls the network to start from: a shipped style's name, a file, or nothing."""
    if start == NO_START:
        return ""
    style = resolve_style(start)
    kind = style.card.get("kind", "feed-forward")
    if kind != "feed-forward":
        raise ValueError(f"--start {start}: a style of kind {kind} cannot be the start; name another or {NO_START}")
    return str(style.path) if style.is_users or not style.card else style.name


def _hold_out(sample: Sample, run_folder: Path) -> Path:
    """Write the names of the photographs that the style is scored on, which training then leaves out."""
    run_folder.mkdir(parents=True, exist_ok=True)
    names = run_folder / HELD_OUT_FILE
    names.write_text("\n".join(sample.scored) + "\n", encoding="utf-8")
    return names


if __name__ == "__main__":
    sys.exit(main())
