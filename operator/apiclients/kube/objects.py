"""The nouns of the Kubernetes API that the rest of the folder shares: resource types, pages, watch events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import quote

from apiclients.kube.errors import MalformedObjectError
from apiclients.resources.refs import NamespacedName

JsonObject = dict[str, Any]
"""A decoded Kubernetes object."""


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A kind of object as the API names it in its paths. `group` is empty for the core group."""

    group: str
    version: str
    plural: str
    kind: str
    #: Kinds without a namespace are known under an empty one.
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """What stands in `apiVersion` of such an object."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the path of a collection (no name), an object or a subresource.

        Raises ValueError for an empty or dotted name: it would turn a request for one object into one for all.
        The namespace of a kind that has none does not count.
        """
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [base]
        if namespace is not None and self.namespaced:
            parts.append(f"namespaces/{_segment(namespace)}")
        parts.append(self.plural)
        if name is not None:
            parts.append(_segment(name))
            if subresource is not None:
                parts.append(_segment(subresource))
        return "/".join(parts)


def _segment(text: str) -> str:
    if text in {"", ".", ".."}:
        raise ValueError(f"not a name: {text!r}")
    return quote(text, safe="")


def custom_resource(group: str, version: str, plural: str, kind: str, *, namespaced: bool = True) -> ResourceType:
    """Describe a custom resource: `custom_resource("apiclients.dev", "v1alpha1", "apiclients", "ApiClient")`."""
    if not (group and version and plural and kind):
        raise ValueError("a custom resource has a group, a version, a plural and a kind")
    return ResourceType(group, version, plural, kind, namespaced)


SECRETS = ResourceType("", "v1", "secrets", "Secret")
CONFIG_MAPS = ResourceType("", "v1", "configmaps", "ConfigMap")
NAMESPACES = ResourceType("", "v1", "namespaces", "Namespace")
LEASES = ResourceType("coordination.k8s.io", "v1", "leases", "Lease")
EVENTS = ResourceType("events.k8s.io", "v1", "events", "Event")
TOKEN_REVIEWS = ResourceType("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False)


class Named(Protocol):
    """What names an object and its version."""

    @property
    def namespace(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def uid(self) -> str: ...

    @property
    def resource_version(self) -> str: ...


class ReadObject(Protocol):
    """An object that is read already (see `decoding`)."""

    @property
    def metadata(self) -> Named:
        """What names it."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. All pages of one list carry the same `resource_version`: the state that the list shows.

    The items are JSON objects, unless another `Decoding` was asked for.
    """

    items: list[Any]
    resource_version: str


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One line of a watch. `type` is ADDED, MODIFIED, DELETED or BOOKMARK; errors become exceptions.

    The object is a JSON object, unless another `Decoding` was asked for.
    """

    type: str
    object: Any


def micro_time() -> str:
    """Return the local wall clock as Kubernetes writes a MicroTime."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def identify(body: JsonObject | ReadObject) -> tuple[NamespacedName, int]:
    """Return the key and the resourceVersion of an object. Raises MalformedObjectError."""
    try:
        if not isinstance(body, dict):
            named = body.metadata
            return (named.namespace, named.name), int(named.resource_version)
        metadata = body["metadata"]
        return (metadata.get("namespace", ""), metadata["name"]), int(metadata["resourceVersion"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MalformedObjectError("an object has no name or no numeric resourceVersion") from error


def uid_of(body: JsonObject | ReadObject) -> str:
    """Return the UID of an object that has a name; empty if it has none."""
    if not isinstance(body, dict):
        return body.metadata.uid
    uid: str = body["metadata"].get("uid", "")
    return uid


def version_of(body: JsonObject) -> int:
    """Return the resourceVersion of an object, a list or a bookmark. Raises MalformedObjectError."""
    try:
        return int(body["metadata"]["resourceVersion"])
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedObjectError("no numeric resourceVersion") from error
