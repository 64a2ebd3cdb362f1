"""A real API server with the manifests applied."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster import LocalCluster
from tests.manifests.asking import (
    FINAL,
    GROUP,
    KINDS,
    MERGE,
    OPERATOR,
    Answer,
    Asking,
    api,
    api_status,
    client,
    client_status,
    until,
)
from tests.manifests.rendered import MANIFESTS

_NUMBERS = itertools.count(1)
_CANARY = "canary"


@pytest.fixture(scope="session")
def installed() -> Iterator[LocalCluster]:
    """A cluster as the demo and the tests have it: everything but the Deployments, and a namespace for examples."""
    with LocalCluster() as cluster:
        cluster.kubectl("apply", "-k", str(MANIFESTS / "control"))
        crds = [f"crd/{plural}.{GROUP}" for plural in KINDS]
        cluster.kubectl("wait", "--for=condition=Established", *crds, "--timeout=60s")
        cluster.kubectl("create", "namespace", "team-a")
        await_policies(cluster)
        yield cluster


@pytest.fixture(scope="session")
def gate_kubeconfig(installed: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Acts as the gate."""
    path = tmp_path_factory.mktemp("gate") / "kubeconfig"
    return installed.service_account_kubeconfig("apiclients-system", "apiclient-gate", path)


@pytest.fixture(scope="session")
def ask(installed: LocalCluster) -> Asking:
    """Requests without kubectl."""
    return Asking(installed)


@pytest.fixture
def team(ask: Asking) -> str:
    """A namespace of the test's own."""
    name = f"team-{next(_NUMBERS)}"
    ask.done("POST", "namespaces", None, body={"metadata": {"name": name}})
    return name


def await_policies(cluster: LocalCluster) -> None:
    """A policy is in force a moment after it was applied: when it says no to what it is made for."""
    ask = Asking(cluster)
    cluster.kubectl("create", "namespace", _CANARY)
    # Whoever may do everything in a namespace, by RBAC.
    cluster.kubectl(
        "create", "rolebinding", "all", "--clusterrole=cluster-admin", "--user=sam", f"--namespace={_CANARY}"
    )
    ask.with_status("apiclients", client("bird", _CANARY), client_status("seed"))
    ask.with_status("apis", api("tree", _CANARY), api_status(1))
    ask.with_status("apis", api("stump", _CANARY, "Retired"), api_status(0, "Retired", retirement=FINAL))

    def desire(kind: str, name: str, desired: str) -> Answer:
        return ask("PATCH", kind, _CANARY, name, {"spec": {"desiredStatus": desired}}, content=MERGE, dryRun="All")

    def make_secret() -> Answer:
        return ask("POST", "secrets", _CANARY, body={"metadata": {"name": "nest"}}, user=OPERATOR, dryRun="All")

    def write_status() -> Answer:
        body = {"status": {"observedGeneration": 2}}
        return ask("PATCH", "apiclients", _CANARY, "bird", body, subresource="status", content=MERGE, user="sam")

    requests: dict[str, Callable[[], Answer]] = {
        "retire-apiclients": lambda: desire("apiclients", "bird", "Retired"),
        "delete-apiclients": lambda: ask("DELETE", "apiclients", _CANARY, "bird", dryRun="All"),
        "retire-apis": lambda: desire("apis", "tree", "Retired"),
        "delete-apis": lambda: ask("DELETE", "apis", _CANARY, "tree", dryRun="All"),
        "republish-apis": lambda: desire("apis", "stump", "Published"),
        "apiclients-status": write_status,
        "apiclient-operator-secrets": make_secret,
    }
    for policy, request in requests.items():
        until(lambda p=policy, r=request: f"'{p}'" in str(r()), f"{policy} is in force")  # type: ignore[misc]
