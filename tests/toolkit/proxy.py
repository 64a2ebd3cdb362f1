"""A proxy in front of the API server that tests control: each program that is to suffer has one of its own.

A program speaks plain HTTP to it on loopback, with its own bearer token, which is passed on over verified TLS. It
loses, delays, freezes, refuses or replays what goes through it, answers from a cache that has lost changes, and can
tell another time of day than the API server.
What becomes of a request can also be decided by a function, so that any campaign of faults can be written as one.
"""

import asyncio
import itertools
import json
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from cluster import Cluster
from cluster.kubeconfig import write_kubeconfig
from tests.toolkit.faults import EVENTS, Asked, Fate, Judge, Loss, Refusal, pass_all
from tests.toolkit.lying_cache import CacheWatch, LyingCache

_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host", "accept-encoding"}
)
_OF_BODY = ("Content-Length", "Content-Type")
_SECONDS = 10.0
_BODY_BYTES = 16 * 1024 * 1024
_REMEMBERED = 30
_EXPIRED = 410
_REASONS = {404: "NotFound", 409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError"}


@dataclass(eq=False)
class _Stream:
    """One watch under way."""

    resource: str
    response: web.StreamResponse
    cache: CacheWatch
    recent: deque[bytes] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))


class FaultProxy:
    """The proxy, in a thread of its own. As a context manager it serves from entry to exit."""

    def __init__(self, cluster: Cluster) -> None:
        self._server = cluster.server
        self._tls = ssl.create_default_context(cafile=str(cluster.ca_file))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._requests: dict[int, web.Request] = {}
        self._streams: set[_Stream] = set()
        self._refusals: list[Refusal] = []
        self._losses: list[Loss] = []
        self._mute: frozenset[str] = frozenset()
        self._stalled: frozenset[str] = frozenset()
        self._moving = asyncio.Event()
        self._judge: Judge = pass_all
        self._judged_anew = asyncio.Event()
        self._refuses_connections = False
        #: What lists and watches are answered from.
        self.cache = LyingCache()
        #: Set once the judge has had a request dropped, or done and its answer lost.
        self.struck = threading.Event()
        #: Seconds that every request waits.
        self.delay = 0.0
        #: Seconds by which the time of day that programs are told is ahead of the real one.
        self.date_shift = 0.0
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.heal()
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS)

    def kubeconfig(self, path: Path, token_file: Path) -> Path:
        """Write a kubeconfig that leads here, with the token of whoever is to suffer."""
        return write_kubeconfig(path, {"server": self.url}, {"tokenFile": str(token_file)})

    # Faults

    @property
    def passes(self) -> bool:
        """Whether requests get through, and are told the right time."""
        return self._flowing.is_set() and not self._refuses_connections and not self.date_shift

    def heal(self) -> None:
        """No faults from now on. What was swallowed stays lost."""
        self.delay = self.date_shift = 0.0
        self._refusals, self._losses, self._mute = [], [], frozenset()
        self._refuses_connections = False
        self.cache.heal()
        self._loop.call_soon_threadsafe(self._flowing.set)
        self.judge_by(pass_all)
        self.stall()

    def freeze(self) -> None:
        """Connections stay open, and nothing goes through until ``heal``; then everything that waited does."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def judge_by(self, judge: Judge) -> None:
        """Decide by this function what becomes of each request from now on; what was held is dropped."""

        async def change() -> None:
            self._judge = judge
            self.struck.clear()
            self._judged_anew.set()
            self._judged_anew = asyncio.Event()

        self._run(change())

    def stall(self, *resources: str) -> None:
        """Watches of these resources stay open and deliver nothing; those of all others deliver what waited."""

        async def change() -> None:
            self._stalled = frozenset(resources)
            self._moving.set()
            self._moving = asyncio.Event()

        self._run(change())

    def mute(self, *resources: str) -> None:
        """Watches of these resources stay open and deliver nothing, not even a bookmark; it is lost."""
        self._mute = frozenset(resources)

    def cut(self, *, for_good: bool = False) -> None:
        """Break all connections; with ``for_good`` new ones, too, until ``heal``."""

        async def abort() -> None:
            self._refuses_connections = for_good
            for request in list(self._requests.values()):
                _abort(request)

        self._run(abort())

    def refuse(self, status: int, matches: Callable[[Asked], bool], times: int = 1) -> Refusal:
        """Answer so to the next requests that match."""
        made = Refusal(status, matches, times)
        self._refusals = [*self._refusals, made]
        return made

    def lose(self, resource: str, *, types: frozenset[str] = EVENTS, name: str | None = None, times: int = 1) -> Loss:
        """Swallow the next watch events of a resource, in one of its watches."""
        made = Loss(resource, types, name, times)
        self._losses = [*self._losses, made]
        return made

    def replay(self, *resources: str) -> int:
        """Deliver the latest events of these watches once more; returns how many."""

        async def again() -> int:
            count = 0
            for stream in [one for one in self._streams if one.resource in resources]:
                for line in list(stream.recent):
                    await stream.response.write(line)
                    count += 1
            return count

        count: int = self._run(again())
        return count

    # Inside

    async def _start(self) -> None:
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_SECONDS)
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
        self._requests[id(request)] = request
        try:
            if self._refuses_connections:
                return _abort(request)
            if self.delay:
                await asyncio.sleep(self.delay)
            await self._flowing.wait()
            asked = Asked.read(request)
            if refusal := self._refusal(asked):
                return self._refused(refusal.status)
            if "continue" in asked.query and self.cache.answers(asked):
                return self._refused(_EXPIRED)  # the list began before the cache lost anything
            return await self._suffer(request, asked)
        except (aiohttp.ClientError, ConnectionError):
            return _abort(request)
        finally:
            self._requests.pop(id(request), None)

    async def _suffer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        """Whatever the judge decides."""
        judged_anew, fate = self._judged_anew, self._judge(asked)
        if fate is Fate.HOLD:
            await judged_anew.wait()
            return _abort(request)
        if fate is Fate.DROP:
            self.struck.set()
            return _abort(request)
        return await self._forward(request, asked, lose_answer=fate is Fate.LOSE)

    def _refusal(self, asked: Asked) -> Refusal | None:
        for refusal in self._refusals:
            if refusal.left > 0 and refusal.matches(asked):
                refusal.left -= 1
                refusal.given += 1
                return refusal
        return None

    def _refused(self, status: int) -> web.Response:
        reason = _REASONS.get(status, "")
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status}
        headers = {"Date": self._date(), **({"Retry-After": "1"} if status == 429 else {})}
        return web.json_response(body | {"message": "a fault"}, status=status, headers=headers)

    async def _forward(self, request: web.Request, asked: Asked, *, lose_answer: bool) -> web.StreamResponse:
        assert self._session
        body = await request.read() if request.can_read_body else None
        target = URL(self._server + request.raw_path, encoded=True)
        if self.cache.answers(asked):
            target = target.without_query_params("limit")
        headers = [(key, value) for key, value in request.headers.items() if key.lower() not in _HOP_BY_HOP]
        headers.append(("Accept-Encoding", "identity"))
        async with self._session.request(
            request.method, target, headers=headers, data=body, allow_redirects=False
        ) as answer:
            if lose_answer:
                await answer.read()
                self.struck.set()
                return _abort(request)
            if not asked.watch and self.cache.answers(asked):
                return await self._answer_from_cache(request, asked, answer)
            return await self._pass_on(request, asked, answer)

    async def _answer_from_cache(
        self, request: web.Request, asked: Asked, answer: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        truth = await answer.json() if answer.status == 200 else None
        if asked.name and answer.status in (200, 404):
            believed = self.cache.believed_object(asked, request.headers.get("Accept", ""), truth)
        elif truth is not None:
            believed = self.cache.believed_list(asked, truth)
        else:
            return await self._pass_on(request, asked, answer)
        if believed is None:
            return self._refused(404)
        headers = self._headers(answer)
        for of_body in _OF_BODY:
            headers.popall(of_body, None)
        return web.json_response(believed, headers=headers)

    async def _pass_on(self, request: web.Request, asked: Asked, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=self._headers(answer))
        await response.prepare(request)
        if asked.watch and answer.status == 200:
            cache = self.cache.watch(asked, request.headers.get("Accept", ""))
            await self._pass_events(_Stream(asked.resource, response, cache), answer)
        else:
            async for chunk in answer.content.iter_any():
                await self._flowing.wait()
                await response.write(chunk)
        await response.write_eof()
        return response

    def _headers(self, answer: aiohttp.ClientResponse) -> CIMultiDict[str]:
        """Those of an answer that go on to the program."""
        headers = CIMultiDict((key, value) for key, value in answer.headers.items() if key.lower() not in _HOP_BY_HOP)
        if self.date_shift:
            headers["Date"] = self._date()
        return headers

    async def _pass_events(self, stream: _Stream, answer: aiohttp.ClientResponse) -> None:
        resource, rest = stream.resource, b""
        self._streams.add(stream)
        try:
            async for chunk in answer.content.iter_any():
                *true_lines, rest = (rest + chunk).split(b"\n")
                for line in itertools.chain.from_iterable(map(stream.cache.lines, true_lines)):
                    await self._flowing.wait()
                    while resource in self._stalled:
                        await self._moving.wait()
                    if not self._swallowed(resource, line):
                        stream.recent.append(line + b"\n")
                        await stream.response.write(line + b"\n")
        finally:
            self._streams.discard(stream)

    def _swallowed(self, resource: str, line: bytes) -> bool:
        if resource in self._mute:
            return True
        losses = [loss for loss in self._losses if loss.left > 0 and loss.resource == resource]
        if not losses:
            return False
        event = json.loads(line)
        for loss in losses:
            if event["type"] in loss.types and loss.name in (None, event["object"]["metadata"]["name"]):
                loss.left -= 1
                loss.happened.set()
                return True
        return False

    def _date(self) -> str:
        return formatdate(time.time() + self.date_shift, usegmt=True)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_SECONDS)


def _abort(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)
