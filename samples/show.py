"""Make the pictures that README and gallery show, from the sample clip and the shipped styles.

    python -m samples.show

Writes `weights/thumbnails/STYLE.jpg`, `samples/gallery/styles.jpg` (before and every style) and
`samples/gallery/styles.gif` (the same moving). Needs Pillow, from the extra [train].
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from realtime.catalogue import Style, load_catalogue, read_model
from realtime.engine import open_engine
from realtime.settings import Controls
from realtime.smoother import FlowSmoother
from realtime.stylizer import Stylizer
from realtime.video_source import VideoFileSource

FOLDER = Path(__file__).parent
CLIP = FOLDER / "coast.mp4"
GALLERY = FOLDER / "gallery"
THUMBNAILS = FOLDER.parent / "weights" / "thumbnails"
THUMBNAIL_SIZE = (320, 180)
STILL_FRAME = 75
STILL_SIZE = (640, 360)
MOVING_SIZE = (400, 225)
MOVING_STEP = 3
MOVING_PANELS = 4
SHOWN_FRAMES = range(60, 180)
SOURCE_FRAMES_PER_S = 30

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Panel:
    """What is shown of one style, or of the clip itself: a still at full size, and small moving pictures."""

    still: Picture
    moving: list[Picture]


def main() -> None:
    styles = load_catalogue()
    panels = [_panel(None), *(_panel(style) for style in styles.values())]
    for folder in (THUMBNAILS, GALLERY):
        folder.mkdir(exist_ok=True)
    for name, panel in zip(styles, panels[1:], strict=True):
        Image.fromarray(_scaled(panel.still, THUMBNAIL_SIZE)).save(THUMBNAILS / f"{name}.jpg", quality=88)
    stills = _grid([_scaled(panel.still, STILL_SIZE) for panel in panels])
    Image.fromarray(stills).save(GALLERY / "styles.jpg", quality=86)
    moments = zip(*(panel.moving for panel in panels[:MOVING_PANELS]), strict=True)
    first, *others = (Image.fromarray(_grid(list(moment))) for moment in moments)
    duration_ms = round(1000 * MOVING_STEP / SOURCE_FRAMES_PER_S)
    first.save(GALLERY / "styles.gif", save_all=True, append_images=others, duration=duration_ms, loop=0, optimize=True)


def _panel(style: Style | None) -> Panel:
    """Run the clip through a style, smoothing included; None is the clip itself."""
    engine = open_engine(read_model(style)) if style else None
    stylizer, smoother = (Stylizer(engine) if engine else None), FlowSmoother()
    still, moving = np.zeros(0, dtype=np.uint8), []
    with VideoFileSource(CLIP) as source:
        for frame in source:
            if frame.index not in SHOWN_FRAMES:
                continue
            picture = frame.rgb
            if stylizer:
                made = stylizer.stylize(frame.rgb)
                picture = smoother.smooth(made.content, made.stylized, frame.pts_s, smoothing=Controls().smoothing)
            if frame.index == STILL_FRAME:
                still = picture
            if frame.index % MOVING_STEP == 0:
                moving.append(_scaled(picture, MOVING_SIZE))
    if engine:
        engine.close()
    return Panel(still, moving)


def _scaled(picture: Picture, size: tuple[int, int]) -> Picture:
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _grid(pictures: list[Picture]) -> Picture:
    """Lay pictures out in two columns; a missing last one stays black."""
    if len(pictures) % 2:
        pictures = [*pictures, np.zeros_like(pictures[0])]
    return np.vstack([np.hstack(pictures[row : row + 2]) for row in range(0, len(pictures), 2)])


if __name__ == "__main__":
    main()
