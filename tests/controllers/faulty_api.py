"""An operator without a watch, and in the place of the API server one that refuses what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from apiclients.controllers.cluster import Cluster
from apiclients.controllers.keys import new_signing_key
from apiclients.controllers.metrics import OperatorMetrics
from apiclients.controllers.reconciler import Reconciler
from apiclients.controllers.secrets import SecretStore
from apiclients.controllers.steps import StepRunner
from apiclients.engine.observe import Observer
from apiclients.kube.errors import AlreadyExistsError, KubeError, NotFoundError
from apiclients.kube.objects import Page
from apiclients.lifecycle.observation import Issuer
from apiclients.resources.keys import Algorithm, KeyRing
from apiclients.resources.refs import ObjectRef
from tests.lifecycle.world import pepper
from tests.toolkit.objects import JsonObject

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
RING = KeyRing(signing_keys=(new_signing_key(Algorithm.ES256, NOW, NOW),), peppers=(pepper(1),))


@dataclass
class FaultyApi:
    """Stands for ``KubeClient``."""

    #: What each verb is refused with.
    refuses: dict[str, KubeError] = field(default_factory=dict)
    #: What a list of contracts shows, and what is stored under other names.
    contracts: list[JsonObject] = field(default_factory=list)
    stored: dict[str, JsonObject] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def pages(self, _resource: Any, _namespace: str | None, *, field_selector: str) -> AsyncIterator[Page]:
        self._ask(f"list {field_selector}")
        yield Page(list(self.contracts), "1")

    async def get(self, _resource: Any, _namespace: str, name: str) -> JsonObject:
        self._ask(f"get {name}")
        if name not in self.stored:
            raise NotFoundError(404, "NotFound", "")
        return self.stored[name]

    async def create(self, _resource: Any, _namespace: str, body: JsonObject, *, field_manager: str) -> JsonObject:
        self._ask(f"create {body['metadata']['name']}")
        if body["metadata"]["name"] in self.stored:
            raise AlreadyExistsError(409, "AlreadyExists", "")
        managed = [{"manager": field_manager, "operation": "Update"}]
        body["metadata"] |= {"uid": "secret-uid", "resourceVersion": "7", "managedFields": managed}
        self.stored[body["metadata"]["name"]] = body
        return body

    async def apply(self, _resource: Any, _namespace: str, name: str, body: JsonObject, *, field_manager: str) -> Any:
        self._ask(f"apply {name} for {field_manager}")
        raise AssertionError(f"nothing is told of what {name} is then")

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        refused = self.refuses.get(what.split()[0])
        if refused is not None:
            raise refused


class Operator:
    """Reconciles one object when it is told to, and keeps the statuses that it would write."""

    def __init__(self, *objects: JsonObject) -> None:
        self.api = FaultyApi()
        self.metrics = OperatorMetrics()
        self.written: dict[str, Any] = {}
        #: Cleared, a write waits.
        self.writes = asyncio.Event()
        self.writes.set()
        self.cluster = Cluster(lambda *_: None)
        for version, body in enumerate(objects, 1):
            body["metadata"]["resourceVersion"] = str(version)
            self.cluster.store(body["kind"]).put(body)
        kube: Any = self.api
        keys: Any = SimpleNamespace(ring=RING)
        issuer = Issuer("https://tokens.example.com")
        secrets = SecretStore(kube, (), self.cluster.relations.secrets, self.cluster.secret_changed)
        observer = Observer(
            relations=self.cluster.relations,
            secrets=secrets,
            issuer=issuer,
            peppers=lambda _: tuple(one.id for one in RING.peppers),
            namespace_labels=lambda _: {},
            clock_trusted=lambda: True,
        )
        steps = StepRunner(kube, self.cluster.clients, secrets, keys, self.metrics, issuer, observer.template_keys)
        writer: Any = self
        self._reconciler = Reconciler(self.cluster, observer, steps, writer, lambda: NOW)

    def edit(self, kind: str, name: str, namespace: str = "team-a", **spec: Any) -> None:
        """What the watch delivers of an edit."""
        store = self.cluster.store(kind)
        raw = store.raw((namespace, name))
        assert raw is not None
        raw["spec"] |= spec
        raw["metadata"]["generation"] += 1
        raw["metadata"]["resourceVersion"] += "0"
        store.put(raw)

    async def reconcile(self, kind: str, name: str, namespace: str = "team-a") -> bool:
        """Whether it is done; False asks for another try."""
        return (await self._reconciler.reconcile(ObjectRef(kind, namespace, name))).done

    async def write(self, store: Any, metadata: Any, before: Any, after: Any, _events: Any) -> bool:
        """Stands for ``StatusWriter.write``."""
        await self.writes.wait()
        if after != before:
            self.written[metadata.name] = after
            key = (metadata.namespace, metadata.name)
            raw = store.raw(key)
            raw["metadata"]["resourceVersion"] += "0"
            store.put(raw | {"status": after.to_object()}, own=True)
        return True

    def issued(self, cause: str) -> float:
        """How many secrets were issued for this cause, by the metric."""
        labels = {"cause": cause}
        return self.metrics.registry.get_sample_value("apiclient_operator_credentials_issued_total", labels) or 0.0

    def ready(self, name: str) -> str:
        """Ready of the status that was written, with its message."""
        condition = next(c for c in self.written[name].conditions if c.type == "Ready")
        return f"{condition.status}/{condition.reason}: {condition.message}"
