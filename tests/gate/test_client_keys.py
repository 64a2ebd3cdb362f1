"""Clients with keys of their own: what they sign authenticates them at the token endpoint, and nothing else does."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import pytest

from apiclients.gate.tokens.verifier import Fault
from apiclients.lifecycle.access import Denial
from apiclients.lifecycle.client_keys import MAX_ASSERTION_SECONDS
from tests.gate.support import CLIENT_ID, ISSUER, START, UID, Caller, World
from tests.gate.test_assertions import answer, form, reason
from tests.gate.test_foreign import issuer_object
from tests.toolkit.issuer import ForeignIssuer, sign

pytestmark = [pytest.mark.rule(2), pytest.mark.rule(29)]

#: A client as the issuer of its own assertions.
OWN = ForeignIssuer(CLIENT_ID, es="ES256", rs="RS256", ps="PS256", p384="ES384", p521="ES512", ed="Ed25519")
STRANGER = ForeignIssuer(CLIENT_ID, es="ES256")
JWKS = json.dumps(OWN.jwks())
OTHER_ID = "team-a.other.0a1b2c3e"
_NUMBERS = itertools.count()


@pytest.fixture
def world() -> World:
    """A gate with one client, which has keys and no secret."""
    world = World()
    world.put(jwks=JWKS, issue=False, credentials=[])
    return world


def assertion(issuer: ForeignIssuer = OWN, **changes: Any) -> str:
    """An assertion as the client signs it now."""
    times = {"iat": int(START), "exp": int(START) + 60, "jti": f"jti-{next(_NUMBERS)}"}
    return issuer.token(CLIENT_ID, **{"aud": ISSUER} | times | changes)


@pytest.mark.parametrize("kid", OWN.keys)
async def test_what_its_key_signs_gets_a_token(world: World, call: Caller, kid: str) -> None:
    status, body = await answer(call, assertion(kid=kid))
    assert (status, body["token_type"]) == (200, "Bearer")
    found, headers = await call.check(body["access_token"])
    assert (found, headers["X-Client-Id"]) == (200, CLIENT_ID)
    assert world.tally.take_relied_on() == {UID}


@pytest.mark.parametrize("kind", ["JWT", "client-authentication+jwt", "application/client-authentication+jwt", None])
async def test_types(call: Caller, kind: str | None) -> None:
    assert (await answer(call, assertion(header={"typ": kind})))[0] == 200


async def test_the_client_id_may_be_said(world: World, call: Caller) -> None:
    assert (await answer(call, assertion(), client_id=CLIENT_ID))[0] == 200
    assert await reason(world, call, assertion(), client_id=OTHER_ID) == Denial.OTHER_CLIENT


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sub": OTHER_ID}, Fault.BAD_CLAIMS),
        ({"sub": None}, Fault.BAD_CLAIMS),
        ({"iss": OTHER_ID}, Fault.UNKNOWN_HEADER),
        ({"iss": OTHER_ID, "sub": OTHER_ID}, Fault.UNKNOWN_HEADER),
        ({"iss": None}, Fault.UNKNOWN_HEADER),
        ({"aud": f"{ISSUER}/token"}, Fault.BAD_CLAIMS),
        ({"aud": [ISSUER, "https://elsewhere.example.com"]}, Fault.BAD_CLAIMS),
        ({"aud": None}, Fault.BAD_CLAIMS),
        ({"iat": None}, Fault.BAD_CLAIMS),
        ({"exp": None}, Fault.BAD_CLAIMS),
        ({"iat": int(START) + 60, "exp": int(START) + 120}, Denial.TOKEN_NOT_YET_VALID),
        ({"exp": int(START)}, Fault.BAD_CLAIMS),
        ({"iat": int(START) - 60, "exp": int(START)}, Denial.TOKEN_EXPIRED),
        ({"iat": int(START) - MAX_ASSERTION_SECONDS, "exp": int(START) + 60}, Denial.TOKEN_EXPIRED),
        ({"header": {"typ": "at+jwt"}}, Fault.BAD_HEADER),
        ({"header": {"kid": None}}, Fault.BAD_HEADER),
        ({"header": {"kid": "nobodys"}}, Fault.UNKNOWN_KEY),
        ({"header": {"jwk": STRANGER.jwk("es")}}, Fault.BAD_HEADER),
        ({"issuer": STRANGER}, Fault.BAD_SIGNATURE),
    ],
)
async def test_what_does_not_fit(world: World, call: Caller, changes: dict[str, Any], why: str) -> None:
    assert await reason(world, call, assertion(**changes)) == why
    assert world.gate.foreign.unknown_keys.counts == {}, "nobody fetches keys of clients"


async def test_another_clients_key_signs_for_that_client_alone(world: World, call: Caller) -> None:
    uid = "0a1b2c3e-0000-4000-8000-000000000002"
    world.put(name="other", uid=uid, jwks=json.dumps(STRANGER.jwks()), issue=False, credentials=[])
    forged = sign(
        STRANGER.keys["es"],
        {"alg": "ES256", "kid": "es", "typ": "JWT"},
        {"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": ISSUER, "iat": int(START), "exp": int(START) + 60},
    )
    assert await reason(world, call, forged) == Fault.BAD_SIGNATURE
    assert (await answer(call, assertion(STRANGER, iss=OTHER_ID, sub=OTHER_ID)))[0] == 200


async def test_an_assertion_is_no_token_for_calls(world: World) -> None:
    assert world.gate.check(assertion().encode()) is Fault.UNKNOWN_HEADER
    world.tell("issuer", issuer_object())
    assert world.gate.check(assertion().encode()) is Fault.UNKNOWN_HEADER


async def test_a_token_issuer_of_that_name_comes_first(world: World, call: Caller) -> None:
    """Administrators make these: a client cannot take the place of one."""
    impostor = ForeignIssuer(CLIENT_ID, es="ES256")
    world.tell("issuer", issuer_object(impostor, "impostor", uses=["ClientAssertion"], subjects=[]))
    assert await reason(world, call, assertion()) == Fault.BAD_SIGNATURE


async def test_each_is_good_once(world: World, call: Caller) -> None:
    presented = assertion()
    assert (await answer(call, presented))[0] == 200
    assert await reason(world, call, presented) == Denial.ASSERTION_USED
    assert await reason(world, call, assertion(jti=json.loads(_payload(presented))["jti"])) == Denial.ASSERTION_USED


@pytest.mark.rule(16)
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"desired": "Suspended"}, Denial.SUSPENDED),
        ({"desired": "Retired", "observed": "Retired"}, Denial.RETIRED),
        ({"deleting": True}, Denial.DELETING),
        ({"observed": "Pending"}, Denial.PENDING),
        ({"not_before": START + 1}, Denial.TOKEN_TOO_OLD),
        ({"spec_not_before": START - 1}, None),
    ],
)
async def test_the_client_decides_as_with_a_secret(
    world: World, call: Caller, changes: dict[str, Any], why: str | None
) -> None:
    world.put(jwks=JWKS, issue=False, credentials=[], **changes)
    if why is None:
        assert (await answer(call, assertion()))[0] == 200
    else:
        assert await reason(world, call, assertion()) == why


@pytest.mark.rule(16)
async def test_a_key_that_is_taken_back_ends_at_once(world: World, call: Caller) -> None:
    rest = {"keys": [OWN.jwk("rs")]}
    world.put(jwks=json.dumps(rest), issue=False, credentials=[])
    assert await reason(world, call, assertion(kid="es")) == Fault.UNKNOWN_KEY
    assert (await answer(call, assertion(kid="rs")))[0] == 200
    world.put()
    assert await reason(world, call, assertion(kid="rs")) == Fault.UNKNOWN_HEADER


@pytest.mark.rule(11)
async def test_a_client_that_was_made_again_has_another_id(world: World, call: Caller) -> None:
    world.put(jwks=JWKS, issue=False, credentials=[], uid="ffffffff-0000-4000-8000-000000000001")
    assert await reason(world, call, assertion()) == Fault.UNKNOWN_HEADER


@pytest.mark.rule(24)
@pytest.mark.parametrize("jwks", ["no JSON", "{}", json.dumps({"keys": [OWN.keys["es"].as_dict(private=True)]})])
async def test_keys_that_cannot_be_used_are_none(world: World, call: Caller, jwks: str) -> None:
    world.put(jwks=jwks, issue=False, credentials=[])
    assert await reason(world, call, assertion()) == Fault.UNKNOWN_HEADER


async def test_a_client_with_keys_may_have_a_secret_too(world: World, call: Caller) -> None:
    world.put(jwks=JWKS)
    assert (await answer(call, assertion()))[0] == 200
    assert (await call.token())[0] == 200


@pytest.mark.rule(20)
async def test_it_introspects_with_its_key(world: World, call: Caller) -> None:
    token = (await answer(call, assertion()))[1]["access_token"]
    status, _, body = await call("POST", "/introspect", data=form(assertion(), token=token))
    assert (status, json.loads(body)["client_id"]) == (200, CLIENT_ID)


def _payload(token: str) -> bytes:
    part = token.split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
