"""The training of classifiers: it learns, counts rightly, stops where it should, and continues exactly."""

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from PIL import Image  # noqa: E402

from export.cli_train import main  # noqa: E402
from tests.training.checkpoint import assert_same_state  # noqa: E402
from training import classifier_training  # noqa: E402
from training.classifier import CUSTOM_VGG19, SMALL_CNN, load_classifier  # noqa: E402
from training.classifier_report import (  # noqa: E402
    CONFUSION_FILE,
    CONFUSION_PICTURE_FILE,
    CURVES_FILE,
    HISTORY_FILE,
)
from training.classifier_training import ClassifierSettings, ClassifierTrainer, confusion_matrix  # noqa: E402
from training.classify_data import LabelledData, load_data  # noqa: E402
from training.hardware import Hardware, open_fabric  # noqa: E402
from training.loop import NonFiniteLossError  # noqa: E402
from training.run_folder import CHECKPOINT_FILE, NETWORK_FILE  # noqa: E402

CLASS_COLORS = {"blue": (40, 60, 200), "green": (40, 200, 60), "red": (200, 40, 60)}
PICTURES_PER_CLASS = 10
EPOCHS = 3
# 24 pictures to learn from, in batches of 8.
BATCH, STEPS_PER_EPOCH = 8, 3


@pytest.fixture(scope="module")
def class_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("colors")
    random = np.random.default_rng(4)
    for name, color in CLASS_COLORS.items():
        (folder / name).mkdir()
        for number in range(PICTURES_PER_CLASS):
            noise = random.integers(-40, 41, (32, 32, 3))
            Image.fromarray((np.array(color) + noise).clip(0, 255).astype(np.uint8)).save(
                folder / name / f"{number}.png"
            )
    return folder


@pytest.fixture(scope="module")
def data(class_folders: Path) -> LabelledData:
    return load_data(str(class_folders), size_px=32, seed=0, downloads=Path("unused"))


Make = Callable[..., ClassifierTrainer]


@pytest.fixture
def make(data: LabelledData, tmp_path: Path) -> Make:
    def make_trainer(
        folder: str = "run",
        *,
        precision: str = "fp32",
        architecture: str = SMALL_CNN,
        options: dict[str, Any] | None = None,
        **changes: Any,
    ) -> ClassifierTrainer:
        settings = ClassifierSettings(architecture, **{"epochs": EPOCHS, "batch": BATCH, **changes})
        fabric = open_fabric(Hardware("cpu", precision=precision))
        return ClassifierTrainer(settings, data, fabric=fabric, run_folder=tmp_path / folder, **(options or {}))

    return make_trainer


def _stop_after(trainer: ClassifierTrainer, steps: int) -> None:
    run = trainer.run()
    for _ in range(steps + 1):  # the loop saves a checkpoint only once it is asked for the next step
        next(run)
    run.close()


def test_it_learns_to_tell_colors_and_the_loss_falls(make: Make, tmp_path: Path) -> None:
    trainer = make(epochs=12, learning_rate=3e-3)

    losses = list(trainer.run())

    assert len(losses) == trainer.step == 12 * STEPS_PER_EPOCH
    assert sum(losses[-6:]) < 0.5 * sum(losses[:6])
    _, facts = load_classifier(tmp_path / "run" / NETWORK_FILE)
    assert facts.top1 >= 5 / 6  # chance is 1/3
    assert facts.class_names == tuple(CLASS_COLORS)
    assert (facts.architecture, facts.steps, facts.size_px, facts.data) == (SMALL_CNN, 36, 32, trainer.data.name)


def test_saved_network_scores_what_its_file_says(make: Make, tmp_path: Path, data: LabelledData) -> None:
    list(make(learning_rate=3e-3).run())
    network, facts = load_classifier(tmp_path / "run" / NETWORK_FILE)

    with torch.no_grad():
        named = network(data.held_out.pictures.float() / 255).argmax(1)

    assert facts.top1 == pytest.approx(float((named == data.held_out.labels).float().mean()))


@pytest.mark.parametrize(
    ("stopped_after", "precision"),
    # Processors without bf16 take seven times as long for it.
    [(2, "fp32"), (STEPS_PER_EPOCH, "fp32"), (STEPS_PER_EPOCH + 1, "fp32"), (STEPS_PER_EPOCH + 1, "bf16")],
)
def test_resumed_run_equals_one_in_a_piece_bit_for_bit(
    make: Make, tmp_path: Path, stopped_after: int, precision: str
) -> None:
    list(make("whole", precision=precision).run())
    _stop_after(make("parts", precision=precision, options={"checkpoint_steps": 1}), stopped_after)

    resumed = make("parts", precision=precision, options={"checkpoint_steps": 1})
    assert resumed.step in (stopped_after, stopped_after + 1)
    list(resumed.run())

    whole, parts = (torch.load(tmp_path / folder / CHECKPOINT_FILE) for folder in ("whole", "parts"))
    assert_same_state(whole, parts)


def test_finished_run_is_not_trained_further(make: Make, tmp_path: Path) -> None:
    list(make().run())

    assert list(make().run()) == []
    assert load_classifier(tmp_path / "run" / NETWORK_FILE)[1].steps == EPOCHS * STEPS_PER_EPOCH


def test_run_folder_of_another_training_is_refused_by_what_differs(make: Make) -> None:
    list(make(epochs=1).run())

    with pytest.raises(ValueError, match=r"checkpoint\.pt is of a run with another batch, seed;"):
        make(batch=4, seed=3, epochs=7)


def test_slow_steps_leave_a_checkpoint_a_minute(make: Make, tmp_path: Path) -> None:
    clock = count(0.0, 10.0)
    trainer = make(batch=1, options={"clock": lambda: next(clock), "checkpoint_steps": 1000})
    assert trainer.steps_per_epoch > 10

    _stop_after(trainer, 8)

    assert 6 <= torch.load(tmp_path / "run" / CHECKPOINT_FILE)["step"] <= 8


def test_a_run_goes_on_with_a_lower_rate(make: Make) -> None:
    list(make(epochs=1, learning_rate=0.01).run())

    assert make(epochs=2, learning_rate=0.001).plateau_rate == pytest.approx(0.001)


def test_checkpoint_is_never_half_written(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    list(make(epochs=1).run())
    before = (tmp_path / "run" / CHECKPOINT_FILE).read_bytes()

    def fail(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        list(make(epochs=2).run())

    assert (tmp_path / "run" / CHECKPOINT_FILE).read_bytes() == before


def test_plateau_of_the_held_out_loss_lowers_the_rate(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    level = classifier_training.Evaluation(1.0, torch.eye(3, dtype=torch.int64))
    monkeypatch.setattr(ClassifierTrainer, "evaluate", lambda self: level)
    trainer = make(epochs=5, learning_rate=0.01)

    rates = [trainer.plateau_rate for _ in trainer.run()][STEPS_PER_EPOCH - 1 :: STEPS_PER_EPOCH]

    # The first epoch is a best one, then two are waited for.
    assert rates == pytest.approx([0.01, 0.01, 0.01, 0.003, 0.003])


def test_time_budget_ends_the_run_within_an_epoch_and_evaluates_it(make: Make, tmp_path: Path) -> None:
    ticks_s = iter(range(0, 10_000, 10))
    trainer = make(epochs=0, options={"clock": lambda: float(next(ticks_s))})

    steps = len(list(trainer.run(minutes=1.0)))

    assert steps == 4  # ten seconds each, and ten for the end of the epoch
    assert [figures["epoch"] for figures in trainer.history] == [1.0, pytest.approx(4 / 3)]
    assert load_classifier(tmp_path / "run" / NETWORK_FILE)[1].minutes == 1.0


def test_run_without_an_end_is_refused(make: Make) -> None:
    with pytest.raises(ValueError, match="neither epochs nor minutes"):
        list(make(epochs=0).run())


def test_loss_that_is_not_finite_stops_the_run_and_leaves_the_checkpoint(make: Make, tmp_path: Path) -> None:
    trainer = make(options={"checkpoint_steps": 1})
    run = trainer.run()
    next(run)
    next(run)
    with torch.no_grad():
        trainer._network.head[-1].weight.fill_(float("nan"))

    with pytest.raises(NonFiniteLossError, match="at step 2; lower the learning rate"):
        next(run)

    state = torch.load(tmp_path / "run" / CHECKPOINT_FILE)
    assert all(tensor.isfinite().all() for tensor in state["network"].values())
    assert not (tmp_path / "run" / NETWORK_FILE).exists()


def test_confusion_has_true_classes_in_rows() -> None:
    labels = torch.tensor([0, 0, 0, 1, 2, 2])
    named = torch.tensor([0, 2, 2, 1, 2, 0])

    assert confusion_matrix(labels, named, classes=3).tolist() == [[1, 0, 2], [0, 1, 0], [1, 0, 1]]


def test_command_trains_to_network_figures_and_curves(
    class_folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    words = ["classifier", "--arch", CUSTOM_VGG19, "--no-batch-norm", "--data", str(class_folders), "--run", str(run)]

    code = main([*words, "--epochs", "1", "--size-px", "32", "--batch", "12", "--device", "cpu", "--precision", "fp32"])

    assert (code, capsys.readouterr().err) == (0, "")
    _, facts = load_classifier(run / NETWORK_FILE)
    assert (facts.architecture, facts.batch_norm, facts.data) == (CUSTOM_VGG19, False, class_folders.name)
    (figures,) = json.loads((run / HISTORY_FILE).read_text())
    assert figures["top1"] == facts.top1
    confusion = json.loads((run / CONFUSION_FILE).read_text())
    assert confusion["classes"] == list(CLASS_COLORS)
    assert [sum(row) for row in confusion["confusion"]] == [2, 2, 2]
    for name in (CURVES_FILE, CONFUSION_PICTURE_FILE):
        with Image.open(run / name) as picture:
            assert min(picture.size) > 300


@pytest.mark.parametrize("words", [["--epochs", "0"], ["--minutes", "nan"], ["--epochs", "1", "--minutes", "1"]])
def test_length_that_cannot_be_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["classifier", "--arch", SMALL_CNN, "--data", "nowhere", *words])

    assert words[-2] in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "nowhere", "--epochs", "1"], "no data at nowhere"),
        (["--data", "DATA", "--epochs", "1", "--size-px", "16"], "--size-px is 16 but must be at least 32"),
        (["--data", "DATA", "--epochs", "1", "--precision", "fp16"], "fp16 needs a CUDA device"),
        (["--data", "DATA", "--epochs", "1", "--learning-rate", "-1"], "--learning-rate is -1.0 but must be more"),
    ],
)
def test_what_cannot_work_is_one_line(
    words: list[str], message: str, class_folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(class_folders) if word == "DATA" else word for word in words]

    code = main(["classifier", "--arch", SMALL_CNN, "--device", "cpu", *words])

    error = capsys.readouterr().err
    assert code == 1
    assert error.startswith("stylize-train: ")
    assert message in error
    assert error.count("\n") == 1
