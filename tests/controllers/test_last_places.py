"""The last places among a client's contracts: several workers decide at the same time."""

from __future__ import annotations

import asyncio
import copy
from datetime import UTC, datetime
from typing import Any

from apiclients.controllers.cluster import Cluster
from apiclients.controllers.reconciler import Reconciler
from apiclients.controllers.steps import StepRunner
from apiclients.engine.observe import Observer
from apiclients.lifecycle.observation import Issuer
from apiclients.resources.apiclient import MAX_CONTRACTS
from apiclients.resources.refs import ObjectRef
from tests.lifecycle.parties import raw_api, raw_client, raw_contract

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)


class SlowWriter:
    """Stands for the API server, which takes a while."""

    def __init__(self) -> None:
        self.answer = asyncio.Event()
        self.written: list[str] = []

    async def write(self, store: Any, metadata: Any, before: Any, after: Any, told: Any) -> bool:
        await self.answer.wait()
        self.written.append(f"{metadata.name} {after.observed_status}")
        return True


def cluster_with(active: int, new: tuple[str, ...]) -> Cluster:
    """One client with that many active contracts and these new ones, each to an Api of its own."""
    cluster = Cluster(lambda *_: None)
    names = [f"c-{number:03}" for number in range(active)] + list(new)
    bodies = [("clients", raw_client())]
    for name in names:
        api, contract = copy.deepcopy(raw_api()), raw_contract(name)
        api["metadata"] |= {"name": f"of-{name}", "uid": f"of-{name}"}
        contract["metadata"]["uid"] = name
        contract["spec"]["api"]["name"] = f"of-{name}"
        contract["status"] = {} if name in new else {"observedStatus": "Active"}
        bodies += [("apis", api), ("contracts", contract)]
    for version, (store, body) in enumerate(bodies, 1):
        body["metadata"]["resourceVersion"] = str(version)
        getattr(cluster, store).put(body, own=False)
    return cluster


async def both_at_once(active: int) -> tuple[list[bool], list[str]]:
    writer = SlowWriter()
    cluster = cluster_with(active, ("one", "two"))
    observer = Observer(
        relations=cluster.relations,
        secrets=None,  # type: ignore[arg-type]
        issuer=Issuer("https://tokens.example.com"),
        peppers=lambda _: (),
        namespace_labels=lambda _: {},
        clock_trusted=lambda: True,
    )
    steps = StepRunner(None, cluster.clients, None, None, None, observer.issuer, observer.template_keys)  # type: ignore[arg-type]
    reconciler = Reconciler(cluster, observer, steps, writer, lambda: NOW)  # type: ignore[arg-type]
    contracts = [ObjectRef("Contract", "team-a", name) for name in ("one", "two")]
    tasks = [asyncio.create_task(reconciler.reconcile(contract)) for contract in contracts]
    await asyncio.sleep(0)  # both have decided
    writer.answer.set()
    outcomes = await asyncio.gather(*tasks)
    assert steps.beginnings.of(ObjectRef("ApiClient", "team-a", "billing")) == 0
    return [outcome.done for outcome in outcomes], writer.written


def test_of_two_that_want_the_last_place_one_is_asked_again() -> None:
    assert asyncio.run(both_at_once(MAX_CONTRACTS - 1)) == ([True, False], ["one Active"])


def test_two_take_the_last_two_places_at_once() -> None:
    assert asyncio.run(both_at_once(MAX_CONTRACTS - 2)) == ([True, True], ["one Active", "two Active"])
