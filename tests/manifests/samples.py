"""One object of each kind, named as the tests of the policies name them, and statuses that go with them."""

from collections.abc import Callable
from typing import Any

from tests.toolkit import objects
from tests.toolkit.objects import JsonObject

GROUP = "apiclients.dev"
_CLIENT, _API, _CONTRACT = "billing-1.0", "orders-v1", "billing-orders"


def client(name: str, namespace: str, desired: str = "Available", **spec: Any) -> JsonObject:
    """An ApiClient."""
    return objects.client(name, desired, namespace=namespace, **spec)


def api(name: str, namespace: str, desired: str = "Published", **spec: Any) -> JsonObject:
    """An Api."""
    return objects.api(name, desired=desired, namespace=namespace, **spec)


def contract(name: str, namespace: str) -> JsonObject:
    """A Contract within a namespace."""
    return objects.contract(name, _CLIENT, (namespace, _API), namespace=namespace)


def approval(name: str, namespace: str) -> JsonObject:
    """A ContractApproval within a namespace."""
    return objects.approval(name, (namespace, _CONTRACT), _CLIENT, (namespace, _API))


def hold(name: str, namespace: str) -> JsonObject:
    """An ApiClientHold."""
    return objects.hold(name, _CLIENT, namespace=namespace)


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
