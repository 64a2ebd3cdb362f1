"""The token endpoint over real HTTP."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote_plus

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from apiclients.gate.http.forms import MAX_BODY_BYTES
from tests.gate.support import (
    CLIENT_ID,
    FORM,
    ISSUER,
    OLD_SECRET,
    SECRET,
    START,
    UID,
    Caller,
    World,
    credential,
    hours,
)


class TestToken:
    @pytest.mark.rule(2)
    async def test_http_basic(self, world: World, call: Caller) -> None:
        status, headers, body = await call.token()
        assert status == 200
        assert headers["Cache-Control"] == "no-store"
        assert headers["Pragma"] == "no-cache"
        assert headers["Content-Type"] == "application/json"
        assert (body["token_type"], body["expires_in"]) == ("Bearer", 12 * 3600)
        assert set(body) == {"access_token", "token_type", "expires_in"}
        assert (await call.check(body["access_token"]))[0] == 200

    async def test_the_claims(self, world: World, call: Caller) -> None:
        _, _, body = await call.token()
        _, _, raw = await call("GET", "/jwks")
        token = jwt.decode(body["access_token"], KeySet.import_key_set(orjson.loads(raw)), algorithms=["ES256"])
        assert token.header == {"alg": "ES256", "kid": "k1", "typ": "at+jwt"}
        claims = dict(token.claims)
        assert len(claims.pop("jti")) == 22
        assert claims == {
            "iss": ISSUER,
            "sub": CLIENT_ID,
            "aud": ISSUER,
            "exp": int(START + hours(12)),
            "iat": int(START),
            "client_id": CLIENT_ID,
            "uid": UID,
            "scope": "",
        }

    @pytest.mark.rule(10)
    async def test_a_token_is_never_born_dead(self, world: World, call: Caller) -> None:
        world.put(not_before=START + 1)  # rounded up by the operator a moment ago
        _, _, body = await call.token()
        world.clock.advance(0.5)
        assert (await call.check(body["access_token"]))[0] == 200

    @pytest.mark.rule(5)
    async def test_both_secrets_work_during_the_overlap(self, world: World, call: Caller) -> None:
        world.put(
            credentials=[
                credential(2, SECRET),
                credential(1, OLD_SECRET, state="Previous", expires=START + 60),
            ]
        )
        old = (CLIENT_ID, OLD_SECRET)
        assert (await call.token())[0] == 200
        assert (await call.token(auth=old))[0] == 200
        assert world.tally.last_credential_uses() == {UID: {1: START, 2: START}}
        world.clock.advance(60)
        status, _, body = await call.token(auth=old)
        assert status == 401
        assert body["error_description"] == "The secret has expired; use the current one."
        assert (await call.token())[0] == 200

    async def test_form_credentials(self, call: Caller) -> None:
        form = FORM | {"client_id": CLIENT_ID, "client_secret": SECRET}
        assert (await call.token(form, auth=None))[0] == 200
        content = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        raw = "&".join(f"{k}={v}" for k, v in form.items())
        assert (await call.token(raw, auth=None, headers=content))[0] == 200

    async def test_basic_parts_are_form_encoded(self, world: World, call: Caller) -> None:
        secret = "a+b/c%d e:f"
        world.put(credentials=[credential(1, secret)])
        encoded = f"{quote_plus(CLIENT_ID.replace('.', '%2E'), safe='%')}:{quote_plus(secret)}"
        header = {"Authorization": "bAsIc " + base64.b64encode(encoded.encode()).decode()}
        assert (await call.token(auth=None, headers=header))[0] == 200

    @pytest.mark.rule(2)
    @pytest.mark.parametrize(
        ("fields", "description"),
        [
            ({"desired": "Suspended"}, "The client is suspended."),
            ({"desired": "Retired"}, "The client is retired."),
            ({"deleting": True}, "The client is being deleted."),
            ({"observed": "Pending"}, "The client is not ready yet."),
            ({"not_before": None}, "The client is not ready yet."),
            ({"observed": "Expired"}, "The secret has expired; use the current one."),
            ({"credentials": [credential(1, SECRET, expires=START)]}, "The secret has expired; use the current one."),
        ],
    )
    async def test_a_hint_for_the_right_secret_only(
        self, world: World, call: Caller, fields: dict[str, Any], description: str
    ) -> None:
        world.put(**fields)
        status, headers, body = await call.token()
        assert (status, body) == (401, {"error": "invalid_client", "error_description": description})
        assert headers["WWW-Authenticate"] == 'Basic realm="apiclients"'
        status, _, body = await call.token(auth=(CLIENT_ID, "wrong"))
        assert (status, body["error_description"]) == (401, "Client authentication failed.")

    @pytest.mark.rule(2)
    async def test_unknown_and_wrong_look_the_same(self, call: Caller) -> None:
        answers = [
            await call.token(auth=(client, secret))
            for client, secret in [
                (CLIENT_ID, "wrong"),
                ("team-a.nobody.00000000", SECRET),
                (CLIENT_ID, ""),
                ("", ""),
                (CLIENT_ID, "x" * 5000),
                ("", SECRET),
            ]
        ]
        for status, headers, body in answers:
            assert (status, body) == (
                401,
                {"error": "invalid_client", "error_description": "Client authentication failed."},
            )
            assert headers["WWW-Authenticate"] == 'Basic realm="apiclients"'

    @pytest.mark.parametrize(
        ("form", "more", "status", "error"),
        [
            ({}, {}, 400, "invalid_request"),
            ({"grant_type": ""}, {}, 400, "invalid_request"),
            ({"grant_type": "password"}, {}, 400, "unsupported_grant_type"),
            (FORM | {"scope": "orders.read"}, {}, 400, "invalid_scope"),
            ([("grant_type", "client_credentials")] * 2, {}, 400, "invalid_request"),
            ([*FORM.items(), ("x", "1"), ("x", "1")], {}, 400, "invalid_request"),
            (FORM | {"client_secret": SECRET}, {}, 400, "invalid_request"),
            (FORM | {"client_id": "another"}, {}, 400, "invalid_request"),
            (FORM, {"auth": None}, 400, "invalid_client"),
            (FORM | {"client_id": CLIENT_ID}, {"auth": None}, 400, "invalid_client"),
            (FORM | {"client_id": CLIENT_ID, "client_secret": "wrong"}, {"auth": None}, 400, "invalid_client"),
            (FORM | {"client_id": "nobody", "client_secret": SECRET}, {"auth": None}, 400, "invalid_client"),
            (FORM, {"auth": None, "headers": {"Authorization": "Bearer x"}}, 401, "invalid_client"),
            (FORM, {"auth": None, "headers": {"Authorization": "Basic"}}, 401, "invalid_client"),
            (FORM, {"auth": None, "headers": {"Authorization": "Basic !!!"}}, 401, "invalid_client"),
            (FORM, {"auth": None, "headers": {"Authorization": "Basic bm9jb2xvbg=="}}, 401, "invalid_client"),
            (FORM, {"auth": None, "headers": {"Authorization": "Basic /////w=="}}, 401, "invalid_client"),
            (FORM, {"auth": None, "headers": [("Authorization", "Basic eDp5")] * 2}, 400, "invalid_request"),
            (FORM, {"params": {"client_secret": "x"}}, 400, "invalid_request"),
            (b"grant_type=client_credentials", {"headers": {"Content-Type": "text/plain"}}, 400, "invalid_request"),
            (b"{}", {"headers": {"Content-Type": "application/json"}}, 400, "invalid_request"),
            (
                b"grant_type=\xff",
                {"headers": {"Content-Type": "application/x-www-form-urlencoded"}},
                400,
                "invalid_request",
            ),
            (
                b"grant_type=%ff",
                {"headers": {"Content-Type": "application/x-www-form-urlencoded"}},
                400,
                "invalid_request",
            ),
            (b"novalue", {"headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 400, "invalid_request"),
            ({f"p{n}": "1" for n in range(100)}, {}, 400, "invalid_request"),
            (FORM | {"x": "x" * (MAX_BODY_BYTES + 1)}, {}, 413, "invalid_request"),
        ],
    )
    async def test_errors_have_the_form_of_the_rfc(
        self, call: Caller, form: Any, more: dict[str, Any], status: int, error: str
    ) -> None:
        found, headers, body = await call.token(form, **more)
        assert (found, body["error"]) == (status, error)
        assert set(body) == {"error", "error_description"}
        assert headers["Cache-Control"] == "no-store"
        assert headers["Content-Type"] == "application/json"
        assert ("WWW-Authenticate" in headers) == (status == 401)

    @pytest.mark.parametrize(
        "body",
        [
            "&grant_type=client_credentials",
            "grant_type=client_credentials&",
            "&&grant_type=client_credentials&&scope=&&",
            "grant_type=client_credentials&foo",
            "foo&grant_type=client_credentials&=",
        ],
    )
    async def test_parts_of_a_form_may_be_empty(self, call: Caller, body: str) -> None:
        content = {"Content-Type": "application/x-www-form-urlencoded"}
        assert (await call.token(body, auth=(CLIENT_ID, SECRET), headers=content))[0] == 200

    @pytest.mark.parametrize(
        ("body", "sentence"),
        [
            (b"grant_type=\xff", "The body has other characters than ASCII: encode them with %."),
            (b"grant_type=%ff", "A parameter is not UTF-8."),
            (b"&".join(b"p%d=1" % n for n in range(65)), "The body has more than 64 parameters."),
            (b"foo", "The parameter grant_type is missing."),
        ],
    )
    async def test_each_cause_has_its_sentence(self, call: Caller, body: bytes, sentence: str) -> None:
        content = {"Content-Type": "application/x-www-form-urlencoded"}
        status, _, answer = await call.token(body, auth=(CLIENT_ID, SECRET), headers=content)
        assert (status, answer["error_description"]) == (400, sentence)

    async def test_an_empty_scope_asks_for_nothing(self, call: Caller) -> None:
        assert (await call.token(FORM | {"scope": ""}))[0] == 200
