"""Feeds a virtual camera from a live run, in a thread of its own."""

import threading

from .errors import StylizeError
from .live_session import LiveSession
from .virtual_camera import VirtualCamera

VCAM_SINK = "virtual camera"
_WAIT_S = 0.2
_JOIN_TIMEOUT_S = 5.0


class VirtualCameraFeed:
    """Sends each newest frame of `session` to `camera` until closed; a camera that fails ends the feed alone."""

    def __init__(self, session: LiveSession, camera: VirtualCamera) -> None:
        self._session = session
        self._camera = camera
        self._slot = session.subscribe(VCAM_SINK)
        self._thread = threading.Thread(target=self._work, name="virtual camera", daemon=True)
        self._thread.start()

    def __enter__(self) -> "VirtualCameraFeed":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._session.unsubscribe(self._slot)
        self._thread.join(_JOIN_TIMEOUT_S)
        self._camera.close()

    def _work(self) -> None:
        try:
            while not self._slot.is_closed:
                frame = self._slot.wait(_WAIT_S)
                if frame is not None:
                    self._camera.send(frame.output)
                    self._slot.shown(frame)
        except StylizeError as error:
            self._fail(str(error))
        except Exception as error:  # the border of the thread: the run goes on without its camera
            self._fail(f"the virtual camera fails: {type(error).__name__}: {' '.join(str(error).split())}")

    def _fail(self, fault: str) -> None:
        self._session.say(VCAM_SINK, fault)
        self._session.unsubscribe(self._slot)
