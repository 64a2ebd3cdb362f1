"""Figures, the table that people read and the JSON that programs read."""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Goal(StrEnum):
    """What a target is compared with."""

    RATIO = "ratio"
    MEDIAN = "median"
    WORST = "worst"


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be reached: at most, at least or exactly ``limit``."""

    relation: str
    limit: float
    of: Goal = Goal.RATIO

    def met(self, value: float) -> bool:
        """Whether a value reaches it."""
        if self.relation == "<=":
            return value <= self.limit
        return value >= self.limit if self.relation == ">=" else value == self.limit

    def __str__(self) -> str:
        prefix = "" if self.of is Goal.MEDIAN else f"{self.of} "
        return f"{prefix}{self.relation} {number(self.limit)}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure: one value a round, and the floor's beside it where there is one."""

    name: str
    unit: str
    values: Sequence[float]
    floor: Sequence[float] = ()
    floor_name: str = ""
    target: Target | None = None

    @property
    def median(self) -> float:
        """The median of all rounds."""
        return statistics.median(self.values)

    @property
    def ratio(self) -> float | None:
        """Median over the floor's median."""
        floor = statistics.median(self.floor) if self.floor else 0.0
        return self.median / floor if floor else None

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.target is None:
            return None
        if self.target.of is Goal.RATIO:
            return self.ratio is not None and self.target.met(self.ratio)
        worst = min if self.target.relation == ">=" else max
        return self.target.met(self.median if self.target.of is Goal.MEDIAN else worst(self.values))

    @property
    def wrong(self) -> bool:
        """Whether this is a count, which is the same on every machine, and not as it has to be."""
        return self.unit == "writes" and self.reached is False

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = {"median": self.median, "ratio": self.ratio, "reached": self.reached}
        return asdict(self) | told | {"target": str(self.target) if self.target else None}

    def row(self) -> tuple[str, ...]:
        """For the table."""
        spread = f" ({number(min(self.values))} .. {number(max(self.values))})" if len(self.values) > 1 else ""
        floor = f"{number(statistics.median(self.floor))} {self.floor_name}" if self.floor else ""
        verdict = {None: "", True: "reached", False: "MISSED"}[self.reached]
        return (
            self.name,
            f"{number(self.median)}{spread} {self.unit}",
            floor,
            number(self.ratio) if self.ratio is not None else "",
            str(self.target or "stated"),
            verdict,
        )


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a plot."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True)
class Plot:
    """What one PNG shows: lines, or bars when ``categories`` are given (then ``x`` of each series is not used)."""

    name: str
    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    categories: Sequence[str] = ()
    logarithmic: bool = False
    markers: bool = True


@dataclass(slots=True)
class Result:
    """What one benchmark found."""

    name: str
    figures: list[Figure] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """For JSON; plots are drawn from what is in it."""
        return {
            "name": self.name,
            "figures": [figure.to_dict() for figure in self.figures],
            "plots": [asdict(plot) for plot in self.plots],
            "notes": self.notes,
        }


_HEAD = ("figure", "measured: median (min .. max)", "floor", "ratio", "to reach", "")


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0 or value != value:
        return "0" if value == 0 else "?"
    if abs(value) >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(figures: Iterable[Figure]) -> str:
    """A Markdown table that can be read in a terminal too."""
    rows = [_HEAD, *(figure.row() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def text(result: Result) -> str:
    """Everything about one result that is read."""
    return "\n".join([f"## {result.name}", "", table(result.figures), "", *(f"* {note}" for note in result.notes), ""])


def save(results: Sequence[Result], facts: dict[str, Any], folder: Path) -> None:
    """Write each result as ``<name>.json`` and ``<name>.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        content = {"machine": facts, **result.to_dict()}
        (folder / f"{result.name}.json").write_text(json.dumps(content, indent=2) + "\n")
        (folder / f"{result.name}.md").write_text(text(result))
