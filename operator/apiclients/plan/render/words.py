"""Words that several renderers share."""

import re
from datetime import datetime, timedelta

from apiclients.plan.model import ChangeKind, Effect, Entry, Finding, Plan, Severity
from apiclients.plan.values import counted
from apiclients.resources.fields import format_duration, format_time
from apiclients.resources.plan_rules import BY_ID

TOOL = "kubectl apiclient plan"


#: What could move a cursor, or show text in another order than it is.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Text of people on one line, without characters that do something."""
    return _CONTROL.sub("", " ".join(text.split()))


def span(value: timedelta) -> str:
    """A time for people: two parts at most, such as ``2d 3h`` or ``47m``."""
    seconds = max(0, int(value.total_seconds()))
    parts = [(seconds // 86400, "d"), (seconds % 86400 // 3600, "h"), (seconds % 3600 // 60, "m"), (seconds % 60, "s")]
    shown = [f"{number}{unit}" for number, unit in parts if number]
    return " ".join(shown[:2]) or "0s"


def lifetime(value: timedelta) -> str:
    """A life as specs write it: ``12h``."""
    return format_duration(value)


def when(moment: datetime, now: datetime) -> str:
    """A moment, and how far away it is."""
    distance = f"in {span(moment - now)}" if moment > now else "now"
    return f"{format_time(moment)} ({distance})"


def last_used(moment: datetime, now: datetime) -> str:
    """How long ago something was used, which is known to the hour."""
    past = now - moment
    return "less than an hour ago" if past < timedelta(hours=1) else f"{span(past - past % timedelta(hours=1))} ago"


def contract_ended(name: str, effect: Effect, now: datetime) -> str:
    """A contract that ends, with the operator's reason and when it was last used, so far as there are any."""
    used = f"last used {last_used(effect.last_used, now)}" if effect.last_used is not None else ""
    details = ", ".join(filter(None, (effect.reason, used)))
    return f"{name} ({details})" if details else name


def transition(entry: Entry) -> str:
    """What becomes of the status: ``Available -> Retired``."""
    asked = {ChangeKind.RETIRE: "Retired", ChangeKind.DELETE: "deleted"}
    if entry.blocked:
        return f"{entry.before} -> {asked.get(entry.change, entry.change)}, held back"
    if entry.renamed_from is not None:
        return f"was {entry.renamed_from.namespace}/{entry.renamed_from.name}"
    if entry.before is None:
        return f"new, {entry.after}"
    if entry.after is None:
        return f"{entry.before} -> gone"
    return entry.before if entry.before == entry.after else f"{entry.before} -> {entry.after}"


def verdict(plan: Plan) -> str:
    """The whole plan in one sentence."""
    if not plan.entries:
        return "Nothing changes." if not plan.invalid else "No change is known."
    grades = [(len([e for e in plan.entries if e.severity is s]), s) for s in reversed(Severity)]
    words = {Severity.NONE: "without effect"}
    parts = [f"{number} {words.get(grade, grade.value)}" for number, grade in grades if number]
    return f"{counted(len(plan.entries), 'change')}: {', '.join(parts)}."


def acknowledged(plan: Plan) -> str | None:
    """Whether something waits for an acknowledgement."""
    missing = len(plan.unacknowledged)
    if not missing:
        return None
    return f"{counted(missing, 'change')} {'is' if missing == 1 else 'are'} not acknowledged and will be held back."


def invalid(plan: Plan) -> str | None:
    """Whether head holds what the API server would refuse, or nobody can read."""
    if not plan.invalid:
        return None
    places = {finding.object or finding.location for finding in plan.invalid}
    many = len(places) > 1
    verb, what = ("are", "they") if many else ("is", "it")
    return f"{counted(len(places), 'manifest')} {verb} invalid: what {what} would change is not known."


def counts(plan: Plan) -> str:
    """``1 to create, 2 to retire``."""
    numbers: dict[str, int] = {}
    for entry in plan.entries:
        numbers[entry.change.value] = numbers.get(entry.change.value, 0) + 1
    return ", ".join(f"{number} {change}" for change, number in sorted(numbers.items(), key=lambda n: (-n[1], n[0])))


def live_source(plan: Plan) -> str:
    """Where the live state is from, and how old it is."""
    if plan.live is None:
        return "no live state"
    age = span(plan.now - plan.live.taken_time)
    return f"{plan.live.source}, {age} old"


def finding_line(finding: Finding) -> str:
    """One finding in one line."""
    return f"{finding.rule} {finding.level.value}: {finding.message}"


def fix(finding: Finding) -> str:
    """What to do about a finding, and the section of the documentation."""
    rule = BY_ID[finding.rule]
    return f"{rule.help} See docs/plan-rules.md#{rule.anchor}"


def older(plan: Plan) -> str | None:
    """How many findings base has as well, which are not shown."""
    number = len(plan.findings) - len(plan.shown_findings)
    if not number:
        return None
    return f"{counted(number, 'finding')} that base has as well {'is' if number == 1 else 'are'} not shown"
