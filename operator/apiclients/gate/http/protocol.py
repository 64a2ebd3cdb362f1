"""The HTTP/1.1 protocol of uvicorn, with bounds that it does not have, and a shorter way for gateways.

uvicorn's httptools protocol bounds neither the head of a request nor the time that one may take to arrive, and has no
limit of connections that would spare those who are connected. All of it costs memory or connections of everybody, so it
is bounded here, before any request reaches the application.

A gateway asks before each of its calls, and path and headers decide what it gets. Such a request is answered as soon
as it is read; the way through ASGI costs a task, a cycle and two messages, which is more than the decision itself. What
is in any way unusual (a body, HTTP/1.0, an answer under way, a slow reader) takes that way, to the same answer.

So is a small form that asks for a token or about one, if the whole of it has arrived together. It is kept until its
last byte is read; one that ends later, or that the application cannot answer without waiting, takes the way through
ASGI from there.

Whoever offers to go on in another protocol (``Upgrade``; curl with --http2 and Java's client do so with every request)
is answered as if nothing had been offered (RFC 9110 section 7.8). The parser has no such choice: after an offer it
takes what follows for the other protocol. So the request is read again, without the offer, by a new parser.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, parse_url
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from apiclients.gate.http.forms import Head
from apiclients.gate.http.replies import CLOSE, FAILED, Headers, Receive, Reply, Scope, Send, error_reply

logger = logging.getLogger(__name__)

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 128
#: A body that the application does not read is dropped up to here, then the connection ends.
MAX_MESSAGE_BYTES = 256 * 1024
#: A form that is larger goes through ASGI: room for the usual token many times over, and one read of a socket at most.
MAX_FORM_BYTES = 16 * 1024
_LENGTH_DIGITS = 8
#: A request must have arrived whole within this time; the endpoints that read a body allow it less.
MESSAGE_SECONDS = 20.0
#: A connection more than this is closed at once; whoever is connected keeps being served.
MAX_CONNECTIONS = 4096

#: A request with one of these has more to it than its head.
_MORE = frozenset({b"transfer-encoding", b"content-length", b"expect"})

BAD_REQUEST = error_reply(400, "invalid_request", "This is not an HTTP request.", CLOSE)
HEAD_TOO_LARGE = error_reply(431, "invalid_request", "The request has too many or too large header fields.", CLOSE)


class App(Protocol):
    """What a server serves."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request (ASGI)."""

    def immediate(self, path: bytes, headers: Headers) -> Reply | None:
        """The answer, if path and headers are all that it takes."""

    def takes_form(self, path: bytes) -> bool:
        """Whether a form sent to this path can be answered by :meth:`immediate_form`."""

    def immediate_form(self, head: Head, body: bytes) -> Reply | None:
        """The answer to a whole form, if it takes no waiting; ``head.path`` is one of those."""


@dataclass(slots=True)
class _Form:
    """What has been read of a form that may be answered at once."""

    head: Head
    body: bytes = b""


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

    def __init__(self, answers: App, *args: Any, max_connections: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if max_connections is not None:
            self.max_connections = max_connections
        self._answers = answers
        self._reply: Reply | None = None
        self._form: _Form | None = None
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
            if self._form is not None:  # the rest of it is on its way
                self._leave_to_asgi(self._form)
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
        if self._is_usual():
            url = parse_url(self.url)
            self._reply = self._answers.immediate(url.path, self.headers) if self._head_only else None
            if self._reply is None and self._is_small_form(url.path):
                self._form = _Form(Head("POST", url.path, url.query or b"", self.headers))
        if self._reply is None and self._form is None:
            self._start_cycle()

    def on_body(self, body: bytes) -> None:
        if self._form is None:
            super().on_body(body)
        else:
            self._form.body += body

    def on_message_complete(self) -> None:
        if self._offered:
            return
        self._in_message = False
        if self._form is not None:
            self._answer_form(self._form)
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

    def _is_usual(self) -> bool:
        """Whether an answer could be given at once: this is an everyday request, and nothing stands before it."""
        parser = self.parser
        if parser.get_http_version() != "1.1" or not parser.should_keep_alive() or parser.get_method() == b"HEAD":
            return False
        return not self._draining and not self._busy and not self.flow.write_paused

    def _is_small_form(self, path: bytes) -> bool:
        """Whether a bounded form follows, of a length that is known, which the application may answer at once.

        One in each read: with a signature for each of a thousand, other connections would wait for them all.
        """
        if self._answered or self.parser.get_method() != b"POST" or not self._answers.takes_form(path):
            return False
        more = [(name, value) for name, value in self.headers if name in _MORE]
        if len(more) != 1 or more[0][0] != b"content-length":
            return False
        length = more[0][1]
        return length.isdigit() and len(length) <= _LENGTH_DIGITS and int(length) <= MAX_FORM_BYTES

    def _start_cycle(self) -> None:
        """Let the application answer through ASGI."""
        super().on_headers_complete()
        self.cycle.keep_alive = self.cycle.keep_alive and not self._draining

    def _answer_form(self, form: _Form) -> None:
        """It has been read whole."""
        self._reply = self._answers.immediate_form(form.head, form.body)
        if self._reply is None:
            self._leave_to_asgi(form)
        self._form = None

    def _leave_to_asgi(self, form: _Form) -> None:
        """With what has been read of it."""
        self._form = None
        self._start_cycle()
        if form.body:
            super().on_body(form.body)

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
