"""A style made ready to run: its network on an engine and, for an any-style model, its pictures encoded."""

from contextlib import closing
from dataclasses import dataclass

from .catalogue import Style, encoder_of, read_model
from .engine import Engine, open_engine, open_style
from .graph import ENCODER, FEED_FORWARD, TRANSFER
from .picture import over_white, read_picture
from .style_choice import StyleChoice
from .style_code import StyleCode, encode_picture, mix_codes
from .style_fit import open_fitter
from .stylizer import Stylizer


@dataclass(frozen=True, slots=True)
class LoadedStyle:
    """A network that runs; `code` is None for a feed-forward style. `close` frees the network."""

    engine: Engine
    code: StyleCode | None

    def stylizer(self, *, size_px: int | None, shifts: int) -> Stylizer:
        return Stylizer(self.engine, size_px=size_px, code=self.code, shifts=shifts)

    def close(self) -> None:
        self.engine.close()


def load_style(choice: StyleChoice, *, engine: str, device: str, precision: str) -> LoadedStyle:
    """Encode the pictures of `choice`, fit the codes to them, and load its network.

    Raises:
        InputError: a picture cannot be read.
        StyleError: weights are missing, damaged or not of a style.
        EngineError: the engine or device asked for cannot be used here.
    """
    code = None
    if choice.pictures:
        code = mix_codes(_fitted_codes(choice), choice.shares)
    contract = TRANSFER if choice.pictures else FEED_FORWARD
    return LoadedStyle(
        open_style(choice.model, engine=engine, device=device, precision=precision, contract=contract), code
    )


def _fitted_codes(choice: StyleChoice) -> list[StyleCode]:
    pictures = [over_white(read_picture(path)) for path in choice.pictures]
    with closing(open_encoder(choice.model)) as encoder:
        codes = [encode_picture(encoder, picture) for picture in pictures]
    fitter = open_fitter(choice.model)
    return codes if fitter is None else [fitter.fit(*pair) for pair in zip(codes, pictures, strict=True)]


def open_encoder(model: Style) -> Engine:
    """Open the encoder of an any-style model, for as long as pictures come.

    It is ONNX Runtime on the processor whatever runs the transfer: pictures come in all sizes, for each of which other
    engines would compile anew, and a code does not depend on the device.
    """
    return open_engine(read_model(encoder_of(model)), engine="onnxruntime", device="cpu", contract=ENCODER)
