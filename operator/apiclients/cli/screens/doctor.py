"""What ``doctor`` finds: one check per line, each with a verdict and a fix. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apiclients.cli.cluster.facts import Facts, Right, secret_rights
from apiclients.cli.cluster.unread import may_not_read
from apiclients.cli.screens.check import Check, CheckResult
from apiclients.cli.screens.gates import feature_checks, gate_checks, operator_check, version_checks
from apiclients.cli.screens.stuck import stuck_clients, stuck_contracts
from apiclients.kube.objects import LEASES, JsonObject
from apiclients.lifecycle.replicas import Replica, replica, time_or_none
from apiclients.resources.crd import CRD_KINDS, Kind, custom_resource_definition
from apiclients.resources.names import GROUP, OPERATOR_LEASE, VERSION

#: Policies, and whether their binding has to deny; the others only warn.
POLICIES = {
    "retire-apiclients": False,
    "delete-apiclients": True,
    "retire-apis": False,
    "delete-apis": True,
    "keep-clients": True,
    "republish-apis": True,
    "apiclients-status": True,
    "apiclients-owners": True,
    "apiclientholds-author": True,
    "bounded-metadata": True,
    "apiclient-operator-secrets": True,
    **{f"valid-{kind.plural}": True for kind in CRD_KINDS},
}
_APPLY = "kubectl apply -k manifests/control"
_CLOCK_SECONDS = 30.0
_CLOCK_NOTICE = 5.0


@dataclass(frozen=True, slots=True)
class DoctorView:
    """All findings."""

    checks: tuple[Check, ...]
    now: datetime

    @property
    def wrong(self) -> bool:
        """Whether anything is wrong."""
        return any(check.verdict is CheckResult.WRONG for check in self.checks)


def doctor_view(facts: Facts) -> DoctorView:
    """Judge everything that was read; where nothing is installed there is one thing to say."""
    if facts.crds is not None and not any(f"{kind.plural}.{GROUP}" in facts.crds for kind in CRD_KINDS):
        return DoctorView((_nothing_installed(),), facts.now)
    rules: tuple[Callable[[Facts], list[Check]], ...] = (
        _namespace,
        _crds,
        _policies,
        _roles,
        _operator,
        _gates,
        _features,
        _versions,
        _clocks,
        _clients,
        _issuers,
        _unread,
    )
    return DoctorView(tuple(check for rule in rules for check in rule(facts)), facts.now)


def _nothing_installed() -> Check:
    what = f"nothing is installed: there is no CRD of {GROUP}"
    elsewhere = "or choose another cluster with --context"
    return Check("CRDs", CheckResult.WRONG, what, f"install it, as docs/operations.md says ({_APPLY}), {elsewhere}")


def _namespace(facts: Facts) -> list[Check]:
    if facts.namespace_there is not False:
        return []
    what = f"namespace {facts.system_namespace} is not there"
    return [
        Check("namespace", CheckResult.WRONG, what, f"install it ({_APPLY}), or name the right one: --system-namespace")
    ]


def _crds(facts: Facts) -> list[Check]:
    if facts.crds is None:
        return []
    checks = [_crd(kind, facts.crds.get(f"{kind.plural}.{GROUP}"), facts.plugin_version) for kind in CRD_KINDS]
    if all(check.verdict is CheckResult.OK for check in checks):
        what = f"{len(checks)} CRDs are served as {GROUP}/{VERSION}, as version {facts.plugin_version} has them"
        return [Check("CRDs", CheckResult.OK, what)]
    return [check for check in checks if check.verdict is not CheckResult.OK]


def _crd(kind: Kind, live: JsonObject | None, version: str) -> Check:
    name = f"{kind.plural}.{GROUP}"
    if live is None:
        return Check("CRDs", CheckResult.WRONG, f"{name} is not there", _APPLY)
    established = {c["type"]: c["status"] for c in (live.get("status") or {}).get("conditions") or []}
    served = {v["name"]: v for v in live["spec"]["versions"] if v.get("served")}
    if established.get("Established") != "True" or VERSION not in served:
        return Check("CRDs", CheckResult.WRONG, f"{name} does not serve {VERSION}", _APPLY)
    wanted = custom_resource_definition(kind)["spec"]["versions"][0]
    paths = differences(wanted, served[VERSION])
    if not paths:
        return Check("CRDs", CheckResult.OK, name)
    shown = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
    what = f"{name} differs from version {version} at: {shown}"
    return Check("CRDs", CheckResult.WARNING, what, f"use one version of everything: {_APPLY}, or another plugin")


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
    return [Check("policies", CheckResult.OK, f"{len(POLICIES)} admission policies are there and bound")]


def _policy(name: str, facts: Facts) -> Check | None:
    policy = (facts.policies or {}).get(name)
    if policy is None:
        return Check("policies", CheckResult.WRONG, f"policy {name} is not there", _APPLY)
    warnings = ((policy.get("status") or {}).get("typeChecking") or {}).get("expressionWarnings")
    if warnings:
        return Check("policies", CheckResult.WARNING, f"policy {name} does not fit the kinds that it checks", _APPLY)
    bound = [b["spec"] for b in facts.bindings or () if b["spec"].get("policyName") == name]
    actions = {action for spec in bound for action in spec.get("validationActions") or []}
    if not actions & ({"Deny"} if POLICIES[name] else {"Deny", "Warn"}):
        return Check("policies", CheckResult.WRONG, f"policy {name} is not bound: it has no effect", _APPLY)
    return None


def _roles(facts: Facts) -> list[Check]:
    secrets = [right for right in facts.allowed if right in _secret_rights(facts)]
    missing = [right for right, yes in facts.allowed.items() if right.wanted and not yes and right not in secrets]
    surplus = [right for right, yes in facts.allowed.items() if not right.wanted and yes]
    checks = [
        Check("roles", CheckResult.WRONG, f"{right.account} may not {right}", f"{_APPLY} (rbac-*.yaml)")
        for right in missing
    ]
    checks += [
        Check(
            "roles", CheckResult.WARNING, f"{right.account} may {right}, which it does not need", "take the role away"
        )
        for right in surplus
    ]
    checks += [
        Check(
            "roles",
            CheckResult.WRONG,
            f"{right.account} may not write Secrets in {right.namespace}, where clients are",
            "bind ClusterRole apiclient-operator-secrets there, as overlays/namespaced-secrets does",
        )
        for right in secrets
        if not facts.allowed[right]
    ]
    if checks or not facts.allowed:
        return checks
    return [Check("roles", CheckResult.OK, "operator and gate have the rights that they need")]


def _secret_rights(facts: Facts) -> set[Right]:
    namespaces = {obj["metadata"]["namespace"] for obj in facts.clients or ()}
    return set(secret_rights(sorted(namespaces)))


def _operator(facts: Facts) -> list[Check]:
    if may_not_read(facts.unread, LEASES, OPERATOR_LEASE):
        return []
    return [operator_check(facts.operator_lease, facts.system_namespace, facts.now)]


def _gates(facts: Facts) -> list[Check]:
    if facts.gate_leases is None:
        return []
    return gate_checks(_replicas(facts), facts.system_namespace, facts.now)


def _features(facts: Facts) -> list[Check]:
    return feature_checks(_replicas(facts), facts.now)


def _versions(facts: Facts) -> list[Check]:
    return version_checks(_replicas(facts), facts.operator_lease, facts.plugin_version, facts.now)


def _replicas(facts: Facts) -> list[Replica]:
    return sorted(map(replica, facts.gate_leases or ()), key=lambda one: one.name)


def _clocks(facts: Facts) -> list[Check]:
    checks: list[Check] = []
    offset = facts.clock_offset
    if offset is not None and abs(offset) > _CLOCK_NOTICE:
        direction = "ahead of" if offset > 0 else "behind"
        what = f"this machine's clock is {abs(offset):.0f} s {direction} the API server's"
        checks.append(
            Check("clocks", CheckResult.WARNING, what, "set it right (NTP); times shown here go by the server")
        )
    for name, renewed in _renewals(facts):
        ahead = (renewed - facts.now).total_seconds() if renewed is not None else 0.0
        if ahead > _CLOCK_NOTICE:
            verdict = CheckResult.WRONG if ahead > _CLOCK_SECONDS else CheckResult.WARNING
            what = f"the clock of {name} is {ahead:.0f} s ahead of the API server's"
            checks.append(Check("clocks", verdict, what, "set the clock of its node right (NTP)"))
    if checks or offset is None:
        return checks
    return [Check("clocks", CheckResult.OK, f"this machine and the API server differ by {abs(offset):.1f} s")]


def _renewals(facts: Facts) -> list[tuple[str, datetime | None]]:
    leases = [*((facts.operator_lease,) if facts.operator_lease else ()), *(facts.gate_leases or ())]
    return [(one["metadata"]["name"], time_or_none((one.get("spec") or {}).get("renewTime"))) for one in leases]


def _clients(facts: Facts) -> list[Check]:
    if facts.clients is None:
        return []
    found = [*stuck_clients(facts.clients, facts.now), *stuck_contracts(facts.contracts or (), facts.now)]
    checks = [Check("clients", CheckResult.WRONG, one.what, one.fix) for one in found]
    if checks:
        return checks
    return [Check("clients", CheckResult.OK, f"none of {len(facts.clients)} clients is stuck")]


def _issuers(facts: Facts) -> list[Check]:
    """TokenIssuers whose tokens are not recognised, or whose keys cannot be fetched."""
    checks = [check for issuer in facts.issuers or () if (check := _issuer(issuer)) is not None]
    if facts.issuers and not checks:
        return [Check("issuers", CheckResult.OK, f"tokens of {len(facts.issuers)} TokenIssuers are recognised")]
    return checks


def _issuer(issuer: JsonObject) -> Check | None:
    conditions = {c["type"]: c for c in (issuer.get("status") or {}).get("conditions") or []}
    name, ready, active = issuer["metadata"]["name"], conditions.get("Ready"), conditions.get("Active")
    if ready is None:
        what = f"TokenIssuer {name} has not been looked at by the operator yet"
        return Check("issuers", CheckResult.WARNING, what, "look at the operator")
    if ready["status"] == "True":
        return None
    stopped = active is None or active["status"] != "True"
    verdict = CheckResult.WRONG if stopped else CheckResult.WARNING
    what = f"TokenIssuer {name}: {ready['message'].rstrip('.')}"
    return Check("issuers", verdict, what, f"kubectl describe tokenissuer {name}")


def _unread(facts: Facts) -> list[Check]:
    fix = "ask for the right, or have somebody look who has it"
    return [Check("rights", CheckResult.UNKNOWN, one.text, fix) for one in facts.unread]
