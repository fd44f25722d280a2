"""The options of `--serve`."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from realtime.errors import UsageError
from realtime.serve_settings import DEFAULT_PORT, ServeSettings, add_serve_options, read_serve_settings


def _read(*arguments: str) -> ServeSettings | None:
    parser = argparse.ArgumentParser()
    add_serve_options(parser)
    return read_serve_settings(parser.parse_args(arguments))


def test_nothing_is_served_unless_asked() -> None:
    assert _read() is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("--host", "0.0.0.0"),
        ("--token",),
        ("--record-folder", "x"),
        ("--tls-certificate", "x.pem"),
        ("--tls-key", "x.pem"),
        ("--serve", "--tls-key", "x.pem"),
    ],
)
def test_an_option_without_the_one_that_it_needs_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match=arguments[-2] if len(arguments) > 1 else arguments[0]):
        _read(*arguments)


def test_the_port_may_be_left_out(tmp_path: Path) -> None:
    assert _read("--serve") == ServeSettings(port=DEFAULT_PORT, record_folder=Path.cwd())
    read = _read("--serve", "8000", "--record-folder", str(tmp_path))
    assert read == ServeSettings(port=8000, record_folder=tmp_path)


def test_who_comes_from_elsewhere_records_only_into_a_folder_that_was_given(tmp_path: Path) -> None:
    elsewhere = _read("--serve", "--host", "0.0.0.0")
    assert elsewhere is not None
    assert elsewhere.record_folder is None
    with pytest.raises(UsageError, match=r"does not exist: .*missing; create it first"):
        _read("--serve", "--record-folder", str(tmp_path / "missing"))


def test_a_token_of_ones_own_is_a_long_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLECAST_TOKEN", "0123456789-abcdef")
    read = _read("--serve", "--token")
    assert read is not None
    assert read.token == "0123456789-abcdef"

    for token in ("short", "0123456789abcdef/"):
        monkeypatch.setenv("STYLECAST_TOKEN", token)
        with pytest.raises(UsageError, match="STYLECAST_TOKEN must have at least 16"):
            _read("--serve")


@pytest.mark.parametrize("port", ["-1", "65536", "80a", ""])
def test_what_is_no_port_is_refused(port: str) -> None:
    with pytest.raises(SystemExit):
        _read("--serve", port)


@pytest.mark.parametrize(
    ("arguments", "needs_token"),
    [
        ((), False),
        (("--host", "127.0.0.1"), False),
        (("--host", "localhost"), False),
        (("--host", "::1"), False),
        (("--token",), True),
        (("--host", "0.0.0.0"), True),
        (("--host", "::"), True),
        (("--host", ""), True),
        (("--host", "192.168.1.7"), True),
        (("--host", "127.0.0.1.example"), True),
    ],
)
def test_beyond_this_machine_a_token_is_always_asked_for(arguments: tuple[str, ...], needs_token: bool) -> None:
    settings = _read("--serve", *arguments)

    assert settings is not None
    assert settings.needs_token is needs_token


@pytest.mark.parametrize("module", ["realtime.serve_settings", "realtime.web"])
def test_the_help_waits_for_no_server(module: str) -> None:
    code = (
        f"import sys, {module}; sys.exit(bool({{'starlette', 'uvicorn', 'aiortc', 'numpy', 'av'}} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
