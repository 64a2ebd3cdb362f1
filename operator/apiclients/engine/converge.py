"""The loop: decide, do one step, observe again. The steps are carried out by whoever runs it.

``converge`` is a generator: it yields a step and is sent what came of it. The operator sends what the API server
answers, the plan what its own memory says; neither decides anything.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from apiclients.engine.observe import Observer
from apiclients.lifecycle.apis import api_announcements, decide_api
from apiclients.lifecycle.approvals import decide_approval
from apiclients.lifecycle.client import Decision, decide
from apiclients.lifecycle.contract_view import ContractView, contracts_of_client
from apiclients.lifecycle.contracts import contract_due, decide_contract
from apiclients.lifecycle.history import Announcement, announcements, condition_announcements
from apiclients.lifecycle.holds import decide_hold
from apiclients.lifecycle.issuers import decide_issuer
from apiclients.lifecycle.observation import Observed, SecretMetadata, SecretRead, SecretSeen, secret_name
from apiclients.lifecycle.overlaps import unneeded_announcement
from apiclients.lifecycle.steps import DeleteSecret, ProveContracts, ReadSecret, Step
from apiclients.resources.api import ContractCounts
from apiclients.resources.approval import ContractApprovalStatus
from apiclients.resources.contract import ContractStatus
from apiclients.resources.fields import Model
from apiclients.resources.hold import ApiClientHoldStatus
from apiclients.resources.objects import (
    AnyObject,
    Api,
    ApiClient,
    ApiClientHold,
    Contract,
    ContractApproval,
    TokenIssuer,
)
from apiclients.resources.tokenissuer import TokenIssuerStatus

#: More steps than any honest path of one client has; whoever needs more fights with somebody over the Secret.
MOST_STEPS = 16


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step could not be done. The message is for status, and does not change from try to try.

    No answer to ProveContracts: whoever cannot list the contracts ends the run and begins a new one later.
    """

    message: str


#: The answer to ProveContracts: all contracts of a client, or those of an Api counted, from a fresh, consistent list.
ListedContracts = tuple[ContractView, ...] | ContractCounts
StepResult = SecretSeen | ListedContracts | StepFailed


@dataclass(frozen=True, slots=True)
class Converged:
    """Where an object has got to: the status to write, and the Events of it."""

    status: Model
    announcements: tuple[Announcement, ...]
    #: When to look again, if nothing changes before.
    due: datetime | None = None
    #: Why a step failed; it has to be tried again.
    failure: str | None = None


_StatusOfConditions = ContractStatus | ContractApprovalStatus | ApiClientHoldStatus | TokenIssuerStatus

Convergence = Generator[Step, StepResult, Converged | None]


def converge(obj: AnyObject, observer: Observer, clock: Callable[[], datetime]) -> Convergence:
    """Bring one object to where it should be; returns None where there is nothing to decide about it.

    Yields a step, is sent its result. Nothing is kept between two runs, so stopping anywhere converges to the same end.
    """
    converged = yield from _converge(obj, observer, clock)
    repeated = obj.status.repeated_time
    if converged is None or repeated is None:
        return converged
    return replace(converged, status=converged.status.model_copy(update={"repeated_time": repeated}))


def _converge(obj: AnyObject, observer: Observer, clock: Callable[[], datetime]) -> Convergence:
    match obj:
        case ApiClient():
            return (yield from _client(obj, observer, clock))
        case _ if obj.metadata.deleting:
            return None
        case Api():
            return (yield from _api(obj, observer, clock))
        case Contract():
            observed, now = observer.contract(obj), clock()
            if observed is None:
                return None  # what status says stays (rule 32)
            due = contract_due(obj, now, clock_trusted=observed.clock_trusted)
            return _of_conditions(obj, decide_contract(observed, now), due)
        case ContractApproval():
            seen = observer.approval(obj)
            if seen is None:
                return None  # what status says stays (rule 32)
            rulings = (seen.decisive,) if seen.decisive is not None else ()
            return _of_conditions(obj, decide_approval(obj, seen.contract, rulings, seen.parties, clock()))
        case ApiClientHold():
            clients = observer.relations.clients_of_hold((obj.metadata.namespace, obj.metadata.name))
            judge = partial(decide_hold, clock_trusted=observer.clock_trusted(), gates_lacking=observer.gates_lacking())
            decision = judge(obj, clients, clock())
            return _of_conditions(obj, decision.status, decision.due)
        case TokenIssuer():
            others = observer.relations.identities.issuers()
            decided = decide_issuer(obj, observer.fetched(obj), others, observer.issuer.url, clock())
            return _of_conditions(obj, decided.status, decided.due) if decided is not None else None


def _client(client: ApiClient, observer: Observer, clock: Callable[[], datetime]) -> Convergence:
    observed = observer.client(client, clock())
    for _ in range(MOST_STEPS):
        decision = decide(observed, clock())
        if decision.step is None:
            return _of_client(observed, decision)
        result = yield decision.step
        if isinstance(result, StepFailed):
            if isinstance(decision.step, ProveContracts):
                raise TypeError("without a proof nothing is decided: the retirement is not accepted (rule 9)")
            return _client_failed(observed, clock(), result.message)
        observed = _after(observed, decision.step, result)
    failure = f"Secret {client.secret_name} keeps changing while it is written. The operator is still retrying"
    return _client_failed(observed, clock(), failure)


def _client_failed(observed: Observed, now: datetime, failure: str) -> Converged:
    decision = decide(observed, now, failure=failure)
    return replace(_of_client(observed, decision), failure=failure)


def _after(observed: Observed, step: Step, result: SecretSeen | ListedContracts) -> Observed:
    """What is observed once a step was done."""
    if isinstance(result, tuple):
        return replace(observed, contracts=contracts_of_client(result), contracts_proved=True)
    if isinstance(result, ContractCounts):
        raise TypeError("a client's contracts are proved by a list, not by counts")
    if isinstance(step, ReadSecret | DeleteSecret) and step.name != observed.client.secret_name:
        return replace(observed, other_secrets=_others_after(observed, step.name, result))
    return replace(observed, secret=result)


def _others_after(observed: Observed, name: str, result: SecretSeen) -> tuple[SecretMetadata | SecretRead, ...]:
    """The other Secrets of a client, of which one was read anew.

    One that is gone keeps its place, as one that goes: no further one is looked at in this run instead.
    """
    others = {secret_name(other): other for other in observed.other_secrets}
    known = others[name]
    gone = replace(known.metadata if isinstance(known, SecretRead) else known, deleting=True)
    others[name] = result if isinstance(result, SecretRead) else gone
    return tuple(others.values())


def _api(api: Api, observer: Observer, clock: Callable[[], datetime]) -> Convergence:
    contracts = observer.api_contracts((api.metadata.namespace, api.metadata.name))
    judge = partial(decide_api, api, issuer=observer.issuer.url, clock_trusted=observer.clock_trusted())
    decision = judge(contracts, now=clock())
    if decision.needs_proof:
        counts = yield ProveContracts()
        if not isinstance(counts, ContractCounts):
            raise TypeError("an Api's contracts are proved by counts")
        decision = judge(replace(contracts, counts=counts), now=clock(), proved=True)
    return Converged(decision.status, tuple(api_announcements(api.status, decision.status)), decision.due)


def _of_client(observed: Observed, decision: Decision) -> Converged:
    times = [time for time in (decision.due, decision.look_again) if time is not None]
    told = announcements(observed.client.status, decision.status)
    told += [unneeded_announcement(overlap, observed.reports) for overlap in decision.unneeded]
    return Converged(decision.status, tuple(told), min(times, default=None))


def _of_conditions(
    obj: Contract | ContractApproval | ApiClientHold | TokenIssuer,
    status: _StatusOfConditions,
    due: datetime | None = None,
) -> Converged:
    return Converged(status, tuple(condition_announcements(obj.status.conditions, status.conditions)), due)
