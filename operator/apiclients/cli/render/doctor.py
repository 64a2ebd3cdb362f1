"""The findings of ``doctor`` as text."""

from apiclients.cli.text import Mark, Style, joined, wrap
from apiclients.cli.views.doctor import Check, DoctorView, Verdict
from apiclients.plan.values import counted

_MARKS = {Verdict.OK: Mark.GOOD, Verdict.WARNING: Mark.WAITS, Verdict.WRONG: Mark.BAD, Verdict.UNKNOWN: Mark.PLAIN}
_AREA = 10


def render_doctor(view: DoctorView, style: Style) -> str:
    """One line per finding, its mend below it, and a verdict at the end."""
    lines = [line for check in view.checks for line in _check(check, style)]
    return joined([*lines, "", _verdict(view, style)])


def _check(check: Check, style: Style) -> list[str]:
    mark = _MARKS[check.verdict]
    first = f"{style.mark(mark)} {style.bold(check.area.ljust(_AREA))} "
    lines = wrap(check.what, style.width, first=first)
    if check.mend:
        lines += wrap(check.mend, style.width, first=" " * (_AREA + 3) + style.dim("→ "))
    return lines


def _verdict(view: DoctorView, style: Style) -> str:
    counts = {verdict: sum(check.verdict is verdict for check in view.checks) for verdict in Verdict}
    if view.wrong:
        return style.marked(Mark.BAD, f"{counted(counts[Verdict.WRONG], 'thing')} to mend.")
    if counts[Verdict.UNKNOWN]:
        return f"Nothing is wrong in what could be read; {counted(counts[Verdict.UNKNOWN], 'check')} could not be made."
    if counts[Verdict.WARNING]:
        return f"Nothing is wrong; mind {counted(counts[Verdict.WARNING], 'warning')}."
    return style.marked(Mark.GOOD, "All is well.")
