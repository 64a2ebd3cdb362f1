"""What is desired against what is observed: one test for each pair, as a table to read from top to bottom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.lifecycle.world import DAY, HOUR, World, available

MINUTES = timedelta(minutes=10)


def unborn() -> World:
    return World()


def suspended() -> World:
    world = available().desire("Suspended")
    world.settle()
    return world.wait(MINUTES)


def suspended_until_the_secret_expired(**parts: object) -> World:
    world = available(secret__lifetime="48h", **parts).desire("Suspended")
    world.settle()
    return world.wait(3 * DAY)


def manual_and_expired() -> World:
    world = available(secret__lifetime="48h", secret__rotation="Manual").wait(3 * DAY)
    world.settle()
    assert world.observed == "Expired"
    return world


def retired() -> World:
    world = available().desire("Retired")
    world.settle()
    return world.wait(MINUTES)


def destroyed() -> World:
    world = retired().wait(DAY)
    world.settle()
    assert world.secrets == {}
    return world


Given = Callable[[], World]

TABLE: list[tuple[str, Given, str, str, str]] = [
    # what it tells, given, desired, observed then, Ready then
    ("a new client gets its first secret", unborn, "Available", "Available", "True/Available"),
    ("a resumed client works again", suspended, "Available", "Available", "True/Available"),
    (
        "resumed after its secret expired, automatic",
        suspended_until_the_secret_expired,
        "Available",
        "Available",
        "True/Available",
    ),
    (
        "an expired manual client stays so and says what to do",
        manual_and_expired,
        "Available",
        "Expired",
        "False/Expired",
    ),
    ("registered again within the grace period", retired, "Available", "Available", "True/Available"),
    ("registered again after the grace period", destroyed, "Available", "Available", "True/Available"),
    ("an available client is suspended", available, "Suspended", "Suspended", "True/Suspended"),
    ("an expired client is suspended", manual_and_expired, "Suspended", "Suspended", "True/Suspended"),
    ("a retired client is registered again but stopped", retired, "Suspended", "Suspended", "True/Suspended"),
    ("a destroyed client is registered again but stopped", destroyed, "Suspended", "Suspended", "True/Suspended"),
    ("a client begins its life suspended", unborn, "Suspended", "Suspended", "True/Suspended"),
    ("an available client retires", available, "Retired", "Retired", "True/Retired"),
    ("a suspended client retires", suspended, "Retired", "Retired", "True/Retired"),
    ("an expired client retires", manual_and_expired, "Retired", "Retired", "True/Retired"),
    ("a client that never was retires", unborn, "Retired", "Retired", "True/Retired"),
    ("a destroyed client stays so", destroyed, "Retired", "Retired", "True/Retired"),
]


@pytest.mark.rule(3)
@pytest.mark.rule(4)
@pytest.mark.rule(8)
@pytest.mark.parametrize(
    ("given", "desired", "observed", "ready"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_desired_meets_observed(given: Given, desired: str, observed: str, ready: str) -> None:
    world = given().desire(desired)
    world.settle()
    assert (world.observed, world.told("Ready")) == (observed, ready)
    assert world.status["desiredStatus"] == desired
    assert world.status["observedGeneration"] == world.generation


@pytest.mark.rule(3)
def test_available_again_with_a_valid_secret_rotates_nothing() -> None:
    world = suspended()
    before = world.secret_bytes()
    world.desire("Available").settle()
    assert world.issued == [before]


@pytest.mark.rule(4)
def test_available_again_with_an_expired_manual_secret_is_expired_and_its_tokens_live_on() -> None:
    world = available(secret__lifetime="48h", secret__rotation="Manual").wait(2 * DAY - HOUR)
    token = world.token()
    world.desire("Suspended").settle()
    world.wait(2 * HOUR).desire("Available").settle()
    assert world.observed == "Expired"
    assert world.refusal(token) is None
    assert world.log_in() == "secret_expired"
    assert len(world.issued) == 1
    world.edit(secret__revision=2).settle()
    assert world.observed == "Available"
    assert world.token()
    assert world.refusal(token) is None


@pytest.mark.rule(4)
def test_available_again_with_an_expired_automatic_secret_gets_a_new_one_at_once() -> None:
    world = suspended_until_the_secret_expired().desire("Available")
    world.settle()
    assert len(world.issued) == 2
    assert world.token()


@pytest.mark.rule(3)
def test_suspending_keeps_secret_and_contracts_of_time() -> None:
    world = available()
    before, credentials = world.secret_bytes(), world.status["credentials"]
    world.desire("Suspended").settle()
    assert world.secret_bytes() == before
    assert world.status["credentials"] == credentials


@pytest.mark.rule(3)
def test_a_client_that_begins_suspended_has_a_secret_and_no_token() -> None:
    world = World().desire("Suspended")
    world.settle()
    assert world.issued == [world.secret_bytes()]
    assert world.log_in() == "suspended"
    world.wait(HOUR).desire("Available").settle()
    assert world.token()
    assert len(world.issued) == 1


@pytest.mark.rule(8)
def test_a_client_that_never_was_retires_without_a_secret_or_an_error() -> None:
    world = World().desire("Retired")
    world.settle()
    assert world.steps == []
    assert world.told("SecretReady") == "False/SecretRemoved"
    assert world.told("Stalled") == "-"


@pytest.mark.rule(9)
@pytest.mark.parametrize("given", [available, suspended, manual_and_expired])
def test_without_contracts_a_retirement_needs_no_acknowledgement(given: Given) -> None:
    world = given().desire("Retired")
    world.settle()
    assert world.observed == "Retired"
    assert world.status["desiredStatus"] == "Retired"


@pytest.mark.rule(21)
@pytest.mark.parametrize("given", [available, suspended, manual_and_expired, retired, destroyed])
def test_nothing_to_do_is_success_and_writes_nothing(given: Given) -> None:
    world = given()
    world.settle()
    before, steps = world.status, list(world.steps)
    world.settle()
    assert world.status is before
    assert world.steps == steps


@pytest.mark.rule(21)
def test_a_wish_taken_back_before_it_was_seen_leaves_no_trace() -> None:
    world = available()
    credentials = world.status["credentials"]
    world.desire("Retired").desire("Available").settle()
    assert world.status["credentials"] == credentials
    assert "retirement" not in world.status
    assert world.status["observedGeneration"] == world.generation


@pytest.mark.rule(11)
@pytest.mark.rule(22)
@pytest.mark.parametrize("given", [available, suspended, manual_and_expired, retired])
def test_a_client_on_its_way_out_is_refused_and_nothing_is_written_to_its_secret(given: Given) -> None:
    world = given()
    world.settle()
    kept = (world.observed, len(world.steps))
    world.edit(secret__revision=9).delete().settle()
    assert (world.observed, len(world.steps)) == kept
    assert world.told("Active") == "False/Deleting"
    assert world.log_in(b"secret-1") == "deleting"
