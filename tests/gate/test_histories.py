"""Random histories: what the gate has worked out is always what it would work out anew from all objects."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from apiclients.gate.state.reading import Unreadable, on_bad
from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.api_view import api_view
from apiclients.lifecycle.approvals import ruling
from apiclients.lifecycle.calls import route
from apiclients.lifecycle.contract_view import ContractView, contract_view, counts_as_active
from apiclients.lifecycle.holds import HoldView, hold_view, matches
from apiclients.resources.apiclient import DesiredStatus
from apiclients.resources.objects import Api, ApiClientHold, Contract, ContractApproval, InvalidObjectError
from apiclients.resources.selectors import LabelSelector
from tests.gate.objects import GOLD, STANDARD, api_object, approval_object, contract_object, hold_object, route_of
from tests.gate.support import World

NAMESPACES, NAMES = ("n", "m"), ("a", "b")
KEYS = tuple(itertools.product(NAMESPACES, NAMES))
UIDS = ("uid-n-a-1", "uid-n-a-2", "uid-n-b-1", "uid-m-a-1", "uid-m-b-1")
PLANS = ("standard", "gold")
keys, names, uids, plans = st.sampled_from(KEYS), st.sampled_from(NAMES), st.sampled_from(UIDS), st.sampled_from(PLANS)
rarely = st.sampled_from([False] * 5 + [True])


class Histories(RuleBasedStateMachine):
    """Objects come, change and go at random; everything that was worked out is as if worked out anew from all."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.world.remove()
        self.objects: dict[str, dict[tuple[str, str], dict[str, Any]]] = {
            kind: {} for kind in ("api", "contract", "approval", "hold", "client")
        }

    def say(self, kind: str, body: dict[str, Any], broken: bool = False) -> None:
        if broken:
            body = body | {"spec": body["spec"] | {"decision": 1, "clientName": 1, "plans": 1}}
        key = (body["metadata"]["namespace"], body["metadata"]["name"])
        self.objects[kind][key] = body
        self.world.tell(kind, body)

    @rule(
        key=keys,
        desired=st.sampled_from(["Published", "Retired"]),
        accepted=st.sampled_from([None, "Published", "Retired"]),
        acknowledged=st.integers(0, 2),
        manual=st.booleans(),
        deleting=rarely,
        broken=rarely,
    )
    def api(self, key: Any, manual: bool, broken: bool, **fields: Any) -> None:
        approval = "Manual" if manual else "Automatic"
        self.say("api", api_object(key, plans=(STANDARD | {"approval": approval}, GOLD), **fields), broken)

    @rule(
        key=keys,
        client=names,
        uid=uids,
        api=keys,
        granted=keys,
        plan=plans,
        in_force=st.sampled_from([None, *PLANS, "gone"]),
        observed=st.sampled_from(["Active", "Active", "Active", "Inactive", "Pending"]),
        by=st.sampled_from(["Automatic", "Approval"]),
        again=st.booleans(),
        moved=rarely,
        deleting=rarely,
        broken=rarely,
    )
    def contract(
        self, key: Any, uid: str, api: Any, granted: Any, again: bool, moved: bool, broken: bool, **fields: Any
    ) -> None:
        where = {"api": {"namespace": granted[0], "name": granted[1]}} if moved else {}
        made = contract_object(key, uid=f"c-{again}", client_uid=uid, api=api, granted=where, **fields)
        self.say("contract", made, broken)

    @rule(
        namespace=st.sampled_from(NAMESPACES),
        name=names,
        contract=keys,
        client=names,
        api=names,
        plan=plans,
        decision=st.sampled_from(["Approved", "Approved", "Rejected"]),
        bound=st.sampled_from([None, ("c-True", 1), ("c-False", 1), ("c-False", 2)]),
        deleting=rarely,
        broken=rarely,
    )
    def approval(self, broken: bool, **fields: Any) -> None:
        self.say("approval", approval_object(**fields), broken)

    @rule(
        namespace=st.sampled_from(NAMESPACES),
        name=names,
        client=st.sampled_from([None, *NAMES]),
        labels=st.sampled_from([None, None, {}, {"tier": "gold"}]),
        broken=rarely,
    )
    def hold(self, broken: bool, **fields: Any) -> None:
        self.say("hold", hold_object(**fields), broken)

    @rule(uid=uids, desired=st.sampled_from(["Available", "Suspended", "Retired"]), gold=st.booleans())
    def client(self, uid: str, desired: str, gold: bool) -> None:
        _, namespace, name, _ = uid.split("-")
        fields: dict[str, Any] = {"namespace": namespace, "uid": uid, "desired": desired}
        self.objects["client"][namespace, name] = fields | {"labels": {"tier": "gold"} if gold else {}}
        self.world.put(name=name, **self.objects["client"][namespace, name])

    @precondition(lambda self: any(self.objects.values()))
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Something was written that changes nothing."""
        there = [(kind, key) for kind, found in sorted(self.objects.items()) for key in sorted(found)]
        kind, key = data.draw(st.sampled_from(there))
        if kind == "client":
            self.world.put(name=key[1], **self.objects[kind][key])
        else:
            self.world.tell(kind, self.objects[kind][key])

    @precondition(lambda self: any(self.objects.values()))
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        there = [(kind, key) for kind, found in sorted(self.objects.items()) for key in sorted(found)]
        kind, key = data.draw(st.sampled_from(there))
        del self.objects[kind][key]
        if kind == "client":
            self.world.remove(key[1], key[0])
        else:
            self.world.gone(kind, *key)

    def readable(self, kind: str, read: Callable[[Any], Any]) -> list[Any]:
        return [found for body in self.objects[kind].values() if (found := _read(read, body)) is not None]

    @invariant()
    def routes_are_right(self) -> None:
        contracts = self.readable("contract", lambda body: contract_view(Contract.from_object(body)))
        apis = self.readable("api", lambda body: api_view(Api.from_object(body)))
        rulings = self.readable("approval", lambda body: ruling(ContractApproval.from_object(body)))
        rulings += [
            found.view
            for body in self.objects["approval"].values()
            if _read(ContractApproval.from_object, body) is None
            and isinstance(found := on_bad("ContractApproval")(body, ValueError()), Unreadable)
            and found.view is not None
        ]
        for key, client in itertools.product(KEYS, list(self.world.picture.by_uid.values())):
            api = next((one for one in apis if (one.namespace, one.name) == key), None)
            here = [c for c in contracts if c.claim.api == key]
            mine = sorted((c for c in here if _claims(c, client)), key=lambda c: (c.deleting, c.age_key, c.claim.name))
            named = {(c.claim.namespace, c.claim.name) for c in mine}
            about = [one for one in rulings if one.namespace == key[0] and one.contract in named]
            expected = route(client.uid, mine, api, about, sum(map(counts_as_active, here)))
            assert route_of(self.world, key, client.uid) == expected
        for client in self.world.picture.by_uid.values():
            paths = {c.claim.api for c in contracts if _claims(c, client)}
            assert [(api.namespace, api.name) for api in self.world.access.of_client(client)] == sorted(paths)

    @invariant()
    def contexts_are_right(self) -> None:
        contracts = self.readable("contract", lambda body: contract_view(Contract.from_object(body)))
        holds = [_hold(body) for body in self.objects["hold"].values()]
        for view in self.world.picture.by_uid.values():
            mine = [hold for hold in holds if matches(hold, view.namespace, view.name, view.labels)]
            retiring = view.desired is DesiredStatus.RETIRED
            active = {
                c.claim.name
                for c in contracts
                if retiring and _claims(c, view) and counts_as_active(c) and _granted_to(c, view)
            }
            context = self.world.picture.context(view)
            by_name: Callable[[HoldView], str] = lambda hold: hold.name  # noqa: E731
            assert sorted(context.holds, key=by_name) == sorted(mine, key=by_name)
            assert context.active_contracts == active
        assert len(self.world.picture.by_uid) == len(self.objects["client"])

    def teardown(self) -> None:
        """Nothing is left when everything has gone."""
        for kind, found in self.objects.items():
            for key in found:
                if kind == "client":
                    self.world.remove(key[1], key[0])
                else:
                    self.world.gone(kind, *key)
        relations, access, picture = self.world.state.relations, self.world.access, self.world.picture
        holds, contracts = relations.holds, relations.contracts
        assert not any(
            (contracts._in, contracts._of_client, contracts._of_api, contracts._active, contracts._waiting_for_room)
        )
        assert not any((holds._by_client_name, holds._selecting, holds._views, holds._labels))
        assert not any((relations._clients, relations._apis, relations.rulings._views, relations.rulings._about))
        assert not any((relations._unreadable, access._by_path, picture._active, picture._known))
        assert not any(len(ledger) for ledger in self.world.state.unreadable.values())


def _read(read: Callable[[Any], Any], body: dict[str, Any]) -> Any:
    try:
        return read(body)
    except InvalidObjectError:
        return None


def _claims(contract: ContractView, client: ClientView) -> bool:
    return (contract.claim.namespace, contract.claim.client) == (client.namespace, client.name)


def _granted_to(contract: ContractView, client: ClientView) -> bool:
    return contract.in_force is not None and contract.in_force.client_uid == client.uid


def _hold(body: dict[str, Any]) -> HoldView:
    found = _read(lambda one: hold_view(ApiClientHold.from_object(one)), body)
    meta = body["metadata"]
    lean = replace(found, reason="") if found is not None else None
    return lean or HoldView(meta["namespace"], meta["name"], None, LabelSelector(), None)


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
