"""`stylize-export`: write a trained style as ONNX, verify it on every engine, score it, publish it with its card."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from export.graph import OPSET, TrainedNetwork, export_onnx, load_network
from export.publish import publish, styles_table, write_table
from export.score import TIMED_SIZE, engine_times_ms, perceptual_scores
from export.verify import SIZES, Parity, verify
from realtime.catalogue import WEIGHTS_FOLDER
from realtime.errors import StylizeError
from training.perceptual import STYLE_LAYERS
from training.photograph import list_pictures, load_picture
from training.trainer import NETWORK_FILE
from training.vgg import Vgg19

LICENCE = "Apache-2.0"
TRAINING_DATA = (
    "1,891 photographs of public research sets (ImageNet samples, BSDS500, OSIE, COCO, Flickr8k, Sun-Hays80, Urban100, "
    "Caltech), none of them shipped"
)


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        _export(options)
    except (OSError, ValueError, SafetensorError, StylizeError) as error:
        print(f"stylize-export: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stylize-export", description=__doc__)
    parser.add_argument("run", type=Path, metavar="DIR", help=f"folder of a training run, with {NETWORK_FILE}")
    parser.add_argument("--output", type=Path, metavar="FILE.onnx", help="write the verified model here, and no card")
    parser.add_argument(
        "--publish",
        type=Path,
        metavar="DIR",
        help=f"write model and card into a weights folder ({WEIGHTS_FOLDER.name}/)",
    )
    parser.add_argument(
        "--photographs", type=Path, required=True, metavar="DIR", help="photographs to verify and score on"
    )
    parser.add_argument(
        "--scored-list", type=Path, metavar="FILE", help="names of the photographs to score on, one a line [first 20]"
    )
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="folder of the style picture, needed to publish")
    parser.add_argument(
        "--vgg", type=Path, metavar="FILE", help="VGG19 safetensors for the scores [torchvision's weights]"
    )
    return parser


def _export(options: argparse.Namespace) -> None:
    if options.publish and not options.pictures:
        raise ValueError("--publish needs --pictures, to score the style against its picture")
    trained = load_network(options.run / NETWORK_FILE)
    photographs = list_pictures(options.photographs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "style.onnx"
        export_onnx(trained.network, path)
        model = path.read_bytes()
    parities = verify(trained.network, model, _pictures_of_sizes(photographs))
    for parity in parities:
        print(f"{parity.engine}: {parity.share_within_one_level:.5f} within one level, PSNR {parity.psnr_db:.1f} dB")
    if options.output:
        options.output.write_bytes(model)
    if options.publish:
        card = _card(trained, parities, model, options, photographs)
        publish(model, card, options.publish)
        for page, thumbnails in (
            (options.publish / "README.md", "thumbnails"),
            (options.publish.parent / "README.md", "weights/thumbnails"),
        ):
            if page.exists():
                write_table(page, styles_table(options.publish, thumbnails=thumbnails))
        print(f"published {card['name']}: {card['scores']}, {card['milliseconds']}")


def _pictures_of_sizes(photographs: list[Path]) -> dict[tuple[int, int], NDArray[np.uint8]]:
    """Return one photograph scaled to each of the sizes that are verified."""
    chosen = photographs[:: max(1, len(photographs) // len(SIZES))]
    return {
        size: np.asarray(cv2.resize(np.array(load_picture(path)), size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
        for size, path in zip(SIZES, chosen * len(SIZES), strict=False)
    }


def _card(
    trained: TrainedNetwork, parities: list[Parity], model: bytes, options: argparse.Namespace, photographs: list[Path]
) -> dict[str, Any]:
    recipe = trained.recipe
    if options.scored_list:
        names = set(options.scored_list.read_text(encoding="utf-8").split())
        photographs = [path for path in photographs if path.name in names]
    scored = photographs[:20]
    scores = perceptual_scores(
        model,
        style_picture=options.pictures / recipe["picture"],
        style_size_px=recipe["style_size_px"],
        photographs=scored,
        vgg=Vgg19(STYLE_LAYERS, weights=options.vgg),
    )
    return {
        "name": recipe["name"],
        "title": recipe["title"],
        "kind": "feed-forward",
        "artist": recipe["artist"],
        "artist_died": recipe["artist_died"],
        "year": recipe["year"],
        "picture": recipe["picture"],
        "licence": LICENCE,
        "recipe": f"training/recipes/{recipe['name']}.toml",
        "commit": _commit(),
        "training": {
            "data": TRAINING_DATA,
            "steps": trained.steps,
            "minutes": trained.minutes,
            "hardware": "2 cores of a Xeon with AMX, shared with other work",
            "vgg": trained.vgg,
        },
        "opset": OPSET,
        "parity": [
            {
                "engine": parity.engine,
                "share_within_one_level": round(parity.share_within_one_level, 5),
                "psnr_db": round(min(parity.psnr_db, 99.0), 1),
            }
            for parity in parities
        ],
        "scores": {**scores, "photographs": len(scored), "vgg": options.vgg.name if options.vgg else "torchvision"},
        "milliseconds": {"size": "x".join(map(str, TIMED_SIZE)), **engine_times_ms(model)},
    }


def _commit() -> str:
    try:
        shown = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return shown.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
