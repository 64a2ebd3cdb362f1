"""What the API server's watch cache has lost is found by reading etcd, and every watcher hears of it."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast
from unittest.mock import Mock

import pytest

from apiclients.controllers.metrics import OperatorMetrics
from apiclients.controllers.scrub import Scrub
from apiclients.controllers.status import StatusWriter
from apiclients.controllers.store import ObjectStore
from apiclients.kube.client import CACHED, KubeClient
from apiclients.kube.errors import ConflictError, NotFoundError, UnreachableError
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS
from apiclients.kube.objects import JsonObject, Page, ResourceType
from apiclients.resources.fields import parse_time
from apiclients.resources.refs import NamespacedName
from tests.lifecycle.parties import raw_client, raw_hold

NOW = parse_time("2026-03-01T10:00:00Z")
MOMENT = 10.0
KEY = ("team-a", "billing")
PLACE = tuple[str, str, str]


class ApiServer:
    """etcd, and a watch cache that may lose what is written."""

    def __init__(self) -> None:
        self.etcd: dict[PLACE, JsonObject] = {}
        self.cache: dict[PLACE, JsonObject] = {}
        self.away = self.refuses = False
        self.reads = 0
        #: Called with what every watcher hears.
        self.tell: Callable[[str, str, JsonObject], None] = lambda *_: None
        self._version = 10

    def write(self, resource: ResourceType, body: JsonObject, *, lost: bool = False, told: bool = True) -> JsonObject:
        self._version += 1
        stored = copy.deepcopy(body)
        stored["metadata"]["resourceVersion"] = str(self._version)
        place = (resource.plural, *_key(stored))
        self.etcd[place] = stored
        if not lost:
            self.cache[place] = stored
            if told:
                self.tell("MODIFIED", resource.plural, stored)
        return stored

    def delete(self, resource: ResourceType, key: NamespacedName, *, lost: bool) -> None:
        self._version += 1
        gone = self.etcd.pop((resource.plural, *key))
        if not lost:
            del self.cache[resource.plural, *key]
            gone["metadata"]["resourceVersion"] = str(self._version)
            self.tell("DELETED", resource.plural, gone)

    async def get(
        self, resource: ResourceType, namespace: str, name: str, *, resource_version: str = "", **_: Any
    ) -> JsonObject:
        self.reads += 1
        if self.away:
            raise UnreachableError("away")
        source = self.cache if resource_version == CACHED else self.etcd
        found = source.get((resource.plural, namespace, name))
        if found is None:
            raise NotFoundError(404, "NotFound", "")
        return copy.deepcopy(found)

    async def pages(self, *_: Any, **__: Any) -> AsyncGenerator[Page]:
        yield Page([], str(self._version))

    async def merge_patch(self, resource: ResourceType, namespace: str, name: str, body: JsonObject, **_: Any) -> Any:
        if self.refuses:
            raise UnreachableError("refused")
        stored = await self.get(resource, namespace, name)
        if stored["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise ConflictError(409, "Conflict", "")
        return self.write(resource, stored | {"status": stored.get("status", {}) | body["status"]})


class Operator:
    """Two stores that a watch feeds, and their scrub."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.server = ApiServer()
        self.server.tell = lambda event, plural, obj: self.stores[plural].take_event(event, obj)
        self.heard: list[NamespacedName] = []
        kube = cast(KubeClient, self.server)
        self.stores = {
            resource.plural: ObjectStore[Any](resource, lambda raw, _: raw, lambda key, *_: self.heard.append(key))
            for resource in (API_CLIENTS, API_CLIENT_HOLDS)
        }
        for store in self.stores.values():
            store.undelivered._monotonic = lambda: self.now
        self.metrics = OperatorMetrics()
        self.statuses = StatusWriter(kube, Mock())
        self.scrub = Scrub(
            kube,
            list(self.stores.values()),
            10,
            lambda store, key: self.statuses.repeat(store, key, NOW),
            self.metrics,
            monotonic=lambda: self.now,
            moment=MOMENT,
        )

    @property
    def clients(self) -> ObjectStore[Any]:
        return self.stores["apiclients"]

    async def round(self) -> None:
        """One round, and time for the watch to tell what it has to tell."""
        for store, key in self.scrub._round():
            await self.scrub.look_at(store, key)
            await self.scrub.settle()
        self.now += MOMENT
        for _ in range(3):
            await self.scrub.settle()

    def desired(self) -> str:
        """What the operator knows of the client."""
        raw = self.clients.raw(KEY)
        assert raw is not None
        return str(raw["spec"]["desiredStatus"])

    def lost(self, kind: str, where: str) -> float:
        labels = {"kind": kind, "where": where}
        return self.metrics.registry.get_sample_value("apiclient_operator_lost_events_total", labels) or 0.0

    def healed(self, kind: str = "ApiClient") -> float:
        return self.metrics.registry.get_sample_value("apiclient_operator_healed_total", {"kind": kind}) or 0.0


def suspended(client: JsonObject) -> JsonObject:
    return client | {"spec": client["spec"] | {"desiredStatus": "Suspended"}}


def _key(obj: JsonObject) -> NamespacedName:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apiclients.controllers.scrub._PAUSE_SECONDS", 0)


@pytest.mark.rule(17)
async def test_a_change_that_the_cache_has_lost_is_taken_in_and_told_to_every_watcher() -> None:
    operator = Operator()
    operator.server.write(API_CLIENTS, raw_client())
    operator.server.write(API_CLIENTS, suspended(raw_client()), lost=True)
    operator.heard.clear()
    await operator.round()
    assert KEY in operator.heard, "it is reconciled"
    assert operator.desired() == "Suspended"
    cached = operator.server.cache["apiclients", *KEY]
    assert cached["spec"]["desiredStatus"] == "Suspended", "the event of the write has the whole object"
    assert cached["status"]["repeatedTime"] == "2026-03-01T10:00:00Z"
    assert (operator.lost("ApiClient", "api_server"), operator.healed()) == (1, 1)
    await operator.round()
    assert (operator.lost("ApiClient", "api_server"), operator.healed()) == (1, 1), "once is enough"


@pytest.mark.rule(17)
async def test_a_change_that_was_lost_on_its_way_is_taken_in_and_nothing_is_written() -> None:
    operator = Operator()
    operator.server.write(API_CLIENTS, raw_client())
    operator.server.write(API_CLIENTS, suspended(raw_client()), told=False)
    await operator.round()
    assert operator.desired() == "Suspended"
    assert (operator.lost("ApiClient", "watch"), operator.lost("ApiClient", "api_server")) == (1, 0)
    assert operator.healed() == 0


async def test_a_watch_that_is_late_has_lost_nothing() -> None:
    operator = Operator()
    operator.server.write(API_CLIENTS, raw_client())
    late = operator.server.write(API_CLIENTS, suspended(raw_client()), told=False)
    for store, key in operator.scrub._round():
        await operator.scrub.look_at(store, key)
    operator.clients.take_event("MODIFIED", late)
    operator.now += MOMENT
    await operator.scrub.settle()
    assert operator.lost("ApiClient", "watch") == 0


@pytest.mark.rule(17)
async def test_an_own_status_of_which_no_watch_tells_is_written_again() -> None:
    """A gate waits for the status of a resumption; the operator has it from the answer to its write."""
    operator = Operator()
    operator.server.write(API_CLIENTS, raw_client())
    written = raw_client() | {"status": {"observedStatus": "Available"}}
    operator.clients.put(operator.server.write(API_CLIENTS, written, lost=True), own=True)
    await operator.round()
    assert operator.server.cache["apiclients", *KEY]["status"]["observedStatus"] == "Available"
    assert (operator.lost("ApiClient", "api_server"), operator.healed()) == (1, 1)
    assert operator.clients.undelivered.behind == 0


async def test_an_own_status_of_which_the_watch_has_told_costs_no_read() -> None:
    operator = Operator()
    operator.server.write(API_CLIENTS, raw_client())
    first, second = (
        operator.server.write(API_CLIENTS, raw_client() | {"status": {"observedStatus": name}}, told=False)
        for name in ("Pending", "Available")
    )
    operator.clients.put(first, own=True)
    operator.clients.put(second, own=True)
    operator.clients.take_event("MODIFIED", first)
    assert operator.clients.undelivered.behind == 1
    operator.clients.take_event("MODIFIED", second)
    operator.now += MOMENT
    await operator.scrub.settle()
    assert operator.server.reads == 0


async def test_a_cache_that_loses_everything_is_written_to_once() -> None:
    operator = Operator()
    operator.server.write(API_CLIENTS, raw_client())
    operator.server.write(API_CLIENTS, suspended(raw_client()), lost=True)
    write = operator.server.write
    operator.server.write = lambda resource, body, **_: write(resource, body, lost=True)  # type: ignore[method-assign]
    for _ in range(4):
        await operator.round()
    assert operator.healed() == 1


@pytest.mark.rule(17)
async def test_a_deletion_that_the_cache_has_lost_is_taken_in_and_counted() -> None:
    operator = Operator()
    operator.server.write(API_CLIENTS, raw_client())
    operator.server.delete(API_CLIENTS, KEY, lost=True)
    operator.heard.clear()
    await operator.round()
    assert KEY not in operator.clients
    assert operator.heard == [KEY]
    assert (operator.lost("ApiClient", "api_server"), operator.healed()) == (1, 0)


@pytest.mark.rule(17)
async def test_a_hold_that_nobody_heard_of_is_found_by_the_client_that_it_names() -> None:
    operator = Operator()
    operator.server.write(API_CLIENTS, raw_client())
    operator.server.write(API_CLIENT_HOLDS, raw_hold("billing"), lost=True)
    await operator.round()
    assert KEY in operator.stores["apiclientholds"]
    assert "repeatedTime" in operator.server.cache["apiclientholds", *KEY]["status"]
    assert (operator.lost("ApiClientHold", "api_server"), operator.healed("ApiClientHold")) == (1, 1)


async def test_somebody_who_writes_meanwhile_has_told_every_watcher() -> None:
    operator = Operator()
    operator.server.write(API_CLIENTS, raw_client())
    operator.server.write(API_CLIENTS, suspended(raw_client()), told=False)
    await operator.statuses.repeat(operator.clients, KEY, NOW)
    assert operator.desired() == "Suspended"
    assert "repeatedTime" not in operator.server.etcd["apiclients", *KEY].get("status", {})


async def test_a_write_that_fails_is_made_later() -> None:
    operator = Operator()
    operator.server.write(API_CLIENTS, raw_client())
    operator.server.write(API_CLIENTS, suspended(raw_client()), lost=True)
    operator.server.refuses = True
    await operator.round()
    assert operator.healed() == 0
    operator.server.refuses = False
    await operator.round()
    assert operator.healed() == 1


async def test_an_api_server_that_is_away_is_asked_again() -> None:
    operator = Operator()
    operator.server.write(API_CLIENTS, raw_client())
    operator.server.write(API_CLIENTS, suspended(raw_client()), lost=True)
    operator.server.away = True
    await operator.round()
    operator.server.away = False
    await operator.round()
    assert operator.healed() == 1
