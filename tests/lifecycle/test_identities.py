"""Identities of a client: which are in force, whose a subject is, and clients without a secret."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from apiclients.lifecycle.access import TokenClaims, client_view, secret_denial, standing, token_denial
from apiclients.lifecycle.effective import Effective
from apiclients.lifecycle.foreign import CLOCK_LEEWAY, ForeignClaims, claims_for, foreign_denial, has_keys
from apiclients.lifecycle.identities import (
    IdentityView,
    ObservedIdentities,
    decide_identities,
    identity_views,
    is_granted,
    owner,
    rank,
)
from apiclients.lifecycle.issuers import IssuerView
from apiclients.resources.fields import format_time
from apiclients.resources.objects import ApiClient
from apiclients.resources.tokenissuer import JwsAlgorithm, ScopesFrom, TokenUse
from tests.lifecycle.world import DAY, HOUR, START, World

pytestmark = pytest.mark.rule(30)

KC = IssuerView(
    name="kc",
    claimed="https://kc.example.com",
    created=0.0,
    deleting=False,
    settled=True,
    keys=(),
    keys_end=int(START.timestamp()) + 3600,
    audiences=frozenset({"https://api.example.com"}),
    algorithms=frozenset({JwsAlgorithm.ES256}),
    types=frozenset({"jwt"}),
    subject_claim="sub",
    scopes_from=ScopesFrom.TOKEN,
    uses=frozenset({TokenUse.BEARER}),
    max_token_seconds=3600,
    cluster=False,
    grants=(("team-a", "team-a-"),),
)
CLUSTER = replace(KC, name="cluster", claimed="https://k8s.example.com", cluster=True, grants=())
CLAIM = {"issuer": "kc", "subject": "team-a-billing"}
ACCOUNT = {"issuer": "cluster", "serviceAccountName": "billing"}


def client(*identities: dict[str, Any], name: str = "billing", in_force: bool = False, **more: Any) -> ApiClient:
    status: dict[str, Any] = {"observedGeneration": 1, "desiredStatus": more.pop("accepted", "Available")}
    if in_force:
        since = format_time(START)
        status["identities"] = [{"issuer": v.issuer, "subject": v.subject, "since": since} for v in views(*identities)]
    meta = {"namespace": "team-a", "name": name, "uid": f"uid-{name}", "creationTimestamp": format_time(START)} | more
    spec = {"desiredStatus": "Available", "identities": list(identities)}
    return ApiClient.from_object({"metadata": meta, "spec": spec, "status": status})


def views(*identities: dict[str, Any], **more: Any) -> tuple[IdentityView, ...]:
    return identity_views(client(*identities, **more))


def decided(
    one: ApiClient, *rivals: IdentityView, issuers: tuple[IssuerView, ...] = (KC, CLUSTER), trusted: bool = True
) -> Any:
    observed = ObservedIdentities({issuer.name: issuer for issuer in issuers}, rivals)
    return decide_identities(one, observed, START, clock_trusted=trusted)


def test_a_claim_that_is_granted_is_in_force_and_stays_what_it_was() -> None:
    found = decided(client(CLAIM, ACCOUNT))
    assert [(one.issuer, one.subject) for one in found.in_force] == [
        ("kc", "team-a-billing"),
        ("cluster", "system:serviceaccount:team-a:billing"),
    ]
    assert (found.stalled, found.waiting) == (None, None)
    again = decided(client(CLAIM, in_force=True))
    assert again.in_force[0].since == START


@pytest.mark.parametrize(
    ("identity", "granted"),
    [
        (CLAIM, True),
        ({"issuer": "kc", "subject": "team-a-"}, True),
        ({"issuer": "kc", "subject": "team-b-billing"}, False),
        ({"issuer": "kc", "subject": "Team-A-billing"}, False),
        ({"issuer": "kc", "serviceAccountName": "billing"}, False),
        (ACCOUNT, True),
        ({"issuer": "cluster", "subject": "system:serviceaccount:team-a:billing"}, True),
        ({"issuer": "cluster", "subject": "system:serviceaccount:team-b:billing"}, False),
        ({"issuer": "cluster", "subject": "system:serviceaccount:team-a:"}, False),
        ({"issuer": "cluster", "subject": "system:serviceaccount:team-a:x:y"}, False),
        ({"issuer": "cluster", "subject": "system:serviceaccount:team-ab:billing"}, False),
        ({"issuer": "cluster", "subject": "system:node:a"}, False),
    ],
)
def test_grants(identity: dict[str, Any], granted: bool) -> None:
    issuer = {"kc": KC, "cluster": CLUSTER}[identity["issuer"]]
    (view,) = views(identity)
    assert is_granted(issuer, view) is granted
    found = decided(client(identity))
    assert (len(found.in_force), found.stalled is None) == ((1, True) if granted else (0, False))
    if found.stalled is not None:
        assert found.stalled.reason == "IdentityNotGranted"


def test_grants_of_one_namespace_say_nothing_of_another() -> None:
    (view,) = views(CLAIM)
    assert not is_granted(KC, replace(view, namespace="team-b"))
    assert is_granted(replace(KC, grants=(("team-b", ""),)), replace(view, namespace="team-b"))
    assert not is_granted(
        replace(CLUSTER, grants=(("team-a", ""),)), replace(view, subject="system:serviceaccount:b:c")
    )


def test_an_issuer_that_is_not_there_yet_is_waited_for() -> None:
    found = decided(client(CLAIM), issuers=())
    assert (found.stalled, found.in_force) == (None, ())
    assert found.waiting is not None
    assert found.waiting.reason == "IssuerNotFound"


def test_of_several_claims_the_oldest_counts_and_one_in_force_before_all() -> None:
    (older,) = views(CLAIM, name="older", creationTimestamp=format_time(START - HOUR))
    found = decided(client(CLAIM), older)
    assert (found.in_force, found.stalled is not None) == ((), True)
    assert found.stalled.reason == "IdentityTaken"
    assert "ApiClient older" in found.stalled.message
    assert decided(client(CLAIM, in_force=True), older).stalled is None, "no older client takes what is in force"
    elsewhere = decided(
        client(CLAIM),
        replace(older, namespace="team-b"),
        issuers=(replace(KC, grants=(("team-a", ""), ("team-b", ""))),),
    )
    assert "older" not in elsewhere.stalled.message, "who it is in another namespace is nobody's business"
    ungranted = replace(older, namespace="team-c")
    assert decided(client(CLAIM), ungranted).stalled is None, "a rival without a grant claims nothing"


def test_nothing_comes_into_force_by_a_clock_that_cannot_be_trusted() -> None:
    assert decided(client(CLAIM), trusted=False).in_force == ()
    assert len(decided(client(CLAIM, in_force=True), trusted=False).in_force) == 1


@pytest.mark.rule(32)
def test_a_client_that_cannot_be_read_may_have_claimed_it_before() -> None:
    observed = ObservedIdentities({"kc": KC, "cluster": CLUSTER}, (), frozenset({"team-a"}))
    for identity in (CLAIM, ACCOUNT):
        found = decide_identities(client(identity), observed, START, clock_trusted=True)
        assert (found.in_force, found.stalled) == ((), None)
        assert found.waiting is not None
        assert found.waiting.reason == "Unreadable"
    kept = decide_identities(client(CLAIM, in_force=True), observed, START, clock_trusted=True)
    assert len(kept.in_force) == 1
    elsewhere = replace(observed, unreadable=frozenset({"team-b"}))
    assert len(decide_identities(client(CLAIM, ACCOUNT), elsewhere, START, clock_trusted=True).in_force) == 2


@pytest.mark.rule(8)
def test_who_claims_nothing_any_more() -> None:
    assert views(CLAIM, deletionTimestamp=format_time(START)) == ()
    assert views(CLAIM, accepted="Retired") == ()
    assert len(views(CLAIM, accepted="Retired", in_force=True)) == 1, "within the grace period all comes back"
    assert len(views(CLAIM, CLAIM)) == 1


def test_the_gate_and_the_operator_choose_alike() -> None:
    (first,) = views(CLAIM, in_force=True)
    later = replace(first, client="later", since=(first.since or 0) + 1, created=first.created - 60)
    unspoken = replace(first, client="unspoken", since=None, created=0.0)
    for order in ((first, later, unspoken), (unspoken, later, first)):
        assert owner(order, KC) == ("team-a", "billing")
    assert owner((later, unspoken), KC) == ("team-a", "later")
    assert owner((unspoken,), KC) is None
    assert owner((first,), replace(KC, grants=())) is None
    assert rank(first) < rank(later) < rank(unspoken)


@pytest.mark.rule(29)
def test_tokens_from_the_future_and_how_long_one_lives() -> None:
    now = START.timestamp()
    claims = ForeignClaims("s", int(now), int(now) + 7200)
    assert foreign_denial(claims, now) is None
    assert foreign_denial(replace(claims, issued_at=int(now) + CLOCK_LEEWAY), now) is None
    assert foreign_denial(replace(claims, issued_at=int(now) + CLOCK_LEEWAY + 1), now) == "token_not_yet_valid"
    assert foreign_denial(replace(claims, not_before=int(now) + CLOCK_LEEWAY + 1), now) == "token_not_yet_valid"
    view = client_view(client(CLAIM))
    assert claims_for(view, claims, KC) == TokenClaims(view.uid, int(now), int(now) + 3600)
    assert claims_for(view, replace(claims, expires=int(now) + 60), KC).expires == int(now) + 60
    assert has_keys(KC, now + 3599)
    assert not has_keys(KC, now + 3600)


# Clients without a secret


def secretless(**spec: Any) -> World:
    return known(secret={"issue": False}, **spec)


def known(**spec: Any) -> World:
    return World(
        spec={"desiredStatus": "Available", "identities": [CLAIM], **spec},
        identities=ObservedIdentities({"kc": KC}),
    )


@pytest.mark.rule(24)
def test_a_client_without_a_secret_is_available_and_makes_no_step() -> None:
    world = secretless()
    world.settle()
    assert (world.steps, world.secrets, world.status["observedStatus"]) == ([], {}, "Available")
    assert {c["type"]: c["status"] for c in world.status["conditions"]}.keys() >= {"Ready", "Active"}
    assert not {"SecretReady", "ExpiringSoon"} & {c["type"] for c in world.status["conditions"]}
    before = world.status
    world.settle()
    assert world.status == before
    assert world.status["tokens"]["notBefore"] == format_time(START), "set by the first status of its UID"


@pytest.mark.rule(3)
def test_a_secret_that_is_given_up_goes_once_the_client_is_not_suspended() -> None:
    world = known()
    world.settle()
    assert world.secrets
    world.edit(desiredStatus="Suspended", secret__issue=False)
    world.settle()
    assert world.secrets
    assert world.status["credentials"]
    world.edit(secret__issue=True, desiredStatus="Available")
    world.settle()
    assert len(world.issued) == 1, "the same secret works again"
    world.edit(secret__issue=False)
    world.settle()
    assert (world.secrets, world.status["credentials"], world.status.get("secret")) == ({}, [], None)
    assert world.status["observedStatus"] == "Available"
    world.edit(secret__issue=True)
    world.settle()
    assert len(world.issued) == 2
    assert world.status["credentials"][0]["id"] == 2, "ids never go back"


@pytest.mark.rule(4)
def test_without_a_secret_nothing_expires() -> None:
    world = secretless()
    world.settle()
    world.now += 1000 * DAY
    world.settle()
    assert world.status["observedStatus"] == "Available"
    view = client_view(world.client())
    assert standing(view, world.now.timestamp()) is Effective.AVAILABLE


@pytest.mark.rule(1, 2)
def test_the_gate_refuses_a_secret_that_spec_has_given_up() -> None:
    world = known()
    world.settle()
    digests = {c["pepper"]: c["digest"] for c in world.status["credentials"]}
    now = world.now.timestamp()
    assert secret_denial(client_view(world.client()), digests, now) is None
    world.edit(secret__issue=False)
    view = client_view(world.client())
    assert secret_denial(view, digests, now) == "wrong_secret"
    claims = TokenClaims(view.uid, int(now), int(now) + 60)
    assert token_denial(view, claims, now) is None


def test_no_secret_and_no_identity_is_a_slip_that_costs_nothing() -> None:
    world = World(spec={"desiredStatus": "Available"})
    world.settle()
    world.edit(secret__issue=False)
    world.settle()
    assert world.secrets
    stalled = next(c for c in world.status["conditions"] if c["type"] == "Stalled")
    assert stalled["reason"] == "InvalidSpec"


@pytest.mark.rule(6)
def test_a_secret_of_somebody_else_under_its_name_is_no_matter() -> None:
    world = secretless().put_foreign()
    world.settle()
    assert (world.status["observedStatus"], list(world.secrets)) == ("Available", ["billing-credentials"])
    assert {c["type"]: c["status"] for c in world.status["conditions"]}["Ready"] == "True"
