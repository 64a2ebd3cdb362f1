"""Polling the keys of TokenIssuers: each on its own, at its own pace, anew for what changes and for keys unknown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apiclients.controllers import issuer_polls
from apiclients.controllers.issuer_polls import IssuerPolls
from apiclients.controllers.store import ObjectStore
from apiclients.kube.kinds import TOKEN_ISSUERS
from apiclients.lifecycle.issuers import Fetched, FetchedKeys, FetchFailed, keys_source
from apiclients.lifecycle.replicas import Replica, replica, unknown_keys
from apiclients.resources.names import UNKNOWN_KEYS_ANNOTATION
from apiclients.resources.objects import READERS, TokenIssuer
from tests.toolkit.issuer import AUDIENCE

pytestmark = pytest.mark.rule(31)


class Scene:
    """TokenIssuers, and a place where their keys are fetched from."""

    def __init__(self) -> None:
        read = READERS["TokenIssuer"]
        self.store: ObjectStore[Any] = ObjectStore(TOKEN_ISSUERS, lambda raw, _: read(raw), lambda *_: None)
        self.asked: dict[str, int] = {}
        self.fetched: list[str] = []
        self.told: list[str] = []
        self.hanging: set[str] = set()
        self.broken: set[str] = set()
        self.version = 0
        self.happened = asyncio.Event()
        self.polls = IssuerPolls(self.store, self.fetch, self.asked.get, self.tell)

    async def fetch(self, issuer: TokenIssuer) -> Fetched:
        name = issuer.metadata.name
        self.fetched.append(name)
        self.happened.set()
        if name in self.hanging:
            await asyncio.Event().wait()
        if name in self.broken:
            raise RuntimeError("a bug")
        return FetchedKeys(keys_source(issuer.spec), None, (), datetime.now(UTC))

    def tell(self, name: str) -> None:
        self.told.append(name)
        self.happened.set()

    def put(self, name: str, uid: str = "u", **spec: Any) -> None:
        self.version += 1
        meta = {"name": name, "uid": uid, "resourceVersion": str(self.version), "generation": self.version}
        body = {"issuer": "https://a", "keys": {"jwksURL": "https://a/keys"}, "audiences": [AUDIENCE], **spec}
        self.store.put({"metadata": meta, "spec": body, "status": {}})
        self.polls.look(name)

    def remove(self, name: str) -> None:
        self.store.remove(("", name))
        self.polls.look(name)

    async def until(self, test: Any) -> None:
        async with asyncio.timeout(10):
            while not test():
                self.happened.clear()
                try:
                    async with asyncio.timeout(0.05):
                        await self.happened.wait()
                except TimeoutError:
                    continue

    def issuer(self, name: str) -> TokenIssuer:
        found = self.store.get(("", name))
        assert isinstance(found, TokenIssuer)
        return found


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(issuer_polls, "_TICK_SECONDS", 0.02)
    made = Scene()
    running = asyncio.create_task(made.polls.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def faster(monkeypatch: pytest.MonkeyPatch, *, regular: float, asked_after: float) -> None:
    """The pace itself is decided in lifecycle, in whole seconds."""
    pace = {True: timedelta(seconds=asked_after), False: timedelta(seconds=regular)}
    monkeypatch.setattr(issuer_polls, "pause", lambda _, *, asked: pace[asked])


async def test_one_that_hangs_delays_no_other(scene: Scene) -> None:
    scene.hanging = {"slow"}
    for name in ("slow", "a", "b"):
        scene.put(name)
    await scene.until(lambda: {"a", "b"} <= set(scene.told))
    assert "slow" not in scene.told
    assert isinstance(scene.polls.fetched(scene.issuer("a")), FetchedKeys)
    assert scene.polls.fetched(scene.issuer("slow")) is None


async def test_keys_are_fetched_again_and_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    faster(monkeypatch, regular=0.05, asked_after=0.05)
    scene.put("a")
    await scene.until(lambda: scene.fetched.count("a") >= 3)


async def test_a_key_that_nobody_knows_is_looked_for_soon(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    faster(monkeypatch, regular=3600, asked_after=0.05)
    scene.put("a")
    scene.put("b")
    await scene.until(lambda: scene.told == ["a", "b"] or scene.told == ["b", "a"])
    scene.asked["a"] = 1
    await scene.until(lambda: scene.fetched.count("a") == 2)
    scene.asked["a"] = 2
    await scene.until(lambda: scene.fetched.count("a") == 3)
    assert scene.fetched.count("b") == 1


async def test_another_source_is_fetched_at_once_and_another_grant_is_not(scene: Scene) -> None:
    scene.put("a")
    await scene.until(lambda: scene.told == ["a"])
    scene.put("a", subjects=[{"namespace": "team-a", "prefix": "x"}])
    scene.put("a", keys={"jwksURL": "https://a/others"})
    await scene.until(lambda: scene.told == ["a", "a"])
    found = scene.polls.fetched(scene.issuer("a"))
    assert found is not None
    assert found.source == "JWKS https://a/others"


async def test_what_is_gone_is_polled_no_longer_and_its_keys_are_not_the_next_ones(scene: Scene) -> None:
    scene.hanging = {"b"}
    scene.put("a")
    await scene.until(lambda: scene.told == ["a"])
    scene.remove("a")
    scene.put("b")
    await scene.until(lambda: "b" in scene.fetched)
    scene.hanging = {"a"}
    scene.put("a", uid="another")
    await scene.until(lambda: scene.fetched.count("a") == 2)
    assert scene.polls.fetched(scene.issuer("a")) is None


async def test_a_bug_costs_one_issuer_and_is_tried_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    faster(monkeypatch, regular=0.05, asked_after=0.05)
    scene.broken = {"a"}
    scene.put("a")
    await scene.until(lambda: scene.fetched.count("a") >= 2)
    found = scene.polls.fetched(scene.issuer("a"))
    assert isinstance(found, FetchFailed)
    assert "a bug" not in found.message.replace("a bug in the operator", "")
    scene.broken = set()
    await scene.until(lambda: isinstance(scene.polls.fetched(scene.issuer("a")), FetchedKeys))
    tries = {
        sample.labels["outcome"]: sample.value
        for metric in scene.polls.collect()
        for sample in metric.samples
        if sample.name == "apiclient_operator_issuer_fetches_total"
    }
    assert tries["failed"] >= 2
    assert tries["found"] >= 1


async def test_one_that_cannot_be_read_is_waited_for(scene: Scene) -> None:
    scene.put("a", scopesFrom="Somewhere")
    scene.put("b")
    await scene.until(lambda: scene.told == ["b"])
    scene.put("a")
    await scene.until(lambda: "a" in scene.told)


def gate(name: str, text: str) -> Replica:
    return replica({"metadata": {"name": name, "annotations": {UNKNOWN_KEYS_ANNOTATION: text}}, "spec": {}})


def test_what_gates_say_of_keys_that_they_do_not_know() -> None:
    gates = [gate("g1", "kc=3,other=1"), gate("g2", ""), gate("g3", "kc=7"), gate("g4", "nonsense,,=,x")]
    assert unknown_keys(gates, "kc") == {("g1", "3"), ("g3", "7")}
    assert unknown_keys(gates, "none") == frozenset()
