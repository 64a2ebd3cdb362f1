"""Growth: does anything get worse than linear with the number of objects?

Method. For each size, on a fresh cluster: a cold start of N clients, N contracts beside the running operator, a
restart with all of it, and the start of a gate. Over the sizes a power of N is fitted to each figure (least squares
of the logarithms): up to 1 is linear, and constant parts (the start of an interpreter) make it less. The exponent
between the two largest sizes is told too, where constant parts matter least. Above 1.15 it is a defect.
"""

import math
from collections.abc import Sequence

from bench import cold, machine, memory, restart
from bench.population import Population
from bench.report import Figure, Goal, Plot, Result, Series, Target
from bench.stand import Plan, open_stand

_LINEAR = Target("<=", 1.15, Goal.WORST)


def measure(plan: Plan) -> Result:
    """All sizes."""
    measured = [_one(size) for size in plan.growth]
    figures, series = [], []
    for name, unit in _UNITS.items():
        values = [one[name] for one in measured]
        fitted, last = exponent(plan.growth, values), exponent(plan.growth[-2:], values[-2:])
        said = ", ".join(f"{value:.3g}" for value in values)
        target = _LINEAR if unit == "s" else None
        figures.append(Figure(f"{name}: {said} {unit}", "exponent", [fitted, last], target=target))
        series.append(Series(f"{name} ({unit}), N^{fitted:.2f}", list(plan.growth), values))
    plots = [
        _plot("growth-operator", "The operator", [one for one in series if not one.label.startswith("gate")]),
        _plot("growth-gate", "The gate", [one for one in series if one.label.startswith("gate")]),
    ]
    sizes = ", ".join(f"{size:,}" for size in plan.growth)
    return Result("growth", figures, plots, [f"sizes: {sizes} clients, and as many contracts; one round each"])


_UNITS = {
    "cold start, wall": "s",
    "cold start, operator CPU": "s",
    "contracts, operator CPU": "s",
    "restart with contracts, wall": "s",
    "restart with contracts, CPU": "s",
    "restart with contracts, memory": "MiB",
    "gate start, wall": "s",
    "gate start, CPU": "s",
    "gate memory": "MiB",
}


def _one(size: int) -> dict[str, float]:
    bare, full = Population(size), Population(size, size)
    with open_stand() as stand:
        stand.fill(bare)
        first = cold.cold_start(stand, bare)
        before = machine.cpu_seconds(stand.operator.pid)
        stand.add_contracts(full)
        stand.settle(full)
        spent = machine.cpu_seconds(stand.operator.pid) - before
        second = restart.restart(stand, full)
        gate = memory.start(stand)
    values = (
        *(first.wall, first.operator_cpu, spent),
        *(second.wall, second.cpu, second.peak_mib),
        *(gate.seconds, gate.cpu, gate.mib),
    )
    return dict(zip(_UNITS, values, strict=True))


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The power of the size that fits best."""
    xs, ys = [math.log(size) for size in sizes], [math.log(value) for value in values]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread


def _plot(name: str, what: str, series: list[Series]) -> Plot:
    return Plot(
        name,
        f"{what}: growth with the number of objects",
        "clients, and as many contracts",
        "",
        series,
        logarithmic=True,
    )
