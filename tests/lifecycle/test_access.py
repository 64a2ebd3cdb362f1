"""Whether a token is accepted or issued: it is denied on spec at once, and allowed by spec and status together."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from apiclients.lifecycle.access import (
    ClientContext,
    ClientView,
    CredentialView,
    TokenClaims,
    effective_not_before,
    issue_time,
    presented_credential,
    secret_denial,
    standing,
    token_denial,
    token_end,
)
from apiclients.lifecycle.acknowledgement import ClientDesiredStatus
from apiclients.lifecycle.effective import Effective, StatusInputs, effective_status, observed_status
from apiclients.lifecycle.holds import HoldView
from apiclients.lifecycle.timing import demanded_not_before
from apiclients.resources.apiclient import DesiredStatus, ObservedStatus
from tests.lifecycle.world import HOUR, World, available

NOW = 1_800_000_000
AVAILABLE, SUSPENDED, RETIRED = DesiredStatus.AVAILABLE, DesiredStatus.SUSPENDED, DesiredStatus.RETIRED
CLIENT = ClientView(
    namespace="team-a",
    name="billing",
    uid="u-1",
    client_id="team-a.billing.u-1",
    desired_status=ClientDesiredStatus(AVAILABLE, frozenset(), AVAILABLE, 0),
    labels={},
    observed=ObservedStatus.AVAILABLE,
    deleting=False,
    token_seconds=12 * 3600,
    spec_not_before=None,
    revoked_before=None,
    not_before=NOW - 1000,
    current_expires=NOW + 1000,
    credentials=(
        CredentialView(2, "p1", "current", NOW - 100, NOW + 1000),
        CredentialView(1, "p1", "previous", NOW - 900, NOW + 100),
    ),
)
HELD = ClientContext(holds=(HoldView("team-a", "leak", "billing", None, None),))
TOKEN = TokenClaims(uid="u-1", issued_at=NOW - 500, expires=NOW - 500 + 12 * 3600)


def wanting(desired: DesiredStatus) -> ClientDesiredStatus:
    return replace(CLIENT.desired_status, requested=desired)


@pytest.mark.rule(1)
def test_a_good_token_of_an_available_client_is_accepted() -> None:
    assert token_denial(CLIENT, TOKEN, NOW) is None


@pytest.mark.rule(1)
@pytest.mark.rule(11)
def test_a_token_of_nobody_or_of_an_earlier_client_of_the_name_is_refused() -> None:
    assert token_denial(None, TOKEN, NOW) == "unknown_client"
    assert token_denial(replace(CLIENT, uid="u-2"), TOKEN, NOW) == "other_uid"


# desired, observed, then why a token is refused and why a secret is ("-": it is not).
ALLOWED_BY_BOTH = [
    ("Available", "Available", "-", "-"),
    ("Available", "Expired", "-", "secret_expired"),
    ("Available", "Pending", "pending", "pending"),
    ("Available", "Suspended", "suspended", "suspended"),
    ("Available", "Retired", "retired", "retired"),
    ("Suspended", "Available", "suspended", "suspended"),
    ("Suspended", "Expired", "suspended", "suspended"),
    ("Suspended", "Pending", "suspended", "suspended"),
    ("Suspended", "Suspended", "suspended", "suspended"),
    ("Suspended", "Retired", "suspended", "suspended"),
    ("Retired", "Available", "retired", "retired"),
    ("Retired", "Expired", "retired", "retired"),
    ("Retired", "Pending", "retired", "retired"),
    ("Retired", "Suspended", "retired", "retired"),
    ("Retired", "Retired", "retired", "retired"),
]


@pytest.mark.rule(2)
@pytest.mark.rule(16)
@pytest.mark.parametrize(("desired", "observed", "token", "secret"), ALLOWED_BY_BOTH)
def test_denied_on_spec_and_allowed_on_spec_and_status(desired: str, observed: str, token: str, secret: str) -> None:
    client = replace(CLIENT, desired_status=wanting(DesiredStatus(desired)), observed=ObservedStatus(observed))
    assert (token_denial(client, TOKEN, NOW) or "-") == token
    assert (secret_denial(client, {"p1": "current"}, NOW) or "-") == secret


@pytest.mark.rule(16)
def test_a_suspension_needs_no_operator_and_a_resumption_waits_for_it() -> None:
    world = available()
    token = world.token()
    world.desire("Suspended")
    assert world.refusal(token) == "suspended"
    world.settle()
    world.desire("Available")
    assert world.refusal(token) == "suspended"
    world.settle()
    assert world.refusal(token) is None


@pytest.mark.rule(1)
@pytest.mark.rule(2)
def test_deletion_and_holds_deny_whatever_status_says() -> None:
    assert token_denial(replace(CLIENT, deleting=True), TOKEN, NOW) == "deleting"
    assert token_denial(CLIENT, TOKEN, NOW, HELD) == "held"
    assert secret_denial(replace(CLIENT, deleting=True), {"p1": "current"}, NOW) == "deleting"
    assert secret_denial(CLIENT, {"p1": "current"}, NOW, HELD) == "held"


MOST_RESTRICTIVE_FIRST = [
    (StatusInputs(AVAILABLE), Effective.AVAILABLE, "Available"),
    (StatusInputs(AVAILABLE, expired=True), Effective.EXPIRED, "Expired"),
    (StatusInputs(AVAILABLE, expired=True, has_credential=False), Effective.PENDING, "Pending"),
    (StatusInputs(SUSPENDED, expired=True, has_credential=False), Effective.SUSPENDED, "Suspended"),
    (StatusInputs(SUSPENDED, held=True, has_credential=False), Effective.HELD, "Suspended"),
    (StatusInputs(RETIRED, held=True, expired=True), Effective.RETIRED, "Retired"),
    (StatusInputs(RETIRED, held=True, deleting=True), Effective.DELETING, "Suspended"),
]


@pytest.mark.rule(1)
@pytest.mark.parametrize(("inputs", "effective", "observed"), MOST_RESTRICTIVE_FIRST)
def test_the_most_restrictive_of_all_that_has_a_say_is_in_force(
    inputs: StatusInputs, effective: Effective, observed: str
) -> None:
    assert effective_status(inputs) is effective
    assert observed_status(effective) == observed


@pytest.mark.rule(1)
def test_todays_token_lifetime_cuts_tokens_that_were_issued_under_a_longer_one() -> None:
    world = available(tokens__lifetime="72h")
    token = world.token()
    world.wait(2 * HOUR)
    assert world.refusal(token) is None
    world.edit(tokens__lifetime="1h")
    assert world.refusal(token) == "token_expired"
    world.edit(tokens__lifetime="72h")
    assert world.refusal(token) is None


@pytest.mark.rule(1)
def test_a_longer_lifetime_never_lengthens_a_token_that_was_issued() -> None:
    world = available(tokens__lifetime="1h")
    token = world.token()
    world.edit(tokens__lifetime="72h").wait(HOUR)
    assert world.refusal(token) == "token_expired"


@pytest.mark.rule(1)
@pytest.mark.parametrize(("now", "refused"), [(NOW + 9, None), (NOW + 9.999, None), (NOW + 10, "token_expired")])
def test_a_token_dies_at_the_earlier_of_its_exp_and_todays_lifetime(now: float, refused: str | None) -> None:
    by_exp = replace(TOKEN, expires=NOW + 10)
    by_lifetime = replace(CLIENT, token_seconds=510)
    assert token_denial(CLIENT, by_exp, now) == refused
    assert token_denial(by_lifetime, TOKEN, now) == refused
    assert token_end(by_lifetime, by_exp) == NOW + 10


@pytest.mark.rule(1)
def test_no_object_can_ask_for_tokens_of_more_than_72_hours() -> None:
    assert World().edit(tokens__lifetime="9999h").view().token_seconds == 72 * 3600


@pytest.mark.rule(1)
@pytest.mark.rule(10)
def test_tokens_from_before_not_before_are_dead_and_one_of_that_very_second_is_not() -> None:
    assert token_denial(replace(CLIENT, not_before=TOKEN.issued_at), TOKEN, NOW) is None
    assert token_denial(replace(CLIENT, not_before=TOKEN.issued_at + 1), TOKEN, NOW) == "token_before_not_before"


@pytest.mark.rule(10)
def test_not_before_of_spec_is_obeyed_at_once_and_a_future_one_is_not() -> None:
    demanded = replace(CLIENT, spec_not_before=NOW)
    assert token_denial(demanded, TOKEN, NOW) == "token_before_not_before"
    future = replace(CLIENT, spec_not_before=NOW + 2)
    assert token_denial(future, TOKEN, NOW) is None
    assert issue_time(future, NOW) == NOW


@pytest.mark.rule(10)
@pytest.mark.parametrize(
    ("spec", "now", "demanded"),
    [(None, NOW, None), (NOW, NOW, NOW), (NOW + 1, NOW + 0.1, NOW + 1), (NOW + 1, NOW, None), (0, NOW, 0)],
)
def test_what_spec_demands_by_now(spec: int | None, now: float, demanded: int | None) -> None:
    assert demanded_not_before(spec, now) == demanded


@pytest.mark.rule(10)
def test_not_before_of_spec_never_goes_behind_that_of_status() -> None:
    assert effective_not_before(replace(CLIENT, spec_not_before=NOW - 5000), NOW) == CLIENT.not_before


@pytest.mark.rule(10)
@pytest.mark.parametrize("now", [NOW, NOW + 0.5, NOW + 0.999])
def test_a_token_is_stamped_no_earlier_than_not_before_so_that_it_lives(now: float) -> None:
    client = replace(CLIENT, not_before=NOW + 1)
    issued = issue_time(client, now)
    assert issued == NOW + 1
    assert token_denial(client, TokenClaims("u-1", issued, issued + 60), now) is None


@pytest.mark.rule(10)
@pytest.mark.rule(16)
def test_without_a_not_before_in_status_nothing_is_accepted_or_issued() -> None:
    client = replace(CLIENT, not_before=None)
    assert token_denial(client, TOKEN, NOW) == "pending"
    assert secret_denial(client, {"p1": "current"}, NOW) == "pending"


@pytest.mark.rule(16)
@pytest.mark.parametrize("desired", DesiredStatus)
def test_an_object_without_a_status_is_denied(desired: DesiredStatus) -> None:
    world = World().desire(desired)
    assert world.refusal(TokenClaims(world.uid, NOW, NOW + 60)) is not None
    assert standing(world.view(), NOW) is not Effective.AVAILABLE


@pytest.mark.rule(2)
def test_the_current_and_the_overlapping_secret_get_tokens_and_no_other() -> None:
    assert secret_denial(CLIENT, {"p1": "current"}, NOW) is None
    assert secret_denial(CLIENT, {"p1": "previous"}, NOW + 99.9) is None
    assert secret_denial(CLIENT, {"p1": "previous"}, NOW + 100) == "secret_expired"
    assert secret_denial(CLIENT, {"p1": "guess"}, NOW) == "wrong_secret"
    assert secret_denial(CLIENT, {"p2": "current"}, NOW) == "wrong_secret"
    assert secret_denial(CLIENT, {}, NOW) == "wrong_secret"
    assert secret_denial(None, {"p1": "current"}, NOW) == "unknown_client"


@pytest.mark.rule(2)
def test_who_presents_a_wrong_secret_learns_nothing_about_the_client() -> None:
    for client in (replace(CLIENT, desired_status=wanting(SUSPENDED)), replace(CLIENT, deleting=True), CLIENT):
        assert secret_denial(client, {"p1": "guess"}, NOW) == "wrong_secret"


@pytest.mark.rule(2)
def test_credentials_under_different_peppers_are_told_apart() -> None:
    both = replace(
        CLIENT, credentials=(CredentialView(2, "p2", "b", 0, NOW + 9), CredentialView(1, "p1", "a", 0, NOW + 9))
    )
    presented = presented_credential(both, {"p1": "a", "p2": "x"})
    assert presented is not None
    assert presented.id == 1
    assert presented_credential(both, {"p1": "b", "p2": "a"}) is None


@pytest.mark.rule(1)
@pytest.mark.rule(4)
def test_after_a_rotation_of_an_expired_secret_old_tokens_still_end_at_their_own_time() -> None:
    world = available(secret__lifetime="24h").wait(23 * HOUR)
    token = world.token()
    world.wait(2 * HOUR).settle()
    world.wait(10 * HOUR - timedelta(seconds=1))
    assert world.refusal(token) is None
    world.wait(timedelta(seconds=1))
    assert world.refusal(token) == "token_expired"
