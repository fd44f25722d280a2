"""`--mask`: what is white is painted and what is black stays, at every moment of a mask that moves."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from realtime.cli_image import main as stylize_image
from realtime.cli_video import main as stylize_video
from realtime.paint_mask import PaintMask, video_mask
from realtime.settings import Settings
from tests.media import SIZE, Picture, lying_video, read_frames, write_clip

Stylize = Callable[..., int]
WIDTH, HEIGHT = SIZE
HALF = WIDTH // 2
LOSSLESS_OUTPUT = ["--crf", "0", "--pix-fmt", "yuv444p"]
# Grey levels: RGB through YUV and back.
COLOR_TOLERANCE = 3


def _half(side: str) -> Picture:
    """Return a mask that is white on one half, `left` or `right`."""
    mask = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    mask[:, :HALF] = 255
    return mask if side == "left" else np.ascontiguousarray(mask[:, ::-1])


def _grey(number: int, size: tuple[int, int]) -> Picture:
    return np.full((size[1], size[0], 3), 60 + number, np.uint8)


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return ten frames of grey, 60 and brighter by one each; the test is in their folder."""
    monkeypatch.chdir(tmp_path)
    return write_clip(Path("in.mp4"), picture=_grey, pixel_format="yuv444p", options={"qp": "0"})


def _painted_sides(path: Path, *, first: int = 0) -> str:
    """Return for each frame which half is inverted: l, r, b for both, n for none."""
    sides = ""
    for number, frame in enumerate(read_frames(path), start=first):
        rgb = frame.rgb.astype(int)
        painted = [abs(half - (195 - number)).max() <= COLOR_TOLERANCE for half in (rgb[:, :HALF], rgb[:, HALF:])]
        kept = [abs(half - (60 + number)).max() <= COLOR_TOLERANCE for half in (rgb[:, :HALF], rgb[:, HALF:])]
        assert all(one != other for one, other in zip(painted, kept, strict=True))
        sides += {(True, False): "l", (False, True): "r", (True, True): "b", (False, False): "n"}[tuple(painted)]
    return sides


@pytest.mark.parametrize(("invert", "sides"), [([], "l" * 10), (["--invert-mask"], "r" * 10)])
def test_white_of_a_picture_is_painted(
    invert: list[str], sides: str, clip: Path, stylize: Stylize, invert_style: Path
) -> None:
    Image.fromarray(_half("left")).resize((2 * WIDTH, 2 * HEIGHT), Image.Resampling.NEAREST).save("mask.png")

    assert stylize(clip, "out.mp4", "--mask", "mask.png", *invert, *LOSSLESS_OUTPUT, style=invert_style) == 0

    assert _painted_sides(Path("out.mp4")) == sides


@pytest.mark.parametrize(
    ("options", "first", "sides"), [([], 0, "llrrllrrll"), (["--start", "0.08", "--end", "0.32"], 2, "rrllrr")]
)
def test_a_video_runs_along_whatever_its_clock(
    options: list[str], first: int, sides: str, clip: Path, stylize: Stylize, invert_style: Path
) -> None:
    """It shows the left half for two frames of the input, then the right one for two, and begins at another time."""
    mask = write_clip(
        Path("mask.mkv"),
        pts=[3000 + 80 * number for number in range(5)],
        time_base=Fraction(1, 1000),
        picture=lambda number, size: _half("right" if number % 2 else "left"),
        pixel_format="yuv444p",
        options={"qp": "0"},
        audio=False,
    )

    assert stylize(clip, "out.mp4", "--mask", mask, *options, *LOSSLESS_OUTPUT, style=invert_style) == 0

    # Half way between two masks the earlier one holds.
    assert _painted_sides(Path("out.mp4"), first=first) == sides


def test_a_mask_that_ends_early_holds_on_and_is_told(
    clip: Path, stylize: Stylize, invert_style: Path, read_report: Callable[[], dict[str, Any]]
) -> None:
    mask = write_clip(
        Path("mask.mp4"),
        frames=4,
        picture=lambda number, size: _half("left" if number < 3 else "right"),
        pixel_format="yuv444p",
        options={"qp": "0"},
    )

    arguments = ["--mask", mask, "--report", "report.json", *LOSSLESS_OUTPUT]
    assert stylize(clip, "out.mp4", *arguments, style=invert_style) == 0

    assert _painted_sides(Path("out.mp4")) == "lll" + "r" * 7
    assert [note for note in read_report()["notes"] if "mask" in note] == [
        "the mask mask.mp4 ends at 0.160 s; its last picture holds on"
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["out.mp4", "--mask", "none.png"], 1, "no file --mask none.png"),
        (["out.mp4", "--mask", "text.png"], 1, "text.png is not a picture"),
        (["out.mp4", "--mask", "text.mp4"], 1, "text.mp4"),
        (["out.mp4", "--mask", "tall.png"], 1, "the mask tall.png has 48x64 pixels, another shape than the 64x48"),
        (["out.mp4", "--invert-mask"], 2, "--invert-mask needs --mask FILE"),
        (["mask.mp4", "--mask", "mask.mp4", "--overwrite"], 2, "would overwrite mask.mp4"),
        (["out.mp4", "--mask", "mask.mp4", "--report", "mask.mp4"], 2, "report would overwrite mask.mp4"),
        (["out.mp4", "--mask", "mask.mp4", "--start", "0.3"], 1, "mask.mp4"),
        # Told before frames are painted for minutes, or missed.
        (["out.mp4", "--mask", "tall.png", "--keyframes", "none"], 1, "another shape"),
    ],
)
def test_a_mask_that_cannot_be_used_is_one_line(
    arguments: list[str], code: int, words: str, clip: Path, stylize: Stylize, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("L", (HEIGHT, WIDTH)).save("tall.png")
    for name in ("text.png", "text.mp4"):
        Path(name).write_text("no picture")
    mask = write_clip(Path("mask.mp4"), frames=4).read_bytes()

    if "--keyframes" in arguments:  # which go with no `--style`
        assert stylize_video([str(clip), *arguments, "--progress", "none"]) == code
    else:
        assert stylize(clip, *arguments) == code

    message = capsys.readouterr().err
    assert words in message
    assert message.count("\n") == 1
    assert not Path("out.mp4").exists()
    assert Path("mask.mp4").read_bytes() == mask


def test_a_picture_is_painted_where_its_mask_is_opaque(tmp_path: Path, invert_style: Path) -> None:
    frame = _grey(0, SIZE)
    alpha = np.where(_half("left")[..., :1] > 0, 255, 0).astype(np.uint8)
    Image.fromarray(frame).save(tmp_path / "in.png")
    Image.fromarray(np.dstack((np.full_like(frame, 255), alpha))).save(tmp_path / "mask.png")
    paths = [str(tmp_path / name) for name in ("in.png", "out.png")]
    options = ["--style", str(invert_style), "--engine", "onnxruntime", "--device", "cpu"]

    assert stylize_image([*paths, *options, "--mask", str(tmp_path / "mask.png")]) == 0

    made = np.asarray(Image.open(tmp_path / "out.png"))
    assert (made[:, :HALF] == 195).all()
    assert (made[:, HALF:] == 60).all()


def test_a_mask_is_turned_as_the_video_stores_its_frames(tmp_path: Path) -> None:
    """The video is stored lying on its side; of its mask the upper half is white."""
    info = lying_video(SIZE)
    upper = np.zeros((WIDTH, HEIGHT), np.uint8)
    upper[:HALF] = 255
    Image.fromarray(upper).save(tmp_path / "mask.png")
    frame = _grey(0, SIZE)
    source: Any = SimpleNamespace(info=info, offset_s=Fraction(0))

    with video_mask(tmp_path / "mask.png", source, Settings(), []) as mask:
        mixed = mask.mix(frame, 255 - frame)

    # Turned a quarter to the left, the right-hand side comes to be above.
    assert (mixed[:, HALF:] == 195).all()
    assert (mixed[:, :HALF] == 60).all()


@given(
    mask_steps=st.lists(st.integers(1, 9), max_size=8),
    frame_steps=st.lists(st.integers(1, 9), min_size=1, max_size=12),
    begin=st.integers(-5, 20),
)
def test_every_frame_has_the_mask_that_is_nearest_in_time(
    mask_steps: list[int], frame_steps: list[int], begin: int
) -> None:
    mask_times = [sum(mask_steps[:number]) for number in range(len(mask_steps) + 1)]
    frame_times = [begin + sum(frame_steps[:number]) for number in range(len(frame_steps))]

    def level(number: int) -> NDArray[np.uint8]:
        return np.full((2, 2), number, np.uint8)

    mask = PaintMask(((Fraction(time), level(number)) for number, time in enumerate(mask_times)), inverted=False)
    black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)

    shown = [int(mask.mix(black, white, time_s=Fraction(time))[0, 0, 0]) for time in frame_times]

    assert shown == [min(range(len(mask_times)), key=lambda n: abs(mask_times[n] - time)) for time in frame_times]


@given(level=st.integers(0, 255), frame=st.integers(0, 255), painted=st.integers(0, 255))
def test_grey_mixes_and_the_ends_are_exact(level: int, frame: int, painted: int) -> None:
    masks = iter([(Fraction(0), np.full((5, 7), level, np.uint8))])
    pictures = [np.full((5, 7, 3), value, np.uint8) for value in (frame, painted)]

    mixed = PaintMask(masks, inverted=False).mix(*pictures)

    wanted = frame + (painted - frame) * level / 255
    assert np.abs(mixed - wanted).max() <= 0.51
    if level in (0, 255):
        assert (mixed == wanted).all()
