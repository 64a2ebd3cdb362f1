"""The work queue: who is worked on when."""

from __future__ import annotations

import asyncio

import pytest

from apiclients.controllers import queue as queue_module
from apiclients.controllers.items import Item
from apiclients.controllers.queue import Backoff, WorkQueue

ITEM = Item("ApiClient", "team-a", "billing")


class Work:
    """Fails as often as it is told to."""

    def __init__(self, failures: int) -> None:
        self.left = failures
        self.done, self.failed = asyncio.Event(), asyncio.Event()
        self.tries = 0

    async def reconcile(self, _: Item) -> bool:
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

    asyncio.run(story())


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

    asyncio.run(story())
