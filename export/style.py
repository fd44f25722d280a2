"""Export a trained network as the files of a style, each verified on every engine."""

import copy
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import nn

from export.adain import export_adain, round_to_float16, verify_adain
from export.fitter import export_fitter
from export.graph import INPUT_NAME, export_onnx, run_uint8
from export.sample import Sample
from export.variant import store_as_float16, to_float16, to_int8
from export.verify import Parity, ParityError, picture_cases, verify
from realtime.stylizer import with_margin
from training.adain import SlimAdainNetwork

VARIANTS = ("int8", "fp16")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExportedStyle:
    """The verified files: `variants` maps precisions to a model and its PSNR in dB, the least over engines and sizes.

    An any-style model has `parts`, its encoder and its fitter, and no variants.
    """

    model: bytes
    parities: list[Parity]
    variants: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    parts: dict[str, bytes] = field(default_factory=dict)
    statistics_size: int | None = None


def export_style(
    network: nn.Module, sample: Sample, *, precisions: Sequence[str] = ("int8",), requires_variants: bool = True
) -> ExportedStyle:
    """Export and verify a feed-forward network with variants of `precisions`, or an any-style network.

    What is exported are its weights rounded to float16, as which they are stored: half the file, the same computation.
    No variant that computes in float16 unless asked for: no device was found yet on which it is faster.

    Raises:
        ParityError: a file does not do what the network does. Unless it `requires_variants`, one of those is left out
            then, with a line in the log.
    """
    network = copy.deepcopy(network)
    if isinstance(network, SlimAdainNetwork):
        graphs = export_adain(network)
        style = next(iter(sample.scored.values()))
        parities = verify_adain(network, graphs, sample.sized, style=style)
        parts = {"encoder": graphs.encoder, "fitter": export_fitter(network)}
        return ExportedStyle(graphs.transfer, parities, parts=parts, statistics_size=graphs.statistics_size)
    round_to_float16(network)
    traced = export_onnx(network)
    model = store_as_float16(traced)
    cases = picture_cases(lambda frames: run_uint8(network, frames), INPUT_NAME, sample.sized)
    parities = verify(model, cases)
    calibration = [with_margin(picture) for picture in sample.calibration]
    variants = {}
    for precision in precisions:
        variant = to_int8(traced, calibration) if precision == "int8" else to_float16(traced)
        try:
            found = verify(variant, cases, precision=precision)
        except ParityError as error:
            if requires_variants:
                raise
            logger.warning("note: without a file in %s: %s", precision, error)
            continue
        variants[precision] = variant, round(min(parity.psnr_db for parity in found), 1)
        parities += found
    return ExportedStyle(model, parities, variants)
