"""One watch for each of many namespaces (--secret-namespaces) leaves connections for all else."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from apiclients.kube.client import SECRETS, KubeClient, custom_resource
from tests.kube.fake import FakeServer

WATCHES = 150
THINGS = custom_resource("example.test", "v1", "things", "Thing")
THING = {"metadata": {"name": "a", "namespace": "ns", "uid": "u", "resourceVersion": "1"}}


class Watched:
    """Keeps each watch open, and answers all else at once."""

    def __init__(self) -> None:
        self.open = 0
        self.all_open, self.end = asyncio.Event(), asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.json_response(THING)
        stream = web.StreamResponse()
        await stream.prepare(request)
        self.open += 1
        if self.open == WATCHES:
            self.all_open.set()
        await self.end.wait()
        return stream


async def test_many_watches_hold_up_neither_the_leaders_lease_nor_anything_else(tmp_path: Path) -> None:
    watched = Watched()

    async def watch(client: KubeClient, number: int) -> None:
        async for _ in client.watch(SECRETS, f"team-{number}", resource_version="1"):
            pass

    async with (
        FakeServer(watched.answer) as server,
        await KubeClient.connect(kubeconfig=server.kubeconfig(tmp_path), user_agent="test/1") as client,
        asyncio.TaskGroup() as tasks,
    ):
        for number in range(WATCHES):
            tasks.create_task(watch(client, number))
        async with asyncio.timeout(30):
            await watched.all_open.wait()
            await client.replace(THINGS, "ns", "a", THING, urgent=True)
            await client.get(THINGS, "ns", "a")
        watched.end.set()
