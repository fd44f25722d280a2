"""An output that is done is not lost where its name cannot be taken."""

import os
from pathlib import Path

import pytest

from realtime import output_file
from realtime.errors import OutputError
from realtime.output_file import OutputFile, replace_file


def test_a_result_whose_name_is_in_use_is_kept_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(13, "Access is denied")

    (tmp_path / "out.mp4").write_text("open in a player")
    monkeypatch.setattr(os, "replace", refuse)

    with OutputFile(tmp_path / "out.mp4", overwrite=True) as file:
        file.part.write_text("hours of work")
        with pytest.raises(OutputError, match=f"does another program have it open.*kept in {file.part}"):
            file.take_name()

    assert file.part.read_text() == "hours of work"
    assert (tmp_path / "out.mp4").read_text() == "open in a player"
    file.part.unlink()


def test_on_windows_a_name_that_is_in_use_for_a_moment_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = iter([True, True, False])
    replace = os.replace

    def sometimes(source: Path, target: Path) -> None:
        if next(refused):
            raise PermissionError(13, "Access is denied")
        replace(source, target)

    waits: list[float] = []
    monkeypatch.setattr(output_file.time, "sleep", waits.append)
    (tmp_path / "new").write_text("new")
    target = tmp_path / "name"
    with monkeypatch.context() as windows:
        windows.setattr(os, "replace", sometimes)
        windows.setattr(os, "name", "nt")
        replace_file(tmp_path / "new", target)

    assert target.read_text() == "new"
    assert waits == [0.05, 0.1]
