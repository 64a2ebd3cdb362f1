"""What the tests of the Kubernetes edge share: a client of a misbehaving fake, and a real cluster."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from apiclients.kube.client import NAMESPACES, KubeClient
from cluster import LocalCluster
from tests.kube.fake import FakeObjects, FakeServer


@pytest.fixture
async def objects() -> FakeObjects:
    return FakeObjects()


@pytest.fixture
async def fake(objects: FakeObjects) -> AsyncIterator[FakeServer]:
    async with FakeServer(objects.answer) as server:
        yield server


@pytest.fixture
async def fake_client(fake: FakeServer, tmp_path: Path) -> AsyncIterator[KubeClient]:
    async with await KubeClient.connect(kubeconfig=fake.kubeconfig(tmp_path), user_agent="test/1") as client:
        yield client


@pytest.fixture(scope="package")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster() as running:
        yield running


@pytest.fixture
async def client(cluster: LocalCluster) -> AsyncIterator[KubeClient]:
    async with await KubeClient.connect(kubeconfig=cluster.kubeconfig, user_agent="kube-test/1") as connected:
        yield connected


@pytest.fixture
async def namespace(client: KubeClient) -> str:
    name = f"t-{secrets.token_hex(4)}"
    await client.create(NAMESPACES, None, {"metadata": {"name": name}})
    return name
