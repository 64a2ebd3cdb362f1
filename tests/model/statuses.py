"""What the operator has made of each object, by its statuses and by the model, to be compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apiclients.resources.objects import Api, ApiClient, ApiClientHold, Contract, ContractApproval
from apiclients.resources.refs import NamespacedName
from tests.lifecycle.parties import told
from tests.model.expected import Expected

READERS: dict[str, Any] = {
    "apiclients": ApiClient,
    "apis": Api,
    "contracts": Contract,
    "contractapprovals": ContractApproval,
    "apiclientholds": ApiClientHold,
}
#: Plural, namespace and name.
Key = tuple[str, NamespacedName]
Summary = dict[Key, object]


def seen(objects: Iterable[tuple[Key, dict[str, Any]]]) -> Summary:
    """What statuses say."""
    return {key: _summary(key[0], READERS[key[0]].from_object(obj).status) for key, obj in objects if key[0] in READERS}


def _summary(plural: str, s: Any) -> object:
    match plural:
        case "apiclients":
            active, holds = set(s.contracts.active_names), [h.name for h in s.holds]
            return s.observed_status, s.desired_status, active, holds, s.retirement is not None, _too_old(s)
        case "apis":
            final = s.retirement is not None and s.retirement.final
            return s.observed_status, final, s.contracts.active, s.contracts.rejected
        case "contracts":
            plan = s.in_force.plan if s.in_force is not None and s.observed_status == "Active" else None
            return s.observed_status, _reason(s), plan
        case "contractapprovals":
            return _reason(s)
        case _:
            return set(s.stopped_names), _too_old(s)


def _reason(status: Any) -> str:
    """The reason of Ready; empty while there is none."""
    return told(status, "Ready").partition("/")[2]


def _too_old(status: Any) -> bool:
    """Whether it says that a gate does not obey it."""
    return told(status, "Stalled") == "True/GateTooOld"


def expected(model: Expected) -> Summary:
    """What the model says that they have to say."""
    found: Summary = {}
    for key, client in model.clients.items():
        retiring, holds = client.retired is not None, model.holding(client)
        found["apiclients", key] = (
            client.observed,
            client.desired,
            model.active_names(client),
            holds,
            retiring,
            model.not_obeyed(client),
        )
    for key, api in model.apis.items():
        mine = [c.status for c in model.contracts.values() if c.spec.api == key]
        found["apis", key] = api.desired, api.final, mine.count("Active"), mine.count("Rejected")
    for key, contract in model.contracts.items():
        plan = contract.granted.plan if contract.granted and contract.status == "Active" else None
        found["contracts", key] = contract.status, contract.reason, plan
    for key, approval in model.approvals.items():
        found["contractapprovals", key] = model.standing_of(approval)
    for key, hold in model.holds.items():
        stopped = {c.spec.key[1] for c in model.clients.values() if model.stopped_by(key, c)}
        found["apiclientholds", key] = stopped, model.not_obeyed(hold)
    return found


def differences(objects: Iterable[tuple[Key, dict[str, Any]]], model: Expected) -> list[str]:
    """Where statuses are not yet, or never, what the model says; an edit that was not observed yet is such a place.

    Until there is none the operator may still be at the step before, and two steps would be as good as one.
    """
    found = dict(objects)
    late = [f"{'/'.join(key)} of {plural} is not observed yet" for (plural, key), obj in found.items() if _late(obj)]
    if late:
        return late  # a first status is empty
    real, wanted = seen(found.items()), expected(model)
    return [
        f"{'/'.join(key[1])} of {key[0]} is {real.get(key)}, not {wanted.get(key)}"
        for key in sorted(real.keys() | wanted.keys())
        if real.get(key) != wanted.get(key)
    ]


def _late(obj: dict[str, Any]) -> bool:
    return bool(obj.get("status", {}).get("observedGeneration") != obj["metadata"]["generation"])
