"""Fields of spec that restrict, and whether every gate that lives obeys them (DESIGN rule 33).

A gate of an earlier release does not know a field that came later: it goes on as if the field were not there, which is
to fail open. So each gate lists in its Lease the features that it obeys, and an object that uses another one says so.
A field is listed here if it came after the first gates and refuses something that passes without it. What all gates
have ever obeyed (``spec.desiredStatus``, holds by name and by selector, lifetimes, ``spec.tokens.notBefore``,
contracts, plans, approvals, consumers) is not listed, and a gate that lists nothing obeys that alone.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from apiclients.lifecycle.condition_state import ConditionState
from apiclients.lifecycle.replicas import Replica, enumerated
from apiclients.resources.conditions import Reason
from apiclients.resources.objects import ApiClient, ApiClientHold, Contract


class Feature(StrEnum):
    """A field that restricts, as kind and path: so gates name it in their Leases. None is renamed or reused."""

    SECRET_NOT_BEFORE = "ApiClient.spec.secret.notBefore"
    ALL_CLIENTS = "ApiClientHold.spec.allClients"
    CONTRACT_END = "Contract.spec.endTime"
    #: Of every TokenRevocation. It has no status to say so: ``doctor`` does.
    TOKEN_REVOCATIONS = "TokenRevocation.spec.expiresTime"

    @property
    def field(self) -> str:
        """The path of the field in its object, for people."""
        return self.partition(".")[2]


#: By feature the names of the living gates that do not obey it; a feature that all of them obey is not in it.
Lacking = Mapping[Feature, tuple[str, ...]]

ALL_OBEYED: Lacking = {}
NO_FEATURES: frozenset[Feature] = frozenset()
_SECRET_NOT_BEFORE = frozenset({Feature.SECRET_NOT_BEFORE})
_ALL_CLIENTS = frozenset({Feature.ALL_CLIENTS})
_CONTRACT_END = frozenset({Feature.CONTRACT_END})


def features_used(obj: ApiClient | ApiClientHold | Contract) -> frozenset[Feature]:
    """The features that an object uses. Kinds that are not here have none."""
    match obj:
        case ApiClient():
            return _SECRET_NOT_BEFORE if obj.spec.secret.not_before is not None else NO_FEATURES
        case ApiClientHold():
            return _ALL_CLIENTS if obj.spec.all_clients else NO_FEATURES
        case Contract():
            return _CONTRACT_END if obj.spec.end_time is not None else NO_FEATURES


def lacking(gates: Iterable[Replica], now: datetime) -> Lacking:
    """Which living gates do not obey which features. One whose Lease has ended is gone, or refuses everything."""
    alive = sorted((gate for gate in gates if gate.alive(now)), key=lambda gate: gate.name)
    found = {feature: tuple(gate.name for gate in alive if feature not in gate.obeys) for feature in Feature}
    return {feature: names for feature, names in found.items() if names}


def obeys_all(gate: Replica) -> bool:
    """Whether a gate obeys all features that there are; what becomes of it then concerns nobody."""
    return gate.obeys.issuperset(Feature)


def gate_too_old(used: Iterable[Feature], gates: Lacking) -> ConditionState | None:
    """Why an object that uses these features is Stalled, or None when all gates obey them."""
    problems = [_problem(feature, gates[feature]) for feature in sorted(used) if feature in gates]
    if not problems:
        return None
    return ConditionState(True, Reason.GATE_TOO_OLD, "; ".join(problems))


def _problem(feature: Feature, names: tuple[str, ...]) -> str:
    return (
        f"These gates do not obey {feature.field} and go on as if it were not there: "
        f"{enumerated(names)}. Upgrade them, or take the field out"
    )
