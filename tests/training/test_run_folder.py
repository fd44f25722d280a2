"""What is left in the folder of a training, and what cannot be continued."""

import errno
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from training.run_folder import CHECKPOINT_FILE, load_checkpoint, make_run_folder, save_checkpoint, sole_use  # noqa: E402


@pytest.mark.parametrize("kept_bytes", [0, 100])
def test_a_damaged_checkpoint_is_named_with_what_to_do(tmp_path: Path, kept_bytes: int) -> None:
    save_checkpoint(tmp_path, {"step": 3}, {"seed": 1})
    path = tmp_path / CHECKPOINT_FILE
    path.write_bytes(path.read_bytes()[:kept_bytes])

    with pytest.raises(ValueError, match=r"checkpoint\.pt cannot be read \(.+\); remove it"):
        load_checkpoint(tmp_path, {"seed": 1}, torch.device("cpu"))


@pytest.mark.parametrize("error", [RuntimeError("unexpected pos 64 vs 0"), OSError(errno.ENOSPC, "no space left")])
def test_a_full_disk_is_told_and_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    save_checkpoint(tmp_path, {"step": 3}, {"seed": 1})

    def fail(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match=r"checkpoint\.pt cannot be written: is the disk full\?"):
        save_checkpoint(tmp_path, {"step": 4}, {"seed": 1})

    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_FILE]
    state = load_checkpoint(tmp_path, {"seed": 1}, torch.device("cpu"))
    assert state is not None
    assert state["step"] == 3


def test_two_trainings_in_one_folder_are_one_too_many(tmp_path: Path) -> None:
    refused = pytest.raises(ValueError, match=r"another training runs in .*; wait for it")
    with sole_use(tmp_path), refused, sole_use(tmp_path):
        pass
    with sole_use(tmp_path):
        pass


def test_what_helps_a_run_that_diverged_may_be_changed(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, {"step": 3}, {"seed": 1, "learning_rate": 0.1})

    assert load_checkpoint(tmp_path, {"seed": 1, "learning_rate": 0.01}, torch.device("cpu"))
    with pytest.raises(ValueError, match="of a run with another seed;"):
        load_checkpoint(tmp_path, {"seed": 2, "learning_rate": 0.01}, torch.device("cpu"))


def test_a_file_in_the_place_of_the_run_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").touch()

    with pytest.raises(FileExistsError, match="run is a file; choose another folder"):
        make_run_folder(tmp_path / "run")
