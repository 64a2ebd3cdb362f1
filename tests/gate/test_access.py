"""Routes: contracts, Apis and approvals joined as objects come and go, the same in every order."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from apiclients.gate.state.reading import Unreadable, on_bad
from apiclients.gate.tokens.acceptance import Passed
from apiclients.lifecycle.api_view import Route
from apiclients.lifecycle.approvals import Ruling
from apiclients.lifecycle.calls import CallDenial
from tests.gate.objects import (
    API,
    CONTRACT,
    CONTRACT_UID,
    GOLD,
    STANDARD,
    api_object,
    approval_object,
    contract_object,
    route_of,
)
from tests.gate.support import ISSUER, START, World

OTHER_UID = "ffffffff-0000-4000-8000-000000000002"
GOLDEN: dict[str, Any] = {"plan": "gold", "in_force": "gold", "by": "Approval"}


def plan(world: World) -> str | None:
    found = route_of(world)
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
        api = world.access.find(b"team-b/orders") or world.access.stranger(*API)
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
        assert route_of(world) is CallDenial.NO_CONTRACT
        world.tell("approval", approval_object())
        assert plan(world) == "gold"

    @pytest.mark.rule(14)
    def test_an_edited_reason_stops_nothing(self, world: World) -> None:
        world.tell("approval", approval_object(generation=2))
        assert plan(world) == "gold"
        world.tell("approval", approval_object(generation=2, bound=(OTHER_UID, 1)))
        assert route_of(world) is CallDenial.NO_CONTRACT

    @pytest.mark.rule(14)
    def test_deleted(self, world: World) -> None:
        world.gone("approval", "team-b", "approve")
        assert route_of(world) is CallDenial.NO_CONTRACT

    def test_a_rejection_wins(self, world: World) -> None:
        world.tell("approval", approval_object("later", decision="Rejected"))
        assert route_of(world) is CallDenial.NO_CONTRACT
        world.gone("approval", "team-b", "later")
        assert plan(world) == "gold"

    def test_only_the_owners_of_the_api_have_a_say(self, world: World) -> None:
        world.tell("approval", approval_object(namespace="team-a", decision="Rejected"))
        foreign = approval_object(namespace="team-a", name="bad")
        world.tell("approval", foreign | {"spec": foreign["spec"] | {"decision": "Perhaps"}})
        assert plan(world) == "gold"
        world.gone("approval", "team-b", "approve")
        world.tell("approval", approval_object(namespace="team-a"))
        assert route_of(world) is CallDenial.NO_CONTRACT

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
    assert route_of(world) is CallDenial.NO_CONTRACT


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
    found = route_of(world)
    assert isinstance(found, Route)
    assert found.rate_limit == (1, 1)


@pytest.mark.rule(12)
def test_a_contract_that_is_lost_takes_no_other_with_it(world: World) -> None:
    for name in ("orders", "invoices"):
        world.tell("api", api_object(("team-b", name)))
        world.tell("contract", contract_object(("team-a", f"billing-{name}"), uid=name, api=("team-b", name)))
    world.gone("contract", "team-a", "billing-invoices")
    assert plan(world) == "standard"
    assert [access.name for access in world.access.of_client(world.client)] == ["orders"]
    assert route_of(world, ("team-b", "invoices")) is CallDenial.NO_CONTRACT


@pytest.mark.rule(14)
def test_a_contract_that_was_told_twice_goes_all_the_same(world: World) -> None:
    world.tell("api", api_object())
    for _ in range(2):
        world.tell("contract", contract_object())
    world.gone("contract", *CONTRACT)
    assert route_of(world) is CallDenial.NO_CONTRACT
    assert world.access.of_client(world.client) == []


def test_views_share_what_they_have_in_common(world: World) -> None:
    world.tell("api", api_object())
    clients = [world.put(name=f"b{number}", uid=f"x{number}") for number in range(2)]
    for client in clients:
        made = contract_object(("team-a", f"of-{client.name}"), client=client.name, client_uid=client.uid)
        world.tell("contract", made)
    (access,) = world.access.known()
    one, other = (access.route(client, START) for client in clients)
    assert isinstance(one, Route)
    assert one is other
    contracts = world.state.relations.contracts
    (first,), (second,) = (contracts.of_client(("team-a", client.name)) for client in clients)
    assert first.claim.namespace is second.claim.namespace
    assert first.in_force is not None
    assert first.in_force.client is first.claim.client


def test_status_that_changes_nothing_keeps_what_was_worked_out(world: World) -> None:
    world.tell("api", api_object())
    world.tell("contract", contract_object())
    (access,) = world.access.known()
    before = access.route(world.client, START)
    world.tell("contract", contract_object())
    world.tell("api", api_object())
    world.tell("contract", contract_object(("team-a", "more"), uid="more", client="other", client_uid="another"))
    assert access.route(world.client, START) is before


@pytest.mark.rule(32)
class TestUnreadable:
    def test_it_says_so_once(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        for _ in range(3):
            world.tell("api", api_object() | {"spec": {}})
        assert caplog.text.count("api team-b/orders cannot be read and denies") == 1
        assert len(world.state.unreadable["apis"]) == 1
        world.tell("api", api_object())
        assert len(world.state.unreadable["apis"]) == 0

    @pytest.mark.parametrize("body", [{}, {"spec": None}, {"spec": {"contract": 1}}, {"spec": {"contract": {}}}])
    def test_an_approval_that_speaks_of_nothing(self, world: World, body: dict[str, Any]) -> None:
        assert on_bad("ContractApproval")(body, KeyError("x")) == Unreadable("KeyError")

    def test_an_approval_that_names_its_contract(self, world: World) -> None:
        found = on_bad("ContractApproval")(approval_object(), KeyError("x"))
        assert isinstance(found, Unreadable)
        assert isinstance(found.view, Ruling)
        assert (found.view.contract, found.view.readable) == (CONTRACT, False)

    def test_a_bound_uid_of_another_contract_counts_for_none(self, world: World) -> None:
        world.tell("api", api_object())
        world.tell("contract", contract_object(**GOLDEN, uid=OTHER_UID))
        world.tell("approval", approval_object(bound=(CONTRACT_UID, 1)))
        assert route_of(world) is CallDenial.NO_CONTRACT


@pytest.mark.rule(14, 32)
def test_no_route_outlives_a_time_in_which_its_client_could_not_be_read(world: World) -> None:
    world.tell("api", api_object())
    world.tell("contract", contract_object())
    assert plan(world) == "standard"
    world.version += 1
    world.apply(("team-a", "billing"), Unreadable("status.observedStatus is not known"), world.version)
    world.gone("contract", *CONTRACT)
    world.put()
    assert route_of(world) is CallDenial.NO_CONTRACT
