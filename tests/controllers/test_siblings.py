"""What one edit costs among very many siblings: counted, not timed. Their number is in none of the bounds."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from apiclients.controllers.lanes import Lane
from apiclients.controllers.wake_backlog import WakeBacklog
from apiclients.engine import contract_index, ruling_index
from apiclients.engine.views import read_view
from apiclients.engine.wakes import Wake, WakeReason, Wakes
from apiclients.resources.refs import ObjectRef
from tests.controllers.in_memory import Cost, InMemory
from tests.lifecycle.parties import raw_api, raw_approval, raw_client, raw_contract

MANY = 600
APPROVALS = 1800


#: Another plan; away from its client and back; away from its Api and back.
EDITS: tuple[dict[str, Any], ...] = (
    {"plan": "gold"},
    {"plan": "basic"},
    {"clientName": "other"},
    {"clientName": "billing"},
    {"api": {"namespace": "bank", "name": "loans"}},
    {"api": {"namespace": "shop", "name": "orders"}},
)


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch) -> InMemory:
    return InMemory(monkeypatch)


def contract(number: int) -> dict[str, Any]:
    """All of one client for one Api; a lower number is older."""
    created = f"2026-03-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"
    return raw_contract(f"c{number}", uid=f"u{number:05}", creationTimestamp=created)


def approval(number: int, namespace: str) -> dict[str, Any]:
    raw = raw_approval("basic", "Approved", f"a{number:04}", contract={"namespace": "team-a", "name": "c0"})
    raw["metadata"] |= {"namespace": namespace, "uid": f"{namespace}-{number}"}
    return raw


async def edit(operator: InMemory, store: str, key: tuple[str, str], **spec: Any) -> Cost:
    """What comes of one edit."""
    raw = getattr(operator.cluster, store).raw(key)
    raw["spec"] |= spec
    raw["metadata"]["generation"] += 1
    operator.put(store, raw)
    return await operator.settle()


@pytest.mark.parametrize("there", [False, True], ids=["client and Api absent", "Api there"])
async def test_one_contract_among_many_of_one_absent_client_for_one_api(operator: InMemory, there: bool) -> None:
    """The contract itself, once more after its own status was written, and up to two clients and Apis that count it."""
    if there:
        operator.put("apis", raw_api())
    for number in range(MANY):
        operator.put("contracts", contract(number))
    first = await operator.settle()
    assert first.written == MANY + there, "each status once"
    for changed in EDITS:
        for number in (0, MANY // 2, MANY - 1):
            cost = await edit(operator, "contracts", ("team-a", f"c{number}"), **changed)
            assert cost.reconciled <= 6, changed
            assert cost.decoded <= 8, changed
            assert cost.written <= 3, changed


async def test_one_contract_among_many_in_conflict(operator: InMemory) -> None:
    """Where the one in force ends, so many of those in conflict hear of it: one comes into force, the others stay."""
    operator.put("apis", raw_api())
    client, _ = read_view("ApiClient", raw_client())
    operator.cluster.relations.put(ObjectRef("ApiClient", "team-a", "billing"), client)
    for number in range(MANY):
        operator.put("contracts", contract(number))
    first = await operator.settle()
    assert first.written <= MANY + 2, "the Api counts what waits, and what is in force"
    for changed in EDITS:
        for number in (0, MANY // 2, MANY - 1):
            cost = await edit(operator, "contracts", ("team-a", f"c{number}"), **changed)
            assert cost.reconciled <= 8 + contract_index._HEAR, changed
            assert cost.decoded <= 16 + contract_index._HEAR, changed
            assert cost.written <= 4, changed
    operator.remove("contracts", ("team-a", "c0"))
    assert (await operator.settle()).reconciled <= 8 + contract_index._HEAR


async def test_approvals_of_another_namespace_cost_the_contract_nothing(operator: InMemory) -> None:
    """Also not each other: each is looked at once."""
    operator.put("apis", raw_api())
    operator.put("contracts", contract(0))
    await operator.settle()
    for number in range(APPROVALS):
        operator.put("approvals", approval(number, "elsewhere"))
    cost = await operator.settle()
    assert cost.reconciles == Counter({"ContractApproval": APPROVALS})
    assert cost.written == APPROVALS
    cost = await edit(operator, "approvals", ("elsewhere", "a0007"), decision="Rejected")
    assert cost.reconciles == Counter({"ContractApproval": 1})


async def test_one_approval_among_many_of_one_contract(operator: InMemory) -> None:
    """Who does not decide is told of by its own status, and concerns nobody. One that rejects outvotes all others."""
    operator.put("apis", raw_api())
    operator.put("contracts", contract(0))
    await operator.settle()
    for number in range(MANY):
        operator.put("approvals", approval(number, "shop"))
    cost = await operator.settle()
    assert cost.reconciles["ContractApproval"] == cost.written == MANY
    assert cost.reconciles["Contract"] <= 2
    for number, bound in ((0, 2), (7, 1), (MANY - 1, 1)):
        cost = await edit(operator, "approvals", ("shop", f"a{number:04}"), reason="another")
        assert cost.reconciled <= bound
        assert cost.decoded <= bound + 2
    cost = await edit(operator, "approvals", ("shop", "a0007"), decision="Rejected")
    assert (cost.written, cost.reconciles["ContractApproval"]) == (MANY, MANY), "each says that it is outvoted"
    cost = await edit(operator, "approvals", ("shop", "a0007"), reason="said otherwise")
    assert cost.reconciled <= 2


async def test_what_is_indexed_is_found_in_a_few_steps(operator: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit looks at some dozens of places in orders of many: as many as their number has binary digits."""
    steps = Counter[str]()

    def counting(module: Any) -> None:
        place = module._place

        def counted(view: Any) -> Any:
            steps[module.__name__] += 1
            return place(view)

        monkeypatch.setattr(module, "_place", counted)

    operator.put("apis", raw_api())
    for number in range(MANY):
        operator.put("contracts", contract(number))
        operator.put("approvals", approval(number, "shop"))
    await operator.settle()
    counting(contract_index)
    counting(ruling_index)
    await edit(operator, "contracts", ("team-a", "c0"), clientName="other")
    await edit(operator, "approvals", ("shop", "a0300"), reason="another")
    assert 0 < steps["apiclients.engine.contract_index"] < 200
    assert 0 < steps["apiclients.engine.ruling_index"] < 100


async def test_very_many_wakes_are_handed_on_in_slices_and_each_once() -> None:
    woken = Counter[ObjectRef]()
    turns, all_woken = 0, asyncio.Event()

    def wake(one: Wake, _: Lane) -> None:
        woken[one.ref] += 1
        if len(woken) > len(many):
            all_woken.set()

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    backlog = WakeBacklog(wake)
    tasks = [asyncio.create_task(backlog.run()), asyncio.create_task(others())]
    many = tuple(("team-a", f"c{number}") for number in range(20_000))
    for _ in range(3):
        backlog.hand_on(Wakes("Contract", many, WakeReason.API_CHANGED))
    assert not woken, "nobody waits for so many"
    few = Wakes("Contract", (("team-b", "c1"),), WakeReason.API_CHANGED)
    backlog.hand_on(few)
    assert list(woken) == [ObjectRef("Contract", "team-b", "c1")], "few are not behind many"
    async with asyncio.timeout(60):
        await all_woken.wait()
    assert set(woken.values()) == {1}
    assert turns > 5
    for task in tasks:
        task.cancel()


async def test_a_crowd_that_a_person_changed_is_handed_on_before_one_that_waits_already() -> None:
    heard: list[Lane] = []
    backlog = WakeBacklog(lambda _, lane: heard.append(lane))
    crowd = tuple(("team-a", f"c{number}") for number in range(200))
    for lane in (Lane.REST, Lane.CHANGED):
        backlog.hand_on(Wakes("Contract", crowd, WakeReason.API_CHANGED), lane)
    await backlog.drain()
    assert heard == [Lane.CHANGED] * 200 + [Lane.REST] * 200
