"""Previews another plan of a contract: the consequences by ``plan``, and the patch for Git. Read-only."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from apiclients.cli.actions.proposing import Proposal, proposed
from apiclients.cli.cluster.connection import Session
from apiclients.cli.cluster.gather import permitted
from apiclients.cli.cluster.live_state import read_state
from apiclients.cli.cluster.unread import Unread
from apiclients.cli.dashboard.views.paging import QueryError
from apiclients.cli.dashboard.what_if.foreseeing import foresee
from apiclients.cli.errors import CliError
from apiclients.cli.git import change as gitchange
from apiclients.cli.screens.contracts import ContractLine, contract_line
from apiclients.kube.errors import ForbiddenError, NotFoundError
from apiclients.kube.kinds import APIS, CONTRACT_APPROVALS, CONTRACTS
from apiclients.kube.objects import JsonObject
from apiclients.plan.live import LiveState, live_state
from apiclients.resources.api import Plan
from apiclients.resources.contract import ContractStatusName
from apiclients.resources.objects import Api, Contract, InvalidObjectError


@dataclass(frozen=True, slots=True)
class Outcome:
    """The preview of one plan."""

    plan: str
    consequences: tuple[str, ...]
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class PlanChange:
    """The plans to select from, and the preview of the selected one."""

    contract: ContractLine
    #: Whether the contract is in force.
    active: bool
    plans: tuple[Plan, ...]
    #: None while no plan is selected.
    outcome: Outcome | None
    unread: tuple[str, ...]


async def plan_change(session: Session, name: str, chosen: str, root: Path) -> PlanChange:
    """Preview a contract of the session's namespace; ``chosen`` is empty while no plan is selected.

    ``root`` is the folder with the manifests. Raises QueryError for a plan that the Api lacks, CliError, KubeError.
    """
    unread: list[Unread] = []
    raw, contract = await _contract(session, name)
    api_raw, api = await _api(session, contract)
    names = [plan.name for plan in api.spec.plans]
    if chosen and chosen not in names:
        raise QueryError(f"{chosen} is not a plan of Api {api.metadata.namespace}/{api.metadata.name}")
    outcome = None
    if chosen:
        live = await _live(session, api_raw, unread)
        patch: JsonObject = {"spec": {"plan": chosen}}
        consequences = await asyncio.to_thread(foresee, raw, "Contract", patch, live)
        outcome = Outcome(chosen, consequences, await asyncio.to_thread(_proposal, raw, chosen, root))
    line = contract_line(contract)
    active = line.status == ContractStatusName.ACTIVE
    return PlanChange(line, active, tuple(api.spec.plans), outcome, tuple(map(str, unread)))


def _proposal(raw: JsonObject, plan: str, root: Path) -> Proposal:
    otherwise: JsonObject = {"spec": {"plan": plan}}
    try:
        return proposed(raw, root, lambda file: gitchange.replanned(file, plan), otherwise, CONTRACTS)
    except CliError as error:
        return Proposal(str(error), "")


async def _contract(session: Session, name: str) -> tuple[JsonObject, Contract]:
    place = f"{session.namespace}/{name}"
    try:
        raw = await session.kube.get(CONTRACTS, session.namespace, name)
        return raw, Contract.from_object(raw)
    except NotFoundError:
        raise CliError(f"there is no contract {place}") from None
    except InvalidObjectError as error:
        raise CliError(f"Contract {place} cannot be read by this version of the plugin: {error}") from None


async def _api(session: Session, contract: Contract) -> tuple[JsonObject, Api]:
    namespace, name = contract.spec.api.namespace, contract.spec.api.name
    try:
        raw = await session.kube.get(APIS, namespace, name)
        return raw, Api.from_object(raw)
    except NotFoundError:
        raise CliError(f"there is no Api {namespace}/{name}, so there are no plans to choose from") from None
    except ForbiddenError:
        raise CliError(f"you may not read Apis in {namespace}, so the plans are not known") from None
    except InvalidObjectError as error:
        raise CliError(f"Api {namespace}/{name} cannot be read by this version of the plugin: {error}") from None


async def _live(session: Session, api: JsonObject, unread: list[Unread]) -> LiveState:
    """The live state of the contract's namespace, plus the Api and its approvals."""
    namespace = api["metadata"]["namespace"]
    live = await read_state(session, "the cluster", namespaces={session.namespace}, workloads_in=())
    listing = session.objects(CONTRACT_APPROVALS, namespace)
    approvals = await permitted(listing, [], CONTRACT_APPROVALS, f"approvals in {namespace}", unread)
    return _with(live, [{**api, "kind": APIS.kind}, *({**one, "kind": CONTRACT_APPROVALS.kind} for one in approvals)])


def _with(live: LiveState, objects: Iterable[JsonObject]) -> LiveState:
    more = live_state(objects, source=live.source, taken_time=live.taken_time)
    return replace(live, objects={**live.objects, **more.objects})
