"""`stylize doctor`: what works on this machine, what does not, and what to do about it; fit for a bug report.

Every line is the result of trying: engines run a frame, encoders encode one, weights are hashed, ports are bound.
Cameras and microphones are only listed, since pictures and sound would switch their lights on. Nothing private is in
it: no paths of the home folder, no owners.
"""

import os
import platform
import re
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

import numpy as np

from . import __version__
from .camera_address import CameraAddress, list_cameras
from .camera_modes import list_modes
from .catalogue import Style, load_styles, read_model, verify_style
from .encoder import AUTO_ENCODERS, choose_encoder
from .engine import ENGINES_OF_DEVICE, open_engine
from .errors import StylizeError
from .job_report import versions
from .microphone import list_microphones
from .people_mask import described_network
from .serve_settings import DEFAULT_HOST, DEFAULT_PORT
from .settings import DEFAULT_STYLE
from .virtual_camera import LOAD_LOOPBACK, VIRTUAL_DEVICES, find_loopback

WORKS, MISSING, BROKEN = "works", "missing", "broken"
_TRIED_SIZE_PX = (64, 96)
# Devices that a system cannot have are not worth a line.
_SYSTEM_OF_DEVICE = {"coreml": "darwin", "directml": "win32"}
_PAGE_PACKAGES = ("aiortc", "starlette", "uvicorn")
_EXCLUSIVE_CAPS = Path("/sys/module/v4l2loopback/parameters/exclusive_caps")
_SECURE_BOOT = Path("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried. `state` is WORKS, MISSING (it may be, nothing needs it) or BROKEN (it must not be)."""

    part: str
    name: str
    state: str
    detail: str


def examine() -> Iterator[Finding]:
    """Try everything, one finding at a time; a check that fails unexpectedly is a finding, too."""
    for part, check in _CHECKS.items():
        try:
            for name, state, detail in check():
                yield Finding(part, name, state, without_home(detail))
        except Exception as error:  # the border of a check: the others are wanted all the more
            detail = f"the check itself failed: {type(error).__name__}: {' '.join(str(error).split())}"
            yield Finding(part, part, BROKEN, without_home(detail))


def without_home(text: str) -> str:
    """Return the text with the path of the home folder, which holds the name of its owner, taken out."""
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def without_owner(camera: str) -> str:
    """Return the name of a camera without the owner that phones put in front of it: `Ann's iPhone`."""
    return re.sub(r"^.*['\u2019]s ", "", camera)


_Checked = Iterator[tuple[str, str, str]]


def _check_system() -> _Checked:
    details = f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} processors"
    yield "system", WORKS, f"{details}, Python {platform.python_version()}"
    yield "stylecast", WORKS, ", ".join([__version__, *(f"{name} {number}" for name, number in versions().items())])


def _check_engines() -> _Checked:
    model = read_model(load_styles()[DEFAULT_STYLE])
    picture = np.zeros((*_TRIED_SIZE_PX, 3), dtype=np.uint8)
    for device, engines in ENGINES_OF_DEVICE.items():
        if _SYSTEM_OF_DEVICE.get(device, sys.platform) != sys.platform:
            continue
        for name in engines:
            try:
                engine = open_engine(model, engine=name, device=device)
                try:
                    engine.infer(picture)
                finally:
                    engine.close()
            except StylizeError as error:
                yield f"{name} on {device}", BROKEN if device == "cpu" else MISSING, str(error)
            else:
                yield f"{name} on {device}", WORKS, engine.description


def _check_styles() -> _Checked:
    for style in load_styles().values():
        yield style.name, *_verified(style)
    name = "people, for --paint"
    try:
        yield name, *_verified(described_network())
    except StylizeError as error:
        yield name, BROKEN, str(error)


def _verified(style: Style) -> tuple[str, str]:
    try:
        verify_style(style)
    except StylizeError as error:
        return BROKEN, str(error)
    return WORKS, "weights verified"


def _check_encoders() -> _Checked:
    for name in AUTO_ENCODERS:
        try:
            choose_encoder(name)
        except StylizeError as error:
            # What else could be used is no matter here: all of them are listed.
            yield name, BROKEN if name == AUTO_ENCODERS[-1] else MISSING, str(error).partition(";")[0]
        else:
            yield name, WORKS, "encoded a picture"


def _check_cameras() -> _Checked:
    cameras = list_cameras()
    if not cameras:
        yield "camera", MISSING, "none is connected, or this program may not see it"
    for camera in cameras:
        forbidden = camera.device is not None and not os.access(camera.device, os.R_OK | os.W_OK)
        told = "may not be opened by you: sudo usermod -aG video $USER" if forbidden else _modes(camera)
        yield str(camera.target), BROKEN if forbidden else WORKS, f"{without_owner(camera.label)}{told and ': '}{told}"


def _modes(camera: CameraAddress) -> str:
    """Return codecs with sizes in pixels and frames a second, empty where the system does not tell them."""
    if camera.device is None:
        return ""
    try:
        modes = list_modes(camera.device)
    except OSError as error:
        return f"its modes cannot be read ({error.strerror})"
    codecs = groupby(modes, lambda mode: mode.codec)
    return "; ".join(f"{codec} {', '.join(map(str, each))}" for codec, each in codecs) or "it gives no video"


def _check_microphones() -> _Checked:
    try:
        names = list_microphones()
    except StylizeError as error:
        yield "microphone", MISSING, str(error)
        return
    if not names:
        yield "microphone", MISSING, "none is connected, or this program may not hear it"
    for index, name in names.items():
        yield str(index), WORKS, without_owner(name)


def _check_page() -> _Checked:
    missing = [name for name in _PAGE_PACKAGES if find_spec(name) is None]
    if missing:
        yield "packages", MISSING, f"for --serve, {', '.join(missing)}: pip install 'stylecast[web]'"
    else:
        yield "packages", WORKS, "installed for --serve"
    with socket.socket() as listener:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((DEFAULT_HOST, DEFAULT_PORT))
        except OSError as error:
            advice = "a Stylecast that runs already, or another program; give another: --serve PORT"
            yield f"port {DEFAULT_PORT}", MISSING, f"in use ({error.strerror}), by {advice}"
        else:
            reach = "answers this machine alone, others are refused; with --host they need the link and its token"
            yield f"port {DEFAULT_PORT}", WORKS, f"free; --serve {reach}"


def _check_virtual_cameras() -> _Checked:
    if not sys.platform.startswith("linux"):
        try:
            number = metadata.version("pyvirtualcam")
        except metadata.PackageNotFoundError:
            yield "pyvirtualcam", MISSING, "for --vcam: pip install 'stylecast[vcam]' (GPL-2.0)"
        else:
            yield "pyvirtualcam", WORKS, f"{number}; it needs OBS 28 or later, on macOS 13 and later OBS 30"
        return
    try:
        device = find_loopback(VIRTUAL_DEVICES)
    except StylizeError as error:
        yield "v4l2loopback", MISSING, f"{error}{_secure_boot_advice()}"
        return
    if not os.access(device, os.W_OK):
        yield "v4l2loopback", BROKEN, f"{device} may not be written by you: sudo usermod -aG video $USER"
    elif _EXCLUSIVE_CAPS.exists() and not _EXCLUSIVE_CAPS.read_text().startswith("Y"):
        advice = f"sudo modprobe -r v4l2loopback; {LOAD_LOOPBACK}"
        yield "v4l2loopback", BROKEN, f"{device} is not seen by browsers without exclusive_caps=1: {advice}"
    else:
        yield "v4l2loopback", WORKS, str(device)


def _secure_boot_advice() -> str:
    """Return what to know where the firmware refuses modules that are not signed; the last byte tells it."""
    try:
        is_on = _SECURE_BOOT.read_bytes()[-1:] == b"\x01"
    except OSError:
        return ""
    return "; Secure Boot is on: the module must be signed (mokutil --import), or it will not load" if is_on else ""


_CHECKS: dict[str, Callable[[], _Checked]] = {
    "system": _check_system,
    "engine": _check_engines,
    "style": _check_styles,
    "encoder": _check_encoders,
    "camera": _check_cameras,
    "microphone": _check_microphones,
    "virtual camera": _check_virtual_cameras,
    "page": _check_page,
}
