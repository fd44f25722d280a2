"""The file pipeline: every frame, in order, in bounded memory; the first error ends it and reaches the caller."""

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.errors import InputError, OutputError, StylizeError
from realtime.frame import Frame
from realtime.input_motion import Look
from realtime.painter import NetworkPainter
from realtime.people_mask import Found
from realtime.pipeline import STAGES, Composer, FilePipeline
from realtime.settings import Controls
from realtime.split import Split
from realtime.style_code import StyleCode
from realtime.stylizer import Stylizer

from .fakes import FakeEngine, FakeSink, FakeSmoother, FakeSource

FRAMES = 40
# Frames that may be on their way besides those that the workers hold: one more waits for a worker, one for the channel,
# one is in the hands of the smoother, two wait for the encoder and one is in it.
FRAMES_AHEAD_BESIDES_WORKERS = 6
ENDED_WITHIN_S = 5.0


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def _pipeline(
    source: FakeSource,
    sink: FakeSink,
    *,
    engine: FakeEngine | None = None,
    smoother: FakeSmoother | None = None,
    controls: Controls | None = None,
    compose: Composer = lambda frame, look, found, picture: picture,
) -> FilePipeline:
    engine = engine or FakeEngine()
    return FilePipeline(
        source,
        NetworkPainter(Stylizer(engine), workers=engine.workers, strength=1.0),
        smoother or FakeSmoother(),
        sink,
        controls=controls or Controls(),
        compose=compose,
    )


def _wipe(frame: Frame, look: Look, found: Found | None, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return Split("wipe").join(frame.rgb, picture)


def _slow_at_random(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    time.sleep(np.random.default_rng(int(rgb[0, 0, 0])).uniform(0, 0.01))
    return 255 - rgb


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_no_frame_is_lost_and_none_overtakes_another(workers: int) -> None:
    sink = FakeSink()

    count = _pipeline(FakeSource(FRAMES), sink, engine=FakeEngine(_slow_at_random, workers=workers)).run(lambda _: None)

    assert count == FRAMES
    assert [frame.index for frame in sink.frames] == list(range(FRAMES))
    assert [frame.pts_s for frame in sink.frames] == [Fraction(index, 25) for index in range(FRAMES)]
    assert all((frame.rgb == 255 - frame.index).all() for frame in sink.frames)


def test_strength_goes_into_an_any_style_network_and_is_not_blended_again() -> None:
    engine, sink = FakeEngine(np.bitwise_not), FakeSink()
    code = StyleCode(np.ones((1, 2, 3), np.float32))
    controls = Controls(strength=0.5)

    pipeline = FilePipeline(
        FakeSource(6, alike=2),
        NetworkPainter(Stylizer(engine, code=code), workers=1, strength=0.5),
        FakeSmoother(),
        sink,
        controls=controls,
    )
    pipeline.run(lambda _: None)

    assert [extra["strength"].tolist() for extra in engine.extras if extra] == [[0.5]] * 3
    assert pipeline.frames_reused == 3
    assert [int(frame.rgb[0, 0, 0]) for frame in sink.frames] == [255, 255, 253, 253, 251, 251]


def test_workers_stylise_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=ENDED_WITHIN_S)

    def meet(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        together.wait()  # breaks unless three are in here at once
        return rgb

    assert _pipeline(FakeSource(9), FakeSink(), engine=FakeEngine(meet, workers=3)).run(lambda _: None) == 9


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("slow", ["network", "smooth", "encode"])
def test_source_runs_ahead_but_not_far(workers: int, slow: str) -> None:
    source = FakeSource(FRAMES)
    ahead: list[int] = []
    engine = FakeEngine(lambda rgb: (time.sleep(0.005 if slow == "network" else 0), rgb)[1], workers=workers)
    smoother = FakeSmoother(delay_s=0.005 if slow == "smooth" else 0)
    sink = FakeSink(
        delay_s=0.005 if slow == "encode" else 0, on_write=lambda written: ahead.append(source.taken - written)
    )

    _pipeline(source, sink, engine=engine, smoother=smoother).run(lambda _: None)

    assert 1 < max(ahead) <= workers + FRAMES_AHEAD_BESIDES_WORKERS


def test_source_without_frames_gives_none() -> None:
    sink = FakeSink()

    assert _pipeline(FakeSource(0), sink).run(lambda _: None) == 0
    assert not sink.frames


def test_sink_and_listener_are_called_in_the_calling_thread() -> None:
    sink = FakeSink()
    heard: list[tuple[int, str]] = []

    _pipeline(FakeSource(5), sink).run(lambda frame: heard.append((frame.index, threading.current_thread().name)))

    assert heard == [(index, threading.current_thread().name) for index in range(5)]
    assert sink.threads == {threading.current_thread().name}


def _failing_engine(error: BaseException, *, index: int) -> FakeEngine:
    def work(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if rgb[0, 0, 0] == index:
            raise error
        return rgb

    return FakeEngine(work, workers=2)


def _failing_parts(stage: str, error: BaseException, index: int) -> dict[str, Any]:
    parts: dict[str, Any] = {"source": FakeSource(FRAMES), "sink": FakeSink()}
    if stage == "decode":
        parts["source"] = FakeSource(FRAMES, fails_at=index, error=error)
    elif stage == "network":
        parts["engine"] = _failing_engine(error, index=index)
    elif stage == "smooth":
        parts["smoother"] = FakeSmoother(fails_at=index, error=error)
    elif stage == "encode":
        parts["sink"] = FakeSink(fails_at=index, error=error)
    return parts


class FailingNoiseFilter:
    def __init__(self, error: BaseException, *, index: int) -> None:
        self._error = error
        self._index = index

    def filter(self, rgb: NDArray[np.uint8], look: Look) -> tuple[NDArray[np.uint8], Look]:
        if rgb[0, 0, 0] == self._index:
            raise self._error
        return rgb, look


def test_without_smoothing_the_network_sees_every_frame_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.pipeline.NoiseFilter", lambda: FailingNoiseFilter(RuntimeError("used"), index=0))

    assert _pipeline(FakeSource(3), FakeSink(), controls=Controls(smoothing=0)).run(lambda _: None) == 3


@pytest.mark.parametrize("index", [0, 1, 20, FRAMES - 1])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    "error", [InputError("broken"), RuntimeError("a bug"), MemoryError(), KeyboardInterrupt()], ids=repr
)
def test_error_in_any_stage_reaches_the_caller_and_ends_every_thread(
    stage: str, index: int, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = _failing_parts(stage, error, index)
    if stage == "motion":
        monkeypatch.setattr("realtime.pipeline.NoiseFilter", lambda: FailingNoiseFilter(error, index=index))
    pipeline = _pipeline(parts.pop("source"), parts.pop("sink"), **parts)
    started_s = time.monotonic()

    with pytest.raises(type(error)) as caught:
        pipeline.run(lambda _: None)

    assert caught.value is error
    assert time.monotonic() - started_s < ENDED_WITHIN_S


def test_error_of_the_listener_reaches_the_caller() -> None:
    error = OutputError("nobody listens")

    def fail(frame: object) -> None:
        raise error

    with pytest.raises(OutputError) as caught:
        _pipeline(FakeSource(FRAMES), FakeSink()).run(fail)

    assert caught.value is error


def test_nothing_is_written_after_the_frame_that_failed() -> None:
    sink = FakeSink()

    with pytest.raises(StylizeError):
        _pipeline(FakeSource(FRAMES), sink, engine=_failing_engine(InputError("broken"), index=10)).run(lambda _: None)

    indices = [frame.index for frame in sink.frames]
    assert indices == list(range(len(indices)))
    assert len(indices) <= 10


def test_controls_and_composition_reach_the_picture() -> None:
    sink, smoother = FakeSink(), FakeSmoother()
    engine = FakeEngine(lambda rgb: np.full_like(rgb, 100))

    _pipeline(
        FakeSource(3),
        sink,
        engine=engine,
        smoother=smoother,
        controls=Controls(strength=0.5, smoothing=0.3),
        compose=_wipe,
    ).run(lambda _: None)

    assert smoother.smoothings == [0.3] * 3
    picture = sink.frames[2].rgb
    assert (picture[:, :8] == 2).all()
    assert (picture[:, 8:] == 51).all()


def test_frames_of_the_source_are_not_written_to() -> None:
    source = FakeSource(3)
    frames = list(source)
    given = [frame.rgb.copy() for frame in frames]

    class Given(FakeSource):
        def __iter__(self) -> Iterator[Any]:
            return iter(frames)

    _pipeline(Given(3), FakeSink(), engine=FakeEngine(lambda rgb: 255 - rgb), compose=_wipe).run(lambda _: None)

    assert all(np.array_equal(frame.rgb, before) for frame, before in zip(frames, given, strict=True))


def test_every_stage_is_measured() -> None:
    pipeline = _pipeline(FakeSource(5), FakeSink(delay_s=0.002), smoother=FakeSmoother(delay_s=0.002))

    pipeline.run(lambda _: None)

    assert tuple(pipeline.meters) == STAGES
    calls = {name: meter.calls for name, meter in pipeline.meters.items()}
    # The decoder is asked once more, and says that there is nothing.
    assert calls == {"decode": 6, "motion": 5, "network": 5, "smooth": 5, "encode": 5}
    assert all(pipeline.meters[name].mean_ms >= 2 for name in ("smooth", "encode"))
