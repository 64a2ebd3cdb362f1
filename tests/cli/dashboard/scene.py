"""A small API server for the dashboard, and a browser."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from pathlib import Path

import aiohttp
import orjson
from aiohttp import web

from apiclients.cli.cluster.connection import Session
from apiclients.cli.dashboard.routes import Site
from apiclients.cli.dashboard.serving import listening, served
from apiclients.cli.dashboard.state.board import Board
from apiclients.kube.client import KubeClient
from apiclients.kube.clock import ClockWatch
from apiclients.kube.config import load_login
from apiclients.kube.transport import Transport
from tests.cli import samples
from tests.cli.samples import JsonObject
from tests.kube.fake import FakeServer, status

SYSTEM = "apiclients-system"
_DATE = format_datetime(samples.NOW, usegmt=True)
_PATH = re.compile(r"apis?/(?:[^/]+/)?v[^/]+/(?:namespaces/(?P<namespace>[^/]+)/)?(?P<plural>[^/]+)(?:/(?P<name>.+))?")


class Objects:
    """What the API server holds, by plural and name, with its watches."""

    def __init__(self) -> None:
        self.version = 1000
        self.held: defaultdict[str, dict[tuple[str, str], JsonObject]] = defaultdict(dict)
        self.log: list[tuple[int, str, str, JsonObject]] = []
        #: Plurals that nobody may read, with a namespace before them or without.
        self.forbidden: set[str] = set()
        self.away = False
        self._changed = asyncio.Condition()

    async def put(self, plural: str, obj: JsonObject) -> None:
        """Create or replace an object."""
        key = (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        kind = "MODIFIED" if key in self.held[plural] else "ADDED"
        await self._note(plural, kind, obj)
        self.held[plural][key] = self.log[-1][3]

    async def remove(self, plural: str, namespace: str, name: str) -> None:
        """Delete an object."""
        await self._note(plural, "DELETED", self.held[plural].pop((namespace, name)))

    async def _note(self, plural: str, kind: str, obj: JsonObject) -> None:
        self.version += 1
        stored = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        async with self._changed:
            self.log.append((self.version, plural, kind, stored))
            self._changed.notify_all()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """As an API server would, whose clock stands at the present of the samples."""
        response = await self._answer(request)
        if not response.prepared:
            response.headers["Date"] = _DATE
        return response

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        found = _PATH.fullmatch(request.match_info["path"])
        assert found is not None, request.path
        namespace, plural, name = found.group("namespace", "plural", "name")
        if self.away:
            return status(500, "InternalError", "etcd is away")
        if self.forbidden & {plural, f"{namespace}/{plural}"}:
            return status(403, "Forbidden", f'User "eve" cannot list resource "{plural}"')
        if name is not None:
            obj = self.held[plural].get((namespace or "", name))
            return web.json_response(obj) if obj is not None else status(404, "NotFound", f"{plural} {name} not found")
        if request.query.get("watch"):
            return await self._watch(request, plural, namespace)
        labels = request.query.get("labelSelector", "")
        items = [
            obj
            for key, obj in self.held[plural].items()
            if namespace in (None, key[0]) and (not labels or labels in _labels(obj))
        ]
        return web.json_response({"metadata": {"resourceVersion": str(self.version)}, "items": items})

    async def _watch(self, request: web.Request, plural: str, namespace: str | None) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Date": _DATE})
        await response.prepare(request)
        since, position = int(request.query["resourceVersion"]), 0
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: len(self.log) > position)  # noqa: B023
            version, of, kind, obj = self.log[position]
            position += 1
            if version > since and of == plural and namespace in (None, obj["metadata"].get("namespace")):
                await response.write(orjson.dumps({"type": kind, "object": obj}) + b"\n")


def _labels(obj: JsonObject) -> set[str]:
    """As selectors of one label ask for them."""
    return {f"{name}={value}" for name, value in (obj["metadata"].get("labels") or {}).items()}


@asynccontextmanager
async def running(server: FakeServer, folder: Path, repository: Path, namespace: str | None) -> AsyncIterator[str]:
    """A dashboard on this API server; gives its link. ``repository`` is where the manifests are."""
    login = await load_login(server.kubeconfig(folder), None, service_account_first=False)
    clock = ClockWatch(lambda: samples.NOW.timestamp())
    transport = Transport(login, clock, "test/1")
    async with KubeClient(transport, clock) as kube:
        board = Board(Session(kube, transport, "team-a"), namespace)
        site = Site(board, SYSTEM, repository)
        with listening(0) as listener:
            async with board.following(), served(site, listener) as link:
                yield link


@dataclass
class Browser:
    """What a person opens pages with."""

    session: aiohttp.ClientSession
    link: str
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """Scheme, address and port."""
        return self.link.split("/open")[0]

    @property
    def port(self) -> int:
        """Where it is served."""
        return int(self.origin.rpartition(":")[2])

    async def open(self) -> aiohttp.ClientResponse:
        """Follow the link, and keep the cookie."""
        response = await self.ask(self.link.removeprefix(self.origin))
        self.cookies |= {name: morsel.value for name, morsel in response.cookies.items()}
        return response

    async def ask(self, path: str, *, method: str = "GET", **headers: str) -> aiohttp.ClientResponse:
        """Send a request; words of header names are joined by ``_``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies and "Cookie" not in named:
            named["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        response = await self.session.request(method, f"{self.origin}{path}", headers=named, allow_redirects=False)
        await response.read()
        return response

    async def page(self, path: str = "/") -> str:
        """The HTML of a page that is there."""
        response = await self.ask(path)
        text = await response.text()
        assert response.status == 200, (path, response.status, text)
        return text

    @asynccontextmanager
    async def live(self) -> AsyncIterator[Events]:
        """The events of a page that is open."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with self.session.get(f"{self.origin}/live", headers={"Cookie": cookie}) as response:
            assert response.status == 200
            assert response.content_type == "text/event-stream"
            yield Events(response)


@dataclass
class Events:
    """A stream of server-sent events."""

    response: aiohttp.ClientResponse

    async def next(self, kind: str = "change") -> str:
        """The data of the next event of a kind."""
        fields: dict[str, str] = {}
        while True:
            line = (await self.response.content.readline()).decode()
            assert line, "the stream has ended"
            if line == "\n":
                if fields.get("event") == kind:
                    return fields.get("data", "")
                fields = {}
            name, _, value = line.rstrip("\n").partition(": ")
            fields[name] = value


def rows(page: str) -> list[str]:
    """The names of the clients of a list."""
    return re.findall(r'<th scope="row"><a href="/clients/[^/"]+/([^"]+)">', page)


def live_part(page: str) -> str:
    """What the script takes over."""
    return page[page.index('<main id="live"') : page.index("</main>")]
