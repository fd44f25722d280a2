"""Judge a clip that was carried by key frames: flicker against the input's, jumps at key frames, and the look between.

    stylize-video clip.mp4 out.mp4 --keyframes painted/
    python -m benchmarks.keyframes --clip clip.mp4 --carried out.mp4 --keyframes painted/ --style painting.jpg

E_warp, sharpness and style loss as the runtime and the trainer define them. The bars: E_warp at most 1.3 times the
input's, no pair above twice the median, style loss to the painting between key frames at most 1.25 times their own.

Beside them stands E_warp of the first key frame, held still: where the input hardly moves, the flow of the measure
follows its noise, and even a picture that nobody could see flicker has a multiple of the input's, by its contrast.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray

from export.features import features_of, style_grams
from realtime.clip_survey import survey_clip
from realtime.keyframe_folder import find_keyframes, read_keyframe
from realtime.temporal_metric import TemporalMeter
from realtime.video_source import VideoFileSource
from training.perceptual import STYLE_LAYERS, style_loss
from training.photograph import load_picture
from training.vgg import Vgg19

STYLE_SIZE_PX = 512
# Every so many frames the style is measured.
STYLE_STEP = 4
Grams = dict[str, torch.Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("--clip", "--carried", "--keyframes"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--style", type=Path, help="the painting that the key frames are after")
    parser.add_argument("--vgg", type=Path, help="VGG19 as safetensors [torchvision's]")
    options = parser.parse_args()
    survey = survey_clip(options.clip)
    meter, vgg = TemporalMeter(2), Vgg19(STYLE_LAYERS, weights=options.vgg)
    between: dict[str, list[float]] = {"carried": [], "input": []}
    with VideoFileSource(options.clip) as source, VideoFileSource(options.carried) as output, torch.inference_mode():
        pictures = {
            number: read_keyframe(path, source.info)[0]
            for number, path in find_keyframes(options.keyframes, survey.times_s).items()
        }
        grams = {number: style_grams(picture, vgg) for number, picture in pictures.items()}
        held = pictures[min(pictures)]
        style = None
        if options.style is not None:
            style = style_grams(np.array(load_picture(options.style, short_side_px=STYLE_SIZE_PX)), vgg)
        to_style, of_keys = [], []
        for frame, made in zip(source, output, strict=True):
            meter.add(frame.rgb, [made.rgb, held])
            if style is not None and frame.index in pictures:
                of_keys.append(_loss(vgg, made.rgb, style))  # as encoded, like those between
            if frame.index % STYLE_STEP or frame.index in pictures:
                continue
            nearest = grams[min(grams, key=lambda number: abs(number - frame.index))]
            for name, rgb in (("carried", made.rgb), ("input", frame.rgb)):
                between[name].append(_loss(vgg, rgb, nearest))
            if style is not None:
                to_style.append(_loss(vgg, made.rgb, style))
        # Of the pair that ends with each frame but the first; NaN at cuts.
        errors = np.array(meter.outputs[0].warping_errors)
        floor, typical = meter.source.warping_error, float(np.nanmedian(errors))
        at_keys = [errors[number - 1] for number in pictures if number > 0]
        print(
            f"E_warp x1000: input {1000 * floor:.3f}, carried {1000 * np.nanmean(errors):.3f}, "
            f"ratio {np.nanmean(errors) / floor:.2f}, held still {meter.outputs[1].warping_error / floor:.2f}"
        )
        print(
            f"over the median: largest {np.nanmax(errors) / typical:.2f}, at pair {int(np.nanargmax(errors))}, "
            f"at key frames {np.nanmax([*at_keys, 0.0]) / typical:.2f}"
        )
        print(f"sharpness over the input's: {meter.outputs[0].sharpness / meter.source.sharpness:.2f}")
        losses = ", ".join(f"{name} {fmean(values):.4f}" for name, values in between.items())
        print(f"style loss to the nearest key frame: {losses}")
        if style is not None:
            print(
                f"style loss to the painting: key frames {fmean(of_keys):.4f}, between {fmean(to_style):.4f}, "
                f"ratio {fmean(to_style) / fmean(of_keys):.2f}"
            )


def _loss(vgg: Vgg19, rgb: NDArray[np.uint8], wanted: Mapping[str, torch.Tensor]) -> float:
    return float(style_loss(features_of(rgb, vgg), dict(wanted)))


if __name__ == "__main__":
    main()
