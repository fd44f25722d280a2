"""Who may talk to the page: checked before any route is looked up, and headers that keep browsers strict.

A web page of somebody else runs in the same browser and can send requests here. Three checks stop it: the Host header
(a name of the attacker that now resolves to 127.0.0.1, DNS rebinding), the Origin header (forms and scripts), and
Sec-Fetch-Site (pictures and frames, which come without an Origin). A token stops everybody else on the network.
"""

import ipaddress
import secrets
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# Who opens one of these with the token in the address gets a cookie, and the address without it.
PAGES = frozenset({"/", "/feed"})
TOKEN_PARAMETER = "token"
_SAFE_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Admission:
    """Who is let in: by `names`, beside addresses as numbers and localhost, and with `token` unless that is None."""

    names: frozenset[str] = frozenset()
    token: str | None = None
    cookie: str = "stylecast"
    is_https: bool = False


class Guard:
    """ASGI middleware that refuses with 400, 401 or 403 and one line, and puts the headers on every response."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing here speaks WebSocket
            await PlainTextResponse("not found", 404)(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = self._refusal(scope) or self._token_answer(scope) or self._app
        await answer(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return what is said to a request that another web page has sent, None if it has not."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_known_host(host):
            return PlainTextResponse("unknown host name; open the page by the address that was printed", 400)
        origin = headers.get("origin")
        if origin is not None and not _is_from(origin, host):
            return PlainTextResponse("requests of other web pages are refused", 403)
        if scope["method"] not in _SAFE_METHODS:
            if origin is None:
                return PlainTextResponse("the Origin header is missing", 403)
        elif headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not _opens_page(scope, headers):
            return PlainTextResponse("requests of other web pages are refused", 403)
        return None

    def _is_known_host(self, host: str) -> bool:
        """Return whether this is an address as a number, which no one can rebind, or a name of this machine.

        The port is not looked at: behind `ssh -L` it is another one.
        """
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
            if name == "localhost" or name in self._admission.names:
                return True
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _token_answer(self, scope: Scope) -> Response | None:
        """Return what is said to who has no token, or needs the cookie first; None lets the request through."""
        token = self._admission.token
        if token is None:
            return None
        query = parse_qs(scope["query_string"].decode("latin-1"))
        given = query.pop(TOKEN_PARAMETER, [""])[-1]
        if _is_same(given, token):
            if scope["path"] not in PAGES or scope["method"] not in _SAFE_METHODS:
                return None
            rest = f"?{urlencode(query, doseq=True)}" if query else ""
            answer = RedirectResponse(scope["path"] + rest, 303)
            # Lax: with Strict the redirect of a link clicked in a message would come without the cookie.
            answer.set_cookie(
                self._admission.cookie, token, httponly=True, samesite="lax", secure=self._admission.is_https
            )
            return answer
        if _is_same(_cookie(Headers(scope=scope).get("cookie", ""), self._admission.cookie), token):
            return None
        return PlainTextResponse("open the page by the link that was printed, which holds its token", 401)


def _is_from(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:  # such as an address that ends within its brackets
        return False


def _opens_page(scope: Scope, headers: Headers) -> bool:
    """Return whether a link or the address bar opens a page; in a frame the browser would not show it."""
    return scope["path"] in PAGES and headers.get("sec-fetch-dest") == "document"


def _is_same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "surrogatepass"), token.encode())


def _cookie(header: str, name: str) -> str:
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel else ""
