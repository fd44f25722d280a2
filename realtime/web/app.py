"""The routes of the page. Nothing in a request becomes a path: files are served from fixed tables or held in memory."""

import asyncio
import json
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..catalogue import any_style_model
from ..errors import StylizeError, UsageError
from ..live_session import LiveSession
from ..live_source import PushSource
from ..settings import MIXED_STYLES_MAX
from . import style_pictures
from .browser_camera import BrowserCamera
from .control_options import changed_controls, describe_options
from .limits import RateLimit, read_body
from .page_keys import describe_keys, press_key, style_step_of
from .page_state import PageState
from .recordings import Recordings
from .relay import BOUNDARY, PLAYER_FPS_MAX, VIEWS, FrameRelay, snapshot_jpeg
from .style_pictures import UPLOAD_BYTES_MAX, StylePictures

STATIC_FOLDER = Path(__file__).resolve().parent / "static"
STATIC_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
# A change of controls or an offer of WebRTC is a few kilobytes long.
JSON_BYTES_MAX = 100_000
# Feeds and open pages at a time: each may hold one frame in memory and one connection.
STREAMS_MAX = 32

Endpoint = Callable[[Request], Awaitable[Response]]


class PageApp:
    """The page of one session as an ASGI application: `asgi`, to be put behind the `Guard`.

    `address_query` is what players must add to an address (`?token=...`); it is told to who is let in.
    """

    def __init__(
        self,
        session: LiveSession,
        *,
        record_folder: Path | None,
        camera: PushSource | None,
        address_query: str = "",
    ) -> None:
        self._address_query = address_query
        self._session = session
        self._camera_source = camera
        self._pictures = StylePictures(session)
        self._recordings = Recordings(session, record_folder)
        self._static = {path.name: path.read_bytes() for path in STATIC_FOLDER.iterdir() if path.suffix in STATIC_TYPES}
        self._thumbnails = _read_thumbnails(session)
        self._has_any_style = any_style_model() is not None
        self._uploads = RateLimit(per_second=1, burst=6)
        self._style_changes = RateLimit(per_second=10, burst=20)
        self._control_changes = RateLimit(per_second=40, burst=80)
        self._offers = RateLimit(per_second=0.5, burst=5)
        self._streams = 0
        self.asgi = Starlette(
            routes=self._routes(),
            lifespan=self._lifespan,
            exception_handlers={HTTPException: _refusal, StylizeError: _failure, Exception: _fault},
        )

    def end_streams(self) -> None:
        """Let feeds and events end; called on the event loop."""
        self._relay.close()
        self._state.close()

    def _routes(self) -> list[Route]:
        pages: list[tuple[str, Endpoint]] = [
            ("/", self._page("index.html")),
            ("/feed", self._page("feed.html")),
            ("/static/{name}", self._static_file),
            ("/feed.mjpg", self._feed),
            ("/snapshot.jpg", self._snapshot),
            ("/description", self._description),
            ("/events", self._events),
            ("/thumbnails/{name}.jpg", self._thumbnail),
            ("/pictures/{identity}.jpg", self._picture_thumbnail),
            ("/recording", self._recording),
        ]
        actions: list[tuple[str, Endpoint]] = [
            ("/controls", self._set_controls),
            ("/style", self._set_style),
            ("/key", self._press_key),
            ("/picture", self._add_picture),
            ("/mix", self._mix),
            ("/remove", self._remove_picture),
            ("/record", self._record),
            ("/offer", self._offer),
            ("/hang-up", self._hang_up),
        ]
        return [Route(path, endpoint, methods=["GET"]) for path, endpoint in pages] + [
            Route(path, endpoint, methods=["POST"]) for path, endpoint in actions
        ]

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self._relay = FrameRelay(self._session)
        self._state = PageState(self._session, self._pictures, self._recordings, self._has_camera)
        self._decoding = asyncio.Lock()
        self._camera: BrowserCamera | None = None
        if self._camera_source is not None:
            self._camera = BrowserCamera(self._camera_source, self._relay)
        watch = asyncio.create_task(self._state.watch())
        try:
            yield
        finally:
            watch.cancel()
            self.end_streams()
            if self._camera is not None:
                await self._camera.close()
            await asyncio.to_thread(self._relay.join)

    # Pages and pictures

    def _page(self, name: str) -> Endpoint:
        async def page(_: Request) -> Response:
            return Response(self._static[name], media_type=STATIC_TYPES[".html"])

        return page

    async def _static_file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._static:
            raise HTTPException(404)
        return Response(self._static[name], media_type=STATIC_TYPES[Path(name).suffix])

    async def _thumbnail(self, request: Request) -> Response:
        return _jpeg(self._thumbnails.get(request.path_params["name"]))

    async def _picture_thumbnail(self, request: Request) -> Response:
        return _jpeg(self._pictures.thumbnail(request.path_params["identity"]))

    async def _snapshot(self, _: Request) -> Response:
        frame = self._session.snapshot()
        if frame is None:
            raise HTTPException(503, "no picture has come yet")
        return _jpeg(await asyncio.to_thread(snapshot_jpeg, frame))

    async def _feed(self, request: Request) -> Response:
        view = request.query_params.get("view", VIEWS[0])
        if view not in VIEWS:
            raise HTTPException(400, f"the view is one of {', '.join(VIEWS)}")
        # Browsers show what comes, whenever it comes; they alone send this.
        fps_max = math.inf if "sec-fetch-mode" in request.headers else PLAYER_FPS_MAX
        parts = self._relay.mjpeg(view, fps_max=fps_max)
        return self._stream(request, parts, f"multipart/x-mixed-replace; boundary={BOUNDARY}")

    # What the page knows

    async def _description(self, _: Request) -> Response:
        styles = [
            {
                "name": choice.label,
                "title": choice.model.title,
                "artist": choice.model.card.get("artist", ""),
                "thumbnail": choice.label if choice.label in self._thumbnails else None,
            }
            for choice in self._session.styles()
        ]
        return JSONResponse(
            {
                "options": describe_options(),
                "keys": describe_keys(),
                "styles": styles,
                "takesPictures": self._has_any_style,
                "picturesMax": MIXED_STYLES_MAX,
                "uploadBytesMax": UPLOAD_BYTES_MAX,
                "takesCamera": self._camera_source is not None,
                "addressQuery": self._address_query,
            }
        )

    async def _events(self, request: Request) -> Response:
        return self._stream(request, self._state.events(), "text/event-stream")

    # Changes

    async def _set_controls(self, request: Request) -> Response:
        self._control_changes.take()
        changes = await _read_json(request)
        # Read and replaced without a pause between: what another page has set meanwhile stays.
        self._session.controls = changed_controls(self._session.controls, changes)
        return self._changed()

    async def _set_style(self, request: Request) -> Response:
        self._style_changes.take()
        name = _field(await _read_json(request), "name", str)
        choice = next((choice for choice in self._session.styles() if choice.label == name), None)
        if choice is None:
            raise UsageError("no style has this name")
        self._session.set_style(choice)
        self._pictures.leave()
        return self._changed()

    async def _add_picture(self, request: Request) -> Response:
        self._uploads.take()
        if not self._has_any_style:
            raise UsageError("no any-style model is installed, so that pictures cannot be painted after")
        content = await read_body(request, bytes_max=UPLOAD_BYTES_MAX)
        async with self._decoding:  # one at a time, for the sake of memory
            name = request.query_params.get("name", "")
            picture = await asyncio.to_thread(style_pictures.decode, content, name)
        self._pictures.add(picture)
        return self._changed()

    async def _press_key(self, request: Request) -> Response:
        key = _field(await _read_json(request), "key", str)
        step = style_step_of(key)
        if step is None:
            self._control_changes.take()
            press_key(self._session, key)
        else:
            self._style_changes.take()
            self._session.step_style(step)
            self._pictures.leave()
        return self._changed()

    async def _mix(self, request: Request) -> Response:
        self._control_changes.take()
        self._pictures.mix(_field(await _read_json(request), "weights", dict))
        return self._changed()

    async def _remove_picture(self, request: Request) -> Response:
        self._style_changes.take()
        self._pictures.remove(_field(await _read_json(request), "id", str))
        return self._changed()

    async def _record(self, request: Request) -> Response:
        self._style_changes.take()
        starts = _field(await _read_json(request), "on", bool)
        await asyncio.to_thread(self._recordings.start if starts else self._recordings.stop)
        return self._changed()

    async def _recording(self, _: Request) -> Response:
        path = self._recordings.finished
        if path is None or not path.is_file():
            raise HTTPException(404, "there is no recording")
        return FileResponse(path, media_type="video/mp4", filename=path.name)

    async def _offer(self, request: Request) -> Response:
        self._offers.take()
        if self._camera is None:
            raise UsageError("pictures come from another source; start with the source `browser`")
        answer = await self._camera.answer(_field(await _read_json(request), "sdp", str))
        self._changed()
        return JSONResponse({"sdp": answer})

    async def _hang_up(self, _: Request) -> Response:
        self._offers.take()
        if self._camera is not None:
            await self._camera.close()
        return self._changed()

    def _changed(self) -> Response:
        self._state.tell()
        return JSONResponse(self._state.now())

    def _has_camera(self) -> bool:
        return self._camera is not None and self._camera.is_connected

    def _stream(self, request: Request, parts: AsyncGenerator[bytes | str, None], media_type: str) -> Response:
        if request.method == "HEAD":  # its answer would never end
            return Response(media_type=media_type)
        if self._streams >= STREAMS_MAX:
            raise HTTPException(503, f"{STREAMS_MAX} feeds and pages are open already; close one")
        return _ClosingStream(self._counted(parts), media_type=media_type)

    async def _counted(self, parts: AsyncGenerator[bytes | str, None]) -> AsyncGenerator[bytes | str]:
        self._streams += 1
        try:
            async with aclosing(parts):
                async for part in parts:
                    yield part
        finally:
            self._streams -= 1


class _ClosingStream(StreamingResponse):
    """Closes its generator when the client has gone, rather than when memory is tidied up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = self.body_iterator
        assert isinstance(parts, AsyncGenerator)
        async with aclosing(parts):
            await super().__call__(scope, receive, send)


async def _read_json(request: Request) -> Any:
    # Forms of other pages cannot send this type, should a browser leave out the Origin.
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise HTTPException(415, "the request must be JSON")
    try:
        return json.loads(await read_body(request, bytes_max=JSON_BYTES_MAX))
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the request is not JSON") from error


def _field(content: Any, name: str, kind: type[Any]) -> Any:
    if not isinstance(content, dict) or not isinstance(content.get(name), kind):
        raise HTTPException(400, f"the request must have {name!r}")
    return content[name]


def _jpeg(content: bytes | None) -> Response:
    if content is None:
        raise HTTPException(404)
    return Response(content, media_type="image/jpeg")


def _read_thumbnails(session: LiveSession) -> dict[str, bytes]:
    models = {choice.label: choice.model for choice in session.styles()}
    paths = {label: model.path.parent / "thumbnails" / f"{model.name}.jpg" for label, model in models.items()}
    return {label: path.read_bytes() for label, path in paths.items() if path.is_file()}


async def _refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _failure(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400 if isinstance(error, UsageError) else 422)


async def _fault(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"unexpected {type(error).__name__}; the command line tells more"}, 500)
