"""Recordings that the page starts: into the folder that the user has given, under names that are made here."""

import time
from pathlib import Path

from ..errors import OutputError, UsageError
from ..live_session import LiveSession

SUFFIX = ".mp4"


class Recordings:
    """Starts and ends recordings of a session; `folder` None refuses them."""

    def __init__(self, session: LiveSession, folder: Path | None) -> None:
        self._session = session
        self._folder = folder

    @property
    def finished(self) -> Path | None:
        """The last recording that has ended, if it lies in the folder: others are nothing to the page."""
        recorded = self._session.recorded
        return recorded if recorded is not None and recorded.parent == self._folder else None

    @property
    def are_possible(self) -> bool:
        return self._folder is not None

    def start(self) -> None:
        """Begin a file named after the time; opening the encoder takes a moment.

        Raises:
            UsageError: no folder was given, or something is being recorded already.
            OutputError: the folder or the encoder cannot be used.
        """
        if self._folder is None:
            raise UsageError("no folder for recordings was given; start with --record-folder FOLDER")
        if not self._folder.is_dir():
            raise OutputError(f"the folder for recordings does not exist: {self._folder}")
        self._session.start_recording(self._free_path(self._folder))

    def stop(self) -> None:
        """End the recording.

        Raises:
            UsageError: nothing is being recorded.
            OutputError: nothing was recorded.
        """
        if self._session.stop_recording() is None:
            fault = self._session.recording_fault
            raise OutputError(fault) if fault else UsageError("nothing is being recorded")

    def _free_path(self, folder: Path) -> Path:
        name = f"stylecast-{time.strftime('%Y-%m-%d-%H%M%S')}"
        paths = (folder / f"{name}{ending}{SUFFIX}" for ending in ("", *(f"-{number}" for number in range(2, 100))))
        return next(path for path in paths if not path.exists())
