"""Make the pictures that README and gallery show, from the sample clip and the shipped styles.

    python -m samples.show

Writes `weights/thumbnails/STYLE.jpg`, `samples/gallery/styles.jpg` (the clip, and every style) and
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
STILL_SIZE = (400, 225)
MOVING_SIZE = (320, 180)
SHOWN_FRAMES = range(60, 180)
FRAMES_PER_S = 30
# Of styles; the clip itself takes two of them, and two rows.
COLUMNS = 4

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
    clip, panels = _panel(None, _doubled(MOVING_SIZE)), []
    # Any-style models last: what they paint after is the still of another style.
    ordered = sorted(styles.values(), key=lambda style: (is_any_style(style), style.name))
    for style in ordered:
        panels.append(_panel(StyleChoice(style, *_picture_of(style)), MOVING_SIZE))
        Image.fromarray(_scaled(panels[-1].still, THUMBNAIL_SIZE)).save(THUMBNAILS / f"{style.name}.jpg", quality=88)
    stills = _grid(clip.still, [panel.still for panel in panels], STILL_SIZE)
    Image.fromarray(stills).save(GALLERY / "styles.jpg", quality=86)
    moments = zip(clip.moving, *(panel.moving for panel in panels), strict=True)
    _encode([_grid(frame, painted, MOVING_SIZE) for frame, *painted in moments])


def _picture_of(style: Style) -> tuple[tuple[Path, ...], tuple[float, ...]]:
    """Return the pictures, and their shares, that `style` paints after."""
    return ((THUMBNAILS / f"{PAINTED_AFTER}.jpg",), (1.0,)) if is_any_style(style) else ((), ())


def _panel(choice: StyleChoice | None, moving_size: tuple[int, int]) -> Panel:
    """Run the clip through a style, smoothing included; None is the clip itself."""
    controls = Controls()
    loaded = load_style(choice, engine="auto", device="cpu", precision="auto") if choice else None
    stylizer, smoother, motion = (
        (loaded.stylizer(size_px=None, shifts=1) if loaded else None),
        FlowSmoother(),
        MotionTracker(),
    )
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
            moving.append(_scaled(picture, moving_size))
    if loaded:
        loaded.close()
    return Panel(still, moving)


def _scaled(picture: Picture, size: tuple[int, int]) -> Picture:
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _grid(clip: Picture, painted: list[Picture], size: tuple[int, int]) -> Picture:
    """Lay the clip out twice as large as what was painted, at `size`, beside and below it; what is missing is white."""
    cells = [_scaled(picture, size) for picture in painted]
    beside = 2 * (COLUMNS - 2)
    blank = np.full_like(cells[0], 255)
    cells += [blank] * max(beside - len(cells), -(len(cells) - beside) % COLUMNS)
    right = [np.hstack(cells[first : first + beside // 2]) for first in (0, beside // 2)]
    top = np.hstack([_scaled(clip, _doubled(size)), np.vstack(right)])
    below = [np.hstack(cells[first : first + COLUMNS]) for first in range(beside, len(cells), COLUMNS)]
    return np.vstack([top, *below])


def _doubled(size: tuple[int, int]) -> tuple[int, int]:
    return 2 * size[0], 2 * size[1]


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
