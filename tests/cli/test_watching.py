"""``-w``: what is shown follows what happens, also where it may be listed and not watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from apiclients.cli.screens import screen
from apiclients.kube.client import Page
from apiclients.kube.errors import ForbiddenError
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS
from apiclients.kube.objects import ResourceType


class Cluster:
    """Clients may be listed, holds not even that; nothing may be watched."""

    @property
    def kube(self) -> Cluster:
        return self

    async def pages(self, resource: ResourceType, *_: Any, **__: Any) -> AsyncIterator[Page]:
        if resource == API_CLIENT_HOLDS:
            raise ForbiddenError(403, "Forbidden", "no")
        yield Page([], "7")

    async def watch(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        raise ForbiddenError(403, "Forbidden", "no")
        yield


async def test_what_may_not_be_watched_is_read_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(screen, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(screen, "_SETTLE_SECONDS", 0.0)
    drawn, enough = 0, asyncio.Event()

    async def draw() -> str:
        nonlocal drawn
        drawn += 1
        if drawn == 5:
            enough.set()
        return f"screen {drawn}"

    session: Any = Cluster()
    watching = asyncio.create_task(screen.watch(session, "team-a", (API_CLIENTS, API_CLIENT_HOLDS), draw, "text"))
    async with asyncio.timeout(5):
        await enough.wait()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    out, err = capsys.readouterr()
    assert "screen 4" in out
    assert err == "warning: you may not watch apiclients: they are read every 0.01 s instead\n"
