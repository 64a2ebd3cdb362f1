"""A cluster without the policies about values: what they refuse gets in, as it does where nobody applied them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.toolkit.product import Product
from tests.toolkit.waiting import eventually

_POLICIES = Path(__file__).resolve().parents[2] / "manifests/control/policies"
_FILES = [f"--filename={path}" for path in sorted(_POLICIES.glob("valid-*.yaml"))]


def remove_value_policies(product: Product) -> None:
    """Take them away, and wait until they have no effect."""
    product.stage.cluster.kubectl("delete", "--ignore-not-found", *_FILES)
    eventually("any value is taken", lambda: 403 not in _answers(product))


@contextmanager
def without_value_policies(product: Product) -> Iterator[None]:
    """Take them away for a while."""
    remove_value_policies(product)
    try:
        yield
    finally:
        product.stage.cluster.kubectl("apply", *_FILES)
        eventually("values are refused", lambda: set(_answers(product)) == {403})


def _answers(product: Product) -> list[int]:
    """What a wrong value of each kind gets."""
    return [_status(product, plural, kind, spec) for (plural, kind), spec in _WRONG.items()]


def _status(product: Product, plural: str, kind: str, spec: dict[str, object]) -> int:
    body = {"apiVersion": "apiclients.dev/v1alpha1", "kind": kind, "metadata": {"name": "tried"}, "spec": spec}
    return product.admin.ask("POST", plural, "default", body=body, dryRun="All").status


_WRONG: dict[tuple[str, str], dict[str, object]] = {
    ("apiclients", "ApiClient"): {"desiredStatus": "Available", "client": "A"},
    ("apis", "Api"): {"desiredStatus": "Published", "plans": [{"name": "A"}]},
    ("contracts", "Contract"): {"clientName": "A", "api": {"namespace": "a", "name": "a"}, "plan": "a"},
    ("contractapprovals", "ContractApproval"): {
        "contract": {"namespace": "a", "name": "a"},
        "client": "A",
        "api": "a",
        "plan": "a",
        "decision": "Approved",
    },
    ("apiclientholds", "ApiClientHold"): {"clientName": "A", "reason": "test"},
}
