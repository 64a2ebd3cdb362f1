"""Clocks: what dies when, what a suspension does not stop, and what no clock may ever lengthen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.lifecycle.world import DAY, HOUR, START, World, available

SECOND = timedelta(seconds=1)


@pytest.mark.rule(1)
def test_a_token_lives_exactly_as_long_as_its_lifetime() -> None:
    world = available()
    token = world.token()
    world.wait(12 * HOUR - SECOND)
    assert world.refusal(token) is None
    world.wait(SECOND)
    assert world.refusal(token) == "token_expired"


@pytest.mark.rule(1)
@pytest.mark.rule(4)
def test_the_expiry_of_the_secret_plays_no_part_for_a_token() -> None:
    world = available(secret__rotation="Manual", secret__lifetime="24h").wait(DAY - HOUR)
    token = world.token()
    world.wait(2 * HOUR).settle()
    assert world.observed == "Expired"
    assert world.refusal(token) is None


@pytest.mark.rule(2)
def test_no_token_for_an_expired_secret_even_before_the_operator_says_so() -> None:
    world = available(secret__rotation="Manual", secret__lifetime="24h").wait(DAY)
    assert world.observed == "Available"
    assert world.log_in() == "secret_expired"


@pytest.mark.rule(3)
def test_suspend_and_resume_within_both_clocks_changes_no_byte() -> None:
    world = available()
    token, secret = world.token(), world.secret_bytes()
    world.desire("Suspended").settle()
    assert world.refusal(token) == "suspended"
    world.wait(HOUR).desire("Available").settle()
    assert world.refusal(token) is None
    assert world.secret_bytes() == secret


@pytest.mark.rule(3)
def test_a_suspension_does_not_stop_the_clock_of_a_token() -> None:
    world = available()
    token = world.token()
    world.wait(HOUR).desire("Suspended").settle()
    world.wait(12 * HOUR).desire("Available").settle()
    assert world.refusal(token) == "token_expired"


@pytest.mark.rule(3)
@pytest.mark.rule(4)
def test_a_secret_that_expires_while_suspended_leaves_a_young_token_its_remaining_hours() -> None:
    world = available(secret__rotation="Manual", secret__lifetime="24h").wait(DAY - HOUR)
    token = world.token()
    world.desire("Suspended").settle()
    world.wait(3 * HOUR).desire("Available").settle()
    assert world.observed == "Expired"
    world.wait(9 * HOUR - SECOND)
    assert world.refusal(token) is None
    world.wait(SECOND)
    assert world.refusal(token) == "token_expired"


@pytest.mark.rule(5)
def test_a_rotation_leaves_issued_tokens_alive_and_keeps_the_client_id() -> None:
    world = available()
    token, client_id = world.token(), world.view().client_id
    world.edit(secret__revision=2).settle()
    assert world.refusal(token) is None
    assert world.view().client_id == client_id


@pytest.mark.rule(3)
@pytest.mark.parametrize(
    "reason_to_rotate",
    [
        lambda w: w.edit(secret__revision=2),
        lambda w: w.request_rotation("now"),
        lambda w: w.wait(80 * DAY),
        lambda w: w.wait(100 * DAY),
        lambda w: w.edit_secret(b"forged"),
        lambda w: w.secrets.clear(),
        lambda w: w.edit(secret__name="elsewhere"),
    ],
    ids=["revision", "request", "age", "expiry", "edited", "missing", "renamed"],
)
def test_while_suspended_nothing_rotates_and_what_falls_due_waits_for_the_resumption(
    reason_to_rotate: Callable[[World], object],
) -> None:
    world = available().desire("Suspended")
    world.settle()
    reason_to_rotate(world)
    world.settle()
    assert len(world.issued) == 1
    assert world.told("Ready") == "True/Suspended"
    world.desire("Available").settle()
    assert len(world.issued) == 2
    assert world.told("Ready") == "True/Available"


@pytest.mark.rule(3)
def test_suspending_an_expired_client_and_resuming_it_gives_an_expired_one() -> None:
    world = available(secret__rotation="Manual", secret__lifetime="24h").wait(2 * DAY)
    world.settle()
    world.desire("Suspended").settle()
    world.wait(HOUR).desire("Available").settle()
    assert world.observed == "Expired"


@pytest.mark.rule(3)
def test_an_overlap_runs_out_while_suspended() -> None:
    world = available()
    old = world.secret_bytes()
    world.edit(secret__revision=2).settle()
    world.desire("Suspended").settle()
    world.wait(25 * HOUR).settle()
    assert world.credential_ids == [2]
    world.desire("Available").settle()
    assert world.log_in(old) == "wrong_secret"


@pytest.mark.rule(21)
def test_an_operator_that_was_down_at_the_expiry_catches_up_with_one_rotation() -> None:
    world = available().wait(400 * DAY)
    world.settle()
    world.settle()
    assert len(world.issued) == 2
    assert world.observed == "Available"


def test_a_secret_expires_exactly_its_lifetime_after_its_issue_also_across_a_leap_day() -> None:
    world = World(now=START.replace(year=2028, month=2, day=28)).edit(secret__lifetime="48h")
    world.settle()
    (credential,) = world.typed_status.credentials
    assert credential.expires_time.isoformat() == "2028-03-01T10:00:00+00:00"


@pytest.mark.rule(5)
def test_a_longer_lifetime_does_not_lengthen_the_secret_that_is_there() -> None:
    world = available()
    ends = world.typed_status.credentials[0].expires_time
    world.edit(secret__lifetime="17520h").settle()
    assert world.typed_status.credentials[0].expires_time == ends


@pytest.mark.rule(5)
def test_a_shorter_overlap_ends_a_running_one_and_a_longer_one_never_lengthens_it() -> None:
    world = available()
    world.edit(secret__revision=2).settle()
    rotated = world.now
    world.edit(secret__overlap="1h").settle()
    world.edit(secret__overlap="48h").settle()
    assert world.typed_status.credentials[1].expires_time == rotated + HOUR


@pytest.mark.rule(10)
def test_a_clock_that_steps_back_brings_no_token_back() -> None:
    world = available()
    token = world.token()
    world.wait(2 * SECOND).edit(tokens__notBefore="2026-03-01T10:10:01Z").settle()
    assert world.refusal(token) == "token_before_not_before"
    world.wait(-20 * SECOND).settle()
    assert world.refusal(token) == "token_before_not_before"


@pytest.mark.rule(21)
@pytest.mark.parametrize(
    ("name", "expected"),
    [("fresh", 76 * DAY), ("in overlap", DAY), ("retired", DAY), ("manual", 76 * DAY)],
)
def test_what_comes_due_is_told_so_that_nobody_has_to_poll(name: str, expected: timedelta) -> None:
    world = World().edit(secret__rotation="Manual" if name == "manual" else "Automatic")
    world.settle()
    if name == "in overlap":
        world.edit(secret__revision=2).settle()
    if name == "retired":
        world.desire("Retired").settle()
    assert world.decide().due == world.now + expected
