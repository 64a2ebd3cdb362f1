"""What the demonstration compares: a plan's word and what came, so that it fails when the two differ."""

from __future__ import annotations

from typing import Any

from demo.foretold import Name, clients_losing_tokens, differences, foretold, statuses, stopped_contracts

CLIENT = {"kind": "ApiClient", "namespace": "team-a", "name": "billing"}
CONTRACT = {"kind": "Contract", "namespace": "team-a", "name": "billing-orders"}
BILLING, ORDERS = Name("ApiClient", "team-a", "billing"), Name("Contract", "team-a", "billing-orders")
OTHER = Name("ApiClient", "team-a", "other")
BEFORE = {BILLING: "Available", ORDERS: "Active", OTHER: "Expired"}


def plan(after: str | None = "Retired", *, blocked: bool = False) -> dict[str, Any]:
    """A retirement that ends one contract."""
    effect = {"object": CONTRACT, "change": "contract ended", "before": "Active", "after": "Inactive"}
    tokens = {"atMostSeconds": 60, "finalTime": "2026-03-01T10:00:00Z"}
    return {"changes": [{"object": CLIENT, "after": after, "blocked": blocked, "effects": [effect], "tokens": tokens}]}


def test_what_the_plan_names_changes_and_the_rest_stays() -> None:
    assert foretold(plan(), BEFORE) == {BILLING: "Retired", ORDERS: "Inactive", OTHER: "Expired"}


def test_what_is_deleted_is_gone() -> None:
    assert BILLING not in foretold(plan(after=None), BEFORE)


def test_what_is_held_back_changes_nothing() -> None:
    assert foretold(plan(blocked=True), BEFORE) == BEFORE


def test_every_difference_is_told() -> None:
    told = differences(foretold(plan(), BEFORE), {BILLING: "Retired", ORDERS: "Active"})
    assert told == [
        "ApiClient team-a/other: foretold Expired, came gone",
        "Contract team-a/billing-orders: foretold Inactive, came Active",
    ]


def test_what_stops_and_what_dies() -> None:
    assert stopped_contracts(plan()) == {ORDERS}
    assert clients_losing_tokens(plan()) == {BILLING}


def test_statuses_are_in_the_words_of_the_plan() -> None:
    objects: list[dict[str, Any]] = [
        {"kind": "ApiClient", "status": {"observedStatus": "Suspended", "holds": [{"name": "stop"}]}},
        {"kind": "ApiClient", "status": {"observedStatus": "Suspended"}},
        {"kind": "Contract", "status": {}},
        {"kind": "ApiClientHold"},
    ]
    named = [{**obj, "metadata": {"namespace": "team-a", "name": str(n)}} for n, obj in enumerate(objects)]
    assert list(statuses(named).values()) == ["Suspended (held)", "Suspended", "Pending"]
