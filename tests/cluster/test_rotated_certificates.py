"""The API server gets a new authority while everything runs: operator and gates go on, with nobody's help."""

from collections.abc import Iterator

import pytest

from cluster import LocalCluster
from demo.stage import SYSTEM_NAMESPACE
from tests.cluster.teams import team_on
from tests.toolkit.admin import Admin
from tests.toolkit.product import Product, fetch, product_on, staged
from tests.toolkit.waiting import eventually

GATE_OPTIONS = ("--proof-interval=0.5", "--max-staleness=4")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A cluster of its own, and an operator that a slow machine does not end: its Lease lasts 15 s."""
    with staged(tmp_path_factory.mktemp("rotated")) as stage:
        product = product_on(stage, gate_options=GATE_OPTIONS)
        product.operator.command.append("--no-leader-election")
        product.ensure()
        yield product


def hand_out(product: Product) -> None:
    """Write the new authority into the kubeconfigs that operator and gates run with."""
    for account in ("apiclient-operator", "apiclient-gate"):
        product.stage.cluster.service_account_kubeconfig(SYSTEM_NAMESPACE, account, product.stage.account(account))


@pytest.mark.rule(17)
def test_operator_and_gates_go_on_after_a_rotation_of_the_authority(own: Product) -> None:
    cluster = own.stage.cluster
    assert isinstance(cluster, LocalCluster)
    processes = {service.name: service.pid for service in (own.operator, *own.gates)}
    with team_on(own) as team:
        billing, reports = team.declare("billing-1.0"), team.declare("reports-1.0")
        token, other = billing.token(), reports.token()
        own.until_accepted(token, other)

        cluster.rotate_certificates()
        own.admin = Admin(cluster)  # the test's own way in
        eventually("the gates know nothing", lambda: set(own.verdicts(token)) == {503})
        assert {fetch(gate, "/readyz").status for gate in own.gates} == {503}

        hand_out(own)
        own.until_accepted(token, other)
        for gate in own.gates:
            gate.wait_ready()
        billing.apply(desiredStatus="Suspended")
        own.until_refused(token)
        billing.until_observed("Suspended")
        team.declare("made-afterwards-1.0").token()
        own.until_accepted(other)
    assert {service.name: service.pid for service in (own.operator, *own.gates)} == processes
    assert all(service.running for service in (own.operator, *own.gates))
