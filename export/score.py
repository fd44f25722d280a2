"""Figures for a style's card: perceptual losses on photographs, and milliseconds a frame on every engine."""

import statistics
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from export.features import features_of, style_grams
from realtime.engine import Engine, open_engine
from realtime.stylizer import Stylizer
from training.backbone import Backbone
from training.perceptual import CONTENT_LAYER, content_loss, style_loss
from training.photograph import load_picture

TIMED_SIZE = (1280, 720)
FRAMES_PER_ROUND = 6
WARM_UP_ROUNDS = 1
TIMED_ROUNDS = 5

Picture = NDArray[np.uint8]


def perceptual_scores(
    model: bytes, *, style_picture: Path, style_size_px: int, photographs: Mapping[Path, Picture], backbone: Backbone
) -> dict[str, Any]:
    """Return the mean style and content loss over photographs by file, their own style loss, and what these rest on.

    Style loss is the mean over relu1_1 to relu4_1 of the normalised squared Gram difference, content loss that of
    relu4_1 (`training/perceptual.py`).
    """
    with closing(open_engine(model, engine="onnxruntime", device="cpu")) as engine, torch.inference_mode():
        stylizer = Stylizer(engine)
        grams = style_grams(np.array(load_picture(style_picture, short_side_px=style_size_px)), backbone)
        rows = []
        for photograph in photographs.values():
            content = features_of(photograph, backbone)
            stylized = features_of(stylizer.stylize(photograph).stylized, backbone)
            rows.append(
                (
                    style_loss(stylized, grams).item(),
                    content_loss(stylized[CONTENT_LAYER], content[CONTENT_LAYER]).item(),
                    style_loss(content, grams).item(),
                )
            )
    means = (round(statistics.fmean(column), 4) for column in zip(*rows, strict=True))
    return {
        **dict(zip(("style_loss", "content_loss", "style_loss_of_photographs"), means, strict=True)),
        "style_size_px": style_size_px,
        "photographs": [path.name for path in photographs],
        "short_side_px": min(min(photograph.shape[:2]) for photograph in photographs.values()),
        "vgg": backbone.weights_name,
    }


def engine_times_ms(models: Mapping[str, bytes], *, size: tuple[int, int] = TIMED_SIZE) -> dict[str, float]:
    """Return the milliseconds a frame of `size` takes in a file job, on every engine for processors of this machine.

    `models` are by precision; int8 is timed on OpenVINO alone, which is what runs it.
    """
    times = {}
    for precision, model in models.items():
        for name in ("openvino",) if precision == "int8" else ("openvino", "onnxruntime"):
            with closing(open_engine(model, engine=name, device="cpu")) as engine:
                times[engine.description] = round(time_ms(engine, size), 1)
    return times


def time_ms(engine: Engine, size: tuple[int, int]) -> float:
    """Return the median milliseconds of a frame; as many frames are under way at once as the engine has workers."""
    width, height = size
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    rounds_ms = []
    with ThreadPoolExecutor(engine.workers) as pool:
        for _ in range(WARM_UP_ROUNDS + TIMED_ROUNDS):
            started_s = time.perf_counter()
            list(pool.map(engine.infer, [frame] * FRAMES_PER_ROUND))
            rounds_ms.append(1000 * (time.perf_counter() - started_s) / FRAMES_PER_ROUND)
    return statistics.median(rounds_ms[WARM_UP_ROUNDS:])
