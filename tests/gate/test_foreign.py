"""Tokens of trusted issuers at the gate: which are read, whose they are, and that hostile ones are nobody's."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from apiclients.gate.state.problems import Problem
from apiclients.gate.tokens.acceptance import Accepted, Passed
from apiclients.gate.tokens.errors import NotReadyError
from apiclients.gate.tokens.foreign import UnknownKeys
from apiclients.gate.tokens.verifier import MAX_TOKEN_BYTES, Fault
from apiclients.lifecycle.access import MAX_TOKEN_SECONDS, Denial
from apiclients.lifecycle.calls import CallDenial
from apiclients.resources.fields import format_time
from tests.gate.objects import API, api_object, contract_object
from tests.gate.support import CLIENT_ID, ISSUER, START, UID, Caller, World, hours, time_at
from tests.toolkit.issuer import AUDIENCE, ForeignIssuer, sign

pytestmark = pytest.mark.rule(29)

KC = ForeignIssuer("https://kc.example.com/realms/x", es="ES256", rs="RS256", ps="PS256", p384="ES384", ed="Ed25519")
OTHER = ForeignIssuer("https://other.example.com", es="ES256", own="ES256")
SUBJECT = "team-a-billing"
ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "Ed25519"]
API_AUDIENCE = f"{ISSUER}/apis/{API[0]}/{API[1]}"


def issuer_object(
    issuer: ForeignIssuer = KC, name: str = "kc", *, fetched: float = START, created: float = START - 7200, **spec: Any
) -> dict[str, Any]:
    """A TokenIssuer as the operator has settled it."""
    body = {
        "issuer": issuer.name,
        "keys": {"jwksURL": "https://kc.example.com/keys"},
        "audiences": [AUDIENCE],
        "algorithms": ALGORITHMS,
        "subjects": [{"namespace": "team-a", "prefix": "team-a-"}],
        **spec,
    }
    keys = [{name: value for name, value in key.items() if name != "use"} for key in issuer.jwks()["keys"]]
    status = {
        "observedGeneration": 1,
        "issuer": issuer.name,
        "keysFrom": "JWKS https://kc.example.com/keys",
        "keys": keys,
        "lastFetchTime": format_time(time_at(fetched)),
    }
    metadata = {"name": name, "uid": f"uid-{name}", "creationTimestamp": format_time(time_at(created)), "generation": 1}
    return {"metadata": metadata, "spec": body, "status": status}


@pytest.fixture
def world() -> World:
    """A gate that trusts two issuers, with one client that both know."""
    world = World()
    world.tell("issuer", issuer_object())
    world.tell("issuer", issuer_object(OTHER, "other"))
    world.put(identities=(("kc", SUBJECT),))
    return world


def token(issuer: ForeignIssuer = KC, subject: str = SUBJECT, **changes: Any) -> bytes:
    """A token as that issuer signs it now."""
    times = {"iat": int(START), "exp": int(START) + 600}
    return issuer.token(subject, **times | changes).encode()


def verdict(world: World, presented: bytes) -> Any:
    found = world.gate.check(presented)
    return found.client.client_id if isinstance(found, Accepted) else found


@pytest.mark.parametrize("kid", KC.keys)
def test_a_token_of_each_algorithm_is_its_clients(world: World, kid: str) -> None:
    assert verdict(world, token(kid=kid)) == CLIENT_ID


def test_the_second_time_the_signature_is_known_and_the_decision_is_made_anew(world: World) -> None:
    presented = token()
    assert verdict(world, presented) == CLIENT_ID
    assert verdict(world, presented) == CLIENT_ID
    assert (world.gate.foreign.cache.hits, world.gate.foreign.cache.misses) == (1, 1)
    world.put(identities=(("kc", SUBJECT),), desired="Suspended")
    assert verdict(world, presented) is Denial.SUSPENDED
    world.put(identities=(("kc", SUBJECT),))
    assert verdict(world, presented) == CLIENT_ID


def test_our_own_tokens_never_meet_another_issuers_keys(world: World) -> None:
    assert verdict(world, world.token().encode()) == CLIENT_ID
    assert (world.gate.foreign.cache.hits, world.gate.foreign.cache.misses) == (0, 0)
    world.tell("issuer", issuer_object(ForeignIssuer(ISSUER, x="ES256"), "impostor"))
    forged = token(ForeignIssuer(ISSUER, x="ES256"))
    assert verdict(world, forged) is Fault.UNKNOWN_HEADER


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"iss": "https://kc.example.com/realms/x/"}, Fault.UNKNOWN_HEADER),
        ({"iss": "HTTPS://kc.example.com/realms/x"}, Fault.UNKNOWN_HEADER),
        ({"iss": ["https://kc.example.com/realms/x"]}, Fault.UNKNOWN_HEADER),
        ({"iss": None}, Fault.UNKNOWN_HEADER),
        ({"iss": OTHER.name}, Fault.BAD_SIGNATURE),
        ({"aud": "https://elsewhere.example.com"}, Fault.BAD_CLAIMS),
        ({"aud": None}, Fault.BAD_CLAIMS),
        ({"aud": [AUDIENCE, 7]}, Fault.BAD_CLAIMS),
        ({"aud": {"x": AUDIENCE}}, Fault.BAD_CLAIMS),
        ({"aud": ISSUER}, Fault.BAD_CLAIMS),
        ({"iat": None}, Fault.BAD_CLAIMS),
        ({"exp": None}, Fault.BAD_CLAIMS),
        ({"iat": "1"}, Fault.BAD_CLAIMS),
        ({"iat": True}, Fault.BAD_CLAIMS),
        ({"exp": int(START) - 1}, Fault.BAD_CLAIMS),
        ({"exp": 10**400}, Fault.MALFORMED),
        ({"exp": 2**60}, Fault.BAD_CLAIMS),
        ({"nbf": "soon"}, Fault.BAD_CLAIMS),
        ({"sub": None}, Fault.BAD_CLAIMS),
        ({"sub": ""}, Fault.BAD_CLAIMS),
        ({"sub": ["team-a-billing"]}, Fault.BAD_CLAIMS),
        ({"sub": "x" * 254}, Fault.BAD_CLAIMS),
        ({"scope": 7}, Fault.BAD_CLAIMS),
        ({"sub": "team-a-other"}, Denial.UNKNOWN_IDENTITY),
        ({"sub": "TEAM-A-BILLING"}, Denial.UNKNOWN_IDENTITY),
        ({"iat": int(START) + 60}, Denial.TOKEN_NOT_YET_VALID),
        ({"nbf": int(START) + 60}, Denial.TOKEN_NOT_YET_VALID),
        ({"iat": int(START) - 3700, "exp": int(START) + 3600}, Denial.TOKEN_EXPIRED),
        ({"iat": int(START) - 3601}, Denial.TOKEN_EXPIRED),
    ],
)
def test_claims_that_do_not_fit(world: World, changes: dict[str, Any], why: object) -> None:
    assert verdict(world, token(**changes)) is why


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"jku": "https://evil.example.com/keys"},
        {"x5u": "https://evil.example.com/certificate"},
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": True},
        {"typ": "dpop+jwt"},
        {"typ": "id_token"},
        {"typ": 7},
        {"kid": None},
    ],
)
def test_headers_that_are_not_allowed(world: World, header: dict[str, Any]) -> None:
    """Each is refused before the signature is looked at: a library may read some of them in its own way."""
    made = sign(KC.keys["es"], {"alg": "ES256", "typ": "JWT", "kid": "es"}, claims())
    payload, signature = made.split(".")[1:]
    parts = {"alg": "ES256", "typ": "JWT", "kid": "es"} | header
    head = json.dumps({name: value for name, value in parts.items() if value is not None}).encode()
    assert verdict(world, b".".join((b64(head), payload.encode(), signature.encode()))) is Fault.BAD_HEADER


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", None])
def test_types_are_media_types(world: World, kind: str | None) -> None:
    assert verdict(world, token(header={"typ": kind})) == CLIENT_ID


@pytest.mark.parametrize("claimed", ALGORITHMS)
@pytest.mark.parametrize("kid", KC.keys)
def test_an_algorithm_that_does_not_fit_the_key_is_refused(world: World, kid: str, claimed: str) -> None:
    """Every pair: a key is for what its type and curve are for, whatever the header says."""
    if KC.algorithms[kid] == claimed or {KC.algorithms[kid], claimed} == {"RS256", "PS256"}:
        return
    right = sign(KC.keys[kid], {"alg": KC.algorithms[kid], "kid": kid, "typ": "JWT"}, claims())
    head = b64(json.dumps({"alg": claimed, "kid": kid, "typ": "JWT"}).encode())
    assert verdict(world, b".".join((head, *right.encode().split(b".")[1:]))) is Fault.BAD_HEADER


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("kid", ["es", "rs"])
def test_a_public_key_is_no_shared_secret(world: World, kid: str, algorithm: str) -> None:
    """The classic confusion: the public key, which everybody has, as the key of a MAC."""
    key = KC.keys[kid]
    for secret in (key.as_pem(private=False), key.as_der(private=False), json.dumps(KC.jwk(kid)).encode()):
        head = b64(json.dumps({"alg": algorithm, "kid": kid, "typ": "JWT"}).encode())
        signed = head + b"." + b64(json.dumps(claims()).encode())
        mac = hmac.new(secret, signed, f"sha{algorithm[2:]}").digest()
        assert verdict(world, signed + b"." + b64(mac)) is Fault.BAD_HEADER


@pytest.mark.parametrize("algorithm", ["none", "None", "", "RS1", "ES256K", "EdDSA", None, 7, ["ES256"]])
def test_no_other_algorithm_counts(world: World, algorithm: object) -> None:
    head = b64(json.dumps({"alg": algorithm, "kid": "es", "typ": "JWT"}).encode())
    for signature in (b"", token().split(b".")[2]):
        assert verdict(world, b".".join((head, b64(json.dumps(claims()).encode()), signature))) is Fault.BAD_HEADER


def test_a_key_of_another_issuer_with_the_same_id_is_not_used(world: World) -> None:
    """Keys are chosen by (issuer, kid), never from a union."""
    forged = sign(OTHER.keys["es"], {"alg": "ES256", "kid": "es", "typ": "JWT"}, claims())
    assert verdict(world, forged.encode()) is Fault.BAD_SIGNATURE
    unknown = sign(OTHER.keys["own"], {"alg": "ES256", "kid": "own", "typ": "JWT"}, claims())
    assert verdict(world, unknown.encode()) is Fault.UNKNOWN_KEY
    assert verdict(world, token(OTHER)) is Denial.UNKNOWN_IDENTITY, "the same subject of another issuer is nobody's"


def test_an_algorithm_that_is_not_on_the_list_is_refused_though_the_key_fits(world: World) -> None:
    presented = token(kid="rs")
    assert verdict(world, presented) == CLIENT_ID
    world.tell("issuer", issuer_object(algorithms=["ES256"]))
    assert verdict(world, presented) is Fault.BAD_HEADER, "also where the signature was verified before"


def test_rsa_keys_for_one_padding_alone(world: World) -> None:
    body = issuer_object()
    for key in body["status"]["keys"]:
        if key["kid"] == "rs":
            key["alg"] = "RS256"
    world.tell("issuer", body)
    forged = sign(KC.keys["rs"], {"alg": "PS256", "kid": "rs", "typ": "JWT"}, claims())
    assert verdict(world, forged.encode()) is Fault.BAD_HEADER


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b".",
        b"..",
        b"...",
        b"a.b.c",
        b"\xff.\xff.\xff",
        b"e30.e30.",
        b"e30=.e30=.",
        b"W10.W10.",
        b"x" * (MAX_TOKEN_BYTES + 1),
    ],
)
def test_what_is_no_token_is_refused(world: World, garbage: bytes) -> None:
    assert verdict(world, garbage) in (Fault.MALFORMED, Fault.UNKNOWN_HEADER)


@pytest.mark.parametrize("place", range(0, 400, 7))
def test_a_token_that_was_changed_anywhere_is_refused(world: World, place: int) -> None:
    presented = bytearray(token())
    at = place % len(presented)
    presented[at] = ord("A") if presented[at] != ord("A") else ord("B")
    if bytes(presented).rsplit(b".", 1)[0] == token().rsplit(b".", 1)[0]:
        assert verdict(world, bytes(presented)) in (Fault.BAD_SIGNATURE, Fault.MALFORMED)
    else:
        assert not str(verdict(world, bytes(presented))).startswith("team-a")


def test_keys_that_were_rotated_end_what_they_signed(world: World) -> None:
    presented = token()
    assert verdict(world, presented) == CLIENT_ID
    rotated = ForeignIssuer(KC.name, next="ES256")
    world.tell("issuer", issuer_object(rotated))
    assert verdict(world, presented) is Fault.UNKNOWN_KEY
    assert verdict(world, token(rotated)) == CLIENT_ID
    world.gone("issuer", "", "kc")
    assert verdict(world, token(rotated)) is Fault.UNKNOWN_HEADER


def test_a_newer_fetch_of_the_same_keys_keeps_what_was_verified(world: World) -> None:
    presented = token()
    assert verdict(world, presented) == CLIENT_ID
    world.tell("issuer", issuer_object(fetched=START + 60))
    assert verdict(world, presented) == CLIENT_ID
    assert world.gate.foreign.cache.hits == 1


@pytest.mark.rule(31)
async def test_keys_that_were_found_too_long_ago_answer_503_for_their_issuer_alone(world: World, call: Caller) -> None:
    world.tell("issuer", issuer_object(fetched=START - hours(24) + 60, staleKeysFor="24h"))
    presented = token().decode()
    assert (await call.check(presented))[0] == 200
    world.clock.advance(61)
    assert (await call.check(presented))[0] == 503
    assert (await call.check(world.token()))[0] == 200
    with pytest.raises(NotReadyError) as refused:
        world.gate.check(presented.encode())
    assert refused.value.problem is Problem.ISSUER_KEYS_STALE
    world.tell("issuer", issuer_object(fetched=START + 61))
    assert (await call.check(presented))[0] == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"spec": {"issuer": "https://kc.example.com/realms/y"}},
        {"spec": {"keys": {"jwksURL": "https://kc.example.com/others"}}},
        {"status": {"issuer": None}},
        {"status": {"keys": []}},
        {"metadata": {"deletionTimestamp": format_time(time_at(START))}},
    ],
)
@pytest.mark.rule(16)
def test_what_spec_and_status_do_not_agree_on_is_not_recognised(world: World, changes: dict[str, Any]) -> None:
    body = issuer_object()
    for part, values in changes.items():
        body[part] = {name: value for name, value in (body[part] | values).items() if value is not None}
    world.tell("issuer", body)
    assert verdict(world, token()) is Fault.UNKNOWN_HEADER


@pytest.mark.rule(32)
def test_a_token_issuer_that_cannot_be_read_is_not_recognised(world: World) -> None:
    world.tell("issuer", issuer_object(scopesFrom="Somewhere"))
    assert verdict(world, token()) is Fault.UNKNOWN_HEADER


def test_of_two_token_issuers_for_one_issuer_the_older_counts(world: World) -> None:
    young = issuer_object(ForeignIssuer(KC.name, es="ES256"), "young", created=START - 60)
    world.tell("issuer", young)
    assert verdict(world, token()) == CLIENT_ID
    world.gone("issuer", "", "kc")
    assert verdict(world, token()) is Fault.BAD_SIGNATURE


@pytest.mark.rule(30)
def test_whose_a_subject_is(world: World) -> None:
    presented, claim = token(), (("kc", SUBJECT),)
    world.put(identities=claim, since=None)
    assert verdict(world, presented) is Denial.UNKNOWN_IDENTITY, "the operator has not said so"
    world.put(identities=claim)
    other = {"name": "copy", "uid": "11111111-0000-4000-8000-000000000001"}
    world.put(**other, identities=claim, since=START - 60)
    assert verdict(world, presented) == CLIENT_ID, "the claim that is older counts"
    world.put(identities=())
    assert verdict(world, presented) == "team-a.copy.11111111"
    world.tell("issuer", issuer_object(subjects=[{"namespace": "team-b", "prefix": ""}]))
    assert verdict(world, presented) is Denial.UNKNOWN_IDENTITY, "the grant was taken back"


@pytest.mark.rule(11)
def test_a_client_that_was_made_again_revives_no_token(world: World) -> None:
    presented = token(iat=int(START) - 60)
    assert verdict(world, presented) == CLIENT_ID
    world.put(identities=(("kc", SUBJECT),), uid="22222222-0000-4000-8000-000000000001", not_before=START, since=START)
    assert verdict(world, presented) is Denial.TOKEN_TOO_OLD
    assert verdict(world, token()) == "team-a.billing.22222222"
    world.put(identities=(("kc", SUBJECT),), uid="22222222-0000-4000-8000-000000000001", not_before=None, since=START)
    assert verdict(world, token()) is Denial.PENDING, "not before the first status of its UID"


@pytest.mark.rule(1)
def test_the_clients_token_lifetime_and_not_before_bind_foreign_tokens_too(world: World) -> None:
    presented = token(iat=int(START) - 600)
    assert verdict(world, presented) == CLIENT_ID
    world.put(identities=(("kc", SUBJECT),), lifetime="5m")
    assert verdict(world, presented) is Denial.TOKEN_EXPIRED
    world.put(identities=(("kc", SUBJECT),), spec_not_before=START - 300)
    assert verdict(world, presented) is Denial.TOKEN_TOO_OLD


@pytest.mark.rule(2)
async def test_a_client_without_a_secret_is_known_by_its_tokens_alone(world: World, call: Caller) -> None:
    identity = (("kc", SUBJECT),)
    world.put(identities=identity, issue=False, credentials=[])
    assert verdict(world, token()) == CLIENT_ID
    world.put(identities=identity, issue=False)
    assert verdict(world, token()) == CLIENT_ID
    status, body = await call.introspect(world.token())
    assert (status, body["error"]) == (401, "invalid_client"), "a secret that it had is refused by spec alone"


async def test_a_client_revokes_a_token_of_another_issuer(world: World, call: Caller) -> None:
    """What its TokenIssuer may say later does not bring it back: the revocation lasts as long as any token."""
    presented, other, stranger = token(), token(jti="other"), token(OTHER)
    for one in (presented, stranger):
        assert (await call.revoke(one.decode()))[0] == 200
    assert verdict(world, presented) is Denial.REVOKED
    assert verdict(world, other) == CLIENT_ID
    ((_, uid, ends),) = world.revoker.added
    assert (uid, ends) == (UID, int(START) + MAX_TOKEN_SECONDS)


def contracted(world: World, **spec: Any) -> None:
    world.tell("issuer", issuer_object(**spec))
    world.tell("api", api_object())
    world.tell("contract", contract_object())


def call_api(world: World, presented: bytes, *required: str) -> Any:
    access = world.access.find(f"{API[0]}/{API[1]}".encode())
    assert access is not None
    found = world.gate.call(presented, access, required)
    return found.scopes if isinstance(found, Passed) else found


def test_scopes_of_a_foreign_token_only_narrow_the_contracts(world: World) -> None:
    contracted(world)
    assert call_api(world, token(scope="orders.read email")) == ("orders.read",)
    assert call_api(world, token(scp=["orders.read"])) == ("orders.read",)
    assert call_api(world, token(scp="orders.write orders.read"), "orders.write") == ("orders.write", "orders.read")
    assert call_api(world, token(scope="admin email")) is CallDenial.INSUFFICIENT_SCOPE
    assert call_api(world, token(scope="orders.read"), "orders.write") is CallDenial.INSUFFICIENT_SCOPE
    assert call_api(world, token()) == ()
    contracted(world, scopesFrom="Contract")
    assert call_api(world, token(scope="admin"), "orders.write") == ("orders.read", "orders.write")


def test_the_audience_of_one_api_opens_that_api_alone(world: World) -> None:
    contracted(world)
    assert call_api(world, token(aud=API_AUDIENCE)) == ()
    assert call_api(world, token(aud=[f"{ISSUER}/apis/team-b/loans"])) is CallDenial.WRONG_AUDIENCE
    assert verdict(world, token(aud=[API_AUDIENCE, ISSUER])) is CallDenial.WRONG_AUDIENCE, "an assertion is no token"


@pytest.mark.rule(20)
async def test_introspection_tells_of_a_foreign_token(world: World, call: Caller) -> None:
    contracted(world)
    status, body = await call.introspect(token(scope="orders.read email").decode())
    assert (status, body) == (
        200,
        {
            "active": True,
            "client_id": CLIENT_ID,
            "sub": SUBJECT,
            "aud": AUDIENCE,
            "iss": KC.name,
            "iat": int(START),
            "exp": int(START) + 600,
            "jti": body["jti"],
            "scope": "orders.read email",
            "token_type": "Bearer",
        },
    )
    provider = "33333333-0000-4000-8000-000000000001"
    owner = world.put(name="orders", namespace="team-b", uid=provider)
    status, body = await call.introspect(token(scope="orders.read email").decode(), client=owner.client_id)
    assert (status, body["scope"], body["aud"]) == (200, "orders.read", API_AUDIENCE)
    assert body["iss"] == KC.name
    stranger = world.put(name="near", uid="11111111-0000-4000-8000-000000000001")
    assert await call.introspect(token().decode(), client=stranger.client_id) == (200, {"active": False})
    world.put(identities=(("kc", SUBJECT),), desired="Suspended")
    assert await call.introspect(token().decode(), client=owner.client_id) == (200, {"active": False})


async def test_the_answer_to_the_gateway_names_the_client_and_no_foreign_scope(world: World, call: Caller) -> None:
    status, headers = await call.check(token(scope="admin").decode())
    assert (status, headers["x-client-id"], headers["x-client-scope"]) == (200, CLIENT_ID, "")
    assert headers["x-token-expires"] == str(int(START) + 600)


async def test_denials_are_counted_for_the_client(world: World, call: Caller) -> None:
    world.put(identities=(("kc", SUBJECT),), desired="Suspended")
    assert (await call.check(token().decode()))[0] == 401
    assert world.tally.denials[UID] == {Denial.SUSPENDED: 1}


@pytest.mark.rule(31)
def test_keys_that_nobody_knows_are_counted_and_told_once_in_a_while() -> None:
    now, told = [0.0], []
    unknown = UnknownKeys(lambda: told.append(now[0]), lambda: now[0])
    for second in range(25):
        now[0] = float(second)
        unknown.note("kc")
    unknown.note("other")
    assert (told, unknown.counts) == ([0.0, 10.0, 20.0, 24.0], {"kc": 25, "other": 1})
    unknown.keep(frozenset({"other"}))
    assert unknown.counts == {"other": 1}


def test_a_large_rsa_key_costs_nothing_before_its_issuer_is_known(world: World) -> None:
    big = RSAKey.generate_key(3072)
    forged = sign(big, {"alg": "RS256", "kid": "rs", "typ": "JWT"}, claims())
    assert verdict(world, forged.encode()) is Fault.BAD_SIGNATURE


def claims(**changes: Any) -> dict[str, Any]:
    now = int(START)
    return {"iss": KC.name, "sub": SUBJECT, "aud": AUDIENCE, "iat": now, "exp": now + 600} | changes


def b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
