"""Which of two ways to carry key frames suits a clip: less flicker, and a look nearer to the key frames between them.

    E_warp     of the output over that of the input
    style      distance from the nearest key frame of the frames furthest from any, 1 where it is the input's

The style distance is taken with the codes of the any-style encoder (means and deviations of its features), since the
runtime has no VGG19. The sum decides; lower is better.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from .catalogue import Style, any_style_model
from .clip_survey import ClipSurvey
from .engine import Engine
from .errors import StyleError
from .keyframe_folder import read_keyframe
from .loaded_style import open_encoder
from .style_code import encode_picture
from .video_source import VideoFileSource

# Frames that are compared, spread over the clip.
FRAMES_MAX = 12


@dataclass(frozen=True, slots=True)
class CarryScore:
    """`warping_ratio` is E_warp over the input's, `style_distance` 0 at the key frame's look and 1 at the input's."""

    warping_ratio: float
    style_distance: float

    @property
    def total(self) -> float:
        return self.warping_ratio + self.style_distance

    def __str__(self) -> str:
        return f"E_warp {self.warping_ratio:.2f} times the input's, style distance {self.style_distance:.2f}"


def require_comparison() -> Style:
    """Return the model by which styles are compared.

    Raises:
        StyleError: there is none.
    """
    model = any_style_model()
    if model is None:
        raise StyleError(
            "the any-style model is missing, by which styles are compared; choose --carry flow or few-shot"
        )
    return model


def style_distance(
    source: Path, output: Path, keyframes: Mapping[int, Path], *, survey: ClipSurvey, numbers: range
) -> float:
    """Return the mean style distance of `output`, which holds the frames `numbers` of `source`.

    `survey` is that of `source`. Where every frame is a key frame it is 0.

    Raises:
        InputError: a file cannot be read.
        StyleError: there is no any-style model to compare with.
    """
    distances = []
    with (
        closing(open_encoder(require_comparison())) as encoder,
        VideoFileSource(source) as inputs,
        VideoFileSource(output) as outputs,
    ):
        wanted = dict(_furthest(sorted(keyframes), survey.scenes_in(numbers)))
        painted = {number: frame.rgb for number, frame in zip(numbers, outputs, strict=False) if number in wanted}
        for number, frame in enumerate(inputs):
            if number not in painted:
                continue
            keyframe = _code(encoder, read_keyframe(keyframes[wanted[number]], inputs.info)[0])
            ours, theirs = (np.square(_code(encoder, rgb) - keyframe).sum() for rgb in (painted[number], frame.rgb))
            distances.append(float(ours / theirs) if theirs else 0.0)
    return fmean(distances) if distances else 0.0


def _furthest(keyframes: Sequence[int], scenes: Sequence[range]) -> list[tuple[int, int]]:
    """Return the frames furthest from key frames in their scene, at most `FRAMES_MAX`, each with the nearest one.

    They are half way between two, and the first and last of the scene.
    """
    found = []
    for scene in scenes:
        inside = [number for number in keyframes if number in scene]
        if inside:
            middles = [((left + right) // 2, left) for left, right in pairwise(inside)]
            found += [(scene[0], inside[0]), *middles, (scene[-1], inside[-1])]
    apart = [(number, nearest) for number, nearest in found if number != nearest]
    return apart[:: max(1, -(-len(apart) // FRAMES_MAX))]


def _code(encoder: Engine, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return encode_picture(encoder, rgb).statistics
