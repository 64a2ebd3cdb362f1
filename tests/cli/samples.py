"""Clients and what is around them, as the API server would hand them out; conditions come from the real decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from apiclients import __version__
from apiclients.cli.cluster.gather import Around
from apiclients.cli.cluster.unread import Cause, Unread
from apiclients.cli.screens.foresight import observed
from apiclients.kube.objects import EVENTS
from apiclients.lifecycle.access import client_view
from apiclients.lifecycle.api_view import api_view
from apiclients.lifecycle.approvals import ruling
from apiclients.lifecycle.client import decide
from apiclients.lifecycle.contracts import ObservedContract, decide_contract
from apiclients.lifecycle.features import Feature
from apiclients.lifecycle.replicas import Replica
from apiclients.lifecycle.reports import Report
from apiclients.resources.fields import format_time
from apiclients.resources.names import API_VERSION, GATE_LEASE_SELECTOR
from apiclients.resources.objects import Api, ApiClient, ApiClientHold, Contract, ContractApproval

JsonObject = dict[str, Any]

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
UID = "1a2b3c4d-0000-4000-8000-000000000001"


def ago(**parts: float) -> datetime:
    """A time before the present."""
    return NOW - timedelta(**parts)


def credential(number: int, issued: datetime, *, state: str = "Current", **fields: Any) -> JsonObject:
    """A credential of a status, good for 90 days unless it is said otherwise."""
    expires = fields.pop("expires", issued + 90 * DAY)
    return {
        "id": number,
        "revision": 1,
        "state": state,
        "issuedTime": format_time(issued),
        "expiresTime": format_time(expires),
        "digest": "0" * 64,
        "pepper": "p1",
        "cause": "First" if number == 1 else "Age",
        **fields,
    }


def client(name: str = "billing-1.0", *, status: JsonObject | None = None, **spec: Any) -> JsonObject:
    """A client with its first secret, before its conditions; ``status={}`` for one that nobody has looked at."""
    known: JsonObject = {
        "observedGeneration": 3,
        "observedStatus": "Available",
        "desiredStatus": "Available",
        "desiredGeneration": 3,
        "clientId": f"team-a.{name}.{UID[:8]}",
        "credentials": [credential(1, ago(days=12))],
        "lastCredentialId": 1,
        "secret": {"name": f"{name}-credentials", "resourceVersion": "42"},
        "tokens": {"notBefore": format_time(ago(days=12))},
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "ApiClient",
        "metadata": {
            "name": name,
            "namespace": "team-a",
            "uid": UID,
            "generation": 3,
            "resourceVersion": "1000",
            "creationTimestamp": format_time(ago(days=12, hours=1)),
            "labels": {"team": "a"},
        },
        "spec": {"desiredStatus": "Available", "client": "billing", "version": "1.0", "owner": "billing@example.com"}
        | spec,
        "status": known if status is None else {**known, **status} if status else {"observedGeneration": -1},
    }


def contract(name: str, *, plan: str = "basic", in_force: str | None = None, by: str = "Automatic") -> JsonObject:
    """A contract of the client for the Api of its name; ``in_force`` is a plan that came into force before."""
    api = {"namespace": "orders", "name": name}
    status: JsonObject = {"observedGeneration": 1}
    if in_force is not None:
        status["inForce"] = {
            "plan": in_force, "clientName": "billing-1.0", "clientUid": UID, "api": api, "apiUid": f"api-{name}",
            "grantedBy": by,
        }  # fmt: skip
        status["observedStatus"] = "Active"
    return {
        "apiVersion": API_VERSION,
        "kind": "Contract",
        "metadata": {
            "name": name,
            "namespace": "team-a",
            "uid": f"contract-{name}",
            "generation": 1,
            "resourceVersion": "900",
            "creationTimestamp": format_time(ago(days=9)),
        },
        "spec": {"clientName": "billing-1.0", "api": api, "plan": plan},
        "status": status,
    }


def approval(name: str, plan: str, *, decision: str = "Approved", reason: str | None = None) -> JsonObject:
    """An approval of the contract of that name, bound to it."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ContractApproval",
        "metadata": {"name": f"ok-{name}", "namespace": "orders", "uid": f"approval-{name}", "generation": 1},
        "spec": {
            "contract": {"namespace": "team-a", "name": name},
            "client": "billing-1.0",
            "api": name,
            "plan": plan,
            "decision": decision,
        }
        | ({"reason": reason} if reason else {}),
        "status": {"observedGeneration": 1, "bound": {"contractUid": f"contract-{name}", "generation": 1}},
    }


def api(name: str) -> JsonObject:
    """An Api that all may contract: basic at once, gold by approval."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Api",
        "metadata": {"name": name, "namespace": "orders", "uid": f"api-{name}", "generation": 1},
        "spec": {
            "desiredStatus": "Published",
            "consumers": {"from": "All"},
            "plans": [{"name": "basic"}, {"name": "gold", "approval": "Manual"}],
        },
        "status": {"observedGeneration": 1, "desiredStatus": "Published"},
    }


def hold(name: str, *, client_name: str | None = "billing-1.0", reason: str = "key leaked", **spec: Any) -> JsonObject:
    """A hold that names the client, or one by labels."""
    by = {"clientName": client_name} if client_name else {"selector": {"matchLabels": {"team": "a"}}}
    return {
        "apiVersion": API_VERSION,
        "kind": "ApiClientHold",
        "metadata": {
            "name": name,
            "namespace": "team-a",
            "uid": f"hold-{name}",
            "generation": 1,
            "creationTimestamp": format_time(ago(minutes=20)),
        },
        "spec": {**by, "reason": reason, **spec},
    }


def event(reason: str, note: str, when: datetime, *, kind: str = "Normal", count: int = 1) -> JsonObject:
    """An Event about the client."""
    series = (
        {"series": {"count": count, "lastObservedTime": when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}} if count > 1 else {}
    )
    return {
        "metadata": {"name": f"e.{reason}", "namespace": "team-a"},
        "eventTime": when.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": kind,
        "reason": reason,
        "note": note,
        "regarding": {"kind": "ApiClient", "name": "billing-1.0", "uid": UID},
        **series,
    }


def lease(renewed: datetime, *, holder: str = "operator-0") -> JsonObject:
    """The operator's Lease."""
    return {
        "metadata": {"name": "apiclient-operator", "namespace": "apiclients-system"},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": 15,
            "renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        },
    }


def gate_lease(
    name: str,
    *,
    renewed: float = 2,
    proved: float = 3,
    ready: str = "true",
    version: str = __version__,
    problem: str = "",
    obeys: str = ",".join(Feature),
    applied: tuple[int, int] = (100, 100),
) -> JsonObject:
    """A gate's Lease; times in seconds before the present, and the versions of clients and holds that it has."""
    notes = {
        "apiclients.dev/version": version,
        "apiclients.dev/applied-apiclients": str(applied[0]),
        "apiclients.dev/applied-apiclientholds": str(applied[1]),
        "apiclients.dev/last-proof-time": ago(seconds=proved).isoformat(),
        "apiclients.dev/ready": ready,
        "apiclients.dev/problem": problem,
        "apiclients.dev/obeys": obeys,
    }
    spec = {"holderIdentity": name, "leaseDurationSeconds": 15, "renewTime": ago(seconds=renewed).isoformat()}
    labels = dict([GATE_LEASE_SELECTOR.split("=")])
    meta = {"name": name, "namespace": "apiclients-system", "labels": labels, "annotations": notes}
    return {"metadata": meta, "spec": spec}


def decided_contract(
    raw: JsonObject,
    owner: JsonObject,
    approvals: Sequence[JsonObject],
    *,
    there: bool = True,
    used: datetime | None = None,
) -> JsonObject:
    """A contract with the status that the operator would write; ``there``: whether its Api is."""
    seen = ObservedContract(
        contract=Contract.from_object(raw),
        client=client_view(ApiClient.from_object(owner)),
        api=api_view(Api.from_object(api(raw["spec"]["api"]["name"]))) if there else None,
        rulings=tuple(ruling(ContractApproval.from_object(one)) for one in approvals),
    )
    status = decide_contract(seen, ago(days=2)).model_copy(update={"last_used_time": used})
    return {**raw, "status": status.to_object()}


def decided_client(
    raw: JsonObject, contracts: Sequence[JsonObject], holds: Sequence[JsonObject], when: datetime
) -> JsonObject:
    """A client with the status that the operator would write at that time."""
    seen = replace(ApiClient.from_object(raw), changed_by="kustomize-controller")
    known = [Contract.from_object(one) for one in contracts]
    read = [ApiClientHold.from_object(one) for one in holds]
    status = decide(observed(seen, known, read, when), when).status
    return {**raw, "status": status.to_object()}


def around(
    raw: JsonObject,
    *,
    contracts: Sequence[JsonObject] = (),
    approvals: Sequence[JsonObject] = (),
    holds: Sequence[JsonObject] = (),
    events: Sequence[JsonObject] = (),
    decide_at: datetime | None = NOW - timedelta(hours=3),
    operator: JsonObject | None = None,
    missing: Sequence[Unread] = (),
) -> Around:
    """What a screen is made from. ``decide_at``: when the operator last looked; None: never since the latest change."""
    if decide_at is not None:
        raw = decided_client(raw, contracts, holds, decide_at)
    return Around(
        client=ApiClient.from_object(raw),
        contracts=tuple(Contract.from_object(one) for one in contracts),
        approvals=tuple(ContractApproval.from_object(one) for one in approvals),
        holds=tuple(ApiClientHold.from_object(one) for one in holds),
        events=tuple(events),
        operator=operator if operator is not None else lease(ago(seconds=4)),
        unread=tuple(missing),
        now=NOW,
    )


def busy() -> Around:
    """A client in the middle of things: contracts in all states, a rotation that overlaps, a history."""
    owner = client(
        displayName="Billing",
        status={
            "credentials": [
                credential(3, ago(hours=2), cause="Request"),
                credential(2, ago(days=40), state="Previous", expires=NOW + 22 * HOUR),
            ],
            "lastCredentialId": 3,
            "history": [
                {"time": format_time(ago(days=3)), "from": "Suspended", "to": "Available", "reason": "Available"},
                {"time": format_time(ago(days=4)), "from": "Available", "to": "Suspended", "reason": "Held"},
                {"time": format_time(ago(days=12)), "from": "Pending", "to": "Available", "reason": "Available",
                 "manager": "kustomize-controller"},
            ],
        },
    )  # fmt: skip
    approvals = [approval("payments", "gold"), approval("ledger", "gold", decision="Rejected", reason="not this year")]
    raw = [
        (contract("invoices", in_force="basic"), True),
        (contract("ledger", plan="gold"), True),
        (contract("orders-v1", plan="gold", in_force="basic"), True),
        (contract("payments", plan="gold"), True),
        (contract("stock"), False),
    ]
    uses = {"invoices": ago(days=5), "orders-v1": ago(minutes=20)}
    return around(
        owner,
        contracts=[
            decided_contract(one, owner, approvals, there=there, used=uses.get(one["metadata"]["name"]))
            for one, there in raw
        ],
        approvals=approvals,
        events=[
            event("Rotated", "A new secret was issued (cause: Request).", ago(hours=2)),
            event("Available", "The client is available.", ago(days=3), count=2),
            event("InvalidSpec", "spec.secret.overlap (9000h) must be less than lifetime", ago(days=5), kind="Warning"),
        ],
        decide_at=ago(hours=2),
    )  # fmt: skip


def held() -> Around:
    """A client that two holds stop."""
    holds = [
        hold("billing-1.0-x7k2p", expiresTime=format_time(NOW + 2 * HOUR)),
        hold("audit", client_name=None, reason="audit: all clients of team a are stopped until Monday"),
    ]
    return around(client(), holds=holds, decide_at=ago(minutes=20))


def suspended() -> Around:
    """A client that Git suspends, with a secret that expires meanwhile."""
    status = {"credentials": [credential(1, ago(days=80))], "observedStatus": "Suspended", "desiredStatus": "Suspended"}
    return around(client(desiredStatus="Suspended", status=status))


def retiring() -> Around:
    """A client in its grace period."""
    when = ago(hours=3)
    contracts = [contract("invoices", in_force="basic")]
    raw = client(desiredStatus="Retired", retirement={"acknowledgedContracts": ["invoices"]})
    raw = decided_client(raw, contracts, (), when)
    return around(raw, contracts=[decided_contract(contracts[0], raw, ())], decide_at=when + timedelta(seconds=1))


def unacknowledged() -> Around:
    """A retirement that names only one of two contracts."""
    owner = client()
    contracts = [decided_contract(contract(name, in_force="basic"), owner, ()) for name in ("invoices", "stock")]
    raw = client(
        desiredStatus="Retired",
        retirement={"acknowledgedContracts": ["stock"]},
        status={"observedGeneration": 2, "desiredGeneration": 2},
    )
    return around(raw, contracts=contracts)


def expired() -> Around:
    """A client whose secret has expired, and whose rotation is Manual."""
    raw = client(
        secret={"rotation": "Manual", "revision": 4}, status={"credentials": [credential(1, ago(days=91), revision=4)]}
    )
    return around(raw, decide_at=ago(minutes=5))


def conflict() -> Around:
    """A client whose Secret was moved to a name that is somebody else's, with a secret that would grow old."""
    since = format_time(ago(hours=4))
    in_the_way = {"type": "SecretReady", "status": "False", "reason": "SecretConflict", "message": "",
                  "lastTransitionTime": since}  # fmt: skip
    return around(client(secret={"name": "shared"}, status={"conditions": [in_the_way]}))


def beside_old_gate() -> Around:
    """A client whose spec revokes what was issued long ago, and a gate that does not know how to say so."""
    raw, when = client(secret={"notBefore": "2020-01-01T00:00:00Z"}), ago(minutes=5)
    gates = {Feature.SECRET_NOT_BEFORE: ("apiclient-gate-7d4f9-x2kqp",)}
    seen = replace(observed(ApiClient.from_object(raw), [], [], when), gates_lacking=gates)
    return around({**raw, "status": decide(seen, when).status.to_object()}, decide_at=None)


def overlapping() -> Around:
    """A client whose previous secret nobody has used since the new one was issued, as all gates have reported."""
    status = {
        "credentials": [
            credential(2, ago(hours=14), lastUsedTime=format_time(ago(hours=1))),
            credential(1, ago(days=40), state="Previous", expires=NOW + 10 * HOUR),
        ],
        "lastCredentialId": 2,
    }
    gate = Replica("apiclient-gate-a", "0.1.0", True, False, "", 1, 1, NOW, NOW, timedelta(seconds=15))
    reports = {"apiclient-gate-a-usage": Report({}, {}, ago(minutes=3))}
    return replace(around(client(status=status), decide_at=ago(hours=14)), gates=(gate,), reports=reports)


def fresh() -> Around:
    """A client that nobody has looked at, and no operator."""
    return around(
        client(status={}),
        decide_at=None,
        operator=lease(ago(hours=5)),
        missing=[Unread(Cause.FORBIDDEN, EVENTS, "you may not read its events")],
    )


def lagging() -> Around:
    """A client whose latest change the operator has not seen: Git suspended it a moment ago."""
    seen = around(client())
    return replace(
        seen,
        client=replace(
            seen.client,
            metadata=replace(seen.client.metadata, generation=4),
            spec=ApiClient.from_object(client(desiredStatus="Suspended")).spec,
        ),
        operator=lease(ago(minutes=10)),
    )
