"""Clients of the page for `benchmarks.live`: one that reads the feed, one that never does, one for the figures."""

import http.client
import json
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any

TIMEOUT_S = 30.0
# What a client that does not read takes in all the same.
STALLED_BUFFER_BYTES = 4096


@dataclass(slots=True)
class FeedClient:
    """Reads `/feed.mjpg` to its end in a thread; `latencies_s` from capture to the last byte of each picture."""

    port: int
    latencies_s: list[float] = field(default_factory=list)
    arrived_s: list[float] = field(default_factory=list)
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._read, name="feed client", daemon=True)
        self.thread.start()

    @property
    def fps(self) -> float:
        times_s = self.arrived_s
        return (len(times_s) - 1) / (times_s[-1] - times_s[0]) if len(times_s) > 1 else 0.0

    def _read(self) -> None:
        try:
            feed = _get(self.port, "/feed.mjpg")
            while feed.readline():  # the boundary
                head = dict(line.decode().split(": ", 1) for line in iter(lambda: feed.readline().strip(), b""))
                feed.read(int(head["Content-Length"]))
                self.latencies_s.append(time.time() - float(head["X-Timestamp"]))
                self.arrived_s.append(time.monotonic())
                feed.readline()
        except (OSError, http.client.HTTPException, KeyError):
            pass  # the server has ended, perhaps within a picture


@dataclass(slots=True)
class StateReader:
    """Follows `/events` in a thread; `figures` holds (time in s, what the page shows) whenever it changed."""

    port: int
    figures: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._read, name="state reader", daemon=True)
        self.thread.start()

    def sizes(self) -> list[tuple[float, str]]:
        """Return the sizes at which the network ran, each with its time in seconds after the first."""
        changes: list[tuple[float, str]] = []
        for at_s, figures in self.figures:
            size = figures["size"].partition(" ")[0]
            if size[0].isdigit() and (not changes or changes[-1][1] != size):
                changes.append((at_s, size))
        return [(at_s - changes[0][0], size) for at_s, size in changes]

    def _read(self) -> None:
        try:
            for line in _get(self.port, "/events"):
                if not line.startswith(b"data:"):
                    continue
                state = json.loads(line[5:])
                self.figures.append((time.monotonic(), state["figures"]))
                if state["message"] not in ("", *self.messages):
                    self.messages.append(state["message"])
        except (OSError, http.client.HTTPException):
            pass  # the server has ended


def stall(port: int) -> socket.socket:
    """Return a client that has asked for the feed and never reads."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, STALLED_BUFFER_BYTES)
    client.connect(("127.0.0.1", port))
    client.sendall(b"GET /feed.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return client


def _get(port: int, path: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request("GET", path)
    return connection.getresponse()
