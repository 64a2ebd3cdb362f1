"""What an object counts as that this version cannot read, and what is said on it (rule 32)."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apiclients.lifecycle.contract_view import contract_view, counts_as_active
from apiclients.lifecycle.holds import in_force, matches
from apiclients.lifecycle.unreadable import (
    unreadable_conditions,
    unreadable_contract,
    unreadable_hold,
    unreadable_ruling,
)
from apiclients.resources.contract import ContractStatusName
from apiclients.resources.objects import ApiClient, Contract, InvalidObjectError

pytestmark = pytest.mark.rule(32)

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
PROBLEM = "status.observedStatus: 'Paused' is not known to this version"
ACTIVE = {"type": "Active", "status": "True", "reason": "Available", "lastTransitionTime": "2026-01-01T00:00:00z"}
VERIFIED = {"type": "Verified", "status": "Perhaps", "weight": 3}
SPEC = {"clientName": "billing", "api": {"namespace": "team-b", "name": "orders"}, "plan": "gold"}
STATUS = {"observedStatus": "Paused", "inForce": {"clientUid": "c-1", "plan": "gold"}}


def raw(spec: Any = None, status: Any = None, **metadata: Any) -> dict[str, Any]:
    meta = {"namespace": "team-a", "name": "one", "uid": "u-1", "generation": 3, **metadata}
    return {"metadata": meta, "spec": spec, "status": status}


class TestProblem:
    def test_it_names_field_and_value(self) -> None:
        with pytest.raises(InvalidObjectError) as caught:
            ApiClient.from_object(raw({"desiredStatus": "Available"}, {"observedStatus": "Paused"}))
        assert str(caught.value) == PROBLEM

    def test_it_names_fields_of_spec_and_status_and_their_place_in_a_list(self) -> None:
        status = {"conditions": [{"type": "Ready", "status": "Maybe", "reason": "X", "lastTransitionTime": "never"}]}
        with pytest.raises(InvalidObjectError) as caught:
            ApiClient.from_object(raw({"desiredStatus": "Dormant"}, status))
        told = str(caught.value)
        assert "spec.desiredStatus: 'Dormant' is not known to this version" in told
        assert "status.conditions[0].status: 'Maybe' is not known to this version" in told
        assert "status.conditions[0].lastTransitionTime: 'never' is not a time" in told

    def test_it_quotes_nothing_that_may_be_secret(self) -> None:
        status = {"clientId": {"hidden": "s3cr3t"}, "tokens": {"notBefore": {"hidden": "s3cr3t"}}}
        with pytest.raises(InvalidObjectError) as caught:
            ApiClient.from_object(raw({"desiredStatus": "Available"}, status))
        assert "status.tokens.notBefore: a value of type dict is no text" in str(caught.value)
        assert "s3cr3t" not in str(caught.value)


class TestConditions:
    def told(self, conditions: Any, problem: str = PROBLEM, now: datetime = NOW) -> Any:
        return unreadable_conditions(raw({}, {"conditions": conditions}), problem, now)

    def test_ready_and_stalled_say_it_and_all_others_stay_as_they_are(self) -> None:
        ready = {"type": "Ready", "status": "True", "reason": "Available", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        before = copy.deepcopy([ready, ACTIVE, VERIFIED])
        told = self.told([ACTIVE, ready, VERIFIED])
        own = [told[1], told[3]]
        assert [(c["type"], c["status"]) for c in own] == [("Ready", "False"), ("Stalled", "True")]
        assert {c["reason"] for c in own} == {"Unreadable"}
        assert all(c["message"].startswith(PROBLEM) and c["observedGeneration"] == 3 for c in own)
        assert [told[0], told[2]] == before[1:]

    def test_it_is_said_once(self) -> None:
        told = self.told([ACTIVE])
        assert self.told(told, now=NOW + timedelta(hours=1)) is None

    def test_another_problem_is_said_without_another_transition(self) -> None:
        told = self.told(self.told([]), problem="spec.tokens.notBefore: no time", now=NOW + timedelta(hours=1))
        assert [c["lastTransitionTime"] for c in told] == ["2026-01-02T03:04:05Z"] * 2
        assert all(c["message"].startswith("spec.tokens.notBefore") for c in told)

    @pytest.mark.parametrize("status", [None, {}, {"conditions": None}])
    def test_where_nothing_was_said_before(self, status: Any) -> None:
        told = unreadable_conditions(raw({}, status), PROBLEM, NOW)
        assert told is not None
        assert len(told) == 2

    @pytest.mark.parametrize("status", [7, {"conditions": {"Ready": True}}])
    def test_conditions_of_another_shape_are_not_overwritten(self, status: Any) -> None:
        assert unreadable_conditions(raw({}, status), PROBLEM, NOW) is None


class TestHold:
    def test_it_stops_whom_it_names(self) -> None:
        hold = unreadable_hold(raw({"clientName": "billing", "expiresTime": "0000-01-01T00:00:00Z"}))
        assert matches(hold, "team-a", "billing", {})
        assert not matches(hold, "team-a", "orders", {})

    @pytest.mark.parametrize("spec", [None, {}, {"clientName": 7}, {"selector": {"matchLabels": {"a": "b"}}}])
    def test_else_everybody_in_its_namespace(self, spec: Any) -> None:
        hold = unreadable_hold(raw(spec))
        assert matches(hold, "team-a", "orders", {})
        assert not matches(hold, "team-b", "orders", {})

    def test_it_does_not_expire(self) -> None:
        assert in_force(unreadable_hold(raw({"expiresTime": "1970-01-01T00:00:00Z"})), NOW.timestamp())


class TestApproval:
    def test_it_may_reject_the_contract_that_it_names(self) -> None:
        found = unreadable_ruling(raw({"contract": {"namespace": "team-b", "name": "orders"}, "decision": "Perhaps"}))
        assert found is not None
        assert (found.contract, found.readable) == (("team-b", "orders"), False)

    @pytest.mark.parametrize("spec", [None, {"contract": "orders"}, {"contract": {"namespace": "team-b"}}])
    def test_one_that_names_none_speaks_of_none(self, spec: Any) -> None:
        assert unreadable_ruling(raw(spec)) is None

    def test_one_that_is_going_says_nothing_any_more(self) -> None:
        spec = {"contract": {"namespace": "team-b", "name": "orders"}}
        assert unreadable_ruling(raw(spec, deletionTimestamp="2026-01-01T00:00:00Z")) is None


class TestContract:
    def test_it_counts_as_active(self) -> None:
        view = unreadable_contract(raw(SPEC, STATUS))
        assert (view.status, view.claim.client) == (ContractStatusName.ACTIVE, "billing")
        assert view.claim.api == ("team-b", "orders")

    @pytest.mark.parametrize("status", [7, {"observedStatus": 7}, {"observedStatus": {}}, {"observedStatus": "Paused"}])
    def test_whatever_its_status_is(self, status: Any) -> None:
        assert unreadable_contract(raw(SPEC, status)).status is ContractStatusName.ACTIVE

    @pytest.mark.parametrize("spec", [None, [], {"clientName": 7, "api": "orders"}])
    def test_whatever_its_spec_is(self, spec: Any) -> None:
        assert unreadable_contract(raw(spec, STATUS)).status is ContractStatusName.ACTIVE
        assert not unreadable_contract(raw(spec, STATUS)).readable

    def test_one_that_is_being_deleted_has_ended(self) -> None:
        going = raw(SPEC, STATUS, deletionTimestamp="2026-01-01T00:00:00Z")
        assert unreadable_contract(going).status is ContractStatusName.INACTIVE
        assert not counts_as_active(unreadable_contract(going))

    def test_it_is_granted_and_no_way_to_its_api(self) -> None:
        view = unreadable_contract(raw(SPEC, STATUS))
        assert counts_as_active(view)
        assert not view.readable
        assert view.in_force is not None
        assert view.in_force.client_uid == "c-1"

    def test_a_readable_one_counts_as_it_says(self) -> None:
        pending = raw(SPEC, {"observedStatus": "Pending"})
        assert contract_view(Contract.from_object(pending)).status is unreadable_contract(pending).status
