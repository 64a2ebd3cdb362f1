"""``plan(base, head, live, now)``: the whole of it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from apiclients.plan import findings as find
from apiclients.plan.drift import drift
from apiclients.plan.entries import Builder
from apiclients.plan.forecast import Forecast, forecast
from apiclients.plan.live import LiveState
from apiclients.plan.manifests import Manifests
from apiclients.plan.model import Entry, Finding, Level, Plan
from apiclients.plan.renames import renames
from apiclients.plan.ripples import ripples
from apiclients.plan.rules import INVALID_FIELD, NO_DESIRED_STATUS, UNKNOWN_FIELD

_LEVELS = list(Level)
#: What the API server refuses.
_REFUSED = frozenset({INVALID_FIELD.id, NO_DESIRED_STATUS.id, UNKNOWN_FIELD.id})


def plan(base: Manifests, head: Manifests, live: LiveState | None, now: datetime) -> Plan:
    """What applying ``head`` will do where ``base`` is applied. Raises UnsettledError, which is a bug."""
    seen = forecast(base, head, live, now)
    entries = tuple(Builder(seen, base, head, live, ripples(seen), renames(base, head)).entries())
    drifted = tuple(drift(base, seen.live, live))
    old = [*base.findings, *find.verdicts(base, seen.before)]
    new = [*head.findings, *find.verdicts(head, seen.after), *find.unreadable(seen, head)]
    told = [
        *_marked(new, old),
        *find.of_entries(entries, head),
        *find.order(seen, head, base),
        *find.of_drift(drifted, base),
    ]
    return Plan(
        base=base.label,
        head=head.label,
        live=live.info if live is not None else None,
        now=now,
        entries=entries,
        findings=tuple(sorted(told, key=_order)),
        drift=drifted,
        notices=tuple(_notices(seen, entries, told, live)),
        objects=len(base.objects.keys() | head.objects.keys()),
    )


def _marked(new: Iterable[Finding], old: Iterable[Finding]) -> list[Finding]:
    """Findings of head; those that base has as well are not new, wherever they stand by now."""
    known = {_identity(finding) for finding in old}
    return [replace(finding, new=_identity(finding) not in known) for finding in new]


def _identity(finding: Finding) -> tuple[object, ...]:
    place = finding.location.file if finding.object is None and finding.location is not None else None
    return finding.rule, finding.object, finding.subject, place


def _order(finding: Finding) -> tuple[object, ...]:
    location = finding.location
    place = (location.file, location.line) if location is not None else ("", 0)
    return not finding.new, _LEVELS.index(finding.level), *place, finding.rule, finding.message


def _notices(
    seen: Forecast, entries: Iterable[Entry], told: Iterable[Finding], live: LiveState | None
) -> Iterable[str]:
    if live is None:
        yield (
            "Planned on manifests alone: what is live is not known (statuses, holds, contracts of other repositories, "
            "approvals, who mounts Secrets)."
        )
    elif live.namespaces is not None:
        yield f"The live state covers these namespaces only: {', '.join(sorted(live.namespaces)) or 'none'}."
    if live is not None and live.namespace_labels is None:
        yield "Labels of namespaces are not known: Apis with consumers.from Selector count as closed to others."
    if seen.after.assumed:
        names = ", ".join(f"{name.namespace}/{name.name}" for name in sorted(seen.after.assumed))
        yield f"Not looked at, taken to be published with the plans that contracts name: Api {names}."
    if seen.unknown_live:
        names = ", ".join(map(str, seen.unknown_live))
        yield f"Live objects that this version cannot read count as not there: {names}."
    if any(entry.after is None and entry.before is not None for entry in entries):
        yield "Deletions happen only where whoever applies the manifests also prunes."
    if any(finding.rule in _REFUSED and finding.new for finding in told):
        yield "Tools that check all objects first, such as Flux, apply nothing while one of them is refused."
