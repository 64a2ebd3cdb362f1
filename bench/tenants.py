"""One tenant attacks, as far as the shipped roles let it; what do the others notice?

Method. N clients of one namespace, operator and one gate. For each attack of ``bench.attacks`` the same is measured
twice in a row: at rest (the floor), and from the moment in which the storm begins. The attack is a process of its own
in another namespace (``bench.adversary``); what it makes is deleted before the next one. Measured each time, for some
seconds: ``/check`` with good tokens of the other tenant, 200 a second over 8 connections, from a process of its own,
from when a request was due to its answer; the largest age of the gate's freshness proof, looked at ten times a second;
and new clients of the other tenant, one after the other, from sending the POST until a GET says Available. Everything
shares the machine: part of what is measured is that the attack, and the API server for it, take the processor.
"""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from threading import Event

from apiclients.kube.client import LEASES, KubeClient
from apiclients.kube.errors import NotFoundError
from apiclients.kube.kinds import API_CLIENTS
from bench import hammer
from bench.adversary import Adversary
from bench.attacks import ATTACKS
from bench.gate import make_requests, running_gate
from bench.population import TEAM, Population, client_body, connected
from bench.report import Figure, Goal, Result, Target
from bench.servers import gate_metrics, port_of
from bench.stand import Plan, Stand, open_populated, run
from demo.service import Service
from demo.stage import SYSTEM_NAMESPACE

_CLIENTS = 50
_CONNECTIONS = 8
_CHECKS_PER_SECOND = 200.0
_STALENESS = "apiclient_gate_staleness_seconds"
_SAMPLE_SECONDS = 0.1
_POLL_SECONDS = 0.01
_REST_SECONDS = 0.2
_MOST_SECONDS = 60.0
_NUMBERS = count()


@dataclass(slots=True)
class Noticed:
    """What another tenant notices for some seconds; times in seconds, the latency of checks in ms."""

    check_p99: float = 0.0
    refused: int = 0
    staleness: float = 0.0
    newcomers: list[float] = field(default_factory=list)
    leases_lost: int = 0


def measure(plan: Plan) -> Result:
    """On a stand of its own."""
    with open_populated(Population(plan.clients)) as stand, running_gate(stand) as gate:
        return measured(plan, stand, gate)


def measured(plan: Plan, stand: Stand, gate: Service) -> Result:
    """All attacks, on a stand that is there."""
    _, _, requests = run(make_requests(stand, min(_CLIENTS, plan.clients)))
    stand.settled()  # the first gate is told in the status of every client
    figures: list[Figure] = []
    notes = [f"{plan.clients:,} clients of the other tenant"]
    for name, attack in ATTACKS.items():
        size = max(20, round(attack.size * plan.attack_share))
        rest = _noticed(stand, gate, requests.plain, plan.attack_seconds)
        adversary = Adversary(stand.cluster, f"adversary-{name.replace(' ', '-')}", stand.stage.folder)
        with adversary.attacking(name, size, TEAM) as storm:
            under = _noticed(stand, gate, requests.plain, plan.attack_seconds)
        adversary.clean()
        _recovered(stand)
        figures += _figures(f"{name}, {size:,}", under, rest)
        notes.append(
            f"{name}: {storm.count.done:,} writes of the storm done, {storm.count.refused:,} refused; "
            f"{under.refused} checks answered otherwise than 200 ({rest.refused} at rest)"
        )
    return Result("tenants", figures, [], notes)


def _noticed(stand: Stand, gate: Service, requests: list[bytes], seconds: float) -> Noticed:
    found = Noticed()
    leader = run(_leader(stand))
    load = hammer.start(port_of(gate), requests, gate.pid, seconds, _CHECKS_PER_SECOND, _CONNECTIONS)
    with _sampled(gate, found):
        run(_newcomers(stand, found, seconds))
        told = hammer.finish(load)
    found.check_p99 = 1000 * told.p99
    found.refused = told.count - told.answers.get("200", 0)
    found.leases_lost = int(run(_leader(stand)) != leader or not stand.operator.running)
    return found


@contextmanager
def _sampled(gate: Service, found: Noticed) -> Iterator[None]:
    """Keep the largest staleness; a gate that does not answer is asked again, and has grown staler meanwhile."""
    over = Event()

    def sample() -> None:
        while not over.wait(_SAMPLE_SECONDS):
            try:
                found.staleness = max(found.staleness, gate_metrics(gate)[_STALENESS])
            except OSError:
                continue

    with ThreadPoolExecutor(1) as pool:
        sampling = pool.submit(sample)
        try:
            yield
        finally:
            over.set()
        sampling.result()


async def _newcomers(stand: Stand, found: Noticed, seconds: float) -> None:
    async with connected(stand.kubeconfig) as kube:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found.newcomers.append(await _newcomer(kube, f"newcomer-{next(_NUMBERS):05}"))
            await asyncio.sleep(_REST_SECONDS)


async def _newcomer(kube: KubeClient, name: str) -> float:
    """Seconds until a new client is Available; as long as was waited for one that is not."""
    started = time.monotonic()
    await kube.create(API_CLIENTS, TEAM, client_body(name))
    while (waited := time.monotonic() - started) < _MOST_SECONDS:
        client = await kube.get(API_CLIENTS, TEAM, name)
        if client.get("status", {}).get("observedStatus") == "Available":
            break
        await asyncio.sleep(_POLL_SECONDS)
    return waited


async def _leader(stand: Stand) -> tuple[str, int]:
    """Who leads, and how often that has changed."""
    async with connected(stand.kubeconfig) as kube:
        try:
            spec = (await kube.get(LEASES, SYSTEM_NAMESPACE, "apiclient-operator"))["spec"]
        except NotFoundError:
            return "", 0
    return spec.get("holderIdentity", ""), spec.get("leaseTransitions", 0)


def _recovered(stand: Stand) -> None:
    """An operator that has ended is started again, as a Deployment does; then everything comes to rest."""
    if not stand.operator.running:
        stand.operator.start()
    stand.settled()


def _figures(what: str, under: Noticed, rest: Noticed) -> list[Figure]:
    return [
        Figure(
            f"{what}: /check p99",
            "ms",
            [under.check_p99],
            [rest.check_p99],
            "ms at rest",
            Target("<=", 50, Goal.MEDIAN),
        ),
        Figure(
            f"{what}: proof staleness",
            "s",
            [under.staleness],
            [rest.staleness],
            "s at rest",
            Target("<=", 4, Goal.WORST),
        ),
        Figure(
            f"{what}: new client Available",
            "s",
            under.newcomers,
            rest.newcomers,
            "s at rest",
            Target("<=", 1, Goal.WORST),
        ),
        Figure(
            f"{what}: Leases lost", "", [under.leases_lost], [rest.leases_lost], "at rest", Target("==", 0, Goal.WORST)
        ),
    ]
