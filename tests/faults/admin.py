"""What people and Git do to the API server: plain requests, as an administrator."""

import http.client
import json
import ssl
import threading
from typing import Any
from urllib.parse import quote, urlsplit

from cluster import LocalCluster

JsonObject = dict[str, Any]
GROUP = "apiclients.dev/v1alpha1"
KINDS = {
    "apiclients": "ApiClient",
    "apis": "Api",
    "contracts": "Contract",
    "contractapprovals": "ContractApproval",
    "apiclientholds": "ApiClientHold",
}
_CORE = frozenset({"secrets", "namespaces", "events"})
_SECONDS = 30


class RefusedByServerError(RuntimeError):
    """The API server refused; ``status`` is the HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text[:500]}")
        self.status = status


class Admin:
    """Requests over one connection per thread. Methods raise RefusedByServerError and OSError."""

    def __init__(self, cluster: LocalCluster) -> None:
        admin = cluster.data_dir / "pki" / "admin"
        self._address = urlsplit(cluster.server).netloc
        self._tls = ssl.create_default_context(cafile=str(cluster.ca_file))
        self._tls.load_cert_chain(f"{admin}.crt", f"{admin}.key")
        self._local = threading.local()

    def get(self, plural: str, namespace: str, name: str) -> JsonObject:
        """One object."""
        return self._send("GET", path(plural, namespace, name))

    def find(self, plural: str, namespace: str, name: str) -> JsonObject | None:
        """One object, or None if it is not there."""
        try:
            return self.get(plural, namespace, name)
        except RefusedByServerError as error:
            if error.status == 404:
                return None
            raise

    def list(self, plural: str, namespace: str | None = None) -> list[JsonObject]:
        """All objects, read consistently."""
        items: list[JsonObject] = self._send("GET", path(plural, namespace))["items"]
        return items

    def apply(self, plural: str, namespace: str, name: str, spec: JsonObject, **metadata: Any) -> JsonObject:
        """Apply one of our objects, as a GitOps controller does."""
        meta = {"namespace": namespace, "name": name, **metadata}
        body = {"apiVersion": GROUP, "kind": KINDS[plural], "metadata": meta, "spec": spec}
        return self._apply(path(plural, namespace, name), body)

    def apply_namespace(self, name: str, labels: dict[str, str]) -> JsonObject:
        """Apply a namespace."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        return self._apply(path("namespaces", None, name), body)

    def patch(self, plural: str, namespace: str, name: str, body: JsonObject) -> JsonObject:
        """A merge patch."""
        return self._send("PATCH", path(plural, namespace, name), body, "application/merge-patch+json")

    def delete(self, plural: str, namespace: str | None, name: str) -> None:
        """DELETE, in the background; an object that is not there is deleted already."""
        try:
            self._send("DELETE", path(plural, namespace, name))
        except RefusedByServerError as error:
            if error.status != 404:
                raise

    def delete_all(self, plural: str, namespace: str) -> None:
        """DELETE of a collection."""
        self._send("DELETE", path(plural, namespace))

    def _apply(self, target: str, body: JsonObject) -> JsonObject:
        return self._send("PATCH", f"{target}?fieldManager=git&force=true", body, "application/apply-patch+yaml")

    def _send(self, method: str, target: str, body: JsonObject | None = None, kind: str = "") -> JsonObject:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": kind} if data is not None else {}
        try:
            status, text = self._once(method, target, data, headers)
        except (OSError, http.client.HTTPException):
            self._local.connection = None  # idle ones are closed; and all that we ask for may be asked for twice
            status, text = self._once(method, target, data, headers)
        if status >= 300:
            raise RefusedByServerError(status, text.decode(errors="replace"))
        answer: JsonObject = json.loads(text)
        return answer

    def _once(self, method: str, target: str, data: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(self._address, timeout=_SECONDS, context=self._tls)
            self._local.connection = connection
        try:
            connection.request(method, target, data, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            self._local.connection = None
            raise


def path(plural: str, namespace: str | None, name: str = "") -> str:
    """The path of a collection or an object."""
    root = "/api/v1" if plural in _CORE else f"/apis/{GROUP}"
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{where}/{plural}" + (f"/{quote(name)}" if name else "")
