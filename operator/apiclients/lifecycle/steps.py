"""What a decision may ask to be done: at most one step at a time, after which is observed and decided again.

So stopping between any two steps converges to the same end.
"""

from dataclasses import dataclass

from apiclients.lifecycle.digests import Stamp


@dataclass(frozen=True, slots=True)
class ReadSecret:
    """GET the Secret: its bytes are not what status speaks of, or its absence must be confirmed."""

    name: str


@dataclass(frozen=True, slots=True)
class CreateSecret:
    """POST a Secret with new bytes. Somebody else's Secret of that name makes it fail, and is then read."""

    name: str
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class ReplaceSecret:
    """Apply new bytes onto the Secret at exactly this version."""

    name: str
    stamp: Stamp
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class RepairSecret:
    """Apply labels, annotations and public data again around the same bytes, at exactly this version."""

    name: str
    stamp: Stamp
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class DeleteSecret:
    """Delete exactly this Secret: with its UID and version as preconditions."""

    name: str
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class ProveContracts:
    """List the client's contracts anew, consistently: a retirement is about to be accepted."""


SecretStep = ReadSecret | CreateSecret | ReplaceSecret | RepairSecret | DeleteSecret
Step = ProveContracts | SecretStep
