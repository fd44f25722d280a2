"""The options of live runs: parsed strictly, shown with their defaults, back as they were given."""

import argparse
import dataclasses
from fractions import Fraction
from pathlib import Path

import pytest

from realtime.live_settings import LiveControls, LiveSettings, PictureSize
from realtime.options import add_options, default_text, options_table, read_options
from realtime.settings import Settings

GIVEN = {
    "paint": (["--paint", "people"], "people"),
    "split": (["--split", "side"], "side"),
    "mirror": (["--mirror"], True),
    "size": (["--size", "360"], 360),
    "fps": (["--fps", "60"], 60),
    "capture_size": (["--capture-size", "1920x1080"], PictureSize(1920, 1080)),
    "capture_fps": (["--capture-fps", "60"], 60),
    "loop": (["--loop"], True),
    "record": (["--record", "out.mp4"], Path("out.mp4")),
    "vcam": (["--vcam", "auto"], "auto"),
    "vcam_size": (["--vcam-size", "640x360"], PictureSize(640, 360)),
    "no_window": (["--no-window"], True),
    "full_screen": (["--full-screen"], True),
    "seconds": (["--seconds", "1:30"], Fraction(90)),
}
SHARED = {"style", "mix", "shifts", "device", "engine", "precision"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(exit_on_error=False)
    for declared in (LiveControls, LiveSettings):
        add_options(parser, declared)
    return parser


def _values(words: list[str]) -> dict[str, object]:
    namespace = _parser().parse_args(words)
    return {
        item.name: getattr(read_options(namespace, declared), item.name)
        for declared in (LiveControls, LiveSettings)
        for item in dataclasses.fields(declared)
    }


@pytest.mark.parametrize("name", GIVEN)
def test_an_option_comes_back_as_it_was_given_and_changes_no_other(name: str) -> None:
    words, value = GIVEN[name]

    assert _values(words) == {**_values([]), name: value}


def test_without_options_the_defaults_are_those_declared() -> None:
    values = _values([])

    assert all(values[item.name] == item.default for item in dataclasses.fields(LiveControls))
    assert values["size"] is None
    assert _values(["--size", "auto"]) == values


@pytest.mark.parametrize(
    "words",
    [
        ["--size", "full"], ["--size", "63"], ["--fps", "0"], ["--fps", "29.97"], ["--capture-size", "1280"],
        ["--capture-size", "0x720"], ["--vcam-size", "1280x99999"], ["--record", ""], ["--strength", "2"],
    ],
)  # fmt: skip
def test_values_that_cannot_be_meant_are_refused(words: list[str]) -> None:
    with pytest.raises((argparse.ArgumentError, SystemExit)):
        _parser().parse_args(words)


@pytest.mark.parametrize("name", sorted(SHARED))
def test_what_is_shared_with_file_jobs_is_declared_once(name: str) -> None:
    live, file = LiveSettings.__dataclass_fields__[name], Settings.__dataclass_fields__[name]

    assert live.metadata == file.metadata
    assert live.default == file.default


def test_the_table_and_the_help_show_every_option_with_its_default() -> None:
    table, shown = options_table(LiveControls, LiveSettings), _parser().format_help()
    for declared in (LiveControls, LiveSettings):
        for item in dataclasses.fields(declared):
            flag = "--" + item.name.replace("_", "-")
            assert f"`{flag}" in table
            assert flag in shown
            assert default_text(item) not in ("None", "")
