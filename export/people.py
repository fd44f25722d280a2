r"""Export the network that finds people, quantised, with a card of what it scores.

python -m export.people runs/people/network.safetensors weights/people/people.json --photographs DIR --masks DIR \
        --held-out NAMES.txt
"""

import argparse
import json
import logging
import statistics
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from export.graph import INPUT_NAME, TrainedNetwork, export_onnx, load_network, run_uint8
from export.runner import processor
from export.score import time_ms
from export.variant import CALIBRATION_PICTURES, to_int8
from export.verify import Case, measure_parity
from realtime.catalogue import MODEL_SUFFIX
from realtime.engine import open_engine
from realtime.graph import PEOPLE
from realtime.people_mask import SIDE_STEP_PX, as_seen, seen_size
from training.dataset_people import EMPTY_SHARE_MAX, masks_of
from training.distill_card import ATTRIBUTION
from training.people_network import PeopleNetwork
from training.photograph import evenly, list_pictures, load_picture, without_excluded
from training.shipped_backbone import write_with_card

# It holds the small backbone, which derives from VGG19's weights.
LICENCE = "CC-BY-4.0"
TEACHER = "MediaPipe 0.10.21 by Google (Apache-2.0): Selfie Segmentation, checked by its face and pose detection"
# Of frames of 16:9, 9:16 and 1:1, and the least and more than the most that is seen of one, (width, height).
SIZES = (*map(seen_size, ((1280, 720), (720, 1280), (480, 480))), (SIDE_STEP_PX, SIDE_STEP_PX), (512, 288))
DIGITS = 4

Picture = NDArray[np.uint8]


def publish(
    trained: TrainedNetwork, card: Path, *, held_out: dict[Path, Path], calibration: Sequence[Path]
) -> dict[str, Any]:
    """Write the graph beside `card`, and the card; returns what that says of the network.

    It is quantised: VGG19's features make it slow and large, and masks overlap as well. `held_out` are photographs that
    it was not trained on and their masks; `calibration` are any photographs.
    """
    network = trained.network
    assert isinstance(network, PeopleNetwork)
    fold_batch_norm(network)
    model = to_int8(export_onnx(network), [_seen(path) for path in calibration])
    cases = [Case(size, {INPUT_NAME: frame}, run_uint8(network, frame)) for size, frame in _frames(calibration).items()]
    with closing(open_engine(model, engine="openvino", device="cpu", contract=PEOPLE)) as engine:
        milliseconds = {engine.description: round(time_ms(engine, SIZES[0]), 1)}
        scores = overlap(engine.infer, held_out)
    facts = {
        "title": trained.recipe["title"],
        "licence": LICENCE,
        "attribution": ATTRIBUTION,
        "teacher": TEACHER,
        "training": {
            "recipe": f"training/recipes/{trained.recipe['name']}.toml",
            "photographs": trained.photographs,
            "steps": trained.steps,
            "minutes": trained.minutes,
        },
        "scores": scores,
        "scores_in_float32": overlap(lambda seen: run_uint8(network, seen[np.newaxis])[0], held_out),
        "psnr_db": {
            parity.engine: round(parity.psnr_db, 1) for parity in measure_parity(model, cases, precision="int8")
        },
        "milliseconds": {"size": "x".join(map(str, SIZES[0])), "hardware": processor(), **milliseconds},
    }
    write_with_card(model, card.with_suffix(MODEL_SUFFIX), card, facts)
    return facts


def _frames(photographs: Sequence[Path]) -> dict[tuple[int, int], Picture]:
    """Return a frame (1, H, W, 3) of every size that is verified."""
    chosen = zip(SIZES, cycle(photographs), strict=False)
    return {size: np.array(load_picture(path).resize(size))[np.newaxis] for size, path in chosen}


def _seen(photograph: Path) -> Picture:
    """Return what the network sees of a photograph, (H, W, 3)."""
    return as_seen(np.array(load_picture(photograph)))


def fold_batch_norm(network: nn.Module) -> None:
    """Fold every batch norm into the convolution before it, in place."""
    for module in network.modules():
        if isinstance(module, nn.Sequential) and len(module) > 1 and isinstance(module[1], nn.BatchNorm2d):
            convolution = module[0]
            assert isinstance(convolution, nn.Conv2d)
            module[0] = fuse_conv_bn_eval(convolution, module[1])
            module[1] = nn.Identity()


def overlap(find: Callable[[Picture], Picture], masks: dict[Path, Path]) -> dict[str, Any]:
    """Return the mean intersection over union of given masks and those that `find` makes, (H, W, 1).

    That is where there are people; `white_where_nobody` is the mean share of white in the others.
    """
    overlaps, whites = [], []
    for photograph, mask in masks.items():
        seen = _seen(photograph)
        found = find(seen)[..., 0]
        levels = np.asarray(load_picture(mask).convert("L").resize((seen.shape[1], seen.shape[0])))
        if levels.mean() / 255 < EMPTY_SHARE_MAX:
            whites.append(float(found.mean() / 255))
            continue
        one, other = found > 127, levels > 127
        overlaps.append(float((one & other).sum() / max(1, (one | other).sum())))
    return {
        "with_people": len(overlaps),
        "intersection_over_union": _mean(overlaps),
        "without_people": len(whites),
        "white_where_nobody": _mean(whites),
    }


def _mean(values: list[float]) -> float | None:
    return round(statistics.fmean(values), DIGITS) if values else None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m export.people", description=__doc__)
    add = parser.add_argument
    add("network", type=Path, help="network.safetensors of a run")
    add("card", type=Path, metavar="CARD.json", help="the card to write, and the network beside it")
    add("--photographs", type=Path, required=True, metavar="DIR", help="photographs to score it on")
    add("--masks", type=Path, required=True, metavar="DIR", help="their masks, NAME.png")
    add("--held-out", type=Path, required=True, metavar="FILE", help="names of those that it was not trained on")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)
    try:
        photographs = list_pictures(options.photographs)
        learned = without_excluded(photographs, options.held_out)
        held_out = masks_of(sorted({*photographs} - {*learned}), options.masks)
        calibration = evenly(learned, CALIBRATION_PICTURES)
        card = publish(
            load_network(options.network, (PeopleNetwork,)), options.card, held_out=held_out, calibration=calibration
        )
    except (OSError, ValueError) as error:
        logging.error("export.people: %s", error)
        return 1
    told = ("scores", "scores_in_float32", "psnr_db", "milliseconds")
    logging.info("%s: %s", options.card, json.dumps({name: card[name] for name in told}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
