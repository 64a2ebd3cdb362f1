"""Findings from what the operator will make of the manifests, and from the plan's entries; all by its own verdicts."""

from collections.abc import Iterable, Iterator

from apiclients.lifecycle.credentials import current
from apiclients.plan.forecast import Forecast
from apiclients.plan.manifests import Manifest, Manifests
from apiclients.plan.model import Change, Drift, Entry, Finding, Level, Location, ObjectId, Severity
from apiclients.plan.outcome import outcome, stalled
from apiclients.plan.rules import (
    CONTRACT_CLASH,
    DANGLING,
    DISRUPTIVE,
    DRIFT,
    FINAL,
    FUTURE_NOT_BEFORE,
    HELD_LIVE,
    INVALID_FIELD,
    IRREVERSIBLE,
    LONG_OVERLAP,
    LONG_RENEW_BEFORE,
    MISMATCH,
    NO_PLAN,
    ORDER,
    RENAMED,
    SECRET_CLASH,
    TOO_MANY,
    UNACKNOWLEDGED,
    Rule,
)
from apiclients.plan.values import counted
from apiclients.plan.world import AnyObject, World
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.objects import ApiClient, ApiClientHold

_BY_REASON: dict[str, tuple[Rule, tuple[str, ...]]] = {
    Reason.CLIENT_NOT_FOUND: (DANGLING, ("spec", "clientName")),
    Reason.API_NOT_FOUND: (DANGLING, ("spec", "api")),
    Reason.CONTRACT_NOT_FOUND: (DANGLING, ("spec", "contract")),
    Reason.PLAN_NOT_FOUND: (NO_PLAN, ("spec", "plan")),
    Reason.CONFLICT: (CONTRACT_CLASH, ("spec", "clientName")),
    Reason.TOO_MANY_CONTRACTS: (TOO_MANY, ("spec", "clientName")),
    Reason.MISMATCH: (MISMATCH, ("spec",)),
    Reason.SECRET_CONFLICT: (SECRET_CLASH, ("spec", "secret", "name")),
    Reason.RETIREMENT_IS_FINAL: (FINAL, ("spec", "desiredStatus")),
}
#: What cannot be obeyed, by the field that the operator's sentence begins with.
_UNOBEYABLE: dict[str, tuple[Rule, tuple[str, ...]]] = {
    "spec.tokens.notBefore": (FUTURE_NOT_BEFORE, ("spec", "tokens", "notBefore")),
    "spec.secret.overlap": (LONG_OVERLAP, ("spec", "secret", "overlap")),
    "spec.secret.renewBefore": (LONG_RENEW_BEFORE, ("spec", "secret", "renewBefore")),
}


def verdicts(manifests: Manifests, world: World) -> Iterator[Finding]:
    """What the operator will find wrong with objects of these manifests."""
    for name in sorted(manifests.objects):
        manifest, obj = manifests.objects[name], world.objects.get(name)
        if obj is None or manifest.refused:
            continue
        found = _verdict(obj)
        if found is not None:
            rule, path, message = found
            yield _finding(rule, f"{name}: {message}", name, manifest.place(*path), ".".join(path))


def _verdict(obj: AnyObject) -> tuple[Rule, tuple[str, ...], str] | None:
    ready = next((c for c in obj.status.conditions if c.type == ConditionType.READY), None)
    verdict = stalled(obj) or ready
    if isinstance(obj, ApiClientHold):
        return _hold(obj)
    if verdict is None or (verdict.status == "True" and verdict.type == ConditionType.READY):
        return None
    if verdict.reason == Reason.INVALID_SPEC:
        known = next((found for field, found in _UNOBEYABLE.items() if verdict.message.startswith(field)), None)
        rule, path = known or (INVALID_FIELD, ("spec",))
        return rule, path, verdict.message
    if verdict.reason not in _BY_REASON:
        return None
    rule, path = _BY_REASON[verdict.reason]
    return rule, path, verdict.message


def _hold(hold: ApiClientHold) -> tuple[Rule, tuple[str, ...], str] | None:
    if hold.spec.client_name is None or hold.status.stopped_count != 0:
        return None
    holding = any(c.type == ConditionType.ACTIVE and c.status == "True" for c in hold.status.conditions)
    message = f"There is no ApiClient {hold.spec.client_name} in this namespace (yet)."
    return (DANGLING, ("spec", "clientName"), message) if holding else None


def of_entries(entries: Iterable[Entry], head: Manifests) -> Iterator[Finding]:
    """What a reviewer should know of the changes themselves."""
    for entry in entries:
        yield from _of_entry(entry, head.objects.get(entry.object))


def _of_entry(entry: Entry, manifest: Manifest | None) -> Iterator[Finding]:
    name, place = entry.object, entry.location
    if entry.unacknowledged and entry.acknowledgement is not None:
        yield _finding(UNACKNOWLEDGED, _unacknowledged(entry), name, place, "acknowledgement")
    if entry.renamed_from is not None:
        message = f"{entry.renamed_from} becomes {name}: {entry.notes[-1] if entry.notes else ''}".rstrip(": ")
        yield _finding(RENAMED, message, name, manifest.location if manifest else place, "rename")
    for hold in entry.holds:
        if not hold.in_git and Change.HELD not in entry.changes:
            message = f"{name} is stopped by the live hold {hold.name} ({hold.reason}), which is not in Git"
            yield _finding(HELD_LIVE, message, name, place, hold.name)
    if entry.unacknowledged:
        return
    if entry.severity is Severity.IRREVERSIBLE:
        yield _finding(IRREVERSIBLE, f"{name}: {summary(entry)}", name, place, str(entry.change))
    elif entry.severity is Severity.DISRUPTIVE:
        yield _finding(DISRUPTIVE, f"{name}: {summary(entry)}", name, place, str(entry.change))


def summary(entry: Entry) -> str:
    """One entry in one line."""
    parts = [str(entry.change)]
    if entry.blocked:
        parts.append("waits for an acknowledgement")
    if entry.contracts_ended:
        parts.append(f"ends {counted(len(entry.contracts_ended), 'contract')}")
    if entry.tokens is not None:
        parts.append("tokens die")
    if entry.secrets:
        parts.append("Secret " + ", ".join(loss.name for loss in entry.secrets) + " goes")
    return ", ".join(parts)


def _unacknowledged(entry: Entry) -> str:
    known = entry.acknowledgement
    if known is None:
        return ""
    which = f": {', '.join(known.missing)}" if known.missing else ""
    count = known.needed_count - known.given_count
    return f"{entry.object}: {entry.change} would end {counted(count, 'unacknowledged contract')}{which}"


def of_drift(found: Iterable[Drift], base: Manifests) -> Iterator[Finding]:
    """Drift as findings: none of it is the change's doing."""
    for one in found:
        manifest = base.objects.get(one.object)
        what = f"{one.path} is {one.live or 'not set'} live, {one.base or 'not set'} in base"
        message = f"{one.object}: {what}" if one.path else f"{one.object} is declared in base and not there live"
        place = manifest.location if manifest is not None else None
        yield Finding(DRIFT.id, Level.NOTE, message, one.object, place, one.path, new=False)


def order(seen: Forecast, head: Manifests, base: Manifests) -> Iterator[Finding]:
    """Objects for which it matters what of the change arrives first."""
    for name in sorted(uncertain(seen)):
        manifest = head.objects.get(name) or base.objects.get(name)
        worlds = (seen.after, *seen.otherwise)
        ends = dict.fromkeys(_end(world.objects.get(name)) for world in worlds)
        message = f"{name}: depends on what arrives first; it ends as {' or '.join(ends)}"
        yield _finding(ORDER, message, name, manifest.location if manifest is not None else None, "order")


def uncertain(seen: Forecast) -> frozenset[ObjectId]:
    """The objects that end otherwise when the change arrives in another order."""
    found: set[ObjectId] = set()
    for world in seen.otherwise:
        for name in world.objects.keys() | seen.after.objects.keys():
            one, other = seen.after.objects.get(name), world.objects.get(name)
            if one is not other and outcome(one) != outcome(other):
                found.add(name)
    return frozenset(found)


def _end(obj: AnyObject | None) -> str:
    found = outcome(obj)
    if found is None:
        return "gone"
    known = current(obj.status.credentials) if isinstance(obj, ApiClient) else None
    detail = f" with credential {known.id}" if known is not None else ""
    return f"{found.status}{f' ({found.reason})' if found.reason and found.reason != found.status else ''}{detail}"


def unreadable(seen: Forecast, head: Manifests) -> Iterator[Finding]:
    """Objects that pass the schema and still cannot be read."""
    for name, problem in sorted(seen.unreadable.items()):
        yield _finding(INVALID_FIELD, problem, name, head.objects[name].location, "spec")


def _finding(rule: Rule, message: str, name: ObjectId, location: Location | None, subject: str) -> Finding:
    return Finding(rule.id, rule.level, message, name, location, subject)
