"""A cluster with the whole product on it, each program behind a proxy of its own."""

import contextlib
import dataclasses
import http.client
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cluster import LocalCluster
from demo.calls import Answer, Credentials, ask_token, call, request
from demo.service import Service
from demo.stage import Stage
from tests.faults.prober import Prober, Promise
from tests.toolkit import objects
from tests.toolkit.admin import Admin
from tests.toolkit.objects import SYSTEM, JsonObject
from tests.toolkit.product import metrics, read_credentials, staged
from tests.toolkit.proxy import FaultProxy
from tests.toolkit.waiting import PATIENCE, eventually

#: The bounds that the gates are told, in seconds: short, so that stories are.
PROOF_INTERVAL = 0.5
MAX_STALENESS = 4.0
RELIST_INTERVAL = 2.0
#: Objects in use that a gate reads again, a second.
VERIFY_RATE = 20.0
#: Without a list for three relist intervals a gate answers 503: so long may a lost deletion go unnoticed.
RELIST_BOUND = 3 * RELIST_INTERVAL
GATE_OPTIONS = (
    f"--proof-interval={PROOF_INTERVAL}",
    f"--max-staleness={MAX_STALENESS}",
    f"--relist-interval={RELIST_INTERVAL}",
    f"--verify-rate={VERIFY_RATE}",
)


#: The bound of a proof is kept by refusing; that of verification by reading in time, and a busy machine may be late.
_BUSY_SECONDS = 4.0


def verified_within(in_use: int) -> float:
    """The stated bound in seconds for a change of what a yes rests on, if gates rely on so many objects."""
    return max(MAX_STALENESS, in_use / VERIFY_RATE) + _BUSY_SECONDS


@dataclass
class Gate:
    """A gate and the proxy through which it sees the API server."""

    service: Service
    proxy: FaultProxy

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self.service.ready_url
        return self.service.ready_url.removesuffix("/readyz")

    def check(self, token: str, path: str = "/check") -> int:
        """What it answers to a token."""
        return call(self.url + path, token).status

    def ask(self, credentials: Credentials) -> Answer:
        """Ask it for a token once."""
        return ask_token(dataclasses.replace(credentials, token_endpoint=f"{self.url}/token"))

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        return metric(self.service, f"apiclient_gate_{name}")

    def lost_events(self, where: str) -> float:
        """How many changes it says were lost there."""
        lost = {key: count for key, count in metrics(self.service).items() if "_lost_events_total{" in key}
        return sum(count for key, count in lost.items() if f'where="{where}"' in key)


class Supervisor:
    """Starts again what ends by itself or is killed, as a Deployment does."""

    def __init__(self, services: list[Service]) -> None:
        self._wanted = list(services)
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep_running, daemon=True)
        #: How often it had to.
        self.restarts = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join(PATIENCE)

    def scale_down(self, service: Service) -> None:
        """Stop it, and leave it stopped."""
        with self._lock:
            self._wanted.remove(service)
        service.stop()

    def scale_up(self, service: Service) -> None:
        """Run it again."""
        with self._lock:
            if service not in self._wanted:
                self._wanted.append(service)

    def _keep_running(self) -> None:
        while not self._ending.wait(0.1):
            with self._lock:
                ended = [service for service in self._wanted if not service.running]
                for service in ended:
                    service.start(ready_within=None)
                    self.restarts += 1


@dataclass
class Arena:
    """All of it."""

    cluster: LocalCluster
    stage: Stage
    admin: Admin
    operator: Service
    operator_proxy: FaultProxy
    gates: list[Gate]
    prober: Prober
    supervisor: Supervisor
    namespaces: int = 0

    def ensure(self) -> None:
        """Heal everything, and have everything run."""
        for proxy in (self.operator_proxy, *(gate.proxy for gate in self.gates)):
            proxy.heal()
        for service in (self.operator, *(gate.service for gate in self.gates)):
            self.supervisor.scale_up(service)
        for service in (self.operator, *(gate.service for gate in self.gates)):
            self.until_ready(service)

    def until_ready(self, service: Service) -> None:
        """Wait for a program."""
        eventually(f"{service.name} is ready", lambda: service.running and service.is_ready())

    def team(self, prefix: str = "team") -> "Team":
        """A new namespace."""
        self.namespaces += 1
        name = f"{prefix}-{self.namespaces}"
        self.admin.apply_namespace(name, {})
        return Team(self, name)

    def verdicts(self, token: str, path: str = "/check") -> set[int]:
        """What the gates answer."""
        return {self._verdict(gate, token, path) for gate in self.gates}

    def _verdict(self, gate: Gate, token: str, path: str) -> int:
        """A gate that is not there is as good as one that says 503."""
        try:
            return gate.check(token, path)
        except (OSError, http.client.HTTPException):
            return 503

    def until_verified(self) -> None:
        """Wait until gates have read again all that answers have rested on: what is in use makes their bound longer."""
        eventually("nothing is to be verified", lambda: not any(g.metric("objects_to_verify") for g in self.gates))

    def until(self, status: int, token: str, path: str = "/check") -> None:
        """Wait until all gates give this answer."""
        eventually(f"all gates answer {status} at {path}", lambda: self.verdicts(token, path) == {status})

    @contextmanager
    def another_gate(self, folder: Path, *options: str) -> Iterator[Gate]:
        """One more gate, with these options besides, that nobody probes and nobody starts again."""
        with FaultProxy(self.cluster) as proxy:
            kubeconfig = _kubeconfig(self.stage, "apiclient-gate", proxy, folder / "kubeconfig")
            number = len(self.stage.services)
            service = self.stage.gate(number, kubeconfig=kubeconfig, options=[*GATE_OPTIONS, *options])
            service.start(ready_within=None)
            self.until_ready(service)
            yield Gate(service, proxy)
            service.stop()

    @contextmanager
    def promise(self, what: str, token: str, path: str = "/check") -> Iterator[Promise]:
        """A token that all gates accept now; they have to until the promise says otherwise."""
        self.until(200, token, path)
        with self.prober.watching(what, token, path) as promise:
            promise.accept()
            yield promise
            assert promise.seen, "nobody was asked"


@dataclass
class Team:
    """A namespace, and who works in it."""

    arena: Arena
    namespace: str

    @property
    def admin(self) -> Admin:
        """Who applies for them."""
        return self.arena.admin

    def client(self, name: str, desired: str = "Available", **spec: Any) -> JsonObject:
        """Apply a client, not waiting for anything."""
        metadata = spec.pop("metadata", {})
        return self.admin.apply("apiclients", self.namespace, name, {"desiredStatus": desired, **spec}, **metadata)

    def declare(self, name: str, **spec: Any) -> JsonObject:
        """Apply a client and wait until it is Available."""
        self.client(name, **spec)
        return self.observed(name, "Available")

    def observed(self, name: str, status: str) -> JsonObject:
        """Wait until the operator has handled the latest spec of a client and has observed this."""

        def probe() -> JsonObject | None:
            obj = self.admin.get("apiclients", self.namespace, name)
            handled = obj["status"]["observedGeneration"] == obj["metadata"]["generation"]
            return obj if handled and obj["status"].get("observedStatus") == status else None

        return eventually(f"{self.namespace}/{name} is {status}", probe)

    def desire(self, name: str, desired: str) -> JsonObject:
        """Change what is desired, as an edit in Git does."""
        return self.admin.patch("apiclients", self.namespace, name, {"spec": {"desiredStatus": desired}})

    def credentials(self, name: str) -> Credentials:
        """What the program of a client finds in its Secret."""
        return read_credentials(self.admin.get("secrets", self.namespace, f"{name}-credentials"))

    def token(self, name: str) -> str:
        """A token, as soon as the first gate knows the secret."""
        credentials = self.credentials(name)

        def probe() -> Answer | None:
            answer = self.arena.gates[0].ask(credentials)
            return answer if answer.status == 200 else None

        return str(eventually(f"{name} gets a token", probe).json()["access_token"])

    def api(self, name: str, *plans: JsonObject, **spec: Any) -> str:
        """Apply an Api that everybody may contract; returns the path at which gates are asked about it."""
        self.admin.apply_object("apis", objects.api(name, *plans, namespace=self.namespace, **spec))
        return f"/authz/{self.namespace}/{name}"

    def contract(self, name: str, client: str, api: tuple[str, str], plan: str = "basic") -> None:
        """Apply a contract, not waiting for anything."""
        self.admin.apply_object("contracts", objects.contract(name, client, api, plan, namespace=self.namespace))

    def active(self, contract: str) -> JsonObject:
        """Wait until a contract is active."""

        def probe() -> JsonObject | None:
            obj = self.admin.get("contracts", self.namespace, contract)
            return obj if obj.get("status", {}).get("observedStatus") == "Active" else None

        return eventually(f"{contract} is active", probe)

    def approve(self, name: str, contract: tuple[str, str], client: str, api: str, plan: str) -> None:
        """Apply an approval, in the namespace of the Api, which is this one."""
        made = objects.approval(name, contract, client, (self.namespace, api), plan)
        self.admin.apply_object("contractapprovals", made)

    def hold(self, name: str, client: str, **spec: Any) -> None:
        """Stop a client."""
        self.admin.apply_object("apiclientholds", objects.hold(name, client, namespace=self.namespace, **spec))

    def revoke(self, client: str, fingerprint: str) -> None:
        """Have a token of a client revoked, as a gate does that nobody probes."""
        owner = self.admin.get("apiclients", self.namespace, client)
        self.admin.create("tokenrevocations", SYSTEM, objects.revocation(fingerprint, owner, in_seconds(3600)))

    def contracted(self, shop: "Team") -> str:
        """A client ``billing`` with an approved contract for ``orders`` of the shop; returns the path to ask at."""
        self.declare("billing", retirement={"acknowledgedContracts": ["billing-orders"]})
        manual = {"name": "basic", "approval": "Manual"}
        path = shop.api("orders", manual, retirement={"acknowledgedContractCount": 1})
        self.contract("billing-orders", "billing", (shop.namespace, "orders"))
        shop.approve("billing", (self.namespace, "billing-orders"), "billing", "orders", "basic")
        self.active("billing-orders")
        eventually("a token for the API", lambda: self.arena.gates[0].check(self.token("billing"), path) == 200)
        return path

    def gone(self, plural: str, name: str) -> None:
        """Wait until an object is no more."""
        eventually(f"{plural}/{name} is gone", lambda: self.admin.find(plural, self.namespace, name) is None)


@contextmanager
def open_arena(folder: Path, *, leader_election: bool = False) -> Iterator[Arena]:
    """A cluster of its own, with everything running.

    Without a Lease an operator that was killed is succeeded at once, not when its Lease has run out.
    """
    with ExitStack() as stack:
        stage = stack.enter_context(staged(folder))
        cluster = stage.cluster
        assert isinstance(cluster, LocalCluster)
        proxies = [stack.enter_context(FaultProxy(cluster)) for _ in range(3)]
        operator_proxy, *gate_proxies = proxies
        operator = stage.operator(
            kubeconfig=_kubeconfig(stage, "apiclient-operator", operator_proxy, folder / "operator.yaml"),
            options=[] if leader_election else ["--no-leader-election"],
        )
        gates = []
        for number, proxy in enumerate(gate_proxies):
            kubeconfig = _kubeconfig(stage, "apiclient-gate", proxy, folder / f"gate-{number}.yaml")
            gates.append(Gate(stage.gate(number, kubeconfig=kubeconfig, options=GATE_OPTIONS), proxy))
        prober = Prober([gate.url for gate in gates])
        supervisor = stack.enter_context(Supervisor([operator, *(gate.service for gate in gates)]))
        arena = Arena(cluster, stage, Admin(cluster), operator, operator_proxy, gates, prober, supervisor)
        arena.ensure()
        stack.enter_context(prober)
        yield arena


def in_seconds(seconds: float) -> datetime:
    """A moment of the near future."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


def metric(service: Service, name: str) -> float:
    """The sum of a metric of a program over its labels."""
    assert service.ready_url
    text = request("GET", service.ready_url.removesuffix("/readyz") + "/metrics").body.decode()
    lines = [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def resident_bytes(pid: int) -> int:
    """How much memory a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


def descriptors(pid: int) -> int:
    """How many files and sockets a process has open."""
    with contextlib.suppress(OSError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0


def _kubeconfig(stage: Stage, account: str, proxy: FaultProxy, path: Path) -> Path:
    token = stage.account(account)
    return proxy.kubeconfig(path, token.with_name(token.name + ".token"))
