"""What a page shows, read from its pixels, and pictures to give to it."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page

READ_PIXELS = """([selector]) => {
  const source = document.querySelector(selector);
  const width = source.videoWidth || source.width, height = source.videoHeight || source.height;
  if (!width) return null;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.drawImage(source, 0, 0);
  const pixels = context.getImageData(0, 0, width, height).data;
  return { width, height, now: performance.now(), pixels: btoa(String.fromCharCode.apply(null, pixels.filter(
    (_, index) => Math.floor(index / 4 / width) % 30 === 15))) };
}"""


def read_lines(page: Page, selector: str = "#picture") -> tuple[np.ndarray, float] | None:
    """Return some lines of the picture shown, (N, W, 3) uint8 RGB, and the time of the browser in ms."""
    read = page.evaluate(READ_PIXELS, [selector])
    if read is None:
        return None
    pixels = np.frombuffer(base64.b64decode(read["pixels"]), np.uint8)
    return pixels.reshape(-1, read["width"], 4)[..., :3], read["now"]


def read_tone(page: Page, part: slice = slice(None), selector: str = "#picture") -> tuple[int, int, int]:
    """Return the median colour of the columns in `part`; the bar does not count."""
    read = read_lines(page, selector)
    if read is None:
        return 0, 0, 0
    red, green, blue = np.median(read[0][:, part], (0, 1)).astype(int)
    return int(red), int(green), int(blue)


def is_blue(tone: tuple[int, int, int]) -> bool:
    return tone[2] > 2 * tone[0] > 0


def is_red(tone: tuple[int, int, int]) -> bool:
    return tone[0] > 2 * tone[2] > 0


def is_grey(tone: tuple[int, int, int]) -> bool:
    return min(tone) > 50 and max(tone) - min(tone) < 12


def picture_file(tone: tuple[int, int, int], *, name: str = "waves.png") -> dict[str, Any]:
    buffer = io.BytesIO()
    Image.new("RGB", (320, 240), tone).save(buffer, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": buffer.getvalue()}
