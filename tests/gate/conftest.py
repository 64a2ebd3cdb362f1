"""What most tests of the gate start from."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from apiclients.kube.client import KubeClient
from cluster import LocalCluster
from tests.gate.live import NAMESPACE
from tests.gate.support import Caller, World, calling
from tests.manifests.rendered import MANIFESTS


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def call(world: World) -> AsyncIterator[Caller]:
    async with calling(world) as caller:
        yield caller


@pytest.fixture(scope="package")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster() as running:
        running.kubectl("apply", "-k", str(MANIFESTS / "control"))
        running.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        for namespace in ("team-a", "team-b"):
            running.kubectl("create", "namespace", namespace)
        yield running


@pytest.fixture
async def admin(cluster: LocalCluster) -> AsyncIterator[KubeClient]:
    async with await KubeClient.connect(kubeconfig=cluster.kubeconfig, user_agent="test") as client:
        yield client


@pytest.fixture
async def account(cluster: LocalCluster) -> AsyncIterator[KubeClient]:
    path = await asyncio.to_thread(cluster.service_account_kubeconfig, NAMESPACE, "apiclient-gate")
    async with await KubeClient.connect(kubeconfig=path, user_agent="apiclient-gate/test") as client:
        yield client
