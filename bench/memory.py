"""What a gate needs to start: time until it is ready, and memory, with N clients and 2 N contracts.

Method. Everything is reconciled; then a gate is started, and again, as often as there are rounds. Ready is when its
/readyz answers 200: the whole picture is listed and proved fresh. Memory is the most that was resident, then, and
after checks of 1,000 clients. The floor is a gate with nothing in the cluster but its keys. What the objects cost is
the CPU beyond that; its floor is a bare list, before each start: all pages, decoded by orjson and dropped.
"""

import statistics
import time
from dataclasses import dataclass

from bench import machine
from bench.floors import Cost, list_floor
from bench.gate import apply, make_requests
from bench.population import Population
from bench.report import Figure, Goal, Result, Target
from bench.servers import gate_metrics
from bench.stand import Plan, Stand, open_populated, open_stand, run

_CLIENTS = 1_000


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a gate."""

    seconds: float
    cpu: float
    mib: float
    #: Clients that it knows.
    clients: int


def measure(plan: Plan) -> Result:
    """On a stand of its own."""
    with open_populated(Population(plan.clients, plan.contracts)) as stand:
        return measured(plan, stand)


def measured(plan: Plan, stand: Stand) -> Result:
    """Empty, on a fresh stand, and full, on one with N contracts that is there: N more are added."""
    population = Population(plan.clients, 2 * plan.contracts)
    with open_stand() as fresh:
        empty = [start(fresh) for _ in range(plan.rounds)]
    stand.add_contracts(population, known=plan.contracts)
    stand.settled()
    run(stand.verify(population))
    full: list[Start] = []
    bare: list[Cost] = []
    for _ in range(plan.rounds):
        bare.append(run(list_floor(stand.kubeconfig, as_gate=True)))
        full.append(start(stand))
    used = _used(stand, plan)
    return _result(plan, population, empty, full, bare, used)


def _result(
    plan: Plan, population: Population, empty: list[Start], full: list[Start], bare: list[Cost], used: float
) -> Result:
    idle = statistics.median(one.cpu for one in empty)
    large = plan.clients >= 10_000
    figures = [
        Figure(
            "gate, start to ready",
            "s",
            [one.seconds for one in full],
            [one.seconds for one in empty],
            "s empty",
            Target("<=", 2, Goal.MEDIAN) if large else None,
        ),
        Figure(
            "gate, CPU until ready",
            "s",
            [one.cpu for one in full],
            [one.cpu for one in empty],
            "s empty",
            Target("<=", 1.5, Goal.MEDIAN) if large else None,
        ),
        Figure(
            "gate, CPU for the objects",
            "s",
            [one.cpu - idle for one in full],
            [one.cpu for one in bare],
            "s CPU, bare list",
        ),
        Figure(
            "gate, peak memory when ready",
            "MiB",
            [one.mib for one in full],
            [one.mib for one in empty],
            "MiB empty",
            Target("<=", 100, Goal.MEDIAN) if large else None,
        ),
        Figure("gate, peak memory after checks", "MiB", [used], target=None),
    ]
    grown = (
        1024
        * (statistics.median(one.mib for one in full) - statistics.median(one.mib for one in empty))
        / (population.clients + population.contracts)
    )
    note = f"{population.clients:,} clients, {population.contracts:,} contracts: {grown:.2f} KiB for each object"
    return Result("memory", figures, [], [note])


def start(stand: Stand) -> Start:
    """One start, from nothing to ready."""
    gate = stand.stage.gate(0, options=("--log-level", "warning"))
    started = time.monotonic()
    gate.start(ready_within=300)
    seconds, cpu, mib = time.monotonic() - started, machine.cpu_seconds(gate.pid), machine.peak_mib(gate.pid)
    clients = int(gate_metrics(gate)["apiclient_gate_clients"])
    gate.stop()
    return Start(seconds, cpu, mib, clients)


def _used(stand: Stand, plan: Plan) -> float:
    _, _, requests = run(make_requests(stand, min(_CLIENTS, plan.clients)))
    gate = stand.stage.gate(0, options=("--log-level", "warning")).start(ready_within=300)
    try:
        apply(gate, requests.uncached, plan.seconds)  # fills the cache of signatures
        return machine.peak_mib(gate.pid)
    finally:
        gate.stop()
