"""A whole training: by the command, on one device and on two, and what is left behind."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from PIL import Image  # noqa: E402
from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402

from training import cli, report, session  # noqa: E402
from training.hardware import Hardware, open_fabric  # noqa: E402
from training.network import JohnsonNetwork  # noqa: E402
from training.recipe import AdainRecipe, FeedForwardRecipe  # noqa: E402
from training.run_folder import CHECKPOINT_FILE, NETWORK_FILE  # noqa: E402
from training.session import SessionError, train  # noqa: E402

ROOT = Path(session.__file__).parent.parent
SMALL = {"style_size_px": 16, "crop_px": 16, "batch": 2, "warmup_steps": 1}
RECIPE = FeedForwardRecipe(
    name="dusk", title="Dusk", picture="0.png", artist="A", artist_died="1900", year="1890", steps=2, **SMALL
)


@pytest.fixture(autouse=True)
def _small_previews(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PREVIEW_SIDE_PX", 16)


def _write(recipe: FeedForwardRecipe | AdainRecipe, path: Path) -> Path:
    values = dataclasses.asdict(recipe)
    path.write_text("\n".join(f"{name} = {value!r}" for name, value in values.items()), encoding="utf-8")
    return path


def _command(recipe: Path, pictures: Path, vgg_file: Path, run: Path, *more: str) -> list[str]:
    return [
        *(str(recipe), "--pictures", str(pictures), "--photographs", str(pictures)),
        *("--vgg", str(vgg_file), "--run", str(run), "--device", "cpu", "--precision", "fp32", *more),
    ]


def test_command_trains_from_recipe_to_network(
    pictures: Path, vgg_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "LINE_INTERVAL_STEPS", 1)
    monkeypatch.setattr(report, "FIGURES_INTERVAL_STEPS", 1)
    (tmp_path / "val.txt").write_text("1.png\n", encoding="utf-8")
    recipe, run = _write(RECIPE, tmp_path / "recipe.toml"), tmp_path / "run"

    code = cli.main(_command(recipe, pictures, vgg_file, run, "--exclude", str(tmp_path / "val.txt")))

    assert code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("dusk  step 1  ")
    assert "left  content " in lines[0]
    assert lines[-1].startswith("dusk: 2 steps in ")
    assert (run / "preview.png").exists()
    with safe_open(run / NETWORK_FILE, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["network"] == "SlimNetwork"
    assert json.loads(metadata["recipe"]) == dataclasses.asdict(RECIPE)
    assert metadata["style_pictures_sha256"] == hashlib.sha256((pictures / "0.png").read_bytes()).hexdigest()
    assert (metadata["excluded"], metadata["vgg"], metadata["steps"]) == ("val.txt", vgg_file.name, "2")
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("loss/style")] == [1, 2]
    assert {"loss/content", "loss/coherence", "learning_rate"} <= set(events.Tags()["scalars"])
    assert events.Tags()["images"] == ["preview"]


def test_any_style_network_is_trained_by_the_same_command(pictures: Path, vgg_file: Path, tmp_path: Path) -> None:
    recipe = _write(AdainRecipe(name="any", title="Any", steps=1, **SMALL), tmp_path / "recipe.toml")

    assert cli.main(_command(recipe, pictures, vgg_file, tmp_path / "run")) == 0

    with safe_open(tmp_path / "run" / NETWORK_FILE, framework="pt") as file:
        assert file.metadata()["network"] == "SlimAdainNetwork"


def test_papers_network_is_trained_with_the_papers_style_loss(pictures: Path, vgg_file: Path, tmp_path: Path) -> None:
    recipe = AdainRecipe(name="any", title="Any", steps=1, network="vgg", style_loss="mean-std", **SMALL)

    path = train(
        recipe,
        style_pictures=pictures,
        photographs=pictures,
        run_folder=tmp_path,
        vgg=vgg_file,
        hardware=Hardware("cpu", precision="fp32"),
    )

    assert any(name.startswith("decoder.") for name in load_file(path))


def test_johnsons_network_is_trained_by_its_name(pictures: Path, vgg_file: Path, tmp_path: Path) -> None:
    path = train(
        dataclasses.replace(RECIPE, network="johnson", steps=1),
        style_pictures=pictures / "0.png",
        photographs=pictures,
        run_folder=tmp_path,
        vgg=vgg_file,
        hardware=Hardware("cpu", precision="fp32"),
    )

    JohnsonNetwork().load_state_dict(load_file(path))


def test_command_reports_a_missing_picture_in_one_line(
    pictures: Path, vgg_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = _write(dataclasses.replace(RECIPE, picture="nowhere.jpg"), tmp_path / "recipe.toml")

    code = cli.main(_command(recipe, pictures, vgg_file, tmp_path / "run"))

    assert code == 1
    assert capsys.readouterr().err == f"stylize-train: no picture at {pictures / 'nowhere.jpg'}\n"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--minutes", "-1"), "must be a finite number of minutes"),
        (("--minutes", "nan"), "must be a finite number of minutes"),
        (("--checkpoint-steps", "0"), "is not a whole number from 1 up"),
    ],
)
def test_a_budget_that_cannot_be_is_refused(
    pictures: Path,
    vgg_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    message: str,
) -> None:
    recipe = _write(RECIPE, tmp_path / "recipe.toml")

    with pytest.raises(SystemExit):
        cli.main(_command(recipe, pictures, vgg_file, tmp_path / "run", *more))

    assert message in capsys.readouterr().err


def test_a_run_is_not_continued_with_other_photographs(
    pictures: Path, vgg_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would count as one that has not seen those that are excluded now."""
    recipe, run = _write(RECIPE, tmp_path / "recipe.toml"), tmp_path / "run"
    (tmp_path / "val.txt").write_text("1.png\n", encoding="utf-8")
    assert cli.main(_command(recipe, pictures, vgg_file, run)) == 0

    assert cli.main(_command(recipe, pictures, vgg_file, run, "--exclude", str(tmp_path / "val.txt"))) == 1

    assert "is of a run with another photographs" in capsys.readouterr().err


def test_a_run_is_not_continued_with_another_picture_of_that_name(
    pictures: Path, vgg_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = _write(RECIPE, tmp_path / "recipe.toml")
    assert cli.main(_command(recipe, pictures, vgg_file, tmp_path / "run")) == 0
    (tmp_path / "cut").mkdir()
    Image.open(pictures / "0.png").crop((0, 0, 20, 20)).save(tmp_path / "cut" / "0.png")
    command = _command(recipe, pictures, vgg_file, tmp_path / "run")
    command[command.index("--pictures") + 1] = str(tmp_path / "cut")

    assert cli.main(command) == 1

    assert "is of a run with another style pictures" in capsys.readouterr().err


def test_an_error_of_a_process_that_reads_pictures_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ValueError(
            "Caught ValueError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
            '  File "dataset.py", line 1, in __getitem__\nValueError: all files are gone\n'
        )

    assert cli.run_training(fail) == 1

    assert capsys.readouterr().err == "stylize-train: ValueError: all files are gone\n"


def test_killed_training_continues_to_the_weights_of_one_that_was_not(
    pictures: Path, vgg_file: Path, tmp_path: Path
) -> None:
    recipe = _write(dataclasses.replace(RECIPE, steps=12), tmp_path / "recipe.toml")
    whole, killed = (
        _command(recipe, pictures, vgg_file, tmp_path / run, "--checkpoint-steps", "1") for run in ("whole", "killed")
    )
    with subprocess.Popen(
        [sys.executable, "-m", "training", *killed], cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ) as process:
        while not (tmp_path / "killed" / CHECKPOINT_FILE).exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    interrupted = not (tmp_path / "killed" / NETWORK_FILE).exists()

    assert [cli.main(command) for command in (whole, killed)] == [0, 0]

    first, second = (load_file(tmp_path / run / NETWORK_FILE) for run in ("whole", "killed"))
    assert interrupted
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_processes_that_read_pictures_change_nothing(pictures: Path, vgg_file: Path, tmp_path: Path) -> None:
    recipe = _write(RECIPE, tmp_path / "recipe.toml")
    for run in ("alone", "helped"):
        words = _command(recipe, pictures, vgg_file, tmp_path / run, "--workers", "2" if run == "helped" else "0")
        # A process of its own: torch leaves a handler for the end of its workers behind, and Linux 6.18 has killed the
        # whole test run on delivering SIGCHLD to it.
        subprocess.run([sys.executable, "-m", "training", *words], cwd=ROOT, check=True)

    alone, helped = (load_file(tmp_path / run / NETWORK_FILE) for run in ("alone", "helped"))
    assert all(torch.equal(alone[name], helped[name]) for name in alone)


@pytest.mark.slow
def test_two_devices_share_a_batch_out_and_learn_what_one_does(pictures: Path, vgg_file: Path, tmp_path: Path) -> None:
    one, two = (
        load_file(
            train(
                RECIPE,
                style_pictures=pictures / "0.png",
                photographs=pictures,
                run_folder=tmp_path / str(devices),
                vgg=vgg_file,
                hardware=Hardware("cpu", devices=devices, precision="fp32"),
            )
        )
        for devices in (1, 2)
    )

    # Adam's first steps are of the size of the learning rate whatever the gradient; a sum in another order moves few.
    moved = torch.cat([(one[name] - two[name]).abs().flatten() for name in one])
    assert moved.median() < 1e-5


@pytest.mark.slow
def test_failure_on_one_of_two_devices_is_one_line(pictures: Path, vgg_file: Path, tmp_path: Path) -> None:
    with pytest.raises(SessionError, match=r"^FileNotFoundError: no picture at .*nowhere\.jpg$"):
        train(
            RECIPE,
            style_pictures=tmp_path / "nowhere.jpg",
            photographs=pictures,
            run_folder=tmp_path,
            vgg=vgg_file,
            hardware=Hardware("cpu", devices=2, precision="fp32"),
        )


def test_device_that_is_not_there_is_named() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(ValueError, match="device cuda is not available; there are cpu"):
        open_fabric(Hardware(device="cuda"))


def test_without_vgg19_the_small_backbone_stands_in_and_no_other_continues_its_run(
    pictures: Path, vgg_file: Path, tmp_path: Path, offline: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def trained(vgg: Path | None, backbone: str | None = None) -> Path:
        hardware = Hardware(device="cpu", precision="fp32")
        folders = {"style_pictures": pictures / "0.png", "photographs": pictures, "run_folder": tmp_path}
        return train(RECIPE, **folders, vgg=vgg, backbone=backbone, hardware=hardware)

    with safe_open(trained(None), framework="pt") as file:
        assert file.metadata()["vgg"] == "small"
    assert "the small backbone stands in for VGG19" in caplog.text

    with pytest.raises(ValueError, match="is of a run with another vgg; choose another run folder"):
        trained(vgg_file)
    trained(vgg_file, "small")  # the file is for scores then
    with pytest.raises(OSError, match="no route to host"):
        trained(None, "vgg19")


def test_half_precision_without_bf16_range_needs_a_gpu() -> None:
    with pytest.raises(ValueError, match="precision fp16 needs a CUDA device, not cpu; choose bf16 or fp32"):
        open_fabric(Hardware(device="cpu", precision="fp16"))
