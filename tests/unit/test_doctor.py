"""The doctor tries things, tells faults with their fix, never fails itself, and gives nothing private away."""

import json
import socket
from pathlib import Path

import pytest

import realtime.doctor
from realtime.camera_address import CameraAddress
from realtime.camera_modes import CameraMode
from realtime.catalogue import load_catalogue
from realtime.cli import main
from realtime.doctor import BROKEN, MISSING, WORKS, Finding, examine, without_home, without_owner
from realtime.errors import EngineError, OutputError, StyleError


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes seconds and has tests of its own."""
    monkeypatch.setattr(realtime.doctor, "ENGINES_OF_DEVICE", {"cpu": ("onnxruntime",), "intel-gpu": ("openvino",)})
    monkeypatch.setattr(realtime.doctor, "AUTO_ENCODERS", ("h264_nvenc", "libx264"))


def found(part: str) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine() if finding.part == part}


@pytest.mark.usefixtures("quick")
def test_engines_run_a_frame_and_those_that_cannot_name_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = realtime.doctor.open_engine

    def refuse(model: bytes, *, engine: str, device: str) -> object:
        if device == "intel-gpu":
            raise EngineError("OpenVINO finds no GPU; install Intel's driver")
        return opened(model, engine=engine, device=device)

    monkeypatch.setattr(realtime.doctor, "open_engine", refuse)

    engines = found("engine")

    assert engines["onnxruntime on cpu"].state == WORKS
    assert engines["onnxruntime on cpu"].detail.startswith("ONNX Runtime")
    assert engines["openvino on intel-gpu"].state == MISSING
    assert "install" in engines["openvino on intel-gpu"].detail


@pytest.mark.usefixtures("quick")
def test_weights_are_verified_and_one_that_is_damaged_breaks_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = load_catalogue()

    def verify(style: object) -> None:
        if getattr(style, "name", "") == first:
            raise StyleError("the weights are damaged")

    monkeypatch.setattr(realtime.doctor, "verify_style", verify)

    styles = found("style")

    assert styles[first].state == BROKEN
    assert {styles[name].state for name in others} == {WORKS}


@pytest.mark.usefixtures("quick")
def test_encoders_are_probed_and_only_the_last_must_work() -> None:
    encoders = found("encoder")

    assert encoders["libx264"].state == WORKS
    assert encoders["h264_nvenc"].state in (WORKS, MISSING)


@pytest.mark.usefixtures("quick")
def test_cameras_are_listed_with_what_keeps_them_from_opening(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cameras = [CameraAddress(0, 0, "Ann's Phone", None), CameraAddress(2, 0, "C920", tmp_path / "video2")]
    monkeypatch.setattr(realtime.doctor, "list_cameras", lambda: cameras)

    listed = found("camera")

    assert listed["0"].detail == "Phone"
    assert listed["2"].state == BROKEN
    assert "usermod" in listed["2"].detail


@pytest.mark.usefixtures("quick")
def test_cameras_are_listed_with_their_modes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    camera = CameraAddress(0, 0, "C920", tmp_path / "video0")
    (tmp_path / "video0").touch()
    modes = [CameraMode("MJPG", 1280, 720, 30), CameraMode("MJPG", 640, 480, 60), CameraMode("YUYV", 640, 480, 0)]
    monkeypatch.setattr(realtime.doctor, "list_cameras", lambda: [camera])
    monkeypatch.setattr(realtime.doctor, "list_modes", lambda device: modes)

    assert found("camera")["0"].detail == "C920: MJPG 1280x720 at 30, 640x480 at 60; YUYV 640x480"


@pytest.mark.usefixtures("quick")
def test_microphones_are_listed_without_their_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime.doctor, "list_microphones", lambda: {3: "Ann\u2019s AirPods"})

    assert found("microphone")["3"].detail == "AirPods"


@pytest.mark.usefixtures("quick")
def test_the_port_of_the_page_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        monkeypatch.setattr(realtime.doctor, "DEFAULT_PORT", port)
        listener.listen()
        taken = found("page")[f"port {port}"]
    free = found("page")[f"port {port}"]

    assert (taken.state, free.state) == (MISSING, WORKS)
    assert "--serve PORT" in taken.detail
    assert "token" in free.detail


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("flag", "secure", "state", "said"),
    [
        ("Y", None, WORKS, "/dev/video10"),
        ("N", None, BROKEN, "exclusive_caps=1"),
        (None, b"\6\0\0\0\1", MISSING, "signed"),
    ],
)
def test_the_state_of_v4l2loopback_is_told_with_the_fix(
    flag: str | None, secure: bytes | None, state: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    caps, boot = tmp_path / "caps", tmp_path / "boot"
    caps.write_text(flag or "")
    boot.write_bytes(secure or b"\6\0\0\0\0")

    def find(_: Path) -> Path:
        if flag is None:
            raise OutputError("no virtual camera is there")
        return Path("/dev/video10")

    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("os.access", lambda *_: True)
    monkeypatch.setattr(realtime.doctor, "find_loopback", find)
    monkeypatch.setattr(realtime.doctor, "_EXCLUSIVE_CAPS", caps)
    monkeypatch.setattr(realtime.doctor, "_SECURE_BOOT", boot)

    (finding,) = found("virtual camera").values()

    assert finding.state == state
    assert said in finding.detail


def test_a_check_that_fails_is_a_finding_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> object:
        raise RuntimeError("unforeseen")

    checks = {"one": fail, "two": lambda: iter([("x", WORKS, "fine")])}
    monkeypatch.setattr(realtime.doctor, "_CHECKS", checks)

    first, second = examine()

    assert (first.state, second.state) == (BROKEN, WORKS)
    assert "unforeseen" in first.detail


def test_nothing_private_is_told() -> None:
    assert without_home(f"{Path.home()}/styles is damaged") == "~/styles is damaged"
    assert without_owner("Ann\u2019s iPhone") == "iPhone"


def test_the_command_prints_lines_or_json_and_its_code_tells_what_is_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = {"engine": lambda: iter([("a", WORKS, "fine"), ("b", MISSING, "install it")])}
    monkeypatch.setattr(realtime.doctor, "_CHECKS", checks)

    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.splitlines() == ["engine:", "  works    a: fine", "  missing  b: install it"]
    checks["style"] = lambda: iter([("c", BROKEN, "reinstall")])
    assert main(["doctor", "--json"]) == 1
    assert [item["state"] for item in json.loads(capsys.readouterr().out)] == [WORKS, MISSING, BROKEN]
