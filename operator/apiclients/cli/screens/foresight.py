"""What the operator would decide about a client, now and later: its own ``decide``, on what can be read without
its Secret, which is taken for what status last said of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from apiclients.cli.cluster.gather import Around
from apiclients.cli.cluster.unread import may_not_read
from apiclients.kube.kinds import CONTRACTS
from apiclients.lifecycle.client import Decision, decide
from apiclients.lifecycle.credentials import Cause
from apiclients.lifecycle.holds import HoldView, holding
from apiclients.lifecycle.observation import NO_CONTRACTS, Observed, SecretAbsent, SecretMetadata
from apiclients.lifecycle.steps import CreateSecret, ReplaceSecret, Step
from apiclients.plan.assumptions import assume_issuers
from apiclients.plan.world import World
from apiclients.resources.apiclient import ApiClientStatus
from apiclients.resources.conditions import Condition, ConditionType, Reason
from apiclients.resources.fields import format_time
from apiclients.resources.objects import AnyObject, ApiClient, ApiClientHold, Contract

_CAUSES = {
    Cause.FIRST: "it has none",
    Cause.MISSING: "the Secret is gone",
    Cause.RENAMED: "spec.secret.name changed",
    Cause.EDITED: "somebody changed the Secret",
    Cause.REVISION: "spec.secret.revision changed",
    Cause.REQUEST: "a rotation was requested",
    Cause.REVOKED: "the one before is revoked (spec.secret.notBefore)",
    Cause.AGE: "it grows old",
}


class ComingKind(StrEnum):
    """What kind of thing will happen."""

    CREDENTIAL = "CredentialEnds"
    EXPIRY = "SecretExpires"
    HOLD = "HoldEnds"
    REMINDER = "ExpiringSoon"
    RETIREMENT = "RetirementFinal"
    REVOCATION = "TokensRevoked"
    ROTATION = "SecretIssued"
    SECRET = "SecretDeleted"
    STATUS = "StatusChanges"


@dataclass(frozen=True, slots=True)
class Coming:
    """One thing that will happen unless something changes, and when."""

    time: datetime
    what: str
    kind: ComingKind


def observed(
    client: ApiClient,
    contracts: Iterable[Contract] | None,
    holds: Iterable[ApiClientHold],
    now: datetime,
    unreadable_holds: Iterable[HoldView] = (),
) -> Observed:
    """What the operator observes, so far as it can be known here. ``contracts`` None: as status counts them."""
    world = World(now, None)
    objects: list[AnyObject] = [client, *(contracts or ()), *holds]
    for obj in objects:
        world.put(obj)
    for hold in unreadable_holds:
        world.relations.put_hold((hold.namespace, hold.name), hold, readable=False)
    assume_issuers(world, (), (), None)
    world.shelf.assume(client)
    seen = replace(
        world.observer.client(client, now),
        contracts_proved=True,
        other_secrets=(),
        clock_trusted=not _says(client, Reason.CLOCK_SKEW),
    )
    if not isinstance(seen.secret, SecretMetadata) or _secret_is_gone(client):
        seen = replace(seen, secret=SecretAbsent())
    return seen if contracts is not None else replace(seen, contracts=client.status.contracts or NO_CONTRACTS)


def of_client(around: Around) -> Observed:
    """What the operator observes of the client that a screen is about."""
    known = not may_not_read(around.unread, CONTRACTS)
    contracts = around.contracts if known else None
    return observed(around.client, contracts, around.holds, around.now, around.unreadable_holds)


def effective(seen: Observed, now: datetime) -> Condition:
    """The effective status and why: the condition Active as the operator would write it now."""
    return _condition(decide(seen, now).status, ConditionType.ACTIVE) or _unknown(now)


def coming(seen: Observed, now: datetime, *, most: int = 6) -> tuple[Coming, ...]:
    """What happens next, in order, until the next new secret, or as far as is foreseen."""
    found: list[Coming] = []
    time, decision = now, decide(seen, now)
    if sentence := _step_sentence(decision.step):
        return (Coming(now, sentence, ComingKind.ROTATION),)
    while decision.due is not None and len(found) < most:
        time = decision.due
        seen = _later(seen, decision.status, time)
        before, decision = decision, decide(seen, time)
        found += [Coming(time, what, kind) for kind, what in _changes(before, decision)]
        if isinstance(decision.step, CreateSecret | ReplaceSecret):
            break
    return tuple(found[:most])


def _later(seen: Observed, status: ApiClientStatus, time: datetime) -> Observed:
    client = replace(seen.client, status=status)
    then = observed(client, None, (), time)
    return replace(then, contracts=seen.contracts, holds=tuple(holding(seen.holds, client.metadata, time)))


def _changes(before: Decision, after: Decision) -> list[tuple[ComingKind, str]]:
    lines = [*_ends(before.status, after.status), *_turns(before.status, after.status)]
    sentence = _step_sentence(after.step)
    return [*lines, (ComingKind.ROTATION, sentence)] if sentence else lines


def _ends(old: ApiClientStatus, new: ApiClientStatus) -> list[tuple[ComingKind, str]]:
    """What is over from then on."""
    lines = [(ComingKind.HOLD, f"Hold {name} ends") for name in _gone(old, new)]
    ended = {c.id for c in old.credentials} - {c.id for c in new.credentials}
    lines += [(ComingKind.CREDENTIAL, f"Credential #{number} ends") for number in sorted(ended)]
    if old.tokens is not None and new.tokens is not None and new.tokens.not_before > old.tokens.not_before:
        if new.retirement is not None and new.tokens.not_before >= new.retirement.final_time:
            lines.append((ComingKind.RETIREMENT, "The retirement becomes final"))
        revoked = f"Every token issued before {format_time(new.tokens.not_before)} is revoked for good"
        lines.append((ComingKind.REVOCATION, revoked))
    return lines


def _turns(old: ApiClientStatus, new: ApiClientStatus) -> list[tuple[ComingKind, str]]:
    """What is otherwise from then on."""
    lines = []
    active_before, active = _condition(old, ConditionType.ACTIVE), _condition(new, ConditionType.ACTIVE)
    if active is not None and active_before is not None and active.reason != active_before.reason:
        lines.append((ComingKind.STATUS, f"The client turns {active.reason}"))
    if _turned_true(old, new, ConditionType.EXPIRING_SOON):
        lines.append((ComingKind.REMINDER, "The secret counts as expiring soon"))
    if _expired(new) and not _expired(old):
        lines.append((ComingKind.EXPIRY, "The secret expires"))
    if _deletes(new) and not _deletes(old) and old.secret is not None:
        lines.append((ComingKind.SECRET, f"The operator deletes Secret {old.secret.name}"))
    return lines


def _deletes(status: ApiClientStatus) -> bool:
    """Whether the Secret has to go, which the operator reads before it deletes it."""
    ready = _condition(status, ConditionType.SECRET_READY)
    return ready is not None and ready.reason == Reason.SECRET_DELETING


def _gone(old: ApiClientStatus, new: ApiClientStatus) -> list[str]:
    return sorted({hold.name for hold in old.holds} - {hold.name for hold in new.holds})


def _turned_true(old: ApiClientStatus, new: ApiClientStatus, kind: ConditionType) -> bool:
    before, after = _condition(old, kind), _condition(new, kind)
    return before is not None and after is not None and before.status == "False" and after.status == "True"


def _expired(status: ApiClientStatus) -> bool:
    soon = _condition(status, ConditionType.EXPIRING_SOON)
    return soon is not None and soon.reason == Reason.EXPIRED


def _step_sentence(step: Step | None) -> str | None:
    match step:
        case CreateSecret(stamp=stamp) | ReplaceSecret(stamp=stamp):
            return f"The operator issues a new secret, because {_CAUSES.get(Cause(stamp.cause), stamp.cause)}"
        case _:
            return None


def _secret_is_gone(client: ApiClient) -> bool:
    """Whether status says that the Secret is missing."""
    ready = _condition(client.status, ConditionType.SECRET_READY)
    return ready is not None and ready.reason == Reason.SECRET_MISSING


def _says(client: ApiClient, reason: Reason) -> bool:
    """Whether a condition holds back what the operator would do otherwise."""
    return any(c.reason == reason and c.status == "True" for c in client.status.conditions)


def _condition(status: ApiClientStatus, kind: ConditionType) -> Condition | None:
    return next((c for c in status.conditions if c.type == kind), None)


def _unknown(now: datetime) -> Condition:
    return Condition(type=ConditionType.ACTIVE, status="Unknown", reason=Reason.PENDING, last_transition_time=now)
