"""The page in a real Chromium, driven as people do: with keyboard, mouse and files."""

import io
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from PIL import Image

pytest.importorskip("starlette", reason="the page needs the extra [web]")
pytest.importorskip("playwright.sync_api", reason="tests of the page need playwright")

from playwright.sync_api import BrowserContext, Page, expect

from realtime.catalogue import load_catalogue
from realtime.live_settings import LiveControls
from realtime.live_source import PushSource
from realtime.web.server import WebServer

from .fake_session import FPS, FakeSession, wait_until
from .pixels import is_blue, is_grey, is_red, picture_file, read_lines, read_tone
from .timestamp import BITS, BLACK, BLOCKS, WHITE, age_ms, read_stamp

Start = Callable[..., WebServer]
# As in test_browser_camera; a browser keeps some frames back on top of it.
LATENCY_MAX_MS = 2000

# The browser draws a clock instead of its camera, so that the time is in the pixels.
CLOCK_CAMERA = f"""
navigator.mediaDevices.getUserMedia = async () => {{
  const canvas = Object.assign(document.createElement("canvas"), {{ width: 320, height: 180 }});
  const context = canvas.getContext("2d");
  const draw = () => {{
    const now = Math.round(performance.now());
    for (let block = 0; block < {BLOCKS}; block++) {{
      const isSet = block === 1 || (block > 1 && (now >> (block - 2)) & 1);
      context.fillStyle = isSet ? "rgb({WHITE},{WHITE},{WHITE})" : "rgb({BLACK},{BLACK},{BLACK})";
      context.fillRect((block * 320) / {BLOCKS}, 0, 320 / {BLOCKS}, 180);
    }}
  }};
  setInterval(draw, 15);
  return canvas.captureStream(30);
}};
"""


@pytest.fixture
def page(any_style: None, start: Start, open_page: Callable[[WebServer], Page]) -> Page:
    return open_page(start())


def test_the_picture_moves(page: Page) -> None:
    wait_until(lambda: is_blue(read_tone(page)))

    seen = set()
    for _ in range(20):
        lines = read_lines(page)
        assert lines is not None
        seen.add(zlib.crc32(lines[0].tobytes()))
        page.wait_for_timeout(60)

    assert len(seen) >= 5


def test_the_style_is_switched_from_the_keyboard(page: Page, session: FakeSession) -> None:
    page.get_by_role("radio", name="The Starry Night").focus()
    names = list(load_catalogue())
    for _ in range(names.index("starry-night") - names.index("great-wave")):
        page.keyboard.press("ArrowUp")

    wait_until(lambda: is_red(read_tone(page)))
    assert session.status().style == "great-wave"
    expect(page.get_by_role("radio", name="The Great Wave")).to_be_checked()


def test_the_strength_acts_on_the_pixels(page: Page, session: FakeSession) -> None:
    slider = page.get_by_role("slider", name="Strength")
    slider.focus()
    page.keyboard.press("Home")

    wait_until(lambda: is_grey(read_tone(page)))
    assert session.controls.strength == 0
    expect(page.locator(".control", has=slider).locator("output")).to_have_text("0 %")


def test_switches_and_lists_reach_the_session(page: Page, session: FakeSession) -> None:
    page.get_by_role("switch", name="Mirror").check()
    page.get_by_role("combobox", name="Size").select_option("360")

    wait_until(lambda: session.controls.mirror and session.controls.size == 360)


def test_letters_do_what_they_do_in_the_window(page: Page, session: FakeSession) -> None:
    first = session.status().style
    page.keyboard.press("m")
    page.keyboard.press("b")
    page.keyboard.press("[")
    wait_until(lambda: session.controls.mirror and session.controls.split == "wipe")
    wait_until(lambda: session.controls.smoothing == 0.7)
    page.keyboard.press("n")
    wait_until(lambda: session.status().style != first)
    page.keyboard.press("P")
    wait_until(lambda: session.status().style == first)
    with page.expect_download() as download:
        page.keyboard.press("s")
    assert download.value.suggested_filename == "stylecast.jpg"
    page.keyboard.press("r")
    expect(page.get_by_role("button", name=re.compile("^Stop"))).to_be_visible()
    page.keyboard.press("r")
    wait_until(lambda: session.status().recording_s is None)


def test_letters_are_left_to_lists_to_the_browser_and_to_who_wants_none(page: Page, session: FakeSession) -> None:
    page.get_by_role("combobox", name="Size").focus()
    page.keyboard.press("[")
    page.get_by_role("combobox", name="Size").blur()
    page.keyboard.press("Control+[")
    page.get_by_text("Keys", exact=True).click()
    page.get_by_role("switch", name="Letters act at once").uncheck()
    page.keyboard.press("[")
    page.reload()
    page.wait_for_selector(".card")
    page.keyboard.press("[")
    page.get_by_text("Keys", exact=True).click()
    page.get_by_role("switch", name="Letters act at once").check()
    page.keyboard.press("c")
    wait_until(lambda: session.controls.keep_colors)

    assert session.controls.smoothing == LiveControls().smoothing


def test_addresses_are_copied(page: Page, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_text("Use it elsewhere").click()

    address = page.url.rstrip("/") + "/feed"
    page.get_by_role("button", name=f"Copy {address}", exact=True).click()

    expect(page.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == address


def test_before_and_after_are_compared(page: Page) -> None:
    slider = page.get_by_role("slider", name="Before and after")

    slider.fill("50")

    wait_until(lambda: is_grey(read_tone(page, slice(0, 150))) and is_blue(read_tone(page, slice(170, None))))
    slider.fill("0")
    wait_until(lambda: is_blue(read_tone(page, slice(0, 150))))


def test_a_picture_becomes_the_style_and_is_mixed(page: Page, session: FakeSession) -> None:
    page.set_input_files("#file", picture_file((250, 10, 10)))
    wait_until(lambda: is_red(read_tone(page)))
    page.set_input_files("#file", {**picture_file((10, 10, 250)), "name": "night.png"})
    wait_until(lambda: is_blue(read_tone(page)))

    page.get_by_role("slider", name="Share of waves.png").fill("1")
    page.get_by_role("slider", name="Share of night.png").fill("0.1")

    wait_until(lambda: session.weights == [1.0, 0.1])
    wait_until(lambda: is_red(read_tone(page)))
    page.get_by_role("button", name="Remove night.png").click()
    expect(page.locator("#mix li")).to_have_count(1)


def test_a_picture_is_dropped_anywhere(page: Page, session: FakeSession) -> None:
    page.evaluate(
        """async () => {
          const canvas = new OffscreenCanvas(64, 64);
          canvas.getContext("2d").fillRect(0, 0, 64, 64);
          const transfer = new DataTransfer();
          transfer.items.add(new File([await canvas.convertToBlob()], "dropped.png"));
          const options = { dataTransfer: transfer, bubbles: true, cancelable: true };
          document.body.dispatchEvent(new DragEvent("drop", options));
        }"""
    )

    expect(page.locator("#mix li")).to_have_text(re.compile(r"dropped\.png"))
    assert [name for name, _ in session.pictures] == ["dropped.png"]


def test_a_bomb_is_refused_in_words(page: Page, complaints: list[str], session: FakeSession) -> None:
    bomb = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(bomb, "PNG")

    page.set_input_files("#file", {"name": "bomb.png", "mimeType": "image/png", "buffer": bomb.getvalue()})

    expect(page.get_by_role("alert")).to_contain_text("bomb.png has more than the 50000000 pixels")
    assert not session.pictures
    assert all("422" in complaint for complaint in complaints)
    complaints.clear()


def test_a_recording_is_made_and_plays(page: Page, tmp_path: Path) -> None:
    page.get_by_role("button", name="Record").click()
    expect(page.get_by_role("button", name="Stop 0:01")).to_be_visible()
    page.get_by_role("button", name="Stop").click()

    with page.expect_download() as download:
        page.get_by_role("link", name="Download recording").click()

    copy = tmp_path / "copy.mp4"
    download.value.save_as(copy)
    assert download.value.suggested_filename.startswith("stylecast-")
    with av.open(str(copy)) as container:
        assert sum(1 for _ in container.decode(video=0)) == FPS


def test_a_reload_and_another_tab_agree(
    page: Page, start: Start, open_page: Callable[[WebServer], Page], session: FakeSession
) -> None:
    page.get_by_role("slider", name="Smoothing").fill("0.35")
    page.get_by_role("radio", name="The Great Wave").check(force=True)
    page.get_by_role("slider", name="Before and after").fill("40")
    page.set_input_files("#file", picture_file((1, 2, 3)))
    expect(page.locator("#mix li")).to_have_count(1)
    page.get_by_role("radio", name="Composition VII").check(force=True)
    wait_until(lambda: session.status().style == "composition-vii")

    page.reload()

    for tab in (page, open_page(start())):  # another server of the same session is as good as another tab
        expect(tab.get_by_role("slider", name="Smoothing")).to_have_value("0.35")
        expect(tab.get_by_role("radio", name="Composition VII")).to_be_checked()
    expect(page.locator("#mix li")).to_have_count(1)
    expect(page.get_by_role("slider", name="Before and after")).to_have_value("40")


def test_a_fault_is_told_and_goes_away(page: Page, session: FakeSession) -> None:
    session.message = "the camera is in use by another program"
    expect(page.get_by_role("alert")).to_have_text("the camera is in use by another program")

    session.message = ""

    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_complaint_hides_no_later_fault(page: Page, complaints: list[str], session: FakeSession) -> None:
    page.get_by_label("Drop a picture here").set_input_files({"name": "a.txt", "mimeType": "", "buffer": b"no picture"})
    expect(page.get_by_role("alert")).to_contain_text("a.txt")
    session.message = "the camera is in use by another program"

    expect(page.get_by_role("alert")).to_contain_text("in use by another program")
    complaints.clear()  # a refusal is an error to the browser


def test_the_style_that_was_chosen_stays_chosen_while_it_loads(page: Page, session: FakeSession) -> None:
    session.wanted_style = "great-wave"

    expect(page.get_by_role("radio", name=load_catalogue()["great-wave"].title)).to_be_checked()


def test_the_keyboard_goes_on_after_a_picture_is_removed(page: Page, session: FakeSession) -> None:
    for name in ("a.png", "b.png"):
        page.get_by_label("Drop a picture here").set_input_files(picture_file((200, 30, 30), name=name))
        expect(page.get_by_role("slider", name=f"Share of {name}")).to_be_visible()

    page.get_by_role("button", name="Remove a.png").press("Enter")
    expect(page.get_by_role("button", name="Remove b.png")).to_be_focused()
    page.get_by_role("button", name="Remove b.png").press("Enter")
    expect(page.locator("#file")).to_be_focused()


def _set_hidden(page: Page, is_hidden: bool) -> None:
    """Tell the page that its tab is not to be seen, or is again; a browser without a window shows all of them."""
    page.evaluate(
        "(value) => { Object.defineProperty(document, 'hidden', { value, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        is_hidden,
    )


def test_pages_that_nobody_sees_take_no_connection(
    any_style: None, start: Start, open_page: Callable[[WebServer], Page], session: FakeSession
) -> None:
    server = start()
    for _ in range(3):  # each holds two of the six connections that a browser keeps to one address
        hidden = open_page(server)
        _set_hidden(hidden, True)

    open_page(server).get_by_role("switch", name="Mirror").click()

    wait_until(lambda: session.controls.mirror)


def test_another_run_at_the_same_address_is_noticed(
    start: Start, open_page: Callable[[WebServer], Page], complaints: list[str]
) -> None:
    server = start()
    page = open_page(server)
    expect(page.get_by_role("button", name="Use this browser’s camera")).to_be_hidden()
    server.close()
    expect(page.get_by_role("alert")).to_contain_text("connection to Stylecast is lost")

    start(port=server.port, camera=PushSource())

    expect(page.get_by_role("button", name="Use this browser’s camera")).to_be_visible(timeout=10_000)
    expect(page.get_by_role("alert")).to_be_hidden()
    complaints.clear()


def test_another_run_is_noticed_by_a_page_that_was_hidden(
    start: Start, open_page: Callable[[WebServer], Page], complaints: list[str]
) -> None:
    server = start()
    page = open_page(server)
    _set_hidden(page, True)
    server.close()
    start(port=server.port, camera=PushSource())

    _set_hidden(page, False)

    expect(page.get_by_role("button", name="Use this browser’s camera")).to_be_visible(timeout=10_000)
    complaints.clear()


def test_a_run_with_another_token_asks_for_its_link(
    start: Start, open_page: Callable[[WebServer], Page], complaints: list[str]
) -> None:
    server = start(asks_token=True)
    page = open_page(server)
    server.close()
    expect(page.get_by_role("alert")).to_contain_text("connection to Stylecast is lost")

    start(port=server.port, asks_token=True)

    expect(page.get_by_role("alert")).to_contain_text("open the link", timeout=10_000)
    complaints.clear()


def test_a_server_that_has_ended_is_told(
    start: Start, open_page: Callable[[WebServer], Page], complaints: list[str]
) -> None:
    server = start()
    page = open_page(server)

    server.close()

    expect(page.get_by_role("alert")).to_contain_text("connection to Stylecast is lost")
    page.wait_for_timeout(100)
    assert all("ERR_" in complaint for complaint in complaints)
    complaints.clear()


def test_every_control_has_a_name_and_its_help(page: Page) -> None:
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("input, select, button, a")].filter((control) =>
          !(control.ariaLabel || control.textContent.trim() || [...(control.labels ?? [])].some((label) =>
            label.textContent.trim()))).map((control) => control.outerHTML)"""
    )
    described = page.locator("[data-control]").evaluate_all(
        "controls => controls.every((control) => document.getElementById(control.getAttribute('aria-describedby')))"
    )

    assert nameless == []
    assert described


@pytest.mark.parametrize("width", [320, 700, 1600])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})

    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_bare_page_shows_the_picture_and_nothing_else(start: Start, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(start().link + "feed")

    wait_until(lambda: is_blue(read_tone(page)))
    box = page.locator("#picture").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 1280, "height": 900}
    assert page.locator("body").inner_text() == ""


def test_the_bare_page_is_clear_when_no_picture_comes_or_nobody_looks(
    start: Start, context: BrowserContext, complaints: list[str]
) -> None:
    """A frozen picture must not stand in a stream, nor an old one flash up when a scene comes back."""
    server = start()
    page = context.new_page()
    page.goto(server.link + "feed")
    for end in (lambda: _set_hidden(page, True), server.close):
        _set_hidden(page, False)
        wait_until(lambda: is_blue(read_tone(page)))
        end()
        wait_until(lambda: read_tone(page) == (0, 0, 0))
    complaints.clear()


def test_the_link_with_its_token_opens_the_page(start: Start, open_page: Callable[[WebServer], Page]) -> None:
    server = start(asks_token=True)

    page = open_page(server)

    assert "token" in server.link
    assert page.url == server.address
    wait_until(lambda: is_blue(read_tone(page)))
    page.get_by_text("Use it elsewhere").click()
    token = server.link.partition("?")[2]
    expect(page.locator("#addresses")).to_contain_text(f"{server.address}feed.mjpg?{token}")


def test_a_page_of_somebody_else_sees_and_changes_nothing(
    start: Start, context: BrowserContext, session: FakeSession
) -> None:
    address = start().address
    page = context.new_page()
    page.goto("about:blank")

    seen = page.evaluate(
        """async (address) => {
          const image = new Image();
          const shown = new Promise((resolve) => {
            image.onload = () => resolve(true);
            image.onerror = () => resolve(false);
          });
          image.src = address + "snapshot.jpg";
          const read = await fetch(address + "events").then(() => true, () => false);
          const options = { method: "POST", mode: "no-cors", body: '{"strength": 0.1}' };
          await fetch(address + "controls", options).catch(() => 0);
          return [await shown, read];
        }""",
        address,
    )

    assert seen == [False, False]
    assert session.controls.strength == 1.0


@pytest.fixture
def camera_page(start: Start, open_page: Callable[[WebServer], Page]) -> Iterator[Page]:
    camera = PushSource()
    with FakeSession(camera) as session:
        server = start(camera=camera, of=session)
        yield open_page(server)
        server.close()


def test_the_camera_of_the_browser_comes_back_stylised(camera_page: Page) -> None:
    camera_page.get_by_role("button", name="Use this browser’s camera").click()

    wait_until(lambda: is_blue(read_tone(camera_page, selector="#returned")), 20)
    expect(camera_page.locator("#picture")).to_be_hidden()
    camera_page.get_by_role("slider", name="Before and after").fill("50")
    wait_until(lambda: is_grey(read_tone(camera_page, slice(0, 150))))
    camera_page.get_by_role("slider", name="Before and after").fill("0")
    camera_page.reload()  # goes on with the camera
    wait_until(lambda: is_blue(read_tone(camera_page, selector="#returned")), 20)
    camera_page.get_by_role("button", name="Stop this browser’s camera").click()
    expect(camera_page.locator("#picture")).to_be_visible()
    camera_page.reload()
    camera_page.wait_for_selector(".card")
    expect(camera_page.get_by_role("button", name="Use this browser’s camera")).to_be_enabled()


def test_the_way_through_the_server_is_short(camera_page: Page) -> None:
    camera_page.evaluate(CLOCK_CAMERA)
    camera_page.get_by_role("button", name="Use this browser’s camera").click()

    ages: list[int] = []
    while len(ages) < 20:
        read = read_lines(camera_page, "#returned")
        stamp = None if read is None else read_stamp(read[0])
        if read is not None and stamp is not None:
            ages.append(age_ms(round(read[1]) % (1 << BITS), stamp))
        camera_page.wait_for_timeout(50)

    assert sorted(ages)[-3] < LATENCY_MAX_MS, ages
