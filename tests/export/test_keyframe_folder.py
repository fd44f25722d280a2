"""Which frame a keyframe stands for is told by its name."""

from fractions import Fraction
from pathlib import Path

import pytest

from export.keyframe_folder import place_keyframes
from realtime.errors import UsageError

# Three seconds of a video at 25 frames a second.
TIMES_S = [Fraction(number, 25) for number in range(75)]


def _folder(path: Path, *names: str) -> Path:
    for name in names:
        (path / name).touch()
    return path


def test_digits_are_a_frame_and_the_rest_a_time_from_the_first_frame(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "0.png", "00074.jpg", "00-00-01.png", "00-00-02.027.webp", "notes.txt", "cover.png")

    placed = place_keyframes(folder, TIMES_S)

    assert {number: path.name for number, path in placed.items()} == {
        0: "0.png",
        25: "00-00-01.png",
        51: "00-00-02.027.webp",
        74: "00074.jpg",
    }
    assert list(placed) == sorted(placed)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("cover.png",), "no keyframes in"),
        (("75.png",), "75.png is of frame 75, but the last frame of the video is 74"),
        (("00-00-05.png",), "00-00-05.png is after the end of the video"),
        (("25.png", "00-00-01.png"), "are keyframes of one frame, 25"),
        (("25.png", "025.jpg"), "are keyframes of one frame, 25"),
    ],
)
def test_what_fits_no_frame_is_named(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        place_keyframes(_folder(tmp_path, *names), TIMES_S)


def test_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        place_keyframes(_folder(tmp_path, "0.png") / "0.png", TIMES_S)
