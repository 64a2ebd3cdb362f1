"""Whoever has to be woken is: once all that was woken has settled, deciding anew about anything changes nothing.

What is decided anew looks at all objects, and not at the indexes. Few places and few names make collisions likely.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apiclients.engine import contract_index
from apiclients.lifecycle import contract_view as views
from apiclients.lifecycle.access import client_view
from apiclients.lifecycle.api_view import api_view
from apiclients.lifecycle.approvals import Parties, Ruling, decide_approval, ruling
from apiclients.lifecycle.contract_view import contract_view, contracts_of_client, stands_first
from apiclients.lifecycle.contracts import ObservedContract, decide_contract
from apiclients.plan.settle import settle
from apiclients.plan.world import World, id_of, key_of, parties
from apiclients.resources.objects import READERS, ApiClient, Contract, ContractApproval
from apiclients.resources.refs import NamespacedName, ObjectRef
from tests.lifecycle.parties import BASIC, GOLD, NOW, raw_api, raw_approval, raw_client, raw_contract
from tests.toolkit.objects import JsonObject

#: As many contracts of a client may be active: fewer than there are Apis.
PLACES = 1
#: What comes more often makes collisions likelier.
clients = st.sampled_from(["billing", "billing", "billing", "shop"])
apis = st.sampled_from(["orders", "orders", "loans"])
plans = st.sampled_from(["gold", "basic"])
ways = st.sampled_from(["Automatic", "Automatic", "Manual"])


@st.composite
def contracts(draw: st.DrawFn) -> JsonObject:
    raw = raw_contract(draw(st.sampled_from(["c1", "c2", "c3", "c4", "c5"])), plan=draw(plans))
    raw["spec"] |= {"clientName": draw(clients), "api": {"namespace": "shop", "name": draw(apis)}}
    raw["metadata"]["creationTimestamp"] = f"2026-03-01T09:00:0{draw(st.integers(0, 2))}Z"
    return raw


@st.composite
def approvals(draw: st.DrawFn) -> JsonObject:
    decision, name = (
        draw(st.sampled_from(["Approved", "Approved", "Rejected"])),
        draw(st.sampled_from(["a1", "a2", "a3"])),
    )
    raw = raw_approval("gold", decision, name, reason=draw(st.sampled_from(["one", "another"])))
    raw["metadata"]["namespace"] = draw(st.sampled_from(["shop", "shop", "shop", "elsewhere"]))
    contract = {"namespace": "team-a", "name": draw(st.sampled_from(["c1", "c1", "c1", "c2"]))}
    raw["spec"] |= {"contract": contract, "client": draw(clients), "api": draw(apis)}
    return raw


@st.composite
def api_objects(draw: st.DrawFn) -> JsonObject:
    raw = raw_api(*({"name": name, "approval": draw(ways), "scopes": []} for name in ("basic", "gold")))
    raw["metadata"]["name"] = draw(apis)
    return raw


@st.composite
def client_objects(draw: st.DrawFn) -> JsonObject:
    raw = raw_client(draw(st.sampled_from(["Available", "Available", "Retired"])), None)
    raw["metadata"]["name"] = draw(clients)
    raw["spec"]["retirement"] = {"acknowledgedContracts": ["c1", "c2", "c3", "c4", "c5"], "gracePeriod": "1h"}
    return raw


objects = st.one_of(contracts(), contracts(), contracts(), approvals(), approvals(), api_objects(), client_objects())
#: Put, or removed.
edits = st.lists(st.tuples(objects, st.sampled_from([True, True, True, False])), min_size=5, max_size=25)


class Story:
    """People change objects; the operator does what it is woken for."""

    def __init__(self) -> None:
        self.world = World(NOW, {})
        self._uids = 0

    def put(self, raw: JsonObject) -> None:
        obj = READERS[raw["kind"]](raw)
        before = self.world.objects.get(id_of(obj))
        self._uids += before is None
        known = before.metadata if before is not None else replace(obj.metadata, uid=f"u{self._uids}", generation=0)
        metadata = replace(known, generation=known.generation + 1)
        changes: dict[str, Any] = {"metadata": metadata} | ({"status": before.status} if before is not None else {})
        self.world.put(replace(obj, **changes))
        settle(self.world)

    def remove(self, raw: JsonObject) -> None:
        self.world.remove(id_of(READERS[raw["kind"]](raw)))
        settle(self.world)

    def undecided(self) -> list[ObjectRef]:
        """Objects of which something else would be decided now, by all objects there are."""
        found = [ref for ref, obj in self.world.objects.items() if isinstance(obj, Contract) and not self._decided(obj)]
        for ref, obj in self.world.objects.items():
            if isinstance(obj, ContractApproval) and not self._judged(obj):
                found.append(ref)
            if isinstance(obj, ApiClient) and obj.status.contracts != self._counted(obj):
                found.append(ref)
        return found

    def _decided(self, contract: Contract) -> bool:
        client, api = parties(contract)
        others = [one for one in self._all(Contract) if one is not contract]
        rivals = (contract_view(one) for one in others if parties(one) == (client, api))
        found_client, found_api = self.world.client(client), self.world.api(api)
        observed = ObservedContract(
            contract=contract,
            client=client_view(found_client) if found_client is not None else None,
            api=api_view(found_api) if found_api is not None else None,
            rulings=tuple(self._rulings(key_of(contract), api[0])),
            rival=min(filter(stands_first, rivals), key=lambda view: view.age_key, default=None),
            other_active=sum(contract_view(one).active for one in others if parties(one)[0] == client),
        )
        return decide_contract(observed, NOW) == contract.status

    def _judged(self, approval: ContractApproval) -> bool:
        named = (approval.spec.contract.namespace, approval.spec.contract.name)
        contract = self.world.contract(named)
        others = self._rulings(named, approval.metadata.namespace)
        view = contract_view(contract) if contract is not None else None
        return decide_approval(approval, view, others, self._parties(contract), NOW) == approval.status

    def _parties(self, contract: Contract | None) -> Parties | None:
        if contract is None:
            return None
        client, api = self.world.client(parties(contract)[0]), self.world.api(parties(contract)[1])
        return Parties(client.metadata.uid, api.metadata.uid) if client is not None and api is not None else None

    def _counted(self, client: ApiClient) -> object:
        return contracts_of_client(contract_view(c) for c in self._all(Contract) if parties(c)[0] == key_of(client))

    def _rulings(self, contract: NamespacedName, namespace: str) -> list[Ruling]:
        found = [ruling(one) for one in self._all(ContractApproval)]
        return [one for one in found if (one.contract, one.namespace) == (contract, namespace)]

    def _all(self, kind: Any) -> list[Any]:
        return [obj for obj in self.world.objects.values() if isinstance(obj, kind)]


@given(edits)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_all_that_an_edit_concerns_is_looked_at(made: list[tuple[JsonObject, bool]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(views, "MAX_CONTRACTS", PLACES)
        patch.setattr(contract_index, "_HEAR", 1)
        story = Story()
        story.put(raw_client(accepted=None))
        for name in ("orders", "loans"):
            raw = raw_api(BASIC, GOLD)
            raw["metadata"]["name"] = name
            story.put(raw)
        for raw, stays in made:
            if stays:
                story.put(raw)
            else:
                story.remove(raw)
            assert story.undecided() == []
