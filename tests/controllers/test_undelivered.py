"""How far a watch is behind with what it has to tell, and who waits for it."""

from __future__ import annotations

import asyncio
import copy
from typing import Any, cast

import pytest

from apiclients.controllers.cluster import Cluster
from apiclients.controllers.lanes import Lane
from apiclients.controllers.queue import WorkQueue
from apiclients.controllers.undelivered import Undelivered
from apiclients.kube.client import KubeClient
from apiclients.kube.objects import Page
from apiclients.resources.refs import ObjectRef
from tests.lifecycle.parties import raw_client

BILLING, SHIPPING = ("team-a", "billing"), ("team-a", "shipping")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_own_write_is_undelivered_until_the_watch_shows_its_version() -> None:
    undelivered = Undelivered(Clock())
    undelivered.written(BILLING, 7)
    undelivered.delivered(BILLING, 6)
    undelivered.delivered(SHIPPING, 8)
    assert undelivered.behind == 1
    undelivered.delivered(BILLING, 7)
    assert undelivered.behind == 0
    undelivered.written(BILLING, 9)
    undelivered.delivered(BILLING, 8, deleted=True)
    assert undelivered.behind == 0


def test_the_first_list_is_undelivered_until_the_watch_has_listed_it_too() -> None:
    undelivered = Undelivered(Clock())
    undelivered.listed([BILLING, SHIPPING])
    undelivered.delivered(BILLING, 3)
    assert undelivered.behind == 1
    undelivered.list_ended()
    assert undelivered.behind == 0, "it went between the two lists: nobody will tell"


def test_a_watch_that_is_silent_is_not_waited_for() -> None:
    clock = Clock()
    undelivered = Undelivered(clock)
    undelivered.listed([BILLING, SHIPPING])
    clock.now += 4
    assert undelivered.behind == 2
    undelivered.delivered(BILLING, 3)
    clock.now += 4
    assert undelivered.behind == 1, "it goes on"
    clock.now += 4
    assert undelivered.behind == 0


def test_a_write_after_a_long_rest_is_waited_for() -> None:
    clock = Clock()
    undelivered = Undelivered(clock)
    clock.now += 3600
    undelivered.written(BILLING, 7)
    assert undelivered.behind == 1


def test_what_is_overdue_is_returned_once_the_oldest_first() -> None:
    clock = Clock()
    undelivered = Undelivered(clock)
    undelivered.written(BILLING, 1)
    clock.now += 1
    undelivered.written(SHIPPING, 2)
    clock.now += 1
    undelivered.written(BILLING, 3)
    clock.now += 9
    assert undelivered.take_overdue(10) == SHIPPING
    assert undelivered.take_overdue(10) is None
    clock.now += 1
    assert undelivered.take_overdue(10) == BILLING
    assert undelivered.take_overdue(10) is None


class Lists:
    """An API server that lists many clients."""

    def __init__(self, count: int) -> None:
        self.clients = [_client(number) for number in range(count)]

    async def pages(self, *_: Any, **__: Any) -> Any:
        yield Page(self.clients, "1000")


def _client(number: int) -> dict[str, Any]:
    client = copy.deepcopy(raw_client())
    client["metadata"] |= {"name": f"c{number}", "uid": f"uid-{number}", "resourceVersion": str(number + 1)}
    return client


async def test_the_rest_waits_until_the_watch_has_listed_what_the_first_list_had() -> None:
    """Otherwise what people change meanwhile would wait for all of the rest: the watch begins after its list."""
    cluster = Cluster(lambda wake, lane: queue.add(wake.ref, lane))
    queue = WorkQueue(rest_waits=cluster.watches_behind)
    done: asyncio.Queue[ObjectRef] = asyncio.Queue()

    async def reconcile(item: ObjectRef) -> bool:
        done.put_nowait(item)
        return True

    lists = Lists(100)
    await cluster.clients.load(cast(KubeClient, lists))
    tasks = [asyncio.create_task(work) for work in (queue.work(reconcile), queue.let_rest_go_on())]
    changed = ObjectRef("ApiClient", "team-a", "c99")
    queue.add(changed, Lane.CHANGED)
    assert await asyncio.wait_for(done.get(), 30) == changed
    for client in lists.clients[:-1]:
        await asyncio.sleep(0)
        told = cluster.clients.undelivered.behind
        assert done.empty() or told <= 33
        cluster.clients.take_event(None, client)
    for _ in range(99):
        await asyncio.wait_for(done.get(), 30)
    for task in tasks:
        task.cancel()


async def test_who_went_between_the_two_lists_holds_nobody_up() -> None:
    cluster = Cluster(lambda wake, lane: None)
    lists = Lists(100)
    await cluster.clients.load(cast(KubeClient, lists))
    cluster.clients.take_event(None, lists.clients[0])
    assert cluster.watches_behind()
    cluster.clients.take_event("MODIFIED", copy.deepcopy(lists.clients[0]))
    assert not cluster.watches_behind(), "an event comes behind the whole list"


@pytest.mark.parametrize("behind", [True, False])
async def test_only_the_last_lane_waits_for_a_watch(behind: bool) -> None:
    queue = WorkQueue(rest_waits=lambda: behind)
    order: list[Lane] = []
    items = {ObjectRef("ApiClient", "team-a", lane.label): lane for lane in reversed(Lane)}
    enough = asyncio.Event()

    async def reconcile(item: ObjectRef) -> bool:
        order.append(items[item])
        if len(order) == (2 if behind else 3):
            enough.set()
        return True

    for item, lane in items.items():
        queue.add(item, lane)
    worker = asyncio.create_task(queue.work(reconcile))
    await asyncio.wait_for(enough.wait(), 30)
    for _ in range(100):  # turns in which it could take more
        await asyncio.sleep(0)
    worker.cancel()
    assert order == [Lane.CHANGED, Lane.PENDING] + ([] if behind else [Lane.REST])
