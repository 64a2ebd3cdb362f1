"""What ``explain`` says: why a client is not ready, what happens next, and what exactly would unblock it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from apiclients.cli.cluster.gather import Around
from apiclients.cli.screens import before_hold
from apiclients.cli.screens.advice import Advice, advice_for_client, advice_for_contract
from apiclients.cli.screens.contracts import condition, contract_line
from apiclients.cli.screens.foresight import Coming, coming, effective, of_client
from apiclients.cli.screens.overlapping import overlap_sentences
from apiclients.cli.screens.status import effective_mark, stopping
from apiclients.cli.screens.text import Mark, age, last_used
from apiclients.lifecycle.observation import Observed
from apiclients.resources.conditions import Condition, ConditionType
from apiclients.resources.fields import parse_time
from apiclients.resources.objects import Contract

#: An operator whose Lease is older than this is not at work.
_LEASE_STALE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class ExplainView:
    """The whole answer."""

    namespace: str
    name: str
    effective_status: str
    mark: Mark
    #: Yes, no, or not known yet.
    ready: bool | None
    reason: str | None
    #: Sentences: why it is as it is.
    why: tuple[str, ...]
    next: tuple[Coming, ...]
    #: What to do; empty when nothing needs to be done.
    unblock: tuple[Advice, ...]
    missing: tuple[str, ...]
    now: datetime


def explain_view(around: Around) -> ExplainView:
    """The answer about a client, from what was read."""
    client, seen = around.client, of_client(around)
    standing = effective(seen, around.now)
    ready = condition(client.status.conditions, ConditionType.READY)
    unseen = client.status.observed_generation != client.metadata.generation and not _reconciling(around)
    settled = ready is not None and not unseen
    advice = advice_for_client(around.client, seen, standing, ready if settled else None, around.now)
    if unseen:
        advice = (_operator_advice(around), *advice)
    advice = (*_leak_advice(around, seen), *advice)
    waiting = [advice_for_contract(c) for c in around.contracts]
    return ExplainView(
        namespace=client.metadata.namespace,
        name=client.metadata.name,
        effective_status=standing.reason,
        mark=effective_mark(standing.reason),
        ready=None if unseen or ready is None else ready.status == "True",
        reason=ready.reason if settled and ready is not None else None,
        why=_why(around, standing, ready, unseen=unseen),
        next=coming(seen, around.now),
        unblock=(*advice, *(one for one in waiting if one is not None)),
        missing=tuple(map(str, around.unread)),
        now=around.now,
    )


def _why(around: Around, standing: Condition, ready: Condition | None, *, unseen: bool) -> tuple[str, ...]:
    status, lines = around.client.status, [standing.message]
    if unseen:
        lines.append(
            f"The operator has not reconciled generation {around.client.metadata.generation} of spec yet; status is "
            f"of generation {status.observed_generation}. {_operator(around)}"
        )
    elif ready is not None and ready.status == "True" and ready.reason != standing.reason:
        lines.append(f"Status still says {ready.reason}: the operator has not caught up. {_operator(around)}")
    elif ready is not None and ready.message not in lines:
        lines.append(ready.message)
    secret = condition(status.conditions, ConditionType.SECRET_READY)
    if secret is not None and secret.status != "True" and not any(secret.message.rstrip(".") in one for one in lines):
        lines.append(secret.message)
    lines += [f"Contract {line.name}: {line.problem}" for line in map(contract_line, around.contracts) if line.problem]
    return (*lines, *overlap_sentences(around), *_ending_contracts(around), *_young_contracts(around))


def _ending_contracts(around: Around) -> list[str]:
    """Contracts that end by themselves within the time of the reminder."""
    soon = ((one, condition(one.status.conditions, ConditionType.EXPIRING_SOON)) for one in around.contracts)
    told = ((one, seen) for one, seen in soon if seen is not None)
    return [f"Contract {one.metadata.name}: {seen.message} {_last_use(one, around.now)}".rstrip() for one, seen in told]


def _last_use(contract: Contract, now: datetime) -> str:
    """When it was last used, where gates have said so."""
    known = contract.status.last_used_time
    return f"It was last used {last_used(known, now)} ago." if known is not None else ""


def _young_contracts(around: Around) -> list[str]:
    """Contracts that are younger than a token may be: who holds an older one gets 401 until he asks for another."""
    lifetime, found = around.client.spec.tokens.lifetime, []
    for contract in around.contracts:
        active = condition(contract.status.conditions, ConditionType.ACTIVE)
        if active is None or active.status != "True" or around.now - active.last_transition_time >= lifetime:
            continue
        api, since = contract.spec.api, age(active.last_transition_time, around.now)
        found.append(
            f"Contract {contract.metadata.name} came into force {since} ago: a token from before is not for Api "
            f"{api.namespace}/{api.name} and gets 401 there, until the caller asks for a new one."
        )
    return found


def _leak_advice(around: Around, seen: Observed) -> tuple[Advice, ...]:
    """Before a release, and after one: whoever had a secret then, has it still."""
    holds = stopping(around, seen)
    found = before_hold.survivors(around.client, seen, holds, around.now)
    if not found:
        return ()
    problem = before_hold.sentence(found, held=bool(seen.holds))
    what = f"If it may have leaked, end it for good{', before the release' if seen.holds else ''}:"
    return (Advice(problem, what, before_hold.snippet(around.client, around.now)),)


def _reconciling(around: Around) -> bool:
    """Whether the operator is at it: then conditions are of this generation, and only the root lags (rule 24)."""
    found = condition(around.client.status.conditions, ConditionType.RECONCILING)
    return found is not None and found.observed_generation == around.client.metadata.generation


def _operator(around: Around) -> str:
    renewed = _renewed(around)
    if renewed is None:
        return "Whether an operator runs is not known."
    if around.now - renewed > _LEASE_STALE:
        return f"No operator is running: its Lease was last renewed {age(renewed, around.now)} ago."
    return f"The operator is running: its Lease was renewed {age(renewed, around.now)} ago."


def _renewed(around: Around) -> datetime | None:
    spec = (around.operator or {}).get("spec") or {}
    return parse_time(spec["renewTime"]) if spec.get("renewTime") and spec.get("holderIdentity") else None


def _operator_advice(around: Around) -> Advice:
    renewed = _renewed(around)
    if renewed is not None and around.now - renewed <= _LEASE_STALE:
        return Advice(
            "The operator is about to reconcile it", "Wait a few seconds; if nothing changes, look at its log."
        )
    return Advice("The operator has to run", "Check it.", ("kubectl apiclient doctor",))
