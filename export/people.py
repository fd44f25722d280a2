r"""Export the network that finds people, verify it on every engine, and write it with a card of what it scores.

python -m export.people runs/people/network.safetensors weights/people/people.json --photographs DIR --masks DIR \
        --held-out NAMES.txt
"""

import argparse
import hashlib
import json
import logging
import statistics
import sys
from collections.abc import Sequence
from contextlib import closing
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from export.adain import round_to_float16
from export.graph import INPUT_NAME, TrainedNetwork, export_onnx, load_network, run_uint8
from export.runner import processor
from export.score import time_ms
from export.variant import CALIBRATION_PICTURES, store_as_float16, to_int8
from export.verify import Case, verify
from realtime.catalogue import MODEL_SUFFIX
from realtime.engine import Engine, open_engine
from realtime.graph import PEOPLE
from realtime.people_mask import SIDE_STEP_PX, as_seen, seen_size
from training.dataset_people import EMPTY_SHARE_MAX, masks_of
from training.distill_card import ATTRIBUTION
from training.people_network import PeopleNetwork
from training.photograph import evenly, list_pictures, load_picture, without_excluded

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
    """Write the graph and its int8 variant beside `card`, and the card; returns what that says.

    `held_out` are photographs that it was not trained on and their masks; `calibration` are any photographs.

    Raises:
        ParityError: an engine does not do what torch does.
    """
    network = trained.network
    assert isinstance(network, PeopleNetwork)
    fold_batch_norm(network)
    round_to_float16(network)
    traced = export_onnx(network)
    models = {
        "fp32": store_as_float16(traced),
        "int8": to_int8(traced, [_seen(load_picture(path)) for path in calibration]),
    }
    cases = [Case(size, {INPUT_NAME: frame}, run_uint8(network, frame)) for size, frame in _frames(calibration).items()]
    parities = [parity for precision, model in models.items() for parity in verify(model, cases, precision=precision)]
    times, scores = {}, {}
    for precision, model in models.items():
        with closing(open_engine(model, engine="openvino", device="cpu", contract=PEOPLE)) as engine:
            times[engine.description] = round(time_ms(engine, SIZES[0]), 1)
            scores[precision] = overlap(engine, held_out)
    files = {precision: _written(card, precision, model) for precision, model in models.items()}
    described = {
        **files["fp32"],
        "variants": [{"precision": "int8", **files["int8"]}],
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
        "parity_psnr_db": {parity.engine: round(parity.psnr_db, 1) for parity in parities},
        "scores": scores,
        "milliseconds": {"size": "x".join(map(str, SIZES[0])), "hardware": processor(), **times},
    }
    card.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    return described


def _frames(photographs: Sequence[Path]) -> dict[tuple[int, int], Picture]:
    """Return a frame (1, H, W, 3) of every size that is verified."""
    chosen = zip(SIZES, cycle(photographs), strict=False)
    return {size: np.asarray(load_picture(path).resize(size))[np.newaxis] for size, path in chosen}


def _seen(photograph: Image.Image) -> Picture:
    """Return what the network sees of a photograph, (H, W, 3)."""
    return as_seen(np.asarray(photograph))


def _written(card: Path, precision: str, model: bytes) -> dict[str, Any]:
    path = card.with_suffix(MODEL_SUFFIX if precision == "fp32" else f".{precision}{MODEL_SUFFIX}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model)
    return {"file": path.name, "size_bytes": len(model), "sha256": hashlib.sha256(model).hexdigest()}


def fold_batch_norm(network: nn.Module) -> None:
    """Fold every batch norm into the convolution before it, in place."""
    for module in network.modules():
        if isinstance(module, nn.Sequential) and len(module) > 1 and isinstance(module[1], nn.BatchNorm2d):
            convolution = module[0]
            assert isinstance(convolution, nn.Conv2d)
            module[0] = fuse_conv_bn_eval(convolution, module[1])
            module[1] = nn.Identity()


def overlap(engine: Engine, masks: dict[Path, Path]) -> dict[str, Any]:
    """Return by how much found and given masks overlap, the mean of intersection over union where there are people.

    `white_where_nobody` is the mean share of white in the others.
    """
    overlaps, whites = [], []
    for photograph, mask in masks.items():
        seen = _seen(load_picture(photograph))
        found = engine.infer(seen)[..., 0]
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
    torch.manual_seed(0)
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
    logging.info(
        "%s: %s", options.card, json.dumps({name: card[name] for name in ("scores", "parity_psnr_db", "milliseconds")})
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
