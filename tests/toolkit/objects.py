"""Builds the objects of the project, as people write them in YAML and as the API server hands them out."""

import copy
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apiclients.kube.objects import micro_time
from apiclients.resources.fields import format_time
from apiclients.resources.names import API_VERSION, GATE_LEASE_LABELS, OBEYS_ANNOTATION, VERSION_ANNOTATION

JsonObject = dict[str, Any]

#: Plural and kind of all that is ours.
KINDS = {
    "apiclients": "ApiClient",
    "apis": "Api",
    "contracts": "Contract",
    "contractapprovals": "ContractApproval",
    "apiclientholds": "ApiClientHold",
}
SYSTEM = "apiclients-system"
OPERATOR = f"system:serviceaccount:{SYSTEM}:apiclient-operator"
#: The status that the API server gives to a new object.
UNKNOWN: JsonObject = {"observedGeneration": -1}


def manifest(kind: str, namespace: str, name: str, spec: Mapping[str, Any], **metadata: Any) -> JsonObject:
    """An object as it stands in Git."""
    meta = {"name": name, "namespace": namespace, **metadata}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": meta, "spec": dict(spec)}


def client(name: str = "billing", desired: str = "Available", *, namespace: str = "team-a", **spec: Any) -> JsonObject:
    """An ApiClient."""
    return manifest("ApiClient", namespace, name, {"desiredStatus": desired, **spec})


def api(
    name: str = "orders",
    *plans: JsonObject,
    desired: str = "Published",
    namespace: str = "shop",
    consumers: str = "All",
    **spec: Any,
) -> JsonObject:
    """An Api with these plans, or one automatic plan ``basic``; every namespace may contract it."""
    offered = list(plans) or [{"name": "basic"}]
    common = {"desiredStatus": desired, "consumers": {"from": consumers}, "plans": offered}
    return manifest("Api", namespace, name, common | spec)


def contract(
    name: str = "billing-orders",
    client: str = "billing",
    api: tuple[str, str] = ("shop", "orders"),
    plan: str = "basic",
    *,
    namespace: str = "team-a",
) -> JsonObject:
    """A Contract; ``api`` is namespace and name."""
    spec = {"clientName": client, "api": {"namespace": api[0], "name": api[1]}, "plan": plan}
    return manifest("Contract", namespace, name, spec)


def approval(
    name: str = "approval",
    contract: tuple[str, str] = ("team-a", "billing-orders"),
    client: str = "billing",
    api: tuple[str, str] = ("shop", "orders"),
    plan: str = "basic",
    *,
    decision: str = "Approved",
    **spec: Any,
) -> JsonObject:
    """A ContractApproval in the namespace of the Api; ``contract`` and ``api`` are namespace and name."""
    named = {"namespace": contract[0], "name": contract[1]}
    about = {"contract": named, "client": client, "api": api[1], "plan": plan, "decision": decision}
    return manifest("ContractApproval", api[0], name, about | spec)


def hold(name: str = "stop", client: str | None = "billing", *, namespace: str = "team-a", **spec: Any) -> JsonObject:
    """An ApiClientHold, by the name of a client or, with None, by a ``selector`` in ``spec``."""
    target = {"clientName": client} if client is not None else {}
    return manifest("ApiClientHold", namespace, name, {**target, "reason": "The key was found in a public log"} | spec)


def revocation(name: str, client: JsonObject, expires: datetime) -> JsonObject:
    """A TokenRevocation, as a gate makes it for an ApiClient; ``name`` is the fingerprint of the token."""
    meta = client["metadata"]
    about = {"clientUid": meta["uid"], "clientNamespace": meta["namespace"], "expiresTime": format_time(expires)}
    return manifest("TokenRevocation", SYSTEM, name, about)


def gate_lease(name: str, obeys: str | None = None, *, seconds: int = 3600) -> JsonObject:
    """The Lease of a gate, renewed now; without ``obeys`` of one of before gates listed what they obey."""
    notes = {VERSION_ANNOTATION: "0.0.9"} | ({} if obeys is None else {OBEYS_ANNOTATION: obeys})
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": SYSTEM, "labels": GATE_LEASE_LABELS, "annotations": notes},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": seconds, "renewTime": micro_time()},
    }


def stored(made: JsonObject, status: JsonObject | None = None, **metadata: Any) -> JsonObject:
    """A manifest as the API server hands it out: with a UID and a generation, and the status of a new object."""
    meta = made["metadata"]
    given = {"uid": f"{meta['namespace']}-{meta['name']}", "generation": 1}
    return copy.deepcopy(made) | {"metadata": meta | given | metadata, "status": copy.deepcopy(status or UNKNOWN)}
