"""Figures for a style's card: perceptual losses on photographs, and milliseconds a frame on every engine."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from realtime.engine import open_engine
from realtime.stylizer import Stylizer
from training.perceptual import CONTENT_LAYER, STYLE_LAYERS, content_loss, gram_matrix, style_loss
from training.photograph import load_picture, to_tensor
from training.vgg import Vgg19

SCORED_SIDE_PX = 384
TIMED_SIZE = (1280, 720)
FRAMES_PER_ROUND = 6
WARM_UP_ROUNDS = 1
TIMED_ROUNDS = 5


def perceptual_scores(
    model: bytes, *, style_picture: Path, style_size_px: int, photographs: list[Path], vgg: Vgg19
) -> dict[str, float]:
    """Return the mean style and content loss over photographs at 384 px (short side), and their own style loss.

    Style loss is the mean over relu1_1 to relu4_1 of the normalised squared Gram difference, content loss that of
    relu4_1 (`training/perceptual.py`).
    """
    stylizer = Stylizer(open_engine(model, engine="onnxruntime", device="cpu"))
    with torch.inference_mode():
        style = vgg(to_tensor(load_picture(style_picture, short_side_px=style_size_px)).unsqueeze(0))
        grams = {layer: gram_matrix(style[layer]) for layer in STYLE_LAYERS}
        rows = []
        for path in photographs:
            photograph = np.array(load_picture(path, short_side_px=SCORED_SIDE_PX))
            content = vgg(_tensor(photograph))
            stylized = vgg(_tensor(stylizer.stylize(photograph).stylized))
            rows.append(
                (
                    style_loss(stylized, grams).item(),
                    content_loss(stylized[CONTENT_LAYER], content[CONTENT_LAYER]).item(),
                    style_loss(content, grams).item(),
                )
            )
    style_mean, content_mean, photograph_mean = (
        round(statistics.fmean(column), 4) for column in zip(*rows, strict=True)
    )
    return {"style_loss": style_mean, "content_loss": content_mean, "style_loss_of_photographs": photograph_mean}


def engine_times_ms(model: bytes) -> dict[str, float]:
    """Return the milliseconds a 1280x720 frame takes in a file job, on every engine for processors of this machine.

    As many frames are under way at once as the engine has workers; the median of `TIMED_ROUNDS` rounds.
    """
    width, height = TIMED_SIZE
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    times = {}
    for name in ("openvino", "onnxruntime"):
        engine = open_engine(model, engine=name, device="cpu")
        with ThreadPoolExecutor(engine.workers) as pool:
            rounds = []
            for _ in range(WARM_UP_ROUNDS + TIMED_ROUNDS):
                started_s = time.perf_counter()
                list(pool.map(engine.infer, [frame] * FRAMES_PER_ROUND))
                rounds.append(1000 * (time.perf_counter() - started_s) / FRAMES_PER_ROUND)
        times[engine.description] = round(statistics.median(rounds[WARM_UP_ROUNDS:]), 1)
        engine.close()
    return times


def _tensor(picture: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1).unsqueeze(0).float() / 255
