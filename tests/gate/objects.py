"""Apis, contracts, approvals and holds as the API server would hand them out."""

from __future__ import annotations

from typing import Any

from apiclients.lifecycle.api_view import Route
from apiclients.lifecycle.calls import CallDenial
from apiclients.resources.fields import format_time
from tests.gate.support import START, UID, World, time_at

#: The Api and the contract of most tests.
API = ("team-b", "orders")
CONTRACT = ("team-a", "billing-orders")
CONTRACT_UID = "cccccccc-0000-4000-8000-000000000001"

STANDARD: dict[str, Any] = {
    "name": "standard",
    "approval": "Automatic",
    "scopes": ["orders.read", "orders.write"],
    "rateLimit": {"requests": 100, "window": "1m"},
}
GOLD: dict[str, Any] = {"name": "gold", "approval": "Manual", "scopes": ["orders.admin"]}


def _metadata(key: tuple[str, str], uid: str, generation: int, deleting: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"namespace": key[0], "name": key[1], "uid": uid, "generation": generation}
    return found | ({"deletionTimestamp": format_time(time_at(START))} if deleting else {})


def api_uid(key: tuple[str, str]) -> str:
    """The UID of the Api of that namespace and name."""
    return f"api-{key[0]}-{key[1]}"[:64]


def api_object(
    key: tuple[str, str] = API,
    *,
    desired: str = "Published",
    accepted: str | None = "Published",
    acknowledged: int = 0,
    plans: tuple[dict[str, Any], ...] = (STANDARD, GOLD),
    deleting: bool = False,
    created: float | None = None,
    public_url: str | None = None,
) -> dict[str, Any]:
    """``accepted`` is the desired status in force, as status has it; ``created`` in seconds since the epoch."""
    creation = {"creationTimestamp": format_time(time_at(created))} if created is not None else {}
    return {
        "metadata": _metadata(key, api_uid(key), 1, deleting) | creation,
        "spec": {
            "desiredStatus": desired,
            "plans": list(plans),
            "retirement": {"acknowledgedContractCount": acknowledged},
            **({"publicURL": public_url} if public_url is not None else {}),
        },
        "status": {"desiredStatus": accepted} if accepted else {},
    }


def contract_object(
    key: tuple[str, str] = CONTRACT,
    *,
    uid: str = CONTRACT_UID,
    client: str = "billing",
    client_uid: str = UID,
    api: tuple[str, str] = API,
    plan: str = "standard",
    observed: str = "Active",
    granted: dict[str, Any] | None = None,
    in_force: str | None = "standard",
    by: str = "Automatic",
    ends: float | None = None,
    deleting: bool = False,
) -> dict[str, Any]:
    """``in_force`` is the plan of status, None for none; ``granted`` replaces what else stands there."""
    status: dict[str, Any] = {"observedStatus": observed}
    if in_force is not None:
        status["inForce"] = {
            "plan": in_force,
            "clientName": client,
            "clientUid": client_uid,
            "api": {"namespace": api[0], "name": api[1]},
            "apiUid": api_uid(api),
            "grantedBy": by,
        } | (granted or {})
    return {
        "metadata": _metadata(key, uid, 1, deleting),
        "spec": {"clientName": client, "api": {"namespace": api[0], "name": api[1]}, "plan": plan}
        | ({"endTime": format_time(time_at(ends))} if ends is not None else {}),
        "status": status,
    }


def approval_object(
    name: str = "approve",
    *,
    namespace: str = API[0],
    contract: tuple[str, str] = CONTRACT,
    client: str = "billing",
    api: str = API[1],
    plan: str = "gold",
    decision: str = "Approved",
    generation: int = 1,
    bound: tuple[str, int] | None = (CONTRACT_UID, 1),
    deleting: bool = False,
) -> dict[str, Any]:
    """``bound`` is the UID of the contract, and the generation of the approval, that status names."""
    status = {"bound": {"contractUid": bound[0], "generation": bound[1]}} if bound else {}
    return {
        "metadata": _metadata((namespace, name), f"approval-{namespace}-{name}", generation, deleting),
        "spec": {
            "contract": {"namespace": contract[0], "name": contract[1]},
            "client": client,
            "api": api,
            "plan": plan,
            "decision": decision,
        },
        "status": status,
    }


def hold_object(
    name: str = "stop",
    *,
    namespace: str = "team-a",
    client: str | None = "billing",
    labels: dict[str, str] | None = None,
    expires: float | None = None,
) -> dict[str, Any]:
    """A hold by name, or by ``labels`` when they are given."""
    spec: dict[str, Any] = {"reason": "leaked"}
    if labels is not None:
        spec["selector"] = {"matchLabels": labels}
    elif client is not None:
        spec["clientName"] = client
    if expires is not None:
        spec["expiresTime"] = format_time(time_at(expires))
    return {"metadata": _metadata((namespace, name), f"hold-{namespace}-{name}", 1, False), "spec": spec}


def route_of(world: World, api: tuple[str, str] = API, uid: str = UID) -> Route | CallDenial:
    """How a client gets to an Api in this world."""
    access, client = world.access.find("/".join(api).encode()), world.picture.by_uid.get(uid)
    return access.route(client, START) if access is not None and client is not None else CallDenial.NO_CONTRACT
