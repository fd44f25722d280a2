"""The commands as `pip install` makes them: they lead to their modules, or say what is missing."""

import importlib.util
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from export import entry

PROJECT = Path(entry.__file__).parent.parent / "pyproject.toml"
COMMANDS = {
    "stylize-train": "export.cli_train",
    "stylize-export": "export.cli",
    "stylize-keyframe": "export.cli_keyframe",
}


@pytest.mark.parametrize(("command", "module"), COMMANDS.items())
def test_command_leads_to_its_module(command: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{module}.main", lambda: 7)

    assert _entry(command) == 7


@pytest.mark.parametrize("command", COMMANDS)
def test_command_without_its_extra_says_so_in_one_line(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    assert _entry(command) == 2

    assert capsys.readouterr().err == (
        f"{command} needs PyTorch, which is not installed: pip install 'stylecast[train]'\n"
    )


def _entry(command: str) -> int:
    module, function = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["scripts"][command].split(":")
    code: int = getattr(import_module(module), function)()
    return code
