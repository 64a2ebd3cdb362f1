"""A reverse proxy in front of the API server that loses requests or their answers when told to.

A program that is to suffer gets a kubeconfig of the proxy: it speaks plain HTTP on loopback, sends its own bearer
token, and the proxy passes that on over verified TLS. What becomes of a request is decided by a function, so any
campaign of faults can be written as one.
"""

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web
from yarl import URL

from cluster import Cluster
from cluster.kubeconfig import write_kubeconfig

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host"})
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_START_SECONDS = 10.0
_BODY_BYTES = 16 * 1024 * 1024


class Fate(Enum):
    """What becomes of a request."""

    PASS = auto()
    #: It never reaches the API server; the connection is closed.
    DROP = auto()
    #: The API server has done it, and the connection is closed before the answer.
    LOSE = auto()
    #: It waits, unsent, until the proxy is told otherwise, and is then dropped.
    HOLD = auto()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, read from its path."""

    method: str
    namespace: str
    resource: str
    name: str
    subresource: str
    watch: bool = False

    @property
    def is_write(self) -> bool:
        """Whether it changes anything."""
        return self.method in _WRITES

    @classmethod
    def read(cls, method: str, path: str, *, watch: bool = False) -> Self:
        """From ``/api/v1/...`` or ``/apis/<group>/<version>/...``."""
        parts = path.strip("/").split("/")
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = ""
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        resource, name, subresource = [*rest, "", "", ""][:3]
        return cls(method, namespace, resource, name, subresource, watch)


Judge = Callable[[Asked], Fate]


def pass_all(_: Asked) -> Fate:
    """No faults."""
    return Fate.PASS


@dataclass
class StrikeAt:
    """Lets writes of one namespace pass until the ``number``-th, which suffers ``fate``; nothing passes after that.

    So whoever wrote is as good as dead from then on, and can be killed at leisure. Events do not count: they come
    whenever they come.
    """

    namespace: str
    number: int
    fate: Fate
    writes: list[Asked] = field(default_factory=list)
    _struck: bool = False

    def __call__(self, asked: Asked) -> Fate:
        if self._struck:
            return Fate.HOLD
        if not asked.is_write or asked.namespace != self.namespace or asked.resource == "events":
            return Fate.PASS
        self.writes.append(asked)
        self._struck = len(self.writes) == self.number
        return self.fate if self._struck else Fate.PASS


class ApiProxy:
    """The proxy, in a thread of its own. As a context manager it serves from entry to exit."""

    def __init__(self, cluster: Cluster) -> None:
        self._server = cluster.server
        self._tls = ssl.create_default_context(cafile=str(cluster.ca_file))
        self._judge: Judge = pass_all
        self._stalled: str | None = None
        self._flowing = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="api-proxy", daemon=True)
        self._released = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        #: Set once a request has been dropped, or has been done and its answer lost.
        self.struck = threading.Event()
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.judge_by(pass_all)
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_SECONDS)

    def kubeconfig(self, path: Path, token_file: Path) -> Path:
        """Write a kubeconfig that leads here, with the token of whoever is to suffer."""
        return write_kubeconfig(path, {"server": self.url}, {"tokenFile": str(token_file)})

    def judge_by(self, judge: Judge) -> None:
        """Decide by this function from now on; what was held is dropped."""

        async def change() -> None:
            self._judge = judge
            self.struck.clear()
            self._released.set()
            self._released = asyncio.Event()

        self._run(change())

    def stall_watch(self, resource: str | None) -> None:
        """Let no event of this resource through, on connections that stay open; None lets all through, late."""

        async def change() -> None:
            self._stalled = resource
            self._flowing.set()
            self._flowing = asyncio.Event()

        self._run(change())

    async def _start(self) -> None:
        # Credentials belong to whoever asks: no cookies, no environment.
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_START_SECONDS)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )
        app = web.Application(client_max_size=_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        assert self._runner
        assert self._session
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        released = self._released
        asked = Asked.read(request.method, request.path, watch="watch" in request.query)
        fate = self._judge(asked)
        if fate is Fate.HOLD:
            await released.wait()
            return _hang_up(request)
        if fate is Fate.DROP:
            self.struck.set()
            return _hang_up(request)
        try:
            return await self._forward(request, asked, lose_answer=fate is Fate.LOSE)
        except aiohttp.ClientError:
            return _hang_up(request)  # as the API server has just done

    async def _forward(self, request: web.Request, asked: Asked, *, lose_answer: bool) -> web.StreamResponse:
        assert self._session
        body = await request.read() if request.can_read_body else None
        target = URL(self._server + request.raw_path, encoded=True)
        headers = [(key, value) for key, value in request.headers.items() if key.lower() not in _HOP_BY_HOP]
        async with self._session.request(
            request.method, target, headers=headers, data=body, allow_redirects=False
        ) as answer:
            if lose_answer:
                await answer.read()
                self.struck.set()
                return _hang_up(request)
            return await self._pass_on(request, asked, answer)

    async def _pass_on(self, request: web.Request, asked: Asked, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, reason=answer.reason)
        for key, value in answer.headers.items():
            if key.lower() not in _HOP_BY_HOP:
                response.headers.add(key, value)
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            while asked.watch and asked.resource == self._stalled:
                await self._flowing.wait()
            await response.write(chunk)
        await response.write_eof()
        return response

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_START_SECONDS)


def _hang_up(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)
