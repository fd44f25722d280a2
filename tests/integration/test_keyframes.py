"""Key frames carry a clip: along known motion, around what hides and uncovers, and never over a cut."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from realtime import job_style
from realtime.cli_video import main
from realtime.clip_survey import ClipSurvey
from realtime.errors import InputError
from realtime.keyframe_folder import find_keyframes, read_keyframe
from realtime.temporal_metric import TemporalMeter
from realtime.video_info import upright
from tests.media import MediaWriter, lying_video, read_frames, streams_of, times, write_clip

SIZE = (160, 112)
FRAMES = 13
LAST = FRAMES - 1
BACKGROUND_PX, SQUARE_PX = 1, 4
SIDE_PX = 32
LOSSLESS: dict[str, Any] = {"pixel_format": "yuv444p", "options": {"qp": "0"}}
OUTPUT_OPTIONS = ["--crf", "0", "--pix-fmt", "yuv444p", "--progress", "none"]
# Mean grey levels. Colours through YUV are off by 1; what is hidden in both key frames can only be guessed.
CARRIED_TOLERANCE, CODEC_TOLERANCE = 4.0, 1.5
Picture = NDArray[np.uint8]


def _texture(seed: int, width: int, height: int) -> NDArray[np.float32]:
    """Return soft noise of many sizes, (H, W, 3)."""
    random = np.random.default_rng(seed)
    layers = []
    for cell in (4, 8, 24):
        small = random.uniform(0, 255, (height // cell + 2, width // cell + 2, 3)).astype(np.float32)
        layers.append(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))
    return np.asarray(np.clip(sum(layers) / 3 * 1.3 - 38, 0, 255), dtype=np.float32)


BACKGROUND = _texture(1, 400, SIZE[1])
SQUARE = 255 - _texture(2, SIDE_PX, SIDE_PX) / 3


def scene(number: int, size: tuple[int, int] = SIZE) -> Picture:
    """Return frame `number`: a background that moves to the left, and a bright square that crosses it to the right."""
    left = 40 + BACKGROUND_PX * number
    picture = BACKGROUND[:, left : left + size[0]].copy()
    x = 30 + SQUARE_PX * number
    picture[40 : 40 + SIDE_PX, x : x + SIDE_PX] = SQUARE
    return picture.astype(np.uint8)


def painted(rgb: Picture) -> Picture:
    """Return another look that leaves no colour as it was."""
    return np.ascontiguousarray(255 - rgb[..., ::-1] // 2)


def write_keyframes(folder: Path, numbers: dict[str, int], make: Callable[[int], Picture] = scene) -> Path:
    folder.mkdir()
    for name, number in numbers.items():
        Image.fromarray(painted(make(number))).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "in.mp4", frames=FRAMES, size=SIZE, picture=scene, **LOSSLESS)


@pytest.fixture(scope="module")
def carried(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The clip carried by its first and last frame, and the report."""
    folder = tmp_path_factory.mktemp("carried")
    keyframes = write_keyframes(folder / "keys", {"0000.png": 0, f"00{LAST}.png": LAST})
    report = folder / "report.json"
    code = main(
        [str(clip), str(folder / "out.mp4"), "--keyframes", str(keyframes), "--report", str(report), *OUTPUT_OPTIONS]
    )
    assert code == 0
    return folder / "out.mp4", json.loads(report.read_text(encoding="utf-8"))


def _error(picture: Picture, truth: Picture) -> float:
    return float(np.abs(picture.astype(np.float32) - truth).mean())


def test_every_frame_is_near_the_truth(carried: tuple[Path, dict[str, Any]]) -> None:
    errors = [_error(frame.rgb, painted(scene(number))) for number, frame in enumerate(read_frames(carried[0]))]

    assert len(errors) == FRAMES
    assert max(errors) < CARRIED_TOLERANCE, errors


def test_a_key_frame_is_shown_as_it_is(carried: tuple[Path, dict[str, Any]]) -> None:
    frames = read_frames(carried[0])

    assert _error(frames[0].rgb, painted(scene(0))) < CODEC_TOLERANCE
    assert _error(frames[-1].rgb, painted(scene(LAST))) < CODEC_TOLERANCE


def test_what_one_key_frame_hides_comes_from_the_other(carried: tuple[Path, dict[str, Any]]) -> None:
    middle = LAST // 2
    frame, truth = read_frames(carried[0])[middle].rgb, painted(scene(middle))
    # Where the square was at first it has uncovered what only the last frame shows, and the other way round.
    uncovered = (slice(44, 68), slice(30, 30 + SQUARE_PX * middle - 4))
    covered_later = (slice(44, 68), slice(30 + SIDE_PX + SQUARE_PX * middle + 4, 30 + SIDE_PX + SQUARE_PX * LAST - 4))

    assert _error(frame[uncovered], truth[uncovered]) < 2 * CARRIED_TOLERANCE
    assert _error(frame[covered_later], truth[covered_later]) < 2 * CARRIED_TOLERANCE


def test_nothing_jumps_and_nothing_flickers(carried: tuple[Path, dict[str, Any]]) -> None:
    meter = TemporalMeter(2)
    for number, frame in enumerate(read_frames(carried[0])):
        meter.add(scene(number), [frame.rgb, painted(scene(number))])
    ours, truth = (np.array(series.warping_errors) for series in meter.outputs)

    assert ours.mean() < 2 * truth.mean() + 2e-4
    assert ours.max() < 2 * np.median(ours) + 2e-4


def test_times_and_audio_are_kept(clip: Path, carried: tuple[Path, dict[str, Any]]) -> None:
    output, report = carried

    assert times(output) == times(clip)
    audio, kept = (streams_of(path, "audio")[0].packets for path in (clip, output))
    assert [packet.content for packet in kept] == [packet.content for packet in audio]
    assert (report["style"], report["frames"]) == ("keyframes", FRAMES)


def test_the_one_key_frame_is_carried_both_ways_and_numbers_are_those_of_the_input(clip: Path, tmp_path: Path) -> None:
    """With --start, key frame 6 is the third frame of the output."""
    keyframes = write_keyframes(tmp_path / "keys", {"0.24.png": 6})
    arguments = [str(clip), str(tmp_path / "out.mp4"), "--keyframes", str(keyframes), *OUTPUT_OPTIONS]

    assert main([*arguments, "--start", "0.16", "--end", "0.36"]) == 0

    frames = read_frames(tmp_path / "out.mp4")
    assert [frame.pts_s for frame in frames] == [Fraction(index, 25) for index in range(5)]
    assert _error(frames[2].rgb, painted(scene(6))) < CODEC_TOLERANCE
    errors = [_error(frame.rgb, painted(scene(4 + index))) for index, frame in enumerate(frames)]
    assert max(errors) < CARRIED_TOLERANCE, errors


def _cut_scene(number: int, size: tuple[int, int]) -> Picture:
    if number < 6:
        return scene(number)
    return np.ascontiguousarray(_texture(9, *size).astype(np.uint8)[::-1])


def test_no_key_frame_is_carried_over_a_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "in.mp4", frames=12, size=SIZE, picture=_cut_scene, **LOSSLESS)
    keyframes = write_keyframes(tmp_path / "keys", {"000002.png": 2})
    arguments = [str(clip), str(tmp_path / "out.mp4"), "--keyframes", str(keyframes), *OUTPUT_OPTIONS]

    assert main(arguments) == 1

    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "frames 6 to 11" in message
    assert not (tmp_path / "out.mp4").exists()

    Image.fromarray(painted(_cut_scene(8, SIZE))).save(keyframes / "000008.png")
    assert main(arguments) == 0
    frames = read_frames(tmp_path / "out.mp4")
    for number in (5, 6):  # either side of the cut
        assert _error(frames[number].rgb, painted(_cut_scene(number, SIZE))) < CARRIED_TOLERANCE


def test_a_key_frame_of_another_size_is_scaled_and_one_of_another_shape_refused(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], read_report: Callable[[], dict[str, Any]]
) -> None:
    (tmp_path / "keys").mkdir()
    twice = cv2.resize(painted(scene(0)), (2 * SIZE[0], 2 * SIZE[1]))
    Image.fromarray(twice).save(tmp_path / "keys" / "0.png")
    arguments = [str(clip), str(tmp_path / "out.mp4"), "--keyframes", str(tmp_path / "keys"), *OUTPUT_OPTIONS]

    assert main([*arguments, "--end", "0.1", "--report", str(tmp_path / "report.json")]) == 0
    assert "320x224" in "".join(read_report()["notes"])

    Image.fromarray(twice[:, :200]).save(tmp_path / "keys" / "1.png")
    assert main([*arguments, "--overwrite"]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "200x224" in message


def test_a_key_frame_shows_what_players_show(tmp_path: Path) -> None:
    """The video is stored lying on its side and with pixels twice as wide as high, the key frame is upright."""
    stored = np.zeros((48, 64, 3), np.uint8)
    stored[:24, :32] = (250, 0, 0)
    info = lying_video((64, 48), pixel_aspect=Fraction(2))
    shown = upright(cv2.resize(stored, (128, 48), interpolation=cv2.INTER_NEAREST), info)
    Image.fromarray(shown).save(tmp_path / "0.png")

    picture, note = read_keyframe(tmp_path / "0.png", info)

    assert shown.shape == (128, 48, 3)
    assert np.array_equal(picture, stored)
    assert note is not None


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "no pictures"),
        (["13.png"], "last frame is 12"),
        (["00-01-00.000.png"], "last frame is at"),
        (["7.png", "0007.jpg"], "both for frame 7"),
        (["7.png", "0.28.png"], "both for frame 7"),
        (["sky.png"], "tells no frame"),
    ],
)
def test_a_folder_that_cannot_be_meant_is_told(names: list[str], said: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).touch()

    with pytest.raises(InputError, match=said):
        find_keyframes(tmp_path, [Fraction(index, 25) for index in range(FRAMES)])


def test_key_frames_cross_over_in_time_and_not_in_number(tmp_path: Path) -> None:
    writer = MediaWriter(tmp_path / "in.mkv")
    writer.video(
        "ffv1",
        pixel_format="yuv444p",
        time_base=Fraction(1, 1000),
        pts=[*range(0, 240, 40), 4000],
        size=SIZE,
        picture=lambda number, size: scene(0),
    )
    source = writer.write()
    (tmp_path / "keys").mkdir()
    for number, level in ((0, 0), (6, 250)):
        Image.new("RGB", SIZE, (level,) * 3).save(tmp_path / "keys" / f"{number}.png")

    arguments = [str(tmp_path / "out.mkv"), "--keyframes", str(tmp_path / "keys"), *OUTPUT_OPTIONS]
    assert main([str(source), *arguments]) == 0

    levels = [frame.rgb.mean() for frame in read_frames(tmp_path / "out.mkv")]
    assert levels[5] < 0.2 * 250, "a twentieth of the time has passed"
    assert levels[-1] > 240


def test_what_systems_hide_beside_pictures_is_no_key_frame(tmp_path: Path) -> None:
    for name in ("7.png", "._7.png"):
        (tmp_path / name).touch()

    assert find_keyframes(tmp_path, [Fraction(index, 25) for index in range(FRAMES)]) == {7: tmp_path / "7.png"}


def test_a_clip_that_became_shorter_is_told(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    longer = ClipSurvey(tuple(Fraction(index, 25) for index in range(FRAMES + 2)), Fraction(0), (0,))
    monkeypatch.setattr(job_style, "survey_clip", lambda *_, **__: longer)
    (tmp_path / "keys").mkdir()
    Image.new("RGB", SIZE).save(tmp_path / "keys" / f"{FRAMES + 1}.png")

    assert main([str(clip), str(tmp_path / "out.mp4"), "--keyframes", str(tmp_path / "keys"), *OUTPUT_OPTIONS]) == 1

    assert "has fewer frames when read again" in capsys.readouterr().err
    assert not (tmp_path / "out.mp4").exists()


def test_options_that_exclude_one_another_are_refused(clip: Path, tmp_path: Path) -> None:
    output = str(tmp_path / "out.mp4")
    for options in (
        ["--keyframes", str(tmp_path), "--gatys", "a.jpg"],
        ["--keyframes", str(tmp_path), "--style", "scream"],
        ["--gatys-keyframes", "3"],
        ["--carry", "auto"],
        # What runs a network, and at which size, where none is run.
        ["--keyframes", str(tmp_path), "--engine", "onnxruntime"],
        ["--keyframes", str(tmp_path), "--precision", "fp32"],
        ["--keyframes", str(tmp_path), "--size", "360"],
        ["--keyframes", str(tmp_path), "--shifts", "2"],
    ):
        assert main([str(clip), output, *options, "--progress", "none"]) == 2
