"""Numbered files of which some cannot be read: no bad file stops a run."""

import logging
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

# A run of bad files this long means that the folder is wrong, not the files.
BAD_FILES_MAX = 50


class UnreadableFileError(ValueError):
    """A file is not what it should be; the message names it and the reason."""


class ReadableFiles:
    """Reads files by number; those that fail are named once in the log and passed over from then on.

    Safe to hand to the processes of a `DataLoader`: they share what they know of bad files.
    """

    def __init__(self, count: int) -> None:
        self._is_bad = torch.zeros(count, dtype=torch.bool).share_memory_()
        self._last_error = "named by another process of the loader"

    def read(self, number: int, load: Callable[[int], Item]) -> Item | None:
        """Return what `load` makes of a file, None if it is unreadable, now or before."""
        if self._is_bad[number]:
            return None
        try:
            return load(number)
        except (OSError, UnreadableFileError) as error:
            self._is_bad[number] = True
            self._last_error = str(error)
            logger.warning("skipping %s", error)
            return None

    def draw(self, random: np.random.Generator, load: Callable[[int], Item]) -> tuple[int, Item]:
        """Return the number of a random file that can be read, and what `load` makes of it.

        Raises:
            ValueError: too many in a row cannot.
        """
        for _ in range(BAD_FILES_MAX):
            number = int(random.integers(len(self._is_bad)))
            item = self.read(number, load)
            if item is not None:
                return number, item
        raise ValueError(f"{BAD_FILES_MAX} files in a row could not be read; the last: {self._last_error}")
