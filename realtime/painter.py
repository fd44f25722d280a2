"""What makes the picture of each frame of a file job: the protocol of painters, and the one that runs a network."""

from typing import Protocol

from .frame import Frame
from .stylizer import Stylized, Stylizer


class Painter(Protocol):
    """Paints frames, as many at once as it has `workers`; with one worker, in order.

    `repeats` tells that a frame which looks like the one before may take over its picture.
    """

    workers: int
    repeats: bool

    def paint(self, frame: Frame) -> Stylized:
        """Return the picture of a frame; raises StylizeError."""
        ...

    def stop(self) -> None:
        """End what goes on in other threads soon: nobody waits for the pictures any more."""
        ...


class NetworkPainter:
    """Paints every frame for itself with a network."""

    repeats = True

    def __init__(self, stylizer: Stylizer, *, workers: int, strength: float) -> None:
        self.workers = workers
        self._stylizer = stylizer
        self._strength = strength

    def paint(self, frame: Frame) -> Stylized:
        return self._stylizer.stylize(frame.rgb, strength=self._strength)

    def stop(self) -> None:
        pass  # a network takes milliseconds
