"""The picture: what the Reflector says, corrected by what proofs find."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apiclients.gate.state.picture import Finding
from apiclients.gate.state.reading import Unreadable, on_bad
from apiclients.gate.state.state import GateState
from apiclients.gate.state.tally import Tally
from apiclients.kube.kinds import API_CLIENTS
from apiclients.kube.objects import WatchEvent
from apiclients.lifecycle.access import ClientView, TokenClaims, token_denial
from apiclients.resources.apiclient import DesiredStatus
from tests.gate.support import CLIENT_ID, ISSUER, START, UID, Clock, client_object, store_of, view_of

KEY = ("team-a", "billing")
OTHER_UID = "ffffffff-0000-4000-8000-000000000002"


class Noting(Tally):
    """Notes which clients are forgotten."""

    def __init__(self, gone: list[str]) -> None:
        super().__init__()
        self._gone = gone

    def forget(self, uid: str) -> None:
        self._gone.append(uid)


class Fed:
    """A picture fed by the store behind a Reflector, as in the program."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.effects: list[float] = []
        self.gone: list[str] = []
        self.state = GateState(ISSUER, Noting(self.gone), self.clock.monotonic, self.effects.append)
        self.picture = self.state.picture
        self.store = store_of(self.state, API_CLIENTS)

    def event(self, type_: str = "MODIFIED", **fields: Any) -> None:
        self.store.take_event(WatchEvent(type_, client_object(**fields)))

    def view(self) -> ClientView | None:
        return self.picture.by_uid.get(UID)

    def find(self, version: int, uid: str = UID) -> Finding:
        finding = Finding(KEY, uid, version, generation=version)
        self.picture.deny(finding)
        return finding


@pytest.fixture
def fed() -> Fed:
    found = Fed()
    found.event("ADDED", version=100)
    return found


def test_look_ups(fed: Fed) -> None:
    assert fed.view() == view_of()
    assert fed.picture.by_client_id == {CLIENT_ID: view_of()}
    fed.event("DELETED", version=101)
    assert (dict(fed.picture.by_uid), dict(fed.picture.by_client_id)) == ({}, {})
    assert fed.gone == [UID]


@pytest.mark.rule(11)
def test_a_client_made_anew_replaces_the_old_one(fed: Fed) -> None:
    fed.event("ADDED", uid=OTHER_UID, version=103)
    assert list(fed.picture.by_uid) == [OTHER_UID]
    assert list(fed.picture.by_client_id) == ["team-a.billing.ffffffff"]


def test_time_from_arrival_to_effect(fed: Fed) -> None:
    assert fed.effects == [0.0]


@pytest.mark.rule(32)
class TestUnreadable:
    @pytest.mark.parametrize(
        "broken",
        [
            {"spec": {}},
            {"spec": {"desiredStatus": "Paused"}},
            {"spec": {"desiredStatus": "Available", "tokens": {"lifetime": "1 day"}}},
            {"status": {"observedStatus": "Excellent"}},
            {"status": {"tokens": {"notBefore": "yesterday"}}},
        ],
    )
    def test_it_is_denied_counted_and_said_once(
        self, fed: Fed, broken: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        for version in (101, 102):
            fed.store.take_event(WatchEvent("MODIFIED", client_object(version=version) | broken))
        assert fed.view() is None
        assert len(fed.state.unreadable["apiclients"]) == 1
        assert caplog.text.count("cannot be read and denies") == 1
        fed.event(version=103)
        assert fed.view() == view_of()
        assert len(fed.state.unreadable["apiclients"]) == 0

    def test_a_deleted_one_is_no_longer_counted(self, fed: Fed) -> None:
        body = client_object(version=101) | {"spec": {}}
        fed.store.take_event(WatchEvent("MODIFIED", body))
        fed.store.take_event(
            WatchEvent("DELETED", {**body, "metadata": {**body["metadata"], "resourceVersion": "9999"}})
        )
        assert len(fed.state.unreadable["apiclients"]) == 0

    def test_anything_else_that_reading_raises(self) -> None:
        assert on_bad("ApiClient")({}, KeyError("uid")) == Unreadable("KeyError")


@pytest.mark.rule(17)
class TestFindings:
    def test_a_newer_finding_denies_at_once(self, fed: Fed) -> None:
        fed.find(105)
        assert fed.view() == replace(
            view_of(), desired_status=replace(view_of().desired_status, requested=DesiredStatus.SUSPENDED)
        )
        assert fed.picture.by_client_id[CLIENT_ID].desired is DesiredStatus.SUSPENDED

    @pytest.mark.parametrize("version", [99, 100])
    def test_the_picture_knows_better(self, fed: Fed, version: int) -> None:
        """It was resumed after the list."""
        assert fed.picture.deny(Finding(KEY, UID, version, 1)) is False
        assert fed.view() == view_of()

    def test_older_events_do_not_lift_it(self, fed: Fed) -> None:
        fed.find(105)
        fed.event(version=104)
        view = fed.view()
        assert view is not None
        assert view.desired is DesiredStatus.SUSPENDED

    def test_the_event_itself_does(self, fed: Fed) -> None:
        fed.find(105)
        fed.event(version=105, desired="Retired")
        assert fed.view() == view_of(desired="Retired")
        assert fed.picture.open_findings() == ()
        fed.event(version=106)
        assert fed.view() == view_of()

    def test_another_uid_means_that_the_known_one_is_gone(self, fed: Fed) -> None:
        finding = fed.find(105, OTHER_UID)
        assert fed.view() is None
        assert CLIENT_ID not in fed.picture.by_client_id
        fed.picture.lift(finding)
        assert fed.view() == view_of()

    def test_a_finding_waits_for_an_object_that_is_not_known_yet(self) -> None:
        fed = Fed()
        fed.find(105)
        assert fed.view() is None
        fed.event("ADDED", version=104)
        view = fed.view()
        assert view is not None
        assert view.desired is DesiredStatus.SUSPENDED

    def test_a_finding_of_an_unreadable_object(self, fed: Fed) -> None:
        fed.store.take_event(WatchEvent("MODIFIED", client_object(version=101) | {"spec": {}}))
        fed.find(105)
        assert fed.view() is None

    def test_a_deletion_ends_it(self, fed: Fed) -> None:
        fed.find(105)
        fed.event("DELETED", version=106, desired="Suspended")
        assert fed.view() is None
        assert fed.picture.open_findings() == ()

    def test_an_already_denied_one_cannot_flicker(self, fed: Fed) -> None:
        """Suspended (101), resumed (102), suspended (103): the proof saw 103, the watch is still at 101."""
        fed.event(version=101, desired="Suspended")
        fed.find(103)
        fed.event(version=102, desired="Available")
        view = fed.view()
        assert view is not None
        assert view.desired is DesiredStatus.SUSPENDED

    def test_lifting_an_outdated_finding_changes_nothing(self, fed: Fed) -> None:
        old = fed.find(105)
        fed.find(107)
        fed.picture.lift(old)
        assert [finding.version for finding in fed.picture.open_findings()] == [107]


def test_changes_of_the_wish_are_logged(fed: Fed, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        fed.event(version=101)
        assert caplog.messages == []
        fed.event(version=102, desired="Suspended")
        fed.event("DELETED", version=103)
    assert caplog.messages == [
        "apiclient team-a/billing is now desired Suspended",
        "apiclient team-a/billing is gone",
    ]


@given(
    history=st.lists(st.sampled_from(["Available", "Suspended", "Retired", "gone"]), min_size=1, max_size=12),
    data=st.data(),
)
@settings(max_examples=300, deadline=None)
@pytest.mark.rule(17)
def test_after_a_proof_nothing_is_accepted_that_it_showed_denied(history: list[str], data: st.DataObject) -> None:
    """Whatever the watch delivers late, and whenever a proof looks: it never allows what the proof saw denied."""
    fed = Fed()
    claims = TokenClaims(uid=UID, issued_at=int(START), expires=int(START) + 3600)
    delivered = 0
    proved = -1
    while delivered < len(history):
        if data.draw(st.booleans(), "a proof now"):
            at = data.draw(st.integers(delivered, len(history) - 1), "the state of")
            proved = max(proved, at)
            if history[at] in {"Suspended", "Retired"}:
                fed.find(1000 + at)
        desired, version = history[delivered], 1000 + delivered
        if desired == "gone":
            fed.event("DELETED", version=version)
        else:
            fed.event("MODIFIED", version=version, desired=desired)
        accepted = token_denial(fed.view(), claims, START) is None
        newest = history[max(delivered, proved)]
        if delivered <= proved and newest in {"Suspended", "Retired"}:
            assert not accepted
        if delivered > proved:
            assert accepted == (desired == "Available")
        delivered += 1
