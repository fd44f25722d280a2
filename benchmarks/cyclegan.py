"""How good a CycleGAN is on pictures it never saw: cycle PSNR both ways, and Gram distance to the paintings.

    python -m benchmarks.cyclegan RUN --photographs DATA/testB --paintings DATA/testA --vgg FILE [--json FILE]

RUN is the folder of a finished training. Prints Markdown; `export/score_cyclegan.py` says what the figures are.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from export.graph import export_onnx, load_network
from export.sample import read_pictures
from export.score_cyclegan import SCORED_SIDE_PX, cyclegan_scores
from training.perceptual import STYLE_LAYERS
from training.photograph import list_pictures
from training.run_folder import NETWORK_FILE
from training.trainer_cyclegan import UNPAINTER_FILE
from training.vgg import Vgg19


def main() -> None:
    options = _parser().parse_args()
    painter, unpainter = (
        export_onnx(load_network(options.run / file).network) for file in (NETWORK_FILE, UNPAINTER_FILE)
    )
    photographs, paintings = (
        read_pictures(files, len(files), short_side_px=SCORED_SIDE_PX)
        for files in (list_pictures(options.photographs), list_pictures(options.paintings))
    )
    vgg = Vgg19(STYLE_LAYERS, weights=options.vgg)
    scores = cyclegan_scores(painter, unpainter, photographs=photographs, paintings=paintings, backbone=vgg)
    print(table(scores))
    if options.json:
        options.json.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")


def table(scores: dict[str, Any]) -> str:
    """Return the scores as Markdown, a row for each side."""
    return "\n".join(
        [
            "| pictures | held out | cycle PSNR | Gram distance | after translation |",
            "|---|---|---|---|---|",
            f"| photographs | {len(scores['photographs'])} | {scores['cycle_psnr_photographs_db']:.1f} dB "
            f"| {scores['gram_distance_of_photographs']:.3f} "
            f"| {scores['gram_distance']:.3f}, nearer: {100 * scores['share_nearer']:.0f} % |",
            f"| paintings | {len(scores['paintings'])} | {scores['cycle_psnr_paintings_db']:.1f} dB "
            f"| {scores['gram_distance_of_paintings']:.3f} | |",
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished training")
    parser.add_argument("--photographs", type=Path, required=True, metavar="DIR", help="that training did not see")
    parser.add_argument("--paintings", type=Path, required=True, metavar="DIR", help="that training did not see")
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="VGG19 safetensors [torchvision's weights]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here, too")
    return parser


if __name__ == "__main__":
    main()
