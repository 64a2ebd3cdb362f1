"""The last places among a client's contracts: several workers decide at the same time."""

from __future__ import annotations

import asyncio
import copy
from datetime import UTC, datetime
from typing import Any

from apiclients.controllers.contract import ContractControllers
from apiclients.controllers.world import World
from apiclients.resources.apiclient import MAX_CONTRACTS
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


def world_with(active: int, new: tuple[str, ...]) -> World:
    """One client with that many active contracts and these new ones, each to an Api of its own."""
    world = World(lambda _: None, lambda _: None)
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
        getattr(world, store).put(body, own=False)
    return world


async def both_at_once(active: int) -> tuple[list[bool], list[str]]:
    writer = SlowWriter()
    controllers = ContractControllers(
        kube=None,  # type: ignore[arg-type]
        world=world_with(active, ("one", "two")),
        statuses=writer,  # type: ignore[arg-type]
        issuer_url="https://tokens.example.com",
        namespace_labels=lambda _: {},
        clock=lambda: NOW,
    )
    tasks = [asyncio.create_task(controllers.contract(("team-a", name))) for name in ("one", "two")]
    await asyncio.sleep(0)  # both have decided
    writer.answer.set()
    outcomes = await asyncio.gather(*tasks)
    assert not controllers._beginning
    return [outcome.done for outcome in outcomes], writer.written


def test_of_two_that_want_the_last_place_one_is_asked_again() -> None:
    assert asyncio.run(both_at_once(MAX_CONTRACTS - 1)) == ([True, False], ["one Active"])


def test_two_take_the_last_two_places_at_once() -> None:
    assert asyncio.run(both_at_once(MAX_CONTRACTS - 2)) == ([True, True], ["one Active", "two Active"])
