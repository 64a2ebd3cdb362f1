"""The reflector against an API server that loses events, freezes, forgets and lies (rule 17)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from apiclients.kube.cache import Change, Reflector
from apiclients.kube.client import KubeClient, custom_resource
from apiclients.kube.errors import ApiError
from tests.kube.fake import FakeObjects, status
from tests.kube.waiting import until

pytestmark = pytest.mark.rule(17)

THINGS = custom_resource("example.test", "v1", "things", "Thing")


def version(body: dict[str, Any]) -> int:
    return int(body["metadata"]["resourceVersion"])


@asynccontextmanager
async def running(reflector: Reflector[Any]) -> AsyncIterator[None]:
    task = asyncio.create_task(reflector.run())
    try:
        await until(lambda: reflector.synced.is_set() or task.done(), "the first list")
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
def make(fake_client: KubeClient) -> Callable[..., Reflector[int]]:
    return lambda **options: Reflector(fake_client, THINGS, version, **options)


Make = Callable[..., Reflector[int]]


async def test_an_event_that_never_comes_is_found_by_a_relist(objects: FakeObjects, make: Make) -> None:
    await objects.write("a")
    await objects.write("b")
    changes: list[Change[int]] = []
    reflector = make(on_change=changes.append)
    async with running(reflector):
        await until(lambda: objects.watches)
        changes.clear()
        await objects.write("a", hide=True)
        await objects.write("b", kind="DELETED", hide=True)
        await objects.write("c", hide=True)
        last = await objects.write("d")
        await until(lambda: reflector.resource_version == last)
        assert set(reflector.store) == {("ns", "a"), ("ns", "b"), ("ns", "d")}
        await reflector.relist()
        assert set(reflector.store) == {("ns", "a"), ("ns", "c"), ("ns", "d")}
        assert reflector.lost_events == 3
        assert [change.source for change in changes] == ["watch", "relist", "relist", "relist"]


async def test_relists_come_by_themselves(objects: FakeObjects, make: Make) -> None:
    reflector = make(relist_interval=0.05)
    async with running(reflector):
        await until(lambda: objects.watches)
        await objects.write("a", hide=True)
        await until(lambda: reflector.store)
        assert reflector.lost_events == 0, "the watch may still be about to tell"
        await objects.bookmark()
        await until(lambda: reflector.lost_events == 1)
        first = reflector.last_list_started
        await until(lambda: reflector.last_list_started != first)
        assert time.monotonic() - (reflector.last_list_started or 0) < 5


async def test_relists_outlive_failures(objects: FakeObjects, make: Make) -> None:
    reflector = make(relist_interval=0.05)
    async with running(reflector):
        await until(lambda: objects.watches)
        objects.refusals = [status(403, "Forbidden") for _ in range(3)]
        await until(lambda: not objects.refusals)
        lists = objects.lists
        await until(lambda: objects.lists > lists + 2)


async def test_a_failed_relist_is_told_to_who_asked(objects: FakeObjects, make: Make) -> None:
    reflector = make()
    async with running(reflector):
        await until(lambda: objects.watches)
        started = reflector.last_list_started
        objects.refusals = [status(403, "Forbidden")]
        with pytest.raises(ApiError):
            await reflector.relist()
        assert reflector.last_list_started == started


async def test_a_watch_that_ends_is_resumed_without_a_list(objects: FakeObjects, make: Make) -> None:
    reflector = make()
    async with running(reflector):
        last = await objects.write("a")
        await until(lambda: reflector.resource_version == last)
        await objects.send_raw(b"")
        await until(lambda: len(objects.watches) > 1)
        await objects.write("b")
        await until(lambda: ("ns", "b") in reflector.store)
        assert objects.lists == 1
        assert objects.watches[-1] >= last


async def test_a_frozen_watch_is_replaced(objects: FakeObjects, make: Make) -> None:
    reflector = make(inactivity_timeout=0.2)
    async with running(reflector):
        await until(lambda: objects.watches)
        objects.frozen = True
        await objects.write("a")
        await until(lambda: len(objects.watches) > 1)
        assert not reflector.store
        await objects.thaw()
        await until(lambda: reflector.store)
        assert reflector.lost_events == 0
        assert objects.lists == 1


async def test_after_410_it_lists_again(objects: FakeObjects, make: Make) -> None:
    await objects.write("a")
    reflector = make()
    async with running(reflector):
        await until(lambda: objects.watches)
        objects.frozen = True
        await objects.write("a", kind="DELETED")
        await objects.write("b")
        objects.oldest = objects.version
        await objects.thaw()
        await objects.send_raw(b"")
        await until(lambda: set(reflector.store) == {("ns", "b")})
        assert reflector.lost_events == 0


async def test_a_watch_that_cannot_be_resumed_ends_in_a_list(objects: FakeObjects, make: Make) -> None:
    reflector = make()
    async with running(reflector):
        await until(lambda: objects.watches)
        objects.refusals = [status(504, "Timeout", "Too large resource version") for _ in range(5)]
        await objects.send_raw(b"")
        await until(lambda: objects.lists == 2)


@pytest.mark.parametrize("line", [b"x" * (3 << 20), b"garbage\n", b'{"type": "ADDED", "object": {}}\n'])
async def test_nonsense_in_the_stream_does_no_harm(objects: FakeObjects, make: Make, line: bytes) -> None:
    reflector = make()
    async with running(reflector):
        await until(lambda: objects.watches)
        await objects.send_raw(line)
        await until(lambda: len(objects.watches) > 1)
        await objects.write("a")
        await until(lambda: reflector.store)


async def test_a_stale_list_is_refused(objects: FakeObjects, make: Make) -> None:
    await objects.write("a")
    old = objects.version, list(objects.objects.values())
    reflector = make()
    async with running(reflector):
        last = await objects.write("a")
        await until(lambda: reflector.resource_version == last)
        objects.list_override = old
        started = reflector.last_list_started
        for _ in range(2):
            with pytest.raises(Exception, match="older than the watch"):
                await reflector.relist()
        assert reflector.store["ns", "a"] == last
        assert reflector.last_list_started == started, "it is no proof of anything"
        objects.list_override = None
        await reflector.relist()


async def test_a_restored_etcd_is_believed_in_the_end(objects: FakeObjects, make: Make) -> None:
    await objects.write("a")
    old = objects.version, list(objects.objects.values())
    reflector = make(relist_interval=0.05)
    async with running(reflector):
        await objects.write("a")
        last = await objects.write("b")
        await until(lambda: reflector.resource_version == last)
        objects.list_override = old
        await until(lambda: dict(reflector.store) == {("ns", "a"): old[0]})


async def test_refresh_reads_one(objects: FakeObjects, make: Make) -> None:
    await objects.write("a")
    reflector = make()
    async with running(reflector):
        await until(lambda: objects.watches)
        objects.frozen = True
        last = await objects.write("a")
        assert await reflector.refresh("ns", "a") == last
        await objects.write("a", kind="DELETED")
        assert await reflector.refresh("ns", "a") is None
        assert not reflector.store
        objects.refusals = [status(403, "Forbidden")]
        with pytest.raises(ApiError):
            await reflector.refresh("ns", "a")


async def test_a_failing_convert_does_not_stop_it(objects: FakeObjects, fake_client: KubeClient) -> None:
    bad: list[str] = []

    def convert(body: dict[str, Any]) -> int:
        if body["metadata"]["name"] == "bad":
            raise RuntimeError("boom")
        return version(body)

    await objects.write("bad")
    reflector = Reflector(
        fake_client, THINGS, convert, on_bad=lambda body, error: bad.append(f"{body['metadata']['name']} {error}")
    )
    async with running(reflector):
        await objects.write("bad")
        await objects.write("good")
        await until(lambda: reflector.store)
        assert set(reflector.store) == {("ns", "good")}
        assert bad == ["bad boom", "bad boom"]


async def test_a_failing_callback_ends_it(objects: FakeObjects, make: Make) -> None:
    def on_change(_: Change[int]) -> None:
        raise RuntimeError("a bug")

    reflector = make(on_change=on_change)
    task = asyncio.create_task(reflector.run())
    await objects.write("a")
    with pytest.raises(ExceptionGroup):
        await asyncio.wait_for(task, 10)


async def test_without_a_server_it_waits(objects: FakeObjects, make: Make) -> None:
    objects.refusals = [status(503, "ServiceUnavailable") for _ in range(8)]
    await objects.write("a")
    reflector = make()
    async with running(reflector):
        assert reflector.store
