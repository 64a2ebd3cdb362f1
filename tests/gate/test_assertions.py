"""Client assertions at the token endpoint: which client they authenticate, and that hostile ones are nobody's."""

from __future__ import annotations

import base64
import hmac
import itertools
import json
from typing import Any

import pytest

from apiclients.gate.state.problems import Problem
from apiclients.gate.tokens.errors import NotReadyError
from apiclients.gate.tokens.replay import UsedAssertions
from apiclients.gate.tokens.verifier import Fault
from apiclients.lifecycle.access import Denial
from tests.gate.support import CLIENT_ID, FORM, ISSUER, SECRET, START, UID, Caller, World
from tests.gate.test_foreign import KC, OTHER, SUBJECT, issuer_object
from tests.toolkit.issuer import AUDIENCE, ForeignIssuer, sign

pytestmark = [pytest.mark.rule(2), pytest.mark.rule(29)]

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
IDENTITY = (("kc", SUBJECT),)
_NUMBERS = itertools.count()


@pytest.fixture
def world() -> World:
    """A gate with an issuer for assertions, one for calls alone, and a client that both know."""
    world = World()
    world.tell("issuer", issuer_object(uses=["ClientAssertion"]))
    world.tell("issuer", issuer_object(OTHER, "other"))
    world.put(identities=(*IDENTITY, ("other", SUBJECT)), issue=False, credentials=[])
    return world


def assertion(issuer: ForeignIssuer = KC, **changes: Any) -> str:
    """An assertion as that issuer signs it now."""
    times = {"iat": int(START), "exp": int(START) + 600, "jti": f"jti-{next(_NUMBERS)}"}
    return issuer.token(SUBJECT, **{"aud": ISSUER} | times | changes)


def form(presented: str, **more: str) -> dict[str, str]:
    return {**FORM, "client_assertion_type": JWT_BEARER, "client_assertion": presented, **more}


async def answer(call: Caller, presented: str, **more: str) -> tuple[int, Any]:
    status, _, body = await call.token(form(presented, **more), auth=None)
    return status, body


async def reason(world: World, call: Caller, presented: str, **more: str) -> str:
    """Why an assertion is refused, as the metrics have it; the caller learns that it is refused."""
    before = world.tally.tokens.copy()
    status, body = await answer(call, presented, **more)
    assert (status, body["error"]) == (400, "invalid_client")
    ((outcome, why),) = (world.tally.tokens - before).keys()
    assert outcome == "refused"
    return why


async def test_an_assertion_gets_a_token_of_ours(world: World, call: Caller) -> None:
    status, body = await answer(call, assertion())
    assert (status, body["token_type"]) == (200, "Bearer")
    found, headers = await call.check(body["access_token"])
    assert (found, headers["X-Client-Id"]) == (200, CLIENT_ID)


@pytest.mark.parametrize("kid", KC.keys)
async def test_each_algorithm_and_an_audience_in_a_list(call: Caller, kid: str) -> None:
    assert (await answer(call, assertion(kid=kid, aud=[ISSUER])))[0] == 200


async def test_an_issuer_is_for_what_its_uses_say(world: World, call: Caller) -> None:
    bearer = KC.token(SUBJECT, iat=int(START), exp=int(START) + 600)
    assert world.gate.check(bearer.encode()) is Fault.WRONG_USE
    assert await reason(world, call, assertion(OTHER)) == Fault.WRONG_USE
    world.tell("issuer", issuer_object(uses=["Bearer", "ClientAssertion"]))
    assert not isinstance(world.gate.check(bearer.encode()), Fault)
    assert (await answer(call, assertion()))[0] == 200
    assert world.gate.check(assertion().encode()) is Fault.BAD_CLAIMS, "an assertion is no token for calls"
    assert await reason(world, call, bearer) == Fault.BAD_CLAIMS, "and a token for calls is no assertion"
    world.tell("issuer", issuer_object(uses=["Bearer"]))
    assert await reason(world, call, assertion()) == Fault.WRONG_USE


async def test_our_issuer_among_the_audiences_of_an_issuer_makes_assertions_no_tokens(world: World) -> None:
    world.tell("issuer", issuer_object(uses=["Bearer", "ClientAssertion"], audiences=[AUDIENCE, ISSUER]))
    assert world.gate.check(assertion().encode()) is Fault.BAD_CLAIMS


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"aud": [ISSUER, AUDIENCE]}, Fault.BAD_CLAIMS),
        ({"aud": [ISSUER, ISSUER]}, Fault.BAD_CLAIMS),
        ({"aud": [AUDIENCE]}, Fault.BAD_CLAIMS),
        ({"aud": f"{ISSUER}/token"}, Fault.BAD_CLAIMS),
        ({"aud": f"{ISSUER}/"}, Fault.BAD_CLAIMS),
        ({"aud": f"{ISSUER}/apis/team-b/orders"}, Fault.BAD_CLAIMS),
        ({"aud": []}, Fault.BAD_CLAIMS),
        ({"aud": None}, Fault.BAD_CLAIMS),
        ({"iat": None}, Fault.BAD_CLAIMS),
        ({"exp": None}, Fault.BAD_CLAIMS),
        ({"sub": None}, Fault.BAD_CLAIMS),
        ({"iat": int(START) + 60}, Denial.TOKEN_NOT_YET_VALID),
        ({"nbf": int(START) + 60}, Denial.TOKEN_NOT_YET_VALID),
        ({"iat": int(START) - 60, "exp": int(START)}, Denial.TOKEN_EXPIRED),
        ({"iat": int(START) - 3600}, Denial.TOKEN_EXPIRED),
        ({"sub": "team-a-other"}, Denial.UNKNOWN_IDENTITY),
        ({"iss": "https://elsewhere.example.com"}, Fault.UNKNOWN_HEADER),
        ({"header": {"typ": "dpop+jwt"}}, Fault.BAD_HEADER),
        ({"header": {"jku": "https://evil.example.com/keys"}}, Fault.BAD_HEADER),
        ({"header": {"kid": "nobodys"}}, Fault.UNKNOWN_KEY),
    ],
)
async def test_what_does_not_fit(world: World, call: Caller, changes: dict[str, Any], why: str) -> None:
    assert await reason(world, call, assertion(**changes)) == why


async def test_the_key_of_another_issuer_with_the_same_id_is_not_used(world: World, call: Caller) -> None:
    claims = {"iss": KC.name, "sub": SUBJECT, "aud": ISSUER, "iat": int(START), "exp": int(START) + 600}
    forged = sign(OTHER.keys["es"], {"alg": "ES256", "kid": "es", "typ": "JWT"}, claims)
    assert await reason(world, call, forged) == Fault.BAD_SIGNATURE


@pytest.mark.parametrize("algorithm", ["HS256", "none", "RS256"])
async def test_an_assertion_does_not_say_how_it_is_checked(world: World, call: Caller, algorithm: str) -> None:
    head = _part({"alg": algorithm, "kid": "es", "typ": "JWT"})
    signed = head + "." + assertion().split(".")[1]
    mac = hmac.new(KC.keys["es"].as_pem(private=False), signed.encode(), "sha256").digest()
    assert await reason(world, call, f"{signed}.{_text(mac)}") == Fault.BAD_HEADER


async def test_a_token_of_ours_is_no_assertion(world: World, call: Caller) -> None:
    assert await reason(world, call, world.token()) == Fault.UNKNOWN_HEADER


@pytest.mark.rule(16)
@pytest.mark.parametrize(
    ("changes", "why", "hint"),
    [
        ({"desired": "Suspended"}, Denial.SUSPENDED, "suspended"),
        ({"desired": "Retired", "observed": "Retired"}, Denial.RETIRED, "retired"),
        ({"deleting": True}, Denial.UNKNOWN_IDENTITY, ""),
        ({"observed": "Pending"}, Denial.PENDING, "not ready"),
        ({"not_before": START + 1}, Denial.TOKEN_TOO_OLD, "notBefore"),
        ({"spec_not_before": START - 1}, None, ""),
        ({"lifetime": "5m"}, None, ""),
        ({"since": None}, Denial.UNKNOWN_IDENTITY, ""),
    ],
)
async def test_the_client_decides_as_with_a_secret(
    world: World, call: Caller, changes: dict[str, Any], why: str | None, hint: str
) -> None:
    world.put(identities=IDENTITY, issue=False, credentials=[], **changes)
    if why is None:
        assert (await answer(call, assertion()))[0] == 200
        return
    assert await reason(world, call, assertion()) == why
    assert hint in (await answer(call, assertion()))[1]["error_description"]


async def test_a_client_with_a_secret_may_use_either(world: World, call: Caller) -> None:
    world.put(identities=IDENTITY)
    assert (await answer(call, assertion()))[0] == 200
    assert (await call.token())[0] == 200


async def test_an_assertion_is_good_for_one_request(world: World, call: Caller) -> None:
    presented = assertion()
    assert (await answer(call, presented))[0] == 200
    assert await reason(world, call, presented) == Denial.ASSERTION_USED
    again = assertion(jti="the-same")
    assert (await answer(call, again))[0] == 200
    assert await reason(world, call, assertion(jti="the-same", exp=int(START) + 601)) == Denial.ASSERTION_USED


async def test_without_a_jti_it_is_known_by_what_was_signed(world: World, call: Caller) -> None:
    """A second signature for the same, which anybody can make of an ECDSA signature, makes no other assertion."""
    presented = assertion(jti=None, kid="es")
    assert (await answer(call, presented))[0] == 200
    assert await reason(world, call, presented) == Denial.ASSERTION_USED
    head, payload, signature = presented.split(".")
    twin = f"{head}.{payload}.{_text(_other_signature(signature))}"
    assert await reason(world, call, twin) == Denial.ASSERTION_USED


async def test_an_assertion_that_was_refused_is_not_used_up(world: World, call: Caller) -> None:
    presented = assertion()
    world.put(identities=IDENTITY, issue=False, credentials=[], desired="Suspended")
    assert await reason(world, call, presented) == Denial.SUSPENDED
    world.put(identities=IDENTITY, issue=False, credentials=[])
    assert (await answer(call, presented))[0] == 200


async def test_the_client_id_may_be_said_and_has_to_be_right(world: World, call: Caller) -> None:
    assert (await answer(call, assertion(), client_id=CLIENT_ID))[0] == 200
    assert await reason(world, call, assertion(), client_id="team-a.other.0a1b2c3d") == Denial.OTHER_CLIENT


@pytest.mark.parametrize(
    ("changes", "auth"),
    [
        ({"client_secret": SECRET, "client_id": CLIENT_ID}, None),
        ({}, (CLIENT_ID, SECRET)),
        ({"client_assertion": ""}, None),
        ({"client_assertion_type": ""}, None),
    ],
)
async def test_one_way_to_authenticate_in_a_request(
    world: World, call: Caller, changes: dict[str, str], auth: tuple[str, str] | None
) -> None:
    world.put(identities=IDENTITY)
    status, _, body = await call.token(form(assertion()) | changes, auth=auth)
    assert (status, body["error"]) == (400, "invalid_request")


async def test_another_kind_of_assertion_is_not_known(world: World, call: Caller) -> None:
    saml = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}
    status, body = await answer(call, assertion(), **saml)
    assert (status, body["error"]) == (400, "invalid_client")
    assert JWT_BEARER in body["error_description"]


@pytest.mark.parametrize("garbage", ["x", "a.b.c", "..", "é.é.é", "x" * 40_000])
async def test_garbage_is_refused(world: World, call: Caller, garbage: str) -> None:
    assert await reason(world, call, garbage) in (Fault.MALFORMED, Fault.UNKNOWN_HEADER)


@pytest.mark.rule(31)
async def test_keys_that_were_found_too_long_ago_answer_503(world: World, call: Caller) -> None:
    world.tell("issuer", issuer_object(fetched=START - 7200, staleKeysFor="1h", uses=["ClientAssertion"]))
    assert (await call("POST", "/token", data=form(assertion())))[0] == 503


@pytest.mark.rule(20)
async def test_an_assertion_authenticates_for_introspection_too(world: World, call: Caller) -> None:
    token = (await answer(call, assertion()))[1]["access_token"]
    status, _, body = await call("POST", "/introspect", data=form(assertion(), token=token))
    assert (status, json.loads(body)["client_id"]) == (200, CLIENT_ID)


async def test_a_client_that_asserts_is_in_use_and_is_verified(world: World, call: Caller) -> None:
    assert (await answer(call, assertion()))[0] == 200
    assert world.tally.last_uses() == {UID: START}
    assert world.tally.take_relied_on() == {UID}


POD = {"pod": {"name": "billing-0", "uid": "p"}, "serviceaccount": {"name": "billing", "uid": "s"}}
ACCOUNT = "system:serviceaccount:team-a:billing"


class TestServiceAccounts:
    """Tokens of service accounts: reviewed by the API server, and shown again and again while their pod lives."""

    @pytest.fixture
    def world(self) -> World:
        world = World()
        world.tell("issuer", _cluster())
        world.put(identities=(("cluster", ACCOUNT),), issue=False, credentials=[])
        return world

    async def test_it_is_reviewed_at_each_exchange_and_never_at_calls(self, world: World, call: Caller) -> None:
        presented = _of_pod()
        status, body = await answer(call, presented)
        assert (status, world.reviews.asked) == (200, [(presented, ACCOUNT, UID)])
        assert (await call.check(body["access_token"]))[0] == 200
        assert (await answer(call, presented))[0] == 200, "the kubelet's file is read again and again"
        assert len(world.reviews.asked) == 2

    async def test_the_pod_has_gone(self, world: World, call: Caller) -> None:
        world.reviews.live = False
        assert await reason(world, call, _of_pod()) == Denial.REVIEW_DENIED
        _, body = await answer(call, _of_pod())
        assert "does not accept the token any more" in body["error_description"]

    async def test_the_api_server_does_not_answer(self, world: World, call: Caller) -> None:
        world.reviews.error = NotReadyError(Problem.NO_TOKEN_REVIEW)
        status, headers, _ = await call("POST", "/token", data=form(_of_pod()))
        assert (status, headers["Retry-After"]) == (503, "2")
        assert world.tally.tokens["unavailable", Problem.NO_TOKEN_REVIEW] == 1

    @pytest.mark.rule(16)
    async def test_what_changes_during_the_review_counts(self, world: World, call: Caller) -> None:
        def suspend() -> None:
            world.put(identities=(("cluster", ACCOUNT),), issue=False, credentials=[], desired="Suspended")

        world.reviews.meanwhile = suspend
        assert await reason(world, call, _of_pod()) == Denial.SUSPENDED
        world.put(identities=(("cluster", ACCOUNT),), issue=False, credentials=[])
        world.reviews.meanwhile = lambda: world.clock.advance(600)
        assert await reason(world, call, _of_pod()) == Denial.TOKEN_EXPIRED

    @pytest.mark.rule(17)
    async def test_a_gate_that_grows_stale_during_the_review_decides_nothing(self, world: World, call: Caller) -> None:
        world.reviews.meanwhile = lambda: setattr(world.evidence, "why", Problem.STALE)
        assert (await call("POST", "/token", data=form(_of_pod())))[0] == 503

    async def test_who_is_refused_anyway_is_not_reviewed(self, world: World, call: Caller) -> None:
        world.put(identities=(("cluster", ACCOUNT),), issue=False, credentials=[], desired="Suspended")
        assert await reason(world, call, _of_pod()) == Denial.SUSPENDED
        assert await reason(world, call, _of_pod()[:-8] + "AAAAAAAA") == Fault.BAD_SIGNATURE
        assert world.reviews.asked == []

    @pytest.mark.parametrize("about", [{"serviceaccount": {"name": "billing"}}, None, "pod", ["pod"]])
    async def test_one_that_ends_with_nothing_is_good_once(self, world: World, call: Caller, about: Any) -> None:
        presented = _of_pod(about)
        assert (await answer(call, presented))[0] == 200
        assert await reason(world, call, presented) == Denial.ASSERTION_USED

    async def test_another_issuers_token_that_names_a_pod_is_good_once(self, world: World, call: Caller) -> None:
        world.tell("issuer", issuer_object(OTHER, "other", uses=["ClientAssertion"]))
        world.put(identities=(("other", SUBJECT),), issue=False, credentials=[])
        presented = assertion(OTHER, **{"kubernetes.io": POD})
        assert (await answer(call, presented))[0] == 200
        assert await reason(world, call, presented) == Denial.ASSERTION_USED
        assert world.reviews.asked == []


def _cluster() -> dict[str, Any]:
    """A TokenIssuer for this cluster, whose keys are KC's."""
    made = issuer_object(name="cluster", uses=["ClientAssertion"], subjects=[], keys={"cluster": {}})
    made["status"]["keysFrom"] = "cluster"
    return made


def _of_pod(about: Any = POD) -> str:
    return assertion(sub=ACCOUNT, **{"kubernetes.io": about})


A = ("team-a", "billing")


class TestUsedAssertions:
    """What is remembered is bounded, and forgets nothing that could be shown again."""

    def test_it_ends_with_the_assertion_and_a_clock_that_is_set_back_a_little_brings_nothing_back(self) -> None:
        used = UsedAssertions()
        assert used.use(b"a", A, 600, 0) is None
        assert used.use(b"a", A, 600, 630) is Denial.ASSERTION_USED
        assert used.use(b"a", A, 1200, 660) is None
        assert len(used) == 1

    def test_a_namespace_that_uses_too_many_is_refused_alone(self) -> None:
        used = UsedAssertions(most=5, most_of_namespace=2)
        found = [used.use(bytes([number]), A, 600, 0) for number in range(4)]
        assert found == [None, None, Denial.TOO_MANY_ASSERTIONS, Denial.TOO_MANY_ASSERTIONS]
        assert used.use(b"b", ("team-b", "c"), 600, 0) is None
        assert used.use(bytes([0]), A, 600, 0) is Denial.ASSERTION_USED, "nothing makes room by being forgotten"
        assert used.use(b"c", A, 1300, 660) is None, "there is room once they have expired"

    def test_a_client_does_not_take_the_room_of_its_namespace(self) -> None:
        used = UsedAssertions(most=5, most_of_namespace=4, most_of_client=2)
        found = [used.use(bytes([number]), A, 600, 0) for number in range(3)]
        assert found == [None, None, Denial.TOO_MANY_ASSERTIONS]
        assert used.use(b"b", ("team-a", "other"), 600, 0) is None
        assert used.use(b"c", A, 1300, 660) is None, "there is room once they have expired"

    def test_all_together_are_bounded(self) -> None:
        used = UsedAssertions(most=2, most_of_namespace=2)
        found = [used.use(bytes([number]), (f"team-{number}", "c"), 600, 0) for number in range(4)]
        assert found == [None, None, Denial.TOO_MANY_ASSERTIONS, Denial.TOO_MANY_ASSERTIONS]
        assert len(used) == 2


_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _other_signature(signature: str) -> bytes:
    raw = base64.urlsafe_b64decode(signature + "==")
    return raw[:32] + (_P256 - int.from_bytes(raw[32:])).to_bytes(32)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _part(value: object) -> str:
    return _text(json.dumps(value).encode())
