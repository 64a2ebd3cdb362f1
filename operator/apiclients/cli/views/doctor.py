"""What ``doctor`` finds: one check per line, each with a verdict and a mend. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from apiclients.cli.facts import Facts, Right, secret_rights
from apiclients.cli.replicas import Replica, replica, time_or_none
from apiclients.cli.text import age
from apiclients.cli.views.stuck import stuck_clients, stuck_contracts
from apiclients.kube.objects import JsonObject
from apiclients.resources.crd import KINDS, Kind, custom_resource_definition
from apiclients.resources.names import GROUP, VERSION, VERSION_ANNOTATION

#: Policies, and whether their binding has to deny; the others only warn.
POLICIES = {
    "retire-apiclients": False,
    "delete-apiclients": True,
    "retire-apis": False,
    "delete-apis": True,
    "republish-apis": True,
    "apiclients-status": True,
    "apiclient-operator-secrets": True,
}
_APPLY = "kubectl apply -k manifests/control"
_LEASE_SECONDS = 15.0
_PROOF_SECONDS = 15.0
_CLOCK_SECONDS = 30.0
_CLOCK_NOTICE = 5.0


class Verdict(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. ``mend`` says what to do; empty when nothing is to be done."""

    area: str
    verdict: Verdict
    what: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class DoctorView:
    """All findings."""

    checks: tuple[Check, ...]
    now: datetime

    @property
    def wrong(self) -> bool:
        """Whether anything is wrong."""
        return any(check.verdict is Verdict.WRONG for check in self.checks)


def doctor_view(facts: Facts) -> DoctorView:
    """Judge everything that was read."""
    rules: tuple[Callable[[Facts], list[Check]], ...] = (
        _namespace,
        _crds,
        _policies,
        _roles,
        _operator,
        _gates,
        _versions,
        _clocks,
        _clients,
        _unread,
    )
    return DoctorView(tuple(check for rule in rules for check in rule(facts)), facts.now)


def _namespace(facts: Facts) -> list[Check]:
    if facts.namespace_there is not False:
        return []
    what = f"namespace {facts.system_namespace} is not there"
    return [
        Check("namespace", Verdict.WRONG, what, f"install it ({_APPLY}), or name the right one: --system-namespace")
    ]


def _crds(facts: Facts) -> list[Check]:
    if facts.crds is None:
        return []
    checks = [_crd(kind, facts.crds.get(f"{kind.plural}.{GROUP}"), facts.plugin_version) for kind in KINDS]
    if all(check.verdict is Verdict.OK for check in checks):
        what = f"{len(checks)} CRDs are served as {GROUP}/{VERSION}, as version {facts.plugin_version} has them"
        return [Check("CRDs", Verdict.OK, what)]
    return [check for check in checks if check.verdict is not Verdict.OK]


def _crd(kind: Kind, live: JsonObject | None, version: str) -> Check:
    name = f"{kind.plural}.{GROUP}"
    if live is None:
        return Check("CRDs", Verdict.WRONG, f"{name} is not there", _APPLY)
    established = {c["type"]: c["status"] for c in (live.get("status") or {}).get("conditions") or []}
    served = {v["name"]: v for v in live["spec"]["versions"] if v.get("served")}
    if established.get("Established") != "True" or VERSION not in served:
        return Check("CRDs", Verdict.WRONG, f"{name} does not serve {VERSION}", _APPLY)
    wanted = custom_resource_definition(kind)["spec"]["versions"][0]
    paths = differences(wanted, served[VERSION])
    if not paths:
        return Check("CRDs", Verdict.OK, name)
    shown = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
    what = f"{name} differs from version {version} at: {shown}"
    return Check("CRDs", Verdict.WARNING, what, f"use one version of everything: {_APPLY}, or another plugin")


def differences(wanted: Any, live: Any, path: str = "") -> list[str]:
    """The paths at which two JSON values differ."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        keys = [*wanted, *(key for key in live if key not in wanted)]
        return [
            found
            for key in keys
            for found in differences(wanted.get(key), live.get(key), f"{path}.{key}" if path else str(key))
        ]
    if isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        pairs = enumerate(zip(wanted, live, strict=True))
        return [found for number, (one, two) in pairs for found in differences(one, two, f"{path}[{number}]")]
    return [] if wanted == live else [path]


def _policies(facts: Facts) -> list[Check]:
    if facts.policies is None or facts.bindings is None:
        return []
    checks = [check for name in POLICIES if (check := _policy(name, facts)) is not None]
    if checks:
        return checks
    return [Check("policies", Verdict.OK, f"{len(POLICIES)} admission policies are there and bound")]


def _policy(name: str, facts: Facts) -> Check | None:
    policy = (facts.policies or {}).get(name)
    if policy is None:
        return Check("policies", Verdict.WRONG, f"policy {name} is not there", _APPLY)
    warnings = ((policy.get("status") or {}).get("typeChecking") or {}).get("expressionWarnings")
    if warnings:
        return Check("policies", Verdict.WARNING, f"policy {name} does not fit the kinds that it checks", _APPLY)
    bound = [b["spec"] for b in facts.bindings or () if b["spec"].get("policyName") == name]
    actions = {action for spec in bound for action in spec.get("validationActions") or []}
    if not actions & ({"Deny"} if POLICIES[name] else {"Deny", "Warn"}):
        return Check("policies", Verdict.WRONG, f"policy {name} is not bound: it has no effect", _APPLY)
    return None


def _roles(facts: Facts) -> list[Check]:
    secrets = [right for right in facts.allowed if right in _secret_rights(facts)]
    missing = [right for right, yes in facts.allowed.items() if right.wanted and not yes and right not in secrets]
    surplus = [right for right, yes in facts.allowed.items() if not right.wanted and yes]
    checks = [
        Check("roles", Verdict.WRONG, f"{right.account} may not {right}", f"{_APPLY} (rbac-*.yaml)")
        for right in missing
    ]
    checks += [
        Check("roles", Verdict.WARNING, f"{right.account} may {right}, which it does not need", "take the role away")
        for right in surplus
    ]
    checks += [
        Check(
            "roles",
            Verdict.WRONG,
            f"{right.account} may not write Secrets in {right.namespace}, where clients are",
            "bind ClusterRole apiclient-operator-secrets there, as overlays/namespaced-secrets does",
        )
        for right in secrets
        if not facts.allowed[right]
    ]
    if checks or not facts.allowed:
        return checks
    return [Check("roles", Verdict.OK, "operator and gate have the rights that they need")]


def _secret_rights(facts: Facts) -> set[Right]:
    namespaces = {obj["metadata"]["namespace"] for obj in facts.clients or ()}
    return set(secret_rights(sorted(namespaces)))


def _operator(facts: Facts) -> list[Check]:
    if any("leases apiclient-operator" in text for text in facts.unread):
        return []
    start = f"start it, and look at its log: kubectl logs -n {facts.system_namespace} deployment/apiclient-operator"
    if facts.operator_lease is None:
        return [Check("operator", Verdict.WRONG, "no operator has ever led: its Lease is not there", start)]
    spec = facts.operator_lease.get("spec") or {}
    holder, renewed = spec.get("holderIdentity"), time_or_none(spec.get("renewTime"))
    if not holder or renewed is None:
        return [Check("operator", Verdict.WRONG, "no operator leads: its Lease has no holder", start)]
    seconds = (facts.now - renewed).total_seconds()
    if seconds > (spec.get("leaseDurationSeconds") or _LEASE_SECONDS):
        what = f"no operator leads: {holder} last renewed the Lease {age(renewed, facts.now)} ago"
        return [Check("operator", Verdict.WRONG, what, start)]
    return [Check("operator", Verdict.OK, f"{holder} leads; its Lease was renewed {age(renewed, facts.now)} ago")]


def _gates(facts: Facts) -> list[Check]:
    if facts.gate_leases is None:
        return []
    found = [replica(lease) for lease in facts.gate_leases]
    logs = f"look at its log: kubectl logs -n {facts.system_namespace} deployment/apiclient-gate"
    if not any(one.alive(facts.now) for one in found):
        return [Check("gate", Verdict.WRONG, "no gate is alive: every call is refused", f"start it, and {logs}")]
    return [_gate(one, facts, logs) for one in sorted(found, key=lambda one: one.name)]


def _gate(one: Replica, facts: Facts, logs: str) -> Check:
    if not one.alive(facts.now):
        what = f"{one.name} last renewed its Lease {age(one.renewed, facts.now)} ago"
        return Check(
            "gate", Verdict.WARNING, what, f"if it is gone: kubectl delete lease -n {facts.system_namespace} {one.name}"
        )
    if not one.ready:
        return Check("gate", Verdict.WRONG, f"{one.name} is not ready: it answers 503", logs)
    stale = one.proved is None or one.renewed is None or (one.renewed - one.proved).total_seconds() > _PROOF_SECONDS
    if stale:
        when = f"{age(one.proved, facts.now)} ago" if one.proved is not None else "never"
        return Check("gate", Verdict.WRONG, f"{one.name} last proved its picture {when}", logs)
    what = f"{one.name} is ready; it proved its picture {age(one.proved, facts.now)} ago"
    return Check("gate", Verdict.OK, f"{what}, version {one.version}")


def _versions(facts: Facts) -> list[Check]:
    known = {f"gate {one.name}": one.version for one in map(replica, facts.gate_leases or ()) if one.alive(facts.now)}
    notes = ((facts.operator_lease or {}).get("metadata") or {}).get("annotations") or {}
    if VERSION_ANNOTATION in notes:
        known["operator"] = notes[VERSION_ANNOTATION]
    others = {name: version for name, version in known.items() if version != facts.plugin_version}
    if not others:
        return []
    told = ", ".join(f"{name} has {version}" for name, version in sorted(others.items()))
    what = f"versions differ: this plugin has {facts.plugin_version}, {told}"
    return [Check("versions", Verdict.WARNING, what, "use one version of everything")]


def _clocks(facts: Facts) -> list[Check]:
    checks: list[Check] = []
    offset = facts.clock_offset
    if offset is not None and abs(offset) > _CLOCK_NOTICE:
        way = "ahead of" if offset > 0 else "behind"
        what = f"this machine's clock is {abs(offset):.0f} s {way} the API server's"
        checks.append(Check("clocks", Verdict.WARNING, what, "set it right (NTP); times shown here go by the server"))
    for name, renewed in _renewals(facts):
        ahead = (renewed - facts.now).total_seconds() if renewed is not None else 0.0
        if ahead > _CLOCK_NOTICE:
            verdict = Verdict.WRONG if ahead > _CLOCK_SECONDS else Verdict.WARNING
            what = f"the clock of {name} is {ahead:.0f} s ahead of the API server's"
            checks.append(Check("clocks", verdict, what, "set the clock of its node right (NTP)"))
    if checks or offset is None:
        return checks
    return [Check("clocks", Verdict.OK, f"this machine and the API server differ by {abs(offset):.1f} s")]


def _renewals(facts: Facts) -> list[tuple[str, datetime | None]]:
    leases = [*((facts.operator_lease,) if facts.operator_lease else ()), *(facts.gate_leases or ())]
    return [(one["metadata"]["name"], time_or_none((one.get("spec") or {}).get("renewTime"))) for one in leases]


def _clients(facts: Facts) -> list[Check]:
    if facts.clients is None:
        return []
    found = [*stuck_clients(facts.clients, facts.now), *stuck_contracts(facts.contracts or (), facts.now)]
    checks = [Check("clients", Verdict.WRONG, one.what, one.mend) for one in found]
    if checks:
        return checks
    return [Check("clients", Verdict.OK, f"none of {len(facts.clients)} clients is stuck")]


def _unread(facts: Facts) -> list[Check]:
    mend = "ask for the right, or have somebody look who has it"
    return [Check("rights", Verdict.UNKNOWN, text, mend) for text in facts.unread]
