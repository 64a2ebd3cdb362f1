"""Random histories: what the gate has worked out is always what it would work out anew from all objects."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from apiclients.lifecycle.access import ALONE, Beside
from apiclients.lifecycle.approvals import ruling
from apiclients.lifecycle.calls import CallDenial, api_view, contract_view, counts_as_active, route
from apiclients.lifecycle.holds import HoldView, hold_view, matches
from apiclients.resources.apiclient import DesiredStatus
from apiclients.resources.objects import Api, ApiClientHold, Contract, ContractApproval, InvalidObjectError
from apiclients.resources.selectors import LabelSelector
from tests.gate.objects import GOLD, STANDARD, api_object, approval_object, contract_object, hold_object, way
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
        doubted = [
            (key[0], tuple(body["spec"]["contract"].values()))
            for key, body in self.objects["approval"].items()
            if _read(ContractApproval.from_object, body) is None
        ]
        for key, uid in itertools.product(KEYS, UIDS):
            api = next((one for one in apis if (one.namespace, one.name) == key), None)
            here = [c for c in contracts if c.claim.api == key]
            mine = sorted(
                (c for c in here if c.in_force is not None and c.in_force.client_uid == uid),
                key=lambda c: c.claim.name,
            )
            expected = route(uid, mine, api, rulings, sum(map(counts_as_active, here)))
            if any((key[0], (c.claim.namespace, c.claim.name)) in doubted for c in mine):
                expected = CallDenial.NO_CONTRACT
            assert way(self.world, key, uid) == expected
        for uid in UIDS:
            paths = {c.claim.api for c in contracts if c.in_force is not None and c.in_force.client_uid == uid}
            assert [(api.namespace, api.name) for api in self.world.routes.of_client(uid)] == sorted(paths)
            active = {c.claim.name for c in contracts if counts_as_active(c) and c.in_force.client_uid == uid}
            assert self.world.routes.active_names(uid) == active

    @invariant()
    def besides_are_right(self) -> None:
        holds = [_hold(body) for body in self.objects["hold"].values()]
        for view in self.world.picture.by_uid.values():
            mine = [hold for hold in holds if matches(hold, view.namespace, view.name, view.labels)]
            retiring = view.desired is DesiredStatus.RETIRED
            active = self.world.routes.active_names(view.uid) if retiring else frozenset[str]()
            beside = self.world.picture.besides.get(view.uid, ALONE)
            by_name: Callable[[HoldView], str] = lambda hold: hold.name  # noqa: E731
            assert sorted(beside.holds, key=by_name) == sorted(mine, key=by_name)
            assert beside.active_contracts == active
            assert (view.uid in self.world.picture.besides) == (beside != Beside())
        assert len(self.world.picture.by_uid) == len(self.objects["client"])

    def teardown(self) -> None:
        """Nothing is left when everything has gone."""
        for kind, found in self.objects.items():
            for key in found:
                if kind == "client":
                    self.world.remove(key[1], key[0])
                else:
                    self.world.gone(kind, *key)
        routes, holds, picture = self.world.routes, self.world.holds, self.world.picture
        assert not any((routes._by_path, routes._of_client, routes._contracts, routes._rulings))
        assert not any((holds._by_client, holds._selecting, picture._shown, picture._besides, picture._known))
        ledgers = (routes.unreadable_apis, routes.unreadable_contracts, routes.unreadable_approvals, holds.unreadable)
        assert [len(ledger) for ledger in ledgers] == [0, 0, 0, 0]


def _read(read: Callable[[Any], Any], body: dict[str, Any]) -> Any:
    try:
        return read(body)
    except InvalidObjectError:
        return None


def _hold(body: dict[str, Any]) -> HoldView:
    found = _read(lambda one: hold_view(ApiClientHold.from_object(one)), body)
    meta = body["metadata"]
    return found or HoldView(meta["namespace"], meta["name"], None, LabelSelector(), None)


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
