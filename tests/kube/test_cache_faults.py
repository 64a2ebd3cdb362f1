"""The reflector against an API server that loses events, freezes, forgets and lies (rule 17)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from apiclients.kube.cache import Change, Reflector, Verdict
from apiclients.kube.client import KubeClient, custom_resource
from apiclients.kube.errors import ApiError
from tests.kube.fake import FakeObjects, FakeServer, status
from tests.toolkit.waiting import async_eventually

pytestmark = pytest.mark.rule(17)

THINGS = custom_resource("example.test", "v1", "things", "Thing")


def version(body: dict[str, Any]) -> int:
    return int(body["metadata"]["resourceVersion"])


@asynccontextmanager
async def running(reflector: Reflector[Any]) -> AsyncIterator[None]:
    task = asyncio.create_task(reflector.run())
    try:
        await async_eventually("the first list", lambda: reflector.synced.is_set() or task.done())
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
        await async_eventually("it watches", lambda: objects.watches)
        changes.clear()
        await objects.write("a", hide=True)
        await objects.write("b", kind="DELETED", hide=True)
        await objects.write("c", hide=True)
        last = await objects.write("d")
        await async_eventually("it has reached the last event", lambda: reflector.resource_version == last)
        assert set(reflector.store) == {("ns", "a"), ("ns", "b"), ("ns", "d")}
        await reflector.relist()
        assert set(reflector.store) == {("ns", "a"), ("ns", "c"), ("ns", "d")}
        assert reflector.lost_events == 3
        assert [change.source for change in changes] == ["watch", "relist", "relist", "relist"]


async def test_what_differs_from_a_list_of_identities_is_read(objects: FakeObjects, make: Make) -> None:
    await objects.write("a")
    await objects.write("b")
    changes: list[Change[int]] = []
    reflector = make(on_change=changes.append)
    async with running(reflector):
        await async_eventually("it watches", lambda: objects.watches)
        changes.clear()
        newest = await objects.write("a", hide=True)
        await objects.write("b", kind="DELETED", hide=True)
        await objects.write("c", hide=True)
        last = await objects.write("d")
        await async_eventually("it has reached the last event", lambda: reflector.resource_version == last)
        await reflector.confirm()
        assert set(reflector.store) == {("ns", "a"), ("ns", "c"), ("ns", "d")}
        assert reflector.store["ns", "a"] == newest
        assert reflector.lost_events == 3
        assert [change.source for change in changes] == ["watch", "get", "get", "relist"]
        await reflector.confirm()
        assert (reflector.lost_events, len(changes)) == (3, 4)


async def test_a_read_that_fails_loses_nothing(objects: FakeObjects, make: Make) -> None:
    reflector = make()
    async with running(reflector):
        await async_eventually("it watches", lambda: objects.watches)
        before = reflector.last_list_started
        await objects.write("a", hide=True)
        objects.unreadable.add("a")
        with pytest.raises(ApiError):
            await reflector.confirm()
        assert (reflector.store, reflector.last_list_started) == ({}, before)
        objects.unreadable.clear()
        await reflector.confirm()
        assert set(reflector.store) == {("ns", "a")}


@pytest.mark.parametrize("by_identity", [False, True])
async def test_relists_come_by_themselves(objects: FakeObjects, make: Make, by_identity: bool) -> None:
    reflector = make(relist_interval=0.05, relist_by_identity=by_identity)
    async with running(reflector):
        await async_eventually("it watches", lambda: objects.watches)
        await objects.write("a", hide=True)
        await async_eventually("an object is known", lambda: reflector.store)
        assert reflector.lost_events == 0, "the watch may still be about to tell"
        await objects.bookmark()
        await async_eventually("the loss is counted", lambda: reflector.lost_events == 1)
        first = reflector.last_list_started
        await async_eventually("it lists again", lambda: reflector.last_list_started != first)
        assert reflector.last_list_started is not None
        assert first is not None
        assert reflector.last_list_started > first


async def test_relists_outlive_failures(objects: FakeObjects, make: Make) -> None:
    reflector = make(relist_interval=0.05)
    async with running(reflector):
        await async_eventually("it watches", lambda: objects.watches)
        objects.refusals = [status(403, "Forbidden") for _ in range(3)]
        await async_eventually("all refusals were given", lambda: not objects.refusals)
        lists = objects.lists
        await async_eventually("it lists on", lambda: objects.lists > lists + 2)


async def test_a_failed_relist_is_told_to_who_asked(objects: FakeObjects, make: Make) -> None:
    reflector = make()
    async with running(reflector):
        await async_eventually("it watches", lambda: objects.watches)
        started = reflector.last_list_started
        objects.refusals = [status(403, "Forbidden")]
        with pytest.raises(ApiError):
            await reflector.relist()
        assert reflector.last_list_started == started


async def test_a_watch_that_ends_is_resumed_without_a_list(objects: FakeObjects, make: Make) -> None:
    reflector = make()
    async with running(reflector):
        last = await objects.write("a")
        await async_eventually("it has reached the last event", lambda: reflector.resource_version == last)
        await objects.send_raw(b"")
        await async_eventually("it watches again", lambda: len(objects.watches) > 1)
        await objects.write("b")
        await async_eventually("b is known", lambda: ("ns", "b") in reflector.store)
        assert objects.lists == 1
        assert objects.watches[-1] >= last


async def test_a_frozen_watch_is_replaced(objects: FakeObjects, make: Make) -> None:
    reflector = make(inactivity_timeout=0.2)
    async with running(reflector):
        await async_eventually("it watches", lambda: objects.watches)
        objects.frozen = True
        await objects.write("a")
        await async_eventually("it watches again", lambda: len(objects.watches) > 1)
        assert not reflector.store
        await objects.thaw()
        await async_eventually("an object is known", lambda: reflector.store)
        assert reflector.lost_events == 0
        assert objects.lists == 1


async def test_after_410_it_lists_again(objects: FakeObjects, make: Make) -> None:
    await objects.write("a")
    reflector = make()
    async with running(reflector):
        await async_eventually("it watches", lambda: objects.watches)
        objects.frozen = True
        await objects.write("a", kind="DELETED")
        await objects.write("b")
        objects.oldest = objects.version
        await objects.thaw()
        await objects.send_raw(b"")
        await async_eventually("b alone is known", lambda: set(reflector.store) == {("ns", "b")})
        assert reflector.lost_events == 0


async def test_a_watch_that_cannot_be_resumed_ends_in_a_list(objects: FakeObjects, make: Make) -> None:
    reflector = make()
    async with running(reflector):
        await async_eventually("it watches", lambda: objects.watches)
        objects.refusals = [status(504, "Timeout", "Too large resource version") for _ in range(5)]
        await objects.send_raw(b"")
        await async_eventually("it has listed twice", lambda: objects.lists == 2)


@pytest.mark.parametrize("line", [b"x" * (3 << 20), b"garbage\n", b'{"type": "ADDED", "object": {}}\n'])
async def test_nonsense_in_the_stream_does_no_harm(objects: FakeObjects, make: Make, line: bytes) -> None:
    reflector = make()
    async with running(reflector):
        await async_eventually("it watches", lambda: objects.watches)
        await objects.send_raw(line)
        await async_eventually("it watches again", lambda: len(objects.watches) > 1)
        await objects.write("a")
        await async_eventually("an object is known", lambda: reflector.store)


async def test_a_stale_list_is_refused(objects: FakeObjects, make: Make) -> None:
    await objects.write("a")
    old = objects.version, list(objects.objects.values())
    reflector = make()
    async with running(reflector):
        last = await objects.write("a")
        await async_eventually("it has reached the last event", lambda: reflector.resource_version == last)
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
        await async_eventually("it has reached the last event", lambda: reflector.resource_version == last)
        objects.list_override = old
        await async_eventually("it knows what was restored", lambda: dict(reflector.store) == {("ns", "a"): old[0]})


async def test_refresh_reads_one(objects: FakeObjects, make: Make) -> None:
    await objects.write("a")
    reflector = make()
    async with running(reflector):
        await async_eventually("it watches", lambda: objects.watches)
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
        await async_eventually("an object is known", lambda: reflector.store)
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


async def most_between_turns(convert: Callable[[], int]) -> int:
    """How many objects at most were read between two turns of another task; until cancelled, then it is told."""
    most, before = 0, convert()
    try:
        while True:
            await asyncio.sleep(0)
            now = convert()
            most, before = max(most, now - before), now
    except asyncio.CancelledError:
        return most


@pytest.mark.parametrize("way", ["list", "watch"])
async def test_others_have_their_turn_while_many_objects_are_read(
    objects: FakeObjects, fake_client: KubeClient, way: str
) -> None:
    read = 0

    def slowly(body: dict[str, Any]) -> int:
        nonlocal read
        read += 1
        time.sleep(0.0005)
        return version(body)

    reflector = Reflector(fake_client, THINGS, slowly)
    if way == "list":
        for number in range(300):
            await objects.write(f"o{number}")
    probe = asyncio.create_task(most_between_turns(lambda: read))
    async with running(reflector):
        if way == "watch":
            await async_eventually("it watches", lambda: objects.watches)
            for number in range(300):
                await objects.write(f"o{number}")
        await async_eventually("all are read", lambda: len(reflector.store) == 300)
        probe.cancel()
        assert await probe <= 20


async def test_verification_finds_what_the_cache_of_the_api_server_has_lost(objects: FakeObjects, make: Make) -> None:
    """A change, a deletion and a creation of which neither watch nor lists ever tell."""
    await objects.write("changed")
    await objects.write("deleted")
    reflector = make()
    async with running(reflector):
        await async_eventually("it watches", lambda: objects.watches)
        objects.cached = {name: objects.objects[name] for name in ("changed", "deleted")} | {"created": None}
        changed = await objects.write("changed", hide=True)
        await objects.write("deleted", kind="DELETED", hide=True)
        created = await objects.write("created", hide=True)
        await objects.write("other")
        await reflector.confirm()
        assert set(reflector.store) == {("ns", "changed"), ("ns", "deleted"), ("ns", "other")}
        for name in ("changed", "deleted", "created"):
            assert await reflector.verify("ns", name) is Verdict.DIFFERENT
            assert await reflector.verify("ns", name) is Verdict.SAME
        truth = {("ns", "changed"): changed, ("ns", "created"): created, ("ns", "other"): created + 1}
        assert reflector.store == truth
        for name in ("changed", "deleted", "created"):
            assert reflector.overdue("ns", name)
            assert not await reflector.is_cached_as_known("ns", name)
        await reflector.confirm()
        assert reflector.store == truth, "no list takes it back"
        await reflector.relist()
        assert reflector.store == truth


async def test_verification_tells_what_was_lost_on_the_way_from_what_comes(objects: FakeObjects, make: Make) -> None:
    await objects.write("a")
    reflector = make()
    async with running(reflector):
        await async_eventually("it watches", lambda: objects.watches)
        assert await reflector.verify("ns", "a") is Verdict.SAME
        assert await reflector.verify("ns", "never") is Verdict.SAME
        await objects.write("a", hide=True)
        assert await reflector.verify("ns", "a") is Verdict.DIFFERENT
        assert reflector.overdue("ns", "a")
        assert await reflector.is_cached_as_known("ns", "a")
        objects.frozen = True
        await objects.write("a")
        assert await reflector.verify("ns", "a") is Verdict.DIFFERENT
        objects.frozen = False
        last = await objects.write("b")
        await async_eventually("the watch has caught up", lambda: reflector.version_of("ns", "b") == last)
        assert not reflector.overdue("ns", "a")


async def test_a_version_older_than_what_is_known_is_left_to_the_lists(objects: FakeObjects, make: Make) -> None:
    await objects.write("a")
    reflector = make()
    async with running(reflector):
        before = dict(reflector.store)
        objects.objects["a"]["metadata"]["resourceVersion"] = "1"
        assert await reflector.verify("ns", "a") is Verdict.UNCLEAR
        assert reflector.store == before


async def test_identities_are_listed_in_one_page_of_the_present_state(
    objects: FakeObjects, fake: FakeServer, make: Make
) -> None:
    await objects.write("a")
    reflector = make()
    async with running(reflector):
        asked = len(fake.requests)
        await reflector.confirm()
        lists = [request.query for request in fake.requests[asked:] if not request.query.get("watch")]
        queries = [(one["limit"], one.get("resourceVersion"), one.get("resourceVersionMatch")) for one in lists]
        # The fake has no tables, so they are asked for once more as metadata, which is larger.
        assert queries == [("20000", None, None), ("500", None, None)]
