"""Text for a terminal: as wide as it is, and as clear without colour."""

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from apiclients.plan.model import ChangeKind, Effect, Entry, Plan, Severity
from apiclients.plan.render import words

WIDTH = 100
_LABEL = 20
#: Lists longer than this are cut; JSON holds all of it.
_MOST_NAMES = 12
_MOST_FIELDS = 6

_SYMBOLS = {ChangeKind.CREATE: "+", ChangeKind.DELETE: "-"}
_COLOURS = {Severity.IRREVERSIBLE: "31;1", Severity.DISRUPTIVE: "33", Severity.REVERSIBLE: "36", Severity.NONE: "2"}
_BOLD = "1"


@dataclass(frozen=True, slots=True)
class _Page:
    """What the plan is written on."""

    color: bool
    width: int

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text

    def detail(self, label: str, text: str) -> list[str]:
        return self.wrap(text, f"    {label:<{_LABEL}}", " " * (_LABEL + 4))

    def wrap(self, text: str, first: str, rest: str) -> list[str]:
        return textwrap.wrap(
            words.clean(text),
            self.width,
            initial_indent=first,
            subsequent_indent=rest,
            break_on_hyphens=False,
            break_long_words=True,
        ) or [first]

    def columns(self, left: str, right: str) -> str:
        line = f"{left}{' ' * max(2, 44 - len(left))}{right}"
        if len(line) <= self.width:
            return line
        indent = " " * (24 if len(right) + 24 <= self.width else 6)
        return "\n".join([left, *self.wrap(right, indent, indent)])


def render(plan: Plan, *, color: bool = False, width: int = WIDTH) -> str:
    """The plan as text, ``width`` columns wide; ends with a line break."""
    page = _Page(color, width)
    lines = [*_header(plan, page), ""]
    for entry in plan.entries:
        lines += [*_entry(entry, plan, page), ""]
    lines += _sections(plan, page)
    lines.append(page.paint(_verdict(plan, page), _BOLD))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _header(plan: Plan, page: _Page) -> Iterator[str]:
    text = f"ApiClient plan   base {plan.base}   head {plan.head}   {words.live_source(plan)}"
    lines = textwrap.wrap(words.clean(text), page.width, subsequent_indent=" " * 17)
    return (page.paint(line, _BOLD) for line in lines)


def _verdict(plan: Plan, page: _Page) -> str:
    sentences = [words.verdict(plan), words.acknowledged(plan) or "", words.invalid(plan) or ""]
    counted = f" ({words.counts(plan)})" if plan.entries else ""
    return textwrap.fill(f"Plan: {' '.join(filter(None, sentences))}{counted}", page.width, subsequent_indent="      ")


def _entry(entry: Entry, plan: Plan, page: _Page) -> Iterator[str]:
    symbol = "!" if entry.severity is Severity.IRREVERSIBLE else _SYMBOLS.get(entry.change, "~")
    grade = entry.severity.value.upper() if entry.severity is Severity.IRREVERSIBLE else entry.severity.value
    title = f"{symbol} {entry.object}"
    place = str(entry.location) if entry.location is not None else ""
    yield page.paint(page.columns(title, f"{entry.change}: {words.transition(entry)}"), _COLOURS[entry.severity])
    yield from page.detail("severity", f"{grade}{f' ({place})' if place else ''}")
    for label, text in _details(entry, plan):
        yield from page.detail(label, text)
    if entry.acknowledgement is not None and entry.acknowledgement.paste:
        yield from page.wrap(f"to acknowledge, put this into the manifest{_before(entry)}:", "    ", "    ")
        yield from (f"        {line}" for line in entry.acknowledgement.paste.splitlines())


def _before(entry: Entry) -> str:
    """A deletion is judged by what the cluster holds, so its acknowledgement must be there first."""
    return (
        " and apply it, before it is deleted" if entry.after is not None and ChangeKind.DELETE in entry.changes else ""
    )


def _details(entry: Entry, plan: Plan) -> Iterator[tuple[str, str]]:
    if entry.because:
        yield "because of", _names(map(str, entry.because))
    shown = entry.fields[:_MOST_FIELDS] if entry.severity is Severity.NONE or not entry.notes else ()
    for field in shown:
        yield "field", f"{field.path}: {field.before or 'unset'} -> {field.after or 'unset'}"
    if len(shown) < len(entry.fields) and shown:
        yield "", f"and {len(entry.fields) - len(shown)} more fields"
    for label, change in (
        ("contracts ended", ChangeKind.CONTRACT_ENDED),
        ("contracts started", ChangeKind.CONTRACT_STARTED),
    ):
        found = [e for e in entry.effects if e.change is change]
        if found:
            yield label, f"{len(found)}: {_names(_effect(e, entry, plan) for e in found)}"
    others = [e for e in entry.effects if e.change not in (ChangeKind.CONTRACT_ENDED, ChangeKind.CONTRACT_STARTED)]
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


def _effect(effect: Effect, entry: Entry, plan: Plan) -> str:
    key = effect.object.key
    return words.contract_ended(key[1] if key[0] == entry.object.namespace else "/".join(key), effect, plan.now)


def _losses(entry: Entry, plan: Plan) -> Iterator[tuple[str, str]]:
    if entry.last_used is not None:
        yield "last used", words.last_used(entry.last_used, plan.now)
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


def _sections(plan: Plan, page: _Page) -> Iterator[str]:
    yield from _drift(plan, page)
    yield from _findings(plan, page)
    if words.older(plan):
        yield from page.wrap(f"{words.older(plan)}; -o json has them.", "", "      ")
        yield ""
    for notice in plan.notices:
        yield from page.wrap(notice, "Note: ", "      ")
    if plan.notices:
        yield ""


def _drift(plan: Plan, page: _Page) -> Iterator[str]:
    if not plan.drift:
        return
    yield page.paint("Live is not what base says:", _BOLD)
    for one in plan.drift[:_MOST_NAMES]:
        what = f"{one.path}: {one.base or 'unset'} in base, {one.live or 'unset'} live" if one.path else "not there"
        end = "" if one.reset else " (not in Git: it stays)"
        yield from page.wrap(f"{one.object}  {what}{end}", "  ", "      ")
    if len(plan.drift) > _MOST_NAMES:
        yield f"  and {len(plan.drift) - _MOST_NAMES} more"
    yield ""


def _findings(plan: Plan, page: _Page) -> Iterator[str]:
    """Each with its place; what to do is said once for each rule."""
    if not plan.shown_findings:
        return
    yield page.paint("Findings:", _BOLD)
    said: set[str] = set()
    for finding in plan.shown_findings:
        place = f"{finding.location}: " if finding.location is not None else ""
        yield from page.wrap(f"{place}{words.finding_line(finding)}", "  ", "      ")
        if finding.rule not in said:
            yield from page.wrap(f"fix: {words.fix(finding)}", "      ", "           ")
        said.add(finding.rule)
    yield ""


def _names(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - _MOST_NAMES} more" if len(found) > _MOST_NAMES else ""
    return ", ".join(found[:_MOST_NAMES]) + more
