"""A retirement is accepted on a proof alone: a fresh list of the contracts that it would end."""

from __future__ import annotations

import asyncio

import pytest

from apiclients.kube.errors import ApiError, GoneError, TooManyRequestsError
from tests.controllers.faulty_api import Operator
from tests.lifecycle.parties import raw_api, raw_client, raw_contract

pytestmark = pytest.mark.rule(9)

FAILURES = [
    ApiError(500, "InternalError", ""),
    TooManyRequestsError(429, "TooManyRequests", ""),
    GoneError(410, "Expired", ""),
]


parties = pytest.mark.parametrize(
    ("kind", "name", "namespace"),
    [("ApiClient", "billing", "team-a"), ("Api", "orders", "shop")],
    ids=["client", "Api"],
)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.reason)
@parties
async def test_a_proof_that_fails_accepts_nothing_and_is_tried_again(
    failure: ApiError, kind: str, name: str, namespace: str
) -> None:
    client = raw_client("Retired")
    client["spec"]["retirement"] = {"gracePeriod": "0s"}
    operator = Operator(client, raw_api(desired="Retired"))
    operator.api.refuses["list"] = failure
    with pytest.raises(ApiError) as raised:
        await operator.reconcile(kind, name, namespace)
    assert raised.value is failure
    assert operator.written == {}
    operator.api.refuses.clear()
    assert await operator.reconcile(kind, name, namespace)
    assert operator.written[name].desired_status == "Retired"
    assert len(operator.api.asked) == 2, "it was proved anew"


@parties
async def test_a_proof_by_many_contracts_leaves_turns_to_the_others(
    kind: str, name: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apiclients.kube.pace.SLICE_SECONDS", 0.0)
    operator, turns = Operator(raw_client("Retired"), raw_api(desired="Retired")), 0
    operator.api.contracts = [raw_contract(f"c{number}") for number in range(500)]
    proving = asyncio.create_task(operator.reconcile(kind, name, namespace))
    while not proving.done():
        turns += 1
        await asyncio.sleep(0)
    assert await proving
    assert turns > 20


@parties
async def test_nothing_is_accepted_while_a_contract_comes_into_force(kind: str, name: str, namespace: str) -> None:
    """It was decided on before the retirement was seen, its status is on its way, and no list shows it."""
    contract = raw_contract()
    operator = Operator(raw_client(), raw_api(), contract)
    operator.writes.clear()
    beginning = asyncio.create_task(operator.reconcile("Contract", "billing-orders"))
    await asyncio.sleep(0)
    operator.edit(kind, name, namespace, desiredStatus="Retired")
    assert not await asyncio.wait_for(operator.reconcile(kind, name, namespace), timeout=30), "asked again later"
    operator.writes.set()
    assert await beginning
    assert operator.written["billing-orders"].observed_status == "Active"
    assert name not in operator.written
    operator.api.contracts = [contract | {"status": operator.written["billing-orders"].to_object()}]
    await operator.reconcile(kind, name, namespace)
    assert operator.written[name].desired_status != "Retired"
    assert operator.ready(name).startswith("False/AcknowledgementRequired")
