"""``plan(base, head, live, now)``: the whole of it."""

from collections.abc import Iterable
from datetime import datetime

from apiclients.plan.blast_radius import blast_radius
from apiclients.plan.drift import drift
from apiclients.plan.entries import Builder
from apiclients.plan.findings import findings
from apiclients.plan.forecast import Forecast, forecast
from apiclients.plan.live import LiveState
from apiclients.plan.manifests import Manifests
from apiclients.plan.model import Entry, Finding, Plan
from apiclients.plan.renames import renames
from apiclients.plan.unknown import with_unknown
from apiclients.resources.plan_rules import BY_ID


def plan(base: Manifests, head: Manifests, live: LiveState | None, now: datetime) -> Plan:
    """What applying ``head`` will do where ``base`` is applied. Raises UnsettledError, which is a bug."""
    head = with_unknown(base, head)
    seen = forecast(base, head, live, now)
    entries = tuple(Builder(seen, base, head, live, blast_radius(seen), renames(base, head)).entries())
    drifted = tuple(drift(base, seen.live, live))
    found = findings(base, head, seen, entries, drifted)
    return Plan(
        base=base.label,
        head=head.label,
        live=live.info if live is not None else None,
        now=now,
        entries=entries,
        findings=found,
        drift=drifted,
        notices=(*_notices(seen, entries, found, live), *_unread_base(base, head)),
        objects=len(base.objects.keys() | head.objects.keys()),
    )


def _unread_base(base: Manifests, head: Manifests) -> Iterable[str]:
    if base.unread and head.objects.keys() - base.objects.keys():
        places = ", ".join(str(unread.location) for unread in base.unread)
        yield f"Base cannot be read at {places}: what is declared there counts as not there before."


_ASSUMPTIONS = {
    "Api": "taken to be published with the plans that contracts name",
    "TokenIssuer": "taken to grant the identities that clients name",
}


def _notices(
    seen: Forecast, entries: Iterable[Entry], found: Iterable[Finding], live: LiveState | None
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
    for kind, assumption in _ASSUMPTIONS.items():
        assumed = sorted(name for name in seen.after.assumed if name.kind == kind)
        names = ", ".join(f"{name.namespace}/{name.name}".removeprefix("/") for name in assumed)
        if names:
            yield f"Not looked at, {assumption}: {kind} {names}."
    if seen.unknown_live:
        names = ", ".join(map(str, seen.unknown_live))
        yield f"Live objects that this version cannot read are treated as missing: {names}."
    if any(entry.after is None and entry.before is not None for entry in entries):
        yield "Deletions happen only where whoever applies the manifests also prunes."
    if any(BY_ID[finding.rule].invalid for finding in found):
        yield "Tools that check all objects first, such as Flux, apply nothing while one of them is refused."
