"""A contract that ends by itself: refused from that moment on by the gate's own clock, whatever status still says."""

from __future__ import annotations

import pytest

from tests.gate.answers import issued_for
from tests.gate.objects import api_object, contract_object
from tests.gate.support import ISSUER, START, Caller, World

AUDIENCE = f"{ISSUER}/apis/team-b/orders"
PATH = "/authz/team-b/orders"
END = START + 60

pytestmark = pytest.mark.rule(34)


@pytest.fixture
def world() -> World:
    """With a contract that ends in a minute."""
    found = World()
    found.tell("api", api_object())
    found.tell("contract", contract_object(ends=END))
    return found


async def test_calls_pass_until_then_and_not_after(world: World, call: Caller) -> None:
    token = world.token(aud=AUDIENCE, scope="orders.read")
    world.clock.wall_seconds = END - 0.001
    assert (await call.check(token, PATH))[0] == 200
    world.clock.wall_seconds = END
    assert (await call.check(token, PATH))[0] == 403
    assert (await call.check(world.token()))[0] == 200, "the client itself goes on"


async def test_no_token_is_issued_for_it_any_more(world: World, call: Caller) -> None:
    form = {"grant_type": "client_credentials", "resource": AUDIENCE}
    assert (await call.token(form))[0] == 200
    world.clock.wall_seconds = END
    status, _, body = await call.token(form)
    assert (status, body["error"]) == (400, "invalid_target")
    status, _, body = await call.token()
    assert status == 200
    assert issued_for(world, body) == (ISSUER, "")


async def test_moved_it_goes_on_with_the_same_token(world: World, call: Caller) -> None:
    token = world.token(aud=AUDIENCE, scope="orders.read")
    world.clock.wall_seconds = END
    assert (await call.check(token, PATH))[0] == 403
    world.tell("contract", contract_object(ends=END + 60))
    assert (await call.check(token, PATH))[0] == 200
    world.tell("contract", contract_object())
    world.clock.wall_seconds = END + 3600
    assert (await call.check(token, PATH))[0] == 200
