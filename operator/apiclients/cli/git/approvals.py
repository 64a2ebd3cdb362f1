"""The ContractApproval by which an Api's owner answers a contract. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from apiclients.cli.errors import CliError
from apiclients.cli.git.names import fitting, is_name
from apiclients.kube.objects import JsonObject
from apiclients.lifecycle.approvals import denies_already, rank, ruling, speaks_of
from apiclients.lifecycle.contract_view import Claim
from apiclients.resources.approval import Decision
from apiclients.resources.conditions import ConditionType
from apiclients.resources.names import API_VERSION
from apiclients.resources.objects import Api, Contract, ContractApproval


@dataclass(frozen=True, slots=True)
class Request:
    """What a contract asks of an Api's owner."""

    namespace: str
    name: str
    client: str
    api: tuple[str, str]
    plan: str

    def __str__(self) -> str:
        return f"contract {self.namespace}/{self.name} of {self.client}: plan {self.plan} of {'/'.join(self.api)}"


def waiting(apis: Iterable[Api]) -> list[Request]:
    """What waits for approval, by the status of the Apis."""
    return [
        Request(one.namespace, one.name, one.client, (api.metadata.namespace, api.metadata.name), one.plan)
        for api in apis
        for one in api.status.pending_contracts
    ]


def request_of(contract: Contract) -> Request:
    """What a contract asks for."""
    meta, spec = contract.metadata, contract.spec
    return Request(meta.namespace, meta.name, spec.client_name, (spec.api.namespace, spec.api.name), spec.plan)


def answers(approval: ContractApproval, request: Request) -> bool:
    """Whether an approval is about this request."""
    asked = Claim(request.namespace, request.name, "", request.client, request.api)  # names alone tell whom it is about
    return speaks_of(ruling(approval), asked, request.plan)


def counts(approval: ContractApproval) -> bool:
    """Whether an approval counts for the contract that it speaks of, so far as it tells itself.

    Its status is asked and not the contract's UID, which the owner of the Api need not be allowed to read.
    """
    ready = any(one.type == ConditionType.READY and one.status == "True" for one in approval.status.conditions)
    return ready or denies_already(ruling(approval))


def needs_an_edit(approval: ContractApproval) -> bool:
    """Whether an approval that answers a request does not count, and will not before it is edited.

    It was given to an earlier contract of that name; an edit binds it anew.
    """
    return not counts(approval) and ruling(approval).bound_anew


def by_weight(approvals: Iterable[ContractApproval], request: Request, decision: Decision) -> list[ContractApproval]:
    """The approvals that answer a request, first the one that decides; while none counts, one of this decision."""
    about = [one for one in approvals if answers(one, request)]
    counting = [one for one in about if counts(one)]
    if counting:
        return sorted(counting, key=lambda one: rank(ruling(one)))
    return sorted(about, key=lambda one: (one.spec.decision is not decision, one.metadata.name))


def approval_name(request: Request, wanted: str | None, taken: Iterable[str]) -> str:
    """The name of a new approval. Raises CliError for one that cannot be, or that another approval has."""
    name = wanted or fitting(f"{request.namespace}-{request.name}-{request.plan}")
    if not is_name(name):
        raise CliError(f"{name!r} cannot be the name of an approval: choose another one with --name")
    if name in taken:
        raise CliError(f"there is an approval {name} already, about something else: choose another name with --name")
    return name


def approval_object(request: Request, name: str, decision: Decision, reason: str | None) -> JsonObject:
    """The object to put into Git."""
    namespace, api = request.api
    spec: JsonObject = {
        "contract": {"namespace": request.namespace, "name": request.name},
        "client": request.client,
        "api": api,
        "plan": request.plan,
        "decision": str(decision),
    }
    spec |= {"reason": reason} if reason else {}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": API_VERSION, "kind": "ContractApproval", "metadata": metadata, "spec": spec}
