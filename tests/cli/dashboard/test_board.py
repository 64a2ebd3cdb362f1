"""The state behind the pages survives what one client does to it, and says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from apiclients.cli.cluster.connection import Session
from apiclients.cli.dashboard.state.background import background
from apiclients.cli.dashboard.state.board import Board, slim
from apiclients.cli.screens.listing import ClientLine, client_lines
from apiclients.kube.client import KubeClient
from apiclients.kube.clock import ClockWatch
from apiclients.kube.config import load_login
from apiclients.kube.transport import Transport
from apiclients.resources.names import ROTATE_REQUESTED_ANNOTATION
from tests.cli import samples
from tests.cli.dashboard.scene import Browser, Objects, rows
from tests.kube.fake import FakeServer
from tests.toolkit.waiting import async_eventually


async def shows(browser: Browser, text: str) -> None:
    """Wait until the list of clients has a text."""

    async def found() -> bool:
        return text in unescape(await browser.page())

    await async_eventually(text, found)


@asynccontextmanager
async def boarding(server: FakeServer, folder: Path) -> AsyncIterator[Board]:
    """A board that does not follow yet."""
    login = await load_login(server.kubeconfig(folder), None, service_account_first=False)
    clock = ClockWatch(lambda: samples.NOW.timestamp())
    transport = Transport(login, clock, "test/1")
    async with KubeClient(transport, clock) as kube:
        yield Board(Session(kube, transport, "team-a"), None)


async def test_a_client_that_cannot_be_foreseen_stops_nothing(browser: Browser, objects: Objects) -> None:
    """The end of time plus anything is no time."""
    hold = samples.hold("forever", client_name="billing-1.0", expiresTime="9999-12-31T23:59:59Z")
    await objects.put("apiclientholds", hold)
    await shows(browser, "team-a/billing-1.0 cannot be")
    await objects.put("apiclients", samples.client("new-1.0"))
    await shows(browser, "new-1.0")
    await objects.remove("apiclientholds", "team-a", "forever")

    async def forgotten() -> bool:
        page = await browser.page()
        return "team-a/billing-1.0 cannot be" not in page and "billing-1.0" in rows(page)

    await async_eventually("the note is gone", forgotten)


@pytest.mark.parametrize(
    ("broken", "note"),
    [
        ("client_lines", "Client team-a/stock-2.0 cannot be shown"),
        ("coming", "What comes for client team-a/stock-2.0 cannot be foreseen"),
    ],
)
async def test_which_client_fails_is_said(
    browser: Browser, objects: Objects, monkeypatch: pytest.MonkeyPatch, broken: str, note: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OverflowError("date value out of range")

    module = "board" if broken == "client_lines" else "ahead"
    monkeypatch.setattr(f"apiclients.cli.dashboard.state.{module}.{broken}", fail)
    await objects.put("apiclients", samples.client("stock-2.0", owner="other@example.com"))
    await shows(browser, note)


async def test_what_fails_in_the_background_ends_the_body() -> None:
    async def fail() -> None:
        raise LookupError("a bug")

    with pytest.raises(LookupError, match="a bug"):
        async with asyncio.timeout(60), background([fail()]):
            await asyncio.Event().wait()


async def test_an_error_of_the_body_stays_what_it_is() -> None:
    with pytest.raises(KeyError):
        async with background([asyncio.Event().wait()]):
            raise KeyError


async def test_the_background_ends_with_the_body() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with background([work()]):
        await asyncio.sleep(0)
    assert ended.is_set()


@pytest.mark.parametrize("worker", ["_keep_lines", "_keep_ticking", "_probe"])
async def test_a_dead_worker_ends_the_dashboard(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker: str
) -> None:
    async def fail(_: Board) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr(Board, worker, fail)
    with pytest.raises(LookupError, match="a bug"):
        async with asyncio.timeout(60), boarding(server, tmp_path) as made, made.following():
            await asyncio.Event().wait()


async def test_lines_that_stay_the_same_refresh_no_page(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_lines = 0

    def counted(*given: Any) -> list[ClientLine]:
        nonlocal made_lines
        made_lines += 1
        return client_lines(*given)

    async def made_again() -> None:
        enough = made_lines + 10
        await async_eventually("lines are made again", lambda: made_lines >= enough)

    monkeypatch.setattr("apiclients.cli.dashboard.state.board._TICK_SECONDS", 0.02)
    monkeypatch.setattr("apiclients.cli.dashboard.state.board.client_lines", counted)
    async with boarding(server, tmp_path) as board, board.following():
        await board.relations.synced()
        await async_eventually("all is foreseen", lambda: board.unforeseen == 0)
        await made_again()
        revision = board.revision
        await made_again()
        assert board.revision == revision


def test_what_nobody_reads_is_not_kept() -> None:
    obj = samples.client()
    own = {ROTATE_REQUESTED_ANNOTATION: "now"}
    notes = {**own, "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    full = {**obj, "metadata": {**obj["metadata"], "managedFields": [{}], "annotations": notes}}
    assert slim(full) == {**obj, "metadata": {**obj["metadata"], "annotations": own}}
    assert "annotations" in full["metadata"]
