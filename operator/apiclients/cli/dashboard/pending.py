"""The contracts that wait for an approval, of what pages follow."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from apiclients.cli.dashboard.relations import PendingRequest, Relations
from apiclients.kube.kinds import APIS, CONTRACT_APPROVALS, CONTRACTS
from apiclients.resources.objects import ContractApproval

_MISSING = {
    APIS: "You may not read Apis: only what waits in contracts that you may read is shown",
    CONTRACTS: "You may not read contracts: of what waits, only the first 64 of each Api are shown, without their age",
    CONTRACT_APPROVALS: "You may not read approvals: there may be one already where one is suggested",
}


@dataclass(frozen=True, slots=True)
class Requests:
    """What waits at one time."""

    pending: tuple[PendingRequest, ...]
    #: The approvals that were read, by the namespace of the Api.
    approvals: Mapping[str, tuple[ContractApproval, ...]]
    #: What may not be read, or cannot be, and what that means.
    notes: tuple[str, ...]
    #: The namespace whose approvals are known; None: all of them.
    scope: str | None

    def knows_approvals(self, namespace: str) -> bool:
        """Whether an approval in that namespace would be known."""
        return self.scope in (None, namespace)


def pending_requests(relations: Relations) -> Requests:
    """What concerns the namespace, or any, by its Api or its contract; in no order."""
    approvals = defaultdict[str, list[ContractApproval]](list)
    for one in relations.approvals:
        approvals[one.metadata.namespace].append(one)
    return Requests(
        pending=(*_by_contracts(relations), *_by_apis(relations)),
        approvals={namespace: tuple(found) for namespace, found in approvals.items()},
        notes=relations.notes(_MISSING),
        scope=relations.namespace if relations.may_read(CONTRACT_APPROVALS) else "",
    )


def _by_contracts(relations: Relations) -> Iterator[PendingRequest]:
    return (contract.pending for contract in relations.contracts if contract.pending is not None)


def _by_apis(relations: Relations) -> Iterator[PendingRequest]:
    """What only the Apis tell of, as the contracts are in namespaces that are not read."""
    for api in relations.apis:
        for request in api.waiting:
            if not relations.may_read(CONTRACTS) or relations.namespace not in (None, request.namespace):
                yield PendingRequest(request, None)
