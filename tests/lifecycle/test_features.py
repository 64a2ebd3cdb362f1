"""Fields that restrict, and gates that are too old to obey them (DESIGN rule 33)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from apiclients.lifecycle.contracts import decide_contract
from apiclients.lifecycle.features import NO_FEATURES, Feature, features_used, gate_too_old, lacking
from apiclients.lifecycle.holds import HoldDecision, decide_hold
from apiclients.lifecycle.replicas import Replica, replica
from apiclients.resources.conditions import Reason
from apiclients.resources.fields import format_time
from apiclients.resources.names import OBEYS_ANNOTATION
from apiclients.resources.objects import ApiClientHold, Contract
from tests.lifecycle.parties import NOW, check, in_force, message, raw_contract, told
from tests.lifecycle.world import START, World, available

pytestmark = pytest.mark.rule(33)

ALL = ",".join(Feature)
LONG_AGO = "2020-01-01T00:00:00Z"
OLD = dict.fromkeys(Feature, ("gate-old",))


def gate(name: str, obeys: str | None, *, renewed: datetime = START, seconds: int = 15) -> Replica:
    """A gate as its Lease tells; None for one of before gates said what they obey."""
    notes = {} if obeys is None else {OBEYS_ANNOTATION: obeys}
    spec = {"renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "leaseDurationSeconds": seconds}
    return replica({"metadata": {"name": name, "annotations": notes}, "spec": spec})


def hold(**spec: Any) -> ApiClientHold:
    meta = {"namespace": "team-a", "name": "stop", "uid": "u", "generation": 1}
    return ApiClientHold.from_object({"metadata": meta, "spec": {"reason": "An emergency", **spec}})


def decided(one: ApiClientHold, gates: Any = OLD) -> HoldDecision:
    return decide_hold(one, ["billing"], START, clock_trusted=True, gates_lacking=gates)


@pytest.mark.parametrize(
    ("obeys", "missing"),
    [
        (None, set(Feature)),
        ("", set(Feature)),
        (ALL, set()),
        (f"{ALL},ApiClient.spec.ofTomorrow", set()),
        ("ApiClient.spec.secret.notBefore", set(Feature) - {Feature.SECRET_NOT_BEFORE}),
        ("ApiClient.spec.secret", set(Feature)),
    ],
)
def test_a_gate_obeys_what_its_lease_lists_and_nothing_else(obeys: str | None, missing: set[Feature]) -> None:
    assert set(lacking([gate("a", obeys)], START)) == missing


def test_a_lease_may_end_later_than_any_time_can_tell() -> None:
    last = {"renewTime": "9999-12-31T23:59:59.000000Z", "leaseDurationSeconds": 2**31 - 1}
    assert replica({"metadata": {"name": "odd"}, "spec": last}).alive(START)


def test_only_gates_whose_lease_is_good_count() -> None:
    gates = [gate("dead", None, renewed=START - timedelta(seconds=16)), gate("new", ALL), gate("old", None)]
    assert lacking(gates, START) == dict.fromkeys(Feature, ("old",))
    assert lacking(gates, START + timedelta(seconds=15)) == dict.fromkeys(Feature, ("old",))
    assert lacking(gates, START + timedelta(seconds=16)) == {}
    assert lacking([], START) == {}
    assert not replica({"metadata": {"name": "empty"}}).alive(START)


@pytest.mark.parametrize(
    ("spec", "used"),
    [
        ({"allClients": True}, {Feature.ALL_CLIENTS}),
        ({"allClients": False, "clientName": "billing"}, NO_FEATURES),
        ({"selector": {}}, NO_FEATURES),
    ],
)
def test_a_hold_uses_a_feature_only_where_it_says_so(spec: dict[str, Any], used: frozenset[Feature]) -> None:
    assert features_used(hold(**spec)) == used


def test_a_client_uses_a_feature_only_where_it_says_so() -> None:
    assert features_used(World().client()) == NO_FEATURES
    assert features_used(World().edit(tokens__notBefore=LONG_AGO).client()) == NO_FEATURES
    assert features_used(World().edit(secret__notBefore=LONG_AGO).client()) == {Feature.SECRET_NOT_BEFORE}


def test_a_contract_uses_a_feature_only_where_it_ends() -> None:
    plain, ending = raw_contract(), raw_contract()
    ending["spec"]["endTime"] = format_time(START)
    assert features_used(Contract.from_object(plain)) == NO_FEATURES
    assert features_used(Contract.from_object(ending)) == {Feature.CONTRACT_END}


def test_a_contract_that_ends_is_stalled_while_a_gate_would_go_on() -> None:
    stage = in_force().ask(endTime=format_time(NOW + timedelta(days=30)))
    observed = replace(stage._observed(), gates_lacking={Feature.CONTRACT_END: ("gate-old",)})
    status = decide_contract(observed, NOW)
    check(status, observed.contract.metadata.generation, "contracts")
    assert (told(status, "Ready"), told(status, "Stalled")) == ("False/GateTooOld", "True/GateTooOld")
    assert told(status, "Active") == "True/Active"
    assert "do not obey spec.endTime" in message(status)
    over = decide_contract(observed, NOW + timedelta(days=30))
    assert told(over, "Stalled") == "-", "what has ended every gate obeys"


def test_the_message_names_the_field_and_some_of_the_gates() -> None:
    many = {Feature.ALL_CLIENTS: tuple(f"gate-{number}" for number in range(7))}
    problem = gate_too_old([Feature.ALL_CLIENTS], many)
    assert problem is not None
    assert problem.reason is Reason.GATE_TOO_OLD
    assert "do not obey spec.allClients" in problem.message
    assert problem.message.count("gate-") == 5
    assert "and 2 more" in problem.message
    assert gate_too_old([Feature.SECRET_NOT_BEFORE], many) is None
    assert gate_too_old([], OLD) is None


def test_a_client_is_stalled_while_a_gate_does_not_obey_a_field_that_it_uses() -> None:
    world = available(secret__notBefore=LONG_AGO)
    assert world.told("Stalled") == "-"
    world.gates_lacking = OLD
    world.settle()
    assert (world.told("Stalled"), world.told("Ready")) == ("True/GateTooOld", "False/GateTooOld")
    assert world.told("Active") == "True/Available"
    stalled = world.condition("Stalled")
    assert stalled is not None
    assert "gate-old" in stalled.message
    assert "spec.secret.notBefore" in stalled.message
    world.edit(secret__notBefore=None).settle()
    assert (world.told("Stalled"), world.told("Ready")) == ("-", "True/Available")


def test_an_old_gate_is_told_before_anything_else_that_a_person_can_fix() -> None:
    world = available(secret__notBefore=LONG_AGO).edit(secret__renewBefore="9999h")
    world.settle()
    assert world.told("Stalled") == "True/InvalidSpec"
    world.gates_lacking = OLD
    world.settle()
    assert world.told("Stalled") == "True/GateTooOld"


def test_the_operator_does_all_that_it_can_all_the_same() -> None:
    """What an old gate does not obey in spec it may well obey in status, so that is written at once."""
    world = available()
    world.gates_lacking = OLD
    before = world.secret_bytes()
    world.edit(secret__notBefore="2026-03-01T10:09:00Z").settle()
    assert world.told("Ready") == "False/GateTooOld"
    assert world.secret_bytes() != before
    assert world.log_in(before) != world.log_in()


def test_a_hold_is_stalled_while_a_gate_does_not_obey_a_field_that_it_uses() -> None:
    everybody = decided(hold(allClients=True)).status
    assert (told(everybody, "Stalled"), told(everybody, "Ready")) == ("True/GateTooOld", "False/GateTooOld")
    assert told(everybody, "Active") == "True/Holding"
    assert everybody.stopped_names == ["billing"]
    for other in (decided(hold(allClients=True), {}), decided(hold(clientName="billing")), decided(hold(selector={}))):
        assert (told(other.status, "Stalled"), told(other.status, "Ready")) == ("-", "True/Holding")


def test_a_hold_that_has_expired_needs_no_gate() -> None:
    over = decided(hold(allClients=True, expiresTime="2026-02-01T00:00:00Z")).status
    assert (told(over, "Stalled"), told(over, "Ready")) == ("-", "True/HoldExpired")
