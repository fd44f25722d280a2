"""The pictures that the page has brought to paint after: decoded within limits, kept in memory, never in a file."""

import io
import secrets
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import UsageError
from ..live_session import LiveSession
from ..picture import Picture, decode_picture, over_white
from ..settings import MIXED_STYLES_MAX

# Photographs of 48 megapixels come from telephones.
UPLOAD_BYTES_MAX = 32_000_000
UPLOAD_PIXELS_MAX = 50_000_000
# Twice the short side at which styles are encoded, and the longest strip that is.
KEPT_SHORT_SIDE_PX = 640
KEPT_LONG_SIDE_PX = 4 * KEPT_SHORT_SIDE_PX
THUMBNAIL_SIDE_PX = 160
_NAME_LENGTH_MAX = 60


@dataclass(frozen=True, slots=True)
class StylePicture:
    """A picture that can be painted after, its share of the mix, and its thumbnail as JPEG."""

    identity: str
    name: str
    picture: Picture
    thumbnail: bytes
    weight: float


class StylePictures:
    """Up to `MIXED_STYLES_MAX` pictures and their mix in a session. One event loop only, but for `decode`."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self._pictures: tuple[StylePicture, ...] = ()
        self._are_painted_after = False

    @property
    def pictures(self) -> tuple[StylePicture, ...]:
        return self._pictures

    def add(self, picture: StylePicture) -> None:
        """Paint after `picture` alone; in a full list it takes the place of the oldest that had no share.

        Raises:
            UsageError: no any-style model is there.
        """
        others = [replace(other, weight=0.0) for other in self._pictures]
        idle = [index for index, other in enumerate(self._pictures) if not other.weight]
        if len(others) == MIXED_STYLES_MAX:
            del others[idle[0] if idle else 0]
        self._use((*others, picture))

    def mix(self, weights: Any) -> None:
        """Give pictures other weights, by identity.

        Raises:
            UsageError: no such picture, weights outside 0..1, or all of them 0.
        """
        known = {picture.identity for picture in self._pictures}
        if not isinstance(weights, dict) or not weights or not weights.keys() <= known:
            raise UsageError("these pictures are no longer here; add them again")
        for weight in weights.values():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= 1:
                raise UsageError(f"the weight of a picture is from 0 to 1, not {weight!r}")
        changed = tuple(
            replace(picture, weight=float(weights.get(picture.identity, picture.weight))) for picture in self._pictures
        )
        if not any(picture.weight for picture in changed):
            raise UsageError("one of the pictures must have a share")
        self._use(changed)

    def remove(self, identity: str) -> None:
        """Forget a picture, and paint after the rest of its mix.

        Where no other had a share, what is painted after it stays until another style is chosen.

        Raises:
            UsageError: no such picture.
        """
        rest = tuple(picture for picture in self._pictures if picture.identity != identity)
        if len(rest) == len(self._pictures):
            raise UsageError("this picture is no longer here")
        shares = sum(picture.weight > 0 for picture in rest)
        if self._are_painted_after and 0 < shares < sum(picture.weight > 0 for picture in self._pictures):
            self._use(rest)
        else:
            self._pictures = rest

    def leave(self) -> None:
        """Say that another style was chosen, which a picture that is removed does not change."""
        self._are_painted_after = False

    def thumbnail(self, identity: str) -> bytes | None:
        return next((picture.thumbnail for picture in self._pictures if picture.identity == identity), None)

    def _use(self, pictures: tuple[StylePicture, ...]) -> None:
        used = [picture for picture in pictures if picture.weight]
        self._session.set_pictures(
            [(picture.name, picture.picture) for picture in used], [picture.weight for picture in used]
        )
        self._pictures = pictures
        self._are_painted_after = True


def decode(content: bytes, name: str) -> StylePicture:
    """Return an upload as a style's picture; takes up to a second, so call it in a thread.

    Raises:
        InputError: not a picture, damaged, or beyond the limits.
    """
    shown = "".join(sign for sign in name if sign.isprintable()).strip()[:_NAME_LENGTH_MAX] or "upload"
    rgb = _kept_part(over_white(decode_picture(content, name=shown, pixels_max=UPLOAD_PIXELS_MAX)))
    return StylePicture(
        identity=secrets.token_urlsafe(9),
        name=shown,
        picture=Picture(rgb, None, b"", ()),
        thumbnail=_thumbnail(rgb),
        weight=1.0,
    )


def _kept_part(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the middle of a picture at the size that is enough for its style."""
    height, width = rgb.shape[:2]
    factor = min(1.0, KEPT_SHORT_SIDE_PX / min(height, width))
    limit = round(KEPT_LONG_SIDE_PX / factor)
    top, left = max(0, height - limit) // 2, max(0, width - limit) // 2
    middle = rgb[top : top + limit, left : left + limit]
    size = (max(1, round(middle.shape[1] * factor)), max(1, round(middle.shape[0] * factor)))
    return np.array(cv2.resize(middle, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _thumbnail(rgb: NDArray[np.uint8]) -> bytes:
    image = Image.fromarray(rgb)
    image.thumbnail((THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
