"""What holds for every answer: a request's id, the headers that tell a browser what a page may do, and no surprises.

An ASGI application around another. Knows no route.
"""

import secrets
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headway.terminal.trouble import translated
from headway.web import answers

HEADERS = {
    # Nothing from elsewhere, nothing inline, and no page of ours in anybody's frame.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Sent with each answer, also with those of errors."""

ID = "x-request-id"


class Guard:
    """Gives each request an id and each answer its headers.

    What nobody caught is told to whoever runs the server, by the id; who asked learns no more than that.
    """

    __slots__ = ("_app", "_tell")

    def __init__(self, app: ASGIApp, tell: Callable[[str], None]) -> None:
        self._app = app
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        has_begun = False

        async def with_headers(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
                headers[ID] = request_id
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        except Exception as e:
            # A fault of one request must not end the others.
            self._tell(f"request {request_id} ({scope['method']} {scope['path']}): {translated(e)}")
            if has_begun:
                raise
            await answers.broken(Request(scope), request_id)(scope, receive, with_headers)
