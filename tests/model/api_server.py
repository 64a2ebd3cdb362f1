"""An API server in memory, as far as histories need one, and the client that the operator's controllers talk to."""

from __future__ import annotations

import copy
import itertools
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apiclients.kube.client import SECRETS, KubeClient, ResourceType
from apiclients.kube.errors import AlreadyExistsError, ConflictError, NotFoundError
from apiclients.kube.kinds import ALL_KINDS
from apiclients.kube.objects import Page
from apiclients.resources.fields import format_time
from apiclients.resources.refs import NamespacedName
from tests.model.histories import Action

Object = dict[str, Any]
_FIRST = {"observedGeneration": -1}
PLURALS = {resource.kind: resource.plural for resource in ALL_KINDS}


@dataclass
class ApiServer:
    """Objects by plural, namespace and name. An object is never changed, only replaced."""

    now: datetime
    objects: dict[tuple[str, NamespacedName], Object] = field(default_factory=dict)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    #: Whether one of the gates that live lists no features.
    old_gate: bool = False
    #: What a watch delivers: ADDED and the like with the object, by plural.
    events: dict[str, deque[tuple[str, Object]]] = field(default_factory=dict)
    version: int = 100
    uids: Any = field(default_factory=lambda: itertools.count(1))

    def do(self, action: Action) -> None:
        """What a person or Git asks for."""
        if action.verb in ("age", "renew"):
            self.old_gate = action.verb == "age"
            self._tell("leases", "MODIFIED", {"metadata": {"name": "apiclient-gate-old"}})
        elif action.kind == "Namespace":
            self.namespaces[action.key[1]] = dict(action.labels)
            self._tell("namespaces", "MODIFIED", {"metadata": {"name": action.key[1]}})
        elif action.verb == "delete":
            self.delete(PLURALS[action.kind], action.key)
        else:
            self._apply(PLURALS[action.kind], action)

    def _apply(self, plural: str, action: Action) -> None:
        known = self.objects.get((plural, action.key))
        labels = dict(action.labels)
        if known is None:
            self.store(plural, self._born({"metadata": {"labels": labels}, "spec": action.spec}, action.key))
            return
        meta = known["metadata"]
        if (known["spec"], meta["labels"]) == (action.spec, labels):
            return
        generation = meta["generation"] + (known["spec"] != action.spec)
        self.store(
            plural, known | {"spec": action.spec, "metadata": meta | {"labels": labels, "generation": generation}}
        )

    def _born(self, obj: Object, key: NamespacedName) -> Object:
        uid = f"{next(self.uids):08}-{key[1]}"
        meta = {"namespace": key[0], "name": key[1], "uid": uid, "generation": 1}
        return obj | {
            "metadata": obj["metadata"] | meta | {"creationTimestamp": format_time(self.now)},
            "status": _FIRST,
        }

    def create(self, plural: str, obj: Object) -> Object:
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        if (plural, key) in self.objects:
            raise AlreadyExistsError(409, "AlreadyExists", "")
        return self.store(plural, self._born(obj, key))

    def store(self, plural: str, obj: Object) -> Object:
        self.version += 1
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        event = "MODIFIED" if (plural, key) in self.objects else "ADDED"
        stored = obj | {"metadata": obj["metadata"] | {"resourceVersion": str(self.version)}}
        self.objects[plural, key] = stored
        self._tell(plural, event, stored)
        return stored

    def delete(self, plural: str, key: NamespacedName) -> None:
        gone = self.objects.pop((plural, key), None)
        if gone is None:
            return
        self.version += 1
        self._tell(plural, "DELETED", gone)
        for owned in [name for name, obj in self.objects.items() if _owner(obj) == gone["metadata"]["uid"]]:
            del self.objects[owned]

    def get(self, plural: str, key: NamespacedName) -> Object:
        found = self.objects.get((plural, key))
        if found is None:
            raise NotFoundError(404, "NotFound", f"{plural} {key}")
        return found

    def list(self, plural: str) -> list[Object]:
        return [obj for (kind, _), obj in self.objects.items() if kind == plural]

    def _tell(self, plural: str, event: str, obj: Object) -> None:
        self.events.setdefault(plural, deque()).append((event, obj))


def _owner(obj: Object) -> str:
    owners = obj["metadata"].get("ownerReferences") or [{}]
    return str(owners[0].get("uid", ""))


class Clock:
    """The operator's clock is right in histories; tables test the others."""

    def trusted(self, limit: float = 30.0) -> bool:
        return True


class Kube(KubeClient):
    """Answers at once from memory, so that a coroutine that uses it never really waits."""

    def __init__(self, server: ApiServer) -> None:
        self._api = server
        self.clock = Clock()  # type: ignore[assignment]

    async def get(self, resource: ResourceType, namespace: str | None, name: str, **_: Any) -> Object:
        return self._api.get(resource.plural, (namespace or "", name))

    async def pages(
        self,
        resource: ResourceType,
        namespace: str | None = None,
        *,
        field_selector: str | None = None,
        **_: Any,
    ) -> AsyncGenerator[Page]:
        wanted = [part.split("=") for part in (field_selector or "").split(",") if part]
        found = [
            obj
            for obj in self._api.list(resource.plural)
            if namespace in (None, obj["metadata"]["namespace"])
            and all(_field(obj, path) == value for path, value in wanted)
        ]
        for start in range(0, max(1, len(found)), 2):
            yield Page(found[start : start + 2], str(self._api.version))

    async def replace_status(
        self, resource: ResourceType, namespace: str | None, name: str, body: Object, **_: Any
    ) -> Object:
        known = self._api.get(resource.plural, (namespace or "", name))
        sent, stored = body["metadata"], known["metadata"]
        if (sent["uid"], sent["resourceVersion"]) != (stored["uid"], stored["resourceVersion"]):
            raise ConflictError(409, "Conflict", "")
        return self._api.store(resource.plural, known | {"status": copy.deepcopy(body["status"])})

    async def create(self, resource: ResourceType, namespace: str | None, body: Object, **_: Any) -> Object:
        return self._api.create(resource.plural, body)

    async def apply(self, resource: ResourceType, namespace: str | None, name: str, body: Object, **_: Any) -> Object:
        known = self._api.get(resource.plural, (namespace or "", name))
        meta = known["metadata"] | {k: body["metadata"][k] for k in ("labels", "annotations")}
        return self._api.store(resource.plural, known | body | {"metadata": meta})

    async def delete(self, resource: ResourceType, namespace: str | None, name: str, **_: Any) -> Object:
        assert resource == SECRETS, "the operator deletes nothing else"
        self._api.get(resource.plural, (namespace or "", name))
        self._api.delete(resource.plural, (namespace or "", name))
        return {}


def _field(obj: Object, path: str) -> Any:
    value: Any = obj
    for part in path.split("."):
        value = value.get(part, {})
    return value
