"""The objects of the benchmarks: a team of clients, and a provider with Apis that they have contracts with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from apiclients.kube.client import NAMESPACES, JsonObject, KubeClient
from apiclients.kube.kinds import API_CLIENTS, APIS, CONTRACTS

T = TypeVar("T")

TEAM = "team-a"
PROVIDER = "shop"
APIS_OF_PROVIDER = 10
#: How many requests of a loader are in flight; more gain nothing but latency.
IN_FLIGHT = 32


@dataclass(frozen=True, slots=True)
class Population:
    """So many clients in one namespace; contracts go round over clients and Apis, no client twice for one Api."""

    clients: int
    contracts: int = 0

    def client_names(self) -> Iterator[str]:
        """All clients."""
        return (client_name(number) for number in range(self.clients))

    def contract_bodies(self, known: int = 0) -> Iterator[JsonObject]:
        """All contracts but the first so many."""
        return (self.contract(number) for number in range(known, self.contracts))

    def contract(self, number: int) -> JsonObject:
        """One contract."""
        client, turn = number % self.clients, number // self.clients
        spec = {
            "clientName": client_name(client),
            "api": {"namespace": PROVIDER, "name": api_name(client + turn)},
            "plan": "basic",
        }
        return body(CONTRACTS.kind, TEAM, f"contract-{number:06}", spec)


def client_name(number: int) -> str:
    """The name of a client."""
    return f"client-{number:06}"


def api_name(number: int) -> str:
    """The name of an Api."""
    return f"api-{number % APIS_OF_PROVIDER}"


def body(kind: str, namespace: str, name: str, spec: JsonObject) -> JsonObject:
    """One object of the project's."""
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "apiclients.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}


def client_body(name: str, namespace: str = TEAM) -> JsonObject:
    """A client that says no more than it has to."""
    return body(API_CLIENTS.kind, namespace, name, {"desiredStatus": "Available"})


def api_body(name: str) -> JsonObject:
    """An Api that everybody may contract."""
    plan = {"name": "basic", "scopes": ["orders.read"], "rateLimit": {"requests": 600, "window": "1m"}}
    spec = {"desiredStatus": "Published", "version": "v1", "consumers": {"from": "All"}, "plans": [plan]}
    return body(APIS.kind, PROVIDER, name, spec)


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[KubeClient]:
    """A client of the API server for loaders."""
    client = await KubeClient.connect(
        kubeconfig=kubeconfig, user_agent="apiclient-bench/1", max_writes_in_flight=IN_FLIGHT
    )
    async with client:
        yield client


async def in_flight(tasks: Iterable[T], work: Callable[[T], Awaitable[Any]], most: int = IN_FLIGHT) -> None:
    """Work on all, so many at a time."""
    waiting = iter(tasks)

    async def worker() -> None:
        for task in waiting:
            await work(task)

    async with asyncio.TaskGroup() as group:
        for _ in range(most):
            group.create_task(worker())


async def create_namespaces(kube: KubeClient, *names: str) -> None:
    """Namespaces."""
    for name in names:
        await kube.create(NAMESPACES, None, {"metadata": {"name": name}})


async def create_clients(kube: KubeClient, population: Population, known: int = 0) -> None:
    """All clients but the first so many, which are there already."""
    names = islice(population.client_names(), known, None)
    await in_flight(names, lambda name: kube.create(API_CLIENTS, TEAM, client_body(name)))


async def create_contracts(kube: KubeClient, population: Population, known: int = 0) -> None:
    """All Apis and contracts; the first ``known`` contracts are there already, and so are the Apis."""
    names = [api_name(number) for number in range(APIS_OF_PROVIDER)] if not known else []
    await in_flight(names, lambda name: kube.create(APIS, PROVIDER, api_body(name)))
    await in_flight(population.contract_bodies(known), lambda one: kube.create(CONTRACTS, TEAM, one))
