"""Holds and held retirements: what stands beside a client stops it, or keeps it going, at once."""

from __future__ import annotations

from typing import Any

import pytest

from apiclients.gate.state.picture import Finding
from tests.gate.objects import CONTRACT, api_object, contract_object, hold_object
from tests.gate.support import CLIENT_ID, START, UID, Caller, World

HINT = "The client is stopped by a hold."


async def works(world: World, call: Caller) -> bool:
    """Whether an old token is accepted and a new one issued, which is the same here."""
    token, secret = (await call.check(world.token()))[0], (await call.token())[0]
    assert (token, secret) in {(200, 200), (401, 401)}
    return token == 200


class TestHolds:
    @pytest.mark.rule(1, 2)
    async def test_it_stops_and_releases_at_once(self, world: World, call: Caller) -> None:
        assert await works(world, call)
        world.tell("hold", hold_object())
        assert not await works(world, call)
        assert world.tally.checks["deny", "held"] == 1
        assert (await call.token())[2]["error_description"] == HINT
        assert (await call.token(auth=(CLIENT_ID, "wrong")))[2]["error_description"] != HINT
        world.gone("hold", "team-a", "stop")
        assert await works(world, call)

    async def test_a_release_waits_for_the_operator(self, world: World, call: Caller) -> None:
        world.tell("hold", hold_object())
        world.put(observed="Suspended")
        world.gone("hold", "team-a", "stop")
        assert not await works(world, call)
        world.put()
        assert await works(world, call)

    async def test_holds_stack(self, world: World, call: Caller) -> None:
        world.tell("hold", hold_object("one"))
        world.tell("hold", hold_object("two", labels={}))
        world.gone("hold", "team-a", "one")
        assert not await works(world, call)
        world.gone("hold", "team-a", "two")
        assert await works(world, call)

    async def test_it_is_remembered_until_its_client_comes(self, world: World, call: Caller) -> None:
        world.remove()
        world.tell("hold", hold_object())
        world.put()
        assert not await works(world, call)

    async def test_it_ends_by_the_clock(self, world: World, call: Caller) -> None:
        world.tell("hold", hold_object(expires=START + 60))
        assert not await works(world, call)
        world.clock.advance(59)
        assert not await works(world, call)
        world.clock.advance(1)
        assert await works(world, call)

    @pytest.mark.parametrize(
        ("fields", "stopped"),
        [
            ({"client": "other"}, False),
            ({"namespace": "team-b"}, False),
            ({"namespace": "team-b", "labels": {}}, False),
            ({"client": None}, True),  # whom it means, it says in a field of a newer version
            ({"labels": {}}, True),
            ({"labels": {"tier": "gold"}}, False),
        ],
    )
    async def test_whom_it_means(self, world: World, call: Caller, fields: dict[str, Any], stopped: bool) -> None:
        world.tell("hold", hold_object(**fields))
        assert await works(world, call) is not stopped

    async def test_labels_of_the_client_change(self, world: World, call: Caller) -> None:
        world.tell("hold", hold_object(labels={"tier": "gold"}))
        assert await works(world, call)
        world.put(labels={"tier": "gold"})
        assert not await works(world, call)
        world.put()
        assert await works(world, call)

    async def test_an_edited_hold_lets_go_of_whom_it_meant(self, world: World, call: Caller) -> None:
        for other in ({"client": "other"}, {"labels": {"tier": "gold"}}, {"client": "billing", "expires": START}):
            world.tell("hold", hold_object())
            assert not await works(world, call)
            world.tell("hold", hold_object(**other))
            assert await works(world, call)

    @pytest.mark.rule(32)
    @pytest.mark.parametrize(
        ("spec", "stopped"),
        [
            ({"clientName": "billing", "expiresTime": "soon"}, True),
            ({"clientName": "other", "expiresTime": "soon"}, False),
            ({"selector": {"matchLabels": 7}}, True),
            ({}, True),
            (None, True),
        ],
    )
    async def test_an_unreadable_one_stops_whomever_it_may_mean(
        self, world: World, call: Caller, spec: Any, stopped: bool
    ) -> None:
        world.tell("hold", hold_object() | {"spec": spec})
        assert await works(world, call) is not stopped
        world.gone("hold", "team-a", "stop")
        assert await works(world, call)


class TestRetirements:
    """Spec asks for a retirement that does not name the active contract ``billing-orders``."""

    @pytest.fixture
    def world(self) -> World:
        found = World()
        found.tell("api", api_object())
        found.tell("contract", contract_object())
        return found

    @pytest.mark.rule(9, 16)
    @pytest.mark.parametrize(
        ("fields", "going"),
        [
            ({"accepted": "Available", "behind": 1}, True),
            ({"accepted": "Available", "behind": 0}, True),
            ({"accepted": "Available", "behind": 2}, False),  # one in between may have been a suspension
            ({"accepted": "Suspended", "behind": 1}, False),
            ({"accepted": "Retired", "behind": 0}, False),
            ({"accepted": None}, False),
            ({"accepted": "Available", "behind": 1, "observed": "Suspended"}, False),
            ({"accepted": "Available", "behind": 1, "deleting": True}, False),
        ],
    )
    async def test_while_it_is_held_everything_goes_on(
        self, world: World, call: Caller, fields: dict[str, Any], going: bool
    ) -> None:
        world.put(desired="Retired", generation=5, **fields)
        assert await works(world, call) is going

    @pytest.mark.rule(9)
    async def test_a_contract_that_ends_ends_the_hold_back(self, world: World, call: Caller) -> None:
        world.put(desired="Retired", generation=5, accepted="Available", behind=1)
        assert await works(world, call)
        world.gone("contract", *CONTRACT)
        assert not await works(world, call)
        world.tell("contract", contract_object())
        assert await works(world, call)

    @pytest.mark.rule(9, 32)
    async def test_a_contract_that_cannot_be_read_holds_it_back_too(self, world: World, call: Caller) -> None:
        world.put(desired="Retired", generation=5, accepted="Available", behind=1)
        contract = contract_object()
        world.tell("contract", contract | {"status": contract["status"] | {"observedStatus": "Paused"}})
        assert await works(world, call)
        world.gone("contract", *CONTRACT)
        assert not await works(world, call)

    @pytest.mark.rule(16, 17)
    @pytest.mark.parametrize(("generation", "going"), [(5, True), (6, False)])
    async def test_what_a_proof_finds_meanwhile(self, world: World, call: Caller, generation: int, going: bool) -> None:
        """In the same generation only status was written; in a later one it may be a suspension."""
        view = world.put(desired="Retired", generation=5, accepted="Available", behind=1)
        world.picture.deny(Finding((view.namespace, view.name), UID, world.version + 10, generation))
        assert await works(world, call) is going
