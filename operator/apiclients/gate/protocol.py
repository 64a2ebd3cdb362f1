"""The HTTP/1.1 protocol of uvicorn, with bounds that it does not have.

uvicorn's httptools protocol bounds neither the head of a request nor the time that one may take to arrive, and has no
limit of connections that would spare those who are connected. All of it costs memory or connections of everybody, so it
is bounded here, before any request reaches the application.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from apiclients.gate.replies import CLOSE, Reply, error_reply

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 128
#: A body that the application does not read is dropped up to here, then the connection ends.
MAX_MESSAGE_BYTES = 256 * 1024
#: A request must have arrived whole within this time; the endpoints that read a body allow it less.
MESSAGE_SECONDS = 20.0
#: A connection more than this is closed at once; whoever is connected keeps being served.
MAX_CONNECTIONS = 4096

BAD_REQUEST = error_reply(400, "invalid_request", "This is not an HTTP request.", CLOSE)
HEAD_TOO_LARGE = error_reply(431, "invalid_request", "The request has too many or too large header fields.", CLOSE)


class HeadTooLargeError(Exception):
    """Raised inside a callback of the parser, which then stops."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    max_connections = MAX_CONNECTIONS
    message_seconds = MESSAGE_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_message = False
        self._in_head = False
        self._message_bytes = 0
        self._head_bytes = 0
        self._header_count = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            transport.abort()
        else:
            self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, then look whether a request is under way, how large it is and how old."""
        if self._in_message:
            self._message_bytes += len(data)
            if self._in_head and self._message_bytes > MAX_HEAD_BYTES:
                self._refuse(HEAD_TOO_LARGE)
                return
            if self._message_bytes > MAX_MESSAGE_BYTES:
                self.transport.close()
                return
        super().data_received(data)
        idle = self.cycle is None or self.cycle.response_complete
        if self._in_message or idle:  # idle after data: only line breaks came, which must not keep a connection open
            self._start_deadline()
        else:
            self._stop_deadline()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_message = self._in_head = True
        self._message_bytes = self._head_bytes = self._header_count = 0

    def on_url(self, url: bytes) -> None:
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        self._count_head(len(name) + len(value))
        if self._in_head:  # after it come trailers, which must not pass for headers
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()
        if self.parser.should_upgrade():
            # The parser takes what follows for a new request, though the caller may mean it as a body.
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        self._in_message = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - ours is JSON
        """The parser stopped: at something that is not HTTP, or because a callback raised."""
        too_large = self._head_bytes > MAX_HEAD_BYTES or self._header_count > MAX_HEADERS
        self._refuse(HEAD_TOO_LARGE if too_large else BAD_REQUEST)

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES or self._header_count > MAX_HEADERS:
            raise HeadTooLargeError

    def _refuse(self, reply: Reply) -> None:
        # With an answer under way, this one would be taken for it.
        if self.cycle is None or self.cycle.response_complete:
            lines = [STATUS_LINE[reply.status], *(b"%s: %s\r\n" % header for header in reply.headers), b"\r\n"]
            self.transport.write(b"".join(lines) + reply.body)
        self.transport.close()

    def _start_deadline(self) -> None:
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(self.message_seconds, self.transport.close)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
