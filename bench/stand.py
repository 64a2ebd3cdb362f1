"""The cluster and the programs that are measured, and the counters that they keep themselves."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from urllib.request import urlopen

from apiclients.kube import event_loop
from apiclients.kube.client import SECRETS, KubeClient
from apiclients.kube.errors import NotFoundError
from apiclients.kube.kinds import API_CLIENTS, CONTRACTS
from bench import machine
from bench.floors import NAMESPACE, Sample, take_sample
from bench.population import (
    PROVIDER,
    TEAM,
    Population,
    client_body,
    connected,
    create_clients,
    create_contracts,
    create_namespaces,
)
from cluster import LocalCluster
from demo.service import Service
from demo.stage import Stage

T = TypeVar("T")

_WARM_UP = 20
_POLL_SECONDS = 0.1
#: For so long nothing may be written in what counts as settled.
QUIET_SECONDS = 2.5
_MOST_SECONDS = 1800.0
_REQUESTS = "apiclient_operator_api_requests_total"
_RECONCILES = "apiclient_operator_reconcile_total"
_QUEUED = "apiclient_operator_queue_depth"
#: All metrics of 10,000 clients take the operator some 40 ms: ten times a second, much of what is measured.
_ASKED = "&".join(f"name[]={name}" for name in (_REQUESTS, _RECONCILES, _QUEUED))
_WRITES = ("create", "update", "apply", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    clients: int = 10_000
    rounds: int = 3
    tries: int = 300
    seconds: float = 4.0
    rest_seconds: float = 30.0
    growth: tuple[int, ...] = (1_000, 3_000, 10_000)

    @property
    def contracts(self) -> int:
        """As many again."""
        return self.clients

    @property
    def burst(self) -> int:
        """How many are edited at once."""
        return min(1_000, self.clients)

    @property
    def attack_share(self) -> float:
        """What part of its size each attack of ``tenants`` has."""
        return min(1.0, self.clients / 1_000)

    @property
    def attack_seconds(self) -> float:
        """How long each is measured."""
        return 2 * self.seconds

    @property
    def floor_writes(self) -> int:
        """How many objects one floor writes."""
        return min(1_500, max(20, self.clients))


QUICK = Plan(clients=200, rounds=1, tries=20, seconds=1.0, rest_seconds=3.0, growth=(50, 100, 200))


@dataclass(frozen=True, slots=True)
class Counters:
    """What an operator has done since it was started, as its metrics say."""

    writes: dict[tuple[str, str], int] = field(default_factory=dict)
    refused: dict[tuple[str, str, str], int] = field(default_factory=dict)
    reconciles: dict[str, int] = field(default_factory=dict)
    queued: int = 0

    def of(self, verb: str, resource: str) -> int:
        """Writes that were accepted."""
        return self.writes.get((verb, resource), 0)

    def all_writes(self) -> int:
        """Writes that were accepted, without the Lease and Events."""
        return sum(count for (_, resource), count in self.writes.items() if resource not in ("leases", "events"))

    def conflicts(self) -> int:
        """Writes that were refused."""
        return sum(self.refused.values())


@dataclass(slots=True)
class Stand:
    """One cluster with the manifests applied and one operator that was started once."""

    cluster: LocalCluster
    stage: Stage
    operator: Service
    sample: Sample

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.cluster.kubeconfig

    def api_server_cpu(self) -> float:
        """CPU seconds of the API server so far."""
        pid = self.cluster.api_server_pid
        assert pid is not None
        return machine.cpu_seconds(pid)

    def counters(self) -> Counters:
        """What the operator has done since it was started; empty while it does not answer yet."""
        assert self.operator.ready_url
        try:
            with urlopen(self.operator.ready_url.replace("readyz", f"metrics?{_ASKED}"), timeout=10) as answer:
                return _read(answer.read().decode())
        except OSError:
            return Counters()

    def until(
        self, done: Callable[[Counters], bool], most: float = _MOST_SECONDS, pause: float = _POLL_SECONDS
    ) -> Counters:
        """Wait for it, looking ten times a second. Raises RuntimeError."""
        end = time.monotonic() + most
        while not done(counters := self.counters()):
            if time.monotonic() > end or not self.operator.running:
                raise RuntimeError(f"the operator does not get there: {counters}\n{self.operator.tail()}")
            time.sleep(pause)
        return counters

    def settled(self) -> Counters:
        """Wait until nothing is written any more, Events included."""
        seen, since = self.counters(), time.monotonic()
        while time.monotonic() - since < QUIET_SECONDS:
            time.sleep(_POLL_SECONDS)
            now = self.counters()
            if (_but_leases(now.writes), now.reconciles, now.queued) != (_but_leases(seen.writes), seen.reconciles, 0):
                seen, since = now, time.monotonic()
        return seen

    def fill(self, population: Population) -> None:
        """Create all clients, and all contracts if there are any; nobody reconciles meanwhile."""
        run(self._fill(population))

    async def _fill(self, population: Population) -> None:
        async with connected(self.kubeconfig) as kube:
            await create_clients(kube, population)
            if population.contracts:
                await create_contracts(kube, population)

    def add_contracts(self, population: Population, known: int = 0) -> None:
        """Create the contracts of clients that are there, but the first so many."""

        async def add() -> None:
            async with connected(self.kubeconfig) as kube:
                await create_contracts(kube, population, known)

        run(add())

    def settle(self, population: Population) -> None:
        """Run the operator until everything has its status, and leave it running."""
        if not self.operator.running:
            self.operator.start()
        self.until(lambda counters: all_seen(counters, population))
        self.settled()
        run(self.verify(population))

    async def verify(self, population: Population) -> None:
        """Every client is Available and every contract Active. Raises RuntimeError."""
        async with connected(self.kubeconfig) as kube:
            found = await _count(kube, API_CLIENTS, "Available"), await _count(kube, CONTRACTS, "Active")
        if found != (population.clients, population.contracts):
            raise RuntimeError(f"{found[0]} clients are Available and {found[1]} contracts Active, not {population}")


@contextmanager
def open_stand() -> Iterator[Stand]:
    """A fresh cluster, warmed up: the operator has made its keys and a few clients, which are gone again."""
    with (
        TemporaryDirectory(prefix="bench-") as folder,
        LocalCluster() as cluster,
        Stage(cluster, Path(folder)) as stage,
    ):
        stage.install()
        operator = stage.operator(options=("--log-level", "WARNING"))
        sample = run(_warm_up(cluster, operator))
        yield Stand(cluster, stage, operator, sample)


@contextmanager
def open_populated(population: Population) -> Iterator[Stand]:
    """A stand where everything is reconciled and the operator runs."""
    with open_stand() as stand:
        stand.fill(population)
        stand.settle(population)
        yield stand


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run on the event loop of the programs."""
    return event_loop.run(coroutine)


async def _warm_up(cluster: LocalCluster, operator: Service) -> Sample:
    async with connected(cluster.kubeconfig) as kube:
        await create_namespaces(kube, NAMESPACE, TEAM, PROVIDER)
        names = [f"warm-{number}" for number in range(_WARM_UP)]
        for name in names:
            await kube.create(API_CLIENTS, NAMESPACE, client_body(name, NAMESPACE))
        await asyncio.to_thread(operator.start)
        while await _count(kube, API_CLIENTS, "Available") < _WARM_UP:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.1)
        sample = await take_sample(kube, NAMESPACE, names[0])
        await asyncio.to_thread(operator.stop)
        for name in names:
            await kube.delete(API_CLIENTS, NAMESPACE, name)
            try:
                await kube.delete(SECRETS, NAMESPACE, f"{name}-credentials")
            except NotFoundError:  # the garbage collector was faster
                continue
        return sample


async def _count(kube: KubeClient, resource: Any, status: str) -> int:
    found = 0
    async for page in kube.pages(resource):
        found += sum((item.get("status") or {}).get("observedStatus") == status for item in page.items)
    return found


def all_seen(counters: Counters, population: Population) -> bool:
    """Whether each object was looked at, and none waits."""
    seen = counters.reconciles
    clients, contracts = seen.get("ApiClient", 0), seen.get("Contract", 0)
    return clients >= population.clients and contracts >= population.contracts and counters.queued == 0


def _but_leases(writes: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    return {what: count for what, count in writes.items() if what[1] != "leases"}


def _read(metrics: str) -> Counters:
    counters = Counters()
    queued = 0.0
    for line in metrics.splitlines():
        series, _, value = line.rpartition(" ")
        name, _, rest = series.partition("{")
        labels = dict(pair.split("=", 1) for pair in rest.rstrip("}").replace('"', "").split(",") if pair)
        if name == _REQUESTS and labels["verb"] in _WRITES:
            what = labels["verb"], labels["resource"]
            if labels["code"].startswith("2"):
                counters.writes[what] = counters.writes.get(what, 0) + int(float(value))
            elif labels["resource"] != "leases":
                counters.refused[*what, labels["code"]] = int(float(value))
        elif name == _RECONCILES and labels["result"] == "success":
            counters.reconciles[labels["kind"]] = int(float(value))
        elif name == _QUEUED:
            queued = float(value)
    return Counters(counters.writes, counters.refused, counters.reconciles, int(queued))
