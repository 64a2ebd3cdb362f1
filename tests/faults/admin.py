"""What people and Git do to the API server: plain requests, as an administrator."""

from typing import Any

from apiclients.resources.names import API_VERSION
from tests.cluster.rest import JsonObject, Rest, RestError, path

KINDS = {
    "apiclients": "ApiClient",
    "apis": "Api",
    "contracts": "Contract",
    "contractapprovals": "ContractApproval",
    "apiclientholds": "ApiClientHold",
}


class Admin(Rest):
    """Raises RestError and OSError. All that is asked for may be asked for twice."""

    repeatable = frozenset({"GET", "PATCH", "DELETE"})

    def apply(self, kind: str, namespace: str, name: str, spec: JsonObject, **metadata: Any) -> JsonObject:
        """Apply one of our objects, as a GitOps controller does."""
        meta = {"namespace": namespace, "name": name, **metadata}
        body = {"apiVersion": API_VERSION, "kind": KINDS[kind], "metadata": meta, "spec": spec}
        return self._apply(path(kind, namespace, name), body)

    def apply_namespace(self, name: str, labels: dict[str, str]) -> JsonObject:
        """Apply a namespace."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        return self._apply(path("namespaces", None, name), body)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """DELETE, in the background; an object that is not there is deleted already."""
        try:
            super().delete(kind, namespace, name)
        except RestError as error:
            if error.status != 404:
                raise

    def _apply(self, target: str, body: JsonObject) -> JsonObject:
        return self._send("PATCH", f"{target}?fieldManager=git&force=true", body, "application/apply-patch+yaml")
