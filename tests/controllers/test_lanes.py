"""The lanes of the work queue: who goes first, and that everybody has a turn."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from apiclients.controllers.lanes import TURNS, Lane, Lanes
from apiclients.resources.refs import ObjectRef

ITEM = ObjectRef("ApiClient", "team-a", "billing")

lane = st.sampled_from(list(Lane))
namespaces = st.sampled_from(["team-a", "team-b", "team-c"])
items = st.builds(ObjectRef, st.just("ApiClient"), namespaces, st.sampled_from([f"c{number}" for number in range(6)]))


def crowd(namespace: str, count: int = 1000) -> list[ObjectRef]:
    return [ObjectRef("Contract", namespace, f"c{number}") for number in range(count)]


def take(lanes: Lanes) -> ObjectRef:
    taken = lanes.take()
    assert taken is not None
    return taken[0]


@given(st.lists(st.one_of(st.tuples(items, lane), st.just("take"), st.just("finish")), max_size=80), st.integers(1, 3))
def test_no_item_is_lost_or_taken_twice(story: list[tuple[ObjectRef, Lane] | str], share: int) -> None:
    lanes, waiting, working = Lanes(share), dict[ObjectRef, Lane](), list[ObjectRef]()
    for move in story:
        if isinstance(move, tuple):
            item, asked = move
            lanes.add(item, asked)
            waiting[item] = min(asked, waiting.get(item, asked))
        elif move == "finish" and working:
            lanes.finish(working.pop(0))
        elif move == "take":
            busy = Counter(item.namespace for item in working)
            taken = lanes.take()
            assert (taken is None) == (not waiting)
            if taken is not None:
                item, whence = taken
                assert waiting.pop(item) is whence, "an item is in the first lane in which it was asked for"
                beside = [other for other, theirs in waiting.items() if theirs is whence]
                assert busy[item.namespace] < share or all(busy[other.namespace] >= share for other in beside), (
                    "who has its share waits for the others"
                )
                working.append(item)
        assert len(lanes) == len(waiting)
        assert all(item in lanes for item in waiting)
        assert {one: lanes.depth(one) for one in Lane} == {one: list(waiting.values()).count(one) for one in Lane}
    for item in working:
        lanes.finish(item)
    assert not lanes._in_work


@given(st.lists(st.lists(st.tuples(items, lane), max_size=4), max_size=120), st.integers(1, 3))
def test_every_lane_has_its_turns_whatever_comes(arrivals: list[list[tuple[ObjectRef, Lane]]], share: int) -> None:
    """After each arrival one item is taken. Neither what goes first nor what is behind it is passed over for long."""
    lanes, waiting = Lanes(share), dict[ObjectRef, Lane]()
    passed_over = behind_in_a_row = 0
    for arriving in arrivals:
        for item, asked in arriving:
            lanes.add(item, asked)
            waiting[item] = min(asked, waiting.get(item, asked))
        if not waiting:
            continue
        crowded = len(set(waiting.values())) > 1
        first = min(waiting.values())
        taken = lanes.take()
        assert taken is not None
        del waiting[taken[0]]
        lanes.finish(taken[0])
        if crowded:
            passed_over = 0 if taken[1] > first else passed_over + 1
            behind_in_a_row = behind_in_a_row + 1 if taken[1] > first else 0
        else:
            behind_in_a_row = 0
        assert passed_over <= len(Lane) * TURNS
        assert behind_in_a_row <= len(Lane) - 1


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 200))
def test_no_lane_starves(changed: int, pending: int, rest: int) -> None:
    """However full the others are, and always filled again, the last lane has its part of what is taken."""
    lanes = Lanes(share=12)
    sizes = {Lane.CHANGED: changed, Lane.PENDING: pending, Lane.REST: rest}
    for one, size in sizes.items():
        for item in crowd(f"{one.label}", size):
            lanes.add(item, one)
    taken_of = Counter[Lane]()
    for _ in range(2 * (TURNS + 1) ** 2):
        taken = lanes.take()
        assert taken is not None
        item, whence = taken
        lanes.finish(item)
        lanes.add(item, whence)
        taken_of[whence] += 1
    assert taken_of == {
        Lane.CHANGED: 2 * (TURNS + 1) * TURNS,
        Lane.PENDING: 2 * TURNS,
        Lane.REST: 2,
    }


def test_what_a_person_changed_is_taken_within_two_turns_of_a_crowd() -> None:
    for before in range(2 * TURNS):
        lanes = Lanes(share=12)
        for item in crowd("team-a"):
            lanes.add(item)
        for number in range(before):
            lanes.add(ObjectRef("ApiClient", "team-b", f"c{number}"), Lane.CHANGED)
            take(lanes)
        lanes.add(ITEM, Lane.CHANGED)
        assert ITEM in (take(lanes), take(lanes))


def test_an_item_that_becomes_urgent_moves_and_never_back() -> None:
    lanes = Lanes(share=12)
    for item in [*crowd("team-a"), ITEM]:
        lanes.add(item)
    lanes.add(ITEM, Lane.CHANGED)
    lanes.add(ITEM, Lane.REST)
    assert (len(lanes), lanes.depth(Lane.CHANGED), lanes.depth(Lane.REST)) == (1001, 1, 1000)
    assert lanes.take() == (ITEM, Lane.CHANGED)
    assert ITEM not in lanes


def test_who_edits_a_thousand_objects_delays_nobody_else() -> None:
    lanes = Lanes(share=12)
    for item in crowd("team-b"):
        lanes.add(item, Lane.CHANGED)
    for _ in range(100):
        lanes.finish(take(lanes))
    lanes.add(ITEM, Lane.CHANGED)
    assert ITEM in (take(lanes), take(lanes))


def test_a_crowded_namespace_delays_another_one_by_a_turn() -> None:
    lanes = Lanes(share=3)
    for item in crowd("crowded"):
        lanes.add(item)
    for _ in range(3):
        take(lanes)
    lanes.add(ITEM)
    assert take(lanes) == ITEM


def test_alone_a_namespace_has_all_workers() -> None:
    lanes = Lanes(share=1)
    for item in crowd("alone", 5):
        lanes.add(item)
    assert [take(lanes) for _ in range(5)] == crowd("alone", 5)
    assert lanes.take() is None


def test_the_longest_wait_is_that_of_the_first_in_any_lane() -> None:
    now = 100.0
    lanes = Lanes(2, lambda: now)
    assert (lanes.longest_wait(), lanes.namespaces) == (0.0, 0)
    first, second = ObjectRef("ApiClient", "team-b", "first"), ObjectRef("ApiClient", "team-b", "second")
    lanes.add(first)
    now = 103.0
    lanes.add(ITEM)
    lanes.add(second)
    lanes.add(first)
    assert (lanes.longest_wait(), lanes.namespaces) == (3.0, 2), "who is added again has waited since the first time"
    now = 105.0
    lanes.add(second, Lane.CHANGED)
    now = 110.0
    assert {lane: lanes.longest_wait(lane) for lane in Lane} == {Lane.CHANGED: 5.0, Lane.PENDING: 0.0, Lane.REST: 10.0}
    assert (lanes.longest_wait(), lanes.namespaces) == (10.0, 2)
    assert [take(lanes) for _ in range(3)] == [second, first, ITEM]
    assert (lanes.longest_wait(), lanes.namespaces) == (0.0, 0)
