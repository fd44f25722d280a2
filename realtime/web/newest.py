"""The newest value, handed to any number of readers on one event loop; who is slow misses values and delays nobody."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Generic, TypeVar

T = TypeVar("T")


class Newest(Generic[T]):
    """Holds one value and how often it was replaced. All of it belongs to one event loop."""

    def __init__(self) -> None:
        self._value: T | None = None
        self._version = 0
        self._is_closed = False
        self._changed = asyncio.Event()

    def put(self, value: T) -> None:
        """Replace the value and wake every reader."""
        self._value = value
        self._version += 1
        self._wake()

    def forget(self) -> None:
        """Drop the value, which has become too old to be shown; readers wait for the next one."""
        self._value = None

    def close(self) -> None:
        """Let every reader end."""
        self._is_closed = True
        self._wake()

    async def each(self) -> AsyncGenerator[T, None]:
        """Yield the newest value whenever it is one that has not been yielded here yet, until `close`."""
        version = 0
        while not self._is_closed:
            if self._value is not None and self._version > version:
                version = self._version
                yield self._value
            else:
                await self._changed.wait()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
