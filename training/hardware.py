"""Where a training runs: devices, precision and processes, as a Lightning Fabric."""

import logging
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision, Precision

from training.allocator import reuse_freed_memory

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "bf16", "fp16", "fp32")


@dataclass(frozen=True, slots=True)
class Hardware:
    """`devices` is the number of GPUs (or of processes on the CPU), `workers` that of processes that read pictures.

    `auto` takes a GPU if there is one, and of the precisions the fastest that the device computes natively.
    """

    device: str = "auto"
    devices: int = 1
    precision: str = "auto"
    workers: int = 0


class _ExactInputs(MixedPrecision):
    """Mixed precision that leaves inputs alone: Fabric would round flow and pictures to eight bits of mantissa."""

    def convert_input(self, data: Any) -> Any:
        return data


def open_fabric(hardware: Hardware) -> Fabric:
    """Return the Fabric; several devices are run by one spawned process each (DDP).

    What this process frees from now on it uses again, see `allocator.py`.

    Raises:
        ValueError: the device is not there, or cannot compute in the precision.
    """
    reuse_freed_memory(True)
    device = _device(hardware.device)
    name = _precision(hardware.precision, device)
    precision: Precision = Precision() if name == "fp32" else _ExactInputs(_FABRIC_NAMES[name], device)
    if device == "cuda":
        available = torch.cuda.device_count()
        if hardware.devices > available:
            raise ValueError(f"{hardware.devices} GPUs are asked for, but there are {available}")
        torch.backends.cudnn.benchmark = True  # all batches have one size
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on clusters
        return Fabric(
            accelerator=device,
            devices=hardware.devices,
            strategy="ddp_spawn" if hardware.devices > 1 else "auto",
            plugins=[precision],
        )


_FABRIC_NAMES: dict[str, Any] = {"bf16": "bf16-mixed", "fp16": "16-mixed"}


def feature_dtype(fabric: Fabric) -> torch.dtype:
    """Return the dtype in which fixed networks compute, those that need no float32 copy of their weights."""
    return {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(
        fabric.strategy.precision.precision, torch.float32
    )


def scales_gradients(fabric: Fabric) -> bool:
    """Return whether losses are scaled (float16); their scaler looks for infinite gradients and skips their steps."""
    return bool(fabric.strategy.precision.state_dict())


def share_cores(fabric: Fabric) -> None:
    """Give each of several processes on one CPU its share of the threads: together they would wait for one another."""
    if fabric.world_size > 1 and fabric.device.type == "cpu":
        torch.set_num_threads(max(1, torch.get_num_threads() // fabric.world_size))


def _device(name: str) -> str:
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if there[device])
    if not there[name]:
        raise ValueError(f"device {name} is not available; there are {', '.join(d for d in there if there[d])}")
    return name


def _precision(name: str, device: str) -> str:
    if name == "fp16" and device != "cuda":
        raise ValueError(f"precision fp16 needs a CUDA device, not {device}; choose bf16 or fp32")
    if name != "auto":
        return name
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    # Without these instructions bf16 is emulated, and slower than float32.
    computes_bf16 = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return "bf16" if device == "cpu" and computes_bf16 else "fp32"
