"""A dashboard on a small API server, and a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.cli import samples
from tests.cli.dashboard.scene import Browser, Objects, running
from tests.kube.fake import FakeServer
from tests.toolkit.waiting import async_eventually

#: The plurals that a dashboard watches, where it may.
WATCHED = {"apiclients", "apiclientholds", "apis", "contracts", "contractapprovals"}

Opening = Callable[..., AbstractAsyncContextManager[Browser]]


@pytest.fixture
async def objects() -> Objects:
    """Two clients of two owners, the second one held."""
    made = Objects()
    await made.put("apiclients", samples.decided_client(samples.client("billing-1.0"), (), (), samples.NOW))
    await made.put("apiclients", samples.client("stock-2.0", owner="stock@example.com", client="stock"))
    await made.put("apiclientholds", samples.hold("leak", client_name="stock-2.0"))
    return made


@pytest.fixture
async def server(objects: Objects) -> AsyncIterator[FakeServer]:
    """The API server, which remembers what it was asked."""
    async with FakeServer(objects.answer) as running:
        yield running


@pytest.fixture
def dashboard(server: FakeServer, objects: Objects, tmp_path: Path, repository: Path) -> Opening:
    """Starts a dashboard; gives a browser that has not opened the link yet."""

    @asynccontextmanager
    async def start(namespace: str | None = None) -> AsyncIterator[Browser]:
        async with aiohttp.ClientSession() as session, running(server, tmp_path, repository, namespace) as link:
            await async_eventually("it watches", lambda: _watched(server) >= WATCHED - objects.forbidden)
            yield Browser(session, link)

    return start


def _watched(server: FakeServer) -> set[str]:
    return {request.path.rpartition("/")[2] for request in server.requests if "watch" in request.query}


@pytest.fixture
async def stranger(dashboard: Opening) -> AsyncIterator[Browser]:
    """A browser that has not opened the link."""
    async with dashboard() as browser:
        yield browser


@pytest.fixture
async def browser(stranger: Browser) -> Browser:
    """A browser that has."""
    await stranger.open()
    return stranger
