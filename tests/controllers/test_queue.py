"""The work queue: who is worked on when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from apiclients.controllers import queue as queue_module
from apiclients.controllers.lanes import Lane
from apiclients.controllers.queue import Backoff, WorkQueue
from apiclients.kube import event_loop
from apiclients.resources.refs import ObjectRef

ITEM = ObjectRef("ApiClient", "team-a", "billing")


class Work:
    """Fails as often as it is told to."""

    def __init__(self, failures: int) -> None:
        self.left = failures
        self.done, self.failed = asyncio.Event(), asyncio.Event()
        self.tries = 0

    async def reconcile(self, _: ObjectRef) -> bool:
        self.tries += 1
        self.left -= 1
        (self.done if self.left < 0 else self.failed).set()
        return self.left < 0


@pytest.mark.parametrize("wake", [WorkQueue.add, WorkQueue.add_soon], ids=["add", "soon"])
def test_a_long_backoff_is_cut_short_by_a_change(wake: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "SOON_SECONDS", 0.01)

    async def story() -> None:
        queue, work = WorkQueue(Backoff(first=3600, longest=3600)), Work(failures=1)
        worker = asyncio.create_task(queue.work(work.reconcile))
        queue.add(ITEM)
        await work.failed.wait()
        wake(queue, ITEM)  # type: ignore[operator]
        await asyncio.wait_for(work.done.wait(), timeout=30)
        worker.cancel()
        assert (work.tries, queue.failing) == (2, 0)

    event_loop.run(story())


def test_what_is_due_at_once_can_be_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "SOON_SECONDS", 0.0)

    async def story() -> None:
        queue, work = WorkQueue(), Work(failures=0)
        worker = asyncio.create_task(queue.work(work.reconcile))
        queue.add_soon(ITEM)
        queue.add_soon(ITEM)
        await asyncio.wait_for(work.done.wait(), timeout=30)
        worker.cancel()
        assert work.tries == 1

    event_loop.run(story())


def test_what_is_not_urgent_does_not_put_off_a_try_that_comes_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "SOON_SECONDS", 3600)

    async def story() -> None:
        queue, work = WorkQueue(Backoff(first=0.05)), Work(failures=1)
        worker = asyncio.create_task(queue.work(work.reconcile))
        queue.add(ITEM)
        await work.failed.wait()
        queue.add_soon(ITEM)
        await asyncio.wait_for(work.done.wait(), timeout=30)
        worker.cancel()

    event_loop.run(story())


def test_items_that_wait_for_nobody_give_others_a_turn() -> None:
    """Most reconciles find nothing to write, and then nothing in them lets others on."""

    async def story() -> None:
        queue, turns, done = WorkQueue(), 0, 0
        finished = asyncio.Event()

        async def reconcile(_: ObjectRef) -> bool:
            nonlocal done
            done += 1
            if done == 1000:
                finished.set()
            return True

        async def others() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        for number in range(1000):
            queue.add(ObjectRef("Contract", "team-a", f"c{number}"))
        tasks = [asyncio.create_task(queue.work(reconcile)) for _ in range(4)]
        tasks.append(asyncio.create_task(others()))
        await asyncio.wait_for(finished.wait(), timeout=30)
        for task in tasks:
            task.cancel()
        assert turns >= 1000 / 4 - 1

    event_loop.run(story())


async def _order_of(queue: WorkQueue, count: int, reconcile: Callable[[ObjectRef], bool]) -> list[ObjectRef]:
    """What one worker works on, until it was asked so often."""
    order: list[ObjectRef] = []
    enough = asyncio.Event()

    async def noted(item: ObjectRef) -> bool:
        order.append(item)
        if len(order) == count:
            enough.set()
        return reconcile(item)

    worker = asyncio.create_task(queue.work(noted))
    await asyncio.wait_for(enough.wait(), timeout=30)
    worker.cancel()
    return order[:count]


def _crowd(count: int) -> list[ObjectRef]:
    return [ObjectRef("ApiClient", "team-a", f"c{number}") for number in range(count)]


async def test_what_changes_while_it_waits_in_a_crowd_goes_first() -> None:
    queue, crowd = WorkQueue(), _crowd(100)
    for item in crowd:
        queue.add(item)
    queue.add(crowd[70], Lane.CHANGED)
    assert (queue.depth(Lane.CHANGED), queue.depth(Lane.REST)) == (1, 99)
    order = await _order_of(queue, 100, lambda _: True)
    assert order == [crowd[70], *(item for item in crowd if item is not crowd[70])]


async def test_what_changes_while_it_is_worked_on_comes_back_first() -> None:
    queue, crowd = WorkQueue(), _crowd(100)
    changed = False

    def reconcile(item: ObjectRef) -> bool:
        nonlocal changed
        if item == crowd[0] and not changed:
            changed = True
            queue.add(item, Lane.CHANGED)
            queue.add(item)
        return True

    for item in crowd:
        queue.add(item)
    order = await _order_of(queue, 3, reconcile)
    assert order == [crowd[0], crowd[0], crowd[1]]


async def test_another_try_keeps_its_lane_whatever_wakes_it_meanwhile() -> None:
    """The person who changed it still waits."""
    queue = WorkQueue(Backoff(first=3600))
    queue.add(ITEM, Lane.CHANGED)
    await _order_of(queue, 1, lambda _: False)
    assert (queue.failing, queue.depth(Lane.CHANGED)) == (1, 0)
    queue.add_soon(ITEM)
    queue.add(ITEM)
    assert (queue.depth(Lane.CHANGED), queue.depth(Lane.REST)) == (1, 0)


async def test_another_try_by_the_clock_keeps_its_lane() -> None:
    queue, crowd = WorkQueue(Backoff(first=0.01)), _crowd(5)
    queue.add(ITEM, Lane.CHANGED)
    await _order_of(queue, 1, lambda _: False)
    for item in crowd:
        queue.add(item)
    while not queue.depth(Lane.CHANGED):  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)
    assert await _order_of(queue, 2, lambda _: True) == [ITEM, crowd[0]]
