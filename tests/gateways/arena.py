"""All gateways before one API and two gates, each gateway a process."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.programs import free_port
from demo.service import Service
from demo.stage import ROOT
from examples.gateways.render import GATEWAYS, Gateway, Places
from tests.gateways.caller import Caller
from tests.toolkit.objects import JsonObject
from tests.toolkit.product import Client, Product, Team, product_on, staged, url
from tests.toolkit.waiting import eventually

API = "orders"
PLAN = "gold"
#: Of which limiters let few calls pass.
SMALL_PLAN = "small"
SMALL_LIMIT = 5


@dataclass(frozen=True)
class Running:
    """A gateway that listens."""

    name: str
    port: int
    service: Service
    folder: Path

    def caller(self, token: str | None = None) -> Caller:
        """A caller of it that has not connected yet."""
        return Caller(self.port, token)


@dataclass
class Arena:
    """Everything, and who calls."""

    product: Product
    team: Team
    backend: str
    gateways: Mapping[str, Running]
    #: Has a contract.
    billing: Client
    #: Has none.
    stranger: Client
    token: str
    strangers_token: str

    def at_gates(self, token: str) -> set[int]:
        """What the gates that run answer to a token, asked directly."""
        asked = [Caller(int(url(gate).rpartition(":")[2]), token) for gate in self.product.gates if gate.running]
        answers = set()
        for caller in asked:
            with caller:
                answers.add(caller.call(f"/authz/{self.team.namespace}/{API}").status)
        return answers

    def until_gates_say(self, status: int) -> None:
        """Wait until all gates that run answer so to the token."""
        eventually(f"the gates say {status}", lambda: self.at_gates(self.token) == {status}, pause=0.001)

    def until_passes(self) -> None:
        """Wait until all runs, and every gateway lets the good token pass ten times over: no gate is left out."""
        self.product.ensure()
        self.until_gates_say(200)
        for gateway in self.gateways.values():
            with gateway.caller(self.token) as caller:
                eventually(f"{gateway.name} passes", lambda: all(caller.call().status == 200 for _ in range(10)))


def api(namespace: str, **spec: object) -> JsonObject:
    """The Api with its plans."""
    plans = [
        {"name": PLAN, "scopes": ["orders.read"], "rateLimit": {"requests": 6000, "window": "60s"}},
        {"name": SMALL_PLAN, "scopes": ["orders.read"], "rateLimit": {"requests": SMALL_LIMIT, "window": "60s"}},
    ]
    return {
        "apiVersion": "apiclients.dev/v1alpha1",
        "kind": "Api",
        "metadata": {"name": API, "namespace": namespace},
        "spec": {"desiredStatus": "Published", "version": "1", "plans": plans, **spec},
    }


def contract(namespace: str, client: str, plan: str = PLAN) -> JsonObject:
    """A contract of a client with the Api."""
    return {
        "apiVersion": "apiclients.dev/v1alpha1",
        "kind": "Contract",
        "metadata": {"name": f"{client}-{API}", "namespace": namespace},
        "spec": {"clientName": client, "api": {"namespace": namespace, "name": API}, "plan": plan},
    }


@contextmanager
def opened(folder: Path) -> Iterator[Arena]:
    """All of it, on a cluster of its own."""
    with staged(folder) as stage, ExitStack() as stack:
        product = product_on(stage)
        product.ensure()
        stage.cluster.kubectl("create", "namespace", "shop")
        team = Team(product, "shop")
        clients = team.client("billing"), team.client("stranger")
        team.apply(*clients)
        for obj in (api("shop"), contract("shop", "billing")):
            product.admin.create("apis" if obj["kind"] == "Api" else "contracts", "shop", obj)
        for client in clients:
            client.until_observed("Available")
        until_active(product, "billing-orders")
        backend = stack.enter_context(running_backend(folder))
        gateways = {
            gateway.name: stack.enter_context(running(gateway, folder, product, backend)) for gateway in GATEWAYS
        }
        token, strangers = (client.token() for client in clients)
        arena = Arena(product, team, backend, gateways, *clients, token, strangers)
        arena.until_passes()
        yield arena


def until_active(product: Product, name: str) -> None:
    """Wait until a contract is in force."""
    eventually(
        f"{name} is Active",
        lambda: product.admin.get("contracts", "shop", name).get("status", {}).get("observedStatus") == "Active",
    )


@contextmanager
def running_backend(folder: Path) -> Iterator[str]:
    """The API as a process; its ``host:port``."""
    port = free_port()
    service = Service(
        "backend",
        [sys.executable, "-m", "tests.gateways.backend", str(port)],
        folder / "backend.log",
        ready_url=f"http://127.0.0.1:{port}/healthz",
        environment={"PYTHONPATH": str(ROOT)},
    )
    try:
        service.start()
        yield f"127.0.0.1:{port}"
    finally:
        service.stop()


@contextmanager
def running(
    gateway: Gateway, folder: Path, product: Product, upstream: str, *, edit: tuple[str, str] = ("", "")
) -> Iterator[Running]:
    """A gateway as a process, with the templates as they are, but for one text that is put in another's place."""
    gates = [url(gate).removeprefix("http://") for gate in product.gates]
    with started(gateway, folder, gates, upstream, edit=edit) as found:
        yield found


@contextmanager
def started(
    gateway: Gateway,
    folder: Path,
    gates: Sequence[str],
    upstream: str,
    *,
    store: str = "",
    edit: tuple[str, str] = ("", ""),
) -> Iterator[Running]:
    """A gateway or a limiter as a process that listens."""
    port = free_port()
    own = folder / f"{gateway.name}-{port}"
    own.mkdir(parents=True)
    inner = f"127.0.0.1:{free_port()}"
    gateway.write(Places(f"127.0.0.1:{port}", gates, upstream, own, ("shop", API), inner, store))
    if edit[0]:
        _edit(own, *edit)
    service = Service(gateway.name, gateway.command(own), folder / f"{gateway.name}-{port}.log")
    found = Running(gateway.name, port, service, own)
    try:
        service.start(ready_within=None)
        eventually(f"{gateway.name} listens", lambda: _listens(found))
        yield found
    finally:
        service.stop()


def _edit(folder: Path, before: str, after: str) -> None:
    """Put a text in another's place, wherever that stands."""
    files = [path for path in folder.iterdir() if before in path.read_text()]
    assert files, before
    for path in files:
        path.write_text(path.read_text().replace(before, after))


def _listens(gateway: Running) -> bool:
    assert gateway.service.running, gateway.service.tail()
    try:
        with gateway.caller() as caller:
            # Traefik listens before it knows its routes.
            return caller.call().status != 404
    except OSError:
        return False
