"""Who is let in: other web pages, other names and people without the token are refused before anything happens."""

from collections.abc import Iterator

import pytest

pytest.importorskip("starlette", reason="the page needs the extra [web]")

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from realtime.web.guard import Admission, Guard

TOKEN = "the-right-token"
OWN = "http://127.0.0.1:8765"


def _client(admission: Admission) -> TestClient:
    async def reached(_: Request) -> PlainTextResponse:
        return PlainTextResponse("reached")

    routes = [Route(path, reached, methods=["GET", "POST"]) for path in ("/", "/feed", "/feed.mjpg", "/controls")]
    return TestClient(Guard(Starlette(routes=routes), admission), base_url=OWN, follow_redirects=False)


@pytest.fixture
def open_to_this_machine() -> Iterator[TestClient]:
    with _client(Admission()) as client:
        yield client


@pytest.fixture
def behind_token() -> Iterator[TestClient]:
    with _client(Admission(names=frozenset({"studio"}), token=TOKEN)) as client:
        yield client


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST", "[::1]:8765", "192.168.1.7:1"])
def test_addresses_and_localhost_are_known_hosts(open_to_this_machine: TestClient, host: str) -> None:
    assert open_to_this_machine.get("/feed.mjpg", headers={"host": host}).text == "reached"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8765", "studio", "", "a:b:c", "[::1"]
)
def test_other_names_are_refused_so_that_no_one_rebinds_dns(open_to_this_machine: TestClient, host: str) -> None:
    response = open_to_this_machine.get("/", headers={"host": host})

    assert response.status_code == 400


def test_the_name_that_was_given_is_a_known_host(behind_token: TestClient) -> None:
    response = behind_token.get(f"/feed.mjpg?token={TOKEN}", headers={"host": "studio:8765"})

    assert response.text == "reached"


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://127.0.0.1:3000",
        "http://localhost:8765",
        "http://127.0.0.1:87650",
        "http://[",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_requests_of_other_origins_are_refused(open_to_this_machine: TestClient, origin: str, method: str) -> None:
    response = open_to_this_machine.request(method, "/controls", headers={"origin": origin})

    assert response.status_code == 403


def test_a_post_needs_an_origin(open_to_this_machine: TestClient) -> None:
    assert open_to_this_machine.post("/controls").status_code == 403
    assert open_to_this_machine.post("/controls", headers={"origin": OWN}).text == "reached"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pictures_and_frames_of_other_pages_get_nothing(open_to_this_machine: TestClient, site: str) -> None:
    picture = open_to_this_machine.get("/feed.mjpg", headers={"sec-fetch-site": site, "sec-fetch-dest": "image"})
    frame = open_to_this_machine.get("/", headers={"sec-fetch-site": site, "sec-fetch-dest": "iframe"})
    link = open_to_this_machine.get("/", headers={"sec-fetch-site": site, "sec-fetch-dest": "document"})

    assert (picture.status_code, frame.status_code) == (403, 403)
    assert link.text == "reached"


def test_without_the_token_nothing_is_reached(behind_token: TestClient) -> None:
    for path in ("/", "/feed.mjpg", "/feed.mjpg?token=", "/feed.mjpg?token=wrong", "/nowhere"):
        assert behind_token.get(path).status_code == 401
    assert behind_token.get("/feed.mjpg", headers={"cookie": "stylecast=wrong"}).status_code == 401
    assert behind_token.post("/controls", headers={"origin": OWN}).status_code == 401


def test_the_link_leaves_a_cookie_and_an_address_without_the_token(behind_token: TestClient) -> None:
    response = behind_token.get(f"/feed?token={TOKEN}&view=both")

    assert response.status_code == 303
    assert response.headers["location"] == "/feed?view=both"
    assert "HttpOnly" in response.headers["set-cookie"]
    assert behind_token.post("/controls", headers={"origin": OWN}).text == "reached"


def test_players_may_keep_the_token_in_the_address(behind_token: TestClient) -> None:
    response = behind_token.get(f"/feed.mjpg?token={TOKEN}")

    assert response.text == "reached"
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("path", ["/", "/nowhere"])
def test_every_response_keeps_browsers_strict(open_to_this_machine: TestClient, path: str) -> None:
    headers = open_to_this_machine.get(path).headers

    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert not [name for name in headers if name.startswith("access-control")]


def test_refusals_have_the_headers_too(open_to_this_machine: TestClient) -> None:
    headers = open_to_this_machine.get("/", headers={"host": "evil.example"}).headers

    assert headers["x-content-type-options"] == "nosniff"
