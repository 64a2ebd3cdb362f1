"""Metadata, keys, metrics and health over real HTTP, and what a gate says that cannot decide."""

from __future__ import annotations

import orjson
import pytest

from apiclients.gate.problems import Problem
from tests.gate.support import (
    CLIENT_ID,
    FORM,
    ISSUER,
    SECRET,
    Caller,
    World,
    calling,
)


class TestDocuments:
    async def test_metadata(self, call: Caller) -> None:
        status, headers, body = await call("GET", "/.well-known/oauth-authorization-server")
        assert status == 200
        assert headers["Content-Type"] == "application/json"
        found = orjson.loads(body)
        assert found["issuer"] == ISSUER
        assert found["token_endpoint"] == f"{ISSUER}/token"
        assert found["jwks_uri"] == f"{ISSUER}/jwks"
        assert found["introspection_endpoint"] == f"{ISSUER}/introspect"
        assert found["grant_types_supported"] == ["client_credentials"]
        assert found["token_endpoint_auth_methods_supported"] == ["client_secret_basic", "client_secret_post"]
        assert (await call("GET", "/.well-known/openid-configuration"))[2] == body

    async def test_metadata_of_an_issuer_with_a_path(self) -> None:
        world = World(issuer="https://example.com/auth")
        async with calling(world) as call:
            status, _, body = await call("GET", "/.well-known/oauth-authorization-server/auth")
            assert (status, orjson.loads(body)["token_endpoint"]) == (200, "https://example.com/auth/token")

    async def test_jwks_holds_public_parts_only(self, call: Caller) -> None:
        status, headers, body = await call("GET", "/jwks")
        assert (status, headers["Cache-Control"]) == (200, "public, max-age=300")
        (key,) = orjson.loads(body)["keys"]
        assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}

    @pytest.mark.rule(23)
    async def test_metrics(self, world: World, call: Caller) -> None:
        await call.token()
        await call.token(auth=(CLIENT_ID, "wrong"))
        await call.check(world.token())
        await call.check()
        await call.introspect(world.token())
        status, _, body = await call("GET", "/metrics")
        text = body.decode()
        assert status == 200
        for line in (
            'apiclient_gate_checks_total{endpoint="check",reason="accepted",verdict="allow"} 1.0',
            'apiclient_gate_checks_total{endpoint="check",reason="no_credentials",verdict="deny"} 1.0',
            'apiclient_gate_tokens_total{outcome="issued",reason=""} 1.0',
            'apiclient_gate_tokens_total{outcome="refused",reason="wrong_secret"} 1.0',
            'apiclient_gate_introspections_total{outcome="active",reason=""} 1.0',
            'apiclient_gate_client_last_use_timestamp_seconds{name="billing",namespace="team-a"} 1.8e+09',
            'apiclient_gate_credential_last_use_timestamp_seconds{credential="1",name="billing",namespace="team-a"}',
        ):
            assert line in text, text
        assert SECRET not in text
        world.remove()
        text = (await call("GET", "/metrics"))[2].decode()
        assert 'namespace="team-a"' not in text


@pytest.mark.rule(17, 26)
async def test_a_stale_gate_decides_nothing(world: World, call: Caller) -> None:
    good = world.token()
    world.evidence.why = Problem.STALE
    auth = (CLIENT_ID, SECRET)
    for method, path, more in (
        ("GET", "/check", {"headers": {"Authorization": f"Bearer {good}"}}),
        ("GET", "/check/x", {}),
        ("POST", "/token", {"data": FORM, "auth": auth}),
        ("POST", "/introspect", {"data": {"token": good}, "auth": auth}),
    ):
        status, headers, body = await call(method, path, **more)
        assert (status, headers["Cache-Control"]) == (503, "no-store")
        assert orjson.loads(body)["error"] == "temporarily_unavailable"
    status, _, body = await call("GET", "/readyz")
    assert (status, body) == (503, b"not ready: the last freshness proof is too old\n")
    assert (await call("GET", "/healthz"))[0] == 200
    assert (await call("GET", "/jwks"))[0] == 200
    world.evidence.why = None
    assert (await call("GET", "/readyz"))[0] == 200
    assert (await call.check(good))[0] == 200


@pytest.mark.rule(25)
async def test_without_keys_nothing_is_decided(world: World, call: Caller) -> None:
    world.keys.ring = world.keys.verifier = None
    assert (await call.token())[0] == 503
    assert (await call.check("x"))[0] == 503
    assert (await call("GET", "/jwks"))[0] == 503
    assert (await call("GET", "/readyz"))[2] == b"not ready: there are no signing keys yet\n"
