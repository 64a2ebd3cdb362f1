"""Many holds in one namespace: what they cost, and what happens when there are too many."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiclients.engine import hold_index
from apiclients.engine.relations import Relations
from apiclients.engine.views import View, read_view
from apiclients.engine.wakes import WakeReason
from apiclients.lifecycle.holds import HoldView, matches, too_many_holds
from apiclients.resources.hold import MAX_SELECTING_HOLDS
from apiclients.resources.refs import ObjectRef
from apiclients.resources.selectors import LabelSelector
from tests.lifecycle.parties import raw_client

NOBODY = LabelSelector(match_labels={"no": "body"})
CLIENTS = 200


def client_of_name(name: str, namespace: str = "team-a", **labels: str) -> View:
    raw = raw_client()
    raw["metadata"] |= {"name": name, "namespace": namespace, "uid": f"{namespace}-{name}", "labels": labels}
    found, _ = read_view("ApiClient", raw)
    assert found is not None
    return found


@pytest.fixture
def relations() -> Relations:
    found = Relations()
    for number in range(CLIENTS):
        found.put(ObjectRef("ApiClient", "team-a", f"c{number}"), client_of_name(f"c{number}"))
    return found


def selecting(number: int) -> HoldView:
    return HoldView("team-a", f"h{number}", None, NOBODY, None)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hold of each match of a hold with a client from now on."""
    matched: list[str] = []

    def counting(hold: HoldView, *others: Any) -> bool:
        matched.append(hold.name)
        return matches(hold, *others)

    monkeypatch.setattr(hold_index, "matches", counting)
    return matched


def test_a_hold_costs_nothing_until_somebody_asks(relations: Relations, monkeypatch: pytest.MonkeyPatch) -> None:
    matched = counted(monkeypatch)
    for number in range(MAX_SELECTING_HOLDS):
        relations.put_hold(("team-a", f"h{number}"), selecting(number))
    assert matched == []
    for _ in range(10):
        assert relations.holds.of_client(("team-a", "c1")) == ()
    assert len(matched) == MAX_SELECTING_HOLDS, "what was found is remembered"
    relations.put_hold(("team-a", "named"), HoldView("team-a", "named", "c1", None, None))
    assert len(relations.holds.of_client(("team-a", "c1"))) == 1
    for number in range(MAX_SELECTING_HOLDS, 1000):
        relations.put_hold(("team-a", f"h{number}"), selecting(number))
        relations.holds.of_client(("team-a", "c1"))
    assert len(matched) == MAX_SELECTING_HOLDS, "one by name has nobody matched again, and beyond the cap nobody is"


def test_a_hold_is_matched_with_each_client_and_not_the_others_again(
    relations: Relations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for whom it concerns, and once more when they are looked at."""
    matched = counted(monkeypatch)
    for number in range(MAX_SELECTING_HOLDS):
        relations.put(ObjectRef("ApiClientHold", "team-a", f"h{number}"), selecting(number))
        for client in range(CLIENTS):
            relations.holds.of_client(("team-a", f"c{client}"))
    assert len(matched) == 2 * CLIENTS * MAX_SELECTING_HOLDS


@given(st.lists(st.tuples(st.sampled_from(["hold", "named", "labels", "ask"]), *[st.sampled_from("012")] * 2)))
def test_what_is_remembered_is_what_matches(changes: list[tuple[str, str, str]]) -> None:
    """After any changes of holds and labels, whenever somebody asked before. A hold of 0 goes."""
    relations, holds, labels = Relations(), dict[str, HoldView](), dict[str, str]()
    for what, one, other in changes:
        hold = ObjectRef("ApiClientHold", "team-a", f"h{one}")
        client = ObjectRef("ApiClient", "team-a", f"c{one}")
        if what == "labels":
            relations.put(client, client_of_name(client.name, of=other))
            labels[client.name] = other
        elif what == "ask":
            relations.holds.of_client(client.key)
        elif other == "0":
            relations.put(hold, None)
            holds.pop(hold.name, None)
        else:
            named, selector = (
                (f"c{other}", None) if what == "named" else (None, LabelSelector(match_labels={"of": other}))
            )
            holds[hold.name] = HoldView("team-a", hold.name, named, selector, None)
            relations.put(hold, holds[hold.name])
    for name, of in labels.items():
        found = sorted(hold.name for hold in relations.holds.of_client(("team-a", name)))
        assert found == sorted(hold.name for hold in holds.values() if matches(hold, "team-a", name, {"of": of}))


@pytest.mark.rule(32)
def test_too_many_hold_their_namespace_and_no_other(relations: Relations) -> None:
    relations.put(ObjectRef("ApiClient", "team-b", "c1"), client_of_name("c1", "team-b"))
    for number in range(MAX_SELECTING_HOLDS):
        relations.put(ObjectRef("ApiClientHold", "team-a", f"h{number}"), selecting(number))
    assert relations.holds.of_client(("team-a", "c1")) == ()
    one_more = ObjectRef("ApiClientHold", "team-a", "one-more")
    for view, held in ((selecting(1000), (too_many_holds("team-a"),)), (None, ())):
        wakes = list(chain(*relations.put(one_more, view)))
        woken = {wake.ref.name for wake in wakes if wake.ref.kind == "ApiClient"}
        assert woken == {f"c{number}" for number in range(CLIENTS)}
        assert {wake.reason for wake in wakes} == {WakeReason.HOLD_CHANGED}
        assert relations.holds.of_client(("team-a", "c1")) == held
        assert relations.holds.of_client(("team-b", "c1")) == ()


def test_once_there_are_no_longer_too_many_the_others_hear_whom_they_stop_now(relations: Relations) -> None:
    """Clients that came or went meanwhile woke none of them."""
    for number in range(MAX_SELECTING_HOLDS + 1):
        relations.put(ObjectRef("ApiClientHold", "team-a", f"h{number}"), selecting(number))
    relations.put(ObjectRef("ApiClientHold", "team-b", "elsewhere"), replace(selecting(0), namespace="team-b"))
    assert relations.put(ObjectRef("ApiClient", "team-a", "new"), client_of_name("new", no="body")) == []
    wakes = chain(*relations.put(ObjectRef("ApiClientHold", "team-a", "h0"), None))
    told = {wake.ref.key: wake.urgent for wake in wakes if wake.ref.kind == "ApiClientHold"}
    assert told == {("team-a", f"h{number}"): False for number in range(1, MAX_SELECTING_HOLDS + 1)}


def test_a_hold_by_name_hears_of_its_client_however_many_others_select(relations: Relations) -> None:
    for number in range(MAX_SELECTING_HOLDS + 1):
        relations.put(ObjectRef("ApiClientHold", "team-a", f"h{number}"), selecting(number))
    relations.put(ObjectRef("ApiClientHold", "team-a", "named"), HoldView("team-a", "named", "new", None, None))
    for view in (client_of_name("new"), None):
        wakes = chain(*relations.put(ObjectRef("ApiClient", "team-a", "new"), view))
        assert [wake.ref for wake in wakes] == [ObjectRef("ApiClientHold", "team-a", "named")]


def test_more_than_too_many_concern_nobody(relations: Relations) -> None:
    for number in range(MAX_SELECTING_HOLDS + 1):
        relations.put(ObjectRef("ApiClientHold", "team-a", f"h{number}"), selecting(number))
    everybody = LabelSelector()
    for hold in (HoldView("team-a", "h1", None, everybody, None), HoldView("team-a", "more", None, everybody, None)):
        assert relations.put(ObjectRef("ApiClientHold", "team-a", hold.name), hold) == []
    by_name = HoldView("team-a", "by-name", "c1", None, None)
    assert len(relations.put(ObjectRef("ApiClientHold", "team-a", "by-name"), by_name)) == 1


def test_holds_by_name_do_not_count(relations: Relations) -> None:
    for number in range(MAX_SELECTING_HOLDS + 50):
        relations.put(
            ObjectRef("ApiClientHold", "team-a", f"h{number}"), HoldView("team-a", f"h{number}", "c2", None, None)
        )
    assert relations.holds.of_client(("team-a", "c1")) == ()
    assert len(relations.holds.of_client(("team-a", "c2"))) == MAX_SELECTING_HOLDS + 50
