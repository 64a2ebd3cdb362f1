"""Restart: everything is there and unchanged; the operator is stopped and started again.

Method. A bare paged list of everything that the operator watches (``bench.floors.list_floor``, in this process, so
without the start of an interpreter) and a restart alternate. Wall time is from the start of the process until every
object was looked at and the queue is empty, by the operator's metrics. Then it is watched for some seconds: it must
not write. Then as many contracts are created beside it; the time counts from the loader's start until all are
Active and nothing is written any more. The same again with these.
"""

import time
from dataclasses import dataclass

from bench import machine
from bench.floors import Cost, list_floor
from bench.population import Population
from bench.report import Figure, Goal, Plot, Result, Series, Target
from bench.stand import QUIET_SECONDS, Plan, Stand, all_seen, open_populated, run


@dataclass(frozen=True, slots=True)
class Restart:
    """One restart."""

    wall: float
    cpu: float
    peak_mib: float
    writes: int
    events: int


def measure(plan: Plan) -> Result:
    """On a stand of its own."""
    with open_populated(Population(plan.clients)) as stand:
        return measured(plan, stand)


def measured(plan: Plan, stand: Stand) -> Result:
    """All rounds with clients alone; then the contracts are added, and all rounds again."""
    bare = Population(plan.clients)
    full = Population(plan.clients, plan.contracts)
    result = Result("restart")
    first = _rounds(stand, bare, plan.rounds)
    result.figures += _figures(f"{plan.clients:,} clients", *first, Target("<=", 3.5), _memory(plan))
    before, started = stand.api_server_cpu(), time.monotonic()
    stand.add_contracts(full)
    loaded = time.monotonic() - started
    writes = stand.settled().all_writes()
    settled = max(loaded, time.monotonic() - started - QUIET_SECONDS)
    stand.settle(full)
    storm = f"{plan.contracts:,} contracts created beside a running operator: all Active"
    result.figures.append(Figure(storm, "s", [settled], [loaded], "s loader", Target("<=", 1.3)))
    result.notes.append(
        f"it wrote {writes:,} times for these contracts; API server CPU {stand.api_server_cpu() - before:.1f} s"
    )
    second = _rounds(stand, full, plan.rounds)
    result.figures += _figures(f"and {plan.contracts:,} contracts", *second, None, None)
    result.plots.append(_plot(first, second))
    return result


def restart(stand: Stand, population: Population) -> Restart:
    """Stop and start once; return when nothing happens any more."""
    stand.operator.stop()
    started = time.monotonic()
    stand.operator.start(ready_within=None)
    stand.until(lambda counters: all_seen(counters, population))
    wall = time.monotonic() - started
    cpu = machine.cpu_seconds(stand.operator.pid)
    counters = stand.settled()
    return Restart(
        wall, cpu, machine.peak_mib(stand.operator.pid), counters.all_writes(), counters.of("create", "events")
    )


def _rounds(stand: Stand, population: Population, rounds: int) -> tuple[list[Restart], list[Cost]]:
    restarts: list[Restart] = []
    floors: list[Cost] = []
    for _ in range(rounds):
        floors.append(run(list_floor(stand.kubeconfig)))
        restarts.append(restart(stand, population))
    return restarts, floors


def _memory(plan: Plan) -> Target | None:
    return Target("<=", 150, Goal.MEDIAN) if plan.clients >= 10_000 else None


def _figures(
    what: str, restarts: list[Restart], floors: list[Cost], wall: Target | None, memory: Target | None
) -> list[Figure]:
    walls, cpu = [one.wall for one in restarts], [one.cpu for one in restarts]
    return [
        Figure(f"restart, {what}: wall", "s", walls, [one.wall for one in floors], "s bare list", wall),
        Figure(f"restart, {what}: operator CPU", "s", cpu, [one.cpu for one in floors], "s CPU, bare"),
        Figure(f"restart, {what}: peak memory", "MiB", [one.peak_mib for one in restarts], target=memory),
        Figure(
            f"restart, {what}: writes and Events",
            "writes",
            [one.writes + one.events for one in restarts],
            target=Target("==", 0, Goal.WORST),
        ),
    ]


def _plot(*measured: tuple[list[Restart], list[Cost]]) -> Plot:
    def middle(values: list[float]) -> float:
        return sorted(values)[len(values) // 2]

    operator = Series("operator", [], [middle([one.wall for one in restarts]) for restarts, _ in measured])
    floor = Series("floor: bare list", [], [middle([one.wall for one in floors]) for _, floors in measured])
    names = ["clients", "clients and contracts"]
    return Plot("restart", "Restart with everything unchanged", "", "seconds", [operator, floor], names)
