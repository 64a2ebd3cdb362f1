"""The relations: what they count, and whom they wake, after any changes in any order."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apiclients.engine import contract_index
from apiclients.engine.relations import Relations
from apiclients.engine.views import View, read_view
from apiclients.engine.wakes import Wake, WakeReason
from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.approvals import Ruling, decisive
from apiclients.lifecycle.contract_view import Claim, ContractView, contract_counts, contracts_of_api, stands_first
from apiclients.lifecycle.holds import HoldView, matches
from apiclients.lifecycle.observation import Owner, SecretMetadata
from apiclients.resources.refs import ObjectRef
from tests.lifecycle.parties import granted, raw_api, raw_approval, raw_client, raw_contract, raw_hold

APIS = (("shop", "orders"), ("shop", "loans"), ("no", "where"))
CLIENT, CONTRACT = ObjectRef("ApiClient", "team-a", "billing"), ObjectRef("Contract", "team-a", "billing-orders")


def view(kind: str, raw: dict[str, Any]) -> View:
    found, readable = read_view(kind, raw)
    assert found is not None
    assert readable
    return found


def names(wakes: Iterable[Iterable[Wake]]) -> set[tuple[str, str]]:
    return {(wake.ref.kind, wake.ref.name) for wake in chain.from_iterable(wakes)}


@st.composite
def clients(draw: st.DrawFn) -> tuple[ObjectRef, View]:
    name = draw(st.sampled_from(["billing", "shop"]))
    raw = raw_client()
    raw["metadata"] |= {
        "name": name,
        "uid": draw(st.sampled_from(["u1", "u2"])) + name,
        "labels": draw(st.dictionaries(st.just("tier"), st.sampled_from(["gold", "basic"]))),
    }
    raw["spec"]["desiredStatus"] = draw(st.sampled_from(["Available", "Suspended", "Retired"]))
    return ObjectRef("ApiClient", "team-a", name), view("ApiClient", raw)


@st.composite
def contracts(draw: st.DrawFn) -> tuple[ObjectRef, View]:
    name = draw(st.sampled_from(["c1", "c2", "c3", "c4"]))
    raw = raw_contract(name, uid=draw(st.sampled_from(["a", "b", "c"])) + name)
    raw["metadata"] |= draw(st.sampled_from([{}, {}, {"deletionTimestamp": "2026-03-01T10:00:00Z"}]))
    raw["metadata"]["creationTimestamp"] = f"2026-03-01T10:00:0{draw(st.integers(0, 1))}Z"
    raw["spec"] |= {
        "clientName": draw(st.sampled_from(["billing", "shop"])),
        "api": {"namespace": "shop", "name": draw(st.sampled_from(["orders", "loans"]))},
    }
    reason = draw(st.sampled_from(["PendingApproval", "Active", "Conflict", "TooManyContracts"]))
    ready = {"type": "Ready", "status": "True", "reason": reason, "lastTransitionTime": "2026-03-01T10:00:00Z"}
    raw["status"] = {
        "observedStatus": draw(st.sampled_from(["Active", "Rejected", "PendingApproval", "Inactive"])),
        "conditions": [ready],
    }
    if draw(st.booleans()):
        client, api = draw(st.sampled_from(["billing", "shop"])), {"namespace": "shop", "name": "orders"}
        in_force = {"plan": "basic", "clientName": client, "clientUid": "u1", "api": api, "apiUid": "u2"}
        raw["status"]["inForce"] = in_force | {"grantedBy": "Automatic"}
    return ObjectRef("Contract", "team-a", name), view("Contract", raw)


@st.composite
def approvals(draw: st.DrawFn) -> tuple[ObjectRef, View]:
    name, namespace = draw(st.sampled_from(["a1", "a2", "a3"])), draw(st.sampled_from(["shop", "elsewhere"]))
    plan = draw(st.sampled_from(["gold", "gold", "basic"]))
    raw = raw_approval(plan, draw(st.sampled_from(["Approved", "Rejected"])), name)
    raw["spec"] |= draw(st.sampled_from([{}, {}, {"client": "shop"}, {"api": "loans"}]))
    raw["metadata"]["namespace"] = namespace
    raw["spec"]["contract"] = {"namespace": "team-a", "name": draw(st.sampled_from(["c1", "c2"]))}
    bound = {"contractUid": draw(st.sampled_from(["ac1", "bc1", "ac2"])), "generation": draw(st.sampled_from([0, 1]))}
    raw["status"] = draw(st.sampled_from([{}, {"bound": bound}, {"bound": bound}]))
    if draw(st.sampled_from([True, *[False] * 9])):
        raw["status"]["conditions"] = 7
    found, _ = read_view("ContractApproval", raw)
    assert found is not None
    return ObjectRef("ContractApproval", namespace, name), found


@st.composite
def holds(draw: st.DrawFn) -> tuple[ObjectRef, View]:
    name = draw(st.sampled_from(["h1", "h2"]))
    target: dict[str, Any] = draw(
        st.sampled_from([{"clientName": "billing"}, {"selector": {"matchLabels": {"tier": "gold"}}}, {"selector": {}}])
    )
    raw = raw_hold(name)
    raw["spec"] = {"reason": draw(st.sampled_from(["leak", "bill"])), **target}
    return ObjectRef("ApiClientHold", "team-a", name), view("ApiClientHold", raw)


puts = st.one_of(clients(), contracts(), approvals(), holds())
changes = st.lists(st.tuples(puts, st.booleans()), max_size=25)


@given(changes)
@settings(max_examples=300, deadline=None)
def test_relations_kept_up_by_changes_are_those_of_the_objects(made: list[Any]) -> None:
    relations, present = Relations(), dict[ObjectRef, View]()
    for (ref, found), gone in made:
        relations.put(ref, None if gone else found)
        present.pop(ref, None) if gone else present.update({ref: found})
    _check(relations, present)
    _check(relations.copy(), present)


def _check(relations: Relations, present: dict[ObjectRef, View]) -> None:
    those = [one for one in present.values() if isinstance(one, ContractView)]
    for name in ("billing", "shop"):
        mine = [c for c in those if c.claim.client == name]
        assert sorted(relations.contracts.of_client(("team-a", name)), key=_name) == sorted(mine, key=_name)
        assert relations.contracts.active_count(("team-a", name)) == sum(c.active for c in mine)
        named = {c.claim.api for c in mine}
        assert list(relations.contracts.apis_of(("team-a", name))) == sorted(named)
        for api in APIS:
            _check_rivals(relations, ("team-a", name), api, [c for c in mine if c.claim.api == api])
        client = present.get(ObjectRef("ApiClient", "team-a", name))
        stopping = [hold.name for hold in present.values() if isinstance(hold, HoldView) and _stops(hold, client)]
        assert sorted(hold.name for hold in relations.holds.of_client(("team-a", name))) == sorted(stopping)
        for hold in ("h1", "h2"):
            assert (name in relations.clients_of_hold(("team-a", hold))) == (hold in stopping)
    for api in APIS:
        here = [c for c in those if c.claim.api == api]
        assert relations.contracts.counts(api) == (contracts_of_api(here) if here else contract_counts({}))
        waiting = relations.contracts.first_waiting(api, 10)
        assert waiting == sorted((c for c in here if c.waits_for_approval), key=lambda c: c.age_key)
    for namespace in ("shop", "elsewhere"):
        for contract in ("c1", "c2"):
            expected = [
                ruling
                for ruling in present.values()
                if isinstance(ruling, Ruling) and ruling.namespace == namespace and ruling.contract[1] == contract
            ]
            about = relations.rulings.about(("team-a", contract), namespace)
            assert sorted(about, key=lambda ruling: ruling.name) == sorted(expected, key=lambda ruling: ruling.name)
            assert relations.rulings.all_readable(("team-a", contract), namespace) == all(r.readable for r in expected)
            _check_decisive(relations, contract, namespace, expected)


def _check_rivals(relations: Relations, client: Any, api: Any, rivals: list[ContractView]) -> None:
    """What is known of the contracts of a client for an Api."""
    found = relations.contracts
    standing = sorted(filter(stands_first, rivals), key=lambda c: c.age_key)
    assert sorted(found.between(client, api), key=_name) == sorted(rivals, key=_name)
    assert found.first(client, api) == (standing[0] if standing else None)


def _check_decisive(relations: Relations, contract: str, namespace: str, rulings: list[Ruling]) -> None:
    """For every claim that such a contract could make, and every plan that it could ask for or have."""
    readable = [ruling for ruling in rulings if ruling.readable]
    for uid, client, api in itertools.product(("a", "b"), ("billing", "shop"), ("orders", "loans")):
        claim = Claim("team-a", contract, uid + contract, client, (namespace, api))
        for plan in ("gold", "basic"):
            assert relations.rulings.decisive(claim, plan) == decisive(claim, plan, readable)


def _name(view: ContractView) -> str:
    return view.claim.name


def _stops(hold: HoldView, client: View | None) -> bool:
    return isinstance(client, ClientView) and matches(hold, client.namespace, client.name, client.labels)


@given(changes, puts)
@settings(max_examples=200, deadline=None)
def test_the_same_again_wakes_nobody(made: list[Any], last: Any) -> None:
    relations = Relations()
    for (ref, found), gone in made:
        relations.put(ref, None if gone else found)
    relations.put(*last)
    assert relations.put(*last) == []


@pytest.mark.rule(35)
@given(changes, contracts(), st.integers(min_value=1, max_value=1_000_000))
@settings(max_examples=100, deadline=None)
def test_the_last_use_of_a_contract_wakes_nobody_and_is_known_wherever_it_is_kept(
    made: list[Any], last: tuple[ObjectRef, ContractView], hour: int
) -> None:
    ref, found = last
    relations = _after(made, last)
    assert relations.put(ref, replace(found, last_used=hour)) == []
    kept = [relations.contracts.get(ref.key), *relations.contracts.of_client((ref.namespace, found.claim.client))]
    assert [one.last_used for one in kept if one is not None and one.claim.name == ref.name] == [hour, hour]
    assert relations.put(ref, None) == _after(made, last).put(ref, None), "and nothing else differs"


def _after(made: list[Any], last: tuple[ObjectRef, View]) -> Relations:
    relations = Relations()
    for (ref, found), gone in made:
        relations.put(ref, None if gone else found)
    relations.put(*last)
    return relations


def test_what_does_not_decide_about_others_wakes_nobody() -> None:
    relations = Relations()
    relations.put(CLIENT, view("ApiClient", raw_client()))
    relations.put(CONTRACT, view("Contract", raw_contract()))
    renamed = raw_client()
    renamed["spec"] |= {"displayName": "Billing", "secret": {"revision": 7}}
    assert relations.put(CLIENT, view("ApiClient", renamed)) == []


def test_an_approval_of_a_foreign_namespace_wakes_nobody() -> None:
    relations = Relations()
    relations.put(CONTRACT, view("Contract", raw_contract()))
    foreign = raw_approval()
    foreign["metadata"]["namespace"] = "elsewhere"
    assert relations.put(ObjectRef("ContractApproval", "elsewhere", "yes"), view("ContractApproval", foreign)) == []
    foreign["metadata"]["namespace"], foreign["spec"]["plan"] = "shop", "basic"
    foreign["spec"]["decision"] = "Rejected"
    ours = relations.put(ObjectRef("ContractApproval", "shop", "yes"), view("ContractApproval", foreign))
    assert [(wake.ref, wake.reason) for wake in chain(*ours)] == [(CONTRACT, WakeReason.APPROVAL_CHANGED)]


def test_an_approval_that_does_not_decide_wakes_nobody() -> None:
    relations = Relations()
    relations.put(CONTRACT, view("Contract", raw_contract()))
    for name, reason in (("a1", "first"), ("a2", "second"), ("a2", "edited")):
        raw = raw_approval("basic", "Rejected", name, reason=reason)
        raw["status"] = {"bound": {"contractUid": raw_contract()["metadata"]["uid"], "generation": 1}}
        wakes = relations.put(ObjectRef("ContractApproval", "shop", name), view("ContractApproval", raw))
        assert names(wakes) == ({("Contract", "billing-orders")} if name == "a1" else set())


def rivals(statuses: list[str]) -> tuple[Relations, list[ObjectRef], list[dict[str, Any]]]:
    """Contracts of one client for one Api, the oldest first, and what their statuses say."""
    relations, refs = Relations(), [ObjectRef("Contract", "team-a", f"c{number}") for number in range(len(statuses))]
    raws = [raw_contract(ref.name, uid=ref.name, creationTimestamp=f"2026-03-01T10:00:0{ref.name[1]}Z") for ref in refs]
    raws = [with_reason(raw, reason) for raw, reason in zip(raws, statuses, strict=True)]
    for ref, raw in zip(refs, raws, strict=True):
        relations.put(ref, view("Contract", raw))
    return relations, refs, raws


def with_reason(raw: dict[str, Any], reason: str) -> dict[str, Any]:
    if reason == "Active":
        return granted(raw)
    ready = {"type": "Ready", "status": "False", "reason": reason, "lastTransitionTime": "2026-03-01T10:00:00Z"}
    return raw | {
        "status": {"observedStatus": "Inactive" if reason == "Conflict" else "Pending", "conditions": [ready]}
    }


def woken_rivals(wakes: Iterable[Iterable[Wake]]) -> set[str]:
    return {name for kind, name in names(wakes) if kind == "Contract"}


def test_who_comes_into_force_concerns_younger_ones_that_are_not_in_conflict_yet() -> None:
    relations, refs, raws = rivals(["PlanNotFound", "PlanNotFound", "Active", "Conflict", "PlanNotFound"])
    assert woken_rivals(relations.put(refs[1], view("Contract", granted(raws[1])))) == {"c2", "c4"}
    assert woken_rivals(relations.put(refs[1], view("Contract", granted(raws[1])))) == set()


def test_where_none_is_in_force_any_more_the_oldest_in_conflict_hear_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract_index, "_HEAR", 2)
    relations, refs, raws = rivals(["PlanNotFound", "Active", "Conflict", "Conflict", "Conflict", "Conflict"])
    moved = copy.deepcopy(raws[1])
    moved["spec"]["clientName"] = "other"
    assert woken_rivals(relations.put(refs[1], view("Contract", moved))) == {"c2", "c3"}
    waits = with_reason(raws[2], "PlanNotFound")
    assert woken_rivals(relations.put(refs[2], view("Contract", waits))) == {"c3", "c4"}, "who cannot makes room"
    assert woken_rivals(relations.put(refs[3], view("Contract", granted(raws[3])))) == set(), "the others stay"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_that_came_into_force_at_once_the_younger_is_decided_about_again(order: tuple[int, int]) -> None:
    """The one before them has gone, and each was decided about before the other was written."""
    relations, refs, raws = rivals(["Conflict", "Conflict"])
    woken = [woken_rivals(relations.put(refs[number], view("Contract", granted(raws[number])))) for number in order]
    assert woken[-1] == {"c1"}
    assert woken_rivals(relations.put(refs[1], view("Contract", with_reason(raws[1], "Conflict")))) == set()


@pytest.mark.rule(32)
def test_all_rivals_are_woken_where_the_first_cannot_be_read_or_can_be_again() -> None:
    relations, refs, raws = rivals(["Active", "Conflict", "Conflict", "Conflict"])
    others = {ref.name for ref in refs[1:]}
    odd, _ = read_view("Contract", raws[0] | {"status": {"observedStatus": "Paused"}})
    assert woken_rivals(relations.put(refs[0], odd, readable=False)) == others
    assert woken_rivals(relations.put(refs[0], view("Contract", raws[0]))) == others


def test_a_hold_wakes_those_whom_it_stopped_or_stops() -> None:
    relations = Relations()
    for name, tier in (("billing", "gold"), ("shop", "basic"), ("other", "other")):
        raw = raw_client()
        raw["metadata"] |= {"name": name, "uid": name, "labels": {"tier": tier}}
        relations.put(ObjectRef("ApiClient", "team-a", name), view("ApiClient", raw))
    hold, ref = raw_hold(), ObjectRef("ApiClientHold", "team-a", "leak")
    for selected, woken in (("gold", {"billing"}), ("basic", {"billing", "shop"}), ("nobody", {"shop"})):
        hold["spec"] = {"reason": "leak", "selector": {"matchLabels": {"tier": selected}}}
        wakes = relations.put(ref, view("ApiClientHold", hold))
        assert names(wakes) == {("ApiClient", name) for name in woken}


def test_a_secret_concerns_its_owner_and_who_expects_its_name() -> None:
    relations = Relations()
    raw = raw_client()
    raw["spec"]["secret"] = {"name": "shared"}
    relations.put(CLIENT, view("ApiClient", raw))
    secret = SecretMetadata("team-a", "shared", "s1", "1", Owner("apiclients.dev", "ApiClient", "other", "u9"), {}, {})
    assert names([relations.put_secret(None, secret)]) == {("ApiClient", "other"), ("ApiClient", "billing")}
    assert [one.name for one in relations.secrets.of_owner("team-a", "u9")] == ["shared"]
    relations.put(CLIENT, None)
    assert names([relations.put_secret(secret, None)]) == {("ApiClient", "other")}
    assert list(relations.secrets.of_owner("team-a", "u9")) == []


def test_a_secret_of_another_namespace_is_nobodys_however_much_it_names_an_owner() -> None:
    """Garbage collection deletes it, and what has its name beside the owner stays known."""
    relations = Relations()
    owner = Owner("apiclients.dev", "ApiClient", "billing", "u1")
    secret = SecretMetadata("team-a", "left", "s1", "1", owner, {}, {})
    relations.put_secret(None, secret)
    copied = replace(secret, namespace="team-b", uid="s2")
    relations.put_secret(None, copied)
    assert list(relations.secrets.of_owner("team-a", "u1")) == [secret]
    relations.put_secret(copied, None)
    assert list(relations.secrets.of_owner("team-a", "u1")) == [secret]


def test_an_object_that_cannot_be_read_wakes_whoever_depends_on_it() -> None:
    relations = Relations()
    relations.put(CLIENT, view("ApiClient", raw_client()))
    relations.put(ObjectRef("Api", "shop", "orders"), view("Api", raw_api()))
    relations.put(CONTRACT, view("Contract", raw_contract()))
    assert [wake.ref for wake in chain(*relations.put(CLIENT, None, readable=False))] == [CONTRACT]
    assert relations.is_unreadable(CLIENT)
    assert [wake.ref for wake in chain(*relations.put(CLIENT, view("ApiClient", raw_client())))] == [CONTRACT]
    assert not relations.is_unreadable(CLIENT)


@pytest.mark.rule(32)
@pytest.mark.parametrize(
    ("ref", "raw", "woken"),
    [
        (CONTRACT, raw_contract(), {("ApiClient", "billing"), ("ContractApproval", "yes"), ("Api", "orders")}),
        (ObjectRef("ContractApproval", "shop", "yes"), raw_approval(), {("Contract", "billing-orders")}),
        (ObjectRef("ApiClientHold", "team-a", "leak"), raw_hold(), {("ApiClient", "billing")}),
    ],
    ids=lambda value: value.kind if isinstance(value, ObjectRef) else "",
)
def test_one_that_cannot_be_read_counts_as_the_most_restrictive_that_it_could_be(
    ref: ObjectRef, raw: dict[str, Any], woken: set[tuple[str, str]]
) -> None:
    relations = Relations()
    relations.put(CLIENT, view("ApiClient", raw_client()))
    relations.put(CONTRACT, view("Contract", raw_contract()))
    relations.put(ObjectRef("ContractApproval", "shop", "yes"), view("ContractApproval", raw_approval()))
    odd = raw | {"status": {"observedStatus": "Paused", "conditions": 7}}
    found, readable = read_view(ref.kind, odd)
    assert (found is not None, readable) == (True, False)
    assert names(relations.put(ref, found, readable=False)) == woken
    assert relations.is_unreadable(ref)
    again = names(relations.put(ref, view(ref.kind, raw)))
    assert again >= woken - {("ApiClient", "billing")}


@pytest.mark.rule(9, 32)
def test_a_contract_that_cannot_be_read_is_in_force_for_a_retirement() -> None:
    relations = Relations()
    found, _ = read_view("Contract", raw_contract() | {"status": {"observedStatus": "Paused"}})
    relations.put(CONTRACT, found, readable=False)
    assert relations.contracts.active_count(CLIENT.key) == 1
    assert relations.contracts.counts(("shop", "orders")).active == 1


def test_what_waits_is_shown_oldest_first_and_no_namespace_hides_another() -> None:
    relations = Relations()
    for namespace, count in (("aaa", 70), ("team-a", 2)):
        for number in range(count):
            raw = raw_contract(f"c{number:02}", uid=f"{namespace}{number}")
            raw["metadata"] |= {"namespace": namespace, "creationTimestamp": f"2026-03-01T10:{59 - number % 60:02}:00Z"}
            raw["status"] = {
                "observedStatus": "PendingApproval",
                "conditions": [
                    {
                        "type": "Ready",
                        "status": "True",
                        "reason": "PendingApproval",
                        "lastTransitionTime": "2026-03-01T10:00:00Z",
                    }
                ],
            }
            relations.put(ObjectRef("Contract", namespace, f"c{number:02}"), view("Contract", raw))
    shown = relations.contracts.first_waiting(("shop", "orders"), 5)
    assert [one.claim.namespace for one in shown] == ["aaa", "team-a", "aaa", "team-a", "aaa"]
    assert [one.claim.name for one in shown if one.claim.namespace == "team-a"] == ["c01", "c00"], "the oldest first"
