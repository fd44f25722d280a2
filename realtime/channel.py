"""A bounded hand-over between two threads that a failure anywhere can end, and the threads at its ends."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")

_WAIT_STEP_S = 0.5


class Stopped(Exception):
    """The run has been stopped; the thread that sees this returns."""


def channel_thread(
    name: str, work: Callable[[], None], *, on_failure: Callable[[BaseException], None]
) -> threading.Thread:
    """Return a thread, not yet started, whose work Stopped ends quietly; any other error is handed to `on_failure`."""

    def run() -> None:
        try:
            work()
        except Stopped:
            pass
        except BaseException as error:
            on_failure(error)

    return threading.Thread(target=run, name=name, daemon=True)


class Channel(Generic[Item]):
    """Up to `capacity` items on their way. `put` blocks while full, iteration while empty; `stop` wakes both sides."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._finished = False
        self._stopped = False

    def put(self, item: Item) -> None:
        """Hand an item over; raises Stopped after `stop`."""
        with self._changed:
            self._wait_for(lambda: len(self._items) < self._capacity or self._stopped)
            if self._stopped:
                raise Stopped
            self._items.append(item)
            self._changed.notify_all()

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        # In steps: on Windows, Python before 3.14 does not hear Ctrl-C while it waits without an end.
        while not self._changed.wait_for(condition, timeout=_WAIT_STEP_S):
            pass

    def finish(self) -> None:
        """Say that no item follows."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Throw away what is on its way and end both sides with Stopped."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._changed:
                self._wait_for(lambda: bool(self._items) or self._finished or self._stopped)
                if self._stopped:
                    raise Stopped
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
