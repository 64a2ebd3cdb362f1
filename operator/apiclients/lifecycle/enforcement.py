"""Whether every living gate obeys what is desired of a client: the condition Enforced (DESIGN rule 28).

What has to be obeyed is the desired status in force, the holds and ``status.tokens.notBefore``: the *desired state*. A
gate refuses as soon as its picture has the spec or the hold, and lets in again as soon as it has the status (rule 16).
So of a refusal the operator waits for the version that it has looked at, and of a resumption for that of its own
status. What every gate has obeyed once it goes on obeying: one that starts later lists before it answers. So what was
reported stays until the desired state is another one, and neither a gate that comes or goes nor a restart of the
operator writes a status.

resourceVersions of one kind grow with every change and are compared as integers (Kubernetes 1.35 promises it).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from apiclients.lifecycle.access import ClientView, standing
from apiclients.lifecycle.condition_state import ConditionState
from apiclients.lifecycle.effective import ACCEPTS_TOKENS
from apiclients.lifecycle.features import NO_FEATURES, Feature
from apiclients.lifecycle.replicas import Replica, enumerated
from apiclients.resources.apiclient import ApiClientStatus, DesiredStatus, EnforcementStatus, ObservedStatus
from apiclients.resources.conditions import Condition, ConditionType, Reason
from apiclients.resources.objects import ApiClient

#: Under these every gate refuses; under all others it lets in, once there is a credential.
REFUSED = frozenset({ObservedStatus.SUSPENDED, ObservedStatus.RETIRED})
#: The gates that are behind are named when the wait begins, and once more if it lasts longer than any Lease does that
#: nobody renews: so a wait seldom costs a write of its own.
NAMED_AGAIN = timedelta(seconds=30)
#: No version of an object is as high: the one to wait for is not written yet.
_NOT_WRITTEN = 2**64


@dataclass(frozen=True, slots=True)
class LivingGates:
    """The gates whose Leases are good, and the names of those whose Lease has ended without a goodbye.

    A Lease is good for at least as long as its gate may answer without a proof (rule 17): one whose Lease has ended is
    dead, or refuses everything. ``--fail-static`` is the exception that its operators have chosen.
    """

    living: tuple[Replica, ...] = ()
    lost: tuple[str, ...] = ()


def living_gates(gates: Iterable[Replica], now: datetime) -> LivingGates:
    """The gates as they are now, by name."""
    known = sorted(gates, key=lambda gate: gate.name)
    return LivingGates(
        tuple(gate for gate in known if gate.alive(now)), tuple(gate.name for gate in known if not gate.alive(now))
    )


def next_end(gates: Iterable[Replica], now: datetime) -> datetime | None:
    """When the first Lease of the living gates ends, unless it is renewed."""
    ends = (gate.ends for gate in gates if gate.alive(now))
    return min((end for end in ends if end is not None), default=None)


@dataclass(frozen=True, slots=True)
class Awaited:
    """What a gate has to have in its picture to obey a desired state."""

    #: Whether the desired state is to refuse; otherwise it is to let in.
    refuses: bool
    client_version: int = 0
    holds_version: int = 0
    #: The fields that only newer gates obey (rule 33).
    features: frozenset[Feature] = NO_FEATURES


@dataclass(frozen=True, slots=True)
class Reached:
    """Up to which versions of clients and of holds a desired state is obeyed."""

    clients: int
    holds: int


_NOTHING = Reached(-1, -1)
_EVERYTHING = Reached(_NOT_WRITTEN, _NOT_WRITTEN)


def reached_by(gate: Replica, *, refuses: bool) -> Reached:
    """How far a living gate refuses, or lets in. One that answers 503 to everything refuses, and lets nobody in."""
    if gate.refuses_all:
        return _EVERYTHING if refuses else _NOTHING
    if not refuses and not gate.ready:
        return _NOTHING
    return Reached(gate.applied_clients, gate.applied_holds)


def reached(gates: LivingGates, *, refuses: bool) -> Reached:
    """How far all living gates refuse, or let in; nothing is reached while there is none (DESIGN rule 28)."""
    each = [reached_by(gate, refuses=refuses) for gate in gates.living] or [_NOTHING]
    return Reached(min(gate.clients for gate in each), min(gate.holds for gate in each))


def obeyed_by(gate: Replica, awaited: Awaited) -> bool:
    """Whether a living gate obeys."""
    seen = reached_by(gate, refuses=awaited.refuses)
    in_view = seen.clients >= awaited.client_version and seen.holds >= awaited.holds_version
    return in_view and gate.obeys >= awaited.features


@dataclass(frozen=True, slots=True)
class Sight:
    """What the operator knows beside the object when it judges."""

    gates: LivingGates
    #: Of the last change of a hold in the namespace, as far as this operator has seen one.
    holds_version: int = 0
    #: At which version the operator first saw the status that the client has.
    status_version: int = 0


@dataclass(frozen=True, slots=True)
class DesiredState:
    """What the gates have to obey of a client; all of it stands in its status."""

    desired: DesiredStatus | None
    holds: frozenset[str]
    not_before: datetime | None


def desired_state_of(status: ApiClientStatus) -> DesiredState:
    """The desired state that a status tells of."""
    not_before = status.tokens.not_before if status.tokens is not None else None
    return DesiredState(status.desired_status, frozenset(hold.name for hold in status.holds), not_before)


def awaited_of(
    known: EnforcementStatus, status_version: int, *, refuses: bool, features: frozenset[Feature]
) -> Awaited:
    """What a status says that a gate has to have; ``status_version`` is that at which the status itself was seen."""
    version = int(known.client_version) if known.client_version is not None else status_version
    return Awaited(refuses, version, int(known.holds_version or 0), features)


@dataclass(frozen=True, slots=True)
class Enforcement:
    """What status is to say of it, and when to look again."""

    status: EnforcementStatus | None
    condition: ConditionState | None
    look_again: datetime | None = None


def enforcement(
    client: ApiClient,
    desired_state: DesiredState,
    sight: Sight | None,
    now: datetime,
    *,
    refuses: bool,
    accepted: bool = True,
    features: frozenset[Feature] = NO_FEATURES,
) -> Enforcement:
    """Judge. ``accepted`` is False while spec desires what is not in force; ``sight`` None: nobody knows the gates.

    What an operator of an earlier release has written in between, which keeps this part as it was, is judged anew.
    """
    known, reported = client.status.enforcement, _reported(client.status)
    if sight is None:
        return Enforcement(known, _unchanged(reported))
    if not accepted:
        message = "What spec desires is not in force, so no gate obeys it: see the condition Stalled."
        return Enforcement(None, ConditionState(False, Reason.ACKNOWLEDGEMENT_REQUIRED, message))
    by_us = known is not None and known.generation == client.status.desired_generation
    if known is None or reported is None or not by_us or desired_state != desired_state_of(client.status):
        return _begin(client, desired_state, sight, now, refuses=refuses, features=features)
    known = known.model_copy(update={"generation": client.metadata.generation})
    if known.time is not None:
        return Enforcement(known, _unchanged(reported))
    awaited = awaited_of(known, sight.status_version, refuses=refuses, features=features)
    judged = _judge(known, awaited, sight.gates, now)
    if judged.condition is not None and not judged.condition.holds and now < known.seen_time + NAMED_AGAIN:
        return Enforcement(known, _unchanged(reported), known.seen_time + NAMED_AGAIN)
    return judged


def _begin(
    client: ApiClient,
    desired_state: DesiredState,
    sight: Sight,
    now: datetime,
    *,
    refuses: bool,
    features: frozenset[Feature],
) -> Enforcement:
    """A new desired state. Where the gates have it already, the status that is written anyway says so."""
    version = None if _by_status(client, desired_state, refuses) else client.metadata.resource_version or None
    begun = EnforcementStatus(
        generation=client.metadata.generation,
        gates=0,
        living_gates=0,
        seen_time=now,
        client_version=version,
        holds_version=str(sight.holds_version) if sight.holds_version else None,
    )
    awaited = Awaited(refuses, int(version) if version is not None else _NOT_WRITTEN, sight.holds_version, features)
    return _judge(begun, awaited, sight.gates, now)


def _by_status(client: ApiClient, desired_state: DesiredState, refuses: bool) -> bool:
    """Whether gates learn it from the status that is about to be written, and not from what is there already.

    So it is where somebody who was refused is let in, and where the operator accepts what spec has said before.
    """
    before = client.status
    resumed = not refuses and before.observed_status in REFUSED
    same_spec = before.desired_generation == client.metadata.generation
    return resumed or (same_spec and before.desired_status not in (None, desired_state.desired))


def _judge(known: EnforcementStatus, awaited: Awaited, gates: LivingGates, now: datetime) -> Enforcement:
    behind = [gate for gate in gates.living if not obeyed_by(gate, awaited)]
    living = len(gates.living)
    counted = known.model_copy(update={"gates": living - len(behind), "living_gates": living})
    many = f"{counted.gates} of {counted.living_gates} gates"
    lost = f" Lost, for its Lease has ended: {enumerated(gates.lost)}." if gates.lost else ""
    again = known.seen_time + NAMED_AGAIN if now < known.seen_time + NAMED_AGAIN else None
    if not gates.living:
        message = f"No gate lives, so nobody can say that it is obeyed.{lost}"
        return Enforcement(counted, ConditionState(None, Reason.NO_GATES, message), again)
    if behind:
        names = enumerated([_named(gate, awaited) for gate in behind])
        return Enforcement(
            counted, ConditionState(False, Reason.WAITING, f"{many}; it waits for {names}.{lost}"), again
        )
    reached = counted.model_copy(update={"time": now, "client_version": _version(awaited, known)})
    when = f"{_span(now - known.seen_time)} after it was seen" if now > known.seen_time else "when it was seen"
    return Enforcement(reached, ConditionState(True, Reason.ENFORCED, f"{many}, {when}.{lost}"))


def _version(awaited: Awaited, known: EnforcementStatus) -> str | None:
    return str(awaited.client_version) if awaited.client_version < _NOT_WRITTEN else known.client_version


def _named(gate: Replica, awaited: Awaited) -> str:
    if not gate.obeys >= awaited.features:
        return f"{gate.name} (too old for a field of spec or hold)"
    return gate.name if gate.ready else f"{gate.name} (not ready)"


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _reported(status: ApiClientStatus) -> Condition | None:
    """What the condition says; None also for a reason that only a newer version knows."""
    known = (c for c in status.conditions if c.type == ConditionType.ENFORCED and c.reason in set(Reason))
    return next(known, None)


_HOLDS = {"True": True, "False": False, "Unknown": None}


def _unchanged(reported: Condition | None) -> ConditionState | None:
    return (
        ConditionState(_HOLDS[reported.status], Reason(reported.reason), reported.message)
        if reported is not None
        else None
    )


def refuses_or_resumes(before: ClientView, after: ClientView) -> bool:
    """Whether a gate obeys something else of a client than before: somebody may wait to hear of it."""
    return _obeyed(before) != _obeyed(after)


def _obeyed(client: ClientView) -> object:
    """What a gate obeys, leaving the clock out."""
    status = standing(client, 0.0)
    return None if status in ACCEPTS_TOKENS else status, client.spec_not_before, client.revoked_before
