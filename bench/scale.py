"""What 100,000 clients and as many contracts need: of a gate, of the API server, and of etcd.

Method. A few clients and contracts are reconciled by the operator, which is then stopped. Each of them is copied
under new names, UIDs and client IDs, straight into etcd (``cluster.stored``), where the API server finds the copies as
if they had always been there: to write so many, an operator would need most of an hour. etcd's size and the API
server's memory are read before and after. Then gates are started; a bare list of the same pages (``bench.floors``)
alternates with them. A watch event is the line that a suspension of one client sends to each watch.
"""

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from apiclients.kube.client import JsonObject, KubeClient, ResourceType
from apiclients.kube.kinds import API_CLIENTS, CONTRACTS
from apiclients.resources.names import GROUP
from bench import machine
from bench.floors import MERGE, Cost, bare
from bench.memory import start
from bench.population import TEAM, Population, client_name, connected
from bench.report import Figure, Result
from bench.stand import Plan, Stand, open_populated, run
from cluster.stored import size_in_use, store

_FEW = 20
#: How many times the size of the other benchmarks.
_TIMES = 10
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Stored:
    """What the objects take: bytes of one as JSON, of all in etcd, and MiB of the API server."""

    client_bytes: int
    contract_bytes: int
    etcd: float
    api_server: float


def measure(plan: Plan) -> Result:
    """On a stand of its own, with ten times as many clients as elsewhere."""
    count = _TIMES * plan.clients
    few = Population(_FEW, _FEW)
    with open_populated(few) as stand:
        stand.operator.stop()
        stored = _fill(stand, few, count)
        event = run(_event_bytes(stand))
        floors, starts = [], []
        for _ in range(plan.rounds):
            floors.append(run(_bare_list(stand)))
            starts.append(start(stand))
    if {one.clients for one in starts} != {count}:
        raise RuntimeError(f"the gates know {[one.clients for one in starts]} clients, not {count}")
    figures = [
        Figure("gate, start to ready", "s", [one.seconds for one in starts], [one.wall for one in floors], "s list"),
        Figure("gate, CPU until ready", "s", [one.cpu for one in starts], [one.cpu for one in floors], "s CPU, bare"),
        Figure("gate, peak memory when ready", "MiB", [one.mib for one in starts]),
        Figure("one client, as JSON", "bytes", [stored.client_bytes]),
        Figure("one contract, as JSON", "bytes", [stored.contract_bytes]),
        Figure("event of a suspension, to each watch", "bytes", [event]),
        Figure("all of them in etcd", "MiB", [stored.etcd]),
        Figure("API server, memory more than before", "MiB", [stored.api_server]),
    ]  # fmt: skip
    return Result("scale", figures, [], [f"{count:,} clients and as many contracts, copied into etcd"])


def _fill(stand: Stand, few: Population, count: int) -> Stored:
    """Copy what is there until there are so many, and wait until the API server has all of it."""
    clients, contracts = run(_templates(stand))
    etcd, memory = size_in_use(stand.cluster), _api_server_mib(stand)
    store(stand.cluster, f"{GROUP}/{API_CLIENTS.plural}", _copies(clients, few.clients, count))
    store(stand.cluster, f"{GROUP}/{CONTRACTS.plural}", _copies(contracts, few.contracts, count))
    run(_until_listed(stand, count))
    return Stored(
        client_bytes=len(orjson.dumps(clients[0].obj)),
        contract_bytes=len(orjson.dumps(contracts[0].obj)),
        etcd=(size_in_use(stand.cluster) - etcd) / _MIB,
        api_server=_api_server_mib(stand) - memory,
    )


@dataclass(frozen=True, slots=True)
class Template:
    """An object to copy, and the texts in it that each copy has of its own: numbered names, and identities."""

    obj: JsonObject
    names: tuple[str, ...]
    identities: tuple[str, ...]

    def copy(self, number: int) -> JsonObject:
        """One copy; the same number gives clients and contracts the same names."""
        text = orjson.dumps(self.obj).decode()
        for name in self.names:
            text = text.replace(name, f"{name.rpartition('-')[0]}-{number:06}")
        for identity in self.identities:
            text = text.replace(identity, str(uuid.uuid4()))
        copied: JsonObject = orjson.loads(text)
        return copied


async def _templates(stand: Stand) -> tuple[list[Template], list[Template]]:
    """All clients and contracts of the stand."""
    async with connected(stand.kubeconfig) as kube:
        clients = [
            Template(_stored(one), (one["metadata"]["name"],), _identities(one))
            for one in await _all(kube, API_CLIENTS)
        ]
        contracts = [
            Template(_stored(one), (one["metadata"]["name"], one["spec"]["clientName"]), _identities(one))
            for one in await _all(kube, CONTRACTS)
        ]
        return clients, contracts


async def _all(kube: KubeClient, resource: ResourceType) -> list[JsonObject]:
    return [item async for page in kube.pages(resource, TEAM) for item in page.items]


def _stored(obj: JsonObject) -> JsonObject:
    """As etcd holds it: the version is the store's own."""
    meta = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    return {**obj, "metadata": meta}


def _identities(obj: JsonObject) -> tuple[str, ...]:
    client_id: Any = (obj.get("status") or {}).get("clientID")
    return tuple(one for one in (obj["metadata"]["uid"], client_id) if one)


def _copies(templates: Sequence[Template], known: int, count: int) -> Iterator[JsonObject]:
    return (templates[number % len(templates)].copy(number) for number in range(known, count))


async def _until_listed(stand: Stand, count: int) -> None:
    """Raises RuntimeError where the API server does not list them all."""
    async with bare(stand.kubeconfig) as http:
        found = [await http.list(f"{resource.path()}?") for resource in (API_CLIENTS, CONTRACTS)]
    if found != [count, count]:
        raise RuntimeError(f"the API server lists {found} clients and contracts, not {count} of each")


async def _bare_list(stand: Stand) -> Cost:
    """All pages of both kinds, decoded and dropped."""
    async with bare(stand.kubeconfig) as http:
        cpu, started = time.process_time(), time.perf_counter()
        for resource in (API_CLIENTS, CONTRACTS):
            await http.list(f"{resource.path()}?")
        return Cost(time.perf_counter() - started, time.process_time() - cpu)


async def _event_bytes(stand: Stand) -> int:
    """The bytes of the line that says to a watch that one client is to be suspended."""
    name = client_name(0)
    async with connected(stand.kubeconfig) as kube, bare(stand.kubeconfig) as http:
        version = (await kube.get(API_CLIENTS, TEAM, name))["metadata"]["resourceVersion"]
        query = f"watch=true&resourceVersion={version}&fieldSelector=metadata.name={name}&timeoutSeconds=60"
        async with http.session.get(f"{http.server}{API_CLIENTS.path(TEAM)}?{query}") as stream:
            suspended = {"spec": {"desiredStatus": "Suspended"}}
            await http.send("PATCH", API_CLIENTS.path(TEAM, name), suspended, MERGE)
            return len(await stream.content.readline())


def _api_server_mib(stand: Stand) -> float:
    pid = stand.cluster.api_server_pid
    assert pid is not None
    return machine.resident_mib(pid)
