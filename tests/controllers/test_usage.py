"""What the operator makes of the reports of gates: few writes, and nobody else is looked at."""

from __future__ import annotations

import pytest

from apiclients.engine.views import read_view
from apiclients.lifecycle.contract_usage import encode_contracts
from apiclients.lifecycle.reports import Report, report
from apiclients.lifecycle.usage import LastUse, encode, hour_of, time_of
from apiclients.resources.fields import format_time
from apiclients.resources.names import CONTRACT_USAGE_ANNOTATION, USAGE_ANNOTATION, USAGE_COMPLETE_ANNOTATION
from apiclients.resources.refs import ObjectRef
from tests.controllers.in_memory import NOW, InMemory
from tests.lifecycle.parties import raw_api, raw_approval, raw_client, raw_contract

HOUR = hour_of(NOW.timestamp())
UIDS = {name: f"cccccccc-0000-4000-8000-00000000000{number}" for number, name in enumerate("abc")}


@pytest.fixture
async def operator(monkeypatch: pytest.MonkeyPatch) -> InMemory:
    """Three contracts in force, for an Api each, with an approval each. All is settled."""
    found = InMemory(monkeypatch)
    client, _ = read_view("ApiClient", raw_client())
    found.cluster.relations.put(ObjectRef("ApiClient", "team-a", "billing"), client)
    for name, uid in UIDS.items():
        api, contract = raw_api(), raw_contract(name, uid=uid)
        api["metadata"] |= {"name": name, "uid": f"api-{name}"}
        contract["spec"]["api"]["name"] = name
        found.put("apis", api)
        found.put("contracts", contract)
        found.put("approvals", raw_approval("basic", name=name, contract={"namespace": "team-a", "name": name}))
    await found.settle()
    return found


def reported(**hours: int) -> Report:
    return Report({}, {UIDS[name]: hour for name, hour in hours.items()})


def told(operator: InMemory, name: str) -> object:
    raw = operator.cluster.contracts.raw(("team-a", name))
    assert raw is not None
    return raw["status"].get("lastUsedTime")


async def test_a_report_costs_one_write_of_each_contract_that_is_news_and_wakes_nobody_else(
    operator: InMemory,
) -> None:
    operator.usage.take(reported(a=HOUR, b=HOUR - 1))
    cost = await operator.settle()
    assert (dict(cost.reconciles), cost.written) == ({"Contract": 2}, 2)
    assert [told(operator, name) for name in "abc"] == [*(format_time(time_of(HOUR - n)) for n in (0, 1)), None]


async def test_what_statuses_say_already_costs_nothing(operator: InMemory) -> None:
    """Gates repeat it until they have seen the status, and an operator that starts finds the last reports."""
    operator.usage.take(reported(a=HOUR, b=HOUR))
    await operator.settle()
    operator.usage.take(reported(a=HOUR, b=HOUR - 1))
    operator.usage.take(reported(b=HOUR))
    cost = await operator.settle()
    assert (cost.reconciled, cost.decoded, cost.written) == (0, 0, 0)


async def test_of_two_gates_the_later_one_counts(operator: InMemory) -> None:
    operator.usage.take(reported(a=HOUR))
    operator.usage.take(reported(a=HOUR - 3, b=HOUR - 3))
    assert (await operator.settle()).written == 2
    assert [told(operator, name) for name in "ab"] == [format_time(time_of(HOUR - n)) for n in (0, 3)]


async def test_a_contract_that_is_gone_or_unknown_is_forgotten(operator: InMemory) -> None:
    operator.cluster.contracts.remove(("team-a", "a"))
    await operator.settle()
    operator.usage.take(Report({}, {UIDS["a"]: HOUR, "cccccccc-0000-4000-8000-00000000000f": HOUR}))
    assert (await operator.settle()).reconciled == 0


def test_a_report_of_an_older_gate_says_nothing_of_contracts() -> None:
    clients = {"u": LastUse(HOUR, {1: HOUR})}
    annotations = {USAGE_ANNOTATION: encode(clients.items())[0]}
    assert report({"metadata": {"annotations": annotations}}) == Report(clients, {})
    annotations[CONTRACT_USAGE_ANNOTATION] = encode_contracts({UIDS["a"]: HOUR}, 1000)
    assert report({"metadata": {"annotations": annotations}}) == Report(clients, {UIDS["a"]: HOUR})
    annotations[USAGE_COMPLETE_ANNOTATION] = format_time(NOW)
    assert report({"metadata": {"annotations": annotations}}).complete == NOW
    for text in ("", "yesterday"):
        assert report({"metadata": {"annotations": {USAGE_COMPLETE_ANNOTATION: text}}}) == Report({}, {})
    assert report({"metadata": {}}) == Report({}, {})
