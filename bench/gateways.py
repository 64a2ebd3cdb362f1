"""The gateways of examples/gateways before one gate: calls a second, and from a suspension to the first refusal.

Method. One gate; each gateway with its example as it is, asking ``/check``, before the bare server as the API; one
gateway at a time. Calls a second: ``bench.hammer`` calls through the gateway for a while, with tokens that the gate
has verified before; the floor is the same load on the bare server without any gateway, in the same round. Load,
gateway, gate and API share the machine. Suspend to refusal: a merge-patch of ``spec.desiredStatus`` goes to the API
server, and from that moment on a call is made every millisecond, on one connection that is open, until the answer is
401; the floor is the same at the gate itself, in the same round.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from statistics import median

from bench import hammer
from bench.gate import running_gate
from bench.hammer import Load
from bench.latency import suspensions
from bench.population import Population, connected
from bench.report import Figure, Result
from bench.servers import bare_server, port_of
from bench.stand import Plan, Stand, open_populated, run
from bench.tokens import Client, Mint, get, read_clients, read_mint
from cluster.programs import free_port
from demo.calls import request
from demo.service import Service
from examples.gateways.render import GATEWAYS, Gateway, Places

_MOST_CLIENTS = 200
_TRIES = 20
_READY_SECONDS = 30.0


@dataclass(slots=True)
class Found:
    """Of one gateway: calls a second that passed, calls that did not, milliseconds from suspension to refusal."""

    calls: list[float] = field(default_factory=list)
    refused: int = 0
    refusal: list[float] = field(default_factory=list)


def measure(plan: Plan) -> Result:
    """On a stand of its own, with few clients: how many there are matters to the gate alone."""
    plan = replace(plan, clients=min(plan.clients, _MOST_CLIENTS))
    with open_populated(Population(plan.clients)) as stand, running_gate(stand) as gate:
        return measured(plan, stand, gate)


def measured(plan: Plan, stand: Stand, gate: Service) -> Result:
    """All gateways in turn, in each round."""
    mint, clients = run(_callers(stand, min(_MOST_CLIENTS, plan.clients)))
    calls = [get("/orders", mint.token(client)) for client in clients]
    found = {gateway.name: Found() for gateway in GATEWAYS}
    bare: list[float] = []
    at_the_gate: list[float] = []
    with bare_server(stand.stage.folder) as api:
        for _ in range(plan.rounds):
            bare.append(_load(api, calls, plan.seconds).per_second)
            for gateway in GATEWAYS:
                with _running(gateway, stand, gate, api) as service:
                    _load(service, calls, 1.0)  # so that connections are open
                    load = _load(service, calls, plan.seconds)
                    passed = load.answers.get("200", 0)
                    found[gateway.name].calls.append(passed / load.wall)
                    found[gateway.name].refused += load.count - passed
                    tries = suspensions(stand, mint, clients, port_of(service), min(_TRIES, plan.tries), "/orders")
                    found[gateway.name].refusal.append(median(tries))
            tries = suspensions(stand, mint, clients, port_of(gate), min(_TRIES, plan.tries), "/check")
            at_the_gate.append(median(tries))
    return Result("gateways", _figures(found, bare, at_the_gate), [], [_note(plan, found)])


async def _callers(stand: Stand, count: int) -> tuple[Mint, list[Client]]:
    async with connected(stand.kubeconfig) as kube:
        return await read_mint(kube, stand.stage.issuer), await read_clients(kube, count)


def _load(server: Service, calls: Sequence[bytes], seconds: float) -> Load:
    return hammer.finish(hammer.start(port_of(server), calls, server.pid, seconds))


@contextmanager
def _running(gateway: Gateway, stand: Stand, gate: Service, api: Service) -> Iterator[Service]:
    """A gateway that lets calls pass."""
    port = free_port()
    folder = stand.stage.folder / f"{gateway.name}-{port}"
    folder.mkdir()
    gates, upstream = [f"127.0.0.1:{port_of(gate)}"], f"127.0.0.1:{port_of(api)}"
    gateway.write(Places(f"127.0.0.1:{port}", gates, upstream, folder, inner=f"127.0.0.1:{free_port()}"))
    ready = f"http://127.0.0.1:{port}/"
    service = Service(gateway.name, gateway.command(folder), folder / "log", ready_url=ready)
    try:
        service.start(ready_within=None)
        end = time.monotonic() + _READY_SECONDS
        while not _refuses(ready):
            if time.monotonic() > end:
                raise RuntimeError(f"{gateway.name} is not ready: {service.tail()}")
            time.sleep(0.05)
        yield service
    finally:
        service.stop()


def _refuses(url: str) -> bool:
    """Whether it asks the gate about a call without a token."""
    with suppress(OSError):
        return request("GET", url).status == 401
    return False


def _figures(found: dict[str, Found], bare: list[float], at_the_gate: list[float]) -> list[Figure]:
    calls = [Figure(f"{name}, calls", "a second", one.calls, bare, "a second, bare API") for name, one in found.items()]
    refusals = [
        Figure(f"{name}, suspend to first 401", "ms", one.refusal, at_the_gate, "ms at the gate")
        for name, one in found.items()
    ]
    return calls + refusals


def _note(plan: Plan, found: dict[str, Found]) -> str:
    """A gate that has no time to answer is a refusal: where there are many, the machine was too busy to measure."""
    refused = ", ".join(f"{name} {one.refused}" for name, one in found.items() if one.refused) or "none"
    tries = min(_TRIES, plan.tries)
    return (
        f"{plan.rounds} rounds, each of {tries} suspensions (their median is told) and {plan.seconds:g} s of load; "
        f"calls that were refused under load: {refused}"
    )
