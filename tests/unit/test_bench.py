"""`stylize bench`: what it measures, what it leaves out, and what it recommends."""

import json

import pytest

from realtime import bench
from realtime.bench import Speed, live_limit
from realtime.cli import main


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "SIZES", ((64, 48), (96, 64)))
    monkeypatch.setattr("realtime.cli_bench.SECONDS_OF_SIZE", 0.05)


def test_every_engine_that_loads_is_measured_at_every_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--json"]) == 0

    speeds = json.loads(capsys.readouterr().out)
    assert {speed["engine"].split()[0] for speed in speeds} >= {"OpenVINO", "ONNX"}
    assert {(speed["width"], speed["height"]) for speed in speeds} == {(64, 48), (96, 64)}
    assert all(speed["latency_ms"] > 0 and speed["fps"] > 0 for speed in speeds)


def test_engine_asked_for_is_the_only_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--engine", "onnxruntime", "--device", "cpu", "--json"]) == 0

    assert len({speed["engine"] for speed in json.loads(capsys.readouterr().out)}) == 1


def test_device_that_is_not_there_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--device", "coreml"]) == 1

    assert "coreml" in capsys.readouterr().err.lower()


def test_limit_is_the_largest_picture_at_30_fps_on_the_faster_engine() -> None:
    slow, fast = "slow engine", "fast engine"
    speeds = [
        Speed(slow, 640, 360, 20, 90),
        Speed(slow, 1280, 720, 30, 31),
        Speed(fast, 1280, 720, 10, 70),
        Speed(fast, 1920, 1080, 40, 29.9),
    ]

    assert live_limit(speeds) == speeds[2]
    assert live_limit(speeds[3:]) is None


def test_people_get_a_recommendation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--engine", "openvino"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("starry-night, the network alone")
    assert lines[-1].startswith("30 fps, the network alone: up to 96x64") or lines[-1].startswith(
        "no size holds 30 fps"
    )
