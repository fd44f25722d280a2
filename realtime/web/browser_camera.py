"""A browser's camera by WebRTC: its pictures go into a `PushSource`, those of the session come back.

No server of anybody else takes part (STUN, TURN), and candidates of the browser are not used: the connection comes
about by its own packets, so that nothing is sent to an address that a request merely names.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from fractions import Fraction
from functools import partial

import numpy as np
from aiortc import MediaStreamError, MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import SessionDescription
from av import VideoFrame
from av.error import FFmpegError
from numpy.typing import NDArray

from ..errors import InputError, UsageError
from ..live_frame import LiveFrame
from ..live_source import PushSource
from .relay import FrameRelay

logger = logging.getLogger(__name__)

CLOCK_RATE = 90_000
CONNECT_TIMEOUT_S = 15.0
_CANDIDATE_LINES = ("a=candidate:", "a=end-of-candidates")


class BrowserCamera:
    """The connection to one browser; the next one takes its place. All of it belongs to one event loop."""

    def __init__(self, source: PushSource, relay: FrameRelay) -> None:
        self._source = source
        self._relay = relay
        self._peer: _Peer | None = None

    @property
    def is_connected(self) -> bool:
        return self._peer is not None and self._peer.is_connected

    async def answer(self, offer: str) -> str:
        """Return the answer (SDP) to the offer of a browser that sends one video and nothing else.

        Raises:
            UsageError: not such an offer, or this machine has no address for WebRTC.
        """
        await self.close()
        peer = _Peer(self._source, self._relay)
        try:
            answer = await peer.answer(offer)
        except UsageError:
            await peer.close()
            raise
        except Exception as error:  # whatever aiortc makes of a text from outside
            await peer.close()
            logger.info("offer refused: %r", error)
            raise UsageError("the browser's offer of a video cannot be understood") from error
        if self._peer is not None:  # another browser was quicker
            await self._peer.close()
        self._peer = peer
        return answer

    async def close(self) -> None:
        """End the connection, if there is one."""
        peer, self._peer = self._peer, None
        if peer is not None:
            await peer.close()


class _Peer:
    def __init__(self, source: PushSource, relay: FrameRelay) -> None:
        self._source = source
        self._relay = relay
        # With None aiortc would ask a STUN server of Google's.
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._reading = ExitStack()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_connected(self) -> bool:
        return self._connection.connectionState == "connected"

    async def answer(self, offer: str) -> str:
        lines = [line for line in offer.splitlines() if not line.startswith(_CANDIDATE_LINES)]
        sdp = "\r\n".join((*lines, ""))
        # A track that nobody takes pictures from would fill the memory.
        if [media.kind for media in SessionDescription.parse(sdp).media] != ["video"]:
            raise UsageError("the browser must offer one video and nothing else")
        self._connection.add_listener("track", lambda track: self._start(self._receive(track)))
        await self._connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        self._reading.enter_context(self._relay.reading("frames"))
        self._connection.addTrack(_ReturnTrack(self._relay.frames.each()))
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        answer = self._connection.localDescription.sdp
        if "a=candidate:" not in answer:
            raise UsageError(
                "this machine has no network address besides 127.0.0.1, which WebRTC does not use; join a network"
            )
        self._start(self._end_unless_connected())
        return answer

    async def close(self) -> None:
        self._reading.close()
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        await self._connection.close()

    def _start(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _receive(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            captured_s = time.perf_counter()
            if isinstance(frame, VideoFrame):
                self._source.push(partial(_rgb, frame), captured_s)

    async def _end_unless_connected(self) -> None:
        """End a connection that does not come about, or that breaks."""
        await asyncio.sleep(CONNECT_TIMEOUT_S)
        while self.is_connected:
            await asyncio.sleep(1)
        await self.close()


class _ReturnTrack(MediaStreamTrack):
    """The stylised video that goes back: the newest frame whenever the encoder is free."""

    kind = "video"

    def __init__(self, frames: AsyncIterator[LiveFrame]) -> None:
        super().__init__()
        self._frames = frames
        self._origin_s: float | None = None
        self._pts = -1

    async def recv(self) -> VideoFrame:
        try:
            frame = await anext(self._frames)
        except StopAsyncIteration:
            self.stop()
            raise MediaStreamError from None
        if self._origin_s is None:
            self._origin_s = frame.captured_s
        self._pts = max(self._pts + 1, round((frame.captured_s - self._origin_s) * CLOCK_RATE))
        video = await asyncio.to_thread(_yuv, frame.output)
        video.pts, video.time_base = self._pts, Fraction(1, CLOCK_RATE)
        return video


def _rgb(frame: VideoFrame) -> NDArray[np.uint8]:
    try:
        return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
    except (FFmpegError, ValueError) as error:
        raise InputError(f"a picture of the browser's camera is damaged: {error}") from error


def _yuv(rgb: NDArray[np.uint8]) -> VideoFrame:
    """Return a frame as encoders take it: 4:2:0, so that an odd last row or column is left out."""
    height, width = rgb.shape[0] & ~1, rgb.shape[1] & ~1
    return VideoFrame.from_ndarray(np.ascontiguousarray(rgb[:height, :width]), format="rgb24").reformat(
        format="yuv420p"
    )
