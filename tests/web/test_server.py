"""The running server: feeds, slow clients, tokens, and that nothing is left when it has ended."""

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import cv2
import numpy as np
import pytest

pytest.importorskip("starlette", reason="the page needs the extra [web]")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from numpy.typing import NDArray

import realtime
from realtime.errors import UsageError
from realtime.serve_settings import ServeSettings
from realtime.web import app, limits, serve
from realtime.web.relay import BOUNDARY
from realtime.web.server import WebServer

from .fake_session import FPS, GREY, HEIGHT, WIDTH, FakeSession, wait_until
from .watched_server import CONTROL_ADDRESS

TIMEOUT_S = 10
Start = Callable[..., WebServer]


class Clients:
    """HTTP connections to a server, closed in the end or one by one."""

    def __init__(self) -> None:
        self._open: dict[http.client.HTTPResponse, http.client.HTTPConnection] = {}

    def get(self, server: WebServer, path: str) -> http.client.HTTPResponse:
        return self._request(server, "GET", path)

    def head(self, server: WebServer, path: str) -> http.client.HTTPResponse:
        return self._request(server, "HEAD", path)

    def post(self, server: WebServer, path: str, content: object) -> http.client.HTTPResponse:
        headers = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{server.port}"}
        return self._request(server, "POST", path, json.dumps(content), headers)

    def close(self, response: http.client.HTTPResponse) -> None:
        response.close()
        self._open.pop(response).close()

    def close_all(self) -> None:
        for response in list(self._open):
            self.close(response)

    def _request(self, server: WebServer, method: str, path: str, *rest: Any) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
        connection.request(method, path, *rest)
        response = connection.getresponse()
        self._open[response] = connection
        return response


@pytest.fixture
def clients() -> Iterator[Clients]:
    clients = Clients()
    yield clients
    clients.close_all()


def _parts(response: http.client.HTTPResponse) -> Iterator[tuple[dict[str, str], NDArray[np.uint8]]]:
    """Yield head and picture, (H, W, 3) RGB, of each part, as a player reads them."""
    while True:
        boundary = response.readline().strip()
        assert boundary == f"--{BOUNDARY}".encode()
        head = dict(line.decode().split(": ", 1) for line in iter(lambda: response.readline().strip(), b""))
        content = response.read(int(head["Content-Length"]))
        assert response.readline() == b"\r\n"
        yield head, cv2.cvtColor(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _bar_px(picture: NDArray[np.uint8]) -> int:
    """Return where the middle of the moving bar is."""
    line = picture[HEIGHT // 2].sum(-1, dtype=np.int32)
    return round(float(np.flatnonzero(2 * line > line.max() + np.median(line)).mean()))


def _open_sockets() -> int:
    """Return how many sockets this process has open; 0 where the system does not tell."""
    folder = Path("/proc/self/fd")
    links = [os.readlink(path) for path in folder.iterdir() if path.is_symlink()] if folder.exists() else []
    return sum(link.startswith("socket:") for link in links)


def _own_certificate() -> bytes:
    """Return a certificate for 127.0.0.1 and its key as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(encoding) + private


@pytest.fixture
def small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the small pictures of the fake session fill what is held back for a client within a few frames."""
    monkeypatch.setattr("realtime.web.server.SEND_BUFFER_BYTES", 4096)


def _stalled_client(server: WebServer) -> socket.socket:
    """Return a client that has asked for the feed and never reads."""
    client = socket.create_connection(("127.0.0.1", server.port))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(b"GET /feed.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return client


def test_the_feed_moves(start: Start, clients: Clients) -> None:
    response = clients.get(start(), "/feed.mjpg")
    parts = _parts(response)

    pictures = [next(parts)[1] for _ in range(5)]

    assert response.getheader("content-type") == f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    assert pictures[0].shape == (HEIGHT, WIDTH, 3)
    assert len({_bar_px(picture) for picture in pictures}) == len(pictures)


def test_the_feed_for_comparing_has_the_input_on_the_left(start: Start, clients: Clients) -> None:
    head, picture = next(_parts(clients.get(start(), "/feed.mjpg?view=both")))

    assert int(head["X-Input-Width"]) == WIDTH
    assert picture.shape == (HEIGHT, 2 * WIDTH, 3)
    left, right = np.median(picture[:, :WIDTH], (0, 1)), np.median(picture[:, WIDTH:], (0, 1))
    assert np.abs(left - GREY).max() < 8
    assert right[2] > 2 * right[0]


def test_the_feed_tells_when_its_pictures_were_captured(start: Start, clients: Clients) -> None:
    began_s = time.time()
    parts = _parts(clients.get(start(), "/feed.mjpg"))

    captured_s = [float(next(parts)[0]["X-Timestamp"]) for _ in range(5)]

    assert began_s - 1 < captured_s[0]
    assert captured_s[-1] <= time.time()
    assert captured_s == sorted(set(captured_s))


def test_an_unknown_view_is_refused(start: Start, clients: Clients) -> None:
    assert clients.get(start(), "/feed.mjpg?view=../x").status == 400


def test_ffmpeg_plays_the_feed_as_obs_and_players_do(start: Start) -> None:
    with av.open(f"{start().address}feed.mjpg", timeout=TIMEOUT_S) as container:
        frames = [frame for frame, _ in zip(container.decode(video=0), range(3), strict=False)]

    assert {(frame.width, frame.height) for frame in frames} == {(WIDTH, HEIGHT)}


@pytest.mark.parametrize("path", ["/feed.mjpg", "/events"])
def test_asking_for_the_head_of_a_stream_ends(start: Start, clients: Clients, path: str) -> None:
    response = clients.head(start(), path)

    assert response.status == 200
    assert response.read() == b""


def test_an_upload_that_stops_halfway_is_cut_off(
    start: Start, any_style: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BODY_TIMEOUT_S", 0.3)
    server = start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) as client:
        origin = f"http://127.0.0.1:{server.port}"
        head = f"POST /picture HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nOrigin: {origin}\r\n"
        client.sendall(f"{head}Content-Length: 1000\r\n\r\nhalf".encode())

        assert b" 408 " in client.recv(1000)


def test_every_open_page_hears_of_a_change_of_one(start: Start, clients: Clients) -> None:
    server = start()
    pages = [clients.get(server, "/events") for _ in range(2)]

    answer = clients.post(server, "/controls", {"strength": 0.3})

    assert answer.status == 200
    for page in pages:
        states = (json.loads(line[5:]) for line in page if line.startswith(b"data:"))
        assert next(state for state in states if state["controls"]["strength"] == 0.3)


def test_a_fault_of_the_camera_is_told_in_words(start: Start, session: FakeSession, clients: Clients) -> None:
    session.message = "the camera is unplugged"

    events = clients.get(start(), "/events")

    state = next(json.loads(line[5:]) for line in events if line.startswith(b"data:"))
    assert state["message"] == "the camera is unplugged"


@pytest.mark.usefixtures("small_buffers")
def test_a_client_that_does_not_read_delays_nobody(start: Start, session: FakeSession, clients: Clients) -> None:
    server = start()
    stalled = [_stalled_client(server) for _ in range(2)]
    parts = _parts(clients.get(server, "/feed.mjpg"))
    next(parts)
    before, began_s = session.frames, time.monotonic()

    pictures = [next(parts) for _ in range(FPS)]

    made = session.frames - before
    assert len(pictures) >= 0.6 * made  # 1.0 on an idle machine
    assert time.monotonic() - began_s < TIMEOUT_S
    for client in stalled:
        client.close()


def test_frames_are_taken_only_while_somebody_looks(start: Start, session: FakeSession, clients: Clients) -> None:
    server = start()
    assert not session.subscriptions

    for _ in range(2):  # the second reader finds what the first has left
        response = clients.get(server, "/feed.mjpg")
        next(_parts(response))
        assert [subscription.name for subscription in session.subscriptions] == ["web"]
        clients.close(response)
        wait_until(lambda: not session.subscriptions)


def test_the_number_of_streams_is_bounded(start: Start, monkeypatch: pytest.MonkeyPatch, clients: Clients) -> None:
    monkeypatch.setattr(app, "STREAMS_MAX", 2)
    server = start()
    open_feeds = [clients.get(server, "/feed.mjpg") for _ in range(2)]
    wait_until(lambda: clients.get(server, "/feed.mjpg").status == 503)

    clients.close(open_feeds[0])

    wait_until(lambda: clients.get(server, "/feed.mjpg").status == 200)


@pytest.mark.usefixtures("small_buffers")
@pytest.mark.parametrize("client", ["feed.mjpg", "events", "stalled", "half a request"])
def test_nothing_is_left_when_it_has_ended(
    session: FakeSession, clients: Clients, caplog: pytest.LogCaptureFixture, client: str
) -> None:
    threads, sockets = set(threading.enumerate()), _open_sockets()
    server = serve(session, ServeSettings(port=0))
    connection: socket.socket | None = None
    if client == "stalled":
        connection = _stalled_client(server)
        time.sleep(2)  # until all buffers are full, asyncio's too
    elif client == "half a request":
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(b"POST /picture HTTP/1.1\r\nHost: local")
    else:
        next(iter(clients.get(server, f"/{client}")))

    began_s = time.monotonic()
    server.close()
    server.close()

    assert time.monotonic() - began_s < 5
    assert set(threading.enumerate()) <= threads
    assert not session.subscriptions
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=1)
    if connection:
        connection.close()
    clients.close_all()
    assert _open_sockets() <= sockets


def test_this_machine_needs_no_token(start: Start, clients: Clients) -> None:
    server = start()

    assert server.link == f"http://127.0.0.1:{server.port}/"
    assert clients.get(server, "/").status == 200


def test_other_machines_need_the_token_of_the_link(start: Start, clients: Clients) -> None:
    server = start(host="0.0.0.0")
    other = start(host="0.0.0.0")

    link = urlsplit(server.link)
    assert link.hostname == socket.gethostname().lower()
    assert len(link.query) > 40
    assert link.query != urlsplit(other.link).query
    assert clients.get(server, "/").status == 401
    assert clients.get(server, f"/feed.mjpg?{link.query}").status == 200


def test_the_page_listens_on_this_machine_alone(start: Start) -> None:
    server = start()

    with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
        socket.create_connection(("127.0.0.2", server.port), timeout=1)


def test_a_port_in_use_is_named(start: Start, session: FakeSession) -> None:
    port = start().port

    with pytest.raises(UsageError, match=f"port {port} cannot be used"):
        serve(session, ServeSettings(port=port))


def test_an_address_of_another_machine_is_named(session: FakeSession) -> None:
    with pytest.raises(UsageError, match=r"203\.0\.113\.7"):
        serve(session, ServeSettings(port=0, host="203.0.113.7"))


def test_a_certificate_that_cannot_be_read_is_named(session: FakeSession, tmp_path: Path) -> None:
    certificate = tmp_path / "none.pem"

    with pytest.raises(UsageError, match=r"none\.pem"):
        serve(session, ServeSettings(port=0, certificate=certificate))


def test_the_page_is_served_by_https(start: Start, tmp_path: Path) -> None:
    certificate = tmp_path / "own.pem"
    certificate.write_bytes(_own_certificate())

    server = start(certificate=certificate)

    context = ssl.create_default_context(cafile=str(certificate))
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=TIMEOUT_S, context=context)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()
    assert server.link.startswith("https://")


def test_a_missing_extra_is_named(session: FakeSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "realtime.web.server", None)
    monkeypatch.delattr("realtime.web.server", raising=False)

    with pytest.raises(UsageError, match=r"stylecast\[web\]"):
        serve(session, ServeSettings(port=0))


def test_no_outgoing_connection_is_made_by_a_live_run_with_its_page() -> None:
    root = Path(realtime.__file__).resolve().parent.parent
    with subprocess.Popen(
        [sys.executable, "-m", "tests.web.watched_server"],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        for path in ("/", "/static/page.js", "/description", "/snapshot.jpg", "/events", "/feed.mjpg"):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
            connection.request("GET", path)
            assert connection.getresponse().read(10)
            connection.close()
        process.stdin.write("\n")
        process.stdin.flush()
        seen = json.loads(process.stdout.readline())

    assert seen["attempts"] == [["socket.getaddrinfo", "127.0.0.1"]]  # the address that it listens on
    assert seen["peers"] == []
    # Where there is no network, or no /proc, there is nothing to see.
    assert seen["control"] in ([CONTROL_ADDRESS], [])
