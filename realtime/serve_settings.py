"""The options of `--serve`: where the page is served and to whom. No heavy imports: `--help` reads this module."""

import argparse
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from .errors import UsageError

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8765
LOOPBACK_HOSTS = frozenset({DEFAULT_HOST, "localhost", "::1"})
# A token of the user's own, so that addresses in OBS stay good; not an option, for command lines can be seen by others.
TOKEN_VARIABLE = "STYLECAST_TOKEN"
_TOKEN = re.compile(r"[\w-]{16,}", re.ASCII)
_PORT_MAX = 65535


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Where the page is served. Port 0 takes a free one; beyond this machine a token is always asked for.

    Without a `token` of the user's own, each server has a new one.
    """

    port: int = DEFAULT_PORT
    host: str = DEFAULT_HOST
    asks_token: bool = False
    record_folder: Path | None = None
    token: str | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def needs_token(self) -> bool:
        return self.asks_token or self.host not in LOOPBACK_HOSTS


def add_serve_options(parser: argparse.ArgumentParser) -> None:
    """Add `--serve` and what goes with it."""
    group = parser.add_argument_group("page")
    group.add_argument(
        "--serve",
        type=port_number,
        nargs="?",
        const=DEFAULT_PORT,
        metavar="PORT",
        help=f"serve the control page and the feeds for OBS and players [{DEFAULT_PORT}]",
    )
    group.add_argument(
        "--host",
        default=DEFAULT_HOST,
        metavar="ADDRESS",
        help="serve other machines, too; they need the link that is printed, which holds a token [%(default)s]",
    )
    group.add_argument(
        "--token", action="store_true", help="ask for the token on this machine, too, where others work on it"
    )
    group.add_argument(
        "--record-folder",
        type=Path,
        metavar="FOLDER",
        help="where recordings of the page go [where you started, if only this machine is served]",
    )
    group.add_argument("--tls-certificate", type=Path, metavar="FILE", help="serve by HTTPS with this certificate")
    group.add_argument("--tls-key", type=Path, metavar="FILE", help="its key, unless it is in the same file")


def read_serve_settings(namespace: argparse.Namespace) -> ServeSettings | None:
    """Return what a parsed command line says, None without `--serve`.

    Raises:
        UsageError: an option that goes with another one stands alone.
    """
    if namespace.serve is None:
        given = {
            "--host": namespace.host != DEFAULT_HOST,
            "--token": namespace.token,
            "--record-folder": namespace.record_folder is not None,
            "--tls-certificate": namespace.tls_certificate is not None,
            "--tls-key": namespace.tls_key is not None,
        }
        if alone := next((name for name, is_given in given.items() if is_given), None):
            raise UsageError(f"{alone} is of the page; add --serve, or leave it out")
        return None
    if namespace.tls_key is not None and namespace.tls_certificate is None:
        raise UsageError("--tls-key needs the certificate that it is of: --tls-certificate FILE")
    folder, token = namespace.record_folder, os.environ.get(TOKEN_VARIABLE) or None
    if folder is not None and not folder.is_dir():
        raise UsageError(f"the folder for recordings does not exist: {folder}; create it first")
    if token is not None and not _TOKEN.fullmatch(token):
        raise UsageError(f"{TOKEN_VARIABLE} must have at least 16 letters, digits, hyphens or underscores")
    settings = ServeSettings(
        port=namespace.serve,
        host=namespace.host,
        asks_token=namespace.token,
        record_folder=folder,
        token=token,
        certificate=namespace.tls_certificate,
        key=namespace.tls_key,
    )
    # Who comes from elsewhere is not to fill the disk unless asked to.
    return settings if settings.needs_token or folder else replace(settings, record_folder=Path.cwd())


def port_number(text: str) -> int:
    """Parse a port; 0 takes a free one."""
    if not text.isdecimal() or int(text) > _PORT_MAX:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a whole number from 0 to {_PORT_MAX}; cameras stand before --serve"
        )
    return int(text)
