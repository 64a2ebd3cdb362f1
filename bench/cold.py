"""Cold start: N clients are there, the operator has never run for them.

Method. Each round has a fresh cluster. Floors (the same writes by a bare loop, see ``bench.floors``) run before and
after the operator, on other objects that are removed again; for each: status by merge-patch, and by PUT. The clients
are created while no operator runs. Wall time is from the start of the operator's process to the last status that the
API server accepted, as the operator's own metrics count them (looked at ten times a second); Events, which wait
behind everything else, are waited for afterwards and only counted. Then a list proves that every client is Available.
CPU is that of whole processes over the same time.
"""

import time
from dataclasses import dataclass

from bench import machine
from bench.floors import Cost, write_floor
from bench.population import Population
from bench.report import Figure, Goal, Plot, Result, Series, Target
from bench.stand import Counters, Plan, Stand, open_stand, run

_CPU = Target("<=", 2.0, Goal.MEDIAN)


@dataclass(frozen=True, slots=True)
class ColdStart:
    """One cold start."""

    wall: float
    operator_cpu: float
    api_server_cpu: float
    machine_busy: float
    peak_mib: float
    counters: Counters
    progress: tuple[tuple[float, int], ...]


def measure(plan: Plan) -> Result:
    """All rounds."""
    starts: list[ColdStart] = []
    merges: list[Cost] = []
    puts: list[Cost] = []
    for _ in range(plan.rounds):
        with open_stand() as stand:
            _floors(stand, plan, merges, puts)
            stand.fill(Population(plan.clients))
            starts.append(cold_start(stand, Population(plan.clients)))
            stand.operator.stop()
            _floors(stand, plan, merges, puts)
    return _result(plan, starts, merges, puts)


def cold_start(stand: Stand, population: Population) -> ColdStart:
    """Start the operator; return when all Events are posted too, with the costs up to the last status."""
    before, busy = stand.api_server_cpu(), machine.machine_cpu().busy
    progress: list[tuple[float, int]] = []
    started = time.monotonic()

    def done(counters: Counters) -> bool:
        written = counters.of("update", "apiclients")
        progress.append((time.monotonic() - started, written))
        return written >= population.clients

    stand.operator.start(ready_within=None)
    stand.until(done)
    wall = time.monotonic() - started
    pid = stand.operator.pid
    costs = machine.cpu_seconds(pid), stand.api_server_cpu() - before, machine.machine_cpu().busy - busy
    counters = stand.settled()
    run(stand.verify(population))
    return ColdStart(wall, *costs, machine.peak_mib(pid), counters, tuple(progress))


def _floors(stand: Stand, plan: Plan, merges: list[Cost], puts: list[Cost]) -> None:
    for method, costs in (("PATCH", merges), ("PUT", puts)):
        costs.append(run(write_floor(stand.kubeconfig, stand.sample, plan.floor_writes, method)))


def _result(plan: Plan, starts: list[ColdStart], merges: list[Cost], puts: list[Cost]) -> Result:
    many = plan.clients
    walls = [start.wall for start in starts]
    cpu = [start.operator_cpu for start in starts]
    merge_walls, put_walls = [many * cost.wall for cost in merges], [many * cost.wall for cost in puts]

    def counted(name: str, values: list[int], target: Target) -> Figure:
        return Figure(name, "writes", values, target=target)

    counters = [start.counters for start in starts]
    figures = [
        Figure("cold start, wall", "s", walls, merge_walls, "s by merge-patch", Target("<=", 1.15)),
        Figure("the same, as first status by PUT", "s", walls, merge_walls, "s by merge-patch", Target("<=", 1.0)),
        Figure("the same, beside a floor by PUT", "s", walls, put_walls, "s by PUT"),
        Figure(
            "cold start, operator CPU",
            "s",
            cpu,
            [start.api_server_cpu for start in starts],
            "s API server CPU",
            Target("<=", 0.3),
        ),
        Figure(
            "cold start, operator CPU", "s", cpu, [many * cost.cpu for cost in merges], "s CPU, bare", Target("<=", 3.5)
        ),
        Figure("cold start, operator CPU a client", "ms", [1e3 * one / many for one in cpu], target=_CPU),
        Figure("cold start, peak memory of the operator", "MiB", [start.peak_mib for start in starts]),
        counted("cold start, writes but Events", [c.all_writes() for c in counters], _exactly(2 * many)),
        counted("cold start, Events", [c.of("create", "events") for c in counters], Target("<=", many, Goal.WORST)),
        counted("cold start, writes refused", [c.conflicts() for c in counters], _exactly(0)),
    ]
    busy = ", ".join(f"{start.machine_busy / start.wall:.1f}" for start in starts)
    note = f"{many:,} clients; floors: {plan.floor_writes:,} objects each, scaled; cores busy in the rounds: {busy}"
    return Result("cold", figures, [_plot(many, starts[-1], merge_walls, put_walls)], [note])


def _exactly(count: int) -> Target:
    return Target("==", count, Goal.WORST)


def _plot(many: int, start: ColdStart, merge_walls: list[float], put_walls: list[float]) -> Plot:
    def straight(label: str, walls: list[float]) -> Series:
        return Series(label, [0, sorted(walls)[len(walls) // 2]], [0, many])

    done = Series("operator", [at for at, _ in start.progress], [count for _, count in start.progress])
    floors = [straight("floor: bare loop, merge-patch", merge_walls), straight("floor: bare loop, PUT", put_walls)]
    title = f"Cold start of {many:,} clients: statuses written"
    return Plot("cold", title, "seconds since the start of the process", "clients", [done, *floors], markers=False)
