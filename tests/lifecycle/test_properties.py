"""What holds whatever happens, in any order: the promises of the design as properties."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lifecycle.changes import ACCIDENTS, ALL, EDITS, TIMES, do
from tests.lifecycle.status_checks import faults
from tests.lifecycle.world import DAY, HOUR, World, available, is_write
from tests.resources.structural import schema_of, violations

PROFILE = settings(max_examples=40, deadline=None, derandomize=True)
anything = st.lists(st.sampled_from(sorted(ALL)), min_size=1, max_size=6)
desires = st.lists(st.sampled_from(["Available", "Suspended"]), min_size=1, max_size=6)


@pytest.mark.rule(21)
@PROFILE
@given(st.lists(anything, min_size=1, max_size=4))
def test_deciding_twice_changes_nothing(story: list[list[str]]) -> None:
    world = World()
    for chapter in story:
        do(world, chapter).settle()
        again = world.decide()
        assert again.step is None or world.told("SecretReady") in UNSEEN, chapter
        before = copy.deepcopy(world.status)
        world.settle()
        assert world.status == before


#: What the cache of metadata cannot confirm is read again each time; that is no change.
UNSEEN = {"False/SecretConflict", "False/SecretMissing", "False/Pending"}


@pytest.mark.rule(24)
@PROFILE
@given(st.lists(anything, min_size=1, max_size=4), st.booleans(), st.booleans())
def test_every_status_passes_the_checks_of_flux_and_kstatus_and_fits_the_schema(
    story: list[list[str]], trusted: bool, refused: bool
) -> None:
    world = World()
    for chapter in story:
        world.clock_trusted = trusted or len(chapter) > 2
        do(world, chapter).settle(refuse=lambda step: refused and is_write(step))
        assert faults(world.typed_status, world.generation) == []
        assert list(violations(world.status, schema_of("status"))) == []


@pytest.mark.rule(3)
@PROFILE
@given(desires, st.lists(st.sampled_from(["a moment", "an hour"]), min_size=6, max_size=6))
def test_suspending_and_resuming_never_changes_which_unexpired_token_is_accepted(
    story: list[str], pauses: list[str]
) -> None:
    world = available(tokens__lifetime="72h")
    tokens = [world.token(), world.wait(HOUR).token()]
    secret = world.secret_bytes()
    for desired, pause in zip(story, pauses, strict=False):
        do(world.desire(desired), [pause]).settle()
        accepted = [world.refusal(token) is None for token in tokens]
        assert accepted == [desired == "Available"] * 2
    assert world.issued == [secret]


@pytest.mark.rule(8)
@pytest.mark.rule(11)
@PROFILE
@given(
    st.lists(st.sampled_from(sorted(EDITS)), max_size=3),
    st.sampled_from(["finished retirement", "wiped status", "created again"]),
    st.lists(st.sampled_from(sorted(ALL)), max_size=4),
)
def test_no_token_revives_after_what_ends_it_for_good(before: list[str], end: str, after: list[str]) -> None:
    world = do(available(), before).desire("Available")
    world.settle()
    token = world.log_in(world.issued[-1])
    world.wait(HOUR)
    if end == "finished retirement":
        world.desire("Retired").settle()
        world.wait(2 * DAY).settle()
    elif end == "wiped status":
        world.wipe_status()
    else:
        world.recreate("22222222-bbbb")
    for name in after:
        do(world, [name]).desire("Available").edit(tokens__lifetime="72h").settle()
        assert isinstance(token, str) or world.refusal(token) is not None


@pytest.mark.rule(10)
@PROFILE
@given(st.lists(anything, min_size=1, max_size=4))
def test_not_before_never_goes_back(story: list[list[str]]) -> None:
    world = available()
    known = world.not_before
    for chapter in story:
        do(world, chapter).settle()
        assert world.not_before is not None
        assert known is not None
        assert world.not_before >= known
        known = world.not_before


@pytest.mark.rule(3)
@PROFILE
@given(st.lists(st.sampled_from(sorted(ACCIDENTS | TIMES)), max_size=5), st.sampled_from(["Suspended", "Retired"]))
def test_while_stopped_no_secret_is_issued_whatever_happens(accidents: list[str], desired: str) -> None:
    world = available().desire(desired)
    world.settle()
    for name in accidents:
        do(world, [name]).settle()
        assert len(world.issued) == 1


@pytest.mark.rule(2)
@PROFILE
@given(st.lists(anything, max_size=4), st.lists(st.sampled_from(sorted(ACCIDENTS)), min_size=1, max_size=3))
def test_no_bytes_that_the_operator_did_not_make_are_ever_accepted(
    story: list[list[str]], accidents: list[str]
) -> None:
    world = World()
    for chapter in [*story, accidents]:
        do(world, chapter).desire("Available").settle()
        assert world.log_in(b"forged") == "wrong_secret"
        assert world.log_in(b"theirs") == "wrong_secret"
        assert world.log_in(b"") == "wrong_secret"


@pytest.mark.rule(21)
@PROFILE
@given(st.lists(anything, min_size=1, max_size=4))
def test_nothing_comes_due_unannounced(story: list[list[str]]) -> None:
    """Whatever the clock alone will change comes no earlier than the time that was told."""
    world = World()
    for chapter in story:
        do(world, chapter).settle()
    before, issued = copy.deepcopy(world.status), len(world.issued)
    due = world.due
    if due is None:
        world.wait(800 * DAY)
    elif due > world.now:
        world.now = max(world.now, due - (due - world.now) / 1000)
    world.settle()
    assert (world.status, len(world.issued)) == (before, issued)
