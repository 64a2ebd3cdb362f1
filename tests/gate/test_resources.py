"""Tokens for Apis: ``resource`` and ``scope`` at the token endpoint."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from apiclients.gate.tokens.verifier import MAX_TOKEN_BYTES
from tests.gate.answers import issued_for
from tests.gate.objects import CONTRACT, STANDARD, api_object, contract_object
from tests.gate.support import FORM, ISSUER, UID, Caller, World

ORDERS, INVOICES = f"{ISSUER}/apis/team-b/orders", f"{ISSUER}/apis/team-b/invoices"


def contract(world: World, name: str, scopes: list[str], namespace: str = "team-b") -> None:
    world.tell("api", api_object((namespace, name), plans=(STANDARD | {"scopes": scopes},)))
    world.tell("contract", contract_object(("team-a", f"billing-{name}"), uid=name, api=(namespace, name)))


@pytest.fixture
def world() -> World:
    found = World()
    contract(found, "orders", ["orders.write", "orders.read"])
    contract(found, "invoices", ["invoices.read"])
    contract(found, "ping", [])
    return found


class TestGranted:
    async def test_everything(self, world: World, call: Caller) -> None:
        _, _, body = await call.token()
        audiences = (ISSUER, INVOICES, ORDERS, f"{ISSUER}/apis/team-b/ping")
        assert issued_for(world, body) == (audiences, "invoices.read orders.read orders.write")
        for path in ("/check", "/authz/team-b/orders", "/authz/team-b/invoices", "/authz/team-b/ping"):
            assert (await call.check(body["access_token"], path))[0] == 200

    @pytest.mark.parametrize(
        ("resources", "scope", "audience", "granted"),
        [
            ([ORDERS], None, ORDERS, "orders.read orders.write"),
            ([ORDERS, INVOICES], None, (ORDERS, INVOICES), "invoices.read orders.read orders.write"),
            ([ORDERS, ORDERS], None, ORDERS, "orders.read orders.write"),
            ([ORDERS], "", ORDERS, "orders.read orders.write"),
            ([ORDERS], "orders.read", ORDERS, "orders.read"),
            ([ORDERS], "orders.write  orders.read orders.write", ORDERS, "orders.write orders.read"),
            ([f"{ISSUER}/apis/team-b/ping"], None, f"{ISSUER}/apis/team-b/ping", ""),
        ],
    )
    async def test_what_is_asked_for(
        self, world: World, call: Caller, resources: list[str], scope: str | None, audience: Any, granted: str
    ) -> None:
        form = [*FORM.items(), *(("resource", one) for one in resources)]
        status, _, body = await call.token(form if scope is None else [*form, ("scope", scope)])
        assert status == 200
        assert issued_for(world, body) == (audience, granted)
        assert (await call.check(body["access_token"]))[0] == 401  # it is not for the issuer

    async def test_a_token_for_checks_alone(self, world: World, call: Caller) -> None:
        _, _, body = await call.token(FORM | {"resource": ISSUER})
        token = body["access_token"]
        assert issued_for(world, body) == (ISSUER, "")
        assert (await call.check(token))[0] == 200
        assert (await call.check(token, "/authz/team-b/orders"))[0] == 401
        _, _, body = await call.token([*FORM.items(), ("resource", ORDERS), ("resource", ISSUER)])
        assert issued_for(world, body) == ((ORDERS, ISSUER), "orders.read orders.write")
        status, _, body = await call.token(FORM | {"resource": ISSUER, "scope": "orders.read"})
        assert (status, body["error"]) == (400, "invalid_scope")

    @pytest.mark.parametrize("resources", [[""], [ORDERS, ""]])
    async def test_an_empty_resource_is_not_all_of_them(self, call: Caller, resources: list[str]) -> None:
        status, _, body = await call.token([*FORM.items(), *(("resource", one) for one in resources)])
        assert (status, body["error"]) == (400, "invalid_target")
        assert body["error_description"] == "A resource is empty."

    async def test_a_scope_of_any_contract(self, world: World, call: Caller) -> None:
        _, _, body = await call.token(FORM | {"scope": "invoices.read"})
        token = body["access_token"]
        assert issued_for(world, body)[1] == "invoices.read"
        assert (await call.check(token, "/authz/team-b/invoices"))[0] == 200
        assert (await call.check(token, "/authz/team-b/orders"))[0] == 403
        assert (await call.check(token, "/authz/team-b/ping"))[0] == 200

    @pytest.mark.rule(12)
    async def test_only_what_may_be_called_now(self, world: World, call: Caller) -> None:
        world.tell("api", api_object(("team-b", "invoices"), desired="Retired", acknowledged=1))
        world.gone("contract", "team-a", "billing-ping")
        _, _, body = await call.token()
        assert issued_for(world, body)[0] == (ISSUER, ORDERS)
        world.gone("contract", "team-a", "billing-orders")
        _, _, body = await call.token()
        assert issued_for(world, body) == (ISSUER, "")


class TestRefused:
    @pytest.mark.rule(15)
    @pytest.mark.parametrize(
        "resource",
        [
            f"{ISSUER}/",
            f"{ISSUER}/apis/team-b/absent",
            f"{ISSUER}/apis/team-b/other",
            f"{ISSUER}/apis/team-b/retired",
            f"{ORDERS}/",
            f"{ORDERS}#x",
            f"{ORDERS}?x",
            f"{ISSUER}/apis/team-b/%6frders",
            f"{ISSUER}/apis//team-b/orders",
            "https://other.example.com/apis/team-b/orders",
            "orders",
            "\u00e4",
        ],
    )
    async def test_what_is_no_target(self, world: World, call: Caller, resource: str) -> None:
        world.tell("api", api_object(("team-b", "other")))
        contract(world, "retired", [])
        world.tell("api", api_object(("team-b", "retired"), desired="Retired", acknowledged=1))
        form = [*FORM.items(), ("resource", ORDERS), ("resource", resource)]
        status, headers, body = await call.token(form)
        assert (status, headers["Cache-Control"]) == (400, "no-store")
        assert body == {
            "error": "invalid_target",
            "error_description": "The client has no active contract for one of these resources.",
        }
        assert world.tally.tokens == {("refused", "invalid_target"): 1}

    @pytest.mark.parametrize(
        ("resource", "scope"),
        [(ORDERS, "invoices.read"), (ORDERS, "orders.read elsewhere"), (None, "elsewhere"), (ORDERS, "\u00e4")],
    )
    async def test_what_no_plan_covers(self, world: World, call: Caller, resource: str | None, scope: str) -> None:
        form = [*FORM.items(), ("scope", scope), *([("resource", resource)] if resource else [])]
        status, _, body = await call.token(form)
        assert (status, body["error"]) == (400, "invalid_scope")

    async def test_other_parameters_are_not_repeated(self, call: Caller) -> None:
        for name in ("scope", "audience"):
            status, _, body = await call.token([*FORM.items(), (name, "x"), (name, "x")])
            assert (status, body["error"]) == (400, "invalid_request")

    async def test_the_secret_comes_first(self, call: Caller) -> None:
        form = FORM | {"resource": f"{ISSUER}/apis/team-b/absent"}
        assert (await call.token(form, auth=("team-a.billing.0a1b2c3d", "wrong")))[0] == 401


class TestSize:
    async def test_as_many_contracts_as_there_can_be(self, world: World, call: Caller) -> None:
        for number in range(253):
            contract(world, f"orders-{number:03}", ["orders.read"], "team-payments")
        _, _, body = await call.token()
        assert len(issued_for(world, body)[0]) == 257
        assert len(body["access_token"]) < MAX_TOKEN_BYTES
        assert (await call.check(body["access_token"], "/authz/team-payments/orders-000"))[0] == 200

    async def test_a_token_that_would_not_be_accepted_is_not_issued(self, world: World, call: Caller) -> None:
        for number in range(200):
            contract(world, f"{number:03}-{'x' * 59}", ["orders.read"], "y" * 63)
        status, _, body = await call.token()
        assert (status, body["error"]) == (400, "invalid_target")
        assert "by resource" in body["error_description"]
        assert (await call.token(FORM | {"resource": ORDERS}))[0] == 200


async def test_old_tokens_lose_what_their_client_loses(world: World, call: Caller) -> None:
    _, _, body = await call.token()
    world.gone("contract", *CONTRACT)
    assert (await call.check(body["access_token"], "/authz/team-b/orders"))[0] == 403
    assert (await call.check(body["access_token"], "/authz/team-b/invoices"))[0] == 200
    status, found = await call.introspect(body["access_token"])
    assert (status, found["active"]) == (200, True)
    assert orjson.dumps(UID) not in orjson.dumps(found)
