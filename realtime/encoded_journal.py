"""What a job has encoded so far, in an SQLite file beside its output, so that the job can go on after it was stopped.

Frames are entered before they are encoded, packets as they leave the encoder. Since those still inside an encoder are
lost with the process, a later run keeps the longest beginning whose packets are all there, and encodes from the frame
after it. SQLite keeps the file whole whatever ends the process, a failing power supply included.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import OutputError, UsageError
from .output_file import is_part

SUFFIX = ".unfinished"
# What is lost at most when the process is killed, besides what waits in the encoder.
COMMIT_INTERVAL_S = 5.0
_TABLES = """
CREATE TABLE IF NOT EXISTS job (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS parts (name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS frames (number INTEGER PRIMARY KEY, pts INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS packets (
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


class EncodedJournal:
    """The journal of the job that writes `output_path`, a new one or that of a run that was stopped.

    `job` tells what the pictures depend on; a journal of another job is left as it is. `frames` is how many frames an
    earlier run has encoded, `last_pts` the time of the last of them in ticks. The process that opened it holds it
    alone.

    Raises:
        UsageError: the file is of another job, or no journal.
        OutputError: it cannot be written, or another process holds it.
    """

    def __init__(
        self, output_path: Path, job: Mapping[str, Any], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = output_path.with_name(output_path.name + SUFFIX)
        self._clock = clock
        self._committed_s = clock()
        self._database: sqlite3.Connection | None = None
        self._is_ours, self._packets, self._frames = False, 0, 0
        try:
            self._database = sqlite3.connect(self.path, timeout=0)
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.executescript(_TABLES)
            self._require_same_job(self._database, job)
            self.frames, self.last_pts = self._keep_beginning(self._database)
            self._database.commit()
            self._is_ours, self._packets, self._frames = True, self.frames, self.frames
        except sqlite3.Error as error:
            self.close()
            if isinstance(error, sqlite3.DatabaseError) and error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise UsageError(f"{self.path} was not written by an interrupted job; move it away") from error
            raise self._failure(error) from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "EncodedJournal":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def enter_part(self, part: Path) -> None:
        """Enter the hidden file that this run writes, and delete the one that a run which was killed has left."""
        for (name,) in self._opened().execute("SELECT name FROM parts").fetchall():
            left = self.path.with_name(Path(name).name)
            if is_part(left) and left != part:
                left.unlink(missing_ok=True)
        self._execute("DELETE FROM parts", ())
        self._execute("INSERT INTO parts VALUES (?)", (part.name,))
        self._commit()

    def packets(self) -> Iterator[EncodedPacket]:
        """Yield the packets of the frames that an earlier run has encoded, in the order in which they are written."""
        rows = self._opened().execute(
            "SELECT pts, dts, duration, is_keyframe, data FROM packets WHERE number < ? ORDER BY number", [self.frames]
        )
        for pts, dts, duration, is_keyframe, data in rows:
            yield EncodedPacket(pts, dts, duration, bool(is_keyframe), data)

    def add_frame(self, pts: int) -> None:
        """Enter a frame that is about to be encoded."""
        self._execute("INSERT INTO frames VALUES (?, ?)", (self._frames, pts))
        self._frames += 1

    def add_packet(self, packet: EncodedPacket) -> None:
        row = (self._packets, packet.pts, packet.dts, packet.duration, packet.is_keyframe, packet.data)
        self._execute("INSERT INTO packets VALUES (?, ?, ?, ?, ?, ?)", row)
        self._packets += 1
        if self._clock() - self._committed_s >= COMMIT_INTERVAL_S:
            self._committed_s = self._clock()
            self._commit()

    def close(self) -> None:
        """Bring to the disk what was entered, nothing if that is nothing; may be called twice."""
        database, self._database = self._database, None
        if database is None:
            return
        try:
            database.commit()
        except sqlite3.Error:
            pass  # what is missing is encoded again
        finally:
            database.close()
        if self._is_ours and not self._packets:
            self.path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Close it and delete the file: the job is done."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _require_same_job(self, database: sqlite3.Connection, job: Mapping[str, Any]) -> None:
        begun = dict(database.execute("SELECT name, value FROM job"))
        wanted = {name: json.dumps(value, sort_keys=True, default=str) for name, value in job.items()}
        if not begun:
            database.executemany("INSERT INTO job VALUES (?, ?)", wanted.items())
            return
        differing = [name for name in {**begun, **wanted} if begun.get(name) != wanted.get(name)]
        if differing:
            what = ", ".join(f"{name} (was {begun.get(name)}, is {wanted.get(name)})" for name in sorted(differing))
            raise UsageError(f"{self.path} is of another job: {what}; make these the same, or delete it to begin anew")

    @staticmethod
    def _keep_beginning(database: sqlite3.Connection) -> tuple[int, int | None]:
        """Delete all but the longest beginning that is whole; return its number of frames and its last time."""
        frames = [pts for (pts,) in database.execute("SELECT pts FROM frames ORDER BY number")]
        kept, latest = 0, None
        for number, (pts,) in enumerate(database.execute("SELECT pts FROM packets ORDER BY number"), start=1):
            latest = pts if latest is None else max(latest, pts)
            # Times of frames grow: packets up to here are those of the first frames if the latest is the last of them.
            if number <= len(frames) and latest == frames[number - 1]:
                kept = number
        database.execute("DELETE FROM packets WHERE number >= ?", [kept])
        database.execute("DELETE FROM frames WHERE number >= ?", [kept])
        return kept, frames[kept - 1] if kept else None

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            raise ValueError(f"{self.path} has been closed")
        return self._database

    def _execute(self, statement: str, row: tuple[Any, ...]) -> None:
        try:
            self._opened().execute(statement, row)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _commit(self) -> None:
        try:
            self._opened().commit()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: sqlite3.Error) -> OutputError:
        if "locked" in str(error):
            return OutputError(f"cannot write {self.path}: another job writes it")
        return OutputError(f"cannot write {self.path}: {error}")
