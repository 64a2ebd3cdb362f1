"""``spec.secret.notBefore``: a secret that has leaked never works again, whatever else happens to its client."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from apiclients.lifecycle.access import client_view, secret_denial
from apiclients.lifecycle.credentials import older_than
from apiclients.lifecycle.digests import digest
from apiclients.resources.fields import format_time
from tests.lifecycle.world import DAY, HOUR, World, available

SECOND = timedelta(seconds=1)
pytestmark = pytest.mark.rule(5)


def revoke(world: World, at: datetime | None = None) -> World:
    """Ask in spec for the end of all that was issued before now, which is a second later than what went before."""
    world.wait(SECOND)
    return world.edit(secret__notBefore=format_time(at or world.now))


def test_the_leaked_secret_ends_at_once_and_a_new_one_comes_without_overlap() -> None:
    world = available()
    leaked, token = world.secret_bytes(), world.token()
    revoke(world).settle()
    assert world.log_in(leaked) == "wrong_secret"
    assert world.refusal(token) == "token_before_not_before"
    assert world.credential_ids == [2]
    assert world.typed_status.credentials[0].cause == "Revoked"
    assert (world.told("Ready"), world.told("SecretReady")) == ("True/Available", "True/Issued")
    assert world.refusal(world.token()) is None


def test_it_rotates_once_however_often_it_is_looked_at() -> None:
    world = revoke(available())
    for _ in range(3):
        world.settle()
    world.wait(HOUR).settle()
    assert len(world.issued) == 2


@pytest.mark.parametrize("micro", [1, 500_000, 999_999])
def test_a_time_within_the_present_second_rotates_once_too(micro: int) -> None:
    world = available()
    world.now = world.now.replace(microsecond=micro)
    world.edit(secret__notBefore=world.now.isoformat().replace("+00:00", "Z")).settle()
    world.settle()
    assert len(world.issued) == 2
    assert world.token()


@pytest.mark.parametrize("rotation", ["Automatic", "Manual"])
@pytest.mark.parametrize("asked_while_stopped", [True, False])
def test_the_drill_of_a_leak(rotation: str, *, asked_while_stopped: bool) -> None:
    """Stopped, rotated and released: the leaked secret stays dead, whenever the operator looks."""
    world = available(secret__rotation=rotation)
    leaked, token = world.secret_bytes(), world.token()
    world.desire("Suspended")
    if asked_while_stopped:
        world.settle()
    revoke(world).settle()
    assert len(world.issued) == 1, "while stopped nothing is rotated"
    assert "was revoked by spec.secret.notBefore" in (world.condition("SecretReady") or pytest.fail("untold")).message
    world.desire("Available")
    assert world.log_in(leaked) in {"suspended", "secret_revoked"}
    world.settle()
    assert world.log_in(leaked) == "wrong_secret"
    assert world.refusal(token) == "token_before_not_before"
    assert world.observed == "Available"
    assert world.token(world.issued[1])


def test_without_it_the_leaked_secret_comes_back_for_the_overlap() -> None:
    """What a rotation alone does; those who release are warned by this list."""
    world = available()
    leaked, held_at = world.secret_bytes(), world.now
    world.desire("Suspended").request_rotation("drill").settle()
    assert [c.id for c in older_than(world.typed_status.credentials, held_at, world.now)] == [1]
    world.desire("Available").settle()
    assert world.token(leaked)
    assert [c.id for c in older_than(world.typed_status.credentials, held_at, world.now)] == [1]
    world.wait(DAY)
    assert older_than(world.typed_status.credentials, held_at, world.now) == []


def test_taking_it_out_of_spec_again_brings_nothing_back() -> None:
    world = available()
    leaked, token = world.secret_bytes(), world.token()
    revoke(world.desire("Suspended")).settle()
    world.edit(secret__notBefore=None).desire("Available").settle()
    assert world.log_in(leaked) == "wrong_secret"
    assert world.refusal(token) == "token_before_not_before"
    assert world.token(world.issued[1])


def test_previous_secrets_go_too_and_those_issued_later_stay() -> None:
    world = available().request_rotation("monday")
    world.settle()
    between = world.now + SECOND
    world.wait(HOUR).request_rotation("tuesday").settle()
    assert world.credential_ids == [3, 2, 1]
    revoke(world, between).settle()
    assert world.credential_ids == [3]
    assert len(world.issued) == 3, "the current one was issued after it"


def test_the_gate_refuses_by_spec_alone() -> None:
    world = available()
    leaked, token = world.secret_bytes(), world.token()
    revoke(world)
    digests = {p.id: digest(p, leaked) for p in world.peppers}
    assert secret_denial(client_view(world.client()), digests, world.now.timestamp()) == "secret_revoked"
    assert world.refusal(token) == "token_before_not_before"


def test_a_secret_that_cannot_be_written_revives_nothing() -> None:
    world = available()
    leaked = world.secret_bytes()
    revoke(world).settle(refuse=lambda step: "Replace" in type(step).__name__)
    assert world.log_in(leaked) == "secret_expired"
    assert world.told("Ready") == "False/WriteFailed"
    world.settle()
    assert world.token()


@pytest.mark.parametrize("actions", range(4))
def test_a_crash_on_the_way_revives_nothing(actions: int) -> None:
    world = available()
    leaked = world.secret_bytes()
    revoke(world).crash(actions)
    assert not hasattr(world.log_in(leaked), "uid")
    world.wait(SECOND).settle()
    assert world.credential_ids == [2]
    assert world.log_in(leaked) == "wrong_secret"


@pytest.mark.rule(10)
def test_a_time_in_the_future_is_told_and_not_obeyed_before_it_has_come() -> None:
    world = available()
    revoke(world, world.now + HOUR).settle()
    assert world.told("Stalled") == "True/InvalidSpec"
    assert "spec.secret.notBefore" in (world.condition("Stalled") or pytest.fail("not told")).message
    assert world.token()
    assert world.due == world.now - SECOND + HOUR
    world.wait(HOUR).settle()
    assert world.credential_ids == [2]


@pytest.mark.rule(26)
def test_a_clock_that_cannot_be_trusted_revokes_nothing_for_good() -> None:
    world = available()
    world.clock_trusted = False
    revoke(world).settle()
    assert world.told("Ready") == "False/ClockSkew"
    assert len(world.issued) == 1
    world.clock_trusted = True
    world.settle()
    assert world.credential_ids == [2]
