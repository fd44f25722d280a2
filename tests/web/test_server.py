"""The running server: pages, addresses, tokens, and that nothing is left when it has ended."""

import contextlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("starlette", reason="the page needs the extra [web]")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import realtime
from realtime.errors import UsageError
from realtime.serve_settings import ServeSettings
from realtime.web import limits, serve
from realtime.web.server import WebServer

from .clients import TIMEOUT_S, Clients, stalled_client
from .fake_session import FakeSession
from .watched_server import CONTROL_ADDRESS

Start = Callable[..., WebServer]


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


def test_an_upload_that_stops_halfway_is_cut_off(
    start: Start, any_style: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BODY_TIMEOUT_S", 0.3)
    server = start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) as client:
        client.sendall(_upload_head(server) + b"Content-Length: 1000\r\n\r\nhalf")

        assert b" 408 " in client.recv(1000)


def test_a_change_that_comes_slowly_takes_no_other_one_back(
    start: Start, session: FakeSession, clients: Clients
) -> None:
    server = start()
    head = f"POST /controls HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nOrigin: http://127.0.0.1:{server.port}\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) as slow:
        slow.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 15\r\n\r\n".encode())
        time.sleep(0.2)  # the server waits for the rest
        assert clients.post(server, "/controls", {"strength": 0.3}).status == 200
        slow.sendall(b'{"mirror":true}')

        assert b" 200 " in slow.recv(1000)
    assert (session.controls.mirror, session.controls.strength) == (True, 0.3)


def test_an_upload_that_is_longer_than_it_said_is_cut_off(start: Start, any_style: None) -> None:
    server = start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) as client:
        client.sendall(_upload_head(server) + b"Content-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"%x\r\n%s\r\n" % (1_000_000, bytes(1_000_000))
        with contextlib.suppress(OSError):  # it hangs up
            for _ in range(40):
                client.sendall(chunk)

        assert b" 413 " in client.recv(1000)


def test_an_upload_that_is_broken_off_is_no_fault(
    start: Start, any_style: None, caplog: pytest.LogCaptureFixture
) -> None:
    server = start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) as client:
        client.sendall(_upload_head(server) + b"Content-Length: 1000\r\n\r\nhalf")
        time.sleep(0.2)
    time.sleep(0.3)

    assert not caplog.records


def _upload_head(server: WebServer) -> bytes:
    address = f"127.0.0.1:{server.port}"
    return f"POST /picture HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\n".encode()


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
@pytest.mark.parametrize("client", ["feed.mjpg", "events", "stalled", "half a request"])
def test_nothing_is_left_when_it_has_ended(
    session: FakeSession, clients: Clients, caplog: pytest.LogCaptureFixture, client: str
) -> None:
    threads, sockets = set(threading.enumerate()), _open_sockets()
    server = serve(session, ServeSettings(port=0))
    connection: socket.socket | None = None
    if client == "stalled":
        connection = stalled_client(server)
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
