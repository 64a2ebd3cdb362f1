"""The screen of ``status`` as text."""

from collections.abc import Sequence
from datetime import datetime

from apiclients.cli.screens.contracts import ContractLine
from apiclients.cli.screens.status import StatusView
from apiclients.cli.screens.text import NONE, Mark, Style, age, clean, joined, last_used, table, until, visible, wrap
from apiclients.resources.fields import format_duration, format_time

_INDENT = "  "


def render_status(view: StatusView, style: Style) -> str:
    """One screen."""
    sections = (
        _head(view, style),
        _contracts(view, style),
        _identities(view, style),
        _keys(view, style),
        _credentials(view, style),
        _holds(view, style),
        _gates(view, style),
        _next(view, style),
        _history(view, style),
        _events(view, style),
        _missing(view, style),
    )
    return joined(line for lines in sections if lines for line in (*lines, "")).rstrip("\n")


def _head(view: StatusView, style: Style) -> list[str]:
    named = " ".join(part for part in (view.client, view.version) if part)
    rows = [
        ("Client", named + (f" ({clean(view.display_name)})" if view.display_name else "")),
        ("Owner", clean(view.owner) if view.owner else NONE),
        ("Client id", view.client_id),
        ("Age", age(view.created, view.now)),
        ("Last used", _ago(last_used(view.last_used, view.now))),
        ("Desired", _desired(view)),
    ]
    title = f"{style.bold(f'ApiClient {view.namespace}/{view.name}')}"
    standing = f"{style.mark(view.mark)} {style.marked(view.mark, view.effective_status)}"
    lines = [f"{title}  {standing}", *wrap(clean(view.why), style.width, first=_INDENT)]
    lines += ["", *(_pair(label, text, style) for label, text in rows)]
    for condition in view.conditions:
        since = f"for {age(condition.since, view.now)}"
        state = (
            f"{style.mark(condition.mark)} {condition.type}={condition.status}  {condition.reason}  {style.dim(since)}"
        )
        lines.append(_INDENT + state)
        if condition.type in ("Stalled", "Reconciling"):
            lines += wrap(clean(condition.message), style.width, first=_INDENT * 3)
    return lines


def _desired(view: StatusView) -> str:
    parts = [view.desired_status]
    if view.desired_status_in_force is not None:
        parts.append(f"in force: {view.desired_status_in_force}")
    if view.final is not None:
        over = view.now >= view.final
        parts.append(f"{'final since' if over else 'final'} {until(view.final, view.now)} ({format_time(view.final)})")
    if view.unseen_generation is not None:
        parts.append(f"the operator has not reconciled generation {view.unseen_generation} yet")
    return "; ".join(parts)


def _pair(label: str, text: str, style: Style) -> str:
    return f"{_INDENT}{style.dim(f'{label}:'.ljust(11))}{text}"


def _heading(text: str, style: Style, note: str = "") -> str:
    return style.bold(text) + (f" {style.dim(note)}" if note else "")


def _contracts(view: StatusView, style: Style) -> list[str]:
    active = sum(line.plan_in_force is not None for line in view.contracts)
    waiting = sum(line.mark is Mark.WAITS for line in view.contracts)
    note = f"{active} in force" + (f", {waiting} waiting" if waiting else "")
    heading = _heading("Contracts", style, note if view.contracts else "none")
    rows = [_contract_row(line, view.now, style) for line in view.contracts]
    texts = table(rows, gap=2)
    lines = [heading]
    for position, (text, line) in enumerate(zip(texts, view.contracts, strict=True)):
        last = position == len(texts) - 1
        lines += _branch(text, line, style, last=last, age_text=age(line.created, view.now))
    return lines


def _contract_row(line: ContractLine, now: datetime, style: Style) -> Sequence[str]:
    changing = line.plan_in_force not in (None, line.plan)
    plan = f"{line.plan_in_force} → {line.plan}" if changing else line.plan
    used = f"used {_ago(last_used(line.last_used, now))}" if line.last_used is not None else ""
    return (f"{style.mark(line.mark)} {line.name}", line.api, f"plan {plan}", _contract_state(line), used)


def _contract_state(line: ContractLine) -> str:
    return line.approval if line.plan_in_force is not None or line.approval != "-" else line.status


def _branch(text: str, line: ContractLine, style: Style, *, last: bool, age_text: str) -> list[str]:
    stem, below = ("└── ", "    ") if last else ("├── ", "│   ")
    aged = f"{text}  {style.dim(age_text)}"
    lines = [stem + (aged if visible(aged) + 4 <= style.width else text)]
    if line.problem:
        lines += wrap(clean(line.problem), style.width, first=below + _INDENT, rest=below + _INDENT)
    return lines


def _identities(view: StatusView, style: Style) -> list[str]:
    if not view.identities:
        return []
    rows = [
        (
            f"{style.mark(line.mark)} {line.issuer}",
            clean(line.subject),
            f"in force for {age(line.since, view.now)}" if line.since is not None else "not in force",
        )
        for line in view.identities
    ]
    return [_heading("Identities", style, "tokens of other issuers"), *table(rows, indent=_INDENT, gap=2)]


def _keys(view: StatusView, style: Style) -> list[str]:
    if not view.keys:
        return []
    rows = [(key.kid, key.kind) for key in view.keys]
    return [_heading("Keys", style, "of its own, for client assertions"), *table(rows, indent=_INDENT, gap=2)]


def _credentials(view: StatusView, style: Style) -> list[str]:
    about = f"Secret {view.secret}, rotation {view.rotation}" if view.secret is not None else "no Secret is issued"
    heading = _heading("Credentials", style, about)
    rows = [
        (
            f"{style.mark(line.mark)} #{line.id} {line.state}",
            f"issued {age(line.issued, view.now)} ago ({line.cause})",
            f"{'expired' if view.now >= line.expires else 'expires'} {until(line.expires, view.now)}",
            style.dim(format_time(line.expires)),
            f"used {_ago(last_used(line.last_used, view.now))}" if line.last_used is not None else "not used yet",
        )
        for line in view.credentials
    ]
    tokens = f"Tokens live {format_duration(view.token_lifetime)}"
    if view.not_before is not None:
        ago = age(view.not_before, view.now)
        tokens += f"; those from before {format_time(view.not_before)} ({ago} ago) are dead"
    return [
        heading,
        *(table(rows, indent=_INDENT, gap=2) or [f"{_INDENT}none{' yet' if view.secret is not None else ''}"]),
        *(line for text in view.overlaps for line in wrap(text, style.width, first=_INDENT)),
        *wrap(tokens, style.width, first=_INDENT),
    ]


def _ago(used: str) -> str:
    return used if used == "never" else f"{used} ago"


def _holds(view: StatusView, style: Style) -> list[str]:
    if not view.holds:
        return []
    lines = [_heading("Holds", style, "release with: kubectl apiclient release")]
    for hold in view.holds:
        end = f", ends {until(hold.expires, view.now)}" if hold.expires is not None else ""
        placed = (
            f"placed {age(hold.created, view.now)} ago {'by' if hold.by == 'a selector' else 'for'} {hold.by}"
            if hold.by in ("a selector", "all clients")
            else f"{age(hold.created, view.now)} old"
        )
        author = f", by user {clean(hold.author)}" if hold.author else ""
        text = f"{hold.name} ({placed}{author}{end}): {clean(hold.reason)}"
        lines += wrap(text, style.width, first=f"{_INDENT}{style.mark(Mark.BAD)} ")
    return lines


def _gates(view: StatusView, style: Style) -> list[str]:
    """How far the gates are; the operator says it, and who may read their Leases sees each."""
    if view.enforced is None:
        return []
    rows = [
        (
            f"{style.mark(line.mark)} {clean(line.name)}",
            line.state,
            f"version {clean(line.version)}",
            f"seen {age(line.renewed, view.now)} ago",
        )
        for line in view.gates
    ]
    return [
        _heading("Gates", style),
        *wrap(clean(view.enforced), style.width, first=_INDENT),
        *table(rows, indent=_INDENT, gap=2),
    ]


def _next(view: StatusView, style: Style) -> list[str]:
    if not view.next:
        return []
    rows = [(_when(item.time <= view.now, until(item.time, view.now)), item.what) for item in view.next]
    width = max(len(when) for when, _ in rows)
    lines = [_heading("Next", style)]
    for when, what in rows:
        lines += wrap(what, style.width, first=f"{_INDENT}{when.ljust(width)}  ")
    return lines


def _when(present: bool, text: str) -> str:
    return "now" if present else text


def _history(view: StatusView, style: Style) -> list[str]:
    if not view.history:
        return []
    rows = [
        (
            f"{age(line.time, view.now)} ago",
            f"{line.before} → {line.after}",
            line.reason,
            f"by {clean(line.changed_by)}" if line.changed_by else "",
        )
        for line in view.history
    ]
    return [_heading("History", style), *table(rows, indent=_INDENT, gap=2)]


def _events(view: StatusView, style: Style) -> list[str]:
    if not view.events:
        return []
    lines = [_heading("Events", style)]
    for line in view.events:
        mark = Mark.PLAIN if line.type == "Normal" else Mark.BAD
        times = f" (x{line.count})" if line.count > 1 else ""
        text = f"{age(line.time, view.now)} ago  {line.reason}{times}: {clean(line.note)}"
        lines += wrap(text, style.width, first=f"{_INDENT}{style.mark(mark)} ")
    return lines


def _missing(view: StatusView, style: Style) -> list[str]:
    return [line for text in view.missing for line in wrap(f"Not shown: {text}", style.width)]
