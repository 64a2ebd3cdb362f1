"""A bug in one reconcile costs one item, and is told without a word of what the object holds."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast
from unittest.mock import Mock

import pytest

from apiclients.controllers.manager import Manager
from apiclients.controllers.metrics import OperatorMetrics
from apiclients.controllers.outcome import Outcome
from apiclients.controllers.queue import Backoff, WorkQueue
from apiclients.kube.client import KubeClient
from apiclients.kube.events import EventRecorder
from apiclients.resources.refs import ObjectRef
from apiclients.settings.load import load
from apiclients.settings.operator import OperatorSettings

BAD, GOOD = ObjectRef("ApiClient", "team-a", "bad"), ObjectRef("ApiClient", "team-a", "good")


class Reconciler:
    """Fails at its first try of one item, in a way that nobody foresaw."""

    def __init__(self) -> None:
        self.tries = 0
        self.done: list[ObjectRef] = []
        self.all_done = asyncio.Event()

    async def reconcile(self, item: ObjectRef) -> Outcome:
        if item == BAD:
            self.tries += 1
            if self.tries == 1:
                raise ZeroDivisionError("s3cr3t")
        self.done.append(item)
        if len(self.done) == 2:
            self.all_done.set()
        return Outcome()


async def test_a_bug_in_posting_events_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = Manager(
        load(OperatorSettings, ["--issuer", "https://issuer.example"]), Mock(spec=KubeClient), OperatorMetrics()
    )

    async def broken(_: EventRecorder) -> None:
        raise ZeroDivisionError

    async def for_ever() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(EventRecorder, "_run", broken)
    monkeypatch.setattr(manager, "_crds_served", for_ever)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(manager._lead(for_ever), timeout=30)


@pytest.mark.rule(23, 32)
def test_an_unexpected_exception_costs_one_item(caplog: pytest.LogCaptureFixture) -> None:
    metrics = OperatorMetrics()
    manager = Manager(load(OperatorSettings, ["--issuer", "https://issuer.example"]), Mock(spec=KubeClient), metrics)

    async def story() -> Reconciler:
        reconciler = Reconciler()
        queue = WorkQueue(Backoff(first=0.01))
        worker = asyncio.create_task(queue.work(lambda item: manager._reconcile(item, cast(Any, reconciler))))
        queue.add(BAD)
        queue.add(GOOD)
        await asyncio.wait_for(reconciler.all_done.wait(), timeout=30)
        assert not worker.done()
        worker.cancel()
        return reconciler

    with caplog.at_level(logging.ERROR):
        reconciler = asyncio.run(story())
    assert reconciler.done == [GOOD, BAD]
    assert "ZeroDivisionError" in caplog.text
    assert "test_manager.py" in caplog.text
    assert "s3cr3t" not in caplog.text
    counted = {
        result: metrics.registry.get_sample_value(
            "apiclient_operator_reconcile_total", {"kind": "ApiClient", "result": result}
        )
        for result in ("success", "error")
    }
    assert counted == {"success": 2.0, "error": 1.0}
