"""What a job has encoded so far, in an SQLite file beside its output, so that the job can go on after it was stopped.

Frames are entered before they are encoded, packets as they leave the encoder. Since those still inside an encoder are
lost with the process, a later run keeps the longest beginning whose packets are all there, and encodes from the frame
after it. SQLite keeps the file whole whatever ends the process, a failing power supply included.
"""

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from .errors import OutputError, UsageError
from .output_file import is_part

_SUFFIX = ".unfinished"
# Names beyond this are cut, since SQLite puts another suffix behind them (file systems take 255).
_NAME_BYTES_MAX, _NAME_LENGTH = 200, 40
# What is lost at most when the process is killed, besides what waits in the encoder.
COMMIT_INTERVAL_S = 5.0
# Tells our files from other SQLite databases.
_APPLICATION_ID = 0x5374796C
_TABLES = """
CREATE TABLE job (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE parts (name BLOB NOT NULL);
CREATE TABLE frames (number INTEGER PRIMARY KEY, pts INTEGER NOT NULL);
CREATE TABLE cuts (frame INTEGER PRIMARY KEY, time_s TEXT NOT NULL);
CREATE TABLE packets (
    number INTEGER PRIMARY KEY, pts INTEGER NOT NULL, dts INTEGER NOT NULL, duration INTEGER NOT NULL,
    is_keyframe INTEGER NOT NULL, data BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """A packet as it left the encoder; times are in ticks of the video's time base."""

    pts: int
    dts: int
    duration: int
    is_keyframe: bool
    data: bytes


def journal_path(output_path: Path) -> Path:
    """Return where the journal of the job that writes `output_path` is."""
    name = os.fsencode(output_path.name)
    if len(name) <= _NAME_BYTES_MAX:
        return output_path.with_name(output_path.name + _SUFFIX)
    return output_path.with_name(f"{output_path.name[:_NAME_LENGTH]}.{hashlib.sha256(name).hexdigest()[:8]}{_SUFFIX}")


class EncodedJournal:
    """The journal of the job that writes `output_path`, a new one or that of a run that was stopped.

    `job` tells what the pictures depend on; a journal of another job is left as it is. Of what an earlier run has
    encoded, `frames_kept` is the number of frames, `last_pts` the time of the last of them in ticks, and `cuts` where
    scenes begin in them, as frames and times. The process that opened it holds it alone.

    Raises:
        UsageError: the file is of another job, damaged, or no journal.
        OutputError: it cannot be written, or another process holds it.
    """

    def __init__(
        self, output_path: Path, job: Mapping[str, Any], *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.path = journal_path(output_path)
        self.frames_kept = 0
        self.last_pts: int | None = None
        self.cuts: tuple[tuple[int, Fraction], ...] = ()
        self._clock = clock
        self._committed_s = clock()
        with self._errors_told():
            self._database = sqlite3.connect(self.path, timeout=0)
        self._is_open = True
        try:
            with self._errors_told():
                self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
                self._begin()
                self._remove_parts()
                self._require_same_job(job)
                self._keep_beginning()
                self._database.commit()
        except BaseException:
            self._is_open = False
            self._database.close()
            raise
        self._frames_entered = self._packets_entered = self.frames_kept

    def __enter__(self) -> "EncodedJournal":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def packets_kept(self) -> Iterator[EncodedPacket]:
        """Yield the packets of the frames that are kept, in the order in which they are written."""
        with self._errors_told():
            rows = self._opened().execute(
                "SELECT pts, dts, duration, is_keyframe, data FROM packets WHERE number < ? ORDER BY number",
                [self.frames_kept],
            )
            for pts, dts, duration, is_keyframe, data in rows:
                yield EncodedPacket(pts, dts, duration, bool(is_keyframe), data)

    def enter_part(self, part: Path) -> None:
        """Enter the hidden file that this run writes, which a later run deletes if this one is killed."""
        self._enter("INSERT INTO parts VALUES (?)", os.fsencode(part.name))
        self._commit()

    def enter_frame(self, pts: int) -> None:
        """Enter a frame that is about to be encoded."""
        self._enter("INSERT INTO frames VALUES (?, ?)", self._frames_entered, pts)
        self._frames_entered += 1

    def enter_cut(self, frame: int, time_s: Fraction) -> None:
        """Enter that a scene begins with a frame, by its number and its time."""
        self._enter("INSERT OR REPLACE INTO cuts VALUES (?, ?)", frame, str(time_s))

    def enter_packet(self, packet: EncodedPacket) -> None:
        row = (self._packets_entered, packet.pts, packet.dts, packet.duration, packet.is_keyframe, packet.data)
        self._enter("INSERT INTO packets VALUES (?, ?, ?, ?, ?, ?)", *row)
        self._packets_entered += 1
        if self._clock() - self._committed_s >= COMMIT_INTERVAL_S:
            self._committed_s = self._clock()
            self._commit()

    def close(self) -> None:
        """Bring to the disk what was entered; where nothing was encoded, nothing is left. May be called twice."""
        if not self._is_open:
            return
        self._is_open = False
        with suppress(sqlite3.Error):  # what is missing is encoded again
            self._database.commit()
        self._database.close()
        if not self._packets_entered:
            self._delete()

    def remove(self) -> None:
        """Close it and delete the file, if it can be: the job is done."""
        self.close()
        self._delete()

    def _delete(self) -> None:
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _begin(self) -> None:
        """Make the tables, or see whether they are there."""
        (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = self._database.execute("PRAGMA application_id").fetchone()
        if application == _APPLICATION_ID:
            return
        if tables or application:
            raise UsageError(f"{self.path} was not written by an interrupted job; move it away")
        self._database.executescript(f"BEGIN; PRAGMA application_id = {_APPLICATION_ID}; {_TABLES} COMMIT;")

    def _remove_parts(self) -> None:
        """Delete the hidden files of runs that were killed: who holds the journal knows that they have ended."""
        for (name,) in self._database.execute("SELECT name FROM parts").fetchall():
            left = self.path.with_name(Path(os.fsdecode(name)).name)
            if is_part(left):
                with suppress(OSError):
                    left.unlink(missing_ok=True)
        self._database.execute("DELETE FROM parts")
        self._database.commit()

    def _require_same_job(self, job: Mapping[str, Any]) -> None:
        begun = dict(self._database.execute("SELECT name, value FROM job"))
        wanted = {name: json.dumps(value, sort_keys=True, default=str) for name, value in job.items()}
        if not begun:
            self._database.executemany("INSERT INTO job VALUES (?, ?)", wanted.items())
            return
        differing = [name for name in {**begun, **wanted} if begun.get(name) != wanted.get(name)]
        if differing:
            what = ", ".join(f"{name} (was {begun.get(name)}, is {wanted.get(name)})" for name in sorted(differing))
            raise UsageError(f"{self.path} is of another job: {what}; make these the same, or delete it to begin anew")

    def _keep_beginning(self) -> None:
        """Delete all but the longest beginning that is whole."""
        frames = [pts for (pts,) in self._database.execute("SELECT pts FROM frames ORDER BY number")]
        kept, latest = 0, None
        for number, (pts,) in enumerate(self._database.execute("SELECT pts FROM packets ORDER BY number"), start=1):
            latest = pts if latest is None else max(latest, pts)
            # Times of frames grow: packets up to here are those of the first frames if the latest is the last of them.
            if number <= len(frames) and latest == frames[number - 1]:
                kept = number
        for table, number_of in (("packets", "number"), ("frames", "number"), ("cuts", "frame")):
            self._database.execute(f"DELETE FROM {table} WHERE {number_of} >= ?", [kept])
        cuts = self._database.execute("SELECT frame, time_s FROM cuts ORDER BY frame")
        self.cuts = tuple((frame, Fraction(time_s)) for frame, time_s in cuts)
        self.frames_kept, self.last_pts = kept, frames[kept - 1] if kept else None

    def _opened(self) -> sqlite3.Connection:
        if not self._is_open:
            raise ValueError(f"{self.path} has been closed")
        return self._database

    def _enter(self, statement: str, *row: Any) -> None:
        with self._errors_told():
            self._opened().execute(statement, row)

    def _commit(self) -> None:
        with self._errors_told():
            self._opened().commit()

    @contextmanager
    def _errors_told(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", None)
            if code == sqlite3.SQLITE_NOTADB:
                raise UsageError(f"{self.path} was not written by an interrupted job; move it away") from error
            if code is not None and code & 0xFF == sqlite3.SQLITE_CORRUPT:
                raise UsageError(f"{self.path} is damaged: {error}; delete it to begin anew") from error
            if code == sqlite3.SQLITE_BUSY:
                raise OutputError(f"cannot write {self.path}: another job writes it") from error
            raise OutputError(f"cannot write {self.path}: {error}") from error
