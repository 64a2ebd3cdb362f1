"""The reflector against a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from apiclients.kube.cache import Change, Reflector
from apiclients.kube.client import SECRETS, JsonObject, KubeClient
from apiclients.kube.errors import GoneError
from cluster import LocalCluster
from tests.toolkit.waiting import async_eventually

pytestmark = pytest.mark.rule(17)

Seen = tuple[str, str]


def secret(name: str, text: str = "", **metadata: Any) -> JsonObject:
    labels = {"test": "cache"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels, "annotations": {"text": text}, **metadata},
    }


def slim(body: JsonObject) -> Seen:
    return body["metadata"]["uid"], body["metadata"].get("annotations", {}).get("text", "")


class Rig:
    def __init__(self, client: KubeClient, namespace: str, **options: Any) -> None:
        self.client, self.namespace = client, namespace
        self.changes: list[Change[Seen]] = []
        self.reflector = Reflector(
            client,
            SECRETS,
            slim,
            namespace=namespace,
            label_selector="test=cache",
            metadata_only=True,
            on_change=self.changes.append,
            **options,
        )

    @property
    def texts(self) -> dict[str, str]:
        return {key[1]: value[1] for key, value in self.reflector.store.items()}

    async def apply(self, name: str, text: str = "") -> JsonObject:
        return await self.client.apply(SECRETS, self.namespace, name, secret(name, text), field_manager="t")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.reflector.run())
        try:
            await async_eventually("the first list", self.reflector.synced.is_set)
            yield
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.wait({task})


@pytest.fixture
async def rig(client: KubeClient, namespace: str) -> Rig:
    return Rig(client, namespace, page_size=2)


async def test_it_follows_what_happens(rig: Rig) -> None:
    for index in range(5):
        await rig.apply(f"s{index}", "first")
    async with rig.running():
        assert rig.texts == {f"s{index}": "first" for index in range(5)}
        await rig.apply("s0", "second")
        await async_eventually("s0 is known as it is now", lambda: rig.texts["s0"] == "second")
        await rig.client.delete(SECRETS, rig.namespace, "s1")
        await async_eventually("s1 is gone", lambda: "s1" not in rig.texts)
        made = await rig.apply("s9", "new")
        await async_eventually("s9 is known", lambda: "s9" in rig.texts)
        assert rig.reflector.resource_version >= int(made["metadata"]["resourceVersion"])
        assert [change.source for change in rig.changes] == ["list"] * 5 + ["watch"] * 3
        assert rig.reflector.lost_events == 0


async def test_leaving_the_selection_is_a_deletion(rig: Rig) -> None:
    await rig.apply("a")
    async with rig.running():
        unlabelled = {"metadata": {"labels": {"test": None}}}
        await rig.client.merge_patch(SECRETS, rig.namespace, "a", unlabelled)
        await async_eventually("all are gone", lambda: not rig.texts)
        await rig.apply("a", "back")
        await async_eventually("a is back", lambda: rig.texts == {"a": "back"})
        assert rig.reflector.lost_events == 0


async def test_relists_under_load_lose_and_invent_nothing(rig: Rig) -> None:
    """Creates, edits and deletes while lists run one after another: each change is told once, in order."""
    done = False

    async def churn(name: str) -> None:
        for round_ in range(12):
            await rig.apply(name, str(round_))
            if round_ % 4 == 3:
                await rig.client.delete(SECRETS, rig.namespace, name)

    async def relist() -> None:
        while not done:
            await rig.reflector.relist()

    async with rig.running():
        lists = asyncio.create_task(relist())
        await asyncio.gather(*(churn(f"s{index}") for index in range(8)))
        last = await rig.apply("last")
        done = True
        await lists
        await async_eventually(
            "it has reached the last change",
            lambda: rig.reflector._state.reached >= int(last["metadata"]["resourceVersion"]),
        )
        assert rig.texts == {"last": ""}
        assert rig.reflector.lost_events == 0
    newest: dict[tuple[str, str], int] = {}
    dead: set[str] = set()
    for change in rig.changes:
        assert change.resource_version >= newest.get(change.key, 0)
        newest[change.key] = change.resource_version
        if change.new is None:
            assert change.old is not None
            dead.add(change.old[0])
        else:
            assert change.new[0] not in dead


async def test_own_writes_and_reads(rig: Rig) -> None:
    await rig.apply("a", "1")
    async with rig.running():
        rig.reflector.put(await rig.apply("a", "2"))
        assert rig.texts == {"a": "2"}
        await rig.client.delete(SECRETS, rig.namespace, "a")
        assert await rig.reflector.refresh(rig.namespace, "a") is None
        assert rig.texts == {}
        await rig.apply("b", "1")
        await async_eventually("b alone is known", lambda: rig.texts == {"b": "1"})
        assert [change.key[1] for change in rig.changes] == ["a", "a", "a", "b"]


async def test_the_api_server_goes_away_and_comes_back(cluster: LocalCluster, rig: Rig) -> None:
    await rig.apply("kept", "1")
    await rig.apply("gone", "1")
    async with rig.running():
        await async_eventually("two are known", lambda: len(rig.texts) == 2)
        cluster.stop_api_server()
        cluster.start_api_server()
        await rig.apply("kept", "2")
        await async_eventually("the second version is known", lambda: rig.texts["kept"] == "2")
    # Nothing follows now: a gap. The restarted server does not remember what happened before it started.
    await rig.client.delete(SECRETS, rig.namespace, "gone")
    await rig.apply("kept", "3")
    await rig.apply("new", "1")
    before = str(rig.reflector._state.reached)
    cluster.stop_api_server()
    cluster.start_api_server()
    with pytest.raises(GoneError):
        async for _ in rig.client.watch(SECRETS, rig.namespace, resource_version=before, timeout_seconds=5):
            pass
    rig.changes.clear()
    async with rig.running():
        await async_eventually("it knows what is there now", lambda: rig.texts == {"kept": "3", "new": "1"})
        assert {change.source for change in rig.changes} == {"relist"}
        assert rig.reflector.lost_events == 0


async def test_a_frozen_api_server_is_noticed(cluster: LocalCluster, rig: Rig) -> None:
    rig = Rig(rig.client, rig.namespace, inactivity_timeout=0.5)
    await rig.apply("a", "1")
    async with rig.running():
        cluster.pause_api_server()
        try:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(rig.reflector.relist(), 1.0)
        finally:
            cluster.resume_api_server()
        await rig.apply("a", "2")
        await async_eventually("the second version is known", lambda: rig.texts == {"a": "2"})
