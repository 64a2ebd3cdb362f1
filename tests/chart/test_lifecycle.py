"""A release on a real API server: installed, upgraded, rolled back, taken away, and back with everything as it was."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cluster import LocalCluster
from tests.chart.conftest import CHART, ISSUER
from tests.manifests.rendered import ROOT
from tests.toolkit.waiting import eventually

pytestmark = [pytest.mark.chart, pytest.mark.cluster, pytest.mark.timeout(1900)]

NAMESPACE = "tokens"
KEYS = {
    "apiVersion": "v1",
    "kind": "Secret",
    "type": "apiclients.dev/keys",
    "metadata": {"name": "apiclient-keys", "namespace": NAMESPACE},
}


class Release:
    """One release of the chart."""

    def __init__(self, helm: Path, cluster: LocalCluster, forcing: tuple[str, ...]) -> None:
        """``forcing`` are the options with which it takes fields from other managers."""
        self._helm = helm
        self.forcing = forcing
        self.cluster = cluster
        self.namespace = NAMESPACE

    def run(self, command: str, *arguments: str) -> str:
        """Run helm; returns what it prints."""
        done = subprocess.run(
            [
                *(str(self._helm), command, "apiclients", *arguments),
                *(f"--kubeconfig={self.cluster.kubeconfig}", f"--namespace={self.namespace}"),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def install(self, *more: str) -> str:
        """As the README has it."""
        return self.run("install", str(CHART), "--create-namespace", f"--set=issuer={ISSUER}", *more)

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        """What kubectl prints."""
        done = self.cluster.kubectl(*arguments, check=check)
        return done.stdout + done.stderr

    def replicas(self) -> str:
        """How many gates are wished for."""
        return self.kubectl(
            "get", "deployment", "apiclient-gate", "-n", self.namespace, "-o", "jsonpath={.spec.replicas}"
        )

    def declare_client(self) -> str:
        """A client of a team; returns its UID."""
        file = str(ROOT / "examples/available.yaml")
        eventually("the kind is served", lambda: self.cluster.kubectl("apply", "-f", file, check=False).returncode == 0)
        return self.uid()

    def uid(self) -> str:
        """That of the client."""
        return self.kubectl("get", "apiclients", "-n", "team-a", "-o", "jsonpath={.items[*].metadata.uid}")


@pytest.fixture(params=["helm", "helm_3"])
def release(request: pytest.FixtureRequest) -> Iterator[Release]:
    """On a cluster of its own: names of cluster-wide objects are fixed."""
    program: Path = request.getfixturevalue(request.param)
    with LocalCluster() as cluster:
        cluster.kubectl("create", "namespace", "team-a")
        yield Release(program, cluster, ("--force-conflicts",) if request.param == "helm" else ())


def test_what_is_taken_away_comes_back_with_its_clients(release: Release) -> None:
    printed = release.install()
    assert f"Back up the Secret {NAMESPACE}/apiclient-keys" in printed
    uid = release.declare_client()
    release.cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump(KEYS))

    release.run("upgrade", str(CHART), "--reset-then-reuse-values", "--set=gate.replicas=3")
    assert release.replicas() == "3"
    release.run("rollback")
    assert release.replicas() == "2"

    release.run("uninstall")
    assert "not found" in release.kubectl("get", "deployment", "apiclient-gate", "-n", NAMESPACE, check=False)
    assert release.uid() == uid
    assert "apiclient-keys" in release.kubectl("get", "secrets", "-n", NAMESPACE)

    release.install()
    assert release.uid() == uid


def test_everything_goes_where_that_is_asked_for_in_so_many_words(release: Release) -> None:
    release.install("--set=crds.keep=false")
    release.declare_client()
    release.kubectl("get", "apiclients-dev", "-A")  # the API server may never delete a kind that it begins to serve
    release.run("uninstall")  # Helm 3 does not wait for what it deletes
    release.kubectl("wait", "--for=delete", "crd", "-l", "app.kubernetes.io/part-of=apiclients", "--timeout=60s")


def test_helm_takes_over_what_kustomize_installed(release: Release) -> None:
    release.namespace = "apiclients-system"
    release.kubectl("apply", "-k", str(ROOT / "manifests/base"))
    uid = release.declare_client()
    both = ("apiclient-operator", "apiclient-gate")
    release.kubectl("delete", "deployment", *both, "-n", release.namespace, "--cascade=orphan")
    release.install("--take-ownership", *release.forcing)
    assert release.uid() == uid
    assert release.replicas() == "2"
