"""Every command of the README that needs a camera is run, with stand-ins of camera, microphone and virtual camera."""

import re
import shlex
import time
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from realtime.camera_address import CameraAddress
from realtime.cli_webcam import main
from tests.live import HearingStream, Picture, noise
from tests.media import read_frames
from tests.test_readme import LIVE_COMMANDS

pytest.importorskip("starlette", reason="the page needs the extra [web]")

SECONDS = 3
# Of 30 a second; these machines also train networks.
FRAMES_MIN = 3


class Camera:
    """A camera in place of cv2.VideoCapture that gives pictures in real time."""

    def __init__(self, address: CameraAddress) -> None:
        self._pictures = (noise(index % 8, size=(320, 180)) for index in count())

    def isOpened(self) -> bool:
        return True

    def read(self) -> tuple[bool, Picture]:
        time.sleep(1 / 30)
        return True, next(self._pictures)

    def set(self, propId: int, value: float) -> bool:
        return True

    def get(self, propId: int) -> float:
        return 0.0

    def release(self) -> None:
        pass


class Display:
    """A virtual camera that counts what it is sent."""

    description = "a stand-in"

    def __init__(self) -> None:
        self.sent = 0

    def send(self, rgb: Picture) -> None:
        self.sent += 1

    def close(self) -> None:
        pass


@pytest.mark.parametrize("command", LIVE_COMMANDS)
def test_a_live_command_of_the_readme_works(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    display = Display()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("realtime.camera_source._open_capture", Camera)
    monkeypatch.setattr(
        "realtime.camera_address.enumerate_cameras",
        lambda _: [SimpleNamespace(index=0, name="HD Pro Webcam C920", path="/dev/video0")],
    )
    monkeypatch.setattr("realtime.virtual_camera.open_virtual_camera", lambda *_, **__: display)
    monkeypatch.setattr("realtime.microphone.open_stream", HearingStream)
    program, *arguments = shlex.split(re.sub(r"--serve\b", "--serve 0", command))

    code = main([*arguments, "--no-window", "--seconds", str(SECONDS)])

    said = capsys.readouterr().err
    assert (program, code) == ("stylize-webcam", 0), said
    frames = int(re.search(r"^(\d+) frames", said, re.MULTILINE)[1])  # type: ignore[index]
    assert frames >= FRAMES_MIN or "browser" in arguments
    assert display.sent or "--vcam" not in arguments
    assert "page: http" in said or "--serve" not in arguments
    for recording in tmp_path.iterdir():
        assert len(read_frames(recording)) >= FRAMES_MIN
