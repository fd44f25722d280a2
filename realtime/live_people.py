"""The mask of people in a live run: its network is opened when it is first wanted, and nobody waits for it."""

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .engine import Engine
from .errors import StylizeError
from .input_motion import Look
from .people_mask import Found, PeopleMask, as_seen, open_people_network
from .settings import Controls


class LivePeople:
    """Finds people once its network is open; until then everything is painted. `say` is told why it cannot be."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._network: Engine | None = None
        self._mask: PeopleMask | None = None
        self._opening: threading.Thread | None = None
        self._asking = threading.Lock()

    @property
    def is_open(self) -> bool:
        return self._mask is not None

    def open(self) -> None:
        """Open the network now, where it is wanted from the beginning.

        Raises:
            StyleError, EngineError: it cannot be.
        """
        self._network = open_people_network()
        self._mask = PeopleMask(self._network)

    def find(self, frame: NDArray[np.uint8]) -> Found | None:
        """Return what is found in a frame (H, W, 3), None while there is no network; any thread may call it."""
        if self._mask is not None:
            return self._mask.find(frame)
        with self._asking:
            if self._opening is None:
                self._opening = threading.Thread(target=self._open_later, args=(frame,), name="people", daemon=True)
                self._opening.start()
        return None

    def mix(
        self, frame: NDArray[np.uint8], painted: NDArray[np.uint8], found: Found, look: Look, controls: Controls
    ) -> NDArray[np.uint8]:
        """Do as `PeopleMask.mix`."""
        assert self._mask is not None, "something was found"
        return self._mask.mix(frame, painted, found, look, controls)

    def close(self) -> None:
        """Free the network; no frame may be on its way."""
        if self._opening is not None:
            self._opening.join()
        if self._network is not None:
            self._network.close()

    def _open_later(self, frame: NDArray[np.uint8]) -> None:
        try:
            network = open_people_network()
            network.infer(as_seen(frame))  # compiled for the size before frames wait for it
        except StylizeError as error:
            self._say(f"everything is painted: {error}")
            return
        self._network = network
        self._mask = PeopleMask(network)
