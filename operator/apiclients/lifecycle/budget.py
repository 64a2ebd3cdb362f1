"""What a namespace may cost everybody: every gate lists, in each proof of freshness, what must be denied.

Lists of identities make each object cost the same (rule 17), so objects are what is counted. A namespace beyond its
budget is refused as a whole and left out of the proofs: what is denied anyway needs none. So it stops itself and
nobody else.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

#: Default of ``--namespace-budget``.
NAMESPACE_BUDGET = 2000
#: From this share of the budget on its owners are told.
_NEARLY = 0.8


@dataclass(frozen=True, slots=True)
class ProofLoad:
    """What of one namespace every proof lists."""

    #: Clients whose ``spec.desiredStatus`` is not Available, those that cannot be read among them.
    clients: int = 0
    #: In force or expired.
    holds: int = 0

    @property
    def objects(self) -> int:
        """How many there are."""
        return self.clients + self.holds


def over_budget(load: ProofLoad, budget: int) -> bool:
    """Whether the clients of a namespace are refused."""
    return load.objects > budget


def nearly_over_budget(load: ProofLoad, budget: int) -> bool:
    """Whether it is time to tell somebody."""
    return load.objects > _NEARLY * budget


def refused_after_proof(
    refused: AbstractSet[str], left_out: AbstractSet[str], over: AbstractSet[str]
) -> frozenset[str]:
    """The namespaces that stay refused when a proof has succeeded that said nothing of those ``left_out``.

    One that is within its budget again is let go once a proof has listed it, not before: until then nothing says that
    no suspension in it was missed.
    """
    return frozenset(refused & (left_out | over))
