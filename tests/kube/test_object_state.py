"""The order of statements: newer wins, nothing comes back, only what the watch passed over counts as lost (rule 17)."""

from __future__ import annotations

import pytest

from apiclients.kube.errors import MalformedObjectError
from apiclients.kube.object_state import STALE_LISTS, TOMBSTONE_SECONDS, Change, ObjectState, StaleListError
from apiclients.kube.objects import JsonObject, Page, WatchEvent
from tests.kube.recorder import Recorder, bookmark, key, thing

pytestmark = pytest.mark.rule(17)


@pytest.fixture
def seen() -> Recorder:
    recorder = Recorder()
    recorder.take_list(10, thing("a", 1), thing("b", 2), resume=True)
    recorder.changes.clear()
    return recorder


def test_first_list_fills_the_store() -> None:
    recorder = Recorder()
    recorder.take_list(10, thing("a", 1), resume=True)
    assert recorder.told == [("list", "a", None, 1)]
    assert dict(recorder.state.store) == {key("a"): ("uid-a", 1)}
    assert recorder.state.reached == recorder.state.resource_version == 10


def test_an_older_list_never_overwrites_a_newer_event(seen: Recorder) -> None:
    run = seen.state.start_list(resume=False)
    seen.watch("MODIFIED", "a", 12)
    seen.take_list(11, thing("a", 1), thing("b", 2), run=run)
    assert seen.state.store[key("a")][1] == 12
    assert seen.state.lost_events == 0


def test_a_list_does_not_bring_a_deleted_object_back(seen: Recorder) -> None:
    run = seen.state.start_list(resume=False)
    seen.watch("DELETED", "a", 12)
    seen.take_list(11, thing("a", 1), thing("b", 2), run=run)
    assert key("a") not in seen.state.store


def test_a_list_does_not_drop_what_was_added_after_it(seen: Recorder) -> None:
    run = seen.state.start_list(resume=False)
    seen.watch("ADDED", "c", 12)
    seen.take_list(11, thing("a", 1), thing("b", 2), run=run)
    assert key("c") in seen.state.store


def test_a_list_that_is_ahead_of_the_watch_loses_nothing(seen: Recorder) -> None:
    seen.take_list(14, thing("a", 12), thing("c", 14))  # b deleted at 13; the watch is a moment behind
    assert seen.told == [("relist", "a", 1, 12), ("relist", "c", None, 14), ("relist", "b", 2, None)]
    seen.watch("MODIFIED", "a", 12)
    seen.watch("DELETED", "b", 13)
    seen.watch("ADDED", "c", 14)
    seen.state.take_event(bookmark(20))
    assert seen.state.lost_events == 0
    assert len(seen.changes) == 3, "what the list told is not told twice"


def test_what_the_watch_passed_over_is_lost(seen: Recorder) -> None:
    seen.take_list(14, thing("a", 12), thing("c", 14))
    assert seen.state.lost_events == 0, "uncertain as long as the watch is behind"
    seen.watch("DELETED", "b", 13)
    assert seen.state.lost_events == 1, "12 was passed over"
    seen.state.take_event(bookmark(14))
    assert seen.state.lost_events == 2


def test_what_the_watch_had_passed_before_the_list_is_lost_at_once(seen: Recorder) -> None:
    seen.state.take_event(bookmark(20))
    seen.take_list(20, thing("a", 12))
    assert seen.state.lost_events == 2
    assert dict(seen.state.store) == {key("a"): ("uid-a", 12)}


def test_a_gap_is_no_loss(seen: Recorder) -> None:
    seen.take_list(30, thing("a", 25), resume=True)
    seen.state.take_event(bookmark(40))
    assert seen.state.lost_events == 0
    assert seen.state.reached == 40


def test_what_was_uncertain_before_a_gap_is_no_loss_after_it(seen: Recorder) -> None:
    seen.take_list(14, thing("a", 12))
    seen.take_list(30, thing("a", 12), resume=True)
    seen.state.take_event(bookmark(40))
    assert seen.state.lost_events == 0


def test_a_replay_after_reconnecting_tells_nothing_again(seen: Recorder) -> None:
    seen.take_list(14, thing("a", 12))
    seen.changes.clear()
    seen.watch("ADDED", "x", 11)  # made at 11 and deleted at 13: both before the list
    seen.watch("MODIFIED", "a", 12)
    seen.watch("DELETED", "x", 13)
    assert seen.changes == []


def test_recreated_under_the_same_name_is_delete_then_add(seen: Recorder) -> None:
    seen.watch("MODIFIED", "a", 15, uid="other")
    assert seen.told == [("watch", "a", 1, None), ("watch", "a", None, 15)]


def test_the_deletion_of_an_earlier_object_does_not_hit_its_successor(seen: Recorder) -> None:
    seen.state.put(thing("a", 15, uid="other"), "put")
    seen.watch("DELETED", "a", 14)
    assert seen.state.store[key("a")] == ("other", 15)


def test_own_writes_are_taken_once(seen: Recorder) -> None:
    seen.state.put(thing("a", 15), "put")
    seen.watch("MODIFIED", "a", 15)
    assert seen.told == [("put", "a", 1, 15)]


def test_a_late_answer_does_not_bring_an_object_back(seen: Recorder) -> None:
    seen.watch("MODIFIED", "a", 15)
    seen.watch("DELETED", "a", 16)
    seen.state.put(thing("a", 15), "put")
    assert key("a") not in seen.state.store
    seen.take_list(20, thing("b", 2))
    seen.state.put(thing("c", 18), "get")
    assert key("c") not in seen.state.store, "a list since then did not show it"


def test_what_a_read_found_gone_stays_gone_while_the_watch_tells_its_past(seen: Recorder) -> None:
    seen.state.absent(key("a"), seen.state.version_of(key("a")))
    seen.watch("MODIFIED", "a", 12)
    assert seen.told == [("get", "a", 1, None)]
    seen.watch("DELETED", "a", 13)
    seen.watch("ADDED", "a", 14, uid="other")
    assert seen.state.store[key("a")] == ("other", 14)


def test_the_late_deletion_of_a_predecessor_does_not_make_a_later_one_forgotten(seen: Recorder) -> None:
    seen.state.put(thing("a", 15, uid="other"), "put")  # the watch is behind: 12 deleted a, 14 made it anew
    seen.state.absent(key("a"), 15)
    seen.watch("DELETED", "a", 12)
    seen.watch("ADDED", "a", 14, uid="other")
    assert key("a") not in seen.state.store


def test_a_read_that_found_nothing_does_not_remove_what_came_meanwhile(seen: Recorder) -> None:
    version = seen.state.version_of(key("a"))
    seen.watch("MODIFIED", "a", 15, uid="other")
    seen.state.absent(key("a"), version)
    assert key("a") in seen.state.store


def test_a_stale_list_changes_nothing(seen: Recorder) -> None:
    seen.watch("MODIFIED", "a", 15)
    run = seen.state.start_list(resume=False)
    with pytest.raises(StaleListError):
        seen.state.take_page(run, Page([thing("a", 1)], "14"))
    assert seen.state.store[key("a")][1] == 15


def test_stale_lists_that_last_void_the_history(seen: Recorder) -> None:
    seen.watch("MODIFIED", "a", 15)
    replaced = []
    for _ in range(STALE_LISTS):
        with pytest.raises(StaleListError) as caught:
            seen.take_list(14, thing("a", 1))
        replaced.append(caught.value.history_replaced)
    assert replaced == [False] * (STALE_LISTS - 1) + [True]
    assert seen.state.store[key("a")][1] == 15
    seen.take_list(14, thing("a", 1))
    assert dict(seen.state.store) == {key("a"): ("uid-a", 1)}


def test_a_list_of_versions_says_what_has_to_be_read_anew(seen: Recorder) -> None:
    run = seen.state.start_list(resume=False)
    behind = seen.state.compare_page(run, Page([thing("a", 12), thing("c", 14)], "14"))
    assert (behind, seen.changes) == ([key("a"), key("c")], [])
    seen.state.put(thing("a", 16), "get")
    seen.state.put(thing("c", 14), "get")
    seen.state.end_list(run)
    assert dict(seen.state.store) == {key("a"): ("uid-a", 16), key("c"): ("uid-c", 14)}
    seen.state.take_event(bookmark(15))
    assert seen.state.lost_events == 3, "12, 14, and the deletion of b"


def test_a_list_says_nothing_of_what_it_leaves_out(seen: Recorder) -> None:
    elsewhere = thing("x", 3) | {"metadata": thing("x", 3)["metadata"] | {"namespace": "elsewhere"}}
    seen.state.put(elsewhere, "get")
    seen.take_list(10, thing("a", 1), thing("b", 2), elsewhere, resume=True)
    run = seen.state.start_list(resume=False, left_out=frozenset({"elsewhere"}))
    seen.take_list(20, thing("a", 1), run=run)
    assert set(seen.state.store) == {key("a"), ("elsewhere", "x")}, "b has gone, of x it says nothing"
    elsewhere["metadata"]["resourceVersion"] = "15"
    seen.state.take_event(WatchEvent("MODIFIED", elsewhere))
    assert seen.state.store["elsewhere", "x"][1] == 15, "an event from before the list is news there"
    seen.watch("MODIFIED", "b", 16)
    assert key("b") not in seen.state.store, "and old where the list said something"


def test_without_an_order_a_change_is_lost_when_the_next_list_begins() -> None:
    recorder = Recorder(in_order=False)
    recorder.take_list(10, thing("a", 1), thing("b", 2), resume=True)
    recorder.take_list(20, thing("a", 12), thing("b", 14))
    recorder.watch("ADDED", "c", 30)
    assert recorder.state.lost_events == 0
    recorder.watch("MODIFIED", "b", 14)
    recorder.state.start_list(resume=False)
    assert recorder.state.lost_events == 1


def test_after_forgetting_history_the_next_list_replaces_everything(seen: Recorder) -> None:
    seen.watch("MODIFIED", "a", 15)
    seen.state.forget_history()
    seen.take_list(5, thing("a", 3), resume=True)
    assert dict(seen.state.store) == {key("a"): ("uid-a", 3)}
    assert seen.state.lost_events == 0
    assert seen.state.reached == 5


def test_tombstones_do_not_stay_for_ever(seen: Recorder) -> None:
    for version in range(20, 30):
        seen.watch("ADDED", f"t{version}", version)
        seen.watch("DELETED", f"t{version}", version)
    seen.now += TOMBSTONE_SECONDS + 1
    seen.watch("DELETED", "a", 40)
    assert list(seen.state._tombs) == [key("a")]
    assert len(seen.state._tomb_queue) == 1


def test_a_bad_object_is_absent_unless_someone_says_otherwise() -> None:
    def convert(body: JsonObject) -> str:
        return str(body["spec"])

    def on_bad(body: JsonObject, error: Exception) -> str | None:
        return "bad" if body["metadata"]["name"] == "b" and isinstance(error, KeyError) else None

    changes: list[Change[str]] = []
    state = ObjectState(convert, changes.append, on_bad)
    state.take_event(WatchEvent("ADDED", {**thing("a", 1), "spec": "good"}))
    state.take_event(WatchEvent("MODIFIED", thing("a", 2)))
    state.take_event(WatchEvent("ADDED", thing("b", 3)))
    assert dict(state.store) == {key("b"): "bad"}
    assert [(change.old, change.new) for change in changes] == [(None, "good"), ("good", None), (None, "bad")]


def test_a_bad_object_is_logged_without_its_content(caplog: pytest.LogCaptureFixture) -> None:
    def convert(body: JsonObject) -> str:
        raise ValueError(body["secret"])

    state = ObjectState(convert)
    state.take_event(WatchEvent("ADDED", {**thing("a", 1), "secret": "s3cr3t"}))
    assert "ns/a" in caplog.text
    assert "s3cr3t" not in caplog.text


@pytest.mark.parametrize("body", [{}, {"metadata": {"name": "a"}}, {"metadata": {"name": "a", "resourceVersion": "x"}}])
def test_an_object_without_metadata_is_an_error(body: JsonObject) -> None:
    with pytest.raises(MalformedObjectError):
        ObjectState(lambda _: 1).take_event(WatchEvent("ADDED", body))
