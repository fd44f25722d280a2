"""Compare engines and precisions on the style networks, as ratios to float32 in OpenVINO in the same process.

    python -m benchmarks.engines [STYLE ...] [--size 1280x720] [--isa AVX2_VNNI AVX2]

Every style runs in every precision that it has files for, on every engine for processors; the classic network (Johnson
et al.) runs on the same engines, any-style models at 640x360. Each instruction set of `--isa` is measured in a process
of its own in which oneDNN (OpenVINO) may use no more than that; it does not bind ONNX Runtime, which is therefore left
out there. Needs the extra [train]. Run it on an idle machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from realtime.catalogue import MODEL_SUFFIX, Style, load_styles, read_model, resolve_style
from realtime.engine_openvino import import_openvino

ISA_VARIABLE = "ONEDNN_MAX_CPU_ISA"
NO_LIMIT = "DEFAULT"
ISAS = (NO_LIMIT, "AVX512_CORE_VNNI", "AVX2_VNNI", "AVX2")
CLASSIC = "classic"
ANY_STYLE_SIZE = (640, 360)
STREAMS = 2
ROUNDS = 9
# OpenVINO asks the processor and not oneDNN whether there is bf16, and then fails or emulates it under a limit.
HINTS_WITHOUT_LIMIT = ("f32", "bf16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("styles", nargs="*", metavar="STYLE", help=f"names or {MODEL_SUFFIX} files [all]")
    parser.add_argument("--size", default="1280x720", help="WIDTHxHEIGHT [%(default)s]")
    parser.add_argument("--isa", nargs="*", choices=ISAS, default=[NO_LIMIT, "AVX2_VNNI", "AVX2"], help="[%(default)s]")
    parser.add_argument("--no-classic", action="store_true", help="leave the classic network out, which is slow")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        width, height = (int(side) for side in options.size.split("x"))
        print(json.dumps(_measure(options.styles, (width, height), classic=not options.no_classic)))
        return
    names = options.styles or list(load_styles())
    for isa in options.isa:
        rows = _measured_with(isa, names, options)
        base = {row["model"]: row["ms"] for row in rows if (row["engine"], row["precision"]) == ("openvino", "f32")}
        print(f"\n{isa}, {options.size}, two frames at once, ratio to float32 in OpenVINO")
        print("| model | engine | precision | ms a frame | times as fast |\n|---|---|---|---|---|")
        for row in rows:
            times = base[row["model"]] / row["ms"]
            print(f"| {row['model']} | {row['engine']} | {row['precision']} | {row['ms']:.1f} | {times:.2f} |")


def _measured_with(isa: str, names: list[str], options: argparse.Namespace) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "benchmarks.engines", *names, "--child", "--size", options.size]
    environment = os.environ | ({ISA_VARIABLE: isa} if isa != NO_LIMIT else {})
    done = subprocess.run(
        [*command, *(["--no-classic"] if options.no_classic else [])],
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def _measure(names: list[str], size: tuple[int, int], *, classic: bool) -> list[dict[str, Any]]:
    rows = []
    for name in names:
        style = resolve_style(name)
        any_style = style.card.get("kind") == "adain"
        for precision, model in _models(style).items():
            rows += _rows(name, precision, model, ANY_STYLE_SIZE if any_style else size, style.card)
    if classic:
        rows += _rows(CLASSIC, "fp32", _classic_model(), size, {})
    return rows


def _models(style: Style) -> dict[str, bytes]:
    precisions = [item["precision"] for item in style.card.get("variants", ())]
    variants = {precision: style.variant(precision) for precision in precisions}
    return {"fp32": read_model(style)} | {key: read_model(variant) for key, variant in variants.items() if variant}


def _rows(name: str, precision: str, model: bytes, size: tuple[int, int], card: dict[str, Any]) -> list[dict[str, Any]]:
    width, height = size
    inputs: dict[str, Any] = {"frame": np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)}
    if "statistics_size" in card:
        inputs["statistics"] = np.ones((1, 2, card["statistics_size"]), dtype=np.float32)
        inputs["strength"] = np.ones(1, dtype=np.float32)
    limited = ISA_VARIABLE in os.environ
    hints = ("f32",) if limited or precision != "fp32" else HINTS_WITHOUT_LIMIT
    rows = [
        {
            "model": name,
            "engine": "openvino",
            "precision": hint if precision == "fp32" else precision,
            "ms": _openvino_ms(model, inputs, hint),
        }
        for hint in hints
    ]
    if not limited:
        rows.append(
            {"model": name, "engine": "onnxruntime", "precision": precision, "ms": _onnxruntime_ms(model, inputs)}
        )
    return rows


def _openvino_ms(model: bytes, inputs: dict[str, Any], hint: str) -> float:
    core = import_openvino().Core()
    read = core.read_model(model)
    read.reshape({name: list(value.shape) for name, value in inputs.items()})
    compiled = core.compile_model(
        read,
        "CPU",
        {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": str(STREAMS), "INFERENCE_PRECISION_HINT": hint},
    )
    requests = [compiled.create_infer_request() for _ in range(STREAMS)]

    def run() -> None:
        for request in requests:
            request.start_async(inputs)
        for request in requests:
            request.wait()

    return _median_ms(run) / STREAMS


def _onnxruntime_ms(model: bytes, inputs: dict[str, Any]) -> float:
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return _median_ms(lambda: session.run(None, inputs))


def _classic_model() -> bytes:
    """Return Johnson's network as a style; its weights are random, since its speed does not depend on them."""
    import torch

    from export.graph import export_onnx
    from training.network import JohnsonNetwork

    class Classic(JohnsonNetwork):
        def forward_uint8(self, frames: torch.Tensor) -> torch.Tensor:
            stylized = self(frames.permute(0, 3, 1, 2).float() / 255)
            return (stylized * 255 + 0.5).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)

    torch.manual_seed(0)
    return export_onnx(Classic().eval())


def _median_ms(run: Callable[[], object]) -> float:
    run()  # pays for memory and kernels
    rounds_ms = []
    for _ in range(ROUNDS):
        started_s = time.perf_counter()
        run()
        rounds_ms.append(1000 * (time.perf_counter() - started_s))
    return statistics.median(rounds_ms)


if __name__ == "__main__":
    main()
