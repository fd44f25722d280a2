"""Read and write still pictures with Pillow: upright, in sRGB, within limits, and every failure is one of ours."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from .errors import InputError

# The only readers that may touch a file, by its content. Pillow knows more, among them one that starts Ghostscript.
READ_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")
# What a folder is searched for.
READ_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"})
# A picture of ten lines of text can claim to have gigabytes of pixels: size is checked before anything is decoded.
PIXELS_MAX = 100_000_000
BYTES_MAX = 200_000_000
SIDE_MAX_PX = 65_500
# What formats can hold: WebP in pixels a side, JPEG in bytes of EXIF.
WEBP_SIDE_MAX_PX = 16_383
EXIF_BYTES_MAX = 65_000
# Pillow's options for each suffix that is written. Chroma is not halved: it would blur the edges of strokes.
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG"},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": "4:4:4"},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": "4:4:4"},
    ".webp": {"format": "WEBP", "quality": 90},
}
_WITHOUT_ALPHA = frozenset({".jpg", ".jpeg"})
_LEVELS_16_TO_8 = 257


@dataclass(frozen=True, slots=True)
class Picture:
    """A still picture: `rgb` (H, W, 3) uint8 sRGB, upright; `alpha` (H, W) uint8, None where all is opaque.

    `exif` holds what the file said besides, without the orientation; `notes` what reading it has changed.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    exif: bytes
    notes: tuple[str, ...]


def read_picture(path: Path) -> Picture:
    """Read a picture, the first one of an animation.

    Orientation (EXIF) and colour profile are applied, CMYK and grey become RGB, and 16 bits a channel 8.

    Raises:
        InputError: missing, not a picture of `READ_FORMATS`, damaged, or beyond the limits.
    """
    return decode_picture(_read_bytes(path), name=str(path))


def decode_picture(content: bytes, *, name: str, pixels_max: int = PIXELS_MAX) -> Picture:
    """Decode the content of a picture's file as `read_picture` does; errors call it `name`.

    Raises:
        InputError: not a picture of `READ_FORMATS`, damaged, or of more pixels than `pixels_max`.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of its own limit of pixels and of odd tags. Another thread may lose a warning meanwhile.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=READ_FORMATS) as image:
                _require_size(name, image.width, image.height, pixels_max)
                return _decode(image)
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(f"the picture {name} has more than the {pixels_max} pixels that are read") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{name} is not a picture that can be read ({', '.join(READ_FORMATS)})") from error
    except Exception as error:  # Pillow's readers raise whatever goes wrong inside them
        raise InputError(f"the picture {name} is damaged ({' '.join(str(error).split())})") from error


def keeps_alpha(suffix: str) -> bool:
    """Return whether the format that goes by `suffix` holds transparency."""
    return suffix not in _WITHOUT_ALPHA


def over_white(picture: Picture) -> NDArray[np.uint8]:
    """Return the picture, (H, W, 3), on white paper."""
    if picture.alpha is None:
        return picture.rgb
    image = Image.fromarray(np.dstack((picture.rgb, picture.alpha)))
    paper = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(paper, image).convert("RGB"))


def mask_of(picture: Picture) -> NDArray[np.uint8]:
    """Return a picture's luminance, (H, W), black where it is transparent: nothing was painted there."""
    luminance = np.asarray(Image.fromarray(picture.rgb).convert("L"))
    if picture.alpha is None:
        return luminance
    return np.rint(luminance * (picture.alpha / np.float32(255))).astype(np.uint8)


def write_picture(path: Path, picture: Picture, *, suffix: str) -> None:
    """Write a picture in the format of `suffix`, one of `SAVE_OPTIONS`, whatever the suffix of `path`.

    Raises:
        OSError: the file cannot be written.
    """
    options = SAVE_OPTIONS[suffix]
    if picture.alpha is None or not keeps_alpha(suffix):
        image = Image.fromarray(over_white(picture))
    else:
        image = Image.fromarray(np.dstack((picture.rgb, picture.alpha)))
    with path.open("wb") as file:
        image.save(file, exif=picture.exif, **options)


def _read_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise InputError(f"{path} is a folder; give a picture")
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a regular file but a pipe or device")  # opening it could wait forever
    try:
        size_bytes = path.stat().st_size
        if size_bytes > BYTES_MAX:
            raise InputError(f"{path} has {size_bytes} bytes, more than the {BYTES_MAX} that a picture may have")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if not content:
        raise InputError(f"{path} is empty (0 bytes)")
    return content


def _require_size(name: str, width: int, height: int, pixels_max: int) -> None:
    if width * height > pixels_max or max(width, height) > SIDE_MAX_PX:
        raise InputError(
            f"the picture {name} has {width}x{height} pixels; "
            f"at most {pixels_max} in all and {SIDE_MAX_PX} a side are read"
        )


def _decode(image: Image.Image) -> Picture:
    notes = []
    if getattr(image, "n_frames", 1) > 1 and image.format in ("GIF", "WEBP", "PNG", "AVIF"):
        notes.append("only the first picture of the animation is used")
    image.load()
    try:
        upright = ImageOps.exif_transpose(image)
        tags = upright.getexif()
        # What a TIFF has for EXIF are the offsets of its own pixels.
        exif = tags.tobytes() if len(tags) and image.format != "TIFF" else b""
    except Exception:  # as above; a picture without its tags is still one
        upright, exif = image, b""
        notes.append("its EXIF data is damaged and left out")
    if len(exif) > EXIF_BYTES_MAX:
        exif = b""
        notes.append(f"its EXIF data has more than {EXIF_BYTES_MAX} bytes and is left out")
    has_alpha = upright.has_transparency_data
    image = _eight_bits(upright)
    # Before the profile, which is one of colours alone: what it makes of alpha is not defined.
    alpha = np.asarray(image.convert("RGBA"))[..., 3].copy() if has_alpha else None
    image = image.convert("RGB") if image.mode == "RGBA" else image
    profile = upright.info.get("icc_profile")
    if profile:
        try:
            image = _in_srgb(image, profile)
        except (ImageCms.PyCMSError, OSError, ValueError):
            notes.append("its colour profile cannot be applied and is left out")
    return Picture(np.asarray(image.convert("RGB")), alpha, exif, tuple(notes))


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return an image of 8 bits a channel; Pillow itself clips 16-bit grey at 255."""
    if image.mode == "F" or (image.mode == "I" and image.format != "PNG"):
        raise ValueError("32 bits a pixel of one channel have no known range")
    if image.mode.startswith("I"):
        levels = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((levels + _LEVELS_16_TO_8 // 2) // _LEVELS_16_TO_8).astype(np.uint8))
    if image.mode in ("P", "PA", "LA", "1"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Return the image, without alpha, converted from its colour profile to RGB."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if source.profile.xcolor_space.strip() == "GRAY" and image.mode != "L":
        image = image.convert("L")
    converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert converted is not None  # only in-place conversion returns nothing
    return converted
