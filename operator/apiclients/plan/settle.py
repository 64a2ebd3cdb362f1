"""Runs the operator's decisions on a world until nothing changes any more.

What the operator does with one object at a time, and its caches and writes between, is done here in memory; every
decision is a call into ``lifecycle``.
"""

from dataclasses import replace
from functools import partial

from apiclients.lifecycle.apis import ApiContracts, decide_api
from apiclients.lifecycle.approvals import decide_approval
from apiclients.lifecycle.client import decide
from apiclients.lifecycle.contracts import (
    ObservedContract,
    contract_counts,
    contracts_of_client,
    decide_contract,
    may_contract,
)
from apiclients.lifecycle.holds import decide_hold, hold_view, holding, matches
from apiclients.lifecycle.observation import Observed
from apiclients.lifecycle.steps import DeleteSecret, ProveContracts
from apiclients.plan.model import ObjectId
from apiclients.plan.secrets import ISSUER, pepper
from apiclients.plan.world import World, contract_of, is_active, key_of, parties, summary_of
from apiclients.resources.api import ContractCounts
from apiclients.resources.apiclient import ClientContracts
from apiclients.resources.objects import Api, ApiClient, ApiClientHold, Contract, ContractApproval

#: More steps than any honest path of one client has.
_MOST_STEPS = 8
#: How often one object is looked at before it counts as never settling.
_MOST_VISITS = 100


class UnsettledError(RuntimeError):
    """The decisions go in circles: a bug in them, or in this simulation."""


def settle(world: World) -> None:
    """Decide about everything that is queued, and what that concerns, until all is quiet. Raises UnsettledError."""
    visits: dict[ObjectId, int] = {}
    while (name := world.next()) is not None:
        visits[name] = visits.get(name, 0) + 1
        if visits[name] > _MOST_VISITS:
            raise UnsettledError(f"{name} does not settle")
        obj = world.objects.get(name)
        match obj:
            case ApiClient():
                _client(world, obj)
            case Contract() if not obj.metadata.deleting:
                _put(world, obj, decide_contract(observe_contract(world, obj), world.now))
            case Api() if not obj.metadata.deleting:
                _api(world, obj)
            case ContractApproval() if not obj.metadata.deleting:
                _approval(world, obj)
            case ApiClientHold() if not obj.metadata.deleting:
                _hold(world, obj)


def _put(world: World, obj: Contract, status: object) -> None:
    if status != obj.status:
        world.put_status(replace(obj, status=status))  # type: ignore[arg-type]


def _client(world: World, client: ApiClient) -> None:
    observed = observe_client(world, client)
    decision = decide(observed, world.now)
    for _ in range(_MOST_STEPS):
        if decision.step is None:
            break
        observed = _do(world, observed, decision.step)
        decision = decide(observed, world.now)
    if decision.status != client.status:
        world.put_status(replace(client, status=decision.status))


def _do(world: World, observed: Observed, step: object) -> Observed:
    if isinstance(step, ProveContracts):
        return replace(observed, contracts_proved=True)
    done = partial(world.shelf.do, client=observed.client)
    if isinstance(step, DeleteSecret) and step.name != observed.client.secret_name:
        done(step)
        return replace(observed, other_secrets=())
    return replace(observed, secret=done(step))  # type: ignore[arg-type]


def observe_client(world: World, client: ApiClient) -> Observed:
    """What a decision about a client looks at."""
    return Observed(
        client=client,
        secret=world.shelf.seen(client),
        issuer=ISSUER,
        peppers=(pepper(client),),
        other_secrets=world.shelf.others(client),
        contracts=contracts_of(world, client),
        holds=tuple(holding(world.holds_in(client.metadata.namespace), client.metadata, world.now)),
    )


def contracts_of(world: World, client: ApiClient) -> ClientContracts:
    """The client's contracts, counted."""
    found = world.contracts_of_client(key_of(client))
    return contracts_of_client({contract.metadata.name: summary_of(contract) for contract in found})


def observe_contract(world: World, contract: Contract) -> ObservedContract:
    """What a decision about a contract looks at."""
    client, api_key = parties(contract)
    api = world.api(api_key)
    namespace = contract.metadata.namespace
    allowed = api is not None and not api.metadata.deleting
    if api is not None and allowed:
        allowed = may_contract(api.spec.consumers, api_key[0], namespace, world.labels_of(namespace))
    return ObservedContract(
        contract=contract,
        client=world.client(client),
        api=api if allowed else None,
        approvals=world.approvals_of(key_of(contract)),
        rivals=world.rivals(contract),
        active_beside=world.active_contracts(client) - is_active(contract),
    )


def _api(world: World, api: Api) -> None:
    decision = decide_api(api, ApiContracts(api_counts(world, api)), ISSUER.url, world.now, clock_trusted=True)
    status = decision.status.model_copy(update={"audience": api.status.audience, "pending_contracts": []})
    if status != api.status:
        world.put_status(replace(api, status=status))


def api_counts(world: World, api: Api) -> ContractCounts:
    """The contracts that name an Api, counted; with those that lie where nobody looked."""
    seen = contract_counts(world.statuses_of_api(key_of(api)))
    unseen = world.unseen_contracts.get(key_of(api), 0)
    return seen.model_copy(update={"active": seen.active + unseen}) if unseen else seen


def _approval(world: World, approval: ContractApproval) -> None:
    named = contract_of(approval)
    status = decide_approval(approval, world.contract(named), world.approvals_of(named), world.now)
    if status != approval.status:
        world.put_status(replace(approval, status=status))


def _hold(world: World, hold: ApiClientHold) -> None:
    view, clients = hold_view(hold), [client.metadata for client in world.clients_in(hold.metadata.namespace)]
    stopped = [client for client in clients if matches(view, client.namespace, client.name, client.labels)]
    decision = decide_hold(hold, stopped, world.now, clock_trusted=True)
    if decision.status != hold.status:
        world.put_status(replace(hold, status=decision.status))
