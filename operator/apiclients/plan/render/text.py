"""Text for a terminal: 100 columns, and as clear without colour."""

import textwrap
from collections.abc import Iterable, Iterator

from apiclients.plan.model import Change, Entry, Plan, Severity
from apiclients.plan.render import words

WIDTH = 100
_LABEL = 20
#: Lists longer than this are cut; JSON holds all of it.
_MOST_NAMES = 12
_MOST_FIELDS = 6

_SYMBOLS = {Change.CREATE: "+", Change.DELETE: "-"}
_COLOURS = {Severity.IRREVERSIBLE: "31;1", Severity.DISRUPTIVE: "33", Severity.REVERSIBLE: "36", Severity.NONE: "2"}
_BOLD = "1"


def render(plan: Plan, *, color: bool = False) -> str:
    """The plan as text; ends with a line break."""
    lines = [_header(plan, color), ""]
    for entry in plan.entries:
        lines += [*_entry(entry, plan, color), ""]
    lines += _sections(plan, color)
    lines.append(_paint(_verdict(plan), _BOLD, color))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _header(plan: Plan, color: bool) -> str:
    text = f"ApiClient plan   base {plan.base}   head {plan.head}   {words.live_source(plan)}"
    text = words.clean(text)
    return "\n".join(_paint(line, _BOLD, color) for line in textwrap.wrap(text, WIDTH, subsequent_indent=" " * 17))


def _verdict(plan: Plan) -> str:
    sentences = [words.verdict(plan), words.acknowledged(plan) or ""]
    counted = f" ({words.counts(plan)})" if plan.entries else ""
    return textwrap.fill(f"Plan: {' '.join(sentences).strip()}{counted}", WIDTH, subsequent_indent="      ")


def _entry(entry: Entry, plan: Plan, color: bool) -> Iterator[str]:
    symbol = "!" if entry.severity is Severity.IRREVERSIBLE else _SYMBOLS.get(entry.change, "~")
    grade = entry.severity.value.upper() if entry.severity is Severity.IRREVERSIBLE else entry.severity.value
    title = f"{symbol} {entry.object}"
    place = str(entry.location) if entry.location is not None else ""
    yield _paint(_columns(title, f"{entry.change}: {words.transition(entry)}"), _COLOURS[entry.severity], color)
    yield from _detail("severity", f"{grade}{f' ({place})' if place else ''}")
    for label, text in _details(entry, plan):
        yield from _detail(label, text)
    if entry.acknowledgement is not None and entry.acknowledgement.paste:
        yield "    to acknowledge, put this into the manifest" + _before(entry) + ":"
        yield from (f"        {line}" for line in entry.acknowledgement.paste.splitlines())


def _before(entry: Entry) -> str:
    """A deletion is judged by what the cluster holds, so its acknowledgement must be there first."""
    return " and apply it, before it is deleted" if entry.after is not None and Change.DELETE in entry.changes else ""


def _details(entry: Entry, plan: Plan) -> Iterator[tuple[str, str]]:
    if entry.because:
        yield "because of", _names(map(str, entry.because))
    shown = entry.fields[:_MOST_FIELDS] if entry.severity is Severity.NONE or not entry.notes else ()
    for field in shown:
        yield "field", f"{field.path}: {field.before or 'unset'} -> {field.after or 'unset'}"
    if len(shown) < len(entry.fields) and shown:
        yield "", f"and {len(entry.fields) - len(shown)} more fields"
    for label, change in (("contracts ended", Change.CONTRACT_ENDED), ("contracts started", Change.CONTRACT_STARTED)):
        found = [e for e in entry.effects if e.change is change]
        if found:
            yield label, f"{len(found)}: {_names(_effect(e.object.key, e.reason, entry) for e in found)}"
    others = [e for e in entry.effects if e.change not in (Change.CONTRACT_ENDED, Change.CONTRACT_STARTED)]
    if others:
        yield "also", _names(f"{e.object}: {e.change} ({e.before or 'new'} -> {e.after or 'gone'})" for e in others)
    if entry.paused:
        yield "contracts paused", f"{len(entry.paused)}: {_names(entry.paused)}"
    yield from _losses(entry, plan)
    yield from _acknowledged(entry)
    for hold in entry.holds:
        until = f", until {words.when(hold.expires_time, plan.now)}" if hold.expires_time is not None else ""
        yield "held", f"by {hold.name} ({hold.reason}){until}{'' if hold.in_git else '; not in Git'}"
    for note in entry.notes if not (entry.acknowledgement and entry.acknowledgement.paste) else ():
        yield "note", note


def _effect(key: tuple[str, str], reason: str | None, entry: Entry) -> str:
    name = key[1] if key[0] == entry.object.namespace else "/".join(key)
    return f"{name} ({reason})" if reason else name


def _losses(entry: Entry, plan: Plan) -> Iterator[tuple[str, str]]:
    if entry.tokens is not None:
        dead = (
            ""
            if entry.tokens.final_time <= plan.now
            else f", for good at {words.when(entry.tokens.final_time, plan.now)}"
        )
        yield "tokens die", f"the longest would have lived {words.span(entry.tokens.at_most)} more{dead}"
    for loss in entry.secrets:
        time = "" if loss.when is None else f" at {words.when(loss.when, plan.now)}"
        who = "who mounts it is not known" if loss.workloads is None else "no workload mounts it"
        mounted = f"mounted by {_names(loss.workloads)}" if loss.workloads else who
        yield "secret removed", f"{loss.namespace}/{loss.name}{time}, {mounted}"


def _acknowledged(entry: Entry) -> Iterator[tuple[str, str]]:
    known = entry.acknowledgement
    if known is None or not (known.needed_count or known.stale):
        return
    missing = f"; missing: {_names(known.missing)}" if known.missing else ""
    stale = f"; no longer active: {_names(known.stale)}" if known.stale else ""
    yield "acknowledged", f"{known.given_count}/{known.needed_count}{missing}{stale}"


def _sections(plan: Plan, color: bool) -> Iterator[str]:
    if plan.drift:
        yield _paint("Live is not what base says:", _BOLD, color)
        for one in plan.drift[:_MOST_NAMES]:
            what = f"{one.path}: {one.base or 'unset'} in base, {one.live or 'unset'} live" if one.path else "not there"
            end = "" if one.reset else " (not in Git: it stays)"
            yield from _wrap(f"{one.object}  {what}{end}", "  ", "      ")
        if len(plan.drift) > _MOST_NAMES:
            yield f"  and {len(plan.drift) - _MOST_NAMES} more"
        yield ""
    if plan.new_findings:
        yield _paint("Findings:", _BOLD, color)
        for finding in plan.new_findings:
            place = f"{finding.location}: " if finding.location is not None else ""
            yield from _wrap(f"{place}{words.finding_line(finding)}", "  ", "      ")
        yield ""
    if words.older(plan):
        yield f"{words.older(plan)}; -o json has them."
        yield ""
    for notice in plan.notices:
        yield from _wrap(notice, "Note: ", "      ")
    if plan.notices:
        yield ""


def _detail(label: str, text: str) -> list[str]:
    return _wrap(text, f"    {label:<{_LABEL}}", " " * (_LABEL + 4))


def _wrap(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        words.clean(text),
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
        break_long_words=True,
    ) or [first]


def _columns(left: str, right: str) -> str:
    gap = max(2, 44 - len(left))
    line = f"{left}{' ' * gap}{right}"
    return line if len(line) <= WIDTH else f"{left}\n{' ' * 24}{right}"


def _names(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - _MOST_NAMES} more" if len(found) > _MOST_NAMES else ""
    return ", ".join(found[:_MOST_NAMES]) + more


def _paint(text: str, code: str, color: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if color else text
