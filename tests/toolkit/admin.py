"""The API server as an administrator sees it, without starting kubectl each time.

For what people and Git do, for polling, for odd writes, and for requests as somebody else.
"""

import http.client
import json
import re
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from cluster import LocalCluster
from tests.toolkit.objects import KINDS, OPERATOR, SYSTEM, JsonObject, gate_lease, manifest

OLD_GATE = "apiclient-gate-old"

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
_JSON = "application/json"

_GROUPS = {
    **dict.fromkeys((*KINDS, "tokenissuers", "tokenrevocations"), "apis/apiclients.dev/v1alpha1"),
    "events": "apis/events.k8s.io/v1",
    "leases": "apis/coordination.k8s.io/v1",
    "selfsubjectrulesreviews": "apis/authorization.k8s.io/v1",
    "selfsubjectreviews": "apis/authentication.k8s.io/v1",
}
_CORE = "api/v1"
_SECONDS = 30
#: The API server closes connections that are idle for long: one that may be closed by now is not used again.
_IDLE_SECONDS = 30
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said."""

    status: int
    body: JsonObject
    warnings: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """Why it was refused."""
        return str(self.body.get("message", ""))


class RefusedError(RuntimeError):
    """The API server refused; ``status`` is the HTTP status."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status} {answer.message[:500]}")
        self.status = answer.status


class Admin:
    """Requests over one connection per thread, with the administrator's certificate.

    All of them raise OSError and HTTPException while there is no API server. All but POST are sent once more when the
    connection breaks: they may be done twice.
    """

    def __init__(self, cluster: LocalCluster) -> None:
        admin = cluster.data_dir / "pki" / "admin"
        self._address = urlsplit(cluster.server).netloc
        self._tls = ssl.create_default_context(cafile=str(cluster.ca_file))
        self._tls.load_cert_chain(f"{admin}.crt", f"{admin}.key")
        self._local = threading.local()

    def ask(
        self,
        method: str,
        kind: str,
        namespace: str | None,
        name: str = "",
        body: JsonObject | None = None,
        *,
        subresource: str = "",
        content: str = _JSON,
        accept: str = _JSON,
        user: str = "",
        **query: str,
    ) -> Answer:
        """Send a request, as somebody else where ``user`` is given, and return the answer, whatever it is."""
        target = path(kind, namespace, name, subresource)
        target = f"{target}?{urlencode(query)}" if query else target
        headers = {"Content-Type": content, "Accept": accept, **({"Impersonate-User": user} if user else {})}
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        try:
            return self._once(method, target, data, headers)
        except (OSError, http.client.HTTPException):
            self._drop()
            if method == "POST":
                raise
            return self._once(method, target, data, headers)

    def done(self, *arguments: Any, **options: Any) -> JsonObject:
        """The object in the answer to such a request. Raises RefusedError."""
        answer = self.ask(*arguments, **options)
        if answer.status >= 300:
            raise RefusedError(answer)
        return answer.body

    def get(self, kind: str, namespace: str, name: str) -> JsonObject:
        """One object. Raises RefusedError."""
        return self.done("GET", kind, namespace, name)

    def find(self, kind: str, namespace: str, name: str) -> JsonObject | None:
        """One object, or None if it is not there. Raises RefusedError."""
        answer = self.ask("GET", kind, namespace, name)
        if answer.status >= 300 and answer.status != 404:
            raise RefusedError(answer)
        return answer.body if answer.status != 404 else None

    def list(self, kind: str, namespace: str | None = None, **query: str) -> list[JsonObject]:
        """All objects, read consistently. Raises RefusedError."""
        items: list[JsonObject] = self.done("GET", kind, namespace, **query)["items"]
        return items

    def create(self, kind: str, namespace: str | None, body: JsonObject) -> JsonObject:
        """POST. Raises RefusedError."""
        return self.done("POST", kind, namespace, body=body)

    def patch(self, kind: str, namespace: str, name: str, body: JsonObject, *, subresource: str = "") -> JsonObject:
        """A merge patch. Raises RefusedError."""
        return self.done("PATCH", kind, namespace, name, body, subresource=subresource, content=MERGE)

    def apply(self, kind: str, namespace: str, name: str, spec: JsonObject, **metadata: Any) -> JsonObject:
        """Apply one of our objects, as a GitOps controller does. Raises RefusedError."""
        return self.apply_object(kind, manifest(KINDS[kind], namespace, name, spec, **metadata))

    def apply_object(self, kind: str, body: JsonObject) -> JsonObject:
        """Apply an object that is complete. Raises RefusedError."""
        namespace, name = body["metadata"].get("namespace"), body["metadata"]["name"]
        return self.done("PATCH", kind, namespace, name, body, content=APPLY, fieldManager="git", force="true")

    def apply_namespace(self, name: str, labels: dict[str, str]) -> JsonObject:
        """Apply a namespace. Raises RefusedError."""
        meta = {"name": name, "labels": labels}
        return self.apply_object("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})

    def with_status(self, kind: str, body: JsonObject, status: JsonObject) -> JsonObject:
        """Apply an object, and give it a status, as the operator does. Raises RefusedError."""
        made = self.apply_object(kind, body)
        where = (kind, made["metadata"]["namespace"], made["metadata"]["name"])
        return self.done("PUT", *where, {**made, "status": status}, subresource="status", user=OPERATOR)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """DELETE, in the background; an object that is not there is deleted already. Raises RefusedError."""
        answer = self.ask("DELETE", kind, namespace, name)
        if answer.status >= 300 and answer.status != 404:
            raise RefusedError(answer)

    def age_gates(self, *, old: bool) -> None:
        """Have a gate that obeys no feature by name, or none: all that anybody knows of a gate is its Lease."""
        if old:
            self.apply_object("leases", gate_lease(OLD_GATE))
        else:
            self.delete("leases", SYSTEM, OLD_GATE)

    def delete_all(self, kind: str, namespace: str) -> None:
        """DELETE of a collection. Raises RefusedError."""
        self.done("DELETE", kind, namespace)

    def _once(self, method: str, target: str, data: bytes | None, headers: dict[str, str]) -> Answer:
        connection = self._connection()
        connection.request(method, target, data, headers)
        response = connection.getresponse()
        warnings = response.headers.get_all("Warning") or []
        found = [re.sub(r"\\(.)", r"\1", text) for line in warnings for text in _WARNING.findall(line)]
        answer = Answer(response.status, json.loads(response.read()), tuple(found))
        self._local.used = time.monotonic()
        return answer

    def _connection(self) -> http.client.HTTPSConnection:
        """That of this thread: the one that is there, if it was used a moment ago."""
        if time.monotonic() - getattr(self._local, "used", 0.0) > _IDLE_SECONDS:
            self._drop()
        connection: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(self._address, timeout=_SECONDS, context=self._tls)
            self._local.connection = connection
        return connection

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
        self._local.connection = None


def path(kind: str, namespace: str | None, name: str = "", subresource: str = "") -> str:
    """The path of a collection, an object or a subresource."""
    where = ["namespaces", namespace] if namespace else []
    parts = [_GROUPS.get(kind, _CORE), *where, kind, *([quote(name)] if name else [])]
    return "/" + "/".join([*parts, subresource] if subresource else parts)
