"""`stylize-keyframe`: pictures and video frames in, a picture out, nothing lost and nothing overwritten."""

import json
import signal
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from PIL import Image  # noqa: E402

from export import cli_keyframe  # noqa: E402
from export.keyframe_course import GAP_PX, LABEL_HEIGHT_PX  # noqa: E402
from tests.media import MediaWriter, numbered, read_number  # noqa: E402
from training.keyframe import Keyframe  # noqa: E402

Run = Callable[..., int]
QUICK = (
    "--size", "32", "--iterations", "2", "--precision", "fp32", "--device", "cpu", "--content-layer", "relu2_1",
    "--style-layer", "relu1_1",
)  # fmt: skip


@pytest.fixture
def run(vgg_file: Path, pictures: Path, tmp_path: Path) -> Run:
    """Stylise picture 0 like picture 1 into `out.png`; returns the exit code."""

    def keyframe(*more: object, content: Path = pictures / "0.png", styles: tuple[object, ...] = ()) -> int:
        chosen = styles or (pictures / "1.png",)
        output = ("-o", tmp_path / "out.png") if "-o" not in more else ()
        arguments = (content, *chosen, *output, "--vgg", vgg_file, *QUICK, *more)
        return cli_keyframe.main([str(argument) for argument in arguments])

    return keyframe


@pytest.fixture
def _restored_signals() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_picture_is_stylised_and_its_losses_are_told(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--report", tmp_path / "report.json") == 0

    with Image.open(tmp_path / "out.png") as picture:
        assert picture.size == (40, 32)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["finished"]
    assert (
        f"content {report['losses']['content']:.5f}  style {report['losses']['style']:.5f}" in capsys.readouterr().out
    )


def test_without_vgg19_the_small_backbone_stands_in_unless_vgg19_is_asked_for(
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def offline(*arguments: object, **options: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    report = tmp_path / "report.json"
    arguments = [pictures / "0.png", pictures / "1.png", "-o", tmp_path / "out.png", *QUICK, "--report", report]

    assert cli_keyframe.main([*map(str, arguments)]) == 0
    assert json.loads(report.read_text(encoding="utf-8"))["backbone"] == "small backbone, small"
    assert "the small backbone stands in for VGG19" in caplog.text

    assert cli_keyframe.main([*map(str, arguments), "--overwrite", "--backbone", "vgg19"]) == 1
    assert "no route to host" in capsys.readouterr().err


def test_a_frame_of_a_video_is_chosen_by_number_or_time(run: Run, tmp_path: Path) -> None:
    writer = MediaWriter(tmp_path / "in.mp4")
    writer.video(pts=range(20))
    writer.write()

    # With next to no weight of style the frame comes out as it went in.
    plain = ("--style-weight", "0", "--overwrite")
    for choice, number in ((("--frame", "7"), 7), (("--at", "0.4"), 10), (("--at", "0"), 0)):
        assert run(*choice, *plain, content=tmp_path / "in.mp4") == 0
        made = Image.open(tmp_path / "out.png").convert("RGB")
        assert read_number(np.array(made)) == number


def test_several_styles_are_mixed_by_their_shares(run: Run, pictures: Path, tmp_path: Path) -> None:
    def made(*styles: str) -> bytes:
        assert run("--overwrite", styles=styles) == 0
        return (tmp_path / "out.png").read_bytes()

    one, other = str(pictures / "1.png"), str(pictures / "2.png")

    assert made(one, f"{other}=0") == made(one)
    assert made(one, f"{other}=3") != made(one, other) != made(one)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_the_suffix_tells_the_format(run: Run, tmp_path: Path, suffix: str) -> None:
    assert run("-o", tmp_path / f"picture{suffix}") == 0

    with Image.open(tmp_path / f"picture{suffix}") as picture:
        assert picture.format == {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}[suffix]


def test_previews_are_saved_beside_the_output(run: Run, tmp_path: Path) -> None:
    assert run("--preview-every", "2", "--iterations", "5") == 0

    assert sorted(path.name for path in tmp_path.glob("out-*")) == ["out-40x32-0002.png", "out-40x32-0004.png"]


def _interrupt() -> None:
    """Call the handler as Ctrl-C would. A real signal crashes a process in which OpenVINO has ended a thread."""
    handler = signal.getsignal(signal.SIGINT)
    assert callable(handler)
    handler(signal.SIGINT, None)


@pytest.mark.usefixtures("_restored_signals")
@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="interrupts are ignored, as in a job in the background"
)
def test_ctrl_c_saves_the_best_so_far_and_the_same_command_goes_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("-o", tmp_path / "whole.png", "--iterations", "6") == 0
    whole_run = Keyframe.run

    def interrupted(keyframe: Keyframe) -> Iterator[Any]:
        yield from islice(whole_run(keyframe), 3)
        _interrupt()
        yield from islice(whole_run(keyframe), 1)

    with monkeypatch.context() as patch:
        patch.setattr(Keyframe, "run", interrupted)
        state = ("--resume", tmp_path / "state.pt", "--iterations", "6")
        assert run(*state) == 130
    assert "stopped" in capsys.readouterr().err
    assert (tmp_path / "out.png").is_file()

    assert run(*state) == 0

    assert (tmp_path / "out.png").read_bytes() == (tmp_path / "whole.png").read_bytes()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Return a video of two scenes of 12 frames, the second one brighter and moving."""
    scenes = [np.random.default_rng(seed).integers(0, 256, (12, 24, 3), dtype=np.uint8) for seed in range(2)]

    def picture(number: int, size: tuple[int, int]) -> "np.ndarray[Any, Any]":
        wide = Image.fromarray(scenes[number // 12]).resize((2 * size[0], size[1]), Image.Resampling.NEAREST)
        return np.asarray(wide)[:, number : number + size[0]]

    writer = MediaWriter(tmp_path / "clip.mp4")
    writer.video(pts=range(24), size=(64, 48), picture=picture)
    writer.write()
    return tmp_path / "clip.mp4"


def test_key_frames_are_named_by_number_and_follow_one_another_within_a_scene(
    run: Run, clip: Path, tmp_path: Path
) -> None:
    assert run("--auto", "4", "-o", tmp_path / "keys", "--report", tmp_path / "report.json", content=clip) == 0

    made = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["keyframes"]
    names = sorted(path.name for path in (tmp_path / "keys").glob("*.png"))
    assert names == [f"{figures['frame']:06}.png" for figures in made]
    assert [figures["frame"] < 12 for figures in made] == [True, True, False, False]
    assert [figures["follows"] for figures in made] == [False, True, False, True]


def test_frames_are_painted_by_number_as_those_that_are_chosen(run: Run, clip: Path, tmp_path: Path) -> None:
    assert run("--auto", "3", "-o", tmp_path / "keys", content=clip) == 0
    chosen = sorted((tmp_path / "keys").glob("*.png"))
    numbers = ",".join(path.stem for path in reversed(chosen))

    assert run("--frames", numbers, "-o", tmp_path / "named", content=clip) == 0

    named = sorted((tmp_path / "named").glob("*.png"))
    assert [path.name for path in named] == [path.name for path in chosen]
    assert [path.read_bytes() for path in named] == [path.read_bytes() for path in chosen]


def test_a_frame_that_the_video_does_not_have_is_told(
    run: Run, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--frames", "3,24", "-o", tmp_path / "keys", content=clip) == 1

    assert "has no frame 24; its last one is 23" in capsys.readouterr().err


def test_a_series_without_following_starts_from_the_content(run: Run, clip: Path, tmp_path: Path) -> None:
    keys = ("--auto", "4", "-o", tmp_path / "keys", "--start", "content", "--report", tmp_path / "report.json")
    assert run(*keys, content=clip) == 0

    made = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["keyframes"]
    assert not any(figures["follows"] for figures in made)


@pytest.mark.usefixtures("_restored_signals")
@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="interrupts are ignored, as in a job in the background"
)
def test_a_stopped_series_goes_on_where_it_was(
    run: Run, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = ("--auto", "2", "--iterations", "4")
    assert run(*series, "-o", tmp_path / "whole", content=clip) == 0
    whole_run = Keyframe.run
    runs = []

    def interrupted(keyframe: Keyframe) -> Iterator[Any]:
        runs.append(keyframe)
        for count, step in enumerate(whole_run(keyframe)):
            yield step
            if len(runs) == 2 and count == 1:
                _interrupt()

    with monkeypatch.context() as patch:
        patch.setattr(Keyframe, "run", interrupted)
        state = ("--resume", tmp_path / "state.pt", "-o", tmp_path / "keys")
        assert run(*series, *state, content=clip) == 130
    assert len(list((tmp_path / "keys").glob("*.png"))) == 1, "an unfinished picture would pass for a finished one"

    assert run(*series, *state, content=clip) == 0

    whole, resumed = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()} for folder in ("whole", "keys")
    )
    assert resumed == whole
    assert not list(tmp_path.glob("state*.pt"))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (("--iterations", "3"), "painted with other values of: iterations;"),
        (("--start", "content"), "painted with other values of: start;"),
        (("--frames", "3,15,21"), "painted with other values of: frames;"),
        (("--frames", "3,16"), "000015.png is none of the frames 3, 16"),
    ],
)
def test_a_series_does_not_go_on_with_pictures_of_another_one(
    run: Run, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: tuple[str, ...], told: str
) -> None:
    series = ("--frames", "3,15", "--resume", tmp_path / "state.pt", "-o", tmp_path / "keys")
    assert run(*series, content=clip) == 0
    painted = (tmp_path / "keys" / "000015.png").read_bytes()
    capsys.readouterr()

    assert run(*series, *changed, content=clip) == 2

    assert told in capsys.readouterr().err
    assert (tmp_path / "keys" / "000015.png").read_bytes() == painted
    assert not (tmp_path / "keys" / "000021.png").exists()


def test_a_series_does_not_go_on_with_another_painting_or_without_a_record(
    run: Run, clip: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    series = ("--frames", "3,15", "--resume", tmp_path / "state.pt", "-o", tmp_path / "keys")
    assert run(*series, content=clip) == 0

    assert run(*series, content=clip, styles=(pictures / "2.png",)) == 2
    assert "painted with other values of: style;" in capsys.readouterr().err

    (tmp_path / "keys" / "series.json").unlink()
    assert run(*series, content=clip) == 2
    assert "no series.json that tells how they were painted" in capsys.readouterr().err


def test_pictures_in_the_folder_are_kept(
    run: Run, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "000003.png").write_bytes(b"precious")

    assert run("--auto", "2", "-o", tmp_path / "keys", content=clip) == 2

    assert "000003.png; add --overwrite" in capsys.readouterr().err


def test_a_mask_keeps_the_content_where_it_is_black(run: Run, pictures: Path, tmp_path: Path) -> None:
    mask = np.zeros((32, 40), dtype=np.uint8)
    mask[:, :20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")

    assert run("--mask", tmp_path / "mask.png", "--iterations", "5") == 0

    made, content = (np.array(Image.open(path)).astype(int) for path in (tmp_path / "out.png", pictures / "0.png"))
    changed = np.abs(made - content).mean(axis=(0, 2))
    assert changed[30:].mean() < 0.5 < changed[:15].mean()


def test_measures_are_told_and_reported(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--report", tmp_path / "report.json") == 0

    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    measures = report["measures"]
    assert measures["style_loss"] < measures["style_loss_of_content"]
    assert "VGG19" in report["measured_by"]
    assert report["peak_memory_mb"] > 0
    assert f"ssim {measures['ssim']:.5f}  content_loss {measures['content_loss']:.5f}" in capsys.readouterr().out


def test_the_course_is_drawn(run: Run, tmp_path: Path) -> None:
    drawn = ("--plot", tmp_path / "plot.svg", "--evolution", tmp_path / "strip.png")

    assert run(*drawn, "--size", "64", "--scales", "2", "--iterations", "6") == 0

    assert "</svg>" in (tmp_path / "plot.svg").read_text(encoding="utf-8")
    with Image.open(tmp_path / "strip.png") as strip:
        # Iterations 0 and 10 and the best, all at the size of the result.
        assert strip.width == 3 * 80 + 2 * GAP_PX
        assert strip.height == 64 + LABEL_HEIGHT_PX


def test_an_output_that_exists_is_kept(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out.png").write_bytes(b"precious")

    assert run() == 2

    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "out.png").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("-o", "{folder}/out.tiff"), "must end in"),
        (("-o", "{folder}/missing/out.png"), "does not exist"),
        (("-o", "{pictures}/0.png", "--overwrite"), "other files"),
        (("--frame", "3"), "is a picture"),
        (("--style-layer", "relu9_9"), "relu9_9"),
        (("--scales", "2"), "begin at 16 px"),
        (("--start", "{folder}/none.png"), "none.png"),
        (("--vgg", "{folder}/none.safetensors"), "none.safetensors"),
        (("--vgg", "{pictures}/2.png"), "2.png"),
        (("--backbone", "small"), "the backbone is small"),
        (("--backbone", "vgg19", "--content-layer", "layer2"), "known: relu1_1, "),
        (("--resume", "{pictures}/2.png"), "cannot be read"),
        (("--mask", "{pictures}/2.png", "--mask", "{pictures}/3.png"), "2 masks for 1 styles"),
        (("--mask", "{folder}/none.png"), "none.png"),
        (("--start", "previous"), "--auto N"),
        (("--auto", "2", "--plot", "{folder}/plot.png"), "show one picture"),
        (("--auto", "2", "-o", "{pictures}/4.png"), "need a folder"),
        (("--auto", "2", "-o", "{folder}/keys"), "0.png"),
        (("--plot", "{folder}/plot.gif"), "must end in"),
    ],
)
def test_what_cannot_work_is_told_in_one_line(
    run: Run, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], told: str
) -> None:
    code = run(*(text.format(folder=tmp_path, pictures=pictures) for text in more))

    error = capsys.readouterr().err
    assert code in (1, 2)
    assert told in error
    assert len(error.splitlines()) == 1
    assert "unexpected" not in error


def test_a_video_without_a_moment_is_refused(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(content=tmp_path / "in.mp4") == 2

    assert "--at TIME or --frame N" in capsys.readouterr().err


def test_a_frame_beyond_the_end_is_told(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = MediaWriter(tmp_path / "in.mp4")
    writer.video(pts=range(5))
    writer.write()

    assert run("--frame", "5", content=tmp_path / "in.mp4") == 2

    assert "has no frame 5" in capsys.readouterr().err


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_frame_is_upright_with_square_pixels(degrees: int, tmp_path: Path) -> None:
    from fractions import Fraction

    import av

    from export.video_still import read_still

    path = tmp_path / "in.mp4"
    writer = MediaWriter(path)
    writer.video(sample_aspect_ratio=Fraction(2)).set_display_rotation(degrees)
    writer.write()
    with av.open(str(path)) as container:
        rotation = next(container.decode(video=0)).rotation

    still = np.array(read_still(path, number=5))

    expected = np.rot90(np.repeat(numbered(5), 2, axis=1), rotation // 90)
    assert still.shape == expected.shape
    assert np.abs(still.astype(int) - expected).mean() < 8
