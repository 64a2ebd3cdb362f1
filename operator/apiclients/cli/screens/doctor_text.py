"""The findings of ``doctor`` as text."""

from apiclients.cli.screens.check import Check, CheckResult
from apiclients.cli.screens.doctor import DoctorView
from apiclients.cli.screens.text import Mark, Style, joined, wrap
from apiclients.plan.values import counted

_AREA = 10


def render_doctor(view: DoctorView, style: Style) -> str:
    """One line per finding, its fix below it, and a verdict at the end."""
    lines = [line for check in view.checks for line in _check(check, style)]
    return joined([*lines, "", _verdict(view, style)])


def _check(check: Check, style: Style) -> list[str]:
    first = f"{style.mark(check.mark)} {style.bold(check.area.ljust(_AREA))} "
    lines = wrap(check.what, style.width, first=first)
    if check.fix:
        lines += wrap(check.fix, style.width, first=" " * (_AREA + 3) + style.dim("→ "))
    return lines


def _verdict(view: DoctorView, style: Style) -> str:
    counts = {verdict: sum(check.verdict is verdict for check in view.checks) for verdict in CheckResult}
    if view.wrong:
        return style.marked(Mark.BAD, f"{counted(counts[CheckResult.WRONG], 'problem')} found.")
    if counts[CheckResult.UNKNOWN]:
        unmade = counted(counts[CheckResult.UNKNOWN], "check")
        return f"Nothing is wrong in what could be read; {unmade} could not be made."
    if counts[CheckResult.WARNING]:
        return f"Nothing is wrong; mind {counted(counts[CheckResult.WARNING], 'warning')}."
    return style.marked(Mark.GOOD, "All is well.")
