"""Make the pictures that README and gallery show, from the sample clip and the shipped styles.

    python -m samples.show

Writes `weights/thumbnails/STYLE.jpg`, `samples/gallery/styles.jpg` (before, and every style) and
`samples/gallery/styles.mp4` (the same moving). An any-style model is shown painting after a picture of our own: the
still of `PAINTED_AFTER`.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from realtime.catalogue import Style, is_any_style, load_catalogue
from realtime.finish import finish
from realtime.input_motion import MotionTracker
from realtime.loaded_style import load_style
from realtime.settings import Controls
from realtime.smoother import FlowSmoother
from realtime.style_choice import StyleChoice
from realtime.video_source import VideoFileSource

FOLDER = Path(__file__).parent
CLIP = FOLDER / "coast.mp4"
GALLERY = FOLDER / "gallery"
THUMBNAILS = FOLDER.parent / "weights" / "thumbnails"
THUMBNAIL_SIZE = (320, 180)
STILL_FRAME = 75
PAINTED_AFTER = "composition-vii"
STILL_SIZE = (480, 270)
MOVING_SIZE = (400, 224)
SHOWN_FRAMES = range(60, 180)
FRAMES_PER_S = 30
COLUMNS = 3

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Panel:
    """What is shown of one style, or of the clip itself: a still at full size, and small moving pictures."""

    still: Picture
    moving: list[Picture]


def main() -> None:
    styles = load_catalogue()
    for folder in (THUMBNAILS, GALLERY):
        folder.mkdir(exist_ok=True)
    panels = [_panel(None)]
    # Any-style models last: what they paint after is the still of another style.
    ordered = sorted(styles.values(), key=lambda style: (is_any_style(style), style.name))
    for style in ordered:
        panels.append(_panel(StyleChoice(style, *_picture_of(style))))
        Image.fromarray(_scaled(panels[-1].still, THUMBNAIL_SIZE)).save(THUMBNAILS / f"{style.name}.jpg", quality=88)
    stills = _grid([_scaled(panel.still, STILL_SIZE) for panel in panels])
    Image.fromarray(stills).save(GALLERY / "styles.jpg", quality=86)
    _encode([_grid(list(moment)) for moment in zip(*(panel.moving for panel in panels), strict=True)])


def _picture_of(style: Style) -> tuple[tuple[Path, ...], tuple[float, ...]]:
    """Return the pictures, and their shares, that `style` paints after."""
    return ((THUMBNAILS / f"{PAINTED_AFTER}.jpg",), (1.0,)) if is_any_style(style) else ((), ())


def _panel(choice: StyleChoice | None) -> Panel:
    """Run the clip through a style, smoothing included; None is the clip itself."""
    controls = Controls()
    loaded = load_style(choice, engine="auto", device="cpu", precision="auto") if choice else None
    stylizer, smoother, motion = (loaded.stylizer(size_px=None) if loaded else None), FlowSmoother(), MotionTracker()
    still, moving = np.zeros(0, dtype=np.uint8), []
    with VideoFileSource(CLIP) as source:
        for frame in source:
            if frame.index not in SHOWN_FRAMES:
                continue
            picture = frame.rgb
            if stylizer:
                made = stylizer.stylize(frame.rgb)
                look = motion.look(frame.rgb, frame.pts_s)
                smooth = smoother.smooth(look, made.stylized, smoothing=controls.smoothing)
                picture = finish(frame.rgb, replace(made, stylized=smooth), controls)
            if frame.index == STILL_FRAME:
                still = picture
            moving.append(_scaled(picture, MOVING_SIZE))
    if loaded:
        loaded.close()
    return Panel(still, moving)


def _scaled(picture: Picture, size: tuple[int, int]) -> Picture:
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _grid(pictures: list[Picture]) -> Picture:
    """Lay pictures out in columns; missing last ones stay black."""
    missing = -len(pictures) % COLUMNS
    pictures = [*pictures, *[np.zeros_like(pictures[0])] * missing]
    return np.vstack([np.hstack(pictures[row : row + COLUMNS]) for row in range(0, len(pictures), COLUMNS)])


def _encode(pictures: list[Picture]) -> None:
    with av.open(str(GALLERY / "styles.mp4"), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_S, options={"crf": "30", "preset": "slow"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    main()
