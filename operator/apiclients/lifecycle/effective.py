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


@dataclass(frozen=True, slots=True)
class Say:
    """Everything that has a say in the effective status."""

    desired: DesiredStatus
    deleting: bool = False
    held: bool = False
    has_credential: bool = True
    expired: bool = False


def effective_status(say: Say) -> Effective:
    """The most restrictive of deletion, Retired, a hold, Suspended, then the clock, then Available."""
    chain = (
        (say.deleting, Effective.DELETING),
        (say.desired is DesiredStatus.RETIRED, Effective.RETIRED),
        (say.held, Effective.HELD),
        (say.desired is DesiredStatus.SUSPENDED, Effective.SUSPENDED),
        (not say.has_credential, Effective.PENDING),
        (say.expired, Effective.EXPIRED),
    )
    return next((status for applies, status in chain if applies), Effective.AVAILABLE)


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
