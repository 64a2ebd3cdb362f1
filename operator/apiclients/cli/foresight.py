"""What the operator would decide about a client, now and later: its own ``decide``, on what can be read without
its Secret, which is taken for what status last said of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from apiclients.cli.gather import Around
from apiclients.kube.objects import JsonObject
from apiclients.lifecycle.client import Decision, decide
from apiclients.lifecycle.contracts import contracts_of_client, summarize
from apiclients.lifecycle.credentials import Cause, current
from apiclients.lifecycle.holds import holding
from apiclients.lifecycle.manifest import APPLIED_ANNOTATION, applied_hash, labels
from apiclients.lifecycle.observation import (
    NO_CONTRACTS,
    Issuer,
    Observed,
    Owner,
    SecretAbsent,
    SecretMetadata,
    SecretSeen,
)
from apiclients.lifecycle.steps import CreateSecret, DeleteSecret, ReplaceSecret, Step
from apiclients.resources.apiclient import ApiClientStatus, ClientContracts
from apiclients.resources.conditions import Condition, ConditionType, Reason
from apiclients.resources.fields import format_time
from apiclients.resources.objects import ApiClient, ApiClientHold

#: Nothing that is decided here depends on it.
_ISSUER = Issuer("https://unknown.invalid")

_CAUSES = {
    Cause.FIRST: "it has none",
    Cause.MISSING: "the Secret is gone",
    Cause.RENAMED: "spec.secret.name changed",
    Cause.EDITED: "somebody changed the Secret",
    Cause.REVISION: "spec.secret.revision changed",
    Cause.REQUEST: "a rotation was requested",
    Cause.AGE: "it grows old",
}


@dataclass(frozen=True, slots=True)
class Coming:
    """One thing that will happen unless something changes, and when."""

    time: datetime
    what: str


def observed(
    client: ApiClient,
    contracts: ClientContracts,
    holds: Iterable[ApiClientHold],
    now: datetime,
) -> Observed:
    """What the operator observes, so far as it can be known here."""
    known = current(client.status.credentials)
    return Observed(
        client=client,
        secret=_assumed_secret(client),
        issuer=_ISSUER,
        peppers=(known.pepper,) if known is not None else ("unknown",),
        contracts=contracts,
        contracts_proved=True,
        holds=tuple(holding(holds, client.metadata, now)),
    )


def counted(raw_contracts: Sequence[JsonObject], client: ApiClient, *, known: bool) -> ClientContracts:
    """The client's contracts; as status counts them when they could not be read."""
    if not known:
        return client.status.contracts or NO_CONTRACTS
    return contracts_of_client({obj["metadata"]["name"]: summarize(obj) for obj in raw_contracts})


def of_client(around: Around) -> Observed:
    """What the operator observes of the client that a screen is about."""
    unread = any("contracts" in text for text in around.missing)
    contracts = counted(around.raw_contracts, around.client, known=not unread)
    return observed(around.client, contracts, around.holds, around.now)


def effective(seen: Observed, now: datetime) -> Condition:
    """The effective status and why: the condition Active as the operator would write it now."""
    return _condition(decide(seen, now).status, ConditionType.ACTIVE) or _unknown(now)


def coming(seen: Observed, now: datetime, *, most: int = 6) -> tuple[Coming, ...]:
    """What happens next, in order, until the next new secret, or as far as is foreseen."""
    found: list[Coming] = []
    time, decision = now, decide(seen, now)
    if sentence := _step_sentence(decision.step):
        return (Coming(now, sentence),)
    while decision.due is not None and len(found) < most:
        time = decision.due
        seen = _later(seen, decision.status, time)
        before, decision = decision, decide(seen, time)
        found += [Coming(time, what) for what in _changes(before, decision)]
        if isinstance(decision.step, CreateSecret | ReplaceSecret):
            break
    return tuple(found[:most])


def _later(seen: Observed, status: ApiClientStatus, time: datetime) -> Observed:
    client = replace(seen.client, status=status)
    holds = tuple(holding(seen.holds, client.metadata, time))
    return replace(seen, client=client, holds=holds, secret=_assumed_secret(client))


def _changes(before: Decision, after: Decision) -> list[str]:
    old, new = before.status, after.status
    told = [f"Hold {name} ends" for name in _gone(old, new)]
    ended = {c.id for c in old.credentials} - {c.id for c in new.credentials}
    told += [f"Credential #{number} ends" for number in sorted(ended)]
    if old.tokens is not None and new.tokens is not None and new.tokens.not_before > old.tokens.not_before:
        told.append(f"Every token issued before {format_time(new.tokens.not_before)} is dead for good")
    active_before, active = _condition(old, ConditionType.ACTIVE), _condition(new, ConditionType.ACTIVE)
    if active is not None and active_before is not None and active.reason != active_before.reason:
        told.append(f"The client turns {active.reason}")
    if _turned_true(old, new, ConditionType.EXPIRING_SOON):
        told.append("The secret counts as expiring soon")
    if _expired(new) and not _expired(old):
        told.append("The secret expires")
    sentence = _step_sentence(after.step)
    return [*told, sentence] if sentence else told


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
        case DeleteSecret(name=name):
            return f"The operator deletes Secret {name}"
        case _:
            return None


def _assumed_secret(client: ApiClient) -> SecretSeen:
    """The Secret as status last found it right; absent where status speaks of none, or says that it is gone."""
    status, known = client.status, current(client.status.credentials)
    ready = _condition(status, ConditionType.SECRET_READY)
    gone = ready is not None and ready.reason == Reason.SECRET_MISSING
    if known is None or status.secret is None or status.secret.name != client.secret_name or gone:
        return SecretAbsent()
    template = client.spec.secret.template
    return SecretMetadata(
        namespace=client.metadata.namespace,
        name=status.secret.name,
        uid="unknown",
        resource_version=status.secret.resource_version,
        owner=Owner("ApiClient", client.metadata.name, client.metadata.uid),
        labels=labels(client),
        annotations={**template.annotations, APPLIED_ANNOTATION: applied_hash(client, _ISSUER, template)},
    )


def _condition(status: ApiClientStatus, kind: ConditionType) -> Condition | None:
    return next((c for c in status.conditions if c.type == kind), None)


def _unknown(now: datetime) -> Condition:
    return Condition(type=ConditionType.ACTIVE, status="Unknown", reason=Reason.PENDING, last_transition_time=now)
