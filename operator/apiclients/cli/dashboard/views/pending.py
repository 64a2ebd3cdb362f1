"""The contracts that wait for an approval."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from apiclients.cli.dashboard.state.relations import PendingRequest, Relations
from apiclients.kube.kinds import APIS, CONTRACT_APPROVALS, CONTRACTS
from apiclients.resources.objects import ContractApproval

_MISSING = {
    APIS: "You may not read Apis: requests from contracts that you may not read are not shown",
    CONTRACTS: "You may not read contracts: at most 64 requests of each Api are shown, without their age",
    CONTRACT_APPROVALS: "You may not read approvals: check that a contract has none before you add one",
}


@dataclass(frozen=True, slots=True)
class Requests:
    """A snapshot of the pending contracts."""

    pending: tuple[PendingRequest, ...]
    #: The approvals that were read, by namespace.
    approvals: Mapping[str, tuple[ContractApproval, ...]]
    #: For the user: what may not, or cannot, be read.
    notes: tuple[str, ...]
    #: The namespace whose approvals were read; None: all; empty: none.
    scope: str | None

    def knows_approvals(self, namespace: str) -> bool:
        """Whether the approvals of that namespace were read."""
        return self.scope in (None, namespace)


def pending_requests(relations: Relations) -> Requests:
    """The present snapshot, in no order: requests of the namespace, or of all, by their Api or their contract."""
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
    """Requests that only the status of an Api shows, since the contract was not read."""
    for api in relations.apis:
        for request in api.waiting:
            if not relations.may_read(CONTRACTS) or relations.namespace not in (None, request.namespace):
                yield PendingRequest(request, None)
