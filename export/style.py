"""Export a trained network as the files of a style, each verified on every engine."""

from dataclasses import dataclass, field

from torch import nn

from export.adain import export_adain, verify_adain
from export.graph import INPUT_NAME, export_onnx, run_uint8
from export.sample import Sample
from export.variant import to_float16, to_int8
from export.verify import Parity, picture_cases, verify
from realtime.stylizer import with_margin


@dataclass(frozen=True, slots=True)
class ExportedStyle:
    """The verified files: `variants` maps precisions to a model and its PSNR in dB, the least over engines and sizes.

    An any-style model has an `encoder`, and no variants.
    """

    model: bytes
    parities: list[Parity]
    variants: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    encoder: bytes | None = None
    statistics_size: int | None = None


def export_style(network: nn.Module, sample: Sample) -> ExportedStyle:
    """Export and verify a feed-forward network with its fp16 and int8 variants, or an any-style network.

    Raises:
        ParityError: a file does not do what the network does.
    """
    if hasattr(network, "statistics_uint8"):
        graphs = export_adain(network)
        style = next(iter(sample.scored.values()))
        parities = verify_adain(network, graphs, sample.sized, style=style)
        return ExportedStyle(graphs.transfer, parities, encoder=graphs.encoder, statistics_size=graphs.statistics_size)
    model = export_onnx(network)
    cases = picture_cases(lambda frames: run_uint8(network, frames), INPUT_NAME, sample.sized)
    parities = verify(model, cases)
    calibration = [with_margin(picture) for picture in sample.calibration]
    variants = {}
    for precision, variant in (("fp16", to_float16(model)), ("int8", to_int8(model, calibration))):
        found = verify(variant, cases, precision=precision)
        variants[precision] = variant, round(min(parity.psnr_db for parity in found), 1)
        parities += found
    return ExportedStyle(model, parities, variants)
