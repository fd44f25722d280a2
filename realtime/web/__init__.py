"""The page that shows and drives a live run in a browser: `serve` is the way in. Needs the extra `[web]`.

Nothing in here reaches out: it answers to who comes, from this machine alone unless told otherwise.
"""

from typing import TYPE_CHECKING

from ..errors import UsageError
from ..serve_settings import ServeSettings

if TYPE_CHECKING:
    from ..live_session import LiveSession
    from ..live_source import PushSource
    from .server import WebServer

__all__ = ["serve"]


def serve(session: "LiveSession", settings: ServeSettings, *, camera: "PushSource | None" = None) -> "WebServer":
    """Return a running server of the page, to be used as a context manager; its `link` is what people open.

    `camera` is the source of the session where pictures come from the browser.

    Raises:
        UsageError: the address cannot be used, or the extra is not installed.
    """
    try:
        from .server import WebServer
    except ModuleNotFoundError as error:
        raise UsageError(f"the page needs {error.name}; install it: pip install 'stylecast[web]'") from error
    return WebServer(session, settings, camera=camera)
