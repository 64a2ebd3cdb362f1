"""A bug in one reconcile costs one item, and is told without a word of what the object holds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import pytest

from apiclients.controllers.manager import Manager
from apiclients.controllers.metrics import OperatorMetrics
from apiclients.controllers.outcome import Outcome
from apiclients.controllers.queue import Backoff, WorkQueue
from apiclients.kube.client import KubeClient
from apiclients.kube.events import EventRecorder
from apiclients.kube.kinds import API_CLIENTS
from apiclients.kube.objects import LEASES, Page, ResourceType
from apiclients.lifecycle.usage import LastUse, encode
from apiclients.resources.names import USAGE_ANNOTATION, USAGE_LEASE_SELECTOR
from apiclients.resources.refs import ObjectRef
from apiclients.settings.load import load
from apiclients.settings.operator import OperatorSettings
from tests.lifecycle.parties import raw_client

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


class ReportFirst:
    """Stands for ``KubeClient``: there is one client, and a report of its use. Nothing is watched."""

    def __init__(self) -> None:
        self.clock = SimpleNamespace(now=lambda: datetime(2026, 3, 1, 10, tzinfo=UTC))
        self.client = raw_client()
        use = {self.client["metadata"]["uid"]: LastUse(5)}
        annotations = {USAGE_ANNOTATION: encode(use.items())[0]}
        self.report = {"metadata": {"name": "a-usage", "namespace": "apiclients-system", "annotations": annotations}}

    async def pages(
        self, resource: ResourceType, namespace: str | None = None, label_selector: str | None = None, **_: Any
    ) -> AsyncIterator[Page]:
        found: list[Any] = []
        if resource == API_CLIENTS:
            found = [self.client]
        elif resource == LEASES and label_selector == USAGE_LEASE_SELECTOR:
            found = [self.report]
        for number, one in enumerate(found, 1):
            one["metadata"] |= {"resourceVersion": str(number), "uid": one["metadata"].get("uid", "lease")}
        yield Page(found, "9")

    async def watch(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield


@pytest.mark.rule(35)
async def test_what_gates_reported_before_the_start_is_taken_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that comes before the clients are known would be lost: an unchanged Lease is never told again."""
    kube = ReportFirst()
    settings = load(OperatorSettings, ["--issuer", "https://issuer.example"])
    manager = Manager(settings, cast(Any, kube), OperatorMetrics())

    async def at_once(*_: Any) -> None:
        return

    async def for_ever(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(manager, "_crds_served", at_once)
    monkeypatch.setattr(manager._keys, "run", for_ever)
    monkeypatch.setattr(manager._keys, "available", at_once)
    monkeypatch.setattr(manager, "_work", at_once)
    await asyncio.wait_for(manager._lead(for_ever), timeout=30)
    assert list(manager._usage._clients.values()) == [LastUse(5)]
    assert manager._reports().lost == kube.clock.now(), "gates that ended before have reported to nobody"


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
