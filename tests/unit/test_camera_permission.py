"""The camera of a Mac is asked for once, and the answer is waited for; elsewhere nothing is asked."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from realtime import camera_permission
from realtime.camera_permission import ask_for_camera


class Mac:
    """The part of AVFoundation that is used: the run loop gives the answer in its third step."""

    AVMediaTypeVideo = "vide"

    def __init__(self, status: int) -> None:
        self.asked = 0
        self.steps = 0
        self._answer: Callable[[bool], None] | None = None
        self.AVCaptureDevice = SimpleNamespace(
            authorizationStatusForMediaType_=lambda kind: status,
            requestAccessForMediaType_completionHandler_=self._ask,
        )
        self.NSDate = SimpleNamespace(dateWithTimeIntervalSinceNow_=lambda seconds: seconds)
        self.NSRunLoop = SimpleNamespace(currentRunLoop=lambda: SimpleNamespace(runUntilDate_=self._step))

    def _ask(self, kind: str, answer: Callable[[bool], None]) -> None:
        self.asked += 1
        self._answer = answer

    def _step(self, date: float) -> None:
        self.steps += 1
        assert self._answer is not None
        if self.steps == 3:
            self._answer(False)


@pytest.mark.parametrize(("platform", "status", "asked"), [("darwin", 0, 1), ("darwin", 3, 0), ("linux", 0, 0)])
def test_who_has_not_answered_yet_is_asked(
    platform: str, status: int, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mac = Mac(status)
    monkeypatch.setattr(camera_permission.sys, "platform", platform)
    monkeypatch.setitem(camera_permission.sys.modules, "AVFoundation", mac)  # type: ignore[arg-type]
    monkeypatch.setenv("OPENCV_AVFOUNDATION_SKIP_AUTH", "")

    ask_for_camera()

    assert (mac.asked, mac.steps) == (asked, 3 * asked)


def test_without_pyobjc_opencv_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_permission.sys, "platform", "darwin")
    monkeypatch.setitem(camera_permission.sys.modules, "AVFoundation", None)
    monkeypatch.delenv("OPENCV_AVFOUNDATION_SKIP_AUTH", raising=False)

    ask_for_camera()

    assert "OPENCV_AVFOUNDATION_SKIP_AUTH" not in camera_permission.os.environ
