"""The HTTP/1.1 protocol of uvicorn, with bounds that it does not have, and a shorter way for gateways.

uvicorn's httptools protocol bounds neither the head of a request nor the time that one may take to arrive, and has no
limit of connections that would spare those who are connected. All of it costs memory or connections of everybody, so it
is bounded here, before any request reaches the application.

A gateway asks before each of its calls, and path and headers decide what it gets. Such a request is answered as soon
as it is read; the way through ASGI costs a task, a cycle and two messages, which is more than the decision itself. What
is in any way unusual (a body, HTTP/1.0, an answer under way, a slow reader) takes that way, to the same answer.

Whoever offers to go on in another protocol (``Upgrade``; curl with --http2 and Java's client do so with every request)
is answered as if nothing had been offered (RFC 9110 section 7.8). The parser has no such choice: after an offer it
takes what follows for the other protocol. So the request is read again, without the offer, by a new parser.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, parse_url
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from apiclients.gate.http.replies import CLOSE, FAILED, Headers, Reply, error_reply

logger = logging.getLogger(__name__)

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 128
#: A body that the application does not read is dropped up to here, then the connection ends.
MAX_MESSAGE_BYTES = 256 * 1024
#: A request must have arrived whole within this time; the endpoints that read a body allow it less.
MESSAGE_SECONDS = 20.0
#: A connection more than this is closed at once; whoever is connected keeps being served.
MAX_CONNECTIONS = 4096

#: A request with one of these has more to it than its head.
_MORE = frozenset({b"transfer-encoding", b"content-length", b"expect"})

#: The answer to a path and headers; None if it takes more than them.
Immediate = Callable[[bytes, Headers], Reply | None]

BAD_REQUEST = error_reply(400, "invalid_request", "This is not an HTTP request.", CLOSE)
HEAD_TOO_LARGE = error_reply(431, "invalid_request", "The request has too many or too large header fields.", CLOSE)


class HeadTooLargeError(Exception):
    """Raised inside a callback of the parser, which then stops."""


class BadHostError(Exception):
    """As above."""


class TunnelError(Exception):
    """As above."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    max_connections = MAX_CONNECTIONS
    message_seconds = MESSAGE_SECONDS

    def __init__(self, immediate: Immediate, *args: Any, max_connections: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if max_connections is not None:
            self.max_connections = max_connections
        self._immediate = immediate
        self._reply: Reply | None = None
        self._answered = False
        self._draining = False
        self._head_only = True
        self._offered = False
        self._hosts = 0
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
        self._message_bytes += len(data)
        self._answered = False
        self._unset_keepalive_if_required()
        self._feed(data)
        if self._in_head and self._message_bytes > MAX_HEAD_BYTES:
            self._refuse(HEAD_TOO_LARGE)
        elif self._in_message and self._message_bytes > MAX_MESSAGE_BYTES:
            self.transport.close()
        idle = not self._busy and not self._answered
        if self._in_message or idle:  # idle after data: only line breaks came, which must not keep a connection open
            self._start_deadline()
        else:
            self._stop_deadline()

    def _feed(self, data: bytes) -> None:
        rest: memoryview | None = memoryview(data)
        try:
            while rest is not None:
                rest = self._feed_until_offer(rest)
        except HttpParserError:
            self.send_400_response("")

    def _feed_until_offer(self, data: memoryview) -> memoryview | None:
        """Returns what stands behind the head that has an offer; None if none has. Raises HttpParserError."""
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as offer:
            self._decline_offer()
            return data[offer.args[0] :]
        return None

    def _decline_offer(self) -> None:
        """Read the head of the request again, without the offer. Raises HttpParserError."""
        head = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        head += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self.parser.feed_data(b"\r\n".join([*head, b"", b""]))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_message = self._in_head = self._head_only = True
        self._offered = False
        self._message_bytes = self._head_bytes = self._header_count = self._hosts = 0

    def on_url(self, url: bytes) -> None:
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        self._count_head(len(name) + len(value))
        if self._in_head:  # after it come trailers, which must not pass for headers
            super().on_header(name, value)
            self._hosts += self.headers[-1][0] == b"host"
            self._head_only = self._head_only and (self.headers[-1][0] not in _MORE or value == b"0")

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._check_hosts()
        self._check_method()
        self._offered = self.parser.should_upgrade()
        if self._offered:
            return
        self._reply = self._find_reply()
        if self._reply is None:
            super().on_headers_complete()
            self.cycle.keep_alive = self.cycle.keep_alive and not self._draining

    def on_message_complete(self) -> None:
        if self._offered:
            return
        self._in_message = False
        if self._reply is None:
            super().on_message_complete()
            return
        self._write(self._reply)
        self._reply, self._answered = None, True
        self.on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - ours is JSON
        """The parser stopped: at something that is not HTTP, or because a callback raised."""
        too_large = self._head_bytes > MAX_HEAD_BYTES or self._header_count > MAX_HEADERS
        self._refuse(HEAD_TOO_LARGE if too_large else BAD_REQUEST)

    def drain(self) -> None:
        """Let the next answer be the last one on this connection, and say so in it (RFC 9112 section 9.6).

        An idle connection stays open: a request may be on its way, and closing would lose it.
        """
        self._draining = True
        if self._busy:
            self.cycle.keep_alive = False

    @property
    def _busy(self) -> bool:
        """Whether an answer is under way."""
        return self.cycle is not None and not self.cycle.response_complete

    def _find_reply(self) -> Reply | None:
        """What can be answered at once, if this is all that there is to the request and nothing stands before it."""
        parser = self.parser
        usual = parser.get_http_version() == "1.1" and parser.should_keep_alive() and not self._draining
        if not usual or not self._head_only or self._busy or self.flow.write_paused or parser.get_method() == b"HEAD":
            return None
        return self._immediate(parse_url(self.url).path, self.headers)

    def _check_hosts(self) -> None:
        """One Host, which HTTP/1.0 may leave out (RFC 9112 section 3.2): gateway and gate could differ about two."""
        if self._hosts > 1 or (self._hosts == 0 and self.parser.get_http_version() == "1.1"):
            raise BadHostError

    def _check_method(self) -> None:
        """No CONNECT: there is no tunnel here, and the parser takes what follows the head for what goes through it."""
        if self.parser.get_method() == b"CONNECT":
            raise TunnelError

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES or self._header_count > MAX_HEADERS:
            raise HeadTooLargeError

    def _refuse(self, reply: Reply) -> None:
        # With an answer under way, this one would be taken for it.
        if not self._busy:
            self._write(reply)
        self.transport.close()

    def _write(self, reply: Reply) -> None:
        head = _render(reply, self.server_state.default_headers)
        if head is None:
            logger.error("an answer with a line break in a header was not sent")
            reply = FAILED
            head = _render(FAILED, self.server_state.default_headers) or b""
        self.transport.write(head + reply.body)

    def _start_deadline(self) -> None:
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(self.message_seconds, self.transport.close)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _render(reply: Reply, default_headers: Headers) -> bytes | None:
    """The head of an answer; None if a header would end before its line does (RFC 9112 section 11.1)."""
    lines = [b"%s: %s" % header for header in (*default_headers, *reply.headers)]
    head = STATUS_LINE[reply.status] + b"\r\n".join(lines) + b"\r\n\r\n"
    return head if head.count(b"\n") == len(lines) + 2 and head.count(b"\r") == len(lines) + 2 else None
