"""One HTTP session to the API server: TLS, credentials, timeouts, bounded answers, Retry-After, the server's clock.

The official client's own transport costs more than twice the CPU per write; this one speaks plain bytes over aiohttp
and is the only place that knows about HTTP.
"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import aiohttp
from yarl import URL

from apiclients.kube.clock import ClockWatch
from apiclients.kube.config import Login
from apiclients.kube.errors import (
    ApiError,
    ResponseTooLargeError,
    TooManyRequestsError,
    UnreachableError,
    api_error,
    decode_error_body,
)

Observer = Callable[[str, str, int, float], None]
"""Called after each request with verb, resource plural, HTTP status (0 if there was no answer) and seconds."""

CONNECT_SECONDS = 5.0
ERROR_BODY_BYTES = 64 * 1024
#: As many as are in use: KubeClient bounds requests in flight, and there is one watch for each place to watch. With a
#: limit watches of many namespaces would take the connections of all else, the renewal of the leader's Lease included.
_NO_LIMIT = 0
_TRIES_BUSY = 5
_TRIES_BROKEN = 3
#: With certificates that may be refused: the authority first, then the client's.
_TRIES_REFUSED = 2
_LONGEST_WAIT = 30.0
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `idempotent` ones are repeated after failures, others only if the server did nothing (429, 401)."""

    verb: str
    resource: str
    method: str
    path: str
    subject: str = ""
    body: bytes | None = field(default=None, repr=False)  # it may hold secrets
    content_type: str = "application/json"
    accept: str = "application/json"
    seconds: float = 15.0
    max_bytes: int = 8 * 1024 * 1024
    idempotent: bool = False
    hide_message: bool = False
    urgent: bool = False

    @property
    def title(self) -> str:
        """What is asked, without any content: safe for logs."""
        return f"{self.verb} {self.resource} {self.subject}".rstrip()


class Transport:
    """Sends requests over a pool of connections. It has room for whatever its users have in flight at once."""

    def __init__(self, login: Login, clock: ClockWatch, user_agent: str, observe: Observer | None = None) -> None:
        self._login = login
        self._clock = clock
        self._observe = observe
        self._user_agent = user_agent
        self._session = self._open_session(_NO_LIMIT, decompress=False)
        # Compression costs both sides more CPU than a cluster's network costs time, and hides how long an answer is.
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "identity"}

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._login.server

    def new_session(
        self, limit: int, middlewares: Sequence[aiohttp.ClientMiddlewareType] = ()
    ) -> aiohttp.ClientSession:
        """Open a session of at most `limit` connections that adds the current credentials to every request.

        For libraries that bring their own requests (kopf), which are observed too and pass the `middlewares`; the
        caller closes it.
        """
        traces = [_observing(self._observe, URL(self._login.server).path)] if self._observe is not None else []
        return self._open_session(limit, decompress=True, traces=traces, middlewares=middlewares)

    def _open_session(
        self,
        limit: int,
        *,
        decompress: bool,
        traces: Sequence[aiohttp.TraceConfig] = (),
        middlewares: Sequence[aiohttp.ClientMiddlewareType] = (),
    ) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit, socket_factory=_keepalive_socket),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=[("User-Agent", self._user_agent), *self._login.impersonation],
            proxy=self._login.proxy,
            request_class=_request_class(self._login),
            auto_decompress=decompress,
            read_bufsize=256 * 1024,
            middlewares=(*middlewares, self._authorize),
            trace_configs=list(traces),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def call(self, request: Request) -> bytes:
        """Send a request and return the answer's body.

        429 is obeyed (at most five tries, at most 30 s between two). What is idempotent is tried up to three times over
        5xx and network failures. Raises ApiError, UnreachableError, ResponseTooLargeError.
        """
        failures = 0
        while True:
            try:
                return await self._once(request)
            except (ApiError, UnreachableError) as error:
                failures += 1
                delay = _retry_delay(request, error, failures)
                if delay is None:
                    raise
                await asyncio.sleep(delay)

    @asynccontextmanager
    async def stream(self, request: Request, inactivity: float) -> AsyncIterator[aiohttp.StreamReader]:
        """Open a long answer; `inactivity` is the longest silence in seconds. Raises like `call`, without retries.

        Network failures inside the block become UnreachableError too.
        """
        timeouts = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=inactivity)
        async with self._open(request, timeouts) as response:
            yield response.content

    async def _once(self, request: Request) -> bytes:
        timeouts = aiohttp.ClientTimeout(total=request.seconds, sock_connect=CONNECT_SECONDS)
        async with self._open(request, timeouts) as response:
            return await _read(response, request.max_bytes, request)

    @asynccontextmanager
    async def _open(self, request: Request, timeouts: aiohttp.ClientTimeout) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session.closed:
            raise UnreachableError(f"{request.title}: the client is closed")
        started = time.monotonic()
        code = 0
        try:
            async with await self._answer(request, timeouts) as response:
                self._clock.observe(response.headers.get("Date"), started, time.monotonic())
                code = response.status
                if code >= 300:
                    raise await _error_of(response, request)
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(request, error) from error
        finally:
            if self._observe is not None:
                self._observe(request.verb, request.resource, code, time.monotonic() - started)

    async def _answer(self, request: Request, timeouts: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        """Send a request; again if its certificates were refused, so that nothing was done, and there are new ones.

        A refused authority shows in the handshake, a refused client certificate by 401.
        """
        for _ in range(_TRIES_REFUSED):
            used = self._certificates()
            try:
                response = await self._send(request, timeouts)
            except aiohttp.ClientSSLError:
                if self._certificates() is used:
                    raise
                continue
            if response.status != 401 or self._certificates() is used:
                return response
            response.release()
        return await self._send(request, timeouts)

    def _certificates(self) -> ssl.SSLContext | None:
        return self._login.tls.current() if self._login.tls is not None else None

    async def _send(self, request: Request, timeouts: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        return await self._session.request(
            request.method,
            URL(self._login.server + request.path, encoded=True),
            data=request.body,
            headers=self._request_headers(request),
            timeout=timeouts,
            allow_redirects=False,
        )

    def _request_headers(self, request: Request) -> dict[str, str]:
        headers = {**self._headers, "Accept": request.accept}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        return headers

    async def _authorize(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Add the credentials. A 401 means that nothing was done: with other credentials it is sent once more.

        Certificates are read again after each failure, for they may be what was refused; `_request_class` uses them.
        """
        value = await self._login.authorization(False)
        if value:
            request.headers["Authorization"] = value
        try:
            response = await handler(request)
        except aiohttp.ClientConnectionError:
            self._refresh_certificates()
            raise
        if response.status != 401:
            return response
        fresh = await self._login.authorization(True)
        self._refresh_certificates()
        if not fresh or fresh == value:
            return response
        response.release()
        request.headers["Authorization"] = fresh
        return await handler(request)

    def _refresh_certificates(self) -> None:
        if self._login.tls is not None:
            self._login.tls.refresh()


def _request_class(login: Login) -> type[aiohttp.ClientRequest]:
    """Requests that take the certificates of their time.

    Connections are pooled by TLS context, so a request with new certificates never gets a connection with old ones.
    """

    class Request(aiohttp.ClientRequest):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            tls = login.tls.current() if login.tls is not None else True
            super().__init__(*arguments, **{**options, "ssl": tls, "server_hostname": login.server_hostname})

    return Request


def _observing(observe: Observer, base: str) -> aiohttp.TraceConfig:
    """Observe the requests of a session that others use; `base` is the path of the API server's URL."""

    async def start(_: aiohttp.ClientSession, state: SimpleNamespace, __: aiohttp.TraceRequestStartParams) -> None:
        state.started = time.monotonic()

    def report(state: SimpleNamespace, method: str, url: URL, code: int) -> None:
        verb, resource = _asked(method, url, base)
        observe(verb, resource, code, time.monotonic() - state.started)

    async def end(_: aiohttp.ClientSession, state: SimpleNamespace, done: aiohttp.TraceRequestEndParams) -> None:
        report(state, done.method, done.url, done.response.status)

    async def fail(_: aiohttp.ClientSession, state: SimpleNamespace, done: aiohttp.TraceRequestExceptionParams) -> None:
        report(state, done.method, done.url, 0)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(start)
    trace.on_request_end.append(end)
    trace.on_request_exception.append(fail)
    return trace


def _asked(method: str, url: URL, base: str) -> tuple[str, str]:
    """The Kubernetes verb and the resource's plural of a request; "discovery" for what is no resource."""
    parts = url.path.removeprefix(base.rstrip("/")).strip("/").split("/")
    parts = parts[{"api": 2, "apis": 3}.get(parts[0], len(parts)) :]
    if parts[0:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    resource, named = (parts[0], len(parts) > 1) if parts else ("discovery", True)
    if method != "GET":
        return _VERBS.get(method, method.lower()), resource
    if url.query.get("watch") == "true":
        return "watch", resource
    return ("get" if named else "list"), resource


def _keepalive_socket(address: tuple[Any, ...]) -> socket.socket:
    """Make a socket whose peer is probed after 15 s of silence and given up about 15 s later."""
    family, kind, protocol = address[0], address[1], address[2]
    sock = socket.socket(family, kind, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):  # not on every platform
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return sock


def _retry_delay(request: Request, error: ApiError | UnreachableError, failures: int) -> float | None:
    """Return the seconds to wait before the next try, or None to give up."""
    if request.urgent:
        return None
    if isinstance(error, TooManyRequestsError):
        if failures >= _TRIES_BUSY:
            return None
        wait = error.retry_after if error.retry_after is not None else float(2 ** (failures - 1))
        return min(_LONGEST_WAIT, wait) + random.uniform(0, 0.25)  # noqa: S311 - jitter, not a secret
    broken = isinstance(error, UnreachableError) or error.status >= 500
    if not broken or not request.idempotent or failures >= _TRIES_BROKEN:
        return None
    return float(0.2 * 2 ** (failures - 1) * random.uniform(0.5, 1.5))  # noqa: S311


async def _read(response: aiohttp.ClientResponse, limit: int, request: Request) -> bytes:
    length = response.content_length
    if length is not None:
        if length > limit:
            raise _too_large(response, request, limit)
        return await response.read()
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit:
            raise _too_large(response, request, limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(response: aiohttp.ClientResponse, request: Request, limit: int) -> ResponseTooLargeError:
    response.close()  # the rest is not worth reading: drop the connection
    return ResponseTooLargeError(f"{request.title}: the answer is longer than {limit} bytes")


async def _error_of(response: aiohttp.ClientResponse, request: Request) -> ApiError:
    retry_after = _seconds(response.headers.get("Retry-After"))
    try:
        raw = await _read(response, ERROR_BODY_BYTES, request)
    except ResponseTooLargeError:
        raw = b""
    return api_error(
        response.status,
        decode_error_body(raw),
        retry_after=retry_after,
        request=request.title,
        hide_message=request.hide_message,
    )


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() else None


def _unreachable(request: Request, error: Exception) -> UnreachableError:
    # Only what the operating system or TLS says: other messages of aiohttp can quote what was received.
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        detail = f": {error.certificate_error}"
    elif isinstance(error, aiohttp.ClientConnectorError):
        detail = f": {error.os_error}"
    else:
        detail = ""
    return UnreachableError(f"{request.title}: {type(error).__name__}{detail}")
