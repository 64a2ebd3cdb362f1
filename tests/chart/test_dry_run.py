"""The API server takes every object of the chart, in a namespace that enforces the Pod Security level restricted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from cluster import LocalCluster
from tests.chart.conftest import FOREIGN, MATRIX, Object, Render
from tests.chart.test_pages import SHOWN
from tests.manifests.rendered import of_kind
from tests.toolkit.upstream_crds import upstream_crds

pytestmark = [pytest.mark.chart, pytest.mark.cluster, pytest.mark.timeout(1900)]

NAMESPACE = "platform"
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster() as found:
        found.kubectl("create", "namespace", NAMESPACE)
        found.kubectl("label", "namespace", NAMESPACE, RESTRICTED)
        yield found


def _dry_run(cluster: LocalCluster, objects: list[Object]) -> str:
    arguments = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
    done = cluster.kubectl(*arguments, input=yaml.safe_dump_all(objects), check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_every_object_is_taken(cluster: LocalCluster, render: Render, values: Object) -> None:
    assert _dry_run(cluster, render(values, namespace=NAMESPACE)) == ""


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_bare_pods_pass_the_level_restricted(cluster: LocalCluster, render: Render, values: Object) -> None:
    objects = render(values, namespace=NAMESPACE)
    cluster.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(of_kind(objects, "ServiceAccount")))
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": deployment["metadata"]["name"], "namespace": NAMESPACE},
            "spec": deployment["spec"]["template"]["spec"],
        }
        for deployment in of_kind(objects, "Deployment")
    ]
    assert len(pods) == 2
    _dry_run(cluster, pods)
    pods[0]["spec"]["hostNetwork"] = True
    refused = cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=yaml.safe_dump(pods[0]), check=False)
    assert "violates PodSecurity" in refused.stderr


@pytest.fixture(scope="module")
def with_foreign_kinds(cluster: LocalCluster) -> LocalCluster:
    """The same with the CRDs of the Gateway API, cert-manager and the Prometheus operator."""
    cluster.kubectl("apply", "--server-side", "-f", str(upstream_crds()))
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    return cluster


def test_objects_of_other_projects_kinds_are_taken(with_foreign_kinds: LocalCluster, render: Render) -> None:
    objects = render(FOREIGN, namespace=NAMESPACE)
    assert {"ServiceMonitor", "PrometheusRule", "HTTPRoute", "Certificate"} <= {obj["kind"] for obj in objects}
    assert _dry_run(with_foreign_kinds, objects) == ""


@pytest.mark.parametrize("values", SHOWN)
def test_what_pages_show_is_taken(with_foreign_kinds: LocalCluster, render: Render, values: Object) -> None:
    objects = render(values, namespace=NAMESPACE, apis="monitoring.coreos.com/v1/ServiceMonitor")
    assert _dry_run(with_foreign_kinds, objects) == ""
