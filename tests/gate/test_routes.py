"""Routes: contracts, Apis and approvals joined as objects come and go, the same in every order."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from apiclients.gate.entries import Unreadable
from apiclients.gate.service import Passed
from apiclients.lifecycle.calls import CallDenial, Route
from tests.gate.objects import (
    API,
    CONTRACT,
    CONTRACT_UID,
    GOLD,
    STANDARD,
    api_object,
    approval_object,
    contract_object,
    way,
)
from tests.gate.support import ISSUER, UID, World

OTHER_UID = "ffffffff-0000-4000-8000-000000000002"
GOLDEN: dict[str, Any] = {"plan": "gold", "in_force": "gold", "by": "Approval"}


def plan(world: World) -> str | None:
    found = way(world)
    return found.plan if isinstance(found, Route) else None


@pytest.mark.rule(14)
@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_any_order_of_arrival(order: tuple[int, ...]) -> None:
    world = World()
    arrivals: list[Callable[[], Any]] = [
        world.put,
        lambda: world.tell("api", api_object()),
        lambda: world.tell("contract", contract_object(**GOLDEN)),
        lambda: world.tell("approval", approval_object()),
    ]
    world.remove()
    token = world.token(aud=f"{ISSUER}/apis/team-b/orders", scope="orders.admin").encode()

    def passes() -> bool:
        api = world.routes.find(b"team-b/orders") or world.routes.stranger(*API)
        return isinstance(world.gate.call(token, api, ()), Passed)

    for number in order:
        assert not passes()
        arrivals[number]()
    assert passes()
    assert plan(world) == "gold"


class TestApprovals:
    """A contract that an approval let in."""

    @pytest.fixture
    def world(self) -> World:
        found = World()
        found.tell("api", api_object())
        found.tell("contract", contract_object(**GOLDEN))
        found.tell("approval", approval_object())
        return found

    @pytest.mark.rule(14)
    @pytest.mark.parametrize(
        "fields",
        [
            {"generation": 2},
            {"bound": None},
            {"bound": (OTHER_UID, 1)},
            {"client": "other"},
            {"api": "other"},
            {"plan": "standard"},
            {"contract": ("team-a", "other")},
            {"deleting": True},
            {"decision": "Rejected"},
        ],
    )
    def test_it_must_stay_as_it_is(self, world: World, fields: dict[str, Any]) -> None:
        assert plan(world) == "gold"
        world.tell("approval", approval_object(**fields))
        assert way(world) is CallDenial.NO_CONTRACT
        world.tell("approval", approval_object())
        assert plan(world) == "gold"

    @pytest.mark.rule(14)
    def test_deleted(self, world: World) -> None:
        world.gone("approval", "team-b", "approve")
        assert way(world) is CallDenial.NO_CONTRACT

    def test_a_rejection_wins(self, world: World) -> None:
        world.tell("approval", approval_object("later", decision="Rejected"))
        assert way(world) is CallDenial.NO_CONTRACT
        world.gone("approval", "team-b", "later")
        assert plan(world) == "gold"

    def test_only_the_owners_of_the_api_have_a_say(self, world: World) -> None:
        world.tell("approval", approval_object(namespace="team-a", decision="Rejected"))
        foreign = approval_object(namespace="team-a", name="bad")
        world.tell("approval", foreign | {"spec": foreign["spec"] | {"decision": "Perhaps"}})
        assert plan(world) == "gold"
        world.gone("approval", "team-b", "approve")
        world.tell("approval", approval_object(namespace="team-a"))
        assert way(world) is CallDenial.NO_CONTRACT

    def test_a_plan_that_turned_automatic_needs_none(self, world: World) -> None:
        world.gone("approval", "team-b", "approve")
        world.tell("api", api_object(plans=(STANDARD, GOLD | {"approval": "Automatic"})))
        assert plan(world) == "gold"


@pytest.mark.rule(14)
def test_a_plan_that_turns_manual_stays(world: World) -> None:
    world.tell("api", api_object())
    world.tell("contract", contract_object())
    world.tell("api", api_object(plans=(STANDARD | {"approval": "Manual"}, GOLD)))
    assert plan(world) == "standard"
    world.tell("approval", approval_object(plan="standard", decision="Rejected"))
    assert way(world) is CallDenial.NO_CONTRACT


@pytest.mark.rule(14)
def test_an_edited_plan_is_in_force_when_status_says_so(world: World) -> None:
    world.tell("api", api_object())
    world.tell("contract", contract_object(plan="gold"))
    assert plan(world) == "standard"
    world.tell("approval", approval_object())
    assert plan(world) == "standard"
    world.tell("contract", contract_object(**GOLDEN))
    assert plan(world) == "gold"


@pytest.mark.rule(14)
def test_an_edited_plan_of_the_api_counts_at_once(world: World) -> None:
    world.tell("api", api_object())
    world.tell("contract", contract_object())
    world.tell("api", api_object(plans=(STANDARD | {"rateLimit": {"requests": 1, "window": "1s"}},)))
    found = way(world)
    assert isinstance(found, Route)
    assert found.rate_limit == (1, 1)


@pytest.mark.rule(12)
def test_a_contract_that_is_lost_takes_no_other_with_it(world: World) -> None:
    for name in ("orders", "invoices"):
        world.tell("api", api_object(("team-b", name)))
        world.tell("contract", contract_object(("team-a", f"billing-{name}"), uid=name, api=("team-b", name)))
    world.gone("contract", "team-a", "billing-invoices")
    assert plan(world) == "standard"
    assert [access.name for access in world.routes.of_client(UID)] == ["orders"]
    assert way(world, ("team-b", "invoices")) is CallDenial.NO_CONTRACT


@pytest.mark.rule(14)
def test_a_contract_that_was_told_twice_goes_all_the_same(world: World) -> None:
    world.tell("api", api_object())
    for _ in range(2):
        world.tell("contract", contract_object())
    world.gone("contract", *CONTRACT)
    assert way(world) is CallDenial.NO_CONTRACT
    assert world.routes.of_client(UID) == []


def test_views_share_what_they_have_in_common(world: World) -> None:
    world.tell("api", api_object())
    for number in range(2):
        world.tell("contract", contract_object(("team-a", f"c{number}"), uid=f"u{number}", client_uid=f"x{number}"))
    (access,) = world.routes.known()
    assert access.way("x0").route is access.way("x1").route
    assert access.way("x0").headers is access.way("x1").headers
    first, second = world.routes._contracts.values()
    assert first.claim.namespace is second.claim.namespace
    assert first.in_force is not None
    assert first.in_force.client is first.claim.client


def test_status_that_changes_nothing_keeps_what_was_worked_out(world: World) -> None:
    world.tell("api", api_object())
    world.tell("contract", contract_object())
    (access,) = world.routes.known()
    before = access.way(UID)
    world.tell("contract", contract_object())
    world.tell("api", api_object())
    world.tell("contract", contract_object(("team-a", "more"), uid="more", client_uid="another"))
    assert access.way(UID) is before


class TestUnreadable:
    def test_it_says_so_once(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        for _ in range(3):
            world.tell("api", api_object() | {"spec": {}})
        assert caplog.text.count("api team-b/orders cannot be read and denies") == 1
        assert len(world.routes.unreadable_apis) == 1
        world.tell("api", api_object())
        assert len(world.routes.unreadable_apis) == 0

    @pytest.mark.parametrize("body", [{}, {"spec": None}, {"spec": {"contract": 1}}, {"spec": {"contract": {}}}])
    def test_an_approval_that_speaks_of_nothing(self, world: World, body: dict[str, Any]) -> None:
        assert world.routes.read_bad(body, KeyError("x")) == Unreadable("KeyError")

    def test_an_approval_that_names_its_contract(self, world: World) -> None:
        found = world.routes.read_bad(approval_object(), KeyError("x"))
        assert found == Unreadable("KeyError", CONTRACT)

    def test_a_bound_uid_of_another_contract_counts_for_none(self, world: World) -> None:
        world.tell("api", api_object())
        world.tell("contract", contract_object(**GOLDEN, uid=OTHER_UID))
        world.tell("approval", approval_object(bound=(CONTRACT_UID, 1)))
        assert way(world) is CallDenial.NO_CONTRACT
