"""Answers over HTTP: small, ready-made where possible, and never stored by anybody (RFC 9111 section 5.2.2.5)."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import orjson

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

REALM = b"apiclients"

NO_STORE = (b"cache-control", b"no-store")
CLOSE = (b"connection", b"close")
JSON = (b"content-type", b"application/json")
EMPTY = (b"content-length", b"0")


@dataclass(slots=True)
class Reply:
    """One whole answer. Not frozen: one is made on every request."""

    status: int
    headers: Headers
    body: bytes = b""


async def send_reply(send: Send, reply: Reply) -> None:
    """Send it."""
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    await send({"type": "http.response.body", "body": reply.body})


def json_reply(status: int, content: Any, *headers: tuple[bytes, bytes]) -> Reply:
    """An answer with a JSON body."""
    body = orjson.dumps(content)
    return Reply(status, [JSON, NO_STORE, (b"content-length", b"%d" % len(body)), *headers], body)


def document_reply(status: int, body: bytes, *headers: tuple[bytes, bytes]) -> Reply:
    """An answer with a body that is ready to be sent; ``headers`` say what it is."""
    return Reply(status, [*headers, (b"content-length", b"%d" % len(body))], body)


def error_reply(status: int, error: str, description: str, *headers: tuple[bytes, bytes]) -> Reply:
    """An error in the form of RFC 6749 section 5.2."""
    return json_reply(status, {"error": error, "error_description": description}, *headers)


def challenge(scheme: bytes, error: str = "", description: str = "", **more: str) -> tuple[bytes, bytes]:
    """``WWW-Authenticate`` (RFC 9110 section 11.6.1; for Bearer RFC 6750 section 3); texts hold no quotes."""
    text = b'%s realm="%s"' % (scheme, REALM)
    if error:
        text += b', error="%s", error_description="%s"' % (error.encode(), description.encode())
    for name, value in more.items():
        text += b', %s="%s"' % (name.encode(), value.encode())
    return (b"www-authenticate", text)


class HttpError(Exception):
    """Ends a request with this answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class DisconnectedError(Exception):
    """The caller has gone; nobody waits for an answer."""


NOT_FOUND = error_reply(404, "not_found", "No endpoint has this path.")
FAILED = error_reply(500, "server_error", "The request could not be processed.")
UNAVAILABLE = error_reply(
    503, "temporarily_unavailable", "The gate cannot decide right now; try again.", (b"retry-after", b"2")
)


def not_allowed(*methods: bytes) -> Reply:
    """405 with the methods that there are (RFC 9110 section 15.5.6)."""
    return error_reply(
        405, "method_not_allowed", "This path does not support the method.", (b"allow", b", ".join(methods))
    )
