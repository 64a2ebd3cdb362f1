"""kopf's first list shows nothing, and its watch begins where the store's own list ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from apiclients.controllers.cluster import Cluster
from apiclients.controllers.first_watch import FirstWatch
from apiclients.kube.client import KubeClient
from apiclients.kube.objects import Page
from tests.lifecycle.parties import raw_client

BASE = "/prefix"
CLIENTS = f"{BASE}/apis/apiclients.dev/v1alpha1/apiclients"
RESUMED = {
    "limit": "500",
    "fieldSelector": "metadata.name=-",
    "resourceVersion": "1000",
    "resourceVersionMatch": "Exact",
}


class Server:
    """Answers as an API server would, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.statuses: list[int] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        return web.json_response({}, status=self.statuses.pop(0) if self.statuses else 200)

    async def pages(self, *_: Any, **__: Any) -> Any:
        client = raw_client()
        client["metadata"]["resourceVersion"] = "7"
        yield Page([client], "1000")


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, TestServer]]:
    found, app = Server(), web.Application()
    app.router.add_route("*", "/{path:.*}", found.answer)
    running = TestServer(app)
    async with running:
        yield found, running


@pytest.fixture
async def cluster(server: tuple[Server, TestServer]) -> Cluster:
    made = Cluster(lambda wake, lane: None)
    await made.clients.load(cast(KubeClient, server[0]))
    return made


async def listed(cluster: Cluster, running: TestServer, *queries: str) -> list[int]:
    """The statuses of kopf's requests, one after another."""
    async with aiohttp.ClientSession(middlewares=[FirstWatch(cluster.stores)]) as session:
        statuses = []
        for query in queries:
            async with session.get(f"{running.make_url(CLIENTS)}?{query}") as response:
                statuses.append(response.status)
        return statuses


async def test_only_the_first_list_is_cut_short(server: tuple[Server, TestServer], cluster: Cluster) -> None:
    assert cluster.clients.undelivered.behind == 1
    await listed(cluster, server[1], "limit=500", "watch=true&resourceVersion=1000", "limit=500")
    assert server[0].asked == [RESUMED, {"watch": "true", "resourceVersion": "1000"}, {"limit": "500"}]
    assert cluster.clients.undelivered.behind == 0, "kopf's list has nothing to show"


@pytest.mark.parametrize("failure", [410, 503, 504])
async def test_a_version_that_cannot_be_had_leads_to_a_whole_list(
    server: tuple[Server, TestServer], cluster: Cluster, failure: int
) -> None:
    server[0].statuses = [failure]
    assert await listed(cluster, server[1], "limit=500") == [200]
    assert server[0].asked == [RESUMED, {"limit": "500"}]
    assert cluster.clients.undelivered.behind == 1, "kopf's list will show it"


async def test_other_kinds_and_writes_pass(server: tuple[Server, TestServer], cluster: Cluster) -> None:
    async with aiohttp.ClientSession(middlewares=[FirstWatch(cluster.stores)]) as session:
        await session.get(f"{server[1].make_url(CLIENTS)}x?limit=500")
        await session.patch(server[1].make_url(CLIENTS))
    assert server[0].asked == [{"limit": "500"}, {}]
