"""Where frames come from: the protocol of every source."""

from collections.abc import Iterator
from typing import Protocol

from .frame import Frame


class Source(Protocol):
    """Yields frames with strictly increasing `pts_s`. `tests/contract/test_source.py` holds every source to this."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame once; the end is an exhausted iterator, a failure a StylizeError; ValueError after `close`.

        Iterating again goes on where the last iteration stopped.
        """
        ...

    def close(self) -> None:
        """Release the source; may be called twice, and from another thread once iteration has ended."""
        ...
