"""A peer in the same run: ``oidc-provider`` (Node.js, everything in memory), its tokens and introspections.

Method. As in ``bench.gate``: same load generator, same number of clients that ask, gate and peer take turns. It needs
``node`` and ``npm`` and fetches the peer from the npm registry into a temporary folder; without them this benchmark
says so and measures nothing. The peer's tokens are opaque (a look-up in memory, no signature), the gate's are signed,
so tokens are stated and introspections compared. Introspections are of the same 1,000 tokens again and again on both
sides.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.gate import apply, make_requests, running_gate
from bench.hammer import Load
from bench.population import Population
from bench.report import Figure, Result, Target
from bench.servers import port_of
from bench.stand import Plan, Stand, open_populated, run
from bench.tokens import introspect, post
from cluster.programs import free_port
from demo.calls import request
from demo.service import Service

PEER = "oidc-provider@9.13.3"
_CLIENTS = 1_000
_SCRIPT = Path(__file__).with_name("oidc_provider.mjs")
_INSTALL_SECONDS = 180


def measure(plan: Plan) -> Result:
    """On a stand of its own."""
    with open_populated(Population(plan.clients, plan.contracts)) as stand, running_gate(stand) as gate:
        return measured(plan, stand, gate)


def measured(plan: Plan, stand: Stand, gate: Service) -> Result:
    """All rounds, on a stand that is there, if the peer is to be had."""
    if not shutil.which("node") or not shutil.which("npm"):
        return Result("peers", notes=["skipped: node and npm are not installed"])
    clients = min(_CLIENTS, plan.clients)
    mint, known, requests = run(make_requests(stand, clients))
    ours = {
        "introspection, cached": [introspect(client, mint.token(client)) for client in known],
        "token": requests.tokens,
    }
    try:
        with _peer(stand.stage.folder, clients) as peer:
            theirs = _requests(port_of(peer), clients)
            mine: dict[str, list[Load]] = {name: [] for name in ours}
            its: dict[str, list[Load]] = {name: [] for name in ours}
            for name in ours:  # warm both up, V8 above all
                apply(peer, theirs[name], plan.seconds)
                apply(gate, ours[name], plan.seconds / 2)
            for _ in range(plan.rounds):
                for name in ours:
                    its[name].append(apply(peer, theirs[name], plan.seconds))
                    mine[name].append(apply(gate, ours[name], plan.seconds))
    except subprocess.SubprocessError as error:
        return Result("peers", notes=[f"skipped: {PEER} could not be installed: {error}"])
    targets = {"introspection, cached": Target(">=", 1.3)}
    figures = []
    for name in ours:
        values, beside = [one.per_cpu_second for one in mine[name]], [one.per_cpu_second for one in its[name]]
        figures.append(Figure(name, "/s and core", values, beside, "oidc-provider", targets.get(name)))
        clocks = [one.per_second for one in mine[name]], [one.per_second for one in its[name]]
        figures.append(Figure(f"{name}, by the clock", "/s", clocks[0], clocks[1], "oidc-provider"))
    return Result("peers", figures, [], [f"{PEER}; its tokens are opaque, the gate's are signed (ES256)"])


@contextmanager
def _peer(folder: Path, clients: int) -> Iterator[Service]:
    home = folder / "peer"
    home.mkdir()
    (home / "package.json").write_text('{"private": true, "type": "module"}')
    shutil.copy(_SCRIPT, home)
    install = ["npm", "install", "--no-audit", "--no-fund", "--silent", PEER]
    subprocess.run(install, cwd=home, check=True, timeout=_INSTALL_SECONDS, capture_output=True)
    port = free_port()
    ready = f"http://127.0.0.1:{port}/.well-known/openid-configuration"
    command = ["node", str(home / _SCRIPT.name), str(port), str(clients)]
    peer = Service(
        "oidc-provider", command, folder / "peer.log", ready_url=ready, environment={"NODE_ENV": "production"}
    )
    peer.start()
    try:
        yield peer
    finally:
        peer.stop()


def _requests(port: int, clients: int) -> dict[str, list[bytes]]:
    names = [(f"client-{number}", f"secret-{number}-{'s' * 32}") for number in range(clients)]
    asks = [post("/token", *name, {"grant_type": "client_credentials", "scope": "orders.read"}) for name in names]
    introspections = []
    for name, ask in zip(names, asks, strict=True):
        head, _, body = ask.partition(b"\r\n\r\n")
        headers = dict(re.findall(r"(?m)^([\w-]+): (.*)\r$", head.decode() + "\r\n"))
        headers.pop("Content-Length")
        answer = request("POST", f"http://127.0.0.1:{port}/token", headers=headers, body=body)
        if answer.status != 200:
            raise RuntimeError(f"the peer answered {answer.status}: {answer.body!r}")
        fields = {"token": str(answer.json()["access_token"])}
        introspections.append(post("/token/introspection", *name, fields))
    return {"introspection, cached": introspections, "token": asks}
