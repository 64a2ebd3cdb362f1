"""A real API server with the manifests applied."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import LocalCluster
from tests.manifests.rendered import MANIFESTS


@pytest.fixture(scope="session")
def installed() -> Iterator[LocalCluster]:
    """A cluster as the demo and the tests have it: everything but the Deployments, and a namespace for examples."""
    with LocalCluster() as cluster:
        cluster.kubectl("apply", "-k", str(MANIFESTS / "control"))
        cluster.kubectl("wait", "--for=condition=Established", "crd/apiclients.apiclients.dev", "--timeout=60s")
        cluster.kubectl("create", "namespace", "team-a")
        yield cluster


@pytest.fixture(scope="session")
def gate_kubeconfig(installed: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Acts as the gate."""
    path = tmp_path_factory.mktemp("gate") / "kubeconfig"
    return installed.service_account_kubeconfig("apiclients-system", "apiclient-gate", path)
