"""Findings from what the operator will make of the manifests, and from the plan's entries; all by its own verdicts."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from apiclients.lifecycle.contracts import client_not_found
from apiclients.lifecycle.credentials import current
from apiclients.lifecycle.spec_problems import spec_problem
from apiclients.plan.changes import outcome, stalled
from apiclients.plan.forecast import Forecast
from apiclients.plan.manifests import Manifest, Manifests
from apiclients.plan.model import ChangeKind, Drift, Entry, Finding, Location, Severity
from apiclients.plan.values import counted
from apiclients.plan.world import World
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.objects import AnyObject, ApiClient, ApiClientHold
from apiclients.resources.plan_rules import (
    DISRUPTIVE,
    DRIFT,
    HELD_LIVE,
    INVALID_FIELD,
    IRREVERSIBLE,
    ORDER,
    RENAMED,
    UNACKNOWLEDGED,
    Level,
    PlanRule,
)
from apiclients.resources.reasons import REASONS, PlanFinding
from apiclients.resources.refs import ObjectRef

_LEVELS = list(Level)


def findings(
    base: Manifests, head: Manifests, seen: Forecast, entries: Iterable[Entry], drifted: Iterable[Drift]
) -> tuple[Finding, ...]:
    """Everything that a reviewer should know, gravest first."""
    old = [*base.findings, *of_objects(base, seen.before)]
    new = [*head.findings, *of_objects(head, seen.after), *unreadable(seen, head)]
    found = [*_marked(new, old), *of_entries(entries, head), *order(seen, head, base), *of_drift(drifted, base)]
    return tuple(sorted(found, key=_sort_key))


def _marked(new: Iterable[Finding], old: Iterable[Finding]) -> list[Finding]:
    """Findings of head; those that base has as well are not new, wherever they stand by now."""
    known = {_identity(finding) for finding in old}
    return [replace(finding, new=_identity(finding) not in known) for finding in new]


def _identity(finding: Finding) -> tuple[object, ...]:
    place = finding.location.file if finding.object is None and finding.location is not None else None
    return finding.rule, finding.object, finding.subject, place


def _sort_key(finding: Finding) -> tuple[object, ...]:
    location = finding.location
    place = (location.file, location.line) if location is not None else ("", 0)
    return not finding.new, _LEVELS.index(finding.level), *place, finding.rule, finding.message


def of_objects(manifests: Manifests, world: World) -> Iterator[Finding]:
    """What the operator will find wrong with objects of these manifests."""
    for name in sorted(manifests.objects):
        manifest, obj = manifests.objects[name], world.objects.get(name)
        if obj is None or manifest.refused:
            continue
        found = _problem(obj, world)
        if found is not None:
            where, message = found
            subject = ".".join(where.field)
            yield _finding(where.rule, f"{name}: {message}", name, manifest.place(*where.field), subject)


def _problem(obj: AnyObject, world: World) -> tuple[PlanFinding, str] | None:
    """By which rule an object is reported, and what is said of it."""
    if isinstance(obj, ApiClientHold):
        return _hold_of_nobody(obj)
    ready = next((c for c in obj.status.conditions if c.type == ConditionType.READY and c.status != "True"), None)
    condition = stalled(obj) or ready
    if condition is None:
        return None
    if condition.reason == Reason.INVALID_SPEC and isinstance(obj, ApiClient):
        problem = spec_problem(obj.spec, world.now)
        if problem is not None:
            return PlanFinding(problem.rule, problem.field), problem.message
    meaning = REASONS.get(Reason(condition.reason))
    return (meaning.finding, condition.message) if meaning is not None and meaning.finding is not None else None


def _hold_of_nobody(hold: ApiClientHold) -> tuple[PlanFinding, str] | None:
    if hold.spec.client_name is None or hold.status.stopped_count != 0:
        return None
    holding = any(c.type == ConditionType.ACTIVE and c.status == "True" for c in hold.status.conditions)
    finding = REASONS[Reason.CLIENT_NOT_FOUND].finding
    return (finding, client_not_found(hold.spec.client_name)) if holding and finding is not None else None


def of_entries(entries: Iterable[Entry], head: Manifests) -> Iterator[Finding]:
    """What a reviewer should know of the changes themselves."""
    for entry in entries:
        yield from _of_entry(entry, head.objects.get(entry.object))


def _of_entry(entry: Entry, manifest: Manifest | None) -> Iterator[Finding]:
    name, place = entry.object, entry.location
    if entry.unacknowledged and entry.acknowledgement is not None:
        yield _finding(UNACKNOWLEDGED, _unacknowledged(entry), name, place, "acknowledgement")
    if entry.renamed_from is not None:
        message = f"{entry.renamed_from} becomes {name}: {entry.rename_note or ''}".rstrip(": ")
        yield _finding(RENAMED, message, name, manifest.location if manifest else place, "rename")
    for hold in entry.holds:
        if not hold.in_git and ChangeKind.HELD not in entry.changes:
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


def uncertain(seen: Forecast) -> frozenset[ObjectRef]:
    """The objects that end otherwise when the change arrives in another order."""
    found: set[ObjectRef] = set()
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


def _finding(rule: PlanRule, message: str, name: ObjectRef, location: Location | None, subject: str) -> Finding:
    return Finding(rule.id, rule.level, message, name, location, subject)
