"""One finding of ``doctor``, and of whatever shows a part of what it checks."""

from dataclasses import dataclass
from enum import StrEnum

from apiclients.cli.screens.text import Mark


class CheckResult(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. ``fix`` says what to do; empty when nothing is to be done."""

    area: str
    verdict: CheckResult
    what: str
    fix: str = ""

    @property
    def mark(self) -> Mark:
        """Its icon."""
        return _MARKS[self.verdict]


_MARKS = {
    CheckResult.OK: Mark.GOOD,
    CheckResult.WARNING: Mark.WAITS,
    CheckResult.WRONG: Mark.BAD,
    CheckResult.UNKNOWN: Mark.PLAIN,
}
