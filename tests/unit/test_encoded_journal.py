"""The journal of a job: what is whole is kept, what is not is encoded again, whatever ended the job."""

import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.encoded_journal import EncodedJournal, EncodedPacket, journal_path
from realtime.errors import OutputError, UsageError

JOB = {"input": "a", "strength": 0.5}


@st.composite
def interrupted_jobs(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Return times of frames, and of the packets that came of them: reordered as by B-frames, and not all of them."""
    frames = sorted(draw(st.sets(st.integers(0, 10**6), min_size=1, max_size=30)))
    packets: list[int] = []
    remaining = list(frames)
    while remaining:
        group = [remaining.pop(0) for _ in range(min(len(remaining), draw(st.integers(1, 4))))]
        packets += [group[-1], *group[:-1]]
    return frames, packets[: draw(st.integers(0, len(packets)))]


@settings(max_examples=30, deadline=None)  # each is brought to the disk three times
@given(job=interrupted_jobs())
def test_the_longest_whole_beginning_is_kept(
    job: tuple[list[int], list[int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    frames, packets = job
    output = tmp_path_factory.mktemp("journal") / "out.mp4"
    whole = max(count for count in range(len(packets) + 1) if sorted(packets[:count]) == frames[:count])
    _write(output, frames, packets)

    with EncodedJournal(output, JOB) as journal:
        assert journal.frames_kept == whole
        assert journal.last_pts == (frames[whole - 1] if whole else None)
        assert [packet.pts for packet in journal.packets_kept()] == packets[:whole]


def test_packets_come_back_as_they_were_and_more_are_added(tmp_path: Path) -> None:
    first, second = EncodedPacket(7, -3, 2, True, b"\x00\xff" * 500), EncodedPacket(9, 0, 5, False, b"")
    with EncodedJournal(tmp_path / "out.mp4", JOB) as journal:
        journal.enter_frame(7)
        journal.enter_packet(first)

    with EncodedJournal(tmp_path / "out.mp4", JOB) as journal:
        assert list(journal.packets_kept()) == [first]
        journal.enter_frame(9)
        journal.enter_packet(second)

    with EncodedJournal(tmp_path / "out.mp4", JOB) as journal:
        assert list(journal.packets_kept()) == [first, second]


def test_what_was_entered_is_on_the_disk_after_the_interval(tmp_path: Path) -> None:
    """What is read of it while it is written is what a killed process leaves."""
    times = iter([0.0, 4.9, 5.1, 5.1, 6.0])
    with EncodedJournal(tmp_path / "out.mp4", JOB, clock=lambda: next(times)) as journal:
        for pts, kept in ((0, 0), (1, 2), (2, 2)):
            journal.enter_frame(pts)
            journal.enter_packet(EncodedPacket(pts, pts, 1, True, b"data"))

            assert _after_a_kill(journal.path, tmp_path / "copy") == kept


def test_another_job_is_told_apart_and_its_journal_kept(tmp_path: Path) -> None:
    _write(tmp_path / "out.mp4", [1], [1])

    with pytest.raises(UsageError, match=r"out\.mp4\.unfinished is of another job: strength \(was 0\.5, is 0\.6\)"):
        EncodedJournal(tmp_path / "out.mp4", {**JOB, "strength": 0.6})

    with EncodedJournal(tmp_path / "out.mp4", JOB) as journal:
        assert journal.frames_kept == 1


def test_a_file_that_is_no_journal_is_refused_and_kept(tmp_path: Path) -> None:
    path = journal_path(tmp_path / "out.mp4")
    path.write_bytes(b"a letter to a friend, of more than the sixteen bytes that SQLite looks at" * 20)
    before = path.read_bytes()

    with pytest.raises(UsageError, match="was not written by an interrupted job"):
        EncodedJournal(tmp_path / "out.mp4", JOB)

    assert path.read_bytes() == before


def test_two_jobs_cannot_write_it(tmp_path: Path) -> None:
    with EncodedJournal(tmp_path / "out.mp4", JOB) as journal:
        journal.enter_frame(1)
        with pytest.raises(OutputError, match="another job writes it"):
            EncodedJournal(tmp_path / "out.mp4", JOB)


def test_folder_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*unable to open"):
        EncodedJournal(tmp_path / "missing" / "out.mp4", JOB)


def test_it_is_gone_once_the_job_is_done(tmp_path: Path) -> None:
    with EncodedJournal(tmp_path / "out.mp4", JOB) as journal:
        journal.enter_frame(1)
        journal.remove()

    assert not list(tmp_path.iterdir())


def test_parts_of_killed_runs_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".out.mp4.1.part", "precious.mp4"):
        (tmp_path / name).touch()
    _write(tmp_path / "out.mp4", [1], [1])
    with EncodedJournal(tmp_path / "out.mp4", JOB) as journal:
        journal.enter_part(tmp_path / ".out.mp4.1.part")
        journal.enter_part(tmp_path / "precious.mp4")

    with pytest.raises(UsageError, match="another job"):  # who begins anew must not be left with it either
        EncodedJournal(tmp_path / "out.mp4", {})

    assert {path.name for path in tmp_path.iterdir()} == {"out.mp4.unfinished", "precious.mp4"}


def test_another_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = journal_path(tmp_path / "out.mp4")
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE letters (text TEXT)")
    before = path.read_bytes()

    with pytest.raises(UsageError, match="was not written by an interrupted job"):
        EncodedJournal(tmp_path / "out.mp4", JOB)

    assert path.read_bytes() == before


def test_a_damaged_journal_is_told(tmp_path: Path) -> None:
    _write(tmp_path / "out.mp4", range(2000), range(2000))
    path = journal_path(tmp_path / "out.mp4")
    content = bytearray(path.read_bytes())
    content[8192:] = bytes(len(content) - 8192)
    path.write_bytes(content)

    with pytest.raises(UsageError, match=r"is damaged.*delete it to begin anew"):
        EncodedJournal(tmp_path / "out.mp4", JOB)


def test_cuts_of_what_is_kept_come_back(tmp_path: Path) -> None:
    with EncodedJournal(tmp_path / "out.mp4", JOB) as journal:
        for frame in range(5):
            journal.enter_frame(frame)
            journal.enter_packet(EncodedPacket(frame, frame, 1, True, b""))
        journal.enter_frame(5)
        for frame in (2, 2, 5):
            journal.enter_cut(frame, Fraction(frame, 3))

    with EncodedJournal(tmp_path / "out.mp4", JOB) as journal:
        assert journal.cuts == ((2, Fraction(2, 3)),)


@pytest.mark.skipif(sys.platform == "win32", reason="names that are not Unicode")
@pytest.mark.parametrize("name", [f"{'a' * 251}.mp4", f"{'ä' * 125}.mp4", os.fsdecode(b"\xff.mp4")])
def test_any_name_that_an_output_may_have_will_do(name: str, tmp_path: Path) -> None:
    for _ in range(2):
        with EncodedJournal(tmp_path / name, JOB) as journal:
            journal.enter_part(tmp_path / f".{name[:40]}.part")
            journal.enter_frame(1)
            journal.enter_packet(EncodedPacket(1, 1, 1, True, b""))

    assert journal.frames_kept == 1
    assert len(journal_path(tmp_path / f"{name[:-4]}.mkv").name.encode(errors="surrogateescape")) < 230
    assert journal_path(tmp_path / f"{name[:-4]}.mkv") != journal.path


def test_a_job_that_encoded_nothing_leaves_nothing(tmp_path: Path) -> None:
    with EncodedJournal(tmp_path / "out.mp4", JOB) as journal:
        journal.enter_frame(1)

    assert not list(tmp_path.iterdir())


def test_nothing_is_entered_after_it_was_closed(tmp_path: Path) -> None:
    journal = EncodedJournal(tmp_path / "out.mp4", JOB)
    journal.close()
    journal.close()

    with pytest.raises(ValueError, match="has been closed"):
        journal.enter_frame(1)


def _write(output: Path, frames: Sequence[int], packets: Sequence[int]) -> None:
    with EncodedJournal(output, JOB) as journal:
        for pts in frames:
            journal.enter_frame(pts)
        for pts in packets:
            journal.enter_packet(EncodedPacket(pts, pts, 1, True, b"data"))


def _after_a_kill(path: Path, folder: Path) -> int:
    """Return how many frames are in a copy of the files of a journal that is being written."""
    folder.mkdir(exist_ok=True)
    for file in _files(path):
        (folder / file.name).write_bytes(file.read_bytes())
    with EncodedJournal(folder / path.stem, JOB) as journal:
        frames = journal.frames_kept
    journal.remove()
    return frames


def _files(path: Path) -> Iterator[Path]:
    yield from path.parent.glob(f"{path.name}*")
