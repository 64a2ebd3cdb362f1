"""The floors at the API server: bare aiohttp and orjson, nothing else, sending what any program would have to send.

Writes: for each object a Secret is created and a status written, with the very contents that the operator wrote for
another object a moment ago (``Sample``), on objects that exist already, 32 in flight. Reads: all pages of all lists.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import aiohttp
import orjson

from apiclients.kube.client import NAMESPACES, SECRETS, JsonObject, KubeClient, ResourceType
from apiclients.kube.kinds import ALL_KINDS, API_CLIENTS
from apiclients.resources.names import MANAGED_SELECTOR
from bench.population import IN_FLIGHT, client_body, connected, in_flight

NAMESPACE = "floor"
MERGE = {"Content-Type": "application/merge-patch+json"}
_JSON = {"Content-Type": "application/json"}
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Sample:
    """What the operator wrote for one client."""

    secret: JsonObject
    status: JsonObject


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds for one object, or for one whole list: by the clock, and of this process' CPU."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Bare:
    """A bare HTTP session with one API server."""

    session: aiohttp.ClientSession
    server: str

    async def send(self, method: str, path: str, body: JsonObject, headers: dict[str, str]) -> JsonObject:
        """One write. Raises aiohttp.ClientError."""
        async with self.session.request(method, self.server + path, data=orjson.dumps(body), headers=headers) as answer:
            raw = await answer.read()
            answer.raise_for_status()
            decoded: JsonObject = orjson.loads(raw)
            return decoded

    async def list(self, path: str) -> int:
        """All pages of one list, decoded; returns how many objects there are."""
        found, token = 0, ""
        while True:
            more = f"&continue={token}" if token else ""
            async with self.session.get(f"{self.server}{path}limit={_PAGE}{more}") as answer:
                page = orjson.loads(await answer.read())
            found += len(page["items"])
            token = page["metadata"].get("continue", "")
            if not token:
                return found


@asynccontextmanager
async def bare(kubeconfig: Path) -> AsyncIterator[Bare]:
    """A session with the TLS settings of a kubeconfig."""
    async with connected(kubeconfig) as kube, kube.new_session(IN_FLIGHT) as session:
        yield Bare(session, kube.server)


async def take_sample(kube: KubeClient, namespace: str, name: str) -> Sample:
    """What the operator wrote for a client that is done."""
    client = await kube.get(API_CLIENTS, namespace, name)
    secret = await kube.get(SECRETS, namespace, f"{name}-credentials")
    return Sample(secret, client["status"])


async def write_floor(kubeconfig: Path, sample: Sample, count: int, method: str) -> Cost:
    """Seconds for each object: create a Secret, write a status by ``PATCH`` (merge) or ``PUT``."""
    async with connected(kubeconfig) as kube, bare(kubeconfig) as http:
        made: list[JsonObject] = []

        async def prepare(number: int) -> None:
            made.append(await kube.create(API_CLIENTS, NAMESPACE, client_body(f"floor-{number:06}", NAMESPACE)))

        await in_flight(range(count), prepare)

        async def write(client: JsonObject) -> None:
            name = client["metadata"]["name"]
            secret = _secret(sample, client)
            await http.send("POST", SECRETS.path(NAMESPACE), secret, _JSON)
            path = API_CLIENTS.path(NAMESPACE, name, "status")
            if method == "PUT":
                await http.send("PUT", path, client | {"status": sample.status}, _JSON)
            else:
                await http.send("PATCH", path, {"status": sample.status}, MERGE)

        cpu, started = time.process_time(), time.perf_counter()
        await in_flight(made, write)
        cost = Cost((time.perf_counter() - started) / count, (time.process_time() - cpu) / count)
        await _clean(http)
        return cost


def _secret(sample: Sample, client: JsonObject) -> JsonObject:
    secret = deepcopy(sample.secret)
    meta = secret["metadata"]
    name, uid = client["metadata"]["name"], client["metadata"]["uid"]
    owner = {**meta["ownerReferences"][0], "name": name, "uid": uid}
    secret["metadata"] = {
        "name": f"{name}-credentials",
        "namespace": NAMESPACE,
        "labels": meta.get("labels", {}),
        "annotations": meta.get("annotations", {}),
        "ownerReferences": [owner],
    }
    return secret


async def _clean(http: Bare) -> None:
    """Nothing of it may be there when the operator starts."""
    for resource in (API_CLIENTS, SECRETS):
        async with http.session.delete(http.server + resource.path(NAMESPACE)) as answer:
            await answer.read()
            answer.raise_for_status()
    lists = [f"{resource.path(NAMESPACE)}?" for resource in (API_CLIENTS, SECRETS)]
    while await http.list(lists[0]) + await http.list(lists[1]):  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.2)


async def list_floor(kubeconfig: Path, *, as_gate: bool = False) -> Cost:
    """Seconds to list everything that the operator, or a gate, watches, in pages, one list after another.

    Pages are decoded and dropped.
    """
    paths = [f"{resource.path()}?" for resource in ALL_KINDS] if as_gate else _watched(ALL_KINDS)
    async with bare(kubeconfig) as http:
        cpu, started = time.process_time(), time.perf_counter()
        for path in paths:
            await http.list(path)
        return Cost(time.perf_counter() - started, time.process_time() - cpu)


def _watched(kinds: Sequence[ResourceType]) -> list[str]:
    lists = [f"{resource.path()}?" for resource in (*kinds, NAMESPACES)]
    return [*lists, f"{SECRETS.path()}?labelSelector={quote(MANAGED_SELECTOR)}&"]
