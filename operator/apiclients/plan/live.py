"""The live state as plan needs it, and the file that holds it. It never holds a secret, nor a digest of one."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from apiclients.plan.model import LiveInfo
from apiclients.plan.schema_check import KINDS_BY_NAME
from apiclients.resources.fields import format_time, parse_time
from apiclients.resources.names import API_VERSION, ROTATE_REQUESTED_ANNOTATION
from apiclients.resources.refs import ObjectRef

#: Of the snapshot file: the first number changes when an old reader can no longer read it.
FORMAT_VERSION = "1.0"
SNAPSHOT_KIND = "ApiClientSnapshot"

_METADATA = (
    "name", "namespace", "uid", "generation", "resourceVersion", "creationTimestamp", "deletionTimestamp", "labels",
)  # fmt: skip

#: The field manager of `kubectl apply` without --server-side.
_CLIENT_SIDE_APPLY = "kubectl-client-side-apply"


class SnapshotError(ValueError):
    """A file that is no snapshot, or one of another version. The message says so."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Something that mounts Secrets, or takes environment variables from them."""

    kind: str
    namespace: str
    name: str
    secrets: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class LiveState:
    """What the cluster held at one time."""

    source: str
    taken_time: datetime
    #: JSON objects of the project's kinds.
    objects: Mapping[ObjectRef, Mapping[str, Any]] = field(repr=False)
    #: None: all namespaces were read.
    namespaces: frozenset[str] | None = None
    #: Labels by namespace; None where there was no right to read them.
    namespace_labels: Mapping[str, Mapping[str, str]] | None = None
    #: Whether TokenIssuers were read, which have no namespace.
    issuers_known: bool = False
    #: None where nobody looked, or there was no right to.
    workloads: tuple[Workload, ...] | None = None

    @property
    def info(self) -> LiveInfo:
        """Where it came from."""
        scope = None if self.namespaces is None else tuple(sorted(self.namespaces))
        return LiveInfo(self.source, self.taken_time, scope)

    def knows(self, namespace: str) -> bool:
        """Whether it would hold an object of this namespace if there were one; TokenIssuers have the empty one."""
        if not namespace:
            return self.issuers_known
        return self.namespaces is None or namespace in self.namespaces


def live_state(
    objects: Iterable[Mapping[str, Any]],
    *,
    source: str,
    taken_time: datetime,
    namespaces: Collection[str] | None = None,
    namespace_labels: Mapping[str, Mapping[str, str]] | None = None,
    workloads: Iterable[Workload] | None = None,
    issuers_known: bool = False,
) -> LiveState:
    """The live state from objects as the API server hands them out; what plan does not need is left out."""
    slim = {_id(obj): _slim(obj) for obj in objects if obj.get("kind") in KINDS_BY_NAME}
    wanted = _client_secrets(slim)
    mounting = None
    if workloads is not None:
        kept = ((load, tuple(s for s in load.secrets if (load.namespace, s) in wanted)) for load in workloads)
        mounting = tuple(Workload(w.kind, w.namespace, w.name, secrets) for w, secrets in kept if secrets)
    scope = None if namespaces is None else frozenset(namespaces)
    labels = namespace_labels if namespace_labels is None else {name: dict(v) for name, v in namespace_labels.items()}
    return LiveState(source, taken_time, slim, scope, labels, issuers_known, mounting)


def workload(kind: str, obj: Mapping[str, Any]) -> Workload:
    """What a Deployment, StatefulSet, DaemonSet, CronJob, Job or Pod takes from Secrets."""
    meta = obj.get("metadata") or {}
    return Workload(kind, meta.get("namespace", ""), meta.get("name", ""), tuple(sorted(_mounted(_pod_spec(obj)))))


def to_snapshot(live: LiveState) -> bytes:
    """The file."""
    body = {
        "formatVersion": FORMAT_VERSION,
        "kind": SNAPSHOT_KIND,
        "source": live.source,
        "takenTime": format_time(live.taken_time),
        "namespaces": None if live.namespaces is None else sorted(live.namespaces),
        "namespaceLabels": live.namespace_labels,
        "tokenIssuersRead": live.issuers_known,
        "workloads": None
        if live.workloads is None
        else [
            {"kind": w.kind, "namespace": w.namespace, "name": w.name, "secrets": list(w.secrets)}
            for w in live.workloads
        ],
        "objects": [live.objects[key] for key in sorted(live.objects)],
    }
    return orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def from_snapshot(data: bytes, name: str) -> LiveState:
    """Read the file. Raises :class:`SnapshotError`."""
    try:
        body = orjson.loads(data)
        _check_format(body["kind"], str(body["formatVersion"]), name)
        loads = body["workloads"]
        return live_state(
            body["objects"],
            source=f"{body['source']}, from {name}",
            taken_time=parse_time(body["takenTime"]),
            namespaces=body["namespaces"],
            namespace_labels=body["namespaceLabels"],
            issuers_known=body.get("tokenIssuersRead") is True,
            workloads=None
            if loads is None
            else [Workload(w["kind"], w["namespace"], w["name"], tuple(w["secrets"])) for w in loads],
        )
    except SnapshotError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SnapshotError(f"{name} is not a snapshot; `kubectl apiclient snapshot` writes one") from error


def _check_format(kind: object, version: str, name: str) -> None:
    if kind != SNAPSHOT_KIND or version.split(".")[0] != FORMAT_VERSION.split(".")[0]:
        raise SnapshotError(f"{name} is a {kind} of format {version}; this program reads {FORMAT_VERSION}")


def _id(obj: Mapping[str, Any]) -> ObjectRef:
    meta = obj["metadata"]
    return ObjectRef(obj["kind"], meta.get("namespace", ""), meta["name"])


def _slim(obj: Mapping[str, Any]) -> dict[str, Any]:
    meta = obj["metadata"]
    slim = {key: meta[key] for key in _METADATA if meta.get(key) is not None}
    request = (meta.get("annotations") or {}).get(ROTATE_REQUESTED_ANNOTATION)
    if request is not None:
        slim["annotations"] = {ROTATE_REQUESTED_ANNOTATION: request}
    status = dict(obj.get("status") or {})
    if "credentials" in status:
        status["credentials"] = [{**credential, "digest": ""} for credential in status["credentials"]]
    return {
        "apiVersion": API_VERSION,
        "kind": obj["kind"],
        "metadata": slim,
        "spec": obj.get("spec") or {},
        "status": status,
        "appliedFields": obj["appliedFields"] if "appliedFields" in obj else _applied_fields(meta),
    }


def _applied_fields(meta: Mapping[str, Any]) -> list[list[str]]:
    """The paths of fields that somebody applies, and that go from the object when their manifest drops them.

    Their names alone; within lists nobody looks.
    """
    found: set[tuple[str, ...]] = set()
    for entry in meta.get("managedFields") or []:
        if entry.get("operation") == "Apply" or entry.get("manager") == _CLIENT_SIDE_APPLY:
            fields = entry.get("fieldsV1") or {}
            found.update(_paths(fields.get("f:spec") or {}, ("spec",)))
            found.update(_paths((fields.get("f:metadata") or {}).get("f:labels") or {}, ("labels",)))
    return sorted(map(list, found))


def _paths(fields: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, below in fields.items():
        if key.startswith("f:"):
            own = (*path, key.removeprefix("f:"))
            yield from _paths(below, own) if any(name.startswith("f:") for name in below) else (own,)


def _client_secrets(objects: Mapping[ObjectRef, Mapping[str, Any]]) -> set[tuple[str, str]]:
    """The Secrets that clients have: only who mounts one of these is of interest."""
    found = set()
    for key, obj in objects.items():
        if key.kind == "ApiClient":
            spec = (obj["spec"].get("secret") or {}).get("name")
            status = (obj["status"].get("secret") or {}).get("name")
            names = {spec or f"{key.name}-credentials", status}
            found |= {(key.namespace, name) for name in names if name}
    return found


def _pod_spec(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = obj.get("spec") or {}
    if "jobTemplate" in spec:
        spec = (spec["jobTemplate"] or {}).get("spec") or {}
    if "template" in spec:
        spec = (spec["template"] or {}).get("spec") or {}
    return dict(spec)


def _mounted(pod: Mapping[str, Any]) -> set[str]:
    names: set[str | None] = set()
    for volume in pod.get("volumes") or []:
        names.add((volume.get("secret") or {}).get("secretName"))
        for source in (volume.get("projected") or {}).get("sources") or []:
            names.add((source.get("secret") or {}).get("name"))
    for container in [*(pod.get("initContainers") or []), *(pod.get("containers") or [])]:
        for source in container.get("envFrom") or []:
            names.add((source.get("secretRef") or {}).get("name"))
        for variable in container.get("env") or []:
            names.add(((variable.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name"))
    return {name for name in names if name}
