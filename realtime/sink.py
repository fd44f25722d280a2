"""Where frames go: the protocol of every sink."""

from typing import Protocol

from .frame import Frame


class Sink(Protocol):
    """Takes frames in order. `tests/contract/test_sink.py` holds every sink to this."""

    def write(self, frame: Frame) -> None:
        """Take one frame; raises OutputError when it cannot be stored, ValueError after `finish` or `close`."""
        ...

    def finish(self) -> None:
        """Complete the output; without it, `close` leaves nothing that could be taken for a finished one."""
        ...

    def close(self) -> None:
        """Release the sink; may be called twice."""
        ...
