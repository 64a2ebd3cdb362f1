"""What yes answers rest on: every object that could have made a no of it and whose name is known."""

from __future__ import annotations

import pytest

from apiclients.gate.state.in_use import InUse
from apiclients.resources.refs import ObjectRef
from tests.gate.objects import API, CONTRACT, api_object, approval_object, contract_object
from tests.gate.support import CLIENT_ID, ISSUER, SECRET, Caller, World

pytestmark = pytest.mark.rule(17)

AUDIENCE = f"{ISSUER}/apis/team-b/orders"
PATH = "/authz/team-b/orders"
CLIENT = {ObjectRef("ApiClient", "team-a", "billing"), ObjectRef("ApiClientHold", "team-a", "billing")}
ROUTE = {ObjectRef("Api", *API), ObjectRef("Contract", *CONTRACT)}
FORM = {"grant_type": "client_credentials"}


@pytest.fixture
def world() -> World:
    found = World()
    found.tell("api", api_object())
    found.tell("contract", contract_object())
    return found


@pytest.fixture
def in_use(world: World) -> InUse:
    return InUse(world.tally, world.access, world.picture.by_uid)


async def test_a_check_rests_on_the_client_and_on_no_hold_of_its_name(
    world: World, call: Caller, in_use: InUse
) -> None:
    assert (await call.check(world.token()))[0] == 200
    assert in_use.take() == CLIENT
    assert in_use.take() == set(), "each yes is told once"


async def test_a_yes_to_a_client_rests_on_the_issuers_of_its_identities(
    world: World, call: Caller, in_use: InUse
) -> None:
    world.put(identities=(("kc", "billing"), ("cluster", "billing")))
    assert (await call.check(world.token()))[0] == 200
    assert in_use.take() == CLIENT | {ObjectRef("TokenIssuer", "", name) for name in ("kc", "cluster")}


async def test_a_call_rests_on_contract_and_api_too(world: World, call: Caller, in_use: InUse) -> None:
    assert (await call.check(world.token(aud=AUDIENCE), PATH))[0] == 200
    assert in_use.take() == CLIENT | ROUTE


async def test_a_call_under_a_manual_plan_rests_on_its_approval(world: World, call: Caller, in_use: InUse) -> None:
    world.tell("contract", contract_object(plan="gold", in_force="gold", by="Approval"))
    world.tell("approval", approval_object())
    assert (await call.check(world.token(aud=AUDIENCE, scope="orders.admin"), PATH))[0] == 200
    assert in_use.take() == CLIENT | ROUTE | {ObjectRef("ContractApproval", "team-b", "approve")}


async def test_a_no_rests_on_nothing(world: World, call: Caller, in_use: InUse) -> None:
    world.put(desired="Suspended")
    assert (await call.check(world.token(aud=AUDIENCE), PATH))[0] == 401
    assert (await call.token(FORM))[0] == 401
    assert in_use.take() == set()


@pytest.mark.parametrize("resource", [{}, {"resource": AUDIENCE}])
async def test_a_token_rests_on_what_it_is_for(call: Caller, in_use: InUse, resource: dict[str, str]) -> None:
    assert (await call.token(FORM | resource))[0] == 200
    assert in_use.take() == CLIENT | ROUTE


async def test_an_introspection_rests_on_both_clients_and_on_what_it_tells(
    world: World, call: Caller, in_use: InUse
) -> None:
    other = {"name": "reader", "namespace": "team-b", "uid": "b" * 8 + "-0000-4000-8000-000000000002"}
    reader = world.put(**other)
    token = world.token(aud=AUDIENCE, scope="orders.read")
    status, told = await call.introspect(token, SECRET, reader.client_id)
    assert (status, told["active"]) == (200, True)
    caller = {ObjectRef(kind, "team-b", "reader") for kind in ("ApiClient", "ApiClientHold")}
    assert in_use.take() == CLIENT | ROUTE | caller
    assert (await call.introspect(token, SECRET, CLIENT_ID))[1]["active"]
    assert in_use.take() == CLIENT


async def test_what_has_gone_is_not_in_use(world: World, call: Caller, in_use: InUse) -> None:
    assert (await call.check(world.token(aud=AUDIENCE), PATH))[0] == 200
    world.remove()
    assert in_use.take() == set()
    assert not world.tally._relied_on
