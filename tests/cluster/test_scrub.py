"""An operator behind a watch cache that has lost changes: it finds them, and every watcher hears of them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from apiclients.kube.client import CACHED, KubeClient
from apiclients.kube.errors import NotFoundError
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS
from apiclients.kube.objects import ResourceType
from cluster import LocalCluster
from demo.service import Service
from tests.toolkit.admin import Admin
from tests.toolkit.objects import JsonObject
from tests.toolkit.product import metrics, staged
from tests.toolkit.proxy import FaultProxy
from tests.toolkit.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.rule(17)]

CLIENT = "billing"


@dataclass
class Scene:
    """An operator that sees a cluster through a cache that lies, and a watcher that does so, too."""

    admin: Admin
    proxy: FaultProxy
    operator: Service
    kubeconfig: Path
    namespace: str

    def client(self) -> JsonObject:
        """What etcd has."""
        return self.admin.get("apiclients", self.namespace, CLIENT)

    def declare(self, desired: str) -> None:
        """Write the client's desired status."""
        self.admin.apply("apiclients", self.namespace, CLIENT, {"desiredStatus": desired})

    def hold(self) -> None:
        """Place a hold that bears the client's name."""
        self.admin.apply("apiclientholds", self.namespace, CLIENT, {"clientName": CLIENT, "reason": "A leak"})

    def until_told(self, observed: str) -> None:
        """Wait until the client has this status, and every watcher has heard of it as it is."""

        def told() -> bool:
            return self.cached() == self.client() and self.client()["status"]["observedStatus"] == observed

        eventually(f"every watcher has heard that it is {observed}", told)

    def cached(self, resource: ResourceType = API_CLIENTS) -> JsonObject | None:
        """What the cache has of the client, or of a hold of that name: what every watcher has heard of it."""

        async def read() -> JsonObject | None:
            async with await KubeClient.connect(kubeconfig=self.kubeconfig, user_agent="test") as kube:
                try:
                    return await kube.get(resource, self.namespace, CLIENT, resource_version=CACHED)
                except NotFoundError:
                    return None

        return asyncio.run(read())

    def lost(self, kind: str = "ApiClient", where: str = "api_server") -> float:
        """How many changes the operator has found lost."""
        series = f'apiclient_operator_lost_events_total{{kind="{kind}",where="{where}"}}'
        return metrics(self.operator).get(series, 0.0)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scrub")
    with staged(folder) as stage, FaultProxy(stage.cluster) as proxy:
        assert isinstance(stage.cluster, LocalCluster)
        account = stage.account("apiclient-operator")
        kubeconfig = proxy.kubeconfig(folder / "kubeconfig", account.with_name(account.name + ".token"))
        operator = stage.operator(kubeconfig=kubeconfig, options=("--scrub-rate", "100"))
        operator.start()
        yield Scene(Admin(stage.cluster), proxy, operator, kubeconfig, "")


@pytest.fixture
def scene(running: Scene) -> Scene:
    """A client that is Available, in a namespace of the test's own, and a cache that tells the truth."""
    running.proxy.cache.heal()
    found = replace(running, namespace=f"t-{secrets.token_hex(4)}")
    found.admin.apply_namespace(found.namespace, {})
    found.declare("Available")
    eventually("it is Available", lambda: found.client().get("status", {}).get("observedStatus") == "Available")
    return found


def test_a_suspension_that_the_cache_has_lost(scene: Scene) -> None:
    before = scene.lost()
    with scene.proxy.cache.losing(scene.admin, "apiclients", scene.namespace, CLIENT):
        scene.declare("Suspended")
    cached = scene.cached()
    assert cached is not None
    assert cached["spec"]["desiredStatus"] == "Available", "nobody who watches knows"
    scene.until_told("Suspended")
    assert scene.lost() == before + 1


def test_an_own_status_that_the_cache_has_lost(scene: Scene) -> None:
    """The operator has it from the answer, so that comparing with etcd shows nothing."""
    before = scene.lost()
    with scene.proxy.cache.losing(scene.admin, "apiclients", scene.namespace, CLIENT):
        scene.hold()
        eventually("it is held", lambda: scene.client()["status"]["observedStatus"] == "Suspended")
    scene.until_told("Suspended")
    assert "repeatedTime" in scene.client()["status"], "there was nothing else to write"
    assert scene.lost() == before + 1


def test_a_hold_of_which_nobody_has_heard(scene: Scene) -> None:
    before = scene.lost("ApiClientHold")
    with scene.proxy.cache.losing(scene.admin, "apiclientholds", scene.namespace, CLIENT):
        scene.hold()
    assert scene.cached(API_CLIENT_HOLDS) is None
    eventually("it is held", lambda: scene.client()["status"]["observedStatus"] == "Suspended")
    eventually("every watcher has heard of the hold", lambda: scene.cached(API_CLIENT_HOLDS))
    eventually("it is counted", lambda: scene.lost("ApiClientHold") == before + 1)


def test_a_hold_of_which_nobody_has_heard_that_it_is_lifted(scene: Scene) -> None:
    """The operator takes it in, and lists that show the hold all the same do not bring it back."""
    before = scene.lost("ApiClientHold")
    scene.hold()
    eventually("it is held", lambda: scene.client()["status"]["observedStatus"] == "Suspended")
    with scene.proxy.cache.losing(scene.admin, "apiclientholds", scene.namespace, CLIENT):
        scene.admin.delete("apiclientholds", scene.namespace, CLIENT)
    assert scene.cached(API_CLIENT_HOLDS) is not None
    scene.until_told("Available")
    assert scene.lost("ApiClientHold") == before + 1
