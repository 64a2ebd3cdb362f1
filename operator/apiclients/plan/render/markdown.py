"""Markdown for one comment of a pull request, which later runs replace: a hidden marker, the verdict, details folded.

What people wrote (reasons, file names, values) is escaped: no comment may be closed, no team mentioned, no HTML made.
"""

import re
from collections.abc import Iterator

from apiclients import __version__
from apiclients.plan.model import ChangeKind, Effect, Entry, Plan, Severity
from apiclients.plan.render import words
from apiclients.plan.values import counted
from apiclients.resources.fields import format_time
from apiclients.resources.plan_rules import Level

#: GitHub takes 65,536.
LIMIT = 65_000
_RESERVE = 1_500
_MOST_NAMES = 50
_ICONS = {Severity.IRREVERSIBLE: "🟥", Severity.DISRUPTIVE: "🟧", Severity.REVERSIBLE: "🟦", Severity.NONE: "⬜"}
_LEVELS = {Level.ERROR: "❌", Level.WARNING: "⚠️", Level.NOTE: "ℹ️"}
_SPECIAL = re.compile(r"([\\`*_\[\]#+|~<>&])")
_KEY = re.compile(r"[^A-Za-z0-9._/]+")


def render(plan: Plan, *, key: str = "default") -> str:
    """The comment; never longer than :data:`LIMIT`. ``key`` tells comments of several plans on one page apart."""
    head = "\n".join([f"<!-- apiclient-plan:{_KEY.sub('-', key)} -->", *_head(plan)]) + "\n"
    foot = "\n".join(["", *_foot(plan)]) + "\n"
    room = LIMIT - _RESERVE - len(head) - len(foot)
    return (head + _fitted(list(_blocks(plan)), room) + foot)[:LIMIT]


def _fitted(blocks: list[str], room: int) -> str:
    taken: list[str] = []
    for number, block in enumerate(blocks):
        if len(block) > room:
            taken.append(f"\n**{len(blocks) - number} more** do not fit here: `{words.TOOL} -o text` shows all.\n")
            break
        taken.append(block)
        room -= len(block)
    return "".join(taken)


def _head(plan: Plan) -> Iterator[str]:
    missing = words.acknowledged(plan)
    yield f"### {_icon(plan)} API clients: {words.verdict(plan)}"
    if missing is not None:
        yield f"\n**{missing}**"
    invalid = words.invalid(plan)
    if invalid is not None:
        yield f"\n**{invalid}**"
    errors = [f for f in plan.shown_findings if f.level is Level.ERROR]
    if errors:
        yield f"\n**{counted(len(errors), 'error')}** in the manifests."


def _icon(plan: Plan) -> str:
    if plan.entries:
        return _ICONS[plan.severity]
    return "❌" if plan.invalid else "✅"


def _blocks(plan: Plan) -> Iterator[str]:
    """Pieces that are shown whole or not at all."""
    if plan.entries:
        yield "\n| | object | change | status | severity |\n| --- | --- | --- | --- | --- |\n"
        yield from (_row(entry) for entry in plan.entries)
    if plan.shown_findings:
        yield "\n#### Findings\n\n"
        for finding in plan.shown_findings:
            place = f" {_code(str(finding.location))}" if finding.location is not None else ""
            yield f"- {_LEVELS[finding.level]} **{finding.rule}**{place}: {text(finding.message)}\n"
    yield from (_details(entry, plan) for entry in plan.entries if entry.severity.rank or entry.notes)
    if plan.drift:
        lines = "".join(
            f"- {_code(str(d.object))} {_code(d.path) if d.path else ''}: "
            f"base {text(d.base or 'unset')}, live {text(d.live or 'not there')}\n"
            for d in plan.drift[:_MOST_NAMES]
        )
        more = f"- and {len(plan.drift) - _MOST_NAMES} more\n" if len(plan.drift) > _MOST_NAMES else ""
        yield _folded(f"Live is not what base says ({len(plan.drift)})", lines + more)


def _row(entry: Entry) -> str:
    name = _code(f"{entry.object.namespace}/{entry.object.name}")
    cells = (
        _ICONS[entry.severity],
        f"{entry.object.kind} {name}",
        entry.change.value,
        text(words.transition(entry).replace("->", "→")),
        f"**{entry.severity.value}**" if entry.severity.rank >= Severity.DISRUPTIVE.rank else entry.severity.value,
    )
    return f"| {' | '.join(cells)} |\n"


def _details(entry: Entry, plan: Plan) -> str:
    lines = "".join(f"- {line}\n" for line in _lines(entry, plan))
    known = entry.acknowledgement
    if known is not None and known.paste:
        first = " and apply it first" if ChangeKind.DELETE in entry.changes else ""
        lines += f"\nTo acknowledge, put this into the manifest{first}:\n\n```yaml\n{known.paste}```\n"
    title = f"{_ICONS[entry.severity]} {entry.object}: {entry.change}"
    return _folded(title, lines, opened=entry.unacknowledged)


def _lines(entry: Entry, plan: Plan) -> Iterator[str]:
    if entry.location is not None:
        yield _code(str(entry.location))
    if entry.because:
        yield f"because of {_names([str(name) for name in entry.because])}"
    ended = entry.contracts_ended
    if ended:
        yield f"**contracts ended ({len(ended)})**: {_names([_effect(e, plan) for e in ended])}"
    others = [e for e in entry.effects if e.change is not ChangeKind.CONTRACT_ENDED]
    for effect in others[:_MOST_NAMES]:
        yield f"{_code(str(effect.object))}: {effect.change} ({effect.before or 'new'} → {effect.after or 'gone'})"
    if len(others) > _MOST_NAMES:
        yield f"and {len(others) - _MOST_NAMES} more"
    if entry.paused:
        yield f"{counted(len(entry.paused), 'contract')} paused: {_names(list(entry.paused))}"
    yield from _losses(entry, plan)
    known = entry.acknowledgement
    if known is not None and known.needed_count:
        missing = f", missing: {_names(list(known.missing))}" if known.missing else ""
        yield f"acknowledged: {known.given_count} of {known.needed_count}{missing}"
    for hold in entry.holds:
        yield f"held by {_code(hold.name)}: {text(hold.reason)}{'' if hold.in_git else ' (live, not in Git)'}"
    for field in entry.fields[:_MOST_NAMES]:
        yield f"{_code(field.path)}: {text(field.before or 'unset')} → {text(field.after or 'unset')}"
    if known is None or not known.paste:
        yield from (text(note) for note in entry.notes)


def _losses(entry: Entry, plan: Plan) -> Iterator[str]:
    if entry.last_used is not None:
        yield f"last used {words.last_used(entry.last_used, plan.now)}"
    if entry.tokens is not None:
        later = entry.tokens.final_time > plan.now
        dead = f", revoked for good at {format_time(entry.tokens.final_time)}" if later else ""
        yield f"tokens die: the longest would have lived {words.span(entry.tokens.at_most)} more{dead}"
    for loss in entry.secrets:
        time = f" at {format_time(loss.when)}" if loss.when is not None else ""
        who = "who mounts it is not known" if loss.workloads is None else "no workload mounts it"
        mounted = f"mounted by {_names(list(loss.workloads))}" if loss.workloads else who
        yield f"Secret {_code(loss.name)} goes{time}; {mounted}"


def _foot(plan: Plan) -> Iterator[str]:
    for notice in plan.notices:
        yield f"> {text(notice)}"
    if words.older(plan):
        yield f"> {words.older(plan)}."
    revision = f"base {_code(plan.base)}, head {_code(plan.head)}, {text(words.live_source(plan))}"
    yield f"\n<sub>{revision}, planned at {format_time(plan.now)} by {words.TOOL} {__version__}</sub>"


def text(value: str) -> str:
    """Text of people, so that it stays text: no markup, no HTML, no mentions, one line."""
    flat = words.clean(value)
    return _SPECIAL.sub(r"\\\1", flat).replace("@", "@\u200b")


def _code(value: str) -> str:
    """In a code span; backticks cannot end it, and a bar ends no cell."""
    flat = words.clean(value).replace("`", "'").replace("|", "¦")
    return f"`{flat}`"


def _names(names: list[str]) -> str:
    shown = ", ".join(_code(name) for name in names[:_MOST_NAMES])
    return shown + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")


def _effect(effect: Effect, plan: Plan) -> str:
    return words.contract_ended("/".join(effect.object.key), effect, plan.now)


def _folded(title: str, body: str, *, opened: bool = False) -> str:
    mark = " open" if opened else ""
    return f"\n<details{mark}><summary>{_html(title)}</summary>\n\n{body}\n</details>\n"


def _html(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "@\u200b")
