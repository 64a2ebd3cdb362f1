"""Metadata, keys, metrics and health over real HTTP, and what a gate says that cannot decide."""

from __future__ import annotations

from dataclasses import fields

import aiohttp
import orjson
import pytest

from apiclients.gate.metrics import Reading
from apiclients.gate.state.problems import Problem
from tests.gate.support import (
    CLIENT_ID,
    FORM,
    ISSUER,
    SECRET,
    Caller,
    World,
    calling,
    serving,
)
from tests.toolkit.scraping import SCRAPERS, labels_in


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
        assert found["token_endpoint_auth_methods_supported"] == [
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
        ]
        assert "ES256" in found["token_endpoint_auth_signing_alg_values_supported"]
        assert not [one for one in found["token_endpoint_auth_signing_alg_values_supported"] if one[:2] in ("HS", "no")]

    @pytest.mark.parametrize(
        ("path", "required"),
        [
            # RFC 8414 section 2, for an issuer without a grant type that uses the authorization endpoint.
            ("/.well-known/oauth-authorization-server", {"issuer", "token_endpoint", "response_types_supported"}),
            # OpenID Connect Discovery 1.0 section 3.
            (
                "/.well-known/openid-configuration",
                {
                    "issuer",
                    "authorization_endpoint",
                    "token_endpoint",
                    "jwks_uri",
                    "response_types_supported",
                    "subject_types_supported",
                    "id_token_signing_alg_values_supported",
                },
            ),
        ],
    )
    async def test_strict_readers_find_what_they_need(self, call: Caller, path: str, required: set[str]) -> None:
        found = orjson.loads((await call("GET", path))[2])
        assert required <= found.keys()
        lists = {name: value for name, value in found.items() if name.endswith("_supported")}
        assert all(value and isinstance(value, list) for value in lists.values()), "claims without elements are omitted"
        endpoints = [value for name, value in found.items() if name.endswith(("_endpoint", "_uri"))]
        assert all(value.startswith(f"{ISSUER}/") for value in endpoints)
        if "id_token_signing_alg_values_supported" in found:
            assert "RS256" in found["id_token_signing_alg_values_supported"], "MUST be included"
            assert found["subject_types_supported"] == ["public"]

    async def test_nobody_is_authorized_interactively(self, call: Caller) -> None:
        for method in ("GET", "POST"):
            status, headers, body = await call(
                method, "/authorize?response_type=code&redirect_uri=https://evil.example"
            )
            assert (status, orjson.loads(body)["error"]) == (400, "unsupported_response_type")
            assert "Location" not in headers

    async def test_everything_that_an_issuer_with_a_path_advertises_is_there(self) -> None:
        issuer = "https://example.com/auth/v1"
        world = World(issuer=issuer)
        well_known = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
        places = [place for name in well_known for place in (name, f"{name}/auth/v1", f"/auth/v1{name}")]
        async with calling(world) as call:
            for place in places:
                status, _, body = await call("GET", place)
                assert status == 200, place
                found = orjson.loads(body)
                assert found["issuer"] == issuer
                for name, url in found.items():
                    if name.endswith(("_endpoint", "_uri")):
                        assert (await call("GET", url.removeprefix("https://example.com")))[0] != 404, url
            for below in ("", "/auth/v1"):
                form = FORM | {"client_id": CLIENT_ID, "client_secret": SECRET}
                status, _, body = await call("POST", f"{below}/token", data=form)
                assert status == 200
                token = orjson.loads(body)["access_token"]
                answer = await call("POST", f"{below}/introspect", data={"token": token}, auth=(CLIENT_ID, SECRET))
                assert orjson.loads(answer[2])["active"]
            path = "/.well-known/oauth-protected-resource"
            for place in (path, f"{path}/auth/v1", f"/auth/v1{path}"):
                assert (await call("GET", f"{place}/apis/team-b/orders"))[0] == 200
            for path in ("/auth/v1/metrics", "/auth/v1/healthz", "/auth/v1/readyz", "/auth/v1", "/auth/token"):
                assert (await call("GET", path))[0] == 404, path

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
            'apiclient_gate_checks_total{handler="check",reason="accepted",verdict="allow"} 1.0',
            'apiclient_gate_checks_total{handler="check",reason="no_credentials",verdict="deny"} 1.0',
            'apiclient_gate_tokens_total{outcome="issued",reason=""} 1.0',
            'apiclient_gate_tokens_total{outcome="refused",reason="wrong_secret"} 1.0',
            'apiclient_gate_introspections_total{outcome="active",reason=""} 1.0',
            'apiclient_gate_client_last_use_timestamp_seconds{client="billing",client_namespace="team-a"} 1.8e+09',
            'apiclient_gate_credential_last_use_timestamp_seconds{client="billing",client_namespace="team-a",credential="1"}',
        ):
            assert line in text, text
        assert SECRET not in text
        assert not labels_in(text) & SCRAPERS
        world.remove()
        text = (await call("GET", "/metrics"))[2].decode()
        assert 'client_namespace="team-a"' not in text

    @pytest.mark.rule(17)
    async def test_metrics_while_a_namespace_is_refused(self, world: World, call: Caller) -> None:
        """No monitor takes its own namespace for the one that is refused."""
        reading = {field.name: 0 for field in fields(Reading)} | {"version": "1", "ready": True}
        reading |= {
            "lost_events": {},
            "verifications": {},
            "unknown_keys": {},
            "applied": {},
            "objects": {"apiclients": 1},
            "unreadable": {"apiclients": 0},
        }
        refused = [("team-a", "over_budget")]
        world.metrics.read = lambda: Reading(**(reading | {"refused_namespaces": refused}))  # type: ignore[arg-type]
        text = (await call("GET", "/metrics"))[2].decode()
        assert 'refused_namespaces{client_namespace="team-a",reason="over_budget"} 1.0' in text
        assert not labels_in(text) & SCRAPERS


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


async def test_a_port_of_health_and_metrics_has_nothing_else(world: World) -> None:
    async with serving(world.health_app()) as server, aiohttp.ClientSession() as session:
        call = Caller(session, f"http://127.0.0.1:{server.port}")
        for path in ("/healthz", "/readyz", "/metrics"):
            assert (await call("GET", path))[0] == 200, path
            assert (await call("POST", path))[0] == 405, path
        for path in ("/token", "/check", "/authz/team-b/orders", "/jwks", "/.well-known/oauth-authorization-server"):
            assert (await call("GET", path))[0] == 404, path
