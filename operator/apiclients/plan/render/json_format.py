"""JSON: the one format for programs. ``docs/plan-format.schema.json`` describes it; ``formatVersion`` tells changes:
the first number for what breaks readers, the second for what is added.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from apiclients import __version__
from apiclients.plan.model import Acknowledgement, Effect, Entry, Finding, Hold, Location, Plan
from apiclients.resources.fields import format_time
from apiclients.resources.refs import ObjectRef

FORMAT_VERSION = "1.2"


def render(plan: Plan) -> str:
    """The plan as JSON; ends with a line break."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(to_object(plan), option=options).decode()


def to_object(plan: Plan) -> dict[str, Any]:
    """The plan as plain values."""
    live = plan.live
    return {
        "formatVersion": FORMAT_VERSION,
        "kind": "ApiClientPlan",
        "tool": {"name": "kubectl-apiclient", "version": __version__},
        "time": format_time(plan.now),
        "base": plan.base,
        "head": plan.head,
        "live": None
        if live is None
        else {
            "source": live.source,
            "takenTime": format_time(live.taken_time),
            "namespaces": None if live.namespaces is None else list(live.namespaces),
        },
        "redacted": plan.redacted,
        "summary": {
            "objects": plan.objects,
            "changes": len(plan.entries),
            "severity": plan.severity.value,
            "unacknowledged": len(plan.unacknowledged),
            "newFindings": len(plan.new_findings),
            "invalid": len(plan.invalid),
        },
        "changes": [_entry(entry) for entry in plan.entries],
        "findings": [_finding(finding) for finding in plan.findings],
        "drift": [
            {"object": _object(d.object), "path": d.path, "base": d.base, "live": d.live, "reset": d.reset}
            for d in plan.drift
        ],
        "notices": list(plan.notices),
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "object": _object(entry.object),
        "change": entry.change.value,
        "changes": [change.value for change in entry.changes],
        "severity": entry.severity.value,
        "before": entry.before,
        "after": entry.after,
        "blocked": entry.blocked,
        "declared": entry.declared,
        "because": [_object(name) for name in entry.because],
        "renamedFrom": _object(entry.renamed_from) if entry.renamed_from is not None else None,
        "location": _location(entry.location),
        "notes": list(entry.notes),
        "fields": [{"path": f.path, "before": f.before, "after": f.after} for f in entry.fields],
        "effects": [_effect(effect) for effect in entry.effects],
        "pausedContracts": list(entry.paused),
        "tokens": None
        if entry.tokens is None
        else {
            "atMostSeconds": int(entry.tokens.at_most.total_seconds()),
            "finalTime": format_time(entry.tokens.final_time),
        },
        "secrets": [
            {
                "namespace": loss.namespace,
                "name": loss.name,
                "time": format_time(loss.when) if loss.when is not None else None,
                "workloads": None if loss.workloads is None else list(loss.workloads),
            }
            for loss in entry.secrets
        ],
        "lastUsedTime": format_time(entry.last_used) if entry.last_used is not None else None,
        "acknowledgement": _acknowledgement(entry.acknowledgement),
        "holds": [_hold(hold) for hold in entry.holds],
    }


def _effect(effect: Effect) -> dict[str, Any]:
    return {
        "object": _object(effect.object),
        "change": effect.change.value,
        "severity": effect.severity.value,
        "before": effect.before,
        "after": effect.after,
        "reason": effect.reason,
        "lastUsedTime": format_time(effect.last_used) if effect.last_used is not None else None,
    }


def _acknowledgement(known: Acknowledgement | None) -> Mapping[str, Any] | None:
    if known is None:
        return None
    return {
        "complete": known.complete,
        "neededCount": known.needed_count,
        "givenCount": known.given_count,
        "needed": list(known.needed),
        "missing": list(known.missing),
        "stale": list(known.stale),
        "paste": known.paste,
    }


def _hold(hold: Hold) -> dict[str, Any]:
    expires = format_time(hold.expires_time) if hold.expires_time is not None else None
    return {"name": hold.name, "reason": hold.reason, "expiresTime": expires, "inGit": hold.in_git}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "level": finding.level.value,
        "message": finding.message,
        "object": _object(finding.object) if finding.object is not None else None,
        "location": _location(finding.location),
        "subject": finding.subject,
        "new": finding.new,
    }


def _object(name: ObjectRef) -> dict[str, str]:
    return {"kind": name.kind, "namespace": name.namespace, "name": name.name}


def _location(location: Location | None) -> dict[str, Any] | None:
    return None if location is None else {"file": location.file, "line": location.line}
