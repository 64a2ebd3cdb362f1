"""The effective status: the most restrictive of all that has a say (DESIGN section 2, last paragraph)."""

from dataclasses import dataclass
from enum import StrEnum

from apiclients.resources.apiclient import DesiredStatus, ObservedStatus


class Effective(StrEnum):
    """What holds for a client right now, most restrictive first."""

    DELETING = "Deleting"
    RETIRED = "Retired"
    HELD = "Held"
    SUSPENDED = "Suspended"
    PENDING = "Pending"
    EXPIRED = "Expired"
    AVAILABLE = "Available"


#: Tokens that were issued are accepted under these (DESIGN rule 1).
ACCEPTS_TOKENS = frozenset({Effective.AVAILABLE, Effective.EXPIRED})


@dataclass(slots=True)
class StatusInputs:
    """Everything that has a say in the effective status. Not frozen: the gate makes one on every request."""

    desired: DesiredStatus
    deleting: bool = False
    held: bool = False
    has_credential: bool = True
    expired: bool = False


def effective_status(inputs: StatusInputs) -> Effective:
    """The most restrictive of deletion, Retired, a hold, Suspended, then the clock, then Available."""
    if inputs.deleting:
        return Effective.DELETING
    if inputs.desired is DesiredStatus.RETIRED:
        return Effective.RETIRED
    if inputs.held:
        return Effective.HELD
    if inputs.desired is DesiredStatus.SUSPENDED:
        return Effective.SUSPENDED
    if not inputs.has_credential:
        return Effective.PENDING
    return Effective.EXPIRED if inputs.expired else Effective.AVAILABLE


_OBSERVED = {
    Effective.DELETING: ObservedStatus.SUSPENDED,
    Effective.RETIRED: ObservedStatus.RETIRED,
    Effective.HELD: ObservedStatus.SUSPENDED,
    Effective.SUSPENDED: ObservedStatus.SUSPENDED,
    Effective.PENDING: ObservedStatus.PENDING,
    Effective.EXPIRED: ObservedStatus.EXPIRED,
    Effective.AVAILABLE: ObservedStatus.AVAILABLE,
}


def observed_status(effective: Effective) -> ObservedStatus:
    """How status tells an effective status: being held, or on the way out, is being suspended."""
    return _OBSERVED[effective]
