"""TokenRevocations that are over are deleted: no faster than said, by a right clock alone, whatever fails."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from unittest.mock import Mock

import pytest

from apiclients.controllers.revocations import RevocationRemoval
from apiclients.kube.client import KubeClient
from apiclients.kube.errors import ConflictError, KubeError, NotFoundError, UnreachableError
from apiclients.lifecycle.revocations import REMOVAL_DELAY
from apiclients.resources.fields import format_time
from tests.toolkit.waiting import async_eventually

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class ApiServer:
    """Stands for ``KubeClient``: keeps what was deleted, after it has answered what a test says."""

    def __init__(self) -> None:
        self.clock = Mock()
        self.answers: list[KubeError | None] = []
        self.deleted: list[tuple[str, str | None]] = []

    async def delete(self, _resource: Any, namespace: str, name: str, *, uid: str | None) -> None:
        assert namespace == "sys"
        self.deleted.append((name, uid))
        error = self.answers.pop(0) if self.answers else None
        if error is not None:
            raise error


def made(server: ApiServer, *ends: datetime, pause: float = 0.0) -> RevocationRemoval:
    """It knows of revocations ``0``, ``1``, ... of tokens with these ends."""
    removal = RevocationRemoval(cast(KubeClient, server), "sys", lambda: NOW, period=0.001, pause=pause)
    for number, end in enumerate(ends):
        meta = {"namespace": "sys", "name": str(number), "uid": f"uid-{number}", "resourceVersion": str(number + 1)}
        meta["creationTimestamp"] = format_time(NOW - 2 * HOUR)
        removal.reflector.put({"metadata": meta, "spec": {"expiresTime": format_time(end)}})
    return removal


async def test_what_is_over_is_deleted_and_nothing_else() -> None:
    server = ApiServer()
    await made(server, NOW - HOUR, NOW, NOW + HOUR, NOW - REMOVAL_DELAY).remove_all()
    assert server.deleted == [("0", "uid-0"), ("3", "uid-3")]


@pytest.mark.rule(26)
async def test_nothing_is_deleted_by_a_wrong_clock() -> None:
    server = ApiServer()
    server.clock.trusted.return_value = False
    await made(server, NOW - HOUR).remove_all()
    assert server.deleted == []


async def test_one_that_is_gone_keeps_no_other() -> None:
    server = ApiServer()
    server.answers = [NotFoundError(404, "NotFound", ""), ConflictError(409, "Conflict", "")]
    await made(server, *[NOW - HOUR] * 3).remove_all()
    assert [name for name, _ in server.deleted] == ["0", "1", "2"]


async def test_a_failure_is_tried_again() -> None:
    server = ApiServer()
    server.answers = [UnreachableError("away")]
    task = asyncio.create_task(made(server, NOW - HOUR).run())
    await async_eventually("it is tried again", lambda: len(server.deleted) > 1)
    assert not task.done()
    task.cancel()


async def test_there_is_a_pause_after_each() -> None:
    server = ApiServer()
    task = asyncio.create_task(made(server, *[NOW - HOUR] * 3, pause=1000).remove_all())
    await async_eventually("the first is deleted", lambda: server.deleted)
    assert not task.done()
    assert len(server.deleted) == 1
    task.cancel()


async def test_one_that_cannot_be_read_goes_by_its_age() -> None:
    server = ApiServer()
    removal = made(server)
    for number, age in enumerate((HOUR, 80 * HOUR)):
        meta = {"namespace": "sys", "name": str(number), "uid": "u", "resourceVersion": "7"}
        meta["creationTimestamp"] = format_time(NOW - age)
        removal.reflector.put({"metadata": meta, "spec": {"expiresTime": "never"}})
    await removal.remove_all()
    assert server.deleted == [("1", "u")]
