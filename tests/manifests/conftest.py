"""A real API server with the manifests applied."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from cluster import LocalCluster
from tests.manifests.policies import BINDING, Kubectl, name_of
from tests.manifests.rendered import MANIFESTS, of_kind, render
from tests.manifests.samples import FINAL, GROUP, api, api_status, client, client_status, hold
from tests.toolkit.admin import MERGE, Admin, Answer
from tests.toolkit.objects import KINDS, OPERATOR
from tests.toolkit.waiting import eventually

_NUMBERS = itertools.count(1)
_CANARY = "canary"


@pytest.fixture(scope="package")
def installed() -> Iterator[LocalCluster]:
    """A cluster as the demo and the tests have it: everything but the Deployments, and a namespace for examples."""
    with LocalCluster() as cluster:
        cluster.kubectl("apply", "-k", str(MANIFESTS / "control"))
        crds = [f"crd/{plural}.{GROUP}" for plural in KINDS]
        cluster.kubectl("wait", "--for=condition=Established", *crds, "--timeout=60s")
        cluster.kubectl("create", "namespace", "team-a")
        await_policies(cluster)
        yield cluster


@pytest.fixture(scope="package")
def gate_kubeconfig(installed: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Acts as the gate."""
    path = tmp_path_factory.mktemp("gate") / "kubeconfig"
    return installed.service_account_kubeconfig("apiclients-system", "apiclient-gate", path)


@pytest.fixture(scope="package")
def admin(installed: LocalCluster) -> Admin:
    """Requests without kubectl."""
    return Admin(installed)


@pytest.fixture
def team(admin: Admin) -> str:
    """A namespace of the test's own."""
    name = f"team-{next(_NUMBERS)}"
    admin.done("POST", "namespaces", None, body={"metadata": {"name": name}})
    return name


@pytest.fixture
def kubectl(installed: LocalCluster, team: str) -> Kubectl:
    """kubectl in the namespace of the test."""
    return Kubectl(installed, team)


@pytest.fixture
def strict(installed: LocalCluster, admin: Admin) -> Iterator[None]:
    """The bindings that the strict overlay adds."""
    bindings = [obj for obj in of_kind(render(MANIFESTS / "overlays/strict"), BINDING) if "strict" in name_of(obj)]
    text = yaml.safe_dump_all(bindings)
    installed.kubectl("apply", "-f", "-", input=text)
    body = {"spec": {"desiredStatus": "Retired"}}

    def refused(kind: str, name: str) -> bool:
        return admin.ask("PATCH", kind, "canary", name, body, content=MERGE, dryRun="All").status == 403

    eventually("retirements are refused", lambda: refused("apiclients", "bird") and refused("apis", "tree"))
    yield
    installed.kubectl("delete", "-f", "-", input=text)
    eventually("retirements are let through", lambda: not refused("apiclients", "bird") and not refused("apis", "tree"))


def await_policies(cluster: LocalCluster) -> None:
    """A policy is in force a moment after it was applied: when it says no to what it is made for."""
    admin = Admin(cluster)
    cluster.kubectl("create", "namespace", _CANARY)
    # Whoever may do everything in a namespace, by RBAC.
    cluster.kubectl(
        "create", "rolebinding", "all", "--clusterrole=cluster-admin", "--user=sam", f"--namespace={_CANARY}"
    )
    admin.with_status("apiclients", client("bird", _CANARY), client_status("seed"))
    admin.with_status("apis", api("tree", _CANARY), api_status(1))
    admin.with_status("apis", api("stump", _CANARY, "Retired"), api_status(0, "Retired", retirement=FINAL))

    def desire(kind: str, name: str, desired: str) -> Answer:
        return admin.ask(
            "PATCH", kind, _CANARY, name, {"spec": {"desiredStatus": desired}}, content=MERGE, dryRun="All"
        )

    def make_secret() -> Answer:
        return admin.ask("POST", "secrets", _CANARY, body={"metadata": {"name": "nest"}}, user=OPERATOR, dryRun="All")

    def write_status() -> Answer:
        body = {"status": {"observedGeneration": 2}}
        return admin.ask("PATCH", "apiclients", _CANARY, "bird", body, subresource="status", content=MERGE, user="sam")

    def own() -> Answer:
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "nobody"}
        body = {"metadata": {"ownerReferences": [owner]}}
        return admin.ask("PATCH", "apiclients", _CANARY, "bird", body, content=MERGE, user="sam", dryRun="All")

    def claim() -> Answer:
        body = hold("bird", _CANARY)
        body["metadata"]["annotations"] = {"apiclients.dev/created-by": "nobody"}
        return admin.ask("POST", "apiclientholds", _CANARY, body=body, dryRun="All")

    requests: dict[str, Callable[[], Answer]] = {
        "retire-apiclients": lambda: desire("apiclients", "bird", "Retired"),
        "delete-apiclients": lambda: admin.ask("DELETE", "apiclients", _CANARY, "bird", dryRun="All"),
        "retire-apis": lambda: desire("apis", "tree", "Retired"),
        "delete-apis": lambda: admin.ask("DELETE", "apis", _CANARY, "tree", dryRun="All"),
        "republish-apis": lambda: desire("apis", "stump", "Published"),
        "apiclients-status": write_status,
        "apiclients-owners": own,
        "apiclientholds-author": claim,
        "apiclient-operator-secrets": make_secret,
        "keep-clients": lambda: admin.ask("DELETE", "namespaces", None, "apiclients-system", dryRun="All"),
    }
    for policy, request in requests.items():
        eventually(f"{policy} is in force", lambda p=policy, r=request: f"'{p}'" in str(r()))  # type: ignore[misc]
