"""`--paint`: people only, or what is behind them, in videos, pictures and live."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realtime.cli_image import main as stylize_image
from realtime.cli_video import main as stylize_video
from realtime.errors import StyleError
from realtime.live_settings import LiveControls
from tests.live import until
from tests.live_run import next_frame, session_of, source_of
from tests.media import SIZE, Picture, read_frames, write_clip

Stylize = Callable[..., int]
WIDTH, HEIGHT = SIZE
# The colour of those whom the test's network takes for people, and of what is behind them.
RED, GREEN = (255, 40, 40), (0, 20, 0)
LOSSLESS_OUTPUT = ["--crf", "0", "--pix-fmt", "yuv444p"]
# Grey levels: RGB through YUV and back, a mask that is drawn along edges.
TOLERANCE = 4
EDGE_PX = 6


def _scene(number: int = 0, size: tuple[int, int] = SIZE) -> Picture:
    """Return somebody red on the left, who goes to the right from the sixth frame on."""
    picture = np.full((size[1], size[0], 3), GREEN, np.uint8)
    begin = 0 if number < 5 else size[0] // 2
    picture[:, begin : begin + size[0] // 2] = RED
    return picture


def _is(area: Picture, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(area.astype(int) - colour).max() <= TOLERANCE)


def _inverted(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    return (255 - colour[0], 255 - colour[1], 255 - colour[2])


def _is_as_wanted(frame: Picture, paint: str, *, is_left: bool) -> bool:
    halves = [frame[:, : WIDTH // 2 - EDGE_PX], frame[:, WIDTH // 2 + EDGE_PX : WIDTH]]
    people, background = halves if is_left else halves[::-1]
    if paint == "people":
        return _is(people, _inverted(RED)) and _is(background, GREEN)
    return _is(people, RED) and _is(background, _inverted(GREEN))


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, people_network: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_clip(Path("in.mp4"), picture=_scene, pixel_format="yuv444p", options={"qp": "0"})


@pytest.mark.parametrize("paint", ["people", "background"])
def test_a_video_is_painted_where_people_are_or_are_not(
    paint: str, clip: Path, stylize: Stylize, invert_style: Path
) -> None:
    assert stylize(clip, "out.mp4", "--paint", paint, *LOSSLESS_OUTPUT, style=invert_style) == 0

    frames = [frame.rgb for frame in read_frames(Path("out.mp4"))]
    assert len(frames) == 10
    assert all(_is_as_wanted(frame, paint, is_left=number < 5) for number, frame in enumerate(frames))


def test_people_who_move_are_followed_at_once_when_smoothed(clip: Path, invert_style: Path) -> None:
    options = ["--style", str(invert_style), "--engine", "onnxruntime", "--device", "cpu", "--progress", "none"]
    arguments = [str(clip), "out.mp4", "--paint", "background", "--smoothing", "1", *LOSSLESS_OUTPUT]
    assert stylize_video([*arguments, *options]) == 0

    frames = [frame.rgb for frame in read_frames(Path("out.mp4"))]
    assert _is(frames[4][:, : WIDTH // 2 - EDGE_PX], RED)
    assert _is(frames[5][:, WIDTH // 2 + EDGE_PX :], RED)


def test_each_picture_is_painted_for_itself(tmp_path: Path, invert_style: Path, people_network: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in (4, 5):
        Image.fromarray(_scene(number)).save(tmp_path / "in" / f"{number}.png")
    options = ["--style", str(invert_style), "--engine", "onnxruntime", "--device", "cpu", "--paint", "people"]

    assert stylize_image([str(tmp_path / "in"), str(tmp_path / "out"), *options]) == 0

    for number in (4, 5):
        made = np.asarray(Image.open(tmp_path / "out" / f"{number}.png"))
        assert _is_as_wanted(made, "people", is_left=number == 4)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--paint", "people", "--mask", "mask.png"], 2, "--mask and --paint people both tell what is painted"),
        (["--paint", "people"], 1, "the network that finds people cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: list[str],
    code: int,
    words: str,
    clip: Path,
    stylize: Stylize,
    people_network: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (people_network / "people.json").unlink()

    assert stylize(clip, "out.mp4", *arguments) == code

    message = capsys.readouterr().err
    assert words in message
    assert message.count("\n") == 1
    assert not Path("out.mp4").exists()


def _scenes() -> Iterator[Picture]:
    while True:
        yield _scene()


@pytest.mark.usefixtures("people_network", "engines", "no_thread_is_left")
def test_what_is_painted_can_change_while_a_live_run_goes_on() -> None:
    with session_of(source_of(_scenes())) as session:
        slot = session.subscribe("test")
        for paint in ("people", "background"):
            session.controls = LiveControls(smoothing=0, paint=paint)
            next_frame(slot, lambda frame, paint=paint: _is_as_wanted(frame.output, paint, is_left=True))
        session.controls = LiveControls(smoothing=0)
        next_frame(slot, lambda frame: _is(frame.output[:, : WIDTH // 2], _inverted(RED)))


@pytest.mark.usefixtures("engines", "no_thread_is_left")
def test_a_live_run_that_lacks_the_network_does_not_begin(people_network: Path) -> None:
    (people_network / "people.onnx").write_bytes(b"another")
    source = source_of()

    with pytest.raises(StyleError, match="damaged"), session_of(source, controls=LiveControls(paint="people")):
        pass

    assert source.closed


@pytest.mark.usefixtures("engines", "no_thread_is_left")
def test_a_live_run_goes_on_wholly_painted_where_the_network_is_found_to_lack(people_network: Path) -> None:
    (people_network / "people.onnx").write_bytes(b"another")

    with session_of(source_of(_scenes())) as session:
        slot = session.subscribe("test")
        session.controls = LiveControls(smoothing=0, paint="background")
        until(lambda: session.status().message)

        assert session.status().message.startswith("everything is painted: the weights of style people are damaged")
        assert _is(next_frame(slot).output[:, : WIDTH // 2], _inverted(RED))
