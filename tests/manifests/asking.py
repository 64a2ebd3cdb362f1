"""Requests to the API server as anybody, with all of the answer: its status and its warnings."""

import http.client
import json
import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from cluster import LocalCluster

JsonObject = dict[str, Any]

GROUP = "apiclients.dev"
#: Plural and kind of all that is ours.
KINDS = {
    "apiclients": "ApiClient",
    "apis": "Api",
    "contracts": "Contract",
    "contractapprovals": "ContractApproval",
    "apiclientholds": "ApiClientHold",
}
SYSTEM = "apiclients-system"
OPERATOR = f"system:serviceaccount:{SYSTEM}:apiclient-operator"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"

_PATHS = {
    **dict.fromkeys(KINDS, f"apis/{GROUP}/v1alpha1"),
    "selfsubjectrulesreviews": "apis/authorization.k8s.io/v1",
}
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said."""

    status: int
    body: JsonObject
    warnings: tuple[str, ...]

    @property
    def message(self) -> str:
        """Why it was refused."""
        return str(self.body.get("message", ""))


class Asking:
    """Requests over one connection, with the administrator's certificate, as somebody else where ``user`` is given."""

    def __init__(self, cluster: LocalCluster) -> None:
        admin = cluster.data_dir / "pki" / "admin"
        self._tls = ssl.create_default_context(cafile=str(cluster.ca_file))
        self._tls.load_cert_chain(f"{admin}.crt", f"{admin}.key")
        self._address = urlsplit(cluster.server).netloc
        self._connection = self._connect()

    def __call__(
        self,
        method: str,
        kind: str,
        namespace: str | None,
        name: str = "",
        body: JsonObject | None = None,
        *,
        subresource: str = "",
        content: str = "application/json",
        user: str = "",
        **query: str,
    ) -> Answer:
        """Ask, whatever the answer."""
        where = ["namespaces", namespace] if namespace else []
        parts = [_PATHS.get(kind, "api/v1"), *where, kind, *([quote(name)] if name else [])]
        target = "/" + "/".join([*parts, subresource] if subresource else parts)
        headers = {"Content-Type": content, **({"Impersonate-User": user} if user else {})}
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        target = f"{target}?{urlencode(query)}" if query else target
        try:
            return self._once(method, target, data, headers)
        except (http.client.HTTPException, OSError):
            self._connection.close()  # the server closes connections that are idle for long
            self._connection = self._connect()
            return self._once(method, target, data, headers)

    def done(self, *arguments: Any, **options: Any) -> JsonObject:
        """The object in an answer that must not be a refusal."""
        answer = self(*arguments, **options)
        assert answer.status < 300, answer
        return answer.body

    def with_status(self, kind: str, body: JsonObject, status: JsonObject) -> JsonObject:
        """Apply an object, as a tool for Git does, and give it a status, as the operator does."""
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        made = self.done("PATCH", kind, namespace, name, body, content=APPLY, fieldManager="git", force="true")
        return self.done(
            "PUT",
            kind,
            namespace,
            name,
            {**made, "status": status},
            subresource="status",
            user=OPERATOR,
        )

    def _connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._address, timeout=60, context=self._tls)

    def _once(self, method: str, target: str, data: bytes | None, headers: dict[str, str]) -> Answer:
        self._connection.request(method, target, data, headers)
        response = self._connection.getresponse()
        warnings = response.headers.get_all("Warning") or []
        found = [re.sub(r"\\(.)", r"\1", text) for line in warnings for text in _WARNING.findall(line)]
        return Answer(response.status, json.loads(response.read()), tuple(found))


def until(true: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Wait for something that happens a moment after what causes it."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


def client(name: str, namespace: str, desired: str = "Available", **spec: Any) -> JsonObject:
    """An ApiClient."""
    return _object("ApiClient", name, namespace, {"desiredStatus": desired, **spec})


def api(name: str, namespace: str, desired: str = "Published", **spec: Any) -> JsonObject:
    """An Api."""
    return _object("Api", name, namespace, {"desiredStatus": desired, "plans": [{"name": "basic"}], **spec})


def contract(name: str, namespace: str) -> JsonObject:
    """A Contract."""
    spec = {"clientName": "billing-1.0", "api": {"namespace": namespace, "name": "orders-v1"}, "plan": "basic"}
    return _object("Contract", name, namespace, spec)


def approval(name: str, namespace: str) -> JsonObject:
    """A ContractApproval."""
    spec = {
        "contract": {"namespace": namespace, "name": "billing-orders"},
        "client": "billing-1.0",
        "api": "orders-v1",
        "plan": "basic",
        "decision": "Approved",
    }
    return _object("ContractApproval", name, namespace, spec)


def hold(name: str, namespace: str) -> JsonObject:
    """An ApiClientHold."""
    return _object("ApiClientHold", name, namespace, {"clientName": "billing-1.0", "reason": "a leaked secret"})


#: One of each kind.
EXAMPLE: dict[str, Callable[[str, str], JsonObject]] = {
    "apiclients": client,
    "apis": api,
    "contracts": contract,
    "contractapprovals": approval,
    "apiclientholds": hold,
}


def client_status(*active: str, desired: str = "Available") -> JsonObject:
    """The status of an ApiClient with active contracts."""
    counts = {"active": len(active), "pending": 0, "rejected": 0, "activeNames": list(active)}
    return {"observedGeneration": 1, "desiredStatus": desired, "contracts": counts}


def api_status(active: int, desired: str = "Published", **more: Any) -> JsonObject:
    """The status of an Api with active contracts."""
    return {"observedGeneration": 1, "desiredStatus": desired, "contracts": {"active": active}, **more}


#: The retirement in the status of an Api whose grace period is over.
FINAL = {"retiredTime": "2026-01-01T00:00:00Z", "finalTime": "2026-01-02T00:00:00Z", "final": True}


def _object(kind: str, name: str, namespace: str, spec: JsonObject) -> JsonObject:
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": f"{GROUP}/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}
