"""At rest: what a gate costs the API server for ever, while nobody changes anything.

Method. Half of N clients with N contracts, then N clients with 2 N contracts, all reconciled, the operator running. In
each round the API server's CPU is measured in three windows, one after the other: without a gate (the floor); with one
that nobody asks, which watches, proves and renews its Lease; and while 200 clients call all the time, so that the gate
reads again what they use. Before the first two windows the operator has written all that a gate's coming or going
changes in statuses. A full list comes every ten minutes, less up to a fifth, and so in none of the windows: its
cost is measured apart, several lists in a row, and its share is added to the gate at rest. Gates list identities in one
page of the present state, which comes from the API server's watch cache; beside it stands the same in pages of 500,
which come from etcd once nothing has changed for ten minutes, and here do not.

In cores: CPU seconds a second. What else runs on the machine changes little of it, unless it makes the API server wait.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from apiclients.kube.client import KubeClient
from apiclients.kube.kinds import ALL_KINDS
from bench import hammer
from bench.gate import make_requests, running_gate
from bench.population import Population, connected
from bench.report import Figure, Goal, Result, Target
from bench.servers import gate_metrics, port_of
from bench.stand import Plan, Stand, open_populated, run
from demo.service import Service

_IN_USE = 200
_CALLS_PER_SECOND = 200.0
_CONNECTIONS = 8
_SETTLE_SECONDS = 5.0
_LISTS = 5
_PAGE = 500
#: Between two full lists of a gate, on average.
_RELIST_SECONDS = 0.9 * 600


@dataclass(slots=True)
class _Measured:
    """Of one population: cores of the API server by round, and the CPU seconds of one full list."""

    population: Population
    without: list[float] = field(default_factory=list)
    with_gate: list[float] = field(default_factory=list)
    in_use: list[float] = field(default_factory=list)
    age: list[float] = field(default_factory=list)
    one_page: float = 0.0
    pages: float = 0.0

    @property
    def gate_at_rest(self) -> list[float]:
        """What one gate adds, its share of full lists included."""
        more = zip(self.without, self.with_gate, strict=True)
        return [after - before + self.one_page / _RELIST_SECONDS for before, after in more]

    @property
    def use(self) -> list[float]:
        """What it adds to that, that clients are in use."""
        return [used - rest for rest, used in zip(self.with_gate, self.in_use, strict=True)]


def measure(plan: Plan) -> Result:
    """Each population on a cluster of its own."""
    half = Population(plan.clients // 2, plan.clients)
    whole = Population(plan.clients, 2 * plan.clients)
    smaller, larger = (_on_a_stand(plan, population) for population in (half, whole))
    return _result(smaller, larger)


def _on_a_stand(plan: Plan, population: Population) -> _Measured:
    with open_populated(population) as stand:
        return _measured(plan, stand, population)


def _measured(plan: Plan, stand: Stand, population: Population) -> _Measured:
    found = _Measured(population)
    _, _, requests = run(make_requests(stand, min(_IN_USE, population.clients)))
    for _ in range(plan.rounds):
        stand.settled()
        found.without.append(_cores(stand, lambda: time.sleep(plan.rest_seconds)))
        with running_gate(stand) as gate:
            stand.settled()
            found.with_gate.append(_cores(stand, lambda: time.sleep(plan.rest_seconds)))
            _call(gate, requests.cached, _SETTLE_SECONDS)
            found.in_use.append(_cores(stand, lambda: _call(gate, requests.cached, plan.rest_seconds)))
            found.age.append(gate_metrics(gate)["apiclient_gate_verified_age_seconds"])
    idle = median(found.without)
    found.one_page, found.pages = (run(_list_cpu(stand, idle, size)) for size in (None, _PAGE))
    return found


def _cores(stand: Stand, work: Callable[[], object]) -> float:
    before, started = stand.api_server_cpu(), time.monotonic()
    work()
    return (stand.api_server_cpu() - before) / (time.monotonic() - started)


def _call(gate: Service, requests: Sequence[bytes], seconds: float) -> None:
    load = hammer.finish(
        hammer.start(port_of(gate), list(requests), gate.pid, seconds, _CALLS_PER_SECOND, _CONNECTIONS)
    )
    if set(load.answers) != {"200"}:
        raise RuntimeError(f"{gate.name} answered {load.answers}")


async def _list_cpu(stand: Stand, idle: float, page_size: int | None) -> float:
    """CPU seconds of one list of everything, less what the API server uses anyway."""
    async with connected(stand.kubeconfig) as kube:
        await _list_all(kube, page_size)
        await asyncio.sleep(_SETTLE_SECONDS)  # the gate of before has gone, and its end has cost what it costs
        before, started = stand.api_server_cpu(), time.monotonic()
        for _ in range(_LISTS):
            await _list_all(kube, page_size)
            await asyncio.sleep(0.2)
        spent = stand.api_server_cpu() - before - idle * (time.monotonic() - started)
    return max(0.0, spent) / _LISTS


async def _list_all(kube: KubeClient, page_size: int | None) -> None:
    for kind in ALL_KINDS:
        async for _ in kube.pages(kind, identity_only=True, page_size=page_size):
            pass


def _result(smaller: _Measured, larger: _Measured) -> Result:
    growth = Target("<=", 1.3)
    figures = [*_figures(smaller), *_figures(larger)]
    figures.append(
        Figure(
            "gate at rest, twice the population",
            "cores",
            larger.gate_at_rest,
            smaller.gate_at_rest,
            f"at {smaller.population.clients:,} clients",
            growth,
        )
    )
    notes = [
        f"{one.population.clients:,} clients, {one.population.contracts:,} contracts; without a gate the API server "
        f"uses {median(one.without):.3f} cores; the oldest yes that waited for its verification at the end of the "
        f"load: {max(one.age):.1f} s"
        for one in (smaller, larger)
    ]
    return Result("rest", figures, [], notes)


def _figures(found: _Measured) -> list[Figure]:
    what = f"{found.population.clients:,} clients"
    return [
        Figure(f"{what}: gate at rest", "cores", found.gate_at_rest, target=Target("<=", 0.01, Goal.MEDIAN)),
        Figure(f"{what}: {_IN_USE} in use, more", "cores", found.use, target=Target("<=", 0.03, Goal.MEDIAN)),
        Figure(f"{what}: full list in one page", "s CPU", [found.one_page], [found.pages], f"s, pages of {_PAGE}"),
    ]
