"""The event recorder's own rules: bounded, aggregated, rate-limited, silent about failures."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from apiclients.kube.client import KubeClient
from apiclients.kube.errors import KubeError, UnreachableError, api_error
from apiclients.kube.events import NOTE_BYTES, EventRecorder, ObjectReference
from tests.toolkit.waiting import async_eventually

CLIENT = ObjectReference("apiclients.dev/v1alpha1", "ApiClient", "ns", "billing", "uid-1")


class Posted:
    """Stands in for the client: takes events, or fails as told."""

    def __init__(self) -> None:
        self.created: list[dict[str, Any]] = []
        self.patched: list[tuple[str, int]] = []
        self.failures: list[KubeError] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def create(self, _: object, namespace: str, body: dict[str, Any]) -> None:
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        assert body["metadata"]["namespace"] == namespace
        self.created.append(body)

    async def merge_patch(self, _: object, namespace: str, name: str, body: dict[str, Any]) -> None:
        self.patched.append((name, body["series"]["count"]))


class Rig:
    def __init__(self, **options: Any) -> None:
        self.api = Posted()
        self.now = 1000.0
        client: Any = self.api
        self.recorder = EventRecorder(client, monotonic=lambda: self.now, **options)

    def record(self, note: str = "a note", regarding: ObjectReference = CLIENT) -> None:
        self.recorder.record(regarding, type="Normal", reason="Suspended", note=note, action="Suspend")


@pytest.fixture
async def rig() -> Rig:
    rig = Rig()
    rig.recorder.start()
    return rig


async def test_what_is_posted(rig: Rig) -> None:
    rig.recorder.record(CLIENT, type="Warning", reason="R", note="N", action="A", related=CLIENT)
    await rig.recorder.drain(5)
    (body,) = rig.api.created
    assert (body["apiVersion"], body["kind"]) == ("events.k8s.io/v1", "Event")
    assert body["regarding"] == body["related"] == CLIENT.to_dict()
    assert body["metadata"]["name"].startswith("billing.")
    assert (body["type"], body["reason"], body["note"], body["action"]) == ("Warning", "R", "N", "A")
    assert body["reportingController"] == "apiclients.dev/operator"
    assert rig.recorder.posted == 1


async def test_a_repetition_raises_the_count_once_a_minute(rig: Rig) -> None:
    rig.record()
    await async_eventually("an Event is created", lambda: rig.api.created)
    for _ in range(4):
        rig.record()
    rig.now += 59
    rig.record()
    await asyncio.sleep(0)
    assert not rig.api.patched
    rig.now += 4
    rig.record()
    await async_eventually("an Event is patched", lambda: rig.api.patched)
    assert rig.api.patched == [(rig.api.created[0]["metadata"]["name"], 7)]
    assert len(rig.api.created) == 1


async def test_the_count_is_raised_without_a_further_repetition() -> None:
    rig = Rig(series_interval=0.05)
    rig.recorder._monotonic = asyncio.get_running_loop().time
    rig.recorder.start()
    rig.record()
    await async_eventually("an Event is created", lambda: rig.api.created)
    rig.record()
    await async_eventually("an Event is patched", lambda: rig.api.patched)
    assert rig.api.patched[0][1] == 2


async def test_after_the_window_it_is_a_new_event(rig: Rig) -> None:
    rig.record()
    await async_eventually("an Event is created", lambda: rig.api.created)
    rig.now += 400
    rig.record()
    await async_eventually("two Events are created", lambda: len(rig.api.created) == 2)


async def test_different_notes_and_objects_are_different_events(rig: Rig) -> None:
    rig.record("one")
    rig.record("two")
    rig.record("one", ObjectReference("v1", "Secret", "ns", "billing", "uid-2"))
    await rig.recorder.drain(5)
    assert len(rig.api.created) == 3


async def test_repeated_before_it_was_posted_it_is_posted_once_with_its_count(rig: Rig) -> None:
    for _ in range(3):
        rig.record()
    await rig.recorder.drain(5)
    (body,) = rig.api.created
    assert body["series"]["count"] == 3
    assert not rig.api.patched


async def test_drain_posts_counts_that_were_not_due(rig: Rig) -> None:
    rig.record()
    await async_eventually("an Event is created", lambda: rig.api.created)
    rig.record()
    await rig.recorder.drain(5)
    assert rig.api.patched[0][1] == 2


async def test_drain_works_without_a_running_task() -> None:
    rig = Rig()
    rig.record()
    await rig.recorder.drain(5)
    assert rig.api.created


async def test_drain_is_bounded(rig: Rig) -> None:
    rig.api.gate.clear()
    rig.record()
    await asyncio.wait_for(rig.recorder.drain(0.05), 5)
    assert not rig.api.created


async def test_events_wait_while_there_is_work() -> None:
    busy = True
    rig = Rig(busy=lambda: busy, capacity=10, patience=60.0)
    rig.recorder.start()
    rig.record("one")
    rig.record("two")
    await asyncio.sleep(0.3)  # nothing may happen, and there is no condition to wait for
    assert not rig.api.created
    busy = False
    await async_eventually("two Events are created", lambda: len(rig.api.created) == 2)


@pytest.mark.parametrize("reason", ["old", "many", "the end"])
async def test_events_do_not_wait_for_ever(reason: str) -> None:
    rig = Rig(busy=lambda: True, capacity=10, patience=60.0)
    rig.recorder.start()
    for index in range(5 if reason == "many" else 1):
        rig.record(f"note {index}")
    if reason == "old":
        rig.now += 60.0
    if reason == "the end":
        await rig.recorder.drain(5)
    await async_eventually("an Event is created", lambda: bool(rig.api.created))


async def test_a_full_queue_drops_the_oldest() -> None:
    rig = Rig(capacity=3)
    for index in range(5):
        rig.record(f"note {index}")
    await rig.recorder.drain(5)
    assert [body["note"] for body in rig.api.created] == ["note 2", "note 3", "note 4"]
    assert rig.recorder.dropped == 2
    rig.record("note 0")
    await rig.recorder.drain(5)
    assert rig.api.created[-1]["note"] == "note 0", "what was dropped is not counted as told"


@pytest.mark.parametrize("status", [403, 404, 422])
async def test_refusals_are_counted_and_logged_once(rig: Rig, caplog: pytest.LogCaptureFixture, status: int) -> None:
    reason = "NotFound" if status == 404 else "x"
    rig.api.failures = [api_error(status, {"reason": reason, "message": "namespace is terminating"}) for _ in range(3)]
    for index in range(4):
        rig.record(f"note {index}")
    await rig.recorder.drain(5)
    assert len(rig.api.created) == 1
    assert rig.recorder.failed == 3
    assert caplog.text.count("cannot post an event") == 1


async def test_a_broken_network_is_tried_again(rig: Rig) -> None:
    rig.api.failures = [UnreachableError("x"), api_error(409, {"reason": "AlreadyExists"})]
    rig.record()
    await rig.recorder.drain(5)
    assert (rig.recorder.posted, rig.recorder.failed) == (1, 0)


async def test_long_notes_are_cut(rig: Rig) -> None:
    rig.record("ä" * 2000)
    rig.record("x" * NOTE_BYTES)
    await rig.recorder.drain(5)
    cut, whole = (body["note"] for body in rig.api.created)
    assert len(cut.encode()) <= NOTE_BYTES
    assert cut.endswith("ä…")
    assert whole == "x" * NOTE_BYTES


async def test_many_different_events_do_not_pile_up(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apiclients.kube.events._SERIES_KEPT", 50)
    for index in range(300):
        rig.record(f"note {index}")
    await rig.recorder.drain(5)
    assert len(rig.recorder._series) == 50
    rig.now += 1000
    rig.record("late")
    assert len(rig.recorder._series) == 1


def test_it_is_a_client_of_the_client() -> None:
    assert {"create", "merge_patch"} <= set(dir(KubeClient))
