"""Stopping after any action and starting again comes to the same end: no second secret, and none lost that works."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apiclients.lifecycle.observation import SecretUnseen
from tests.lifecycle.changes import ALL, do
from tests.lifecycle.world import HOUR, World, available

pytestmark = pytest.mark.rule(7)
PROFILE = settings(max_examples=60, deadline=None, derandomize=True)
anything = st.lists(st.sampled_from(sorted(ALL)), min_size=1, max_size=5)


def end(world: World) -> dict[str, Any]:
    """Where a world has come to, but for versions and UIDs that count how often something was written."""
    status = copy.deepcopy(world.status)
    status.get("secret", {}).pop("resourceVersion", None)
    return {
        "status": status,
        "secrets": {name: secret["data"] for name, secret in world.secrets.items()},
        "issued": world.issued,
        "working": [secret for secret in world.issued if not isinstance(world.log_in(secret), str)],
    }


@PROFILE
@given(before=anything, change=anything, actions=st.integers(0, 6), late=st.booleans())
def test_a_crash_after_any_action_converges_to_the_same_end(
    before: list[str], change: list[str], actions: int, late: bool
) -> None:
    steady = do(World(), before)
    steady.settle()
    do(steady, change)
    crashing = copy.deepcopy(steady)
    steady.settle()
    crashing.crash(actions)
    crashing.cache_late = late
    crashing.settle()
    crashing.cache_late = False
    crashing.settle()
    steady.settle()
    assert end(crashing) == end(steady)


@PROFILE
@given(change=anything, crashes=st.lists(st.integers(0, 3), min_size=1, max_size=5))
def test_crashing_again_and_again_never_makes_more_than_one_secret(change: list[str], crashes: list[int]) -> None:
    world = do(available(), change)
    issued = len(world.issued)
    for actions in crashes:
        world.crash(actions)
    world.settle()
    assert len(world.issued) <= issued + 1


@PROFILE
@given(change=st.lists(st.sampled_from(["change the revision", "request a rotation", "forge the Secret"]), min_size=1))
def test_a_stale_leader_changes_nothing(change: list[str]) -> None:
    world = do(available(), change)
    stale = world.observe()
    world.settle()
    before = end(world)
    for seen in (stale, replace(stale, secret=SecretUnseen())):
        world.take_steps(seen, most=4)
    world.settle()
    assert end(world) == before


@pytest.mark.rule(5)
@pytest.mark.parametrize("actions", range(4))
def test_a_secret_that_worked_before_a_crash_works_after_it(actions: int) -> None:
    world = available().edit(secret__revision=2)
    world.crash(actions)
    assert world.token(b"secret-1")
    world.wait(HOUR).settle()
    assert world.token(b"secret-1")
    assert world.token(b"secret-2")
    assert len(world.issued) == 2


@pytest.mark.parametrize("actions", range(5))
def test_a_status_write_that_was_lost_is_written_by_the_next_reconcile_from_metadata_alone(actions: int) -> None:
    world = World()
    world.crash(actions)
    world.settle()
    assert (world.observed, len(world.issued)) == ("Available", 1)
    steps = len(world.steps)
    world.settle()
    assert len(world.steps) == steps, "a settled client is decided from the cache, without reading the Secret"


@pytest.mark.rule(8)
@pytest.mark.parametrize("actions", range(4))
def test_a_retirement_that_was_interrupted_at_its_end_is_finished(actions: int) -> None:
    world = available(retirement__gracePeriod="1h")
    token = world.token()
    world.desire("Retired").settle()
    world.wait(HOUR)
    world.crash(actions)
    world.settle()
    assert (world.secrets, world.credential_ids) == ({}, [])
    world.desire("Available").settle()
    assert world.refusal(token) == "token_before_not_before"
