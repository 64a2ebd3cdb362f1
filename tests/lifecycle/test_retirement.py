"""Retiring: refused at once, destroyed after the grace period, and what comes back and what never does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apiclients.lifecycle.steps import CreateSecret, ReplaceSecret
from tests.lifecycle.world import DAY, HOUR, START, World, available, issue

SECOND = timedelta(seconds=1)


@pytest.mark.rule(8)
def test_a_retired_client_is_refused_at_once_and_nothing_is_destroyed_within_the_grace_period() -> None:
    world = available()
    token, secret = world.token(), world.secret_bytes()
    world.desire("Retired").settle()
    assert world.refusal(token) == "retired"
    assert world.log_in(secret) == "retired"
    assert world.secret_bytes() == secret
    world.wait(DAY - SECOND).settle()
    assert world.secret_bytes() == secret


@pytest.mark.rule(8)
@pytest.mark.rule(10)
def test_at_the_end_of_the_grace_period_tokens_die_for_good_and_the_secret_goes() -> None:
    world = available(tokens__lifetime="72h")
    token = world.token()
    world.desire("Retired").settle()
    assert world.due == world.now + DAY
    world.wait(DAY).settle()
    assert world.secrets == {}
    assert world.credential_ids == []
    assert world.not_before == world.now
    assert "secret" not in world.status
    world.desire("Available").settle()
    assert world.refusal(token) == "token_before_not_before"


@pytest.mark.rule(8)
def test_back_within_the_grace_period_everything_is_as_it_was() -> None:
    world = available(tokens__lifetime="72h")
    token, secret, not_before = world.token(), world.secret_bytes(), world.not_before
    world.edit(secret__revision=2).settle()
    world.desire("Retired").settle()
    world.wait(10 * HOUR).settle()
    world.wait(10 * HOUR).desire("Available").settle()
    assert world.refusal(token) is None
    assert world.token(secret), "the overlap runs on"
    assert world.token()
    assert world.not_before == not_before
    assert "retirement" not in world.status
    assert len(world.issued) == 2


@pytest.mark.rule(8)
@pytest.mark.rule(10)
@pytest.mark.parametrize("desired", ["Available", "Suspended"])
@pytest.mark.parametrize("operator_was_down", [False, True])
def test_back_too_late_is_a_new_start_also_when_the_operator_slept_through_the_end(
    desired: str, operator_was_down: bool
) -> None:
    world = available(tokens__lifetime="72h")
    token, client_id = world.token(), world.view().client_id
    world.desire("Retired").settle()
    world.wait(DAY)
    if not operator_was_down:
        world.settle()
    world.wait(HOUR).desire(desired).settle()
    assert isinstance(world.steps[-1], CreateSecret | ReplaceSecret)
    assert world.credential_ids == [2]
    world.desire("Available").settle()
    assert world.refusal(token) == "token_before_not_before"
    assert world.log_in(b"secret-1") == "wrong_secret"
    assert world.token(b"secret-2")
    assert world.view().client_id == client_id


@pytest.mark.rule(8)
@pytest.mark.rule(7)
def test_back_too_late_never_takes_over_a_secret_from_before_the_retirement() -> None:
    world = available().edit(secret__revision=2)
    world.crash(actions=1)
    world.desire("Retired")
    world.status["retirement"] = {"retiredTime": "2026-03-01T10:10:00Z", "finalTime": "2026-03-02T10:10:00Z"}
    world.wait(2 * DAY).desire("Available").settle()
    assert world.log_in(b"secret-2") == "wrong_secret"
    assert world.token(b"secret-3")


@pytest.mark.rule(8)
@pytest.mark.rule(7)
def test_back_too_late_takes_over_its_own_new_secret_after_a_crash() -> None:
    world = available().desire("Retired")
    world.settle()
    world.wait(2 * DAY).desire("Available")
    world.crash(actions=2)
    world.settle()
    assert len(world.issued) == 2
    assert world.token(b"secret-2")


@pytest.mark.rule(8)
def test_the_grace_period_counts_from_the_retirement_and_may_be_changed_until_it_is_over() -> None:
    world = available().desire("Retired")
    world.settle()
    world.wait(HOUR).edit(retirement__gracePeriod="3h").settle()
    assert world.status["retirement"]["finalTime"] == "2026-03-01T13:10:00Z"
    world.wait(2 * HOUR).settle()
    assert world.secrets == {}
    world.edit(retirement__gracePeriod="1000h").settle()
    assert world.status["retirement"]["finalTime"] == "2026-03-01T13:10:00Z"


@pytest.mark.rule(8)
def test_without_a_grace_period_it_is_over_at_once() -> None:
    world = available(retirement__gracePeriod="0s").desire("Retired")
    world.settle()
    assert world.secrets == {}
    assert world.told("Ready") == "True/Retired"


@pytest.mark.rule(8)
@pytest.mark.rule(10)
@pytest.mark.parametrize("micros", [0, 1, 500_000, 999_999])
def test_no_token_outlives_a_retirement_of_the_same_second(micros: int) -> None:
    """Tokens are stamped in whole seconds, so those of the first second must not slip through."""
    world = World(now=START + timedelta(microseconds=micros)).edit(retirement__gracePeriod="0s")
    world.settle()
    token = world.token()
    world.desire("Retired").settle()
    world.desire("Available").settle()
    assert world.refusal(token) == "token_before_not_before"
    again = world.token()
    assert world.refusal(again) is None


@pytest.mark.rule(8)
@pytest.mark.rule(10)
def test_a_token_of_a_gate_that_learned_of_the_retirement_late_dies_with_the_registration() -> None:
    world = available(retirement__gracePeriod="0s")
    late_gate = world.view()
    world.desire("Retired").settle()
    world.wait(8 * SECOND)
    token = issue(late_gate, world.now)
    world.wait(SECOND).desire("Available").settle()
    assert world.refusal(token) == "token_before_not_before"


@pytest.mark.rule(8)
def test_a_credential_id_is_never_used_twice() -> None:
    world = available(retirement__gracePeriod="0s")
    for round_ in range(1, 4):
        assert world.credential_ids == [round_]
        world.wait(HOUR).desire("Retired").settle()
        world.wait(HOUR).desire("Available").settle()


@pytest.mark.rule(8)
def test_retiring_again_begins_a_new_grace_period() -> None:
    world = available().desire("Retired")
    world.settle()
    world.wait(2 * DAY).desire("Available").settle()
    world.wait(HOUR).desire("Retired").settle()
    assert world.status["retirement"]["finalTime"] == "2026-03-04T11:10:00Z"
    assert world.secrets


@pytest.mark.rule(8)
def test_a_retired_client_is_given_no_secret_whatever_asks_for_one() -> None:
    world = available().desire("Retired")
    world.settle()
    world.edit(secret__revision=9).request_rotation("now").edit_secret(b"forged").settle()
    world.wait(2 * DAY).settle()
    assert world.told("SecretReady") == "False/SecretRemoved"
    world.edit(secret__revision=10).request_rotation("again").settle()
    assert len(world.issued) == 1
    assert world.secrets == {}


@pytest.mark.rule(8)
def test_the_configuration_of_a_destroyed_client_stays_readable() -> None:
    world = available(owner="billing@example.com", version="1.0").desire("Retired")
    world.settle()
    world.wait(2 * DAY).settle()
    assert world.status["clientId"] == "team-a.billing.11111111"
    assert world.status["retirement"]["retiredTime"] == "2026-03-01T10:10:00Z"
    assert [(h["from"], h["to"]) for h in world.status["history"]] == [
        ("Available", "Retired"),
        ("Pending", "Available"),
    ]


@pytest.mark.rule(8)
@pytest.mark.rule(6)
def test_the_end_of_a_retirement_takes_secrets_under_earlier_names_too_and_no_foreign_one() -> None:
    world = available().edit(secret__name="elsewhere")
    world.settle()
    world.desire("Retired").settle()
    world.put_foreign("bystander").wait(DAY).settle()
    assert set(world.secrets) == {"bystander"}


@pytest.mark.rule(8)
@pytest.mark.rule(6)
def test_the_end_of_a_retirement_leaves_the_secret_of_another_client_under_the_same_name() -> None:
    world = available().desire("Retired")
    world.settle()
    world.put_foreign(
        owner={"apiVersion": "apiclients.dev/v1alpha1", "kind": "ApiClient", "name": "orders", "uid": "9"}
    ).wait(2 * DAY).settle()
    assert world.secret_bytes() == b"theirs"
    assert world.told("Ready") == "True/Retired"


@pytest.mark.rule(8)
@pytest.mark.rule(26)
def test_with_a_wrong_clock_nobody_comes_back_from_a_retirement_that_may_be_over() -> None:
    world = available().desire("Retired")
    world.settle()
    world.clock_trusted = False
    world.wait(2 * DAY).desire("Available").settle()
    assert (world.observed, world.log_in()) == ("Retired", "retired")
    world.clock_trusted = True
    world.wait(-2 * DAY).settle()
    assert world.token(b"secret-1"), "it was not over"


@pytest.mark.rule(11)
def test_no_token_survives_a_deletion_and_a_client_of_the_same_name() -> None:
    world = available()
    token = world.token()
    world.recreate("22222222-bbbb").settle()
    assert world.refusal(token) == "other_uid"
    assert world.view().client_id == "team-a.billing.22222222"


@pytest.mark.rule(10)
def test_the_first_status_of_a_client_begins_its_time() -> None:
    world = World(now=START + timedelta(microseconds=1))
    world.settle()
    assert world.not_before == START + SECOND
    token = world.token()
    assert (token.issued_at, world.refusal(token)) == (int((START + SECOND).timestamp()), None)


@pytest.mark.rule(10)
def test_a_wish_for_not_before_is_taken_over_and_never_goes_back() -> None:
    world = available()
    token = world.token()
    world.wait(HOUR).edit(tokens__notBefore="2026-03-01T11:00:00.5Z").settle()
    assert world.status["tokens"]["notBefore"] == "2026-03-01T11:00:01Z"
    assert world.refusal(token) == "token_before_not_before"
    world.edit(tokens__notBefore="2026-03-01T10:00:00Z").settle()
    world.edit(tokens__notBefore=None).settle()
    assert world.status["tokens"]["notBefore"] == "2026-03-01T11:00:01Z"


@pytest.mark.rule(10)
@pytest.mark.rule(24)
def test_a_not_before_in_the_future_stalls_and_kills_nothing_until_its_time_has_come() -> None:
    world = available()
    token = world.token()
    world.edit(tokens__notBefore="2026-03-01T12:00:00Z").settle()
    assert (world.told("Stalled"), world.told("Active")) == ("True/InvalidSpec", "True/Available")
    assert world.refusal(token) is None
    assert world.token(), "nobody is locked out"
    assert world.due == START + 2 * HOUR
    world.now = START + 2 * HOUR
    world.settle()
    assert (world.told("Stalled"), world.refusal(token)) == ("-", "token_before_not_before")


@pytest.mark.rule(10)
def test_a_not_before_of_long_ago_asks_for_nothing() -> None:
    for year in ("0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"):
        world = available(tokens__notBefore=year)
        assert world.told("Ready") == "True/Available"
