"""Clients of a running server, well-behaved and not."""

import http.client
import json
import socket
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realtime.web.server import WebServer

TIMEOUT_S = 10


class Clients:
    """HTTP connections to a server, closed in the end or one by one."""

    def __init__(self) -> None:
        self._open: dict[http.client.HTTPResponse, http.client.HTTPConnection] = {}

    def get(
        self, server: "WebServer", path: str, *, headers: Mapping[str, str] = MappingProxyType({})
    ) -> http.client.HTTPResponse:
        return self._request(server, "GET", path, None, dict(headers))

    def head(self, server: "WebServer", path: str) -> http.client.HTTPResponse:
        return self._request(server, "HEAD", path)

    def post(self, server: "WebServer", path: str, content: object) -> http.client.HTTPResponse:
        headers = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{server.port}"}
        return self._request(server, "POST", path, json.dumps(content), headers)

    def close(self, response: http.client.HTTPResponse) -> None:
        response.close()
        self._open.pop(response).close()

    def close_all(self) -> None:
        for response in list(self._open):
            self.close(response)

    def _request(self, server: "WebServer", method: str, path: str, *rest: Any) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
        connection.request(method, path, *rest)
        response = connection.getresponse()
        self._open[response] = connection
        return response


def stalled_client(server: "WebServer") -> socket.socket:
    """Return a client that has asked for the feed and never reads."""
    client = socket.create_connection(("127.0.0.1", server.port))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(b"GET /feed.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return client
