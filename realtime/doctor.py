"""`stylize doctor`: what works on this machine, what does not, and what to do about it; fit for a bug report.

Every line is the result of trying: engines run a frame, encoders encode one, weights are hashed. Cameras are only
listed, since opening one switches its light on. Nothing private is in it: no paths of the home folder, no owners.
"""

import os
import platform
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from . import __version__
from .camera_address import list_cameras
from .catalogue import Style, load_styles, read_model, verify_style
from .encoder import AUTO_ENCODERS, choose_encoder
from .engine import ENGINES_OF_DEVICE, open_engine
from .errors import StylizeError
from .job_report import versions
from .settings import DEFAULT_STYLE
from .virtual_camera import LOAD_LOOPBACK, VIRTUAL_DEVICES, find_loopback

WORKS, MISSING, BROKEN = "works", "missing", "broken"
_TRIED_SIZE_PX = (64, 96)
# Devices that a system cannot have are not worth a line.
_SYSTEM_OF_DEVICE = {"coreml": "darwin", "directml": "win32"}
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
    styles: list[Style] = list(load_styles().values())
    for style in styles:
        try:
            verify_style(style)
        except StylizeError as error:
            yield style.name, BROKEN, str(error)
        else:
            yield style.name, WORKS, "weights verified"


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
        state = BROKEN if forbidden else WORKS
        advice = "; it may not be opened by you: sudo usermod -aG video $USER" if forbidden else ""
        yield str(camera.target), state, f"{without_owner(camera.label)}{advice}"


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
    "virtual camera": _check_virtual_cameras,
}
