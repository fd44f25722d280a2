"""The feed of a running server: its pictures, its players, and clients that do not read."""

import http.client
import time
from collections.abc import Callable, Iterator

import av
import cv2
import numpy as np
import pytest

pytest.importorskip("starlette", reason="the page needs the extra [web]")

from numpy.typing import NDArray

from realtime.web import app
from realtime.web.relay import BOUNDARY
from realtime.web.server import WebServer

from .clients import TIMEOUT_S, Clients, stalled_client
from .fake_session import FPS, GREY, HEIGHT, WIDTH, FakeSession, wait_until

Start = Callable[..., WebServer]


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


def test_players_get_no_more_than_they_take_it_for_and_browsers_all(
    start: Start, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "PLAYER_FPS_MAX", 10)
    server = start()

    def rate(headers: dict[str, str]) -> float:
        parts = _parts(clients.get(server, "/feed.mjpg", headers=headers))
        began_s = float(next(parts)[0]["X-Timestamp"])
        for _ in range(FPS):
            head, _ = next(parts)
        return FPS / (float(head["X-Timestamp"]) - began_s)

    assert rate({}) < 11  # the first ones may come at once
    assert rate({"Sec-Fetch-Mode": "cors"}) > 15


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


@pytest.mark.usefixtures("small_buffers")
def test_a_client_that_does_not_read_delays_nobody(start: Start, session: FakeSession, clients: Clients) -> None:
    server = start()
    stalled = [stalled_client(server) for _ in range(2)]
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
