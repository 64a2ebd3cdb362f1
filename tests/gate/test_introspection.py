"""Introspection over real HTTP."""

from __future__ import annotations

import orjson
import pytest

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

    @pytest.mark.rule(20)
    async def test_only_of_the_callers_namespace(self, world: World, call: Caller) -> None:
        near = world.put(name="near", uid="11111111-0000-4000-8000-000000000001")
        far = world.put(name="far", namespace="team-b", uid="22222222-0000-4000-8000-000000000001")
        for view, active in ((near, True), (far, False)):
            token = world.token(uid=view.uid, sub=view.client_id, client_id=view.client_id)
            assert (await call.check(token))[0] == 200
            _, body = await call.introspect(token)
            assert body["active"] is active
            assert active or body == {"active": False}

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
