"""Reads of single objects come from etcd, lists and watches from a cache that may have lost something (rule 17)."""

from __future__ import annotations

import pytest

from apiclients.kube.objects import Page
from tests.kube.recorder import Recorder, bookmark, key, thing

pytestmark = pytest.mark.rule(17)


@pytest.fixture
def seen() -> Recorder:
    recorder = Recorder()
    recorder.take_list(10, thing("a", 1), thing("b", 2), resume=True)
    recorder.changes.clear()
    return recorder


def read(recorder: Recorder, name: str, version: int | None, uid: str = "") -> bool:
    """A read that was asked for now and found this, or nothing."""
    if version is None:
        return recorder.state.absent_read(key(name), recorder.state.version_of(key(name)))
    return recorder.state.put_read(thing(name, version, uid), recorder.state.moment())


def test_a_change_that_was_read_is_owed_by_the_watch_until_it_comes(seen: Recorder) -> None:
    assert read(seen, "a", 12)
    assert seen.told == [("get", "a", 1, 12)]
    seen.watch("MODIFIED", "a", 12)
    assert not seen.state.reads.take_owed(key("a"))
    assert seen.state.reads.disputed() == ()


def test_a_change_that_the_watch_does_not_deliver_is_told_as_lost_once(seen: Recorder) -> None:
    assert read(seen, "a", 12)
    seen.state.take_event(bookmark(20))
    assert seen.state.reads.take_owed(key("a"))
    assert not seen.state.reads.take_owed(key("a"))
    assert seen.state.lost_events == 0, "whoever reads counts it"


def test_what_is_known_already_changes_nothing(seen: Recorder) -> None:
    assert not read(seen, "a", 1)
    assert not read(seen, "never", None)
    assert (seen.told, seen.state.reads.disputed()) == ([], ())


def test_lists_that_deny_what_was_read_do_not_take_it_back(seen: Recorder) -> None:
    """An object that the cache never heard of, one that it believes to be there, one that it has as it was."""
    assert read(seen, "hold", 11)
    assert read(seen, "a", None)
    assert read(seen, "b", 12)
    for version in (20, 30, 40):
        seen.take_list(version, thing("a", 1), thing("b", 2))
        seen.now += 10_000  # no tombstone lasts so long
    seen.take_list(50, thing("a", 1), thing("b", 2), resume=True)
    assert {name[1]: value[1] for name, value in seen.state.store.items()} == {"hold": 11, "b": 12}
    assert set(seen.state.reads.disputed()) == {key("hold"), key("a"), key("b")}


def test_lists_count_again_once_they_have_caught_up(seen: Recorder) -> None:
    assert read(seen, "hold", 11)
    assert read(seen, "a", None)
    seen.take_list(20, thing("hold", 11), thing("b", 2))
    assert seen.state.reads.disputed() == ()
    seen.take_list(30, thing("b", 2))
    assert set(seen.state.store) == {key("b")}


def test_an_object_made_anew_is_another_one(seen: Recorder) -> None:
    assert read(seen, "a", None)
    seen.take_list(20, thing("a", 15, "second"), thing("b", 2))
    assert seen.state.store[key("a")] == ("second", 15)
    assert read(seen, "b", None)
    seen.watch("ADDED", "b", 22, "second")
    assert seen.state.store[key("b")] == ("second", 22)


def test_a_later_deletion_counts_whoever_tells_it(seen: Recorder) -> None:
    assert read(seen, "a", 12)
    seen.watch("DELETED", "a", 15)
    assert set(seen.state.store) == {key("b")}
    assert not seen.state.reads.take_owed(key("a"))
    assert read(seen, "hold", 16)
    seen.take_list(20, thing("b", 2))
    assert read(seen, "hold", None)
    seen.take_list(30, thing("b", 2))
    assert seen.state.reads.disputed() == ()


def test_a_read_outweighs_a_list_that_ended_before_it(seen: Recorder) -> None:
    """The list would have shown it, the list removed it: both say nothing against etcd."""
    seen.take_list(20, thing("b", 2))
    assert set(seen.state.store) == {key("b")}
    assert read(seen, "a", 1)
    assert read(seen, "hold", 15)
    assert set(seen.state.store) == {key("a"), key("b"), key("hold")}


def test_an_answer_that_was_overtaken_says_nothing(seen: Recorder) -> None:
    moment = seen.state.moment()
    seen.watch("DELETED", "a", 20)
    assert not seen.state.put_read(thing("a", 12), moment)
    seen.take_list(30, thing("b", 2))
    assert not seen.state.put_read(thing("c", 25), moment)
    assert set(seen.state.store) == {key("b")}


def test_lists_that_follow_one_another_closely_do_not_keep_a_read_out(seen: Recorder) -> None:
    """However slow the answer is: the list of before it was asked for is proved wrong, so the next one is none, too."""
    seen.take_list(20, thing("b", 2))
    moment = seen.state.moment()
    seen.take_list(30, thing("b", 2))
    assert seen.state.put_read(thing("hold", 15), moment)
    seen.take_list(40, thing("b", 2))
    assert set(seen.state.store) == {key("b"), key("hold")}


def test_a_watch_that_starts_anew_owes_nothing_of_before(seen: Recorder) -> None:
    assert read(seen, "a", 12)
    seen.take_list(20, thing("a", 12), thing("b", 2), resume=True)
    assert not seen.state.reads.take_owed(key("a"))


def test_what_a_list_and_a_read_have_both_shown_is_lost_once(seen: Recorder) -> None:
    run = seen.state.start_list(resume=False)
    assert seen.state.compare_page(run, Page([thing("a", 12), thing("b", 2)], "15")) == [key("a")]
    assert read(seen, "a", 12)
    seen.state.end_list(run)
    seen.state.take_event(bookmark(20))
    assert seen.state.lost_events == 0
    assert seen.state.reads.take_owed(key("a"))
