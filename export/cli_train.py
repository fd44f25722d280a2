"""`stylize-train`: from a picture to a style that every command can use, or the training of a recipe alone.

    stylize-train painting.jpg --name dusk --minutes 30 --photographs photographs/
    stylize-train training/recipes/starry-night.toml --pictures paintings/ --photographs photographs/
    stylize-train few-shot in.mp4 keyframes/ -o dusk.onnx
    stylize-train classifier --arch custom-vgg19 --data cifar100 --minutes 60

The first form trains, exports, verifies, scores and publishes to the folder of the user's own styles. The second is
`python -m training`; its result goes to `stylize-export`. The others are `cli_few_shot.py`, and the training of a
backbone for optimisation.
"""

import argparse
import sys
from pathlib import Path

from export.card import describe_photographs, make_card
from export.cli import print_parities
from export.cli_few_shot import main as learn_keyframes
from export.graph import load_network
from export.publish import make_styles_folder, publish, require_free_name
from export.sample import Sample, choose_sample
from export.score import perceptual_scores
from export.start import NO_START, initial_of
from export.style import export_style
from realtime.catalogue import user_styles_folder
from realtime.errors import StylizeError
from realtime.settings import DEFAULT_STYLE
from training.backbone_choice import perceptual_backbone
from training.backbone_option import add_backbone_option
from training.cli import main as train_recipe
from training.cli import run_training
from training.cli_classifier import main as train_classifier
from training.option_types import minutes
from training.photograph import list_pictures, load_picture
from training.recipe import FeedForwardRecipe
from training.run_folder import CHECKPOINT_FILE
from training.session import train

RECIPE_SUFFIX = ".toml"
FURTHER_COMMANDS = {"few-shot": learn_keyframes, "classifier": train_classifier}
# From a shipped style's network; the shipped styles that began so took 550 to 1,500.
STEPS = 800
STYLE_WEIGHT = 10.0
PHOTOGRAPHS_ADVISED = 2000
PHOTOGRAPHS_FEW = 200
HELD_OUT_FILE = "held-out.txt"


def main(arguments: list[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    if words and words[0] in FURTHER_COMMANDS:
        return FURTHER_COMMANDS[words[0]](words[1:])
    if any(word.endswith(RECIPE_SUFFIX) for word in words):
        return train_recipe(words)
    options = _parser().parse_args(words)
    return run_training(lambda: _make_style(options), StylizeError)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stylize-train",
        description="Make a style of a picture: train it, verify it, and put it among your own styles.",
        epilog="With a recipe (FILE.toml) instead of a picture only the training is done; its options: "
        "python -m training --help. From a video and stylised frames of it: stylize-train few-shot --help. "
        "A backbone: stylize-train classifier --help",
    )
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="the painting, photograph or texture to learn")
    parser.add_argument("--name", required=True, help="what --style will call it: letters, digits and hyphens")
    parser.add_argument("--title", help="what people read [the name]")
    parser.add_argument("--photographs", type=Path, metavar="DIR", help="photographs of all kinds to train on (needed)")
    parser.add_argument(
        "--minutes", type=minutes, help=f"time budget; the schedule is fitted to it [{STEPS} steps, however long]"
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
    add_backbone_option(parser)
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
    if options.vgg is not None and not options.vgg.is_file():  # it may be read for the scores alone, in the end
        raise FileNotFoundError(f"there is no file --vgg {options.vgg}")
    load_picture(options.picture)
    make_styles_folder(user_styles_folder())
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
        initial=initial_of(options.start),
        steps=STEPS,
        style_weight=options.style_weight,
    )
    network_file = train(
        recipe,
        style_pictures=options.picture,
        photographs=options.photographs,
        run_folder=run_folder,
        vgg=options.vgg,
        backbone=options.backbone,
        minutes=options.minutes,
        excluded=held_out,
    )
    trained = load_network(network_file)
    exported = export_style(trained.network, sample, requires_variants=False)
    print_parities(exported)
    scores = perceptual_scores(
        exported.model,
        style_picture=options.picture,
        style_size_px=recipe.style_size_px,
        photographs=sample.scored,
        # Nothing is downloaded only to score what was trained without it.
        backbone=perceptual_backbone(options.vgg, name=options.backbone if options.vgg is None else None),
    )
    scores["held_out"] = held_out is not None
    data = describe_photographs(len(files) - len(sample.scored) * scores["held_out"], options.photographs)
    card = make_card(trained, exported, scores=scores, data=data, licence="your own", embed_recipe=True)
    require_free_name(options.name, replace=options.replace)  # it may have been taken while the training ran
    publish(exported.model, card, user_styles_folder(), variants=exported.variants)
    (run_folder / CHECKPOINT_FILE).unlink(missing_ok=True)  # so that --replace begins anew
    print(f"{recipe.name}: style loss {scores['style_loss']:.3f}, content loss {scores['content_loss']:.2f}")
    print(f"use it: stylize-video in.mp4 out.mp4 --style {recipe.name}")


def _hold_out(sample: Sample, run_folder: Path) -> Path:
    """Write the paths of the photographs that the style is scored on, which training then leaves out."""
    run_folder.mkdir(parents=True, exist_ok=True)
    names = run_folder / HELD_OUT_FILE
    names.write_text(
        "\n".join(str(path.absolute()) for path in sample.scored) + "\n", encoding="utf-8", errors="surrogateescape"
    )
    return names


if __name__ == "__main__":
    sys.exit(main())
