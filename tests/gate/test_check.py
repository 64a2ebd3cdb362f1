"""The check endpoint over real HTTP, and which path is whose."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.gate.support import (
    CLIENT_ID,
    SECRET,
    START,
    Caller,
    World,
    credential,
    hours,
)


class TestCheck:
    @pytest.mark.rule(1)
    async def test_a_good_token(self, world: World, call: Caller) -> None:
        status, headers = await call.check(world.token())
        assert status == 200
        assert headers["X-Client-Id"] == CLIENT_ID
        assert headers["X-Client-Scope"] == ""
        assert headers["X-Token-Expires"] == str(int(START) + 12 * 3600)
        assert headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "PROPFIND"])
    @pytest.mark.parametrize("path", ["/check", "/check/", "/check/orders/1?x=1", "/check/%2e%2e/token"])
    async def test_any_method_and_any_path_below(self, world: World, call: Caller, method: str, path: str) -> None:
        status, _, body = await call(method, path, headers={"Authorization": f"bearer {world.token()}"})
        assert (status, body) == (200, b"")

    async def test_without_credentials_there_is_no_error_code(self, call: Caller) -> None:
        for headers in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearertoken"}):
            status, found, body = await call("GET", "/check", headers=headers)
            assert (status, body) == (401, b"")
            assert found["WWW-Authenticate"] == 'Bearer realm="apiclients"'
            assert found["Cache-Control"] == "no-store"

    async def test_a_token_in_the_url_or_body_is_none(self, world: World, call: Caller) -> None:
        token = world.token()
        status, headers, _ = await call("POST", f"/check?access_token={token}", data={"access_token": token})
        assert status == 401
        assert "error" not in headers["WWW-Authenticate"]

    async def test_two_authorization_headers(self, world: World, call: Caller) -> None:
        bearer = ("Authorization", f"Bearer {world.token()}")
        status, headers, _ = await call("GET", "/check", headers=[bearer, bearer])
        assert status == 401
        assert 'error="invalid_token"' in headers["WWW-Authenticate"]

    @pytest.mark.rule(1, 11, 16)
    @pytest.mark.parametrize(
        "fields",
        [
            {"desired": "Suspended"},
            {"desired": "Suspended", "observed": "Suspended"},
            {"desired": "Available", "observed": "Suspended"},
            {"desired": "Retired"},
            {"desired": "Available", "observed": "Retired"},
            {"desired": "Available", "observed": "Pending"},
            {"deleting": True},
            {"uid": "0a1b2c3d-0000-4000-8000-00000000ffff"},
            {"not_before": START + 1},
            {"not_before": None},
            {"spec_not_before": START},
            {"lifetime": "1h"},
            {"credentials": []},
        ],
    )
    async def test_every_refusal_looks_the_same(self, world: World, call: Caller, fields: dict[str, Any]) -> None:
        issued = START - hours(1)
        token = world.token(iat=int(issued), exp=int(issued + hours(12)))
        world.put(not_before=issued)
        assert (await call.check(token))[0] == 200
        world.put(**({"not_before": issued} | fields))
        refused = await call.check(token)
        unknown = await call.check(world.token(uid="unknown"))
        garbage = await call.check("garbage")
        for status, headers in (refused, unknown, garbage):
            assert status == 401
            assert 'error="invalid_token"' in headers["WWW-Authenticate"]
            assert {k: v for k, v in headers.items() if k != "date"} == {
                k: v for k, v in garbage[1].items() if k != "date"
            }

    @pytest.mark.rule(3)
    async def test_suspend_and_resume_bring_the_same_token_back(self, world: World, call: Caller) -> None:
        token = world.token()
        for _ in range(3):
            assert (await call.check(token))[0] == 200
            world.put(desired="Suspended")
            assert (await call.check(token))[0] == 401
            world.put(desired="Available", observed="Suspended")
            assert (await call.check(token))[0] == 401  # the operator has not agreed yet
            world.put()
        assert (await call.check(token))[0] == 200

    @pytest.mark.rule(4)
    async def test_an_expired_secret_kills_no_token(self, world: World, call: Caller) -> None:
        token = world.token()
        world.put(credentials=[credential(1, SECRET, expires=START - 10)], observed="Expired")
        assert (await call.check(token))[0] == 200
        world.clock.advance(hours(12) - 1)
        assert (await call.check(token))[0] == 200
        world.clock.advance(1)
        assert (await call.check(token))[0] == 401

    @pytest.mark.rule(1)
    async def test_a_shorter_lifetime_cuts_issued_tokens(self, world: World, call: Caller) -> None:
        token = world.token()
        world.put(lifetime="1h")
        assert (await call.check(token))[1]["X-Token-Expires"] == str(int(START + hours(1)))
        world.clock.advance(hours(1))
        assert (await call.check(token))[0] == 401

    @pytest.mark.rule(11)
    async def test_a_new_client_of_the_same_name_revives_nothing(self, world: World, call: Caller) -> None:
        token = world.token()
        world.remove()
        assert (await call.check(token))[0] == 401
        world.put(uid="ffffffff-0000-4000-8000-000000000002")
        assert (await call.check(token))[0] == 401

    async def test_a_bug_denies(
        self, world: World, call: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        token = world.token()

        def broken(_: bytes) -> None:
            raise ValueError(token)

        monkeypatch.setattr(world.gate, "check", broken)
        status, headers = await call.check(token)
        assert status == 500
        assert headers["Cache-Control"] == "no-store"
        assert "ValueError" in caplog.text
        assert token not in caplog.text


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        ["/", "/checkx", "/Check", "//check", "/check%2f", "/%63heck", "/token/", "/%74oken", "/jwks/", "/authzx"],
    )
    async def test_what_is_not_listed_does_not_exist(self, world: World, call: Caller, path: str) -> None:
        status, _, body = await call("GET", path, headers={"Authorization": f"Bearer {world.token()}"})
        assert (status, orjson.loads(body)["error"]) == (404, "not_found")

    @pytest.mark.parametrize(
        ("path", "allow"),
        [
            ("/token", {"POST"}),
            ("/introspect", {"POST"}),
            ("/jwks", {"GET", "HEAD"}),
            ("/.well-known/oauth-authorization-server", {"GET", "HEAD"}),
            ("/.well-known/openid-configuration", {"GET", "HEAD"}),
            ("/healthz", {"GET", "HEAD"}),
            ("/readyz", {"GET", "HEAD"}),
            ("/metrics", {"GET", "HEAD"}),
        ],
    )
    async def test_other_methods(self, call: Caller, path: str, allow: set[str]) -> None:
        for method in {"GET", "HEAD", "POST", "PUT", "DELETE"} - allow:
            status, headers, body = await call(method, path)
            assert status == 405
            assert set(headers["Allow"].split(", ")) == allow
            assert method == "HEAD" or orjson.loads(body)["error"] == "method_not_allowed"
