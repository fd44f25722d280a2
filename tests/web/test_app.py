"""Every route: what it does to the session, and what it refuses in words."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the page needs the extra [web]")

from PIL import Image
from starlette.testclient import TestClient

from realtime.errors import OutputError
from realtime.settings import MIXED_STYLES_MAX
from realtime.web import app as app_module
from realtime.web import style_pictures
from realtime.web.app import PageApp
from realtime.web.control_options import control_values
from realtime.web.limits import RateLimit

from .fake_session import TONES, FakeSession, wait_until

MakeClient = Callable[..., TestClient]


@pytest.fixture
def make_client(session: FakeSession, tmp_path: Path) -> Iterator[MakeClient]:
    clients = []

    def make(record_folder: Path | None = tmp_path) -> TestClient:
        page = PageApp(session, record_folder=record_folder, camera=None)
        client = TestClient(page.asgi, raise_server_exceptions=False)
        clients.append(client.__enter__())
        return client

    yield make
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(make_client: MakeClient, any_style: None) -> TestClient:
    return make_client()


def _png(tone: tuple[int, int, int], size: tuple[int, int] = (64, 48)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, tone).save(buffer, "PNG")
    return buffer.getvalue()


def _add(client: TestClient, content: bytes, name: str = "mine.png") -> object:
    return client.post("/picture", params={"name": name}, content=content)


def test_every_key_that_is_offered_without_a_button_is_taken(client: TestClient, session: FakeSession) -> None:
    keys = client.get("/description").json()["keys"]
    characters = "".join(key["characters"] for key in keys if key["button"] is None)

    for character in characters:
        assert client.post("/key", json={"key": character}).status_code == 200, character

    assert set("npbcma[]-+") <= set(characters)
    assert {key["button"] for key in keys} == {None, "record", "snapshot", "full"}


@pytest.mark.parametrize(
    ("key", "changed"),
    [
        ("m", {"mirror": True}),
        ("C", {"keep_colors": True}),
        ("b", {"split": "wipe"}),
        ("o", {"paint": "people"}),
        ("[", {"smoothing": 0.7}),
        ("+", {"size": 240}),  # the fake network runs at 180
    ],
)
def test_a_key_changes_the_controls(client: TestClient, session: FakeSession, key: str, changed: object) -> None:
    before = session.controls

    answer = client.post("/key", json={"key": key}).json()

    assert session.controls == replace(before, **changed)
    assert answer["controls"] == control_values(session.controls)


def test_a_style_that_a_key_has_chosen_is_not_changed_with_the_pictures(
    client: TestClient, session: FakeSession
) -> None:
    _add(client, _png((200, 0, 0)))
    first, second = _add(client, _png((0, 0, 200))).json()["pictures"]

    chosen = client.post("/key", json={"key": "n"}).json()["style"]
    client.post("/remove", json={"id": first["id"]})

    assert second["id"]
    assert chosen in [choice.label for choice in session.styles()]
    assert session.status().style == chosen


@pytest.mark.parametrize("key", ["q", "r", "x", "", "nn", "é", "\n", 5])
def test_other_keys_are_refused(client: TestClient, session: FakeSession, key: object) -> None:
    before = session.controls

    assert client.post("/key", json={"key": key}).status_code == 400
    assert session.controls == before


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/feed", "text/html"),
        ("/static/page.js", "text/javascript"),
        ("/static/page.css", "text/css"),
        ("/static/icon.svg", "image/svg+xml"),
        ("/thumbnails/starry-night.jpg", "image/jpeg"),
    ],
)
def test_the_page_is_served_with_its_types(client: TestClient, path: str, kind: str) -> None:
    response = client.get(path)

    assert response.status_code == 200
    assert response.headers["content-type"].split(";")[0] == kind
    assert response.content


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e%2fapp.py",
        "/static/app.py",
        "/thumbnails/../catalogue.json",
        "/thumbnails/..%2f..%2fREADME.jpg",
        "/thumbnails/unknown.jpg",
        "/pictures/unknown.jpg",
        "/recording",
        "/recording/../../etc/passwd",
    ],
)
def test_no_path_of_a_client_is_opened(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_page_holds_no_address_of_anybody_else() -> None:
    for path in app_module.STATIC_FOLDER.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text.replace("HTTPS", "")
        assert 'src="//' not in text


def test_the_description_declares_every_control(client: TestClient) -> None:
    description = client.get("/description").json()

    kinds = {option["name"]: option["kind"] for option in description["options"]}
    assert kinds == {
        "strength": "range",
        "smoothing": "range",
        "keep_colors": "switch",
        "paint": "choice",
        "split": "choice",
        "mirror": "switch",
        "size": "choice",
    }
    assert all(option["help"] for option in description["options"])
    assert "starry-night" in [style["name"] for style in description["styles"]]


@pytest.mark.parametrize(
    ("changes", "name", "value"),
    [
        ({"strength": 0.25}, "strength", 0.25),
        ({"smoothing": 0}, "smoothing", 0.0),
        ({"keep_colors": True}, "keep_colors", True),
        ({"split": "wipe"}, "split", "wipe"),
        ({"split": "off"}, "split", None),
        ({"paint": "background"}, "paint", "background"),
        ({"paint": "everything"}, "paint", None),
        ({"size": "360"}, "size", 360),
        ({"size": "auto"}, "size", None),
    ],
)
def test_controls_are_changed(
    client: TestClient, session: FakeSession, changes: dict[str, object], name: str, value: object
) -> None:
    response = client.post("/controls", json=changes)

    assert response.json()["controls"].keys() >= changes.keys()
    assert getattr(session.controls, name) == value


@pytest.mark.parametrize(
    "changes",
    [
        {"strength": 1.5},
        {"strength": "nan"},
        {"strength": True},
        {"strength": None},
        {"keep_colors": "yes"},
        {"split": "across"},
        {"split": ["wipe"]},
        {"paint": "off"},
        {"size": "12"},
        {"size": 1e300},
        {"unknown": 1},
        {"__class__": 1},
        [],
        "strength",
    ],
)
def test_controls_that_cannot_be_are_refused_in_words(
    client: TestClient, session: FakeSession, changes: object
) -> None:
    before = session.controls

    response = client.post("/controls", json=changes)

    assert response.status_code == 400
    assert response.json()["error"]
    assert session.controls == before


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[" * 50_000, "application/json", 400),
        (b"\xff\xfe{}", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b" " * (app_module.JSON_BYTES_MAX + 1), "application/json", 413),
    ],
)
def test_what_is_no_json_is_refused(client: TestClient, content: bytes, kind: str, status: int) -> None:
    response = client.post("/controls", content=content, headers={"content-type": kind})

    assert response.status_code == status


def test_a_style_is_chosen_by_its_name(client: TestClient) -> None:
    assert client.post("/style", json={"name": "great-wave"}).json()["style"] == "great-wave"
    assert client.post("/style", json={"name": "../../etc/passwd"}).status_code == 400
    assert client.post("/style", json={"name": 7}).status_code == 400


def test_a_picture_is_painted_after_and_mixed(client: TestClient, session: FakeSession) -> None:
    _add(client, _png((250, 0, 0)), "red.png")
    state = _add(client, _png((0, 250, 0)), "<b>green</b>\x00.png").json()

    red, green = state["pictures"]
    assert (red["name"], red["weight"]) == ("red.png", 0)
    assert (green["name"], green["weight"]) == ("<b>green</b>.png", 1)
    assert [name for name, _ in session.pictures] == ["<b>green</b>.png"]
    client.post("/mix", json={"weights": {red["id"]: 0.5}})
    assert session.weights == [0.5, 1.0]
    assert Image.open(io.BytesIO(client.get(f"/pictures/{red['id']}.jpg").content)).getpixel((5, 5))[0] > 230


def test_the_list_of_pictures_stays_short(client: TestClient, session: FakeSession) -> None:
    for number in range(MIXED_STYLES_MAX + 1):
        state = _add(client, _png((10 * number, 0, 0)), f"{number}.png").json()

    assert [picture["name"] for picture in state["pictures"]] == ["1.png", "2.png", "3.png", "4.png"]
    assert [name for name, _ in session.pictures] == ["4.png"]


def test_a_picture_is_forgotten(client: TestClient) -> None:
    identity = _add(client, _png((250, 0, 0))).json()["pictures"][0]["id"]

    assert client.post("/remove", json={"id": identity}).json()["pictures"] == []
    assert client.get(f"/pictures/{identity}.jpg").status_code == 404
    assert client.post("/remove", json={"id": identity}).status_code == 400


def test_a_picture_that_is_removed_leaves_its_mix_but_no_other_style(client: TestClient, session: FakeSession) -> None:
    red, green, blue = (
        _add(client, _png(color), f"{name}.png").json()["pictures"][-1]["id"]
        for name, color in (("red", (250, 0, 0)), ("green", (0, 250, 0)), ("blue", (0, 0, 250)))
    )
    client.post("/mix", json={"weights": {red: 1, green: 1}})

    client.post("/remove", json={"id": red})
    assert [name for name, _ in session.pictures] == ["green.png", "blue.png"]

    other = session.styles()[0].label
    client.post("/style", json={"name": other})
    client.post("/remove", json={"id": green})
    assert session.status().style == other
    assert [picture["id"] for picture in client.post("/controls", json={}).json()["pictures"]] == [blue]


@pytest.mark.parametrize("weight", [-0.1, 2, True, "1", None, float("inf")])
def test_weights_that_cannot_be_are_refused(client: TestClient, session: FakeSession, weight: object) -> None:
    identity = _add(client, _png((250, 0, 0))).json()["pictures"][0]["id"]
    text = json.dumps({"weights": {identity: weight}})

    response = client.post("/mix", content=text, headers={"content-type": "application/json"})

    assert response.status_code == 400
    assert session.weights == [1.0]


def test_all_weights_0_are_refused(client: TestClient) -> None:
    identity = _add(client, _png((250, 0, 0))).json()["pictures"][0]["id"]

    assert client.post("/mix", json={"weights": {identity: 0}}).status_code == 400


@pytest.mark.parametrize("content", [b"GIF89a nonsense", b"<svg></svg>", b"%!PS-Adobe", b"", _png((1, 2, 3))[:60]])
def test_what_is_no_picture_is_refused_by_its_content(client: TestClient, content: bytes) -> None:
    response = _add(client, content)

    assert response.status_code == 422
    assert response.json()["error"]


def test_a_decompression_bomb_is_refused(client: TestClient) -> None:
    bomb = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(bomb, "PNG")

    response = _add(client, bomb.getvalue())

    assert len(bomb.getvalue()) < 200_000
    assert response.status_code == 422
    assert "mine.png has more than the 50000000 pixels" in response.json()["error"]


def test_a_large_upload_is_refused_before_it_is_read(client: TestClient) -> None:
    response = client.post("/picture", content=b"x", headers={"content-length": str(10**12)})

    assert response.status_code == 413


def test_an_upload_of_unknown_length_is_refused(client: TestClient) -> None:
    assert client.post("/picture", content=iter([b"x"])).status_code == 411


def test_a_large_picture_is_kept_small() -> None:
    kept = style_pictures.decode(_png((9, 9, 9), (4000, 3000)), "large").picture.rgb
    strip = style_pictures.decode(_png((9, 9, 9), (20_000, 700)), "strip").picture.rgb

    assert kept.shape == (640, 853, 3)
    assert strip.shape == (640, 2560, 3)


def test_without_an_any_style_model_a_picture_is_refused(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "any_style_model", lambda: None)
    client = make_client()

    assert client.get("/description").json()["takesPictures"] is False
    assert "any-style" in _add(client, _png((1, 2, 3))).json()["error"]


def test_uploads_have_a_rate(client: TestClient) -> None:
    responses = [_add(client, b"") for _ in range(12)]

    assert responses[-1].status_code == 429
    assert int(responses[-1].headers["retry-after"]) >= 1


def test_the_rate_limit_recovers() -> None:
    now_s = [0.0]
    limit = RateLimit(per_second=2, burst=1, clock=lambda: now_s[0])
    limit.take()
    with pytest.raises(Exception, match="too many"):
        limit.take()

    now_s[0] = 0.5

    limit.take()


def test_the_snapshot_is_the_newest_picture(client: TestClient, session: FakeSession) -> None:
    wait_until(lambda: session.frames)

    picture = np.asarray(Image.open(io.BytesIO(client.get("/snapshot.jpg").content)))

    assert picture.shape == (180, 320, 3)
    assert picture[..., 2].mean() > 3 * picture[..., 0].mean()
    assert TONES["starry-night"][2] > TONES["starry-night"][0]


def test_the_snapshot_waits_for_a_first_picture(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeSession, "snapshot", lambda _: None)

    assert client.get("/snapshot.jpg").json() == {"error": "no picture has come yet"}


def test_a_recording_is_made_and_downloaded(client: TestClient, tmp_path: Path) -> None:
    assert client.post("/record", json={"on": True}).json()["recording"]["seconds"] is not None
    assert client.post("/record", json={"on": True}).status_code == 400
    name = client.post("/record", json={"on": False}).json()["recording"]["finished"]
    part = client.get("/recording", headers={"range": "bytes=4-7"})

    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert name in part.headers["content-disposition"]
    assert part.content == b"ftyp"
    assert str(tmp_path) not in client.post("/record", json={"on": False}).text


def test_without_a_folder_nothing_is_recorded(make_client: MakeClient) -> None:
    response = make_client(record_folder=None).post("/record", json={"on": True})

    assert response.status_code == 400
    assert "--record-folder" in response.json()["error"]


def test_a_failure_of_the_encoder_is_told(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: FakeSession, path: Path) -> None:
        raise OutputError("the disk is full")

    monkeypatch.setattr(FakeSession, "start_recording", fail)

    response = client.post("/record", json={"on": True})

    assert (response.status_code, response.json()) == (422, {"error": "the disk is full"})


def test_a_recording_without_a_picture_is_none(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def end_empty(self: FakeSession) -> None:
        self.recording_fault = "no picture came"

    monkeypatch.setattr(FakeSession, "stop_recording", end_empty)
    client.post("/record", json={"on": True})

    response = client.post("/record", json={"on": False})

    assert (response.status_code, response.json()) == (422, {"error": "no picture came"})
    assert client.get("/recording").status_code == 404


def test_an_offer_is_refused_where_pictures_come_from_elsewhere(client: TestClient) -> None:
    assert client.post("/offer", json={"sdp": "v=0"}).status_code == 400
