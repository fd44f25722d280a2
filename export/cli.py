"""`stylize-export`: write a trained style as ONNX, verify it on every engine, score it, publish it with its card."""

import argparse
import sys
from pathlib import Path

from safetensors import SafetensorError

from export.card import describe_photographs, make_card
from export.graph import TrainedNetwork, load_network
from export.page import write_pages
from export.publish import publish
from export.sample import SCORED_PICTURES, Sample, choose_sample
from export.scores import SCORED_SIDES_PX, Scored, require_scored_kind, scores_of
from export.style import VARIANTS, ExportedStyle, export_style
from realtime.catalogue import MODEL_SUFFIX, WEIGHTS_FOLDER
from realtime.errors import StylizeError
from realtime.output_file import require_paths, write_whole
from realtime.style_figures import figures_of
from training.photograph import list_pictures, read_names
from training.run_folder import NETWORK_FILE

LICENCE = "Apache-2.0"
# A fitter holds the small backbone, which derives from VGG19.
LICENCE_WITH_FITTER = f"{LICENCE}, its fitter CC BY 4.0"


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        _export(options)
    except (OSError, ValueError, SafetensorError, StylizeError) as error:
        print(f"stylize-export: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stylize-export: stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stylize-export", description=__doc__)
    parser.add_argument("run", type=Path, metavar="DIR", help=f"folder of a training run, with {NETWORK_FILE}")
    parser.add_argument("--output", type=Path, metavar="FILE.onnx", help="write the verified model here, and no card")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing --output")
    parser.add_argument(
        "--publish",
        type=Path,
        metavar="DIR",
        help=f"write models and card into a folder of styles ({WEIGHTS_FOLDER.name}/)",
    )
    parser.add_argument(
        "--photographs", type=Path, required=True, metavar="DIR", help="photographs to verify and score on"
    )
    parser.add_argument(
        "--scored-list",
        type=Path,
        metavar="FILE",
        help=f"names of the photographs to score on, one a line [{SCORED_PICTURES} of all]",
    )
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="DIR",
        help="needed to publish: the folder of the style picture; for an any-style model or a CycleGAN, of paintings "
        "that it has not seen",
    )
    parser.add_argument(
        "--variants", nargs="*", choices=VARIANTS, default=["int8"], help="lower precisions to publish beside it [int8]"
    )
    parser.add_argument("--data", metavar="TEXT", help="what the card says of the training data [their number]")
    parser.add_argument(
        "--warping-error",
        type=float,
        metavar="E",
        help="E_warp for the card, of the squared range: 0.00123 where the table of benchmarks.quality has 12.3",
    )
    parser.add_argument(
        "--vgg", type=Path, metavar="FILE", help="VGG19 safetensors for the scores [torchvision's weights]"
    )
    return parser


def _export(options: argparse.Namespace) -> None:
    if options.publish and not options.pictures:
        raise ValueError("--publish needs --pictures, to score the style against its picture or paintings")
    network_file = options.run / NETWORK_FILE
    if options.output:
        require_paths(network_file, options.output, suffixes=(MODEL_SUFFIX,), overwrite=options.overwrite)
    trained = load_network(network_file)
    if options.publish:
        require_scored_kind(trained.kind)
    photographs = list_pictures(options.photographs)
    names = sorted(read_names(options.scored_list)) if options.scored_list else ()
    scored_side_px = SCORED_SIDES_PX.get(trained.kind)
    sample = choose_sample(photographs, scored_names=names, scored_side_px=scored_side_px)
    exported = export_style(trained.network, sample, precisions=options.variants if options.publish else ())
    print_parities(exported)
    if options.output:
        write_whole(options.output, lambda part: part.write_bytes(exported.model), overwrite=options.overwrite)
    if options.publish:
        data = options.data or describe_photographs(len(photographs), options.photographs)
        _publish(options, trained, exported, sample, data)


def _publish(
    options: argparse.Namespace, trained: TrainedNetwork, exported: ExportedStyle, sample: Sample, data: str
) -> None:
    scores = scores_of(Scored(trained, exported, sample, options.run, options.pictures), vgg=options.vgg)
    if options.warping_error is not None:
        scores["warping_error"] = options.warping_error
    licence = LICENCE_WITH_FITTER if "fitter" in exported.parts else LICENCE
    card = make_card(trained, exported, scores=scores, data=data, licence=licence, embed_recipe=False)
    publish(exported.model, card, options.publish, variants=exported.variants, parts=exported.parts)
    write_pages(options.publish)
    print(f"published {card['name']}: {', '.join(figures_of(card))}; {card.get('milliseconds', {})}")


def print_parities(exported: ExportedStyle) -> None:
    for parity in exported.parities:
        print(f"{parity.engine}: {parity.share_within_one_level:.5f} within one level, PSNR {parity.psnr_db:.1f} dB")


if __name__ == "__main__":
    sys.exit(main())
