"""Arrays on the disk: they come back as they were, and a full disk is told in one line."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from realtime.array_spool import ArraySpool
from realtime.errors import OutputError


def test_arrays_come_back_in_any_order() -> None:
    arrays = [np.full((3, 2), value, dtype) for value, dtype in ((1, np.int16), (2, np.uint8), (3, np.float32))]

    with ArraySpool() as spool:
        places = [spool.put(array) for array in arrays]
        for place, array in reversed(list(zip(places, arrays, strict=True))):
            found = spool.get(place)
            assert found.dtype == array.dtype
            assert np.array_equal(found, array)


@pytest.mark.skipif(not Path("/dev/full").exists() or sys.platform != "linux", reason="a device that is always full")
def test_a_full_disk_is_told_even_of_an_array_that_fits_into_the_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: open("/dev/full", "w+b"))  # noqa: SIM115

    with pytest.raises(OutputError, match="free space there"), ArraySpool() as spool:
        spool.put(np.zeros(4, np.uint8))
