"""What somebody with ordinary rights in one namespace may try on all others: the writes that ``bench.adversary`` sends.

Sizes are about those with which such writes once stopped the gates or the operator for every tenant.
``tests/cluster/test_tenants.py`` shows in small that they do not, ``bench.tenants`` measures it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, cycle
from typing import Any

from apiclients.kube.client import JsonObject, ResourceType
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS, CONTRACT_APPROVALS, CONTRACTS
from bench.population import body

_SELECTOR_PARTS = 32
_VALUES_OF_A_PART = 4
#: As many, of 126 bytes each, as the policy that bounds metadata lets through, less one that is edited.
_LABELS = 63
#: Without the policy: with its managedFields such a client has 400 KB.
_MANY_LABELS = 2_000
_ROTATES_EVERY_SECOND = {"lifetime": "1m", "renewBefore": "59s", "overlap": "0s"}


@dataclass(frozen=True, slots=True)
class Create:
    """One new object."""

    resource: ResourceType
    body: JsonObject


@dataclass(frozen=True, slots=True)
class Patch:
    """A merge patch of one object."""

    resource: ResourceType
    name: str
    body: JsonObject


@dataclass(frozen=True, slots=True)
class Delete:
    """The end of one object."""

    resource: ResourceType
    name: str


Write = Create | Patch | Delete


@dataclass(frozen=True, slots=True)
class Scene:
    """Where an attack happens, how many objects it has, and which namespace it is aimed at, if at any."""

    namespace: str
    size: int
    victim: str


@dataclass(frozen=True, slots=True)
class Attack:
    """What is there before it, and what is then written for as long as it lasts."""

    size: int
    before: Callable[[Scene], Iterable[Write]]
    storm: Callable[[Scene], Iterable[Write]]
    #: Whether the policy that bounds labels and annotations has to be absent.
    unbounded_metadata: bool = False


def _clients(scene: Scene, number: int, **spec: Any) -> Iterator[Create]:
    for name in _names("client", number):
        yield _client(scene, name, **spec)


def _client(scene: Scene, name: str, labels: dict[str, str] | None = None, **spec: Any) -> Create:
    made = body(API_CLIENTS.kind, scene.namespace, name, {"desiredStatus": "Available", **spec})
    if labels:
        made["metadata"]["labels"] = labels
    return Create(API_CLIENTS, made)


def _names(prefix: str, number: int) -> Iterator[str]:
    return (f"{prefix}-{one:05}" for one in range(number))


def _relabel(names: Iterable[str]) -> Iterator[Patch]:
    """Another label for one after the other, for ever."""
    for number, name in enumerate(cycle(list(names))):
        yield Patch(API_CLIENTS, name, {"metadata": {"labels": {"turn": str(number)}}})


def _held(scene: Scene) -> Iterator[Create]:
    return _clients(scene, scene.size // 3)


def _holds(scene: Scene) -> Iterator[Write]:
    """Holds that match every client, at the greatest cost; then labels that have to be matched again."""
    values = [f"value-{number}" for number in range(_VALUES_OF_A_PART)]
    parts = [{"key": f"key-{part}", "operator": "NotIn", "values": values} for part in range(_SELECTOR_PARTS)]
    for name in _names("hold", scene.size):
        spec = {"selector": {"matchExpressions": parts}, "reason": "none"}
        yield Create(API_CLIENT_HOLDS, body(API_CLIENT_HOLDS.kind, scene.namespace, name, spec))
    yield from _relabel(_names("client", scene.size // 3))


def _contracts(scene: Scene) -> Iterator[Create]:
    """Contracts of one client that is not there for one Api that is not there."""
    for name in _names("contract", scene.size):
        spec = {"clientName": "nobody", "api": {"namespace": scene.namespace, "name": "nothing"}, "plan": "basic"}
        yield Create(CONTRACTS, body(CONTRACTS.kind, scene.namespace, name, spec))


def _contract_edits(scene: Scene) -> Iterator[Patch]:
    for number, name in enumerate(cycle(list(_names("contract", scene.size)))):
        yield Patch(CONTRACTS, name, {"spec": {"plan": f"plan-{number}"}})


def _approvals(scene: Scene) -> Iterator[Write]:
    """Approvals of a contract of another namespace, for an Api that is not there; then other reasons for them."""
    names = list(_names("approval", scene.size))
    about = {"contract": {"namespace": scene.victim, "name": "victim"}, "client": "victim", "api": "nothing"}
    for name in names:
        spec = {**about, "plan": "basic", "decision": "Approved"}
        yield Create(CONTRACT_APPROVALS, body(CONTRACT_APPROVALS.kind, scene.namespace, name, spec))
    for number, name in enumerate(cycle(names)):
        yield Patch(CONTRACT_APPROVALS, name, {"spec": {"reason": f"reason {number}"}})


def _labelled(scene: Scene) -> Iterator[Create]:
    """Clients that every proof lists, with as many labels as the policy lets through."""
    labels = _labels(_LABELS)
    for name in _names("client", scene.size):
        yield _client(scene, name, labels, desiredStatus="Suspended")


def _labelled_edits(scene: Scene) -> Iterator[Patch]:
    return _relabel(_names("client", scene.size))


def _largely_labelled(scene: Scene) -> Iterator[Create]:
    labels = _labels(_MANY_LABELS)
    for name in _names("client", scene.size):
        yield _client(scene, name, labels, desiredStatus="Suspended")


def _labels(number: int) -> dict[str, str]:
    """So many labels, each as large as a label without a prefix can be."""
    return {f"{one:063}": "v" * 63 for one in range(number)}


def _rotating(scene: Scene) -> Iterator[Create]:
    return _clients(scene, scene.size, secret=_ROTATES_EVERY_SECOND)


def _revisions(scene: Scene) -> Iterator[Patch]:
    for number, name in enumerate(cycle(list(_names("client", scene.size)))):
        yield Patch(API_CLIENTS, name, {"spec": {"secret": {"revision": number % 1_000_000}}})


def _flood(scene: Scene) -> Iterator[Write]:
    """New clients without end, of which the latest ``size`` stay."""
    for number in count():
        yield _client(scene, f"client-{number:05}")
        if number >= scene.size:
            yield Delete(API_CLIENTS, f"client-{number - scene.size:05}")


def _nothing(_: Scene) -> Iterator[Write]:
    return iter(())


ATTACKS: dict[str, Attack] = {
    "holds": Attack(1_000, _held, _holds),
    "contracts": Attack(600, _contracts, _contract_edits),
    "approvals": Attack(1_800, _nothing, _approvals),
    "labels": Attack(160, _labelled, _labelled_edits),
    "large labels": Attack(100, _largely_labelled, _nothing, unbounded_metadata=True),
    "short lifetimes": Attack(150, _rotating, _revisions),
    "new clients": Attack(300, _nothing, _flood),
}
