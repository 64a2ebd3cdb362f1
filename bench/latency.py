"""From the edit of a client to its effect at the gate, at /authz, with N clients and N contracts at rest.

Method. Fifty clients take turns. A merge-patch of ``spec.desiredStatus``, as ``kubectl patch`` sends it, goes to the
API server on a connection that is open; from that moment on a call with the client's good token is checked every
millisecond, on one connection, until the answer is 401. Then the client is resumed and checked until the answer is
200, which needs the operator's status besides. Times are from sending the patch to the first such answer, so they
contain the API server's own time for the patch, which is told as the floor. Under load, the gate answers cached
checks at half of the rate that it reached a moment before, from the process that ``bench.hammer`` is.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from apiclients.kube.client import JsonObject, KubeClient
from apiclients.kube.errors import ConflictError
from apiclients.kube.kinds import API_CLIENTS
from bench import hammer
from bench.gate import apply, make_requests, running_gate
from bench.population import TEAM, Population, client_name, connected
from bench.report import Figure, Goal, Plot, Result, Series, Target
from bench.servers import port_of
from bench.stand import Plan, Stand, open_populated, run
from bench.tokens import Client, Mint, authz, get
from demo.service import Service

_CLIENTS = 50
_POLL_SECONDS = 0.001
_REST_SECONDS = 0.03
_MOST_SECONDS = 30.0


@dataclass(slots=True)
class Latencies:
    """Milliseconds of all tries."""

    patch: list[float] = field(default_factory=list)
    suspend: list[float] = field(default_factory=list)
    resume: list[float] = field(default_factory=list)


class Probe:
    """One connection to the gate that asks about one call again and again."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def until(self, request: bytes, status: bytes) -> float:
        """Ask until the answer has this status; returns when it came. Raises RuntimeError."""
        end = time.perf_counter() + _MOST_SECONDS
        while True:
            self._writer.write(request)
            head = await self._reader.readuntil(b"\r\n\r\n")
            now = time.perf_counter()
            await self._reader.readexactly(hammer.body_length(head[:-4]))
            if head[9:12] == status:
                return now
            if now > end:
                raise RuntimeError(f"the answer stays {head[9:12]!r}, not {status!r}")
            await asyncio.sleep(_POLL_SECONDS)


def measure(plan: Plan) -> Result:
    """On a stand of its own."""
    with open_populated(Population(plan.clients, plan.contracts)) as stand, running_gate(stand) as gate:
        return measured(plan, stand, gate)


def measured(plan: Plan, stand: Stand, gate: Service) -> Result:
    """Idle and under load, on a stand that is there."""
    mint, known, requests = run(make_requests(stand, min(_CLIENTS, plan.clients)))
    idle = run(_tries(stand, port_of(gate), mint, known, plan.tries, authz))
    limit = apply(gate, requests.cached, plan.seconds).per_second
    seconds = plan.tries * 0.5 + 60
    load = hammer.start(port_of(gate), requests.plain, gate.pid, seconds, rate=limit / 2)
    try:
        time.sleep(1)
        busy = run(_tries(stand, port_of(gate), mint, known, plan.tries, authz))
    finally:
        load.kill()
        load.wait()
    figures = [
        *_figures("idle", idle, Target("<=", 50, Goal.MEDIAN)),
        *_figures("half load", busy, Target("<=", 150, Goal.MEDIAN)),
    ]
    note = f"{plan.tries} tries each; half load: {limit / 2:,.0f} checks a second; {plan.clients:,} clients at rest"
    return Result("latency", figures, [_plot(idle, busy)], [note])


def suspensions(stand: Stand, mint: Mint, known: list[Client], port: int, tries: int, path: str) -> list[float]:
    """Milliseconds from each suspension to the first 401 to calls of a path, on one connection to a port."""
    return run(_tries(stand, port, mint, known, tries, lambda _, token: get(path, token))).suspend


async def _tries(
    stand: Stand,
    port: int,
    mint: Mint,
    known: list[Client],
    tries: int,
    question: Callable[[Client, bytes], bytes],
) -> Latencies:
    found = Latencies()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    probe = Probe(reader, writer)
    async with connected(stand.kubeconfig) as kube:
        for number in range(tries):
            client = known[number % len(known)]
            request = question(client, mint.token(client))
            await probe.until(request, b"200")
            suspended, patched = await _edit(kube, probe, client, "Suspended", request, b"401")
            await asyncio.sleep(_REST_SECONDS)
            resumed, _ = await _edit(kube, probe, client, "Available", request, b"200")
            await asyncio.sleep(_REST_SECONDS)
            found.patch.append(patched)
            found.suspend.append(suspended)
            found.resume.append(resumed)
    writer.close()
    return found


async def _edit(
    kube: KubeClient, probe: Probe, client: Client, desired: str, request: bytes, status: bytes
) -> tuple[float, float]:
    """Milliseconds to the first such answer, and to the API server's."""
    started = time.perf_counter()
    patched, seen = await asyncio.gather(_patch(kube, client, desired), probe.until(request, status))
    return 1000 * (seen - started), 1000 * (patched - started)


async def _patch(kube: KubeClient, client: Client, desired: str) -> float:
    body: JsonObject = {"spec": {"desiredStatus": desired}}
    while True:
        try:
            await kube.merge_patch(API_CLIENTS, TEAM, client_name(client.number), body)
        except ConflictError:  # the operator wrote between the API server's read and its write
            continue
        return time.perf_counter()


def percentile(values: list[float], share: float) -> float:
    """The value that so large a share does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _figures(when: str, found: Latencies, suspend: Target) -> list[Figure]:
    rows = (("suspend to first 401", found.suspend, suspend), ("resume to first 200", found.resume, None))
    figures = []
    for what, values, target in rows:
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            floor = [percentile(found.patch, share)]
            goal = (target or Target("<=", 100, Goal.MEDIAN)) if name == "p99" else None
            figures.append(
                Figure(f"{what}, {when}, {name}", "ms", [percentile(values, share)], floor, "ms patch answered", goal)
            )
    return figures


def _plot(idle: Latencies, busy: Latencies) -> Plot:
    def line(label: str, values: list[float]) -> Series:
        ordered = sorted(values)
        return Series(label, ordered, [100 * (place + 1) / len(ordered) for place in range(len(ordered))])

    lines = [
        line("patch answered, idle", idle.patch),
        line("suspend to 401, idle", idle.suspend),
        line("suspend to 401, half load", busy.suspend),
        line("resume to 200, idle", idle.resume),
        line("resume to 200, half load", busy.resume),
    ]
    return Plot("latency", "From the edit to its effect", "ms", "% of the tries done", lines, markers=False)
