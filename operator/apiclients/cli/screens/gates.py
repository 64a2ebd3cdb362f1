"""Checks of gates and operator by their Leases, and how far each gate is. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apiclients.cli.screens.check import Check, CheckResult
from apiclients.cli.screens.contracts import condition
from apiclients.cli.screens.status import awaited_by
from apiclients.cli.screens.text import age
from apiclients.lifecycle.enforcement import Awaited, obeyed_by
from apiclients.lifecycle.features import NO_FEATURES, features_used, lacking
from apiclients.lifecycle.replicas import Replica, time_or_none
from apiclients.resources.conditions import ConditionType
from apiclients.resources.names import PROBLEM_ANNOTATION, VERSION_ANNOTATION
from apiclients.resources.objects import ApiClient, ApiClientHold

_LEASE_SECONDS = 15.0
_PROOF_SECONDS = 15.0

#: The operator's Lease, as JSON.
Lease = Mapping[str, Any]


def operator_check(lease: Lease | None, system_namespace: str, now: datetime) -> Check:
    """Whether an operator leads and is ready; ``lease`` None: its Lease is not there."""
    logs = f"look at its log: kubectl logs -n {system_namespace} deployment/apiclient-operator"
    start = f"start it, and {logs}"
    if lease is None:
        return Check("operator", CheckResult.WRONG, "no operator has ever led: its Lease is not there", start)
    spec = lease.get("spec") or {}
    holder, renewed = spec.get("holderIdentity"), time_or_none(spec.get("renewTime"))
    if not holder or renewed is None:
        return Check("operator", CheckResult.WRONG, "no operator leads: its Lease has no holder", start)
    if (now - renewed).total_seconds() > (spec.get("leaseDurationSeconds") or _LEASE_SECONDS):
        what = f"no operator leads: {holder} last renewed the Lease {age(renewed, now)} ago"
        return Check("operator", CheckResult.WRONG, what, start)
    problem = _annotations(lease).get(PROBLEM_ANNOTATION)
    if problem:
        what = f"{holder} leads and is not ready: {problem}"
        return Check("operator", CheckResult.WRONG, what, f"see docs/runbooks/operator-not-ready.md, or {logs}")
    return Check("operator", CheckResult.OK, f"{holder} leads; its Lease was renewed {age(renewed, now)} ago")


def gate_checks(gates: Sequence[Replica], system_namespace: str, now: datetime) -> list[Check]:
    """One check for each gate, or one that none is alive."""
    if any(one.alive(now) for one in gates):
        return [gate_check(one, system_namespace, now) for one in gates]
    fix = f"start it, and {_gate_logs(system_namespace)}"
    return [Check("gate", CheckResult.WRONG, "no gate is alive: every call is refused", fix)]


def gate_check(one: Replica, system_namespace: str, now: datetime) -> Check:
    """Whether a gate is alive and ready, and its picture proved."""
    logs = _gate_logs(system_namespace)
    if not one.alive(now):
        what = f"{one.name} last renewed its Lease {age(one.renewed, now)} ago"
        fix = f"if it is gone: kubectl delete lease -n {system_namespace} {one.name}"
        return Check("gate", CheckResult.WARNING, what, fix)
    if not one.ready:
        why = f" ({one.problem})" if one.problem else ""
        fix = f"see docs/runbooks/gate-not-ready.md, or {logs}"
        return Check("gate", CheckResult.WRONG, f"{one.name} is not ready: it answers 503{why}", fix)
    if _stale(one):
        when = f"{age(one.proved, now)} ago" if one.proved is not None else "never"
        return Check("gate", CheckResult.WRONG, f"{one.name} last proved its picture {when}", logs)
    if one.problem:
        what = f"{one.name} is ready, but {one.problem}"
        return Check("gate", CheckResult.WRONG, what, "see docs/runbooks/keys-lost.md")
    what = f"{one.name} is ready; it proved its picture {age(one.proved, now)} ago"
    return Check("gate", CheckResult.OK, f"{what}, version {one.version}")


def _stale(one: Replica) -> bool:
    if one.proved is None or one.renewed is None:
        return True
    return (one.renewed - one.proved).total_seconds() > _PROOF_SECONDS


def feature_checks(gates: Iterable[Replica], now: datetime) -> list[Check]:
    """What a gate does not obey fails open there, so it is reported before anybody uses it."""
    fix = "upgrade the gates before anybody uses it: see docs/upgrades.md"
    return [
        Check("gate", CheckResult.WARNING, f"{', '.join(names)} is too old to obey {feature}", fix)
        for feature, names in lacking(gates, now).items()
    ]


def version_checks(gates: Iterable[Replica], operator: Lease | None, plugin_version: str, now: datetime) -> list[Check]:
    """Whether plugin, operator and the gates that are alive have one version."""
    known = {f"gate {one.name}": one.version for one in gates if one.alive(now)}
    notes = _annotations(operator or {})
    if VERSION_ANNOTATION in notes:
        known["operator"] = notes[VERSION_ANNOTATION]
    others = {name: version for name, version in known.items() if version != plugin_version}
    if not others:
        return []
    listed = ", ".join(f"{name} has {version}" for name, version in sorted(others.items()))
    what = f"versions differ: this plugin has {plugin_version}, {listed}"
    return [Check("versions", CheckResult.WARNING, what, "use one version of everything")]


def _annotations(lease: Lease) -> dict[str, Any]:
    return dict((lease.get("metadata") or {}).get("annotations") or {})


def _gate_logs(system_namespace: str) -> str:
    return f"look at its log: kubectl logs -n {system_namespace} deployment/apiclient-gate"


@dataclass(frozen=True, slots=True)
class Unenforced:
    """A client that some gate does not obey yet, as its condition Enforced reports."""

    namespace: str
    name: str
    message: str
    since: datetime
    awaited: Awaited | None


def unenforced(client: ApiClient, holds: Mapping[str, ApiClientHold]) -> Unenforced | None:
    """A client whose condition Enforced is not True; ``holds`` are those of its namespace by name."""
    enforced = condition(client.status.conditions, ConditionType.ENFORCED)
    if enforced is None or enforced.status == "True":
        return None
    stopping = (holds[one.name] for one in client.status.holds if one.name in holds)
    features = NO_FEATURES.union(*map(features_used, stopping))
    meta = client.metadata
    since = enforced.last_transition_time
    return Unenforced(meta.namespace, meta.name, enforced.message, since, awaited_by(client, features))


@dataclass(frozen=True, slots=True)
class Versions:
    """The resourceVersions of the latest known clients and holds."""

    clients: int
    holds: int


@dataclass(frozen=True, slots=True)
class GateStanding:
    """One gate, and how far it is."""

    gate: Replica
    check: Check
    #: "ready", "not ready" or "lost".
    state: str
    #: Whether it has applied the latest known change.
    clients_applied: bool
    holds_applied: bool
    #: How many clients wait for it.
    waiting_clients: int


def standings(
    gates: Iterable[Replica], latest: Versions, waiting: Sequence[Unenforced], system_namespace: str, now: datetime
) -> tuple[GateStanding, ...]:
    """Each gate."""
    return tuple(
        GateStanding(
            gate=gate,
            check=gate_check(gate, system_namespace, now),
            state="lost" if not gate.alive(now) else "ready" if gate.ready else "not ready",
            clients_applied=gate.applied_clients >= latest.clients,
            holds_applied=gate.applied_holds >= latest.holds,
            waiting_clients=sum(one.awaited is not None and not obeyed_by(gate, one.awaited) for one in waiting),
        )
        for gate in gates
    )
