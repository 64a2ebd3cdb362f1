"""A dashboard on a small API server, and a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from apiclients.cli.cluster.connection import Session
from apiclients.cli.dashboard.board import Board
from apiclients.cli.dashboard.routes import Site
from apiclients.cli.dashboard.serving import listening, served
from apiclients.kube.client import KubeClient
from apiclients.kube.clock import ClockWatch
from apiclients.kube.config import load_login
from apiclients.kube.transport import Transport
from tests.cli import samples
from tests.cli.dashboard.scene import Browser, Objects
from tests.kube.fake import FakeServer

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
def dashboard(server: FakeServer, tmp_path: Path, repository: Path) -> Opening:
    """Starts a dashboard; gives a browser that has not opened the link yet."""

    @asynccontextmanager
    async def start(namespace: str | None = None) -> AsyncIterator[Browser]:
        login = await load_login(server.kubeconfig(tmp_path), None, service_account_first=False)
        clock = ClockWatch(lambda: samples.NOW.timestamp())
        transport = Transport(login, clock, "test/1")
        async with KubeClient(transport, clock) as kube, aiohttp.ClientSession() as session:
            board = Board(Session(kube, transport, "team-a"), namespace)
            with listening(0) as listener:
                async with board.following(), served(Site(board, "apiclients-system", repository), listener) as link:
                    yield Browser(session, link)

    return start


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
