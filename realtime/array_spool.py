"""Arrays that wait on the disk: what is needed in another order than it is made, and is too much for the memory."""

import tempfile
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import OutputError


class ArraySpool:
    """A temporary file of arrays that has no name of its own where the system can do without; one thread uses it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="stylecast-")  # noqa: SIM115  `close` closes it

    def __enter__(self) -> "ArraySpool":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def put(self, array: NDArray[Any]) -> int:
        """Store an array and return where.

        Raises:
            OutputError: the disk is full.
        """
        try:
            place = self._file.seek(0, 2)
            np.save(self._file, array)
            self._file.flush()
        except OSError as error:
            raise OutputError(
                f"cannot write to the folder of temporary files {tempfile.gettempdir()}: {error.strerror}; "
                "free space there, or set TMPDIR to another"
            ) from error
        return place

    def get(self, place: int) -> NDArray[Any]:
        self._file.seek(place)
        array: NDArray[Any] = np.load(self._file)
        return array

    def close(self) -> None:
        # What is left in the buffer of a full disk is not needed any more.
        with suppress(OSError):
            self._file.close()
