"""Who has to be looked at again, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from apiclients.resources.refs import NamespacedName, ObjectRef


class WakeReason(StrEnum):
    """Why an object is looked at again; the label ``reason`` of the operator's metrics."""

    OBJECT_CHANGED = "object_changed"
    CLIENT_CHANGED = "client_changed"
    API_CHANGED = "api_changed"
    CONTRACT_CHANGED = "contract_changed"
    #: Of the contracts of a client for an Api another one is the oldest in force.
    FIRST_CHANGED = "first_changed"
    #: A client had as many active contracts as there can be, and has one less.
    ROOM = "room"
    APPROVAL_CHANGED = "approval_changed"
    HOLD_CHANGED = "hold_changed"
    SECRET_CHANGED = "secret_changed"
    NAMESPACE_CHANGED = "namespace_changed"
    ISSUER_CHANGED = "issuer_changed"
    #: The keys of a TokenIssuer were fetched, or could not be.
    KEYS_FETCHED = "keys_fetched"
    KEYS_CHANGED = "keys_changed"
    #: A gate has come or gone that does not obey what another one does.
    GATES_CHANGED = "gates_changed"
    #: No gate is behind any more with what it waits for.
    ENFORCED = "enforced"
    #: Gates report that it was used.
    USED = "used"
    DUE = "due"


@dataclass(frozen=True, slots=True)
class Wake:
    """One object to look at again."""

    ref: ObjectRef
    reason: WakeReason
    #: False where nothing but counts can differ: many such changes may be taken together.
    urgent: bool = True


@dataclass(frozen=True, slots=True)
class Wakes:
    """Objects of one kind to look at again. There may be very many: who goes through them does so in slices."""

    kind: str
    keys: tuple[NamespacedName, ...]
    reason: WakeReason
    urgent: bool = True

    def __iter__(self) -> Iterator[Wake]:
        """One by one."""
        return (Wake(ObjectRef(self.kind, *key), self.reason, self.urgent) for key in self.keys)
