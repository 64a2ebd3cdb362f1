"""The gate under load: what a core of it answers, beside what the same HTTP server, or the bare cryptography, can do.

Method. One gate with everything it does otherwise: watches, proofs, Lease, metrics; N clients, N contracts, ES256.
The load comes from one other process (``bench.hammer``) over 16 connections, the same for gate and floor; it polls
and never sleeps, so that none of them pays for waking it. Told is how many requests a second of the server's CPU
answers (requests a second of one core that does nothing else), which a busy machine distorts less than requests a
second of the clock; those are in the notes. In each round floor and all subjects take turns.

Checks are calls of ``/authz/<namespace>/<api>`` with tokens of 1,000 clients under contract. "Cached" means that the
gate has verified the signature before; "uncached" goes round more tokens than its cache holds, and the gate's
counters say that it missed. Introspections are of tokens not seen before; the callers authenticate by their secrets.
Floors: the bare ASGI application; the verification of those signatures alone; a signature and an HMAC alone.
"""

import hmac
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bench import hammer
from bench.hammer import Load
from bench.population import Population, connected
from bench.report import Figure, Plot, Result, Series, Target
from bench.servers import bare_server, gate_metrics, port_of
from bench.stand import Plan, Stand, open_populated, run
from bench.tokens import Client, Mint, authz, get, introspect, read_clients, read_mint, token_request
from demo.service import Service

_MOST_CLIENTS = 1_000
#: More than twice what the gate's cache of signatures holds.
_UNCACHED = 24_000
_MESSAGE = b"x" * 500


@dataclass(frozen=True, slots=True)
class Requests:
    """The raw requests of each kind of load."""

    cached: list[bytes]
    plain: list[bytes]
    uncached: list[bytes]
    introspections: list[bytes]
    tokens: list[bytes]


def measure(plan: Plan) -> Result:
    """On a stand of its own."""
    with open_populated(Population(plan.clients, plan.contracts)) as stand, running_gate(stand) as gate:
        return measured(plan, stand, gate)


@contextmanager
def running_gate(stand: Stand) -> Iterator[Service]:
    """One gate, ready."""
    gate = stand.stage.gate(0, options=("--log-level", "warning"))
    gate.start(ready_within=120)
    try:
        yield gate
    finally:
        gate.stop()


async def make_requests(stand: Stand, clients: int) -> tuple[Mint, list[Client], Requests]:
    """Requests of the first clients of the population."""
    async with connected(stand.kubeconfig) as kube:
        mint = await read_mint(kube, stand.stage.issuer)
        known = await read_clients(kube, clients)
    fresh, others = mint.tokens(known, _UNCACHED), mint.tokens(known, _UNCACHED)
    seen = [(client, mint.token(client)) for client in known]
    return (
        mint,
        known,
        Requests(
            cached=[authz(client, token) for client, token in seen],
            plain=[get("/check", token) for _, token in seen],
            uncached=[authz(known[number % clients], token) for number, token in enumerate(fresh)],
            introspections=[introspect(known[number % clients], token) for number, token in enumerate(others)],
            tokens=[token_request(client) for client in known],
        ),
    )


def measured(plan: Plan, stand: Stand, gate: Service) -> Result:
    """All rounds, on a stand that is there."""
    mint, _, requests = run(make_requests(stand, min(_MOST_CLIENTS, plan.clients)))
    kinds = {
        "cached check of a call": requests.cached,
        "cached check of a token": requests.plain,
        "uncached check of a call": requests.uncached,
        "introspection, uncached": requests.introspections,
        "token": requests.tokens,
    }
    loads: dict[str, list[Load]] = {name: [] for name in kinds}
    bare: list[Load] = []
    verifies: list[float] = []
    signs: list[float] = []
    hits_and_misses: list[float] = []
    with bare_server(stand.stage.folder) as floor:
        apply(gate, requests.cached, 1.0)  # so that the signatures are known
        for turn in range(plan.rounds):
            for name, whole in kinds.items():
                raw = _from(whole, turn, plan.rounds)
                bare.append(apply(floor, requests.cached, plan.seconds))
                before = gate_metrics(gate)
                loads[name].append(apply(gate, raw, plan.seconds))
                if name == "uncached check of a call":
                    hits_and_misses.append(_hit_share(before, gate_metrics(gate)))
                    apply(gate, requests.cached, 0.5)
            verifies.append(_each_second(_verify(mint), plan.seconds / 4))
            signs.append(_each_second(_sign(mint), plan.seconds / 4))
    return _result(plan, loads, bare, verifies, signs, max(hits_and_misses))


def _from(requests: list[bytes], turn: int, turns: int) -> list[bytes]:
    """All of them, beginning elsewhere in each turn: what the turn before began with may be in a cache still."""
    first = len(requests) * turn // turns
    return requests[first:] + requests[:first]


def apply(server: Service, requests: Sequence[bytes], seconds: float) -> Load:
    """One load; raises RuntimeError when an answer is not 200."""
    load = hammer.finish(hammer.start(port_of(server), requests, server.pid, seconds))
    if set(load.answers) != {"200"}:
        raise RuntimeError(f"{server.name} answered {load.answers}")
    return load


def _hit_share(before: dict[str, float], after: dict[str, float]) -> float:
    hits, misses = (
        after[f"apiclient_gate_signature_cache_{what}_total"] - before[f"apiclient_gate_signature_cache_{what}_total"]
        for what in ("hits", "misses")
    )
    return hits / (hits + misses)


def _each_second(work: Callable[[], None], seconds: float) -> float:
    """How often it can be done in a second of CPU."""
    end, cpu, count = time.perf_counter() + seconds, time.process_time(), 0
    while time.perf_counter() < end:
        work()
        count += 1
    return count / (time.process_time() - cpu)


def _private_key(mint: Mint) -> EllipticCurvePrivateKey:
    private = load_pem_private_key(mint.ring.ring.signing_keys[0].private_key.encode(), None)
    assert isinstance(private, EllipticCurvePrivateKey)
    return private


def _verify(mint: Mint) -> Callable[[], None]:
    private, algorithm = _private_key(mint), ECDSA(SHA256())
    signature, public = private.sign(_MESSAGE, algorithm), private.public_key()
    return lambda: public.verify(signature, _MESSAGE, algorithm)


def _sign(mint: Mint) -> Callable[[], None]:
    private, algorithm, pepper = _private_key(mint), ECDSA(SHA256()), b"p" * 32

    def work() -> None:
        hmac.digest(pepper, b"s" * 43, "sha256")
        private.sign(_MESSAGE, algorithm)

    return work


def _result(
    plan: Plan, loads: dict[str, list[Load]], bare: list[Load], verifies: list[float], signs: list[float], hits: float
) -> Result:
    floor = [load.per_cpu_second for load in bare]
    half = Target(">=", 0.5)
    told = {
        "cached check of a call": (floor, "bare 200", Target(">=", 0.6)),
        "cached check of a token": (floor, "bare 200", None),
        "uncached check of a call": (verifies, "verify alone", half),
        "introspection, uncached": (verifies, "verify alone", half),
        "token": (signs, "sign + HMAC alone", half),
    }
    figures = [
        Figure(name, "/s and core", [load.per_cpu_second for load in loads[name]], beside, what, target)
        for name, (beside, what, target) in told.items()
    ]
    clocked = ", ".join(f"{name} {_middle(many).per_second:,.0f}" for name, many in loads.items())
    slowest = ", ".join(f"{name} {1000 * _middle(many).p99:.1f}" for name, many in loads.items())
    notes = [
        f"{plan.clients:,} clients, {plan.contracts:,} contracts; bare 200: {_middle(bare).per_second:,.0f} a second",
        f"by the clock, a second: {clocked}",
        f"p99 in ms, {hammer.CONNECTIONS} connections with one request each under way: {slowest}",
        f"signatures found in the cache in the uncached load: {100 * hits:.1f} %",
    ]
    return Result("gate", figures, [_plot(figures)], notes)


def _middle(loads: list[Load]) -> Load:
    return sorted(loads, key=lambda load: load.per_second)[len(loads) // 2]


def _plot(figures: list[Figure]) -> Plot:
    names = [figure.name.replace(" ", "\n", 1) for figure in figures]
    subject = Series("gate", [], [figure.median for figure in figures])
    floors = Series("floor", [], [sorted(figure.floor)[len(figure.floor) // 2] for figure in figures])
    return Plot("gate", "The gate beside its floors", "", "answers a second of CPU", [subject, floors], names)
