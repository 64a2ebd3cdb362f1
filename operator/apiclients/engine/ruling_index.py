"""What approvals say, by the contract that they name and their own namespace: those of another one cost it nothing."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from apiclients.engine.ordered import inserted, removed
from apiclients.lifecycle.approvals import Ruling, decisive, denies_already, rank
from apiclients.lifecycle.contract_view import Claim, ContractView, plans_ruled_on
from apiclients.resources.approval import Decision
from apiclients.resources.refs import NamespacedName

#: Whose approvals of which contract: the namespace of the Api, then the contract. Others have no say.
_About = tuple[str, NamespacedName]
#: Whether it can be read; client, Api and plan.
_Terms = tuple[bool, str, str, str]
_Whom = tuple[int, str]
_ANY, _NONE = (0, ""), (2, "")


@dataclass(frozen=True, slots=True)
class Said:
    """What approvals say about a contract, so far as it decides about the contract and about each other."""

    readable: bool
    #: By plan, for those that the contract asks for or has.
    decisions: tuple[tuple[str, Decision, str | None], ...]
    #: Which approval rejects a plan and so outvotes others, by plan.
    rejecting: Mapping[str, str]


class RulingIndex:
    """Rulings of all approvals. What decides about a contract is found without walking over them."""

    def __init__(self) -> None:
        self._views: dict[NamespacedName, Ruling] = {}
        #: In the order of :func:`_place`: those that cannot be read first.
        self._about: dict[_About, tuple[Ruling, ...]] = {}

    def copy(self) -> "RulingIndex":
        """Another index with the same rulings, which can change on its own."""
        other = RulingIndex()
        other._views, other._about = dict(self._views), dict(self._about)
        return other

    def get(self, key: NamespacedName) -> Ruling | None:
        """One ruling."""
        return self._views.get(key)

    def about(self, contract: NamespacedName, api_namespace: str) -> tuple[Ruling, ...]:
        """What the approvals in the namespace of an Api say about a contract."""
        return self._about.get((api_namespace, contract), ())

    def put(self, key: NamespacedName, new: Ruling | None) -> None:
        """Take in what an approval says now, None for one that is gone."""
        old = self._views.pop(key, None)
        if old is not None:
            others = removed(self._about.pop((key[0], old.contract)), old, _place)
            if others:
                self._about[key[0], old.contract] = others
        if new is not None:
            self._views[key] = new
            about = (key[0], new.contract)
            self._about[about] = inserted(self._about.get(about, ()), new, _place)

    def all_readable(self, contract: NamespacedName, api_namespace: str) -> bool:
        """Whether all that is said about a contract can be read; otherwise it may have been rejected (rule 32)."""
        rulings = self.about(contract, api_namespace)
        return not rulings or rulings[0].readable

    def decisive(self, claim: Claim, plan: str) -> Ruling | None:
        """As `lifecycle.approvals.decisive` of all: of two, the first that count for any contract and for this one."""
        rulings = self.about((claim.namespace, claim.name), claim.api[0])
        terms = (True, claim.client, claim.api[1], plan)
        places = (bisect_left(rulings, (terms, whom), key=_group) for whom in (_ANY, (1, claim.uid)))
        return decisive(claim, plan, [rulings[at] for at in places if at < len(rulings)])

    def deciding(self, contract: ContractView) -> tuple[Ruling, ...]:
        """All that a decision about a contract needs of what is said about it: an unreadable one, or up to two."""
        rulings = self.about((contract.claim.namespace, contract.claim.name), contract.claim.api[0])
        if not rulings or not rulings[0].readable:
            return rulings[:1]
        found = (self.decisive(contract.claim, plan) for plan in dict.fromkeys(plans_ruled_on(contract)))
        return tuple(ruling for ruling in found if ruling is not None)

    def said(self, contract: ContractView, plans: Iterable[str]) -> Said:
        """What is said about a contract, and of these plans who rejects them."""
        found = ((plan, self.decisive(contract.claim, plan)) for plan in plans)
        rejecting = {plan: one.name for plan, one in found if one is not None and one.decision is Decision.REJECTED}
        deciding = self.deciding(contract)
        readable = all(ruling.readable for ruling in deciding)
        return Said(readable, tuple((one.plan, one.decision, one.reason) for one in deciding), rejecting)

    def approving(self, claim: Claim, plan: str) -> Iterator[NamespacedName]:
        """The approvals that let a plan of a contract pass, whether or not they count: a rejection outvotes them."""
        rulings = self.about((claim.namespace, claim.name), claim.api[0])
        terms = (True, claim.client, claim.api[1], plan)
        first, end = (find(rulings, terms, key=_terms) for find in (bisect_left, bisect_right))
        return ((one.namespace, one.name) for one in rulings[first:end] if one.decision is Decision.APPROVED)


def _terms(ruling: Ruling) -> _Terms:
    """What it speaks of."""
    return ruling.readable, ruling.client, ruling.api, ruling.plan


def _group(ruling: Ruling) -> tuple[_Terms, _Whom]:
    """What it speaks of, and whom it counts for: any contract, one, or none yet."""
    if ruling.deleting:
        whom = _NONE
    elif denies_already(ruling):
        whom = _ANY
    else:
        whom = (1, ruling.bound_uid) if ruling.bound_uid is not None else _NONE
    return _terms(ruling), whom


def _place(ruling: Ruling) -> tuple[_Terms, _Whom, tuple[bool, str]]:
    return (*_group(ruling), rank(ruling))
