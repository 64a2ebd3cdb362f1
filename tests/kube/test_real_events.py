"""Events as a real API server takes them and kubectl shows them."""

from __future__ import annotations

from typing import Any

from apiclients.kube.client import EVENTS, NAMESPACES, KubeClient
from apiclients.kube.events import EventRecorder, ObjectReference
from cluster import LocalCluster


async def posted(client: KubeClient, namespace: str) -> list[dict[str, Any]]:
    return [event async for page in client.pages(EVENTS, namespace) for event in page.items]


async def test_events_are_aggregated(cluster: LocalCluster, client: KubeClient, namespace: str) -> None:
    home = await client.get(NAMESPACES, None, namespace)
    about = ObjectReference("v1", "Namespace", "", namespace, home["metadata"]["uid"])
    client_ = ObjectReference("apiclients.dev/v1alpha1", "ApiClient", namespace, "billing", "uid-1")
    recorder = EventRecorder(client, instance="operator-1")
    recorder.start()
    for _ in range(3):
        recorder.record(client_, type="Warning", reason="SecretConflict", note="ä" * 3000, action="Rotate")
    await recorder.drain(10)
    recorder.start()
    recorder._draining = False
    for _ in range(2):
        recorder.record(client_, type="Warning", reason="SecretConflict", note="ä" * 3000, action="Rotate")
    recorder.record(client_, type="Normal", reason="Suspended", note="held", action="Suspend", related=about)
    await recorder.drain(10)
    assert (recorder.posted, recorder.failed, recorder.dropped) == (2, 0, 0)
    first, second = sorted(await posted(client, namespace), key=lambda event: str(event["reason"]))
    assert first["series"]["count"] == 5
    assert first["reportingController"] == "apiclients.dev/operator"
    assert second["related"]["kind"] == "Namespace"
    shown = cluster.kubectl("events", f"--namespace={namespace}").stdout
    assert "SecretConflict" in shown
    assert "Suspended" in shown


async def test_cluster_scoped_objects_have_their_events_in_default(client: KubeClient, namespace: str) -> None:
    recorder = EventRecorder(client)
    home = await client.get(NAMESPACES, None, namespace)
    about = ObjectReference("v1", "Namespace", "", namespace, home["metadata"]["uid"])
    recorder.record(about, type="Normal", reason="Tested", note="n", action="Test")
    await recorder.drain(10)
    assert recorder.posted == 1
    assert any(event["regarding"]["name"] == namespace for event in await posted(client, "default"))


async def test_a_namespace_that_is_going_away_takes_none(client: KubeClient, namespace: str) -> None:
    configmap = NAMESPACES.__class__("", "v1", "configmaps", "ConfigMap")
    held = {"metadata": {"name": "held", "finalizers": ["test.example.com/hold"]}}
    await client.create(configmap, namespace, held)
    await client.delete(NAMESPACES, None, namespace)
    recorder = EventRecorder(client)
    about = ObjectReference("apiclients.dev/v1alpha1", "ApiClient", namespace, "billing", "uid-1")
    recorder.record(about, type="Normal", reason="Deleted", note="n", action="Delete")
    await recorder.drain(10)
    assert recorder.failed == 1
    await client.merge_patch(configmap, namespace, "held", {"metadata": {"finalizers": None}})
