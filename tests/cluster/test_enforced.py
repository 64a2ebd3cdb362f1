"""``Enforced``: wait until every living gate obeys (DESIGN rule 28), on a real API server with real gates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from apiclients.lifecycle.replicas import replica
from apiclients.resources.names import GATE_LEASE_SELECTOR
from demo.service import Service
from tests.toolkit.objects import SYSTEM, JsonObject, gate_lease, hold
from tests.toolkit.product import Client, Product, Team, condition, metrics, numbered, writes
from tests.toolkit.waiting import PATIENCE, eventually, settled

pytestmark = pytest.mark.rule(28)

OLD = "apiclient-gate-old"
#: A pause, and the end of a Lease that nobody renews.
LONG = 4 * PATIENCE


def until_enforced(client: Client) -> str:
    """What ``kubectl wait`` waits for; returns the message."""
    client.team.kubectl("wait", f"apiclient/{client.name}", "--for=condition=Enforced", f"--timeout={LONG:.0f}s")
    return str(client.condition("Enforced")["message"])


def enforced(team: Team, name: str = "billing", **spec: Any) -> Client:
    """A client that all gates know."""
    client = team.declare(name, **spec)
    until_enforced(client)
    return client


def told(client: Client) -> str:
    found = client.condition("Enforced")
    return f"{found.get('status')}/{found.get('reason')}"


def status_writes(operator: Service) -> int:
    """How many statuses of clients the API server has taken."""
    return sum(
        count
        for series, count in writes(operator).items()
        if 'code="200"' in series and 'resource="apiclients"' in series
    )


def took(operator: Service) -> dict[str, float]:
    """How often gates have been waited for, by what they did then."""
    name = "apiclient_operator_enforcement_duration_seconds_count"
    found = metrics(operator)
    return {effect: found.get(f'{name}{{effect="{effect}"}}', 0.0) for effect in ("refuse", "admit")}


@contextmanager
def leading(product: Product) -> Iterator[None]:
    """Whatever happens to gates, all of them run afterwards."""
    try:
        yield
    finally:
        for gate in product.gates:
            if gate.running:
                gate.resume()
        product.ensure()


def test_kubectl_waits_for_a_suspension_and_for_its_end(team: Team) -> None:
    billing = enforced(team)
    token = billing.token()
    team.product.until_accepted(token)
    gates, operator = len(team.product.gates), team.product.operator
    before, counted = status_writes(operator), took(operator)
    rounds = 3
    for _ in range(rounds):
        billing.apply(desiredStatus="Suspended")
        assert f"{gates} of {gates} gates" in until_enforced(billing)
        assert set(team.product.verdicts(token)) == {401}
        billing.apply(desiredStatus="Available")
        assert f"{gates} of {gates} gates" in until_enforced(billing)
        assert set(team.product.verdicts(token)) == {200}
    found = billing.get()
    assert found["status"]["enforcement"]["gates"] == found["status"]["enforcement"]["livingGates"] == gates
    assert condition(found, "Enforced")["observedGeneration"] == found["metadata"]["generation"]
    settled("all is quiet", lambda: status_writes(operator))
    assert status_writes(operator) - before <= 2 * 2 * rounds, "one for each change, and at most one more"
    after = took(operator)
    assert {effect: after[effect] - counted[effect] for effect in after} == {"refuse": rounds, "admit": rounds}


def test_a_hold_and_its_release_are_enforced_in_the_same_generation(team: Team) -> None:
    billing, admin = enforced(team), team.product.admin
    token = billing.token()
    team.product.until_accepted(token)
    admin.apply_object("apiclientholds", hold("stop", "billing", namespace=team.namespace))
    billing.wait("is held", lambda obj: [one["name"] for one in obj["status"].get("holds", [])] == ["stop"])
    until_enforced(billing)
    assert set(team.product.verdicts(token)) == {401}
    admin.delete("apiclientholds", team.namespace, "stop")
    billing.until_observed("Available")
    until_enforced(billing)
    assert set(team.product.verdicts(token)) == {200}


def test_an_edit_that_no_gate_obeys_is_enforced_with_the_write_that_is_made_anyway(team: Team) -> None:
    billing, operator = enforced(team), team.product.operator
    before = settled("all is quiet", lambda: status_writes(operator))
    billing.apply(displayName="Billing")
    until_enforced(billing)
    assert settled("all is quiet", lambda: status_writes(operator)) == before + 1


def test_a_restart_of_the_operator_writes_nothing(team: Team) -> None:
    billing, operator = enforced(team), team.product.operator
    held = enforced(team, "held")
    held.apply(desiredStatus="Suspended")
    until_enforced(held)
    seen = settled("all is quiet", lambda: versions(billing, held))
    operator.stop()
    operator.start(ready_within=PATIENCE)
    assert settled("all is quiet again", lambda: versions(billing, held)) == seen


def versions(*clients: Client) -> list[str]:
    return [client.get()["metadata"]["resourceVersion"] for client in clients]


def test_a_cold_start_beside_gates_costs_no_further_write(team: Team) -> None:
    """What all gates know already is told in the first status."""
    product, many = team.product, 60
    product.operator.stop()
    clients = [team.client(name) for name in numbered("cold", many)]
    team.apply(*clients)
    latest = max(int(version) for version in versions(*clients))
    eventually("all gates tell that they know them", lambda: all(seen >= latest for seen in applied(product)))
    product.operator.start(ready_within=PATIENCE)
    for client in clients:
        until_enforced(client)
    assert settled("all is quiet", lambda: status_writes(product.operator)) == many


def applied(product: Product) -> list[int]:
    leases = product.admin.list("leases", SYSTEM, labelSelector=GATE_LEASE_SELECTOR)
    return [replica(lease).applied_clients for lease in leases]


def test_what_happens_while_no_operator_runs_is_told_by_the_next_one(team: Team) -> None:
    billing, operator = enforced(team), team.product.operator
    operator.stop()
    billing.apply(desiredStatus="Suspended")
    found = billing.get()
    assert condition(found, "Enforced")["observedGeneration"] < found["metadata"]["generation"]
    operator.start(ready_within=PATIENCE)
    until_enforced(billing)
    assert billing.status()["observedStatus"] == "Suspended"


def test_a_gate_that_hangs_is_named_and_is_lost_once_its_lease_has_ended(team: Team) -> None:
    billing, product = enforced(team), team.product
    token = billing.token()
    product.until_accepted(token)
    with leading(product):
        paused = product.gates[1]
        paused.pause()
        billing.apply(desiredStatus="Suspended")
        waiting = billing.until_condition("Enforced", "False", "Waiting")["message"]
        name = re.findall(r"apiclient-gate\S*[0-9a-z]", waiting)[-1]
        message = until_enforced(billing)
        assert message.startswith("1 of 1 gates")
        assert f"Lost, for its Lease has ended: {name}" in message
        paused.resume()
        eventually("it is ready again", paused.is_ready)
        assert set(product.verdicts(token)) == {401}


def test_a_gate_that_leaves_is_not_waited_for_and_one_that_starts_changes_nothing_that_is_told(team: Team) -> None:
    billing, product = enforced(team), team.product
    token = billing.token()
    with leading(product):
        product.gates[1].stop()
        billing.apply(desiredStatus="Suspended")
        assert until_enforced(billing).startswith("1 of 1 gates")
        seen = settled("all is quiet", lambda: versions(billing))
        product.gates[1].start(ready_within=PATIENCE)
        assert set(product.verdicts(token)) == {401}
        assert settled("all is quiet", lambda: versions(billing)) == seen


def test_without_gates_nobody_knows_until_one_comes(team: Team) -> None:
    billing, product = enforced(team), team.product
    with leading(product):
        for gate in product.gates:
            gate.stop()
        billing.apply(desiredStatus="Suspended")
        billing.until_condition("Enforced", "Unknown", "NoGates")
        new = team.declare("new")
        assert told(new) == "Unknown/NoGates"
        product.gates[0].start(ready_within=PATIENCE)
        until_enforced(billing)
        until_enforced(new)


@pytest.fixture
def old_gate(product: Product) -> Iterator[JsonObject]:
    """The Lease of a gate of before gates told how far they are, until the test ends or deletes it."""
    yield product.admin.apply_object("leases", gate_lease(OLD))
    product.admin.delete("leases", SYSTEM, OLD)


def test_a_gate_that_does_not_tell_how_far_it_is_is_waited_for_until_it_leaves(
    team: Team, old_gate: JsonObject
) -> None:
    admin = team.product.admin
    billing = team.declare("billing")
    billing.apply(desiredStatus="Suspended")
    assert OLD in billing.until_condition("Enforced", "False", "Waiting")["message"]
    admin.delete("leases", SYSTEM, OLD)
    until_enforced(billing)


def test_renewals_wake_nobody_who_does_not_wait(team: Team) -> None:
    enforced(team)
    operator = team.product.operator
    name = 'apiclient_operator_wakes_total{kind="ApiClient",reason="enforced"}'
    before = settled("all is quiet", lambda: metrics(operator).get(name, 0.0))
    for _ in range(5):
        team.product.admin.apply_object("leases", gate_lease(OLD))
    team.product.admin.delete("leases", SYSTEM, OLD)
    assert settled("all is quiet", lambda: metrics(operator).get(name, 0.0)) == before
    assert metrics(operator)["apiclient_operator_clients_waiting"] == 0
