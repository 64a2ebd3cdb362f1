"""What decisions about others need of one contract."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from sys import intern

from apiclients.lifecycle.features import NO_FEATURES, Feature, features_used
from apiclients.lifecycle.usage import hour_told
from apiclients.resources.api import ContractCounts
from apiclients.resources.apiclient import MAX_CONTRACTS, ClientContracts
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.contract import ContractStatusName, Grant, PlanInForce
from apiclients.resources.objects import Contract
from apiclients.resources.refs import shared_key

#: Waiting for something or somebody.
PENDING = frozenset({ContractStatusName.PENDING, ContractStatusName.PENDING_APPROVAL})

#: When a contract without a creation time was created: after every other one.
_LAST = float("inf")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a contract claims, so far as an approval has to match it."""

    namespace: str
    name: str
    uid: str
    client: str
    api: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Granted:
    """The plan in force and what it holds for, as status has it."""

    plan: str
    client: str
    client_uid: str
    api: tuple[str, str]
    api_uid: str
    by: Grant


@dataclass(frozen=True, slots=True)
class ContractView:
    """One contract for everybody but itself."""

    claim: Claim
    #: The plan that spec asks for.
    plan: str
    #: What status says; a contract that is being deleted has ended, whatever its status said last (rule 14).
    status: ContractStatusName
    in_force: Granted | None
    deleting: bool
    #: Also where an earlier plan is in force meanwhile.
    waits_for_approval: bool
    #: Whether an older contract of the same client for the same Api is in force instead.
    in_conflict: bool
    #: Whether it would be in force if its client had fewer active contracts.
    waits_for_room: bool
    #: In seconds since the epoch.
    created: float
    #: Whether status speaks of the present spec.
    settled: bool = False
    #: When it ends by itself, in seconds since the epoch.
    ends: float | None = None
    features: frozenset[Feature] = NO_FEATURES
    #: False for one that cannot be read: it holds a retirement back and lets no call through (rule 32).
    readable: bool = True
    #: The hour of its last use as status has it (``lifecycle.usage``). It decides nothing, so views that differ in it
    #: alone are equal: nobody is looked at again for it.
    last_used: int = field(default=0, compare=False)

    @property
    def active(self) -> bool:
        """Whether status says that it is in force."""
        return self.status is ContractStatusName.ACTIVE

    @property
    def age_key(self) -> tuple[float, str]:
        """Sorts contracts by age, oldest first; the UID decides between those of the same second."""
        return self.created, self.claim.uid


def claim(contract: Contract) -> Claim:
    """The claim of a contract."""
    meta, spec = contract.metadata, contract.spec
    return Claim(
        namespace=intern(meta.namespace),
        name=meta.name,
        uid=meta.uid,
        client=intern(spec.client_name),
        api=shared_key(spec.api.namespace, spec.api.name),
    )


def contract_view(contract: Contract) -> ContractView:
    """The view of a contract. There are very many views, so they share the texts that they have in common."""
    meta, status = contract.metadata, contract.status
    ready = next((c.reason for c in status.conditions if c.type == ConditionType.READY), None)
    observed = status.observed_status or ContractStatusName.PENDING
    return ContractView(
        claim=claim(contract),
        plan=intern(contract.spec.plan),
        status=ContractStatusName.INACTIVE if meta.deleting else observed,
        in_force=_granted(status.in_force),
        deleting=meta.deleting,
        waits_for_approval=not meta.deleting and ready == Reason.PENDING_APPROVAL,
        in_conflict=not meta.deleting and ready == Reason.CONFLICT,
        waits_for_room=not meta.deleting and ready == Reason.TOO_MANY_CONTRACTS,
        created=meta.creation_time.timestamp() if meta.creation_time is not None else _LAST,
        settled=status.observed_generation == meta.generation,
        ends=contract.spec.end_time.timestamp() if contract.spec.end_time is not None else None,
        features=features_used(contract),
        last_used=hour_told(status.last_used_time),
    )


def _granted(known: PlanInForce | None) -> Granted | None:
    if known is None:
        return None
    return Granted(
        plan=intern(known.plan),
        client=intern(known.client_name),
        client_uid=intern(known.client_uid),
        api=shared_key(known.api.namespace, known.api.name),
        api_uid=intern(known.api_uid),
        by=known.granted_by,
    )


def is_as_granted(contract: ContractView) -> bool:
    """Whether a contract still claims what status grants it, or did grant until client or Api was retired."""
    granted, claimed = contract.in_force, contract.claim
    return (
        granted is not None and not contract.deleting and (granted.client, granted.api) == (claimed.client, claimed.api)
    )


def plans_ruled_on(contract: ContractView) -> tuple[str, ...]:
    """The plans that an approval may speak of: the one that is asked for, and the one in force, if it still holds."""
    granted = contract.in_force
    return (contract.plan, granted.plan) if granted is not None and is_as_granted(contract) else (contract.plan,)


def has_ended(ends: float | None, now: float) -> bool:
    """Whether an end has come, both in seconds since the epoch: from that moment on, and not before."""
    return ends is not None and now >= ends


def counts_as_active(contract: ContractView) -> bool:
    """Whether a contract is in force by spec and status together: edited or deleted, it is not (rule 14)."""
    return contract.active and is_as_granted(contract)


def stands_first(contract: ContractView) -> bool:
    """Whether younger contracts of the same client for the same Api have to wait behind this one.

    It is in force, or was until client or Api was retired; or it cannot be read, so that nobody knows (rule 32). One
    that only waits, for a plan or an approval or anything else, is in nobody's way.
    """
    return not contract.deleting and (not contract.readable or is_as_granted(contract))


def has_room(active: int) -> bool:
    """Whether a client with so many active contracts may have another one (DESIGN section 2, Contract)."""
    return active < MAX_CONTRACTS


def contracts_of_client(contracts: Iterable[ContractView]) -> ClientContracts:
    """Counts of a client's contracts, and the names of those in force."""
    seen = list(contracts)
    counts = contracts_of_api(seen)
    names = sorted(contract.claim.name for contract in seen if contract.active)
    return ClientContracts(
        active=counts.active, pending=counts.pending, rejected=counts.rejected, active_names=names[:MAX_CONTRACTS]
    )


def contracts_of_api(contracts: Iterable[ContractView]) -> ContractCounts:
    """Counts of an Api's contracts, of whatever namespaces."""
    return contract_counts(Counter(contract.status for contract in contracts))


def contract_counts(seen: Mapping[ContractStatusName, int]) -> ContractCounts:
    """The counts, of how many have which status."""
    return ContractCounts(
        active=seen.get(ContractStatusName.ACTIVE, 0),
        pending=sum(seen.get(status, 0) for status in PENDING),
        rejected=seen.get(ContractStatusName.REJECTED, 0),
    )
