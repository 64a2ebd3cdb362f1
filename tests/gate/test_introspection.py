"""Introspection over real HTTP."""

from __future__ import annotations

import orjson
import pytest

from apiclients.gate.tokens.verifier import MAX_TOKEN_BYTES
from tests.gate.objects import CONTRACT, api_object, contract_object, hold_object
from tests.gate.support import (
    CLIENT_ID,
    FORM,
    ISSUER,
    SECRET,
    START,
    Caller,
    World,
    hours,
    view_of,
)


class TestIntrospection:
    @pytest.mark.rule(20)
    async def test_an_own_token(self, world: World, call: Caller) -> None:
        world.put(lifetime="1h")
        status, body = await call.introspect(world.token())
        assert (status, body) == (
            200,
            {
                "active": True,
                "client_id": CLIENT_ID,
                "sub": CLIENT_ID,
                "aud": ISSUER,
                "iss": ISSUER,
                "iat": int(START),
                "exp": int(START + hours(1)),
                "jti": "jti-1",
                "scope": "",
                "token_type": "Bearer",
            },
        )

    async def test_the_longest_token_that_is_issued(self, world: World, call: Caller) -> None:
        short = len(world.token(jti=""))
        token = world.token(jti="x" * ((MAX_TOKEN_BYTES - short) // 4 * 3))
        assert MAX_TOKEN_BYTES - 8 < len(token) <= MAX_TOKEN_BYTES
        status, body = await call.introspect(token)
        assert (status, body["active"]) == (200, True)

    @pytest.mark.rule(20)
    async def test_not_of_neighbours(self, world: World, call: Caller) -> None:
        near = world.put(name="near", uid="11111111-0000-4000-8000-000000000001")
        token = world.token(uid=near.uid, sub=near.client_id, client_id=near.client_id)
        assert (await call.check(token))[0] == 200
        assert await call.introspect(token) == (200, {"active": False})

    @pytest.mark.rule(20)
    async def test_a_refused_token_is_only_inactive(self, world: World, call: Caller) -> None:
        other = "11111111-0000-4000-8000-000000000001"
        world.put(name="other", uid=other, desired="Suspended")
        suspended = view_of(name="other", uid=other)
        for token in (
            "garbage",
            "ä\u20ac",
            world.token(exp=int(START), iat=int(START) - 10),
            world.token(uid=other, sub=suspended.client_id, client_id=suspended.client_id),
        ):
            assert await call.introspect(token) == (200, {"active": False})

    @pytest.mark.rule(20)
    async def test_a_bad_caller(self, world: World, call: Caller) -> None:
        for secret, client in (("wrong", CLIENT_ID), (SECRET, "nobody")):
            status, body = await call.introspect(world.token(), secret, client)
            assert (status, body["error"]) == (401, "invalid_client")
        world.put(desired="Suspended")
        status, body = await call.introspect(world.token())
        assert (status, body["error_description"]) == (401, "The client is suspended.")

    async def test_without_a_token(self, call: Caller) -> None:
        auth = (CLIENT_ID, SECRET)
        status, _, body = await call("POST", "/introspect", data={"token_type_hint": "access_token"}, auth=auth)
        assert (status, orjson.loads(body)["error"]) == (400, "invalid_request")

    async def test_a_bug_is_not_shown(
        self, world: World, call: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(*_: object) -> None:
            raise ValueError(SECRET)

        monkeypatch.setattr(world.gate, "authenticate", broken)
        for path in ("/introspect", "/token"):
            status, _, body = await call("POST", path, data=FORM | {"token": "x"}, auth=("a", SECRET))
            assert (status, orjson.loads(body)["error"]) == (500, "server_error")
        assert world.tally.crashes == 2
        assert SECRET not in caplog.text


class TestOfApis:
    """A client of team-b, where the Api is, asks about tokens of a client of team-a."""

    AUDIENCES = (ISSUER, f"{ISSUER}/apis/team-c/other", f"{ISSUER}/apis/team-b/orders", f"{ISSUER}/apis/team-b/absent")

    @pytest.fixture
    def world(self) -> World:
        found = World()
        found.put(name="provider", namespace="team-b", uid="22222222-0000-4000-8000-000000000001")
        found.tell("api", api_object())
        found.tell("contract", contract_object())
        found.tell("api", api_object(("team-c", "other")))
        found.tell("contract", contract_object(("team-a", "other"), uid="other", api=("team-c", "other")))
        return found

    async def ask(self, world: World, call: Caller, scope: str = "orders.read else", **claims: object) -> object:
        token = world.token(aud=list(self.AUDIENCES), scope=scope, **claims)
        status, body = await call.introspect(token, client="team-b.provider.22222222")
        assert status == 200
        return body

    @pytest.mark.rule(15, 20)
    async def test_what_concerns_its_apis(self, world: World, call: Caller) -> None:
        assert await self.ask(world, call) == {
            "active": True,
            "client_id": CLIENT_ID,
            "sub": CLIENT_ID,
            "aud": f"{ISSUER}/apis/team-b/orders",
            "iss": ISSUER,
            "iat": int(START),
            "exp": int(START + hours(12)),
            "jti": "jti-1",
            "scope": "orders.read",
            "token_type": "Bearer",
        }

    @pytest.mark.rule(20)
    async def test_the_client_itself_sees_all(self, world: World, call: Caller) -> None:
        _, body = await call.introspect(world.token(aud=list(self.AUDIENCES), scope="orders.read else"))
        assert (body["aud"], body["scope"]) == (list(self.AUDIENCES), "orders.read else")

    @pytest.mark.rule(13, 14, 20)
    async def test_only_while_it_may_be_called(self, world: World, call: Caller) -> None:
        inactive = {"active": False}
        assert await self.ask(world, call, scope="else") == inactive
        world.tell("api", api_object(desired="Retired", acknowledged=1))
        assert await self.ask(world, call) == inactive
        world.tell("api", api_object())
        world.gone("contract", *CONTRACT)
        assert await self.ask(world, call) == inactive
        world.tell("contract", contract_object())
        world.tell("hold", hold_object())
        assert await self.ask(world, call) == inactive
        world.gone("hold", "team-a", "stop")
        assert await self.ask(world, call) != inactive

    @pytest.mark.rule(20)
    async def test_a_caller_that_is_held_learns_nothing(self, world: World, call: Caller) -> None:
        world.tell("hold", hold_object(namespace="team-b", client="provider"))
        status, body = await call.introspect(world.token(), client="team-b.provider.22222222")
        assert (status, body["error_description"]) == (401, "The client is stopped by a hold.")
