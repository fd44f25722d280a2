"""Make the pictures that README and gallery show, from the sample clip and the shipped styles.

    python -m samples.show

Writes `weights/thumbnails/STYLE.jpg`, `samples/styles.jpg` (before and every style) and `samples/styles.gif` (moving).
Needs Pillow, from the extra [train].
"""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from realtime.catalogue import load_catalogue, read_model
from realtime.engine import open_engine
from realtime.smoother import FlowSmoother
from realtime.stylizer import Stylizer

FOLDER = Path(__file__).parent
CLIP = FOLDER / "coast.mp4"
THUMBNAILS = FOLDER.parent / "weights" / "thumbnails"
THUMBNAIL_SIZE = (320, 180)
STILL_FRAME = 75
STILL_SIZE = (640, 360)
MOVING_SIZE = (400, 225)
MOVING_STEP = 3
MOVING_FRAMES = range(60, 180)
SMOOTHING = 0.7

Picture = NDArray[np.uint8]


def main() -> None:
    frames = _frames(MOVING_FRAMES)
    panels = [frames] + [_stylized(name, frames) for name in load_catalogue()]
    THUMBNAILS.mkdir(exist_ok=True)
    still = STILL_FRAME - MOVING_FRAMES.start
    for name, panel in zip(load_catalogue(), panels[1:], strict=True):
        Image.fromarray(_scaled(panel[still], THUMBNAIL_SIZE)).save(THUMBNAILS / f"{name}.jpg", quality=88)
    Image.fromarray(_grid([_scaled(panel[still], STILL_SIZE) for panel in panels])).save(
        FOLDER / "styles.jpg", quality=86
    )
    shown = range(0, len(frames), MOVING_STEP)
    moving = [Image.fromarray(_grid([_scaled(panel[index], MOVING_SIZE) for panel in panels[:4]])) for index in shown]
    moving[0].save(
        FOLDER / "styles.gif",
        save_all=True,
        append_images=moving[1:],
        duration=int(1000 * MOVING_STEP / 30),
        loop=0,
        optimize=True,
    )


def _frames(wanted: range) -> list[Picture]:
    with av.open(str(CLIP)) as container:
        return [
            frame.to_ndarray(format="rgb24") for index, frame in enumerate(container.decode(video=0)) if index in wanted
        ]


def _stylized(name: str, frames: list[Picture]) -> list[Picture]:
    engine = open_engine(read_model(load_catalogue()[name]))
    stylizer, smoother = Stylizer(engine), FlowSmoother()
    stylized = []
    for index, frame in enumerate(frames):
        made = stylizer.stylize(frame)
        stylized.append(smoother.smooth(made.content, made.stylized, Fraction(index, 30), smoothing=SMOOTHING))
    engine.close()
    return stylized


def _scaled(picture: Picture, size: tuple[int, int]) -> Picture:
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _grid(pictures: list[Picture]) -> Picture:
    """Lay pictures out in two columns; a missing last one stays black."""
    if len(pictures) % 2:
        pictures = [*pictures, np.zeros_like(pictures[0])]
    return np.vstack([np.hstack(pictures[row : row + 2]) for row in range(0, len(pictures), 2)])


if __name__ == "__main__":
    main()
