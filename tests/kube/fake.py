"""A tiny API server that misbehaves on demand. Only for faults: healthy behaviour is tested against a real one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: fake
contexts: [{{name: fake, context: {{cluster: fake, user: fake}}}}]
clusters: [{{name: fake, cluster: {{server: "{server}"}}}}]
users: [{{name: fake, user: {user}}}]
"""


class FakeServer:
    """Serves whatever `answer` says, on loopback, and remembers the requests."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> FakeServer:
        application = web.Application(client_max_size=8 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def kubeconfig(self, folder: Path, user: str = "{}") -> Path:
        path = folder / "kubeconfig"
        path.write_text(KUBECONFIG.format(server=self.url, user=user))
        return path

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        return await self.answer(request)


def status(code: int, reason: str, message: str = "", **headers: str) -> web.Response:
    """Answer as Kubernetes does when it refuses."""
    body = {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": message}
    return web.json_response(
        body, status=code, headers={name.replace("_", "-"): text for name, text in headers.items()}
    )


class FakeObjects:
    """One resource with a history: lists, reads and watches, each of which can be made to fail."""

    def __init__(self) -> None:
        self.version = 10
        self.objects: dict[str, dict[str, Any]] = {}
        self.log: list[tuple[int, str, dict[str, Any]]] = []
        self.hidden: set[int] = set()
        self.oldest = 0
        self.frozen = False
        self.refusals: list[web.Response] = []
        self.unreadable: set[str] = set()
        self.list_override: tuple[int, list[dict[str, Any]]] | None = None
        #: What the cache has of these objects instead (None: nothing); lists and reads that may be old come from it.
        self.cached: dict[str, dict[str, Any] | None] = {}
        self.lists = 0
        self.watches: list[int] = []
        self.changed = asyncio.Condition()
        self.raw: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def write(self, name: str, *, kind: str = "", hide: bool = False, uid: str = "") -> int:
        """Create, change or delete (kind="DELETED") an object; `hide` keeps it from every watch."""
        self.version += 1
        metadata = {"namespace": "ns", "name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(self.version)}
        body = {"metadata": metadata}
        kind = kind or ("MODIFIED" if name in self.objects else "ADDED")
        if kind == "DELETED":
            self.objects.pop(name, None)
        else:
            self.objects[name] = body
        if hide:
            self.hidden.add(self.version)
        async with self.changed:
            self.log.append((self.version, kind, body))
            self.changed.notify_all()
        return self.version

    async def bookmark(self) -> None:
        """Tell all watches how far they are."""
        async with self.changed:
            body = {"metadata": {"resourceVersion": str(self.version)}}
            self.log.append((self.version, "BOOKMARK", body))
            self.changed.notify_all()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self.refusals:
            return self.refusals.pop(0)
        if request.query.get("watch"):
            return await self._watch(request)
        name = request.match_info["path"].partition("/things")[2].strip("/")
        if name in self.unreadable:
            return status(403, "Forbidden")
        cache = {one: body for one, body in (self.objects | self.cached).items() if body is not None}
        if name:
            stored = cache if request.query.get("resourceVersion") == "0" else self.objects
            return web.json_response(stored[name]) if name in stored else status(404, "NotFound")
        self.lists += 1
        version, items = self.list_override or (self.version, list(cache.values()))
        return web.json_response({"metadata": {"resourceVersion": str(version)}, "items": items})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        since = int(request.query["resourceVersion"])
        self.watches.append(since)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        if since < self.oldest:
            gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            await response.write(_line("ERROR", gone))
            return response
        position, known = 0, len(self.log)
        while True:
            async with self.changed:
                await self.changed.wait_for(lambda: not self.frozen and len(self.log) > position)  # noqa: B023
            version, kind, body = self.log[position]
            position += 1
            if kind in {"RAW", "BOOKMARK"}:
                if position <= known:
                    continue  # these are for the watches of their time
                await response.write(body["bytes"] if kind == "RAW" else _line(kind, body))
                if kind == "RAW":
                    return response
            elif version > since and version not in self.hidden:
                await response.write(_line(kind, body))

    async def send_raw(self, data: bytes) -> None:
        """Send these bytes to the watches and end them."""
        async with self.changed:
            self.log.append((self.version, "RAW", {"bytes": data}))
            self.changed.notify_all()

    async def thaw(self) -> None:
        """End `frozen`."""
        async with self.changed:
            self.frozen = False
            self.changed.notify_all()


def _line(kind: str, body: dict[str, Any]) -> bytes:
    return orjson.dumps({"type": kind, "object": body}) + b"\n"
