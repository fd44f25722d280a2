"""A live run as its users see it: the window, the page, the virtual camera and the command talk to a `LiveSession`.

    source -> capture -> network -> smooth, finish -> one slot for each consumer

Every method may be called from any thread and none waits for the network.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .live_frame import LiveFrame, Subscription
from .live_settings import LiveControls, LiveSettings
from .live_source import LiveSource
from .live_status import LiveStatus
from .picture import Picture
from .style_choice import StyleChoice


class LiveSession:
    """A live run of `source` with `style`; threads start in `__enter__` and have ended after `__exit__`.

    Raises:
        StylizeError: on entering, where style or engine cannot be used; on leaving, the first error of a thread.
    """

    def __init__(
        self,
        source: LiveSource,
        style: StyleChoice,
        *,
        settings: LiveSettings,
        controls: LiveControls,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        raise NotImplementedError

    def __enter__(self) -> "LiveSession":
        raise NotImplementedError

    def __exit__(self, *exception: object) -> None:
        raise NotImplementedError

    @property
    def controls(self) -> LiveControls:
        """The controls in force; set others to use them from the next frame on."""
        raise NotImplementedError

    @controls.setter
    def controls(self, controls: LiveControls) -> None:
        raise NotImplementedError

    def styles(self) -> tuple[StyleChoice, ...]:
        """Return the styles that `next_style` goes through: the catalogue's that stand alone, and the one given."""
        raise NotImplementedError

    def set_style(self, choice: StyleChoice) -> None:
        """Change over to `choice` as soon as it is loaded, in less than half a second; the last call wins.

        Returns at once. A style that cannot be loaded leaves the present one and is told in `status().message`.
        """
        raise NotImplementedError

    def step_style(self, step: int) -> None:
        """Change over to the style that is `step` places further in `styles()`, cyclically."""
        raise NotImplementedError

    def set_pictures(self, pictures: Sequence[tuple[str, Picture]], weights: Sequence[float]) -> None:
        """Change over to a mix of up to `MIXED_STYLES_MAX` pictures in an any-style model, `(name, picture)` each.

        Returns at once. Each `Picture` object is encoded once, as long as it is in use: with the same objects
        other weights take effect on the next frame. Weights are at least 0 and not all of them 0.

        Raises:
            UsageError: no any-style model here, too many pictures, or weights that do not go with them.
        """
        raise NotImplementedError

    def status(self) -> LiveStatus:
        raise NotImplementedError

    def subscribe(self, name: str, *, depth: int = 1) -> Subscription:
        """Return a new slot that gets every frame from now on; give it back to `unsubscribe`."""
        raise NotImplementedError

    def unsubscribe(self, subscription: Subscription) -> None:
        """Close a slot; may be called twice."""
        raise NotImplementedError

    def start_recording(self, path: Path) -> None:
        """Record the output to a new file from the next frame on; what was written so far plays even after a kill.

        Raises:
            UsageError: something is being recorded already, the file exists, or its suffix is unknown.
            OutputError: the encoder or the folder cannot be used.
        """
        raise NotImplementedError

    def stop_recording(self) -> Path | None:
        """Finish the recording and return its path, None if there was none."""
        raise NotImplementedError

    def snapshot(self) -> LiveFrame | None:
        """Return the newest frame, None before the first."""
        raise NotImplementedError

    def wait(self, timeout_s: float) -> bool:
        """Wait until the run ends (the source is exhausted or a thread failed); tell whether it has."""
        raise NotImplementedError
