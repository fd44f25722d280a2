"""A video with stylised frames of it, and what a step of few-shot training sees of them.

After Texler et al. 2020 ("Interactive Video Stylization Using Few-Shot Patch-Based Training"): pairs of a frame and its
key frame. Departures: windows instead of patches of 32 px go into the network, since its instance norm takes statistics
of all it sees; and moments between the key frames are shown, too.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from training.motion import NOISE_SIGMA_MAX, move
from training.network import SIZE_MULTIPLE

# Share of a frame's sides that the network sees at once. With half of them, whole frames came out at twice the style
# loss to their key frames after 300 steps: 0.052 instead of 0.024.
WINDOW_SHARE = 0.875
# Of the items whose motion is that of the video; the rest are frames in synthetic motion.
REAL_MOTION_SHARE = 0.5

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class StylizedFrame:
    """Frame `number` of a video, counted from 0, and its key frame, both (H, W, 3) RGB."""

    number: int
    frame: Picture
    keyframe: Picture


@dataclass(frozen=True, slots=True)
class Moment:
    """Two frames in a row (H, W, 3), the earlier one `number`: earlier(p) = later(p + flow(p)) where `valid` is true.

    `flow` is (H, W, 2) in pixels (x, y), `valid` (H, W).
    """

    number: int
    earlier: Picture
    later: Picture
    flow: NDArray[np.float32]
    valid: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Footage:
    """Key frames and moments of one video, all of one size; there is at least one of each."""

    keyframes: Sequence[StylizedFrame]
    moments: Sequence[Moment]

    def digest(self) -> str:
        """Return the sha256 of the key frames with their frames, and of the numbers of the moments."""
        digest = hashlib.sha256()
        for each in self.keyframes:
            digest.update(each.frame.tobytes() + each.keyframe.tobytes())
        digest.update(repr([each.number for each in self.moments]).encode())
        return digest.hexdigest()


class FootageDataset(Dataset[dict[str, Tensor]]):
    """Serve a key frame with its frame, and a moment to which no other key frame is nearer, in the same window.

    An item has `frame` and `keyframe`; `photograph`, `moved`, `flow` and `valid` as a `StepDataset`'s; and `patch`, top
    and left of a square of `patch_px` in the window. Pictures are (3, window height, window width), float32 RGB in
    [0, 1]. Item i depends on the seed and on i alone. Nothing is mirrored: strokes may have a direction.
    """

    def __init__(self, footage: Footage, *, patch_px: int, seed: int) -> None:
        self._footage = footage
        self._seed = seed
        height, width = footage.keyframes[0].frame.shape[:2]
        self.window = (_window_side(height), _window_side(width))  # (height, width)
        self._patch_px = min(patch_px, *self.window)
        numbers = np.array([keyframe.number for keyframe in footage.keyframes])
        nearest = [int(np.abs(numbers - moment.number).argmin()) for moment in footage.moments]
        own = [
            [each for each, key in zip(footage.moments, nearest, strict=True) if key == index]
            for index in range(len(numbers))
        ]
        self._moments = [moments or footage.moments for moments in own]

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        random = np.random.default_rng((self._seed, index))
        number = int(random.integers(len(self._footage.keyframes)))
        pair = self._footage.keyframes[number]
        moments = self._moments[number]
        moment = moments[int(random.integers(len(moments)))]
        height, width = pair.frame.shape[:2]
        top = int(random.integers(height - self.window[0] + 1))
        left = int(random.integers(width - self.window[1] + 1))
        window = (slice(top, top + self.window[0]), slice(left, left + self.window[1]))
        generator = torch.Generator().manual_seed(int(random.integers(2**63)))
        frame, keyframe, later = (_tensor(picture[window]) for picture in (pair.frame, pair.keyframe, moment.later))
        if random.random() < REAL_MOTION_SHARE:
            motion = _real_motion(moment, window)
        else:
            moved, flow, inside = move(later.unsqueeze(0), generator)
            motion = {"moved": moved[0], "flow": flow[0], "valid": inside[0]}
        noise = torch.randn(frame.shape, generator=generator) * (random.random() * NOISE_SIGMA_MAX)
        corner = [int(random.integers(side - self._patch_px + 1)) for side in self.window]
        return {
            "frame": (frame + noise).clamp(0, 1),
            "keyframe": keyframe,
            "photograph": later,
            **motion,
            "patch": torch.tensor(corner),
        }


def whole(picture: Picture) -> Tensor:
    """Return a frame without what its sides have beyond a multiple of the network's, (3, h, w) in [0, 1]."""
    height, width = (side // SIZE_MULTIPLE * SIZE_MULTIPLE for side in picture.shape[:2])
    return _tensor(picture[:height, :width])


def _window_side(side: int) -> int:
    return max(1, int(side * WINDOW_SHARE) // SIZE_MULTIPLE) * SIZE_MULTIPLE


def _tensor(picture: Picture) -> Tensor:
    return torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 255


def _real_motion(moment: Moment, window: tuple[slice, slice]) -> dict[str, Tensor]:
    """Return a window of a moment; what its flow brings from beyond the window is not valid."""
    flow = moment.flow[window]
    height, width = flow.shape[:2]
    x, y = np.arange(width) + flow[..., 0], np.arange(height)[:, np.newaxis] + flow[..., 1]
    valid = moment.valid[window] & (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return {
        "moved": _tensor(moment.earlier[window]),
        "flow": torch.from_numpy(flow.copy()).permute(2, 0, 1),
        "valid": torch.from_numpy(valid).unsqueeze(0).float(),
    }
