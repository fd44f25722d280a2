"""Serves the page from a thread of its own, with one event loop, until it is closed."""

import asyncio
import os
import secrets
import socket
import ssl
import threading
from ipaddress import ip_address

import uvicorn
from starlette.types import ASGIApp

from ..errors import UsageError
from ..live_session import LiveSession
from ..live_source import PushSource
from ..serve_settings import ServeSettings
from .app import PageApp
from .guard import TOKEN_PARAMETER, Admission, Guard

# What the system may hold back for a client that does not read. It would take megabytes otherwise, seconds of old
# pictures for who is slow.
SEND_BUFFER_BYTES = 256 * 1024
BACKLOG = 64
# Feeds end when they are asked to; only clients that hang are left when this has passed, and are let go. Whatever is
# left after the second, uvicorn leaves to itself with an error.
CLIENTS_TIMEOUT_S, SHUTDOWN_TIMEOUT_S = 0.7, 3
# Far more than a few pages and players need; the next one is told that the server is busy.
CONNECTIONS_MAX = 128
_ANY_ADDRESS = frozenset({"0.0.0.0", "::"})


class WebServer:
    """A running server of the page; `link` opens it, with the token where there is one. A context manager.

    Raises:
        UsageError: the address cannot be used, or the certificate cannot be read.
    """

    def __init__(self, session: LiveSession, settings: ServeSettings, *, camera: PushSource | None) -> None:
        token = (settings.token or secrets.token_urlsafe(32)) if settings.needs_token else None
        query = f"?{TOKEN_PARAMETER}={token}" if token else ""
        self._socket = _listen(settings)
        try:
            self.port: int = self._socket.getsockname()[1]
            self._page = PageApp(session, record_folder=settings.record_folder, camera=camera, address_query=query)
            admission = Admission(
                names=_own_names(settings),
                token=token,
                cookie=f"stylecast-{self.port}",  # browsers share cookies between the ports of a host
                is_https=settings.certificate is not None,
            )
            self._server = _Server(_config(Guard(self._page.asgi, admission), settings), self._page)
        except BaseException:
            self._socket.close()
            raise
        host = _shown_host(settings.host)
        scheme = "http" if settings.certificate is None else "https"
        self.address = f"{scheme}://{host}:{self.port}/"
        self.link = self.address + query
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="web server", daemon=True
        )
        self._thread.start()
        self._server.has_begun.wait()

    def __enter__(self) -> "WebServer":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End feeds, connections and the thread; may be called twice."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


class _Server(uvicorn.Server):
    """Says when it has begun, before which it cannot be ended, and ends the feeds before it waits for connections."""

    def __init__(self, config: uvicorn.Config, page: PageApp) -> None:
        super().__init__(config)
        self.has_begun = threading.Event()
        self._page = page

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.has_begun.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._page.end_streams()
        asyncio.get_running_loop().call_later(CLIENTS_TIMEOUT_S, self._let_clients_go)
        await super().shutdown(sockets)

    def _let_clients_go(self) -> None:
        """Throw away what waits for clients that do not read, whose sockets would stay open until they do."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def _config(app: ASGIApp, settings: ServeSettings) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="on",
        loop="asyncio",
        http="h11",
        log_config=None,
        log_level="error",
        access_log=False,  # addresses hold the token
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        limit_concurrency=CONNECTIONS_MAX,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"the certificate {settings.certificate} or its key cannot be read: {error}") from error
    return config


def _listen(settings: ServeSettings) -> socket.socket:
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"--host {settings.host}: there is no such address ({error.strerror})") from error
    try:
        if os.name == "posix":  # on Windows it would let another program take the port over
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"{settings.host} port {settings.port} cannot be used: {error.strerror}; give another: --serve PORT"
        ) from error
    return listener


def _own_names(settings: ServeSettings) -> frozenset[str]:
    """Return the names under which people may reach the page, besides localhost and addresses as numbers."""
    machine = socket.gethostname().lower()
    return frozenset() if not settings.needs_token else frozenset({settings.host.lower(), machine, f"{machine}.local"})


def _shown_host(host: str) -> str:
    if host in _ANY_ADDRESS:
        return socket.gethostname()
    try:
        return f"[{host}]" if ip_address(host).version == 6 else host
    except ValueError:
        return host
