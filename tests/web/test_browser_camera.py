"""The camera of a browser, by a WebRTC peer in Python: stylised pictures come back, and nothing else is let in."""

import asyncio
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("aiortc", reason="the browser's camera needs the extra [web]")

import aioice.ice
from aiortc import MediaStreamError, MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from av import VideoFrame

import realtime
from realtime.live_source import PushSource
from realtime.web.server import WebServer

from .fake_session import FakeSession
from .timestamp import age_ms, read_stamp, stamped

SIZE = 320, 180
FRAMES = 30
# Encoded and decoded twice in software on a machine that does other work, too; around 60 ms when idle.
LATENCY_MAX_MS = 1500
TIMEOUT_S = 30

pytestmark = pytest.mark.skipif(
    not aioice.ice.get_host_addresses(True, False), reason="WebRTC needs a network address besides 127.0.0.1"
)
Start = Callable[..., WebServer]


class _Clock(MediaStreamTrack):
    """A camera that looks at a clock."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._index = 0

    async def recv(self) -> VideoFrame:
        await asyncio.sleep(1 / 30)
        frame = VideoFrame.from_ndarray(stamped(_now_ms(), *SIZE), format="rgb24")
        frame.pts, frame.time_base = self._index * 3000, Fraction(1, 90_000)
        self._index += 1
        return frame


@pytest.fixture
def camera() -> PushSource:
    return PushSource()


@pytest.fixture
def page(camera: PushSource, start: Start) -> Iterator[WebServer]:
    with FakeSession(camera) as session:
        server = start(camera=camera, of=session)
        yield server
        server.close()


def _now_ms() -> int:
    return round(time.monotonic() * 1000)


def _post(port: int, path: str, content: object) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    headers = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{port}"}
    connection.request("POST", path, json.dumps(content), headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


async def _call(port: int, *, frames: int, candidates: Sequence[str] = ()) -> list[tuple[int, np.ndarray]]:
    """Return (age in ms, picture) of what comes back; ages from the clock in the pixels."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    tracks: asyncio.Queue[MediaStreamTrack] = asyncio.Queue()
    peer.add_listener("track", tracks.put_nowait)
    peer.addTrack(_Clock())
    await peer.setLocalDescription(await peer.createOffer())
    sdp = peer.localDescription.sdp + "".join(f"a=candidate:{candidate}\r\n" for candidate in candidates)
    status, answer = await asyncio.to_thread(_post, port, "/offer", {"sdp": sdp})
    assert status == 200, answer
    await peer.setRemoteDescription(RTCSessionDescription(str(answer["sdp"]), "answer"))
    track = await tracks.get()
    seen: list[tuple[int, np.ndarray]] = []
    try:
        while len(seen) < frames:
            rgb = (await track.recv()).to_ndarray(format="rgb24")
            stamp = read_stamp(rgb)
            if stamp is not None:
                seen.append((age_ms(_now_ms(), stamp), rgb))
    finally:
        await peer.close()
    return seen


def test_stylised_pictures_come_back_in_time(page: WebServer) -> None:
    seen = asyncio.run(asyncio.wait_for(_call(page.port, frames=FRAMES), TIMEOUT_S))

    ages = sorted(age for age, _ in seen)
    assert ages[-1] < LATENCY_MAX_MS, ages
    rgb = seen[-1][1]
    assert rgb.shape == (SIZE[1], SIZE[0], 3)
    assert rgb[..., 2].mean() > 3 * rgb[..., 0].mean()  # the tone of the style


def test_the_next_browser_takes_over(page: WebServer) -> None:
    async def two_calls() -> None:
        first = asyncio.create_task(_call(page.port, frames=10_000))
        await asyncio.sleep(2)
        assert await _call(page.port, frames=3)
        with pytest.raises(MediaStreamError):
            await asyncio.wait_for(first, TIMEOUT_S)

    asyncio.run(asyncio.wait_for(two_calls(), 2 * TIMEOUT_S))


@pytest.mark.parametrize(
    "media",
    [[], ["audio"], ["video", "audio"], ["video", "video"], ["video", "data"]],
    ids=lambda media: "+".join(media) or "nothing",
)
def test_an_offer_of_anything_but_one_video_is_refused(page: WebServer, media: list[str]) -> None:
    async def offer() -> str:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        for kind in media:
            if kind == "data":
                peer.createDataChannel("data")
            else:
                peer.addTransceiver(kind)
        if not media:
            return "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
        await peer.setLocalDescription(await peer.createOffer())
        sdp = peer.localDescription.sdp
        await peer.close()
        return str(sdp)

    status, answer = _post(page.port, "/offer", {"sdp": asyncio.run(offer())})

    assert (status, answer) == (400, {"error": "the browser must offer one video and nothing else"})


@pytest.mark.parametrize("sdp", ["", "nonsense", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n", "\x00" * 1000])
def test_nonsense_is_refused_in_words(page: WebServer, sdp: str) -> None:
    status, answer = _post(page.port, "/offer", {"sdp": sdp})

    assert status == 400
    assert "offer" in str(answer["error"])


def test_nothing_is_sent_but_to_the_browser() -> None:
    """Addresses that an offer names, and names to be looked up in the network, are left alone."""
    named = ["9 1 udp 2130706431 203.0.113.7 9 typ host", "8 1 udp 2130706431 0000-1111.local 9 typ host"]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.web.watched_server", "browser"],
        cwd=Path(realtime.__file__).resolve().parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        asyncio.run(asyncio.wait_for(_call(port, frames=3, candidates=named), TIMEOUT_S))
        process.stdin.write("\n")
        process.stdin.flush()
        seen = json.loads(process.stdout.readline())

    attempts = seen["attempts"]
    assert seen["peers"] == []
    assert attempts.pop(0) == ["socket.getaddrinfo", "127.0.0.1"]  # the address that it listens on
    assert attempts
    assert {event for event, _ in attempts} == {"socket.sendto"}
    assert {address for _, address in attempts} <= set(aioice.ice.get_host_addresses(True, True))
