"""How much and how often a client may ask: bodies are counted while they come, requests by a token bucket."""

import asyncio
import time
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

# An upload over a slow wireless network may take this long; who is slower is cut off.
BODY_TIMEOUT_S = 60.0


class RateLimit:
    """Allows `burst` requests at once and `per_second` in the long run, over all clients; one event loop only."""

    def __init__(self, *, per_second: float, burst: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._left = float(burst)
        self._counted_s = clock()

    def take(self) -> None:
        """Count a request.

        Raises:
            HTTPException: 429, there were too many.
        """
        now_s = self._clock()
        self._left = min(self._burst, self._left + (now_s - self._counted_s) * self._per_second)
        self._counted_s = now_s
        if self._left < 1:
            wait_s = (1 - self._left) / self._per_second
            raise HTTPException(429, "too many requests; wait a moment", {"Retry-After": str(int(wait_s) + 1)})
        self._left -= 1


async def read_body(request: Request, *, bytes_max: int) -> bytes:
    """Return the body of a request; what is announced too large is not read at all.

    Raises:
        HTTPException: 411 without a length, 413 beyond `bytes_max`, 408 when it takes too long, 400 when broken off.
    """
    announced = request.headers.get("content-length", "")
    if not announced.isdecimal():
        raise HTTPException(411, "the request does not say how long it is")
    if int(announced) > bytes_max:
        raise HTTPException(413, f"{announced} bytes are too many; at most {bytes_max} are taken")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > bytes_max:  # chunked encoding comes without regard to the length announced
                    raise HTTPException(413, f"the request is longer than it said; at most {bytes_max} are taken")
    except TimeoutError as error:
        raise HTTPException(408, f"the upload took more than {BODY_TIMEOUT_S:.0f} seconds") from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the upload was broken off") from error  # nobody is there to read it
    return bytes(body)
