"""The API server as an administrator sees it, without starting kubectl each time: for polling and for odd writes."""

import http.client
import json
import ssl
import threading
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from apiclients.resources.names import API_VERSION
from cluster import LocalCluster

JsonObject = dict[str, Any]

_OURS = f"apis/{API_VERSION}"
_GROUPS = {
    "secrets": "api/v1",
    "namespaces": "api/v1",
    "events": "apis/events.k8s.io/v1",
    "leases": "apis/coordination.k8s.io/v1",
}
_MERGE = "application/merge-patch+json"
_SECONDS = 30


class RestError(RuntimeError):
    """The API server refused; ``status`` is the HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text[:500]}")
        self.status = status


class Rest:
    """Requests over one connection per thread, with the administrator's certificate."""

    #: What may be asked for twice, when an idle connection was closed.
    repeatable = frozenset({"GET"})

    def __init__(self, cluster: LocalCluster) -> None:
        admin = cluster.data_dir / "pki" / "admin"
        self._address = urlsplit(cluster.server).netloc
        self._tls = ssl.create_default_context(cafile=str(cluster.ca_file))
        self._tls.load_cert_chain(f"{admin}.crt", f"{admin}.key")
        self._local = threading.local()

    def get(self, kind: str, namespace: str, name: str) -> JsonObject:
        """One object. Raises RestError."""
        return self._send("GET", path(kind, namespace, name))

    def find(self, kind: str, namespace: str, name: str) -> JsonObject | None:
        """One object, or None if it is not there."""
        try:
            return self.get(kind, namespace, name)
        except RestError as error:
            if error.status == 404:
                return None
            raise

    def list(self, kind: str, namespace: str | None = None, **query: str) -> list[JsonObject]:
        """All objects, read consistently."""
        suffix = f"?{urlencode(query)}" if query else ""
        items: list[JsonObject] = self._send("GET", path(kind, namespace) + suffix)["items"]
        return items

    def create(self, kind: str, namespace: str, body: JsonObject) -> JsonObject:
        """POST."""
        return self._send("POST", path(kind, namespace), body)

    def patch(self, kind: str, namespace: str, name: str, body: JsonObject, *, subresource: str = "") -> JsonObject:
        """A merge patch."""
        return self._send("PATCH", path(kind, namespace, name, subresource), body, _MERGE)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """DELETE, in the background."""
        self._send("DELETE", path(kind, namespace, name))

    def delete_all(self, kind: str, namespace: str) -> None:
        """DELETE of a collection."""
        self._send("DELETE", path(kind, namespace))

    def _send(self, method: str, target: str, body: JsonObject | None = None, kind: str = "") -> JsonObject:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": kind or "application/json"} if data is not None else {}
        try:
            status, text = self._once(method, target, data, headers)
        except (OSError, http.client.HTTPException):
            self._drop()
            if method not in self.repeatable:
                raise
            status, text = self._once(method, target, data, headers)
        if status >= 300:
            raise RestError(status, text.decode(errors="replace"))
        answer: JsonObject = json.loads(text)
        return answer

    def _once(self, method: str, target: str, data: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(self._address, timeout=_SECONDS, context=self._tls)
            self._local.connection = connection
        connection.request(method, target, data, headers)
        response = connection.getresponse()
        return response.status, response.read()

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
        self._local.connection = None


def path(kind: str, namespace: str | None, name: str = "", subresource: str = "") -> str:
    """The path of a collection, an object or a subresource."""
    where: Iterable[str] = ("namespaces", namespace) if namespace else ()
    parts = [
        _GROUPS.get(kind, _OURS),
        *where,
        kind,
        *([quote(name)] if name else []),
        *([subresource] if subresource else []),
    ]
    return "/" + "/".join(parts)
