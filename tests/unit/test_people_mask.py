"""Only people are painted, or all but them: along the edges of the frame, steady, and never with a damaged network."""

import json
from collections.abc import Mapping
from fractions import Fraction
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from realtime.errors import StyleError
from realtime.input_motion import Look, Motion
from realtime.people_mask import SEEN_PX, SIDE_STEP_PX, PeopleMask, along_edges, open_people_network, seen_size
from realtime.settings import Controls
from tests.media import lying_video

WIDTH, HEIGHT = 320, 180
PEOPLE = Controls(paint="people")
BACKGROUND = Controls(paint="background")
NEW = Look(None)
FOLLOWS = Look(Motion(np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.uint8), np.zeros((1, 1, 2), np.float32)))


class Network:
    """Finds people where the next of its levels is white: on the left half, or everywhere the same."""

    description, reason, device, workers = "test", "", "cpu", 1

    def __init__(self, *levels: int, half: bool = True) -> None:
        self._levels = cycle(levels)
        self._half = half

    def infer(self, rgb: NDArray[np.uint8], extra: Mapping[str, Any] | None = None) -> NDArray[Any]:
        mask = np.zeros((*rgb.shape[:2], 1), np.uint8)
        mask[:, : rgb.shape[1] // (2 if self._half else 1)] = next(self._levels)
        return mask

    def close(self) -> None:
        pass


def _frame(edge_px: int = WIDTH // 2) -> NDArray[np.uint8]:
    """Return a frame that is bright to the left of `edge_px`."""
    frame = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    frame[:, :edge_px] = 200
    return frame


def _mixed(mask: PeopleMask, frame: NDArray[np.uint8], controls: Controls, look: Look = NEW) -> NDArray[np.uint8]:
    """Return the frame, inverted where it is painted."""
    return mask.mix(frame, 255 - frame, mask.find(frame), look, controls)


def _painted(mask: PeopleMask, frame: NDArray[np.uint8], controls: Controls, look: Look) -> float:
    """Return the share of the picture that is painted."""
    mixed = _mixed(mask, frame, controls, look)
    return float((np.abs(mixed.astype(float) - frame) / np.abs(255 - 2.0 * frame)).mean())


@given(width=st.integers(1, 8000), height=st.integers(1, 8000))
def test_the_network_sees_the_shape_of_the_frame_at_one_cost(width: int, height: int) -> None:
    seen = seen_size((width, height))

    assert all(side >= SIDE_STEP_PX and side % SIDE_STEP_PX == 0 for side in seen)
    if 1 / 4 <= width / height <= 4:
        assert 0.7 * SEEN_PX <= seen[0] * seen[1] <= 1.4 * SEEN_PX
        assert 0.8 <= (seen[0] / seen[1]) / (width / height) <= 1.25


@pytest.mark.parametrize(("controls", "left", "right"), [(PEOPLE, 55, 40), (BACKGROUND, 200, 215)])
def test_people_are_painted_or_what_is_behind_them(controls: Controls, left: int, right: int) -> None:
    frame = _frame()

    mixed = _mixed(PeopleMask(Network(255)), frame, controls)

    assert (mixed[:, : WIDTH // 2 - 4] == left).all()
    assert (mixed[:, WIDTH // 2 + 4 :] == right).all()


def test_the_mask_ends_where_the_frame_has_its_edge() -> None:
    """What the network found ends two pixels beside it."""
    edge_px = WIDTH // 2 + 2
    coarse = np.zeros((144, 256), np.float32)
    coarse[:, :128] = 255

    mask, without_edge = (along_edges(coarse, frame) for frame in (_frame(edge_px), np.full_like(_frame(), 90)))

    assert mask.shape == (HEIGHT, WIDTH)
    assert edge_px - 1 <= np.argmax(mask[0] < 0.5) <= edge_px
    assert np.argmax(without_edge[0] < 0.5) == WIDTH // 2


@given(width=st.integers(1, 90), height=st.integers(1, 90))
def test_pictures_of_any_size_are_mixed(width: int, height: int) -> None:
    frame = np.full((height, width, 3), 100, np.uint8)

    mixed = _mixed(PeopleMask(Network(255, half=False)), frame, PEOPLE)

    assert mixed.shape == frame.shape
    assert (mixed == 155).all()


def _shares(
    controls: Controls, levels: tuple[int, ...], *frames: NDArray[np.uint8], look: Look = FOLLOWS
) -> list[float]:
    """Return how much of each frame is painted where the network finds people everywhere, at these levels in turn."""
    mask = PeopleMask(Network(*levels, half=False))
    return [_painted(mask, frame, controls, look) for frame, _ in zip(cycle(frames), range(20), strict=False)]


def _flicker(shares: list[float]) -> float:
    return float(np.abs(np.diff(shares[10:])).mean())


@pytest.mark.parametrize("controls", [PEOPLE, BACKGROUND])
def test_masks_are_steady_where_the_frame_stands_still(controls: Controls) -> None:
    still, other = _frame(), 255 - _frame()
    alone = _flicker(_shares(controls, (255, 155), still, look=NEW))

    assert alone > 0.25
    assert _flicker(_shares(controls, (255, 155), still)) < 0.75 * alone
    # What has changed, or is another scene, says nothing of where people are now.
    assert _flicker(_shares(controls, (255, 155), still, other)) == pytest.approx(alone, abs=0.02)


@pytest.mark.parametrize(("controls", "levels"), [(PEOPLE, (0, 0, 0, 255)), (BACKGROUND, (255, 255, 255, 0))])
def test_what_is_to_be_hidden_is_hidden_at_once(controls: Controls, levels: tuple[int, ...]) -> None:
    shares = _shares(controls, levels, _frame())

    assert shares[:3] == pytest.approx([0, 0, 0], abs=0.01)
    assert shares[3] == pytest.approx(1, abs=0.01)
    assert 0.3 < shares[5] < 0.9


def test_people_are_shown_upright_and_in_their_shape_to_the_network() -> None:
    """The video lies on its side and has pixels twice as wide as high; the network finds people in the upper half."""

    class UpperHalf(Network):
        def infer(self, rgb: NDArray[np.uint8], extra: Mapping[str, Any] | None = None) -> NDArray[Any]:
            seen.append(rgb.shape[:2])
            mask = np.zeros((*rgb.shape[:2], 1), np.uint8)
            mask[: rgb.shape[0] // 2] = 255
            return mask

    seen: list[tuple[int, ...]] = []
    info = lying_video((WIDTH, HEIGHT), pixel_aspect=Fraction(2))
    frame = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)

    mixed = _mixed(PeopleMask(UpperHalf(), info), frame, PEOPLE)

    # Turned a quarter to the left, the right-hand side comes to be above.
    assert (mixed[:, WIDTH // 2 + 20 :] == 195).all()
    assert (mixed[:, : WIDTH // 2 - 20] == 60).all()
    (height, width) = seen[0]
    assert height / width == pytest.approx(2 * WIDTH / HEIGHT, rel=0.2)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "people.json").unlink(), "people.json"),
        (lambda folder: (folder / "people.json").write_text("{}"), "'title'|'file'"),
        (lambda folder: (folder / "people.json").write_text("no json"), "Expecting value"),
        (lambda folder: (folder / "people.onnx").write_bytes(b"another"), "damaged"),
        (lambda folder: (folder / "people.onnx").unlink(), "cannot be read"),
    ],
)
def test_a_network_that_is_not_the_described_one_is_not_loaded(damage: Any, words: str, people_network: Path) -> None:
    open_people_network().close()
    damage(people_network)

    with pytest.raises(StyleError, match=words) as failure:
        open_people_network()

    assert "\n" not in str(failure.value)
    assert "reinstall" in str(failure.value)


def test_the_card_of_the_shipped_network_tells_what_it_was_taught_by() -> None:
    from realtime.people_mask import CARD

    card = json.loads(CARD.read_text(encoding="utf-8"))

    assert "MediaPipe" in card["teacher"]
    assert card["scores"]["intersection_over_union"] > 0.7
    assert card["scores"]["white_where_nobody"] < 0.15
    open_people_network().close()
