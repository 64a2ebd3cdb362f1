"""TokenRevocations: which token one names, who may make one, and when it may go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiclients.lifecycle.access import MAX_TOKEN_SECONDS, ClientView, TokenClaims, token_denial
from apiclients.lifecycle.revocations import (
    MAX_OF_ALL,
    MAX_OF_CLIENT,
    MAX_OF_NAMESPACE,
    REMOVAL_DELAY,
    Revocable,
    RevocationCounts,
    RevocationView,
    fingerprint,
    latest_end,
    removable,
    revocable,
    revocation_view,
    unreadable_revocation,
)
from apiclients.resources.fields import MAX_TOKEN_LIFETIME, format_time
from apiclients.resources.objects import TokenRevocation
from tests.lifecycle.world import available

MADE = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
NONE = RevocationCounts(0, 0, 0)
SECOND = timedelta(seconds=1)


def raw(expires: datetime, **meta: Any) -> dict[str, Any]:
    """As an API server has it."""
    spec = {"clientUid": "u", "clientNamespace": "team-a", "expiresTime": format_time(expires)}
    made = {"creationTimestamp": format_time(MADE)}
    return {"metadata": {"namespace": "sys", "name": "f", "uid": "r", **made, **meta}, "spec": spec}


def view(expires: datetime, **meta: Any) -> RevocationView:
    return revocation_view(TokenRevocation.from_object(raw(expires, **meta)))


@pytest.fixture
def caller() -> ClientView:
    return available().view()


def claims(caller: ClientView, **changes: Any) -> TokenClaims:
    return replace(TokenClaims(caller.uid, 1000, 2000, "f"), **changes)


def test_all_spellings_of_a_signature_are_one_token() -> None:
    assert fingerprint(b"head.claims.one") == fingerprint(b"head.claims.other") != fingerprint(b"head.claim.one")
    assert len(fingerprint(b"")) == 64


def test_a_client_revokes_its_own_token_until_its_end(caller: ClientView) -> None:
    assert revocable(caller, claims(caller), 2000, 1999, NONE) is Revocable.REVOKE
    assert revocable(caller, claims(caller), 2000, 2000, NONE) is Revocable.NOTHING_TO_DO
    assert revocable(caller, claims(caller, uid="another"), 2000, 1999, NONE) is Revocable.NOTHING_TO_DO


@pytest.mark.parametrize(
    ("others", "outcome"),
    [
        (RevocationCounts(MAX_OF_CLIENT - 1, MAX_OF_NAMESPACE - 1, MAX_OF_ALL - 1), Revocable.REVOKE),
        (RevocationCounts(MAX_OF_CLIENT, MAX_OF_CLIENT, MAX_OF_CLIENT), Revocable.TOO_MANY),
        (RevocationCounts(0, MAX_OF_NAMESPACE, MAX_OF_NAMESPACE), Revocable.TOO_MANY),
        (RevocationCounts(0, 0, MAX_OF_ALL), Revocable.TOO_MANY),
    ],
)
def test_each_bound_refuses_another_one(caller: ClientView, others: RevocationCounts, outcome: Revocable) -> None:
    assert revocable(caller, claims(caller), 2000, 1999, others) is outcome


def test_nobody_is_told_by_a_bound_that_a_token_is_good(caller: ClientView) -> None:
    full = RevocationCounts(MAX_OF_CLIENT, MAX_OF_NAMESPACE, MAX_OF_ALL)
    assert revocable(caller, claims(caller, uid="another"), 2000, 1999, full) is Revocable.NOTHING_TO_DO


@pytest.mark.rule(1)
def test_a_revoked_token_is_refused(caller: ClientView) -> None:
    assert caller.not_before is not None
    now = caller.not_before + 60
    good = claims(caller, issued_at=now, expires=now + 60)
    assert token_denial(caller, good, now, revoked={"another"}) is None
    assert token_denial(caller, good, now, revoked={"f"}) == "token_revoked"


def test_the_end_of_a_foreign_token_hangs_on_what_can_be_raised(caller: ClientView) -> None:
    assert latest_end(claims(caller), foreign=False) == 2000
    assert latest_end(claims(caller), foreign=True) == 1000 + MAX_TOKEN_SECONDS


def test_it_may_go_a_while_after_the_end_of_the_token() -> None:
    one = view(MADE + timedelta(hours=1))
    over = MADE + timedelta(hours=1) + REMOVAL_DELAY
    assert removable([one], over - SECOND) == ()
    assert removable([one], over) == (one,)


@pytest.mark.rule(32)
def test_what_cannot_be_read_may_go_when_no_token_of_its_time_is_left() -> None:
    one = unreadable_revocation(raw(MADE) | {"spec": {"expiresTime": "never"}})
    assert (one.client_uid, one.client_namespace) == ("", "")
    assert removable([one], MADE + MAX_TOKEN_LIFETIME) == ()
    assert removable([one], MADE + MAX_TOKEN_LIFETIME + REMOVAL_DELAY) == (one,)


def test_without_a_creation_time_it_is_kept_or_goes_by_its_end() -> None:
    kept = unreadable_revocation({"metadata": {"name": "f", "uid": "r"}})
    assert removable([kept], MADE + 1000 * MAX_TOKEN_LIFETIME) == ()
    assert removable([view(MADE, creationTimestamp=None)], MADE + REMOVAL_DELAY)


@given(st.integers(-10, 10**6), st.integers(0, MAX_TOKEN_SECONDS), st.integers(-30, 30))
def test_no_token_outlives_its_revocation(issued_before: int, lifetime: int, clocks_differ: int) -> None:
    """Whatever clocks say that differ as much as they may."""
    issued_at = int(MADE.timestamp()) - issued_before
    one = view(datetime.fromtimestamp(issued_at + lifetime, UTC))
    last_moment = datetime.fromtimestamp(issued_at + lifetime - 1 + clocks_differ, UTC)
    assert removable([one], last_moment) == ()
