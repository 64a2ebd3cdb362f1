"""``approve`` and ``reject``: the ContractApproval to put into Git, found out from what waits."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from apiclients.cli.actions.proposing import Proposal
from apiclients.cli.cluster.connection import Session, connect
from apiclients.cli.cluster.gather import readable
from apiclients.cli.cluster.unread import Unread
from apiclients.cli.errors import CliError
from apiclients.cli.git import change
from apiclients.cli.git.approvals import (
    Request,
    approval_name,
    approval_object,
    by_weight,
    counts,
    needs_an_edit,
    request_of,
    waiting,
)
from apiclients.cli.screens.output import render_data
from apiclients.cli.screens.printing import warn
from apiclients.cli.screens.text import write
from apiclients.kube.errors import ForbiddenError, NotFoundError
from apiclients.kube.kinds import APIS, CONTRACT_APPROVALS, CONTRACTS
from apiclients.resources.approval import Decision
from apiclients.resources.objects import Api, Contract, ContractApproval, InvalidObjectError

#: A list on one screen.
_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What the owner of the Api says, and how."""

    decision: Decision
    reason: str | None
    name: str | None
    root: Path


async def rule(args: argparse.Namespace, decision: Decision) -> int:
    """Print the approval, or the change of the one that is there. Raises CliError, KubeError."""
    answer = Answer(decision, (args.reason or "").strip() or None, args.name, args.filename)
    unread: list[Unread] = []
    async with connect(args) as session:
        request = await _request(session, args.contract, unread)
        listing = await session.objects(CONTRACT_APPROVALS, request.api[0])
    approvals: tuple[ContractApproval, ...] = readable(listing, CONTRACT_APPROVALS, ContractApproval, unread)
    warn(map(str, unread))
    print_answer(request, answer, approvals)
    return 0


async def _request(session: Session, contract: str | None, unread: list[Unread]) -> Request:
    """What the contract asks for: by the Apis of the namespace, which their owner may read, or by itself."""
    apis: tuple[Api, ...] = readable(await session.objects(APIS, session.namespace), APIS, Api, unread)
    requests = waiting(apis)
    if not contract:
        raise CliError(f"name a contract, as NAMESPACE/NAME. {_what_waits(requests, session.namespace)}")
    namespace, _, name = contract.rpartition("/")
    found = [one for one in requests if one.name == name and namespace in ("", one.namespace)]
    if len(found) > 1:
        raise CliError(f"several wait under that name: {'; '.join(map(str, found))}. Use NAMESPACE/{name}")
    return found[0] if found else await _by_itself(session, namespace or session.namespace, name, requests)


async def _by_itself(session: Session, namespace: str, name: str, requests: list[Request]) -> Request:
    """What a contract asks for that the Apis of the namespace do not name, as nothing waits or it is elsewhere."""
    try:
        return request_of(Contract.from_object(await session.kube.get(CONTRACTS, namespace, name)))
    except NotFoundError:
        problem = f"there is no contract {name} in namespace {namespace}"
    except ForbiddenError:
        problem = (
            f"contract {namespace}/{name} does not wait for an Api in {session.namespace}, and you may not read it"
        )
    except InvalidObjectError as error:
        problem = f"contract {namespace}/{name} cannot be read by this version of the plugin: {error}"
    raise CliError(f"{problem}. {_what_waits(requests, session.namespace)}")


def _what_waits(requests: list[Request], namespace: str) -> str:
    if not requests:
        return f"Nothing waits for approval in namespace {namespace}: -n names that of the Api"
    shown = "".join(f"\n  {one}" for one in requests[:_MOST_SHOWN])
    more = f"\n  and {len(requests) - _MOST_SHOWN} more" if len(requests) > _MOST_SHOWN else ""
    return f"What waits in namespace {namespace}:{shown}{more}"


def print_answer(request: Request, answer: Answer, approvals: tuple[ContractApproval, ...]) -> None:
    """Print what to put into Git, where these are the approvals of the Api's namespace. Raises CliError."""
    made = answer_change(request, answer, approvals)
    warn(made.cautions)
    print(made.said, file=sys.stderr)
    if made.text:
        write(sys.stdout, made.text)


def answer_change(request: Request, answer: Answer, approvals: Sequence[ContractApproval]) -> Proposal:
    """What to put into Git, where these are the approvals of the Api's namespace. Raises CliError."""
    weighed = by_weight(approvals, request, answer.decision)
    if not weighed:
        name = approval_name(request, answer.name, [one.metadata.name for one in approvals])
        return Proposal(f"The {_noun(answer)} of {request}, to be put into Git:", _yaml(request, name, answer))
    given = weighed[0]
    if given.spec.decision is answer.decision and answer.reason in (None, given.spec.reason):
        return Proposal(_unchanged(given), "")
    if answer.reason is None and given.spec.reason is not None:
        raise CliError(f"{_title(given)} has a reason for {given.spec.decision}: give one for this with --reason")
    outvoting = _outvoting(weighed) if given.spec.decision is Decision.REJECTED and counts(given) else ()
    made = _changed(request, answer, given)
    return replace(made, cautions=(*outvoting, *made.cautions))


def _unchanged(given: ContractApproval) -> str:
    """That nothing is to be changed. Raises CliError if the approval counts for nothing as it is."""
    if needs_an_edit(given):
        raise CliError(
            f"{_title(given)} says so already, but was given to an earlier contract of that name, between others: "
            "it does not count. An edit gives it to this one: say why with --reason, in other words than before"
        )
    waits = "" if counts(given) else " It counts as soon as the operator has looked at it."
    return f"{_title(given)} says so already: nothing to change.{waits}"


def _outvoting(weighed: Sequence[ContractApproval]) -> list[str]:
    """Which of them reject and which approve, where both do or several reject."""
    rejecting = [_title(one) for one in weighed if one.spec.decision is Decision.REJECTED]
    approving = [_title(one) for one in weighed if one.spec.decision is Decision.APPROVED]
    reject = "rejects it" if len(rejecting) == 1 else "reject it, and one is enough"
    despite = f": it outvotes {', '.join(approving)}" if approving else ""
    return [f"{', '.join(rejecting)} {reject}{despite}"] if len(weighed) > 1 else []


def _changed(request: Request, answer: Answer, given: ContractApproval) -> Proposal:
    """The change of an approval that decides otherwise."""
    meta = given.metadata
    places = change.find(answer.root, meta.namespace, meta.name, CONTRACT_APPROVALS)
    if len(places) != 1:
        where = "Several files declare it" if places else f"No file below {answer.root.resolve()} declares it"
        said = f"{_title(given)} says {given.spec.decision}. {where}; it becomes:"
        return Proposal(said, _yaml(request, meta.name, answer))
    text = change.diff(places[0], change.decided(places[0], answer.decision, answer.reason))
    said = f"Change {places[0].path} in Git (this patch is for `git apply`), and have it reviewed:"
    return Proposal(said, text.rstrip("\n"), tuple(places[0].cautions))


def _yaml(request: Request, name: str, answer: Answer) -> str:
    return render_data(approval_object(request, name, answer.decision, answer.reason), "yaml").rstrip("\n")


def _title(approval: ContractApproval) -> str:
    return f"ContractApproval {approval.metadata.namespace}/{approval.metadata.name}"


def _noun(answer: Answer) -> str:
    return "approval" if answer.decision is Decision.APPROVED else "rejection"
