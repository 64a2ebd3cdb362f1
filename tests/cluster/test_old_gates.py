"""Gates that are too old for what a spec says (DESIGN rule 33). All that the operator knows of a gate is its Lease."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from apiclients.lifecycle.features import Feature
from apiclients.lifecycle.replicas import replica
from apiclients.resources.names import GATE_LEASE_SELECTOR
from demo.service import Service
from tests.toolkit.objects import SYSTEM, JsonObject, gate_lease, hold
from tests.toolkit.product import Client, Product, Team, condition, metrics
from tests.toolkit.waiting import PATIENCE, eventually, settled

pytestmark = pytest.mark.rule(33)

OLD = "apiclient-gate-old"
LONG_AGO = "2020-01-01T00:00:00Z"
TOO_OLD = ("True", "GateTooOld")


@pytest.fixture
def old_gate(product: Product) -> Iterator[JsonObject]:
    """The Lease of a gate that lists nothing, until the test ends or deletes it."""
    yield product.admin.apply_object("leases", gate_lease(OLD))
    product.admin.delete("leases", SYSTEM, OLD)


def stalled(obj: JsonObject) -> tuple[str, str] | None:
    found = condition(obj, "Stalled")
    return (found["status"], found["reason"]) if found else None


def until_told(client: Client) -> JsonObject:
    return client.until_condition("Stalled", *TOO_OLD)


def until_obeyed(client: Client) -> None:
    client.wait("is not stalled", lambda obj: stalled(obj) is None)
    assert client.condition("Ready")["reason"] == "Available"


def woken(operator: Service) -> float:
    """How many objects were looked at again because of gates."""
    found = metrics(operator).items()
    return sum(value for series, value in found if "wakes_total" in series and 'reason="gates_changed"' in series)


def test_gates_list_what_they_obey(product: Product) -> None:
    leases = product.admin.list("leases", SYSTEM, labelSelector=GATE_LEASE_SELECTOR)
    assert len(leases) >= len(product.gates)
    assert all(replica(lease).obeys == set(Feature) for lease in leases), leases


@pytest.mark.parametrize("obeys", [None, Feature.ALL_CLIENTS])
def test_a_client_says_which_gate_does_not_obey_which_field_until_that_gate_leaves(
    team: Team, old_gate: JsonObject, obeys: str | None
) -> None:
    admin = team.product.admin
    admin.apply_object("leases", gate_lease(OLD, obeys))
    billing = team.declare("billing", secret={"notBefore": LONG_AGO})
    other = team.declare("other")
    message = until_told(billing)["message"]
    assert OLD in message
    assert "spec.secret.notBefore" in message
    assert billing.condition("Ready")["reason"] == "GateTooOld"
    assert billing.condition("Active")["status"] == "True"
    assert other.condition("Ready")["status"] == "True"
    assert eventually("an Event tells", lambda: told_by_event(team))
    admin.delete("leases", SYSTEM, OLD)
    until_obeyed(billing)


def told_by_event(team: Team) -> bool:
    return any(event["reason"] == "GateTooOld" for event in team.events("billing"))


def test_a_field_that_is_taken_out_ends_it_and_one_that_is_put_in_begins_it(team: Team, old_gate: JsonObject) -> None:
    billing = team.declare("billing")
    billing.apply(secret={"notBefore": LONG_AGO})
    until_told(billing)
    del billing.spec["secret"]["notBefore"]
    team.apply(billing)
    until_obeyed(billing)


def test_a_hold_for_all_clients_says_which_gate_does_not_obey_it(team: Team, old_gate: JsonObject) -> None:
    admin = team.product.admin
    for name, whom in (("everybody", {"allClients": True}), ("by-label", {"selector": {}})):
        admin.apply_object("apiclientholds", hold(name, None, namespace=team.namespace, **whom))
    try:
        found = eventually("it is told", lambda: _hold(team, "everybody", TOO_OLD))
        assert OLD in condition(found, "Stalled")["message"]
        assert "spec.allClients" in condition(found, "Stalled")["message"]
        assert condition(found, "Active")["status"] == "True"
        assert eventually("the other is settled", lambda: _hold(team, "by-label", None))
        admin.delete("leases", SYSTEM, OLD)
        assert eventually("it is obeyed", lambda: _hold(team, "everybody", None))
    finally:
        admin.delete_all("apiclientholds", team.namespace)


def _hold(team: Team, name: str, wanted: tuple[str, str] | None) -> JsonObject | None:
    """A hold that the operator has looked at and that is stalled so."""
    found = team.product.admin.get("apiclientholds", team.namespace, name)
    looked = found["status"]["observedGeneration"] == found["metadata"]["generation"]
    return found if looked and stalled(found) == wanted else None


def test_a_gate_that_is_killed_counts_until_its_lease_ends_and_renewals_wake_nobody(
    team: Team, old_gate: JsonObject
) -> None:
    """Nobody deletes the Lease of a gate that was killed, and no watch tells that it ends."""
    admin, operator = team.product.admin, team.product.operator
    billing = team.declare("billing", secret={"notBefore": LONG_AGO})
    until_told(billing)
    before = woken(operator)
    for _ in range(5):
        admin.apply_object("leases", gate_lease(OLD))
    admin.apply_object("leases", gate_lease(OLD, seconds=2))
    until_obeyed(billing)
    assert woken(operator) == before + 1


def test_a_restart_of_the_operator_beside_an_old_gate_writes_nothing(team: Team, old_gate: JsonObject) -> None:
    billing = team.declare("billing", secret={"notBefore": LONG_AGO})
    until_told(billing)
    operator = team.product.operator
    before = settled("all is quiet", lambda: without_enforcement(billing))
    operator.stop()
    operator.start(ready_within=PATIENCE)
    assert settled("all is quiet again", lambda: without_enforcement(billing)) == before


def without_enforcement(client: Client) -> JsonObject:
    """Its status; that the gate is behind is written once more after a while, restart or not."""
    status = client.status()
    rest = [each for each in status["conditions"] if each["type"] != "Enforced"]
    return {name: value for name, value in status.items() if name != "enforcement"} | {"conditions": rest}
