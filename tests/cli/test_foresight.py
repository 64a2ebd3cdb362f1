"""What ``explain`` foretells agrees with what the operator has said: it is settled, so nothing is to come now."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apiclients.cli.screens.foresight import coming, observed
from tests.lifecycle.changes import ACCIDENTS, ALL, do
from tests.lifecycle.world import HOUR, World, available


def foretold_now(world: World) -> list[str]:
    """What is said to happen at once, where the operator has just said that it does no more."""
    world.settle()
    client = world.client()
    return [one.what for one in coming(observed(client, None, (), world.now), world.now) if one.time <= world.now]


def test_a_secret_of_others_is_never_said_to_be_replaced() -> None:
    world = World().put_foreign()
    assert foretold_now(world) == []
    assert world.told("SecretReady") == "False/SecretConflict"
    assert foretold_now(world.wipe_status()) == []


@pytest.mark.parametrize("name", ALL)
def test_a_settled_client_has_nothing_to_come(name: str) -> None:
    assert foretold_now(do(available(), [name])) == []


def test_a_restored_client_is_said_to_wait_while_it_does() -> None:
    assert foretold_now(available().restore("another-uid")) == []


@pytest.mark.parametrize("name", ["change the revision", "request a rotation", "a quarter", "rename the Secret"])
def test_nothing_is_foretold_that_waits_for_the_clock(name: str) -> None:
    world = available()
    world.clock_trusted = False
    assert foretold_now(do(world, [name])) == []
    assert world.told("Reconciling") == "True/ClockSkew"


@pytest.mark.parametrize("name", ["forge the Secret", "rename the Secret", "request a rotation"])
def test_nothing_is_foretold_that_waits_for_room(name: str) -> None:
    world = available(secret__overlap="240h")
    for revision in range(2, 6):
        world.wait(HOUR).edit(secret__revision=revision).settle()
    assert foretold_now(do(world, [name])) == []
    assert world.told("Ready") == "False/TooManySecrets"


@pytest.mark.parametrize("name", ACCIDENTS)
def test_nor_has_one_that_waits_for_a_person(name: str) -> None:
    assert foretold_now(do(available().desire("Suspended"), [name, "change the revision"])) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(sorted(ALL)), min_size=1, max_size=6))
def test_nor_has_any_after_whatever_happened(names: list[str]) -> None:
    assert foretold_now(do(available(), names)) == []
