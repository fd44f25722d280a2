"""The walls of the house: what may import what, how large a module may be, and that nothing calls home."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import realtime

from .models import identity_model

ROOT = Path(realtime.__file__).resolve().parent.parent
LINES_MAX = 350

# Bottom to top. A module imports from lower layers only; within one layer from nothing.
LAYERS = (
    ("__init__", "errors", "options"),
    ("frame", "settings", "serve_settings", "meters", "graph", "motion", "chart", "newest", "governor", "camera_watch",
     "camera_modes", "stroke_detail", "patch_search", "style_figures", "compiled", "timecode", "frame_pace"),
    ("catalogue", "media", "color", "picture", "output_file", "live_settings", "live_source",
     "live_frame", "live_status", "camera_address", "camera_permission"),
    ("container", "encoded_journal", "picture_filter", "stream_convert", "time_line", "scene_cut", "video_info",
     "style_choice", "camera_source", "overlay", "small_grey", "live_keys", "luminance_history", "microphone",
     "array_spool", "carried_map", "static_camera"),
    ("input_motion",),
    (
        "source", "sink", "engine", "engine_onnxruntime", "engine_openvino", "style_code", "stylizer", "smoother",
        "noise_filter", "finish", "encoder", "stream_copy", "video_source", "video_sink", "channel", "temporal_metric",
        "repeat", "split", "sound_track", "carry_blend", "keyframe_folder",
    ),
    ("painter", "clip_survey", "style_fit", "paint_mask", "people_mask", "video_still"),
    ("pipeline", "loaded_style", "smoothing_watch", "live_style", "live_fit", "paced_source",
     "live_people", "recorder", "virtual_camera"),
    ("style_bank", "keyframe_choice", "keyframe_carry"),
    ("job_style",),
    ("live_loop",),
    ("live_session", "live_input"),
    ("live_window", "live_feed"),
    ("job_report", "job_identity"),
    ("video_job", "picture_job", "preview", "compare", "bench", "doctor", "carry_choice", "child_command"),
    ("keyframe_painting",),
    ("keyframe_run",),
    ("web.newest", "web.limits", "web.guard", "web.control_options", "web.recordings", "web.style_pictures",
     "web.page_keys"),
    ("web.relay", "web.page_state"),
    ("web.browser_camera",),
    ("web.app",),
    ("web.server",),
    ("web.__init__",),
    ("command", "batch", "progress", "allocator"),
    ("cli_bench", "cli_compare", "cli_doctor", "cli_preview"),
    ("cli", "cli_video", "cli_image", "cli_webcam"),
)  # fmt: skip
# Within the layer of sources, engines and sinks these pairs belong together; each is (importer, imported).
SIBLINGS = {
    ("engine", "engine_onnxruntime"),
    ("engine", "engine_openvino"),
    ("style_code", "engine"),
    ("stylizer", "engine"),
    ("stylizer", "style_code"),
    ("finish", "stylizer"),
    ("video_sink", "encoder"),
}
HEAVY = (
    "numpy", "cv2", "av", "onnxruntime", "openvino", "tqdm", "PIL", "starlette", "uvicorn", "aiortc", "sounddevice",
)  # fmt: skip
FORBIDDEN = {
    "realtime": {"torch", "torchvision", "training", "export", "tests", "samples", "benchmarks"},
    "training": {"realtime", "export", "tests", "samples", "benchmarks"},
    "export": {"tests", "samples", "benchmarks"},
}

MODULES = {package: sorted((ROOT / package).rglob("*.py")) for package in FORBIDDEN}
REALTIME_NAMES = [".".join(path.relative_to(ROOT / "realtime").with_suffix("").parts) for path in MODULES["realtime"]]


def _imports(path: Path) -> list[tuple[int, str]]:
    """Return (level, module) of every import in a file, lazy ones too; `from . import x` counts as `.x`."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.module:
                found.append((node.level, node.module))
            else:
                found += [(node.level, alias.name) for alias in node.names]
    return found


def _path(name: str) -> Path:
    return ROOT / "realtime" / f"{name.replace('.', '/')}.py"


def _relative_imports(name: str) -> set[str]:
    """Return what a module (`picture`, `web.app`) imports of the runtime, by the same names."""
    packages = name.split(".")[:-1]
    found = set()
    for level, module in _imports(_path(name)):
        if level:
            full = ".".join((*packages[: len(packages) + 1 - level], module))
            package_name = ".".join((*packages[: len(packages) + 1 - level], "__init__"))
            # What is neither a module nor a package is a name of the package itself, such as __version__.
            found.add(next((each for each in (full, f"{full}.__init__") if each in REALTIME_NAMES), package_name))
    return found


def _layer(name: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if name in layer)


def _run(code: str, *arguments: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.parametrize("package", FORBIDDEN)
def test_package_imports_nothing_beyond_its_wall(package: str) -> None:
    offences = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in MODULES[package]
        for level, module in _imports(path)
        if not level and module.split(".")[0] in FORBIDDEN[package]
    }

    assert not offences


def test_nothing_is_imported_by_a_name_that_the_parser_cannot_see() -> None:
    """`importlib.import_module` and `__import__` would pass under the other tests."""
    dynamic = {
        (path.stem, ast.unparse(node.args[0]))
        for package in MODULES.values()
        for path in package
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__")
    }

    assert dynamic <= {("engine_openvino", "'openvino'"), ("entry", "module")}


def test_every_module_of_the_runtime_has_its_layer() -> None:
    placed = [name for layer in LAYERS for name in layer]

    assert sorted(placed) == sorted(REALTIME_NAMES)


@pytest.mark.parametrize("name", REALTIME_NAMES)
def test_module_imports_lower_layers_only(name: str) -> None:
    upward = {
        other for other in _relative_imports(name) if _layer(other) >= _layer(name) and (name, other) not in SIBLINGS
    }

    assert not upward


def test_siblings_that_are_allowed_to_import_one_another_do() -> None:
    unused = {(importer, imported) for importer, imported in SIBLINGS if imported not in _relative_imports(importer)}

    assert not unused


@pytest.mark.parametrize("name", REALTIME_NAMES)
def test_imports_inside_the_runtime_are_relative(name: str) -> None:
    imports = _imports(_path(name))

    assert "realtime" not in {module.split(".")[0] for level, module in imports if not level}
    assert {level for level, _ in imports} <= set(range(name.count(".") + 2))


@pytest.mark.parametrize(
    "path", [pytest.param(path, id=str(path.relative_to(ROOT))) for paths in MODULES.values() for path in paths]
)
def test_module_is_not_too_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES_MAX


def test_the_package_exports_what_it_declares() -> None:
    assert realtime.__all__ == ["__version__"]
    assert all(hasattr(realtime, name) for name in realtime.__all__)


@pytest.mark.parametrize(
    "module",
    [
        "realtime",
        "realtime.settings",
        "realtime.command",
        "realtime.cli",
        "realtime.cli_video",
        "realtime.cli_image",
        "realtime.cli_webcam",
    ],
)
def test_import_for_help_loads_nothing_heavy(module: str) -> None:
    loaded = json.loads(_run(f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"))

    assert module in loaded
    assert not set(HEAVY) & set(loaded)


def test_what_keyframe_files_refuse_is_refused_without_torch() -> None:
    """It takes seconds to load, for one line that says that the output exists."""
    loaded = json.loads(_run("import json, sys, export.keyframe_files; print(json.dumps(sorted(sys.modules)))"))

    assert "export.keyframe_files" in loaded
    assert "torch" not in loaded


ENGINE_CODE = """
import json, socket, sys
from pathlib import Path

events = []
sys.addaudithook(lambda event, _: events.append(event) if event in ("socket.connect", "socket.getaddrinfo") else None)

import numpy as np
from realtime import engine_onnxruntime, engine_openvino

engine_class = {"onnxruntime": engine_onnxruntime.OnnxRuntimeEngine, "openvino": engine_openvino.OpenVinoEngine}
engine = engine_class[sys.argv[1]](Path(sys.argv[2]).read_bytes(), "cpu")
stylized = engine.infer(np.full((16, 16, 3), 7, np.uint8))
engine.close()
seen = list(events)
try:  # the hook would have noticed
    socket.create_connection(("127.0.0.1", 9), timeout=0.1).close()
except OSError:
    pass
telemetry = [name for name, module in sys.modules.items() if "telemetry" in name and module is not None]
loaded = [name for name in ("onnxruntime", "openvino") if name in sys.modules]
print(json.dumps([int(stylized[0, 0, 0]), seen, len(events), telemetry, loaded]))
"""


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_engine_opens_no_connection_and_loads_no_telemetry(engine: str, tmp_path: Path) -> None:
    model = tmp_path / "identity.onnx"
    model.write_bytes(identity_model())

    level, connections, connections_with_control, telemetry, loaded = json.loads(_run(ENGINE_CODE, engine, str(model)))

    assert level == 7
    assert loaded == [engine]
    assert connections == []
    assert connections_with_control > 0
    # OpenVINO has a package of that name of its own, which sends only through openvino_telemetry.
    assert not [name for name in telemetry if name.split(".")[0] != "openvino"]
