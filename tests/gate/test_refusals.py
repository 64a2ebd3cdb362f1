"""Namespaces whose clients are all refused: over their budget, or with too many holds."""

from __future__ import annotations

import logging

import pytest

from apiclients.gate.state.refusals import NamespaceRefusal
from apiclients.lifecycle.access import (
    NO_CONTEXT,
    ClientContext,
    Denial,
    TokenClaims,
    secret_denial,
    token_denial,
)
from apiclients.lifecycle.digests import digest
from apiclients.resources.hold import MAX_SELECTING_HOLDS
from tests.gate.objects import hold_object
from tests.gate.support import SECRET, START, Caller, World, calling, pepper, view_of

OTHERS = "00000000-0000-4000-8000-0000000000"


@pytest.fixture
def world() -> World:
    return World(namespace_budget=10)


def suspend(world: World, count: int, namespace: str = "team-a", desired: str = "Suspended") -> None:
    for number in range(count):
        world.put(name=f"c{number}", namespace=namespace, uid=f"{OTHERS}{number:02d}", desired=desired)


async def status(call: Caller, token: str) -> int:
    return (await call.check(token))[0]


@pytest.mark.rule(17)
async def test_a_namespace_over_its_budget_stops_itself_and_nobody_else(
    world: World, call: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    other = world.put(name="other", namespace="team-b", uid=f"{OTHERS}99")
    neighbour = world.token(uid=other.uid, sub=other.client_id, client_id=other.client_id)
    suspend(world, 10)
    assert await status(call, world.token()) == 200
    with caplog.at_level(logging.INFO):
        world.tell("hold", hold_object("h", client="nobody"))
    assert await status(call, world.token()) == 401
    assert await status(call, neighbour) == 200
    assert world.tally.checks["deny", "namespace_over_budget"] == 1
    assert (await call.token())[0] == 401
    assert world.state.refusals.now() == [("team-a", NamespaceRefusal.OVER_BUDGET)]
    assert [record.levelname for record in caplog.records if "over its budget" in record.message] == ["ERROR"]
    assert "10 clients that are not Available and 1 holds" in caplog.text


@pytest.mark.rule(17)
async def test_it_is_let_go_by_a_proof_that_lists_it(world: World, call: Caller) -> None:
    refusals = world.state.refusals
    suspend(world, 11)
    left_out = refusals.to_leave_out()
    assert left_out == {"team-a"}
    suspend(world, 1, desired="Available")  # while the proof is under way
    refusals.proved(left_out)
    assert await status(call, world.token()) == 401
    assert refusals.to_leave_out() == frozenset()
    refusals.proved(frozenset())
    assert await status(call, world.token()) == 200
    assert refusals.now() == []


def test_what_counts_is_counted_once(world: World) -> None:
    load = world.state.refusals.load
    suspend(world, 3)
    suspend(world, 3)
    assert (load("team-a").clients, load("team-b").objects) == (3, 0)
    suspend(world, 3, desired="Retired")
    world.remove("c0")
    suspend(world, 2, desired="Available")
    assert load("team-a").clients == 1
    world.tell("hold", hold_object("h", client="billing"))
    world.tell("hold", hold_object("h", client="another"))
    assert load("team-a").holds == 1
    world.gone("hold", "team-a", "h")
    world.remove("c2")
    assert load("team-a").objects == 0


async def test_too_many_holds_are_told(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    with caplog.at_level(logging.INFO):
        for number in range(MAX_SELECTING_HOLDS + 2):
            world.tell("hold", hold_object(f"h{number}", labels={"no": "body"}))
        assert world.state.refusals.now() == [("team-a", NamespaceRefusal.TOO_MANY_HOLDS)]
        async with calling(world) as call:
            assert await status(call, world.token()) == 401
        for number in (0, 1):
            world.gone("hold", "team-a", f"h{number}")
    assert world.state.refusals.now() == []
    told = [record.message for record in caplog.records if record.name.endswith("refusals")]
    assert told == [
        "namespace team-a has more than 100 holds that name no client: all of its clients are held; delete some",
        "namespace team-a has few enough holds again",
    ]


def test_who_is_near_its_budget_is_told_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    suspend(world, 10)
    assert [record.levelname for record in caplog.records if "near its budget" in record.message] == ["WARNING"]


@pytest.mark.rule(1, 2)
def test_a_namespace_over_its_budget_gets_nothing() -> None:
    client, digests = view_of(), {"p1": digest(pepper(), SECRET.encode())}
    claims = TokenClaims(client.uid, int(START), int(START) + 60)
    assert token_denial(client, claims, START, NO_CONTEXT) is secret_denial(client, digests, START, NO_CONTEXT) is None
    refused = ClientContext(over_budget=True)
    assert token_denial(client, claims, START, refused) is Denial.OVER_BUDGET
    assert secret_denial(client, digests, START, refused) is Denial.OVER_BUDGET
    assert secret_denial(client, {}, START, refused) is Denial.WRONG_SECRET, "strangers learn nothing of it"
