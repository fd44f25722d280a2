"""What is left in the folder of a training, and what cannot be continued."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from training.run_folder import CHECKPOINT_FILE, load_checkpoint, make_run_folder, save_checkpoint  # noqa: E402


@pytest.mark.parametrize("kept_bytes", [0, 100])
def test_a_damaged_checkpoint_is_named_with_what_to_do(tmp_path: Path, kept_bytes: int) -> None:
    save_checkpoint(tmp_path, {"step": 3}, {"seed": 1})
    path = tmp_path / CHECKPOINT_FILE
    path.write_bytes(path.read_bytes()[:kept_bytes])

    with pytest.raises(ValueError, match=r"checkpoint\.pt cannot be read; remove it"):
        load_checkpoint(tmp_path, {"seed": 1}, torch.device("cpu"))


def test_a_file_in_the_place_of_the_run_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").touch()

    with pytest.raises(FileExistsError, match="run is a file; choose another folder"):
        make_run_folder(tmp_path / "run")
