"""Batches: which input goes to which output, what is refused before anything is written, and the table at the end."""

import string
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime.batch import PICTURES, VIDEO_SUFFIXES, BatchResult, plan_batch, result_table, run_batch
from realtime.container import FORMAT_OF_SUFFIX
from realtime.errors import InputError, OutputError, UsageError
from realtime.job_report import JobReport

from .fakes import job_report

NAMES = st.text(string.ascii_letters + string.digits + " ._-äß", min_size=1, max_size=12).filter(
    lambda name: name.strip(" .") == name
)
VIDEO_NAMES = st.builds("{}{}".format, NAMES, st.sampled_from(sorted(VIDEO_SUFFIXES)))


def _make_files(folder: Path, names: Iterable[str]) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_one_file_goes_to_the_output_by_its_name(tmp_path: Path) -> None:
    assert plan_batch([Path("in.mp4")], tmp_path / "out.webm") == [(Path("in.mp4"), tmp_path / "out.webm")]


def test_one_file_goes_into_a_folder_that_exists(tmp_path: Path) -> None:
    assert plan_batch([Path("some/in.mkv")], tmp_path) == [(Path("some/in.mkv"), tmp_path / "in.mkv")]


@pytest.mark.parametrize(
    ("name", "output"),
    [("a.mp4", "a.mp4"), ("a.MOV", "a.MOV"), ("a.b.avi", "a.b.mp4"), ("a.gif", "a.mp4"), ("a.mts", "a.mp4")],
)
def test_container_is_kept_where_it_holds_exact_times(name: str, output: str) -> None:
    pairs = plan_batch([Path("x.mp4"), Path(name)], Path("folder"))

    assert pairs[1] == (Path(name), Path("folder") / output)


def test_folder_of_pictures_stands_for_the_pictures_in_it(tmp_path: Path) -> None:
    _make_files(tmp_path / "in", ["b.jpg", "a.TIF", "clip.mp4", "c.webp"])

    pairs = plan_batch([tmp_path / "in"], tmp_path / "out", PICTURES)

    assert [(source.name, target.name) for source, target in pairs] == [
        ("a.TIF", "a.png"),
        ("b.jpg", "b.jpg"),
        ("c.webp", "c.webp"),
    ]


def test_folder_stands_for_the_videos_in_it_in_the_order_of_their_names(tmp_path: Path) -> None:
    _make_files(tmp_path / "in", ["b.mp4", "a.MKV", "notes.txt", "c.webm", "picture.jpg", "._b.mp4"])
    (tmp_path / "in" / "folder.mp4").mkdir()

    pairs = plan_batch([tmp_path / "in"], tmp_path / "out")

    assert [(source.name, target.name) for source, target in pairs] == [
        ("a.MKV", "a.MKV"),
        ("b.mp4", "b.mp4"),
        ("c.webm", "c.webm"),
    ]


def test_folder_with_one_video_needs_a_folder_as_output(tmp_path: Path) -> None:
    _make_files(tmp_path / "in", ["a.mp4"])

    assert plan_batch([tmp_path / "in"], tmp_path / "out") == [(tmp_path / "in" / "a.mp4", tmp_path / "out" / "a.mp4")]
    with pytest.raises(UsageError, match="need a folder as output"):
        plan_batch([tmp_path / "in"], tmp_path / "out.mp4")


def test_folder_without_videos_is_refused(tmp_path: Path) -> None:
    _make_files(tmp_path / "in", ["notes.txt"])

    with pytest.raises(UsageError, match=r"no videos \(.*\.mp4.*\) in the folder"):
        plan_batch([tmp_path / "in"], tmp_path / "out")


def test_several_files_need_a_folder() -> None:
    with pytest.raises(UsageError, match=r"out\.mp4 looks like a file"):
        plan_batch([Path("a.mp4"), Path("b.mp4")], Path("out.mp4"))


def test_folder_that_exists_may_look_like_a_file(tmp_path: Path) -> None:
    (tmp_path / "out.d").mkdir()

    assert len(plan_batch([Path("a.mp4"), Path("b.mp4")], tmp_path / "out.d")) == 2


@pytest.mark.parametrize(
    ("first", "second"), [("a/x.mp4", "b/x.mp4"), ("x.avi", "x.mp4"), ("x.gif", "x.flv"), ("x.mp4", "x.mp4")]
)
def test_two_inputs_for_one_output_are_refused(first: str, second: str) -> None:
    with pytest.raises(UsageError, match=r"written to out.x\.mp4"):
        plan_batch([Path(first), Path("other.mp4"), Path(second)], Path("out"))


@given(names=st.lists(VIDEO_NAMES, min_size=2, max_size=6))
def test_every_input_has_an_output_of_its_own_that_can_be_written_or_all_are_refused(names: list[str]) -> None:
    inputs = [Path("in") / name for name in names]
    outputs = {name if Path(name).suffix.lower() in FORMAT_OF_SUFFIX else Path(name).stem + ".mp4" for name in names}

    if len(outputs) < len(names):
        with pytest.raises(UsageError, match="several inputs would be written to"):
            plan_batch(inputs, Path("folder"))
        return
    pairs = plan_batch(inputs, Path("folder"))
    assert [source for source, _ in pairs] == inputs
    assert len({target for _, target in pairs}) == len(inputs)
    assert all(target.parent == Path("folder") for _, target in pairs)
    assert all(target.suffix.lower() in FORMAT_OF_SUFFIX for _, target in pairs)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    names=st.sets(NAMES.map("{}.mp4".format).map(str.lower), min_size=1, max_size=5),
    others=st.sets(NAMES.map("{}.txt".format)),
)
def test_only_videos_are_found_in_a_folder(
    names: set[str], others: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("in")
    _make_files(folder, names | others)

    pairs = plan_batch([folder], folder / "out")

    assert [source.name for source, _ in pairs] == sorted(names)


class FakeJobs:
    """Reports one frame for every input; raises the error that is set for its name."""

    def __init__(self, errors: dict[str, BaseException]) -> None:
        self.ran: list[str] = []
        self._errors = errors

    def run(self, input_path: Path, output_path: Path) -> JobReport:
        self.ran.append(input_path.name)
        if input_path.name in self._errors:
            raise self._errors[input_path.name]
        return job_report(frames=1, run_s=1.0, output=str(output_path))


def _run(jobs: FakeJobs, folder: Path, names: str) -> list[BatchResult[JobReport]]:
    pairs = [(Path(f"{name}.mp4"), folder / f"{name}.mp4") for name in names]
    return run_batch(jobs.run, pairs, overwrite=False)


def test_error_ends_its_own_job_only(tmp_path: Path) -> None:
    errors: dict[str, BaseException] = {"b.mp4": InputError("b is damaged"), "c.mp4": ZeroDivisionError("oh")}

    results = _run(FakeJobs(errors), tmp_path, "abcd")

    assert [result.error for result in results] == [None, errors["b.mp4"], errors["c.mp4"], None]
    assert [result.report is not None for result in results] == [True, False, False, True]


def test_interrupt_ends_the_batch(tmp_path: Path) -> None:
    jobs = FakeJobs({"b.mp4": KeyboardInterrupt()})

    with pytest.raises(KeyboardInterrupt):
        _run(jobs, tmp_path, "abc")

    assert jobs.ran == ["a.mp4", "b.mp4"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_made_is_skipped_unless_overwritten(overwrite: bool, tmp_path: Path) -> None:
    """Neither an empty output is made, nor one whose input is not there."""
    (tmp_path / "out").mkdir()
    _make_files(tmp_path, {"a.mp4", "b.mp4", "c.mp4"})
    _make_files(tmp_path / "out", {"b.mp4", "c.mp4", "gone.mp4"})
    for name in ("b", "gone"):
        (tmp_path / "out" / f"{name}.mp4").write_text("a video")
    pairs = [(tmp_path / f"{name}.mp4", tmp_path / "out" / f"{name}.mp4") for name in ("a", "b", "c", "gone")]
    jobs = FakeJobs({})

    results = run_batch(jobs.run, pairs, overwrite=overwrite)

    assert jobs.ran == [f"{name}.mp4" for name in ("a", "b", "c", "gone") if overwrite or name != "b"]
    assert [result.report is not None for result in results] == [True, overwrite, True, True]
    assert all(result.error is None for result in results)


def test_an_output_that_is_the_input_is_the_jobs_to_refuse(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    jobs = FakeJobs({})

    run_batch(jobs.run, [(tmp_path / "a.mp4", tmp_path / "a.mp4")], overwrite=False)

    assert jobs.ran == ["a.mp4"]


def test_output_folder_is_made(tmp_path: Path) -> None:
    _run(FakeJobs({}), tmp_path / "new", "a")

    assert (tmp_path / "new").is_dir()


@pytest.mark.parametrize("name", ["file/new", "missing/new"])
def test_output_folder_that_cannot_be_made_is_an_output_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    jobs = FakeJobs({})

    with pytest.raises(OutputError, match="cannot create the output folder"):
        _run(jobs, tmp_path / name, "a")

    assert not jobs.ran


def test_table_has_a_line_for_each_input() -> None:
    def result(name: str, **outcome: Any) -> BatchResult[JobReport]:
        return BatchResult(Path("in") / name, Path("out") / name, outcome.get("report"), outcome.get("error"))

    table = result_table(
        [
            result("a.mp4", report=job_report(frames=1234, run_s=10.0, output="out/a.mp4")),
            result("long name.mp4", error=InputError("it is empty (0 bytes)")),
            result("c.mp4", error=KeyError("two\nlines")),
            result("d.mp4"),
        ]
    )

    assert table.splitlines() == [
        "input          frames    fps  result",
        f"a.mp4            1234  123.4  ok: {Path('out/a.mp4')}",
        "long name.mp4       -      -  FAILED: it is empty (0 bytes)",
        "c.mp4               -      -  FAILED: unexpected KeyError: 'two\\nlines'",
        f"d.mp4               -      -  skipped: {Path('out/d.mp4')} exists; --overwrite replaces it",
    ]
