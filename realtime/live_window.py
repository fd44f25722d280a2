"""The window of a live run: shows the newest frame with the figures on it, and turns keys into actions.

It runs in the main thread, which macOS demands of windows.
"""

import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import cv2

from .errors import OutputError, StylizeError
from .live_frame import LiveFrame
from .live_keys import Action, action_of, changed_controls, changes
from .live_session import LiveSession
from .overlay import status_lines, with_lines
from .picture import Picture, write_picture

WINDOW_SINK = "window"
_TITLE = "Stylecast"
_WAIT_S = 0.05
# The figures are read this often; at the rate of the frames nobody could.
_FIGURES_EVERY_S = 0.25
_ANSWER_S = 2.5
_RECORDING_SUFFIX = ".mp4"


class LiveWindow:
    """Shows `session` until the window is closed, `quit` is pressed or the run ends; `folder` takes what is saved.

    Raises:
        OutputError: there is no display.
    """

    def __init__(self, session: LiveSession, *, folder: Path, full_screen: bool) -> None:
        self._session = session
        self._folder = folder
        self._shows_figures = True
        self._is_full_screen = full_screen
        self._lines: list[str] = []
        self._message: list[str] = []
        self._lines_s = 0.0
        self._answer, self._answer_until_s = "", 0.0
        require_display()
        try:
            cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error as error:
            raise OutputError(
                "this OpenCV has no windows (opencv-python-headless?); use --no-window, --serve or --vcam"
            ) from error
        self._apply_full_screen()

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Show frames until the end; `goes_on` is asked again and again, and may raise."""
        slot = self._session.subscribe(WINDOW_SINK)
        try:
            while goes_on():
                frame = slot.wait(_WAIT_S)
                if frame is not None:
                    self._show(frame)
                    slot.shown(frame)
                # The window is drawn and its events are handled only in here.
                if not self._press(cv2.waitKeyEx(1)) or self._is_closed():
                    return
        finally:
            self._session.unsubscribe(slot)
            cv2.destroyWindow(_TITLE)

    def _show(self, frame: LiveFrame) -> None:
        now_s = self._session.clock()
        if now_s - self._lines_s >= _FIGURES_EVERY_S:
            status = self._session.status()
            self._lines, self._lines_s = status_lines(status, WINDOW_SINK), now_s
            self._message = [status.message] if status.message else []
        answer = [self._answer] if now_s < self._answer_until_s else []
        picture = with_lines(frame.output, self._lines) if self._shows_figures else frame.output
        if self._message or answer:
            picture = with_lines(picture, self._message + answer, at_bottom=True)
        cv2.imshow(_TITLE, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def _press(self, code: int) -> bool:
        """Do what a key asks for; return whether the run goes on."""
        if code < 0:
            return True
        action = action_of(code)
        try:
            match action:
                case Action.QUIT:
                    return False
                case Action.NEXT_STYLE | Action.PREVIOUS_STYLE:
                    self._session.step_style(1 if action is Action.NEXT_STYLE else -1)
                case Action.RECORD:
                    if self._session.status().recording_s is None:
                        self._session.start_recording(self._new_file(_RECORDING_SUFFIX))
                        self._say("recording")
                    else:
                        path = self._session.stop_recording()
                        self._say(f"recorded {path}" if path is not None else "nothing was recorded")
                case Action.SNAPSHOT:
                    self._save_snapshot()
                case Action.FIGURES:
                    self._shows_figures = not self._shows_figures
                case Action.FULL_SCREEN:
                    self._is_full_screen = not self._is_full_screen
                    self._apply_full_screen()
                case None:
                    size = self._session.status().inference_size
                    before = self._session.controls
                    after = changed_controls(before, code, size_px=min(size) if size else None)
                    self._session.controls = after
                    if after != before:
                        self._say(changes(before, after))
            self._session.say(WINDOW_SINK, "")
        except StylizeError as error:
            self._session.say(WINDOW_SINK, str(error))
        return True

    def _save_snapshot(self) -> None:
        frame = self._session.snapshot()
        if frame is None:
            return
        path = self._new_file(".png")
        try:
            write_picture(path, Picture(frame.output, None, b"", ()), suffix=path.suffix)
        except OSError as error:
            raise OutputError(f"the snapshot {path} cannot be written: {error.strerror}") from error
        self._say(f"saved {path}")

    def _say(self, answer: str) -> None:
        """Show for a moment what a key has done, also where figures are hidden."""
        self._answer, self._answer_until_s = answer, self._session.clock() + _ANSWER_S

    def _new_file(self, suffix: str) -> Path:
        return self._folder / f"stylecast-{datetime.now():%Y%m%d-%H%M%S-%f}{suffix}"

    def _apply_full_screen(self) -> None:
        how = cv2.WINDOW_FULLSCREEN if self._is_full_screen else cv2.WINDOW_NORMAL
        cv2.setWindowProperty(_TITLE, cv2.WND_PROP_FULLSCREEN, how)

    def _is_closed(self) -> bool:
        # On macOS a window that is hidden or minimised counts as not visible, and none has a button to close it.
        return sys.platform != "darwin" and cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1


def require_display() -> None:
    """Refuse to open a window where there is no display: Qt would end the process without a word to Python.

    Raises:
        OutputError: there is none.
    """
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise OutputError("there is no display for a window; use --no-window with --serve, --vcam or --record")
