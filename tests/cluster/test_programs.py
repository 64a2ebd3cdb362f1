"""Operator and gate as programs: how they start, tell of themselves, and end."""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
import yaml

from cluster import LocalCluster
from demo.calls import call
from demo.service import Service
from demo.stage import ROOT, SYSTEM_NAMESPACE, Stage
from tests.cluster.teams import team_on
from tests.toolkit.objects import JsonObject
from tests.toolkit.product import Product, Team, fetch, gone, leads, metrics, url
from tests.toolkit.waiting import eventually

CRD = "apiclients.apiclients.dev"
#: What a Deployment gives before it kills.
SECONDS_TO_END = 30.0

#: Runs a program as a UID that nobody knows; it may read what root may, for the tests' files are root's.
AS_NOBODY = (
    *("env", "--unset=HOME", "--chdir=/", "setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)

Launch = Callable[..., Service]


def test_operator_ends_within_seconds_of_sigterm_and_finishes_what_it_began(product: Product, team: Team) -> None:
    clients = [team.client(f"client-{number}") for number in range(20)]
    team.apply(*clients)
    began = time.monotonic()
    assert product.operator.stop(2 * SECONDS_TO_END) == 0
    assert time.monotonic() - began < SECONDS_TO_END
    lease = product.admin.get("leases", SYSTEM_NAMESPACE, "apiclient-operator")
    assert lease["spec"]["holderIdentity"] in ("", None), "given back"
    product.operator.start()
    for client in clients:
        client.until_observed("Available")
        assert client.status()["lastCredentialId"] == 1
    product.until_secret_works(*(client.credentials() for client in clients))


@pytest.mark.parametrize("moment", [0.0, 0.1, 0.3])
def test_operator_that_is_told_to_end_while_it_starts_ends(alone: Product, launch: Launch, moment: float) -> None:
    service = launch(alone.stage.operator(f"short-lived-{moment}", options=["--no-leader-election"]), ready_within=None)
    eventually("it listens", lambda: answers(service))
    began = time.monotonic()
    eventually("the moment has come", lambda: time.monotonic() - began >= moment, pause=0.005)
    began = time.monotonic()
    assert service.stop(2 * SECONDS_TO_END) == 0
    assert time.monotonic() - began < SECONDS_TO_END


@pytest.mark.skipif(shutil.which("setpriv") is None or os.getuid() != 0, reason="needs root and setpriv")
def test_neither_program_needs_a_home_or_a_user_name(alone: Product, launch: Launch) -> None:
    """Any UID, as OpenShift gives them: no entry in /etc/passwd, no HOME, nothing to write to."""
    operator = alone.stage.operator("homeless", options=["--no-leader-election"])
    gate = alone.stage.gate(7)
    for service in (operator, gate):
        service.command[:0] = AS_NOBODY
        launch(service)
    eventually("it works", lambda: leads(operator))
    with team_on(alone) as team:
        token = team.declare("billing-1.0").token()
        eventually("the gate accepts it", lambda: call(f"{url(gate)}/check", token).status == 200)


@pytest.mark.rule(17)
def test_gate_ends_within_seconds_of_sigterm_and_takes_its_lease_with_it(product: Product) -> None:
    gate = product.gates[1]
    name = f"apiclient-gate-{gate.command[gate.command.index('--replica-name') + 1]}"
    held = eventually("its Lease", lambda: product.admin.find("leases", SYSTEM_NAMESPACE, name))
    told = held["metadata"]["annotations"]
    assert int(told["apiclients.dev/applied-resource-version"]) > 0
    assert datetime.fromisoformat(told["apiclients.dev/last-proof-time"])
    began = time.monotonic()
    assert gate.stop(2 * SECONDS_TO_END) == 0
    assert time.monotonic() - began < SECONDS_TO_END
    gone(product.admin, "leases", SYSTEM_NAMESPACE, name)


def test_health_readiness_and_metrics_are_served(product: Product) -> None:
    for service in (product.operator, *product.gates):
        assert fetch(service, "/healthz").status == 200
        assert fetch(service, "/readyz").status == 200
        answer = fetch(service, "/metrics")
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/plain; version=")
    told = metrics(product.operator)
    assert told["apiclient_operator_leading"] == 1
    assert abs(told["apiclient_operator_clock_offset_seconds"]) < 30
    # It may have been started, and the gates with it, a moment ago.
    eventually("its queue is empty", lambda: metrics(product.operator)["apiclient_operator_queue_depth"] == 0)
    watches = 'apiclient_operator_api_requests_total{code="200",resource="apiclients",verb="watch"}'
    eventually("the requests of kopf are counted", lambda: metrics(product.operator).get(watches, 0) >= 1)
    told = metrics(product.gates[0])
    assert told["apiclient_gate_ready"] == 1
    assert 0 <= told["apiclient_gate_staleness_seconds"] < 10
    # Not that it is 0: after the tests before, a busy API server may be later than a gate waits before it counts.
    assert 'apiclient_gate_lost_events_total{kind="apiclients",where="watch"}' in told


def test_logs_are_lines_of_json(product: Product, team: Team) -> None:
    team.declare("billing-1.0").apply(desiredStatus="Suspended")
    team.product.operator.stop()
    product.gates[1].stop()
    for service in (product.operator, product.gates[1]):
        told = lines(service)
        assert told
        for line in told:
            assert {"time", "level", "logger", "message"} <= line.keys()
    suspended = [line for line in lines(product.gates[1]) if "desired Suspended" in str(line["message"])]
    assert suspended, "a suspension can be found in the gate's log"


def test_readable_logs_are_an_option(alone: Product, launch: Launch) -> None:
    service = launch(alone.stage.operator("readable", options=["--log-format=text"]))
    eventually("it leads", lambda: leads(service))
    service.stop()
    assert "INFO" in service.tail()
    assert not service.tail().startswith("{")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A cluster on which nothing is installed."""
    with LocalCluster() as cluster, Stage(cluster, tmp_path_factory.mktemp("bare")) as stage:
        yield stage


def test_programs_wait_for_what_is_not_installed_yet(bare: Stage) -> None:
    cluster = bare.cluster
    rendered = cluster.kubectl("kustomize", str(ROOT / "manifests" / "control")).stdout
    manifests: list[JsonObject] = list(yaml.safe_load_all(rendered))
    kinds = [manifest for manifest in manifests if manifest["kind"] == "CustomResourceDefinition"]
    everything_else = [manifest for manifest in manifests if manifest not in kinds]
    cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(everything_else))
    operator, gate = bare.operator(), bare.gate(0)
    for service in (operator, gate):
        service.start(ready_within=None)
    eventually("the operator tells what is missing", lambda: "apiclients" in unready(operator))
    eventually("the gate answers", lambda: unready(gate))
    cluster.kubectl("create", "-f", "-", input=yaml.safe_dump_all(kinds))
    operator.wait_ready(60)
    gate.wait_ready(60)
    manifest = {
        "apiVersion": "apiclients.dev/v1alpha1",
        "kind": "ApiClient",
        "metadata": {"name": "billing-1.0", "namespace": "default"},
        "spec": {"desiredStatus": "Available"},
    }
    cluster.kubectl("apply", "-f", "-", input=json.dumps(manifest))
    cluster.kubectl("wait", "--for=condition=Ready", "apiclient/billing-1.0", "--timeout=60s")


@pytest.mark.rule(11, 22)
def test_namespace_with_clients_ends(product: Product, team: Team) -> None:
    billing, suspended = team.declare("billing-1.0"), team.declare("suspended-1.0")
    token = billing.token()
    suspended.apply(desiredStatus="Suspended")
    retired = team.declare("retired-1.0")
    retired.apply(desiredStatus="Retired")
    retired.until_observed("Retired")
    product.stage.cluster.kubectl("delete", "namespace", team.namespace, "--timeout=60s")
    product.until_refused(token)
    product.stage.cluster.kubectl("create", "namespace", team.namespace)
    again = team.declare("billing-1.0")
    product.until_secret_works(again.credentials())
    assert set(product.verdicts(token)) == {401}


def answers(service: Service) -> bool:
    with contextlib.suppress(OSError):
        return fetch(service, "/healthz").status == 200
    return False


def unready(service: Service) -> str:
    """Why a program is not ready; empty while it does not listen, or is."""
    with contextlib.suppress(OSError):
        answer = fetch(service, "/readyz")
        return "" if answer.status == 200 else answer.body.decode()
    return ""


def lines(service: Service) -> list[dict[str, object]]:
    """The log of a program, line by line."""
    return [json.loads(line) for line in service.log.read_text().splitlines()]
