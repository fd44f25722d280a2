"""A video and its key frames become pairs of pictures that belong together, as the network will see them."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="the training needs torch: pip install stylecast[train]")

from export.footage import read_footage
from realtime.errors import InputError, UsageError
from realtime.video_still import read_still
from tests.media import MediaWriter, Picture, numbered, read_number

SIZE = (192, 128)
# Rounding, should the still have been turned in another way.
LEVELS_MAX = 1


def _texture(number: int, size: tuple[int, int]) -> Picture:
    """Return a random texture that moves two pixels to the left a frame; the second half is another scene."""
    width, height = size
    cells = np.random.default_rng(number // 10).integers(0, 256, (height // 8, width // 4, 3), dtype=np.uint8)
    wide = Image.fromarray(cells).resize((2 * width, height), Image.Resampling.BICUBIC)
    left = 2 * (number % 10)
    return np.asarray(wide)[:, left : left + width].copy()


def _video(path: Path, *, frames: int = 20, picture: object = _texture, **settings: object) -> Path:
    writer = MediaWriter(path)
    writer.video(pts=range(frames), size=SIZE, picture=picture, options={"crf": "4"}, **settings)
    writer.write()
    return path


def _keyframes(folder: Path, *numbers: int, size: tuple[int, int] = SIZE) -> Path:
    folder.mkdir()
    for number in numbers:
        Image.fromarray(numbered(number, size)).save(folder / f"{number:05}.png")
    return folder


def test_every_keyframe_is_with_its_frame(tmp_path: Path) -> None:
    video = _video(tmp_path / "in.mp4", picture=numbered)

    footage = read_footage(video, _keyframes(tmp_path / "keys", 19, 3, 8, size=(384, 256)), size_px=64)

    assert [each.number for each in footage.keyframes] == [3, 8, 19]
    for each in footage.keyframes:
        assert each.frame.shape == each.keyframe.shape == (64, 96, 3)
        assert read_number(each.frame) == read_number(each.keyframe) == each.number


@pytest.mark.parametrize(("size_px", "found"), [(None, (96, 144)), (540, (96, 144)), (64, (64, 96))])
def test_frames_are_as_small_as_the_smallest_keyframe(
    tmp_path: Path, size_px: int | None, found: tuple[int, int]
) -> None:
    keyframes = _keyframes(tmp_path / "keys", 3, size=(384, 256))
    Image.fromarray(numbered(4, (144, 96))).save(keyframes / "4.png")

    footage = read_footage(_video(tmp_path / "in.mp4", frames=6), keyframes, size_px=size_px)

    assert {each.shape[:2] for pair in footage.keyframes for each in (pair.frame, pair.keyframe)} == {found}


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_keyframe_of_a_turned_video_is_turned_as_its_frames_are_coded(tmp_path: Path, degrees: int) -> None:
    writer = MediaWriter(tmp_path / "in.mp4")
    writer.video(size=SIZE).set_display_rotation(degrees)
    writer.write()
    (tmp_path / "keys").mkdir()
    shown = read_still(tmp_path / "in.mp4", number=5)
    shown.save(tmp_path / "keys" / "5.png")

    footage = read_footage(tmp_path / "in.mp4", tmp_path / "keys", size_px=540)

    pair = footage.keyframes[0]
    assert shown.size == (SIZE if degrees == 180 else SIZE[::-1])
    assert np.abs(pair.frame.astype(int) - pair.keyframe).max() <= LEVELS_MAX


def test_moments_are_of_true_motion_and_leave_cuts_out(tmp_path: Path) -> None:
    footage = read_footage(_video(tmp_path / "in.mp4"), _keyframes(tmp_path / "keys", 0), size_px=540)

    assert {moment.number for moment in footage.moments} == set(range(19)) - {9}
    for moment in footage.moments:
        assert moment.earlier.shape == (128, 192, 3)
        assert moment.valid.mean() > 0.5
        np.testing.assert_allclose(np.median(moment.flow[moment.valid], axis=0), (-2, 0), atol=0.1)


def test_of_a_long_video_some_moments_are_kept_from_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.footage.MOMENTS_MAX", 3)

    footage = read_footage(_video(tmp_path / "in.mp4", frames=12), _keyframes(tmp_path / "keys", 7), size_px=540)

    assert [moment.number for moment in footage.moments] == [0, 5, 10]
    assert footage.keyframes[0].number == 7


def test_moments_of_a_part_are_kept_with_all_key_frames(tmp_path: Path) -> None:
    keyframes = _keyframes(tmp_path / "keys", 2, 17)

    footage = read_footage(
        _video(tmp_path / "in.mp4"), keyframes, size_px=540, start_s=Fraction("0.12"), end_s=Fraction("0.28")
    )

    assert [moment.number for moment in footage.moments] == [3, 4, 5]
    assert [each.number for each in footage.keyframes] == [2, 17]


@pytest.mark.parametrize(("size", "message"), [((64, 64), "another shape than the 192x128"), ((192, 120), "shape")])
def test_keyframe_of_another_shape_is_refused(tmp_path: Path, size: tuple[int, int], message: str) -> None:
    video, keyframes = _video(tmp_path / "in.mp4", frames=3), _keyframes(tmp_path / "keys", 0, size=size)

    with pytest.raises(InputError, match=message):
        read_footage(video, keyframes, size_px=540)


def test_keyframes_too_small_to_learn_from_are_refused(tmp_path: Path) -> None:
    video, keyframes = _video(tmp_path / "in.mp4", frames=3), _keyframes(tmp_path / "keys", 0, size=(48, 32))

    with pytest.raises(UsageError, match="a short side of 32 px; at least 64 are needed"):
        read_footage(video, keyframes, size_px=540)


def test_video_of_one_frame_is_refused(tmp_path: Path) -> None:
    video, keyframes = _video(tmp_path / "in.mp4", frames=1), _keyframes(tmp_path / "keys", 0)

    with pytest.raises(InputError, match="no two frames of"):
        read_footage(video, keyframes, size_px=540)
