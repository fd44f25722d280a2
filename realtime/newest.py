"""A hand-over between two threads that keeps only the newest item: what makes a live run late is thrown away."""

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class NewestSlot(Generic[Item]):
    """One item on its way; a newer one replaces it, which is counted in `dropped`."""

    def __init__(self) -> None:
        self.dropped = 0
        self._changed = threading.Condition()
        self._item: Item | None = None

    def put(self, item: Item) -> None:
        """Hand an item over; never waits."""
        with self._changed:
            self.dropped += self._item is not None
            self._item = item
            self._changed.notify_all()

    def take(self, timeout_s: float) -> Item | None:
        """Return the item and empty the slot; None if none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None, timeout_s)
            item, self._item = self._item, None
            return item
