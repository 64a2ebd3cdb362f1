"""A person suspends and resumes clients while the operator starts for the first time beside a crowd of new ones.

Method. Twenty clients are known and Available. Then the operator is stopped, all other clients are created in the same
namespace, and it is started. From its process's start until the last client has its first status, one known client
after the other is suspended and resumed again by merge-patches, one edit at a time; each time counts from sending the
patch until a watch of the API server shows the status that answers it, which is all that a gate waits for. What was
sent before the operator was ready is told apart: it contains the start of the interpreter and the first lists. The
floor is the same before the crowd was there.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from apiclients.kube.client import JsonObject, KubeClient
from apiclients.kube.errors import ConflictError, KubeError
from apiclients.kube.kinds import API_CLIENTS
from bench.latency import percentile
from bench.population import TEAM, Population, client_name, connected, create_clients
from bench.report import Figure, Goal, Plot, Result, Series, Target
from bench.stand import Plan, Stand, open_stand, run

_KNOWN = 20
_REST_SECONDS = 0.1
_MOST_SECONDS = 300.0


@dataclass(slots=True)
class Answers:
    """Seconds until edits were answered, and when each was sent, in seconds since the operator's start."""

    at_rest: list[float] = field(default_factory=list)
    before_ready: list[float] = field(default_factory=list)
    suspended: list[tuple[float, float]] = field(default_factory=list)
    resumed: list[tuple[float, float]] = field(default_factory=list)
    ready: float = 0.0
    wall: float = 0.0


class Statuses:
    """What a watch says of each client: the desired status that its status answers."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def watched(self, kube: KubeClient) -> AsyncIterator[None]:
        """Follow the clients from now on."""
        version = ""
        async for page in kube.pages(API_CLIENTS, TEAM, page_size=1):
            version = page.resource_version
            break
        task = asyncio.create_task(self._follow(kube, version))
        try:
            yield
        finally:
            task.cancel()

    async def until(self, name: str, observed: str) -> float:
        """Wait for an observed status; returns when it came. Raises TimeoutError."""
        async with asyncio.timeout(_MOST_SECONDS), self._changed:
            await self._changed.wait_for(lambda: self._seen.get(name) == observed)
        return time.monotonic()

    async def _follow(self, kube: KubeClient, version: str) -> None:
        while True:
            try:
                async for event in kube.watch(API_CLIENTS, TEAM, resource_version=version):
                    version = event.object["metadata"]["resourceVersion"]
                    if "status" in event.object:
                        await self._note(event.object)
            except KubeError:
                continue

    async def _note(self, client: JsonObject) -> None:
        async with self._changed:
            self._seen[client["metadata"]["name"]] = client["status"].get("observedStatus", "")
            self._changed.notify_all()


def measure(plan: Plan) -> Result:
    """One cold start."""
    population = Population(plan.clients + _KNOWN)
    with open_stand() as stand:
        stand.fill(Population(_KNOWN))
        stand.settle(Population(_KNOWN))
        answers = Answers()
        run(_edit_at_rest(stand, answers))
        stand.operator.stop()
        run(_add(stand, population))
        run(_edit_during_start(stand, population, answers))
        stand.settled()
    return _result(plan, answers)


async def _add(stand: Stand, population: Population) -> None:
    async with connected(stand.kubeconfig) as kube:
        await create_clients(kube, population, _KNOWN)


async def _edit_at_rest(stand: Stand, answers: Answers) -> None:
    statuses = Statuses()
    async with connected(stand.kubeconfig) as kube, statuses.watched(kube):
        for number in range(_KNOWN):
            for desired in ("Suspended", "Available"):
                answers.at_rest.append(await _edit(kube, statuses, client_name(number), desired))


async def _edit_during_start(stand: Stand, population: Population, answers: Answers) -> None:
    statuses = Statuses()
    async with connected(stand.kubeconfig) as kube, statuses.watched(kube):
        started = time.monotonic()
        stand.operator.start(ready_within=None)
        ended = asyncio.create_task(asyncio.to_thread(_until_done, stand, population, answers, started))
        number = 0
        while not ended.done():
            name = client_name(number % _KNOWN)
            number += 1
            for desired, found in (("Suspended", answers.suspended), ("Available", answers.resumed)):
                sent = time.monotonic()
                took = await _edit(kube, statuses, name, desired)
                if not answers.ready or sent < started + answers.ready:
                    answers.before_ready.append(took)
                elif not answers.wall or sent < started + answers.wall:
                    found.append((sent - started, took))
        await ended


def _until_done(stand: Stand, population: Population, answers: Answers, started: float) -> None:
    stand.operator.wait_ready()
    answers.ready = time.monotonic() - started
    # A look costs the operator as much as there are clients.
    stand.until(lambda counters: counters.of("create", "secrets") >= population.clients - _KNOWN, pause=1.0)
    answers.wall = time.monotonic() - started


async def _edit(kube: KubeClient, statuses: Statuses, name: str, desired: str) -> float:
    """Seconds until the status answered."""
    sent = time.monotonic()
    await _patch(kube, name, desired)
    took = await statuses.until(name, desired) - sent
    await asyncio.sleep(_REST_SECONDS)
    return took


async def _patch(kube: KubeClient, name: str, desired: str) -> None:
    while True:
        try:
            await kube.merge_patch(API_CLIENTS, TEAM, name, {"spec": {"desiredStatus": desired}})
        except ConflictError:  # the operator wrote between the API server's read and its write
            continue
        return


def _result(plan: Plan, answers: Answers) -> Result:
    figures = []
    for what, found in (("suspension", answers.suspended), ("resumption", answers.resumed)):
        seconds = [took for _, took in found] or [answers.wall]  # none was answered before the end
        for name, share, target in (
            ("p50", 0.5, None),
            ("p99", 0.99, None),
            ("worst", 1, Target("<=", 1, Goal.MEDIAN)),
        ):
            floor = [percentile(answers.at_rest, share)]
            title = f"{what} during a cold start, {name}"
            figures.append(Figure(title, "s", [percentile(seconds, share)], floor, "s at rest", target))
    figures += [
        Figure("edits before the operator was ready", "s", answers.before_ready or [0.0]),
        Figure("operator ready", "s", [answers.ready]),
        Figure("last Secret of the crowd", "s", [answers.wall]),
    ]
    note = f"{plan.clients:,} new clients; {len(answers.suspended)} suspensions and {len(answers.resumed)} resumptions"
    return Result("crowd", figures, [_plot(plan, answers)], [note])


def _plot(plan: Plan, answers: Answers) -> Plot:
    lines = [
        Series("suspensions", [at for at, _ in answers.suspended], [took for _, took in answers.suspended]),
        Series("resumptions", [at for at, _ in answers.resumed], [took for _, took in answers.resumed]),
    ]
    title = f"Edits answered during a cold start of {plan.clients:,} clients"
    return Plot("crowd", title, "sent, seconds since the start of the process", "seconds until answered", lines)
