"""A contract with an endTime: gates refuse calls from then on, without an operator too, and the operator says so."""

from datetime import UTC, datetime, timedelta

import pytest

from apiclients.resources.fields import format_time
from demo.calls import call
from tests.toolkit.product import Client, Product, Team, condition, url
from tests.toolkit.waiting import eventually


@pytest.mark.rule(34)
def test_an_access_ends_by_itself_and_goes_on_when_its_end_is_moved(product: Product, team: Team) -> None:
    client, admin, spec = team.declare("billing"), product.admin, contract_spec(team)
    plans = [{"name": "basic", "scopes": ["orders.read"]}]
    admin.apply("apis", team.namespace, "orders", {"desiredStatus": "Published", "plans": plans})
    admin.apply("contracts", team.namespace, "billing-orders", spec)
    token = accepted_token(client)

    product.operator.stop()
    ended = format_time(datetime.now(UTC) + timedelta(seconds=2))
    admin.apply("contracts", team.namespace, "billing-orders", spec | {"endTime": ended})
    until_answered(team, token, 403)
    product.until_accepted(token)

    product.ensure()
    until_reason(team, "Ended")
    eventually("an Event says so", lambda: "Ended" in {event["reason"] for event in team.events("billing-orders")})

    later = format_time(datetime.now(UTC) + timedelta(hours=1))
    admin.apply("contracts", team.namespace, "billing-orders", spec | {"endTime": later})
    until_reason(team, "Active")
    found = admin.get("contracts", team.namespace, "billing-orders")
    assert condition(found, "ExpiringSoon")["reason"] == "EndsSoon"
    until_answered(team, token, 200)
    admin.delete("contracts", team.namespace, "billing-orders")
    client.wait("none is active", lambda obj: obj["status"]["contracts"]["active"] == 0)


def contract_spec(team: Team) -> dict[str, object]:
    return {"clientName": "billing", "api": {"namespace": team.namespace, "name": "orders"}, "plan": "basic"}


def accepted_token(client: Client) -> str:
    """One for the Api, once all gates know the contract."""

    def probe() -> str | None:
        token = client.token()
        return token if answers(client.team, token) == {200} else None

    return str(eventually("a token for the Api is accepted", probe))


def until_reason(team: Team, reason: str) -> None:
    def probe() -> bool:
        contract = team.product.admin.get("contracts", team.namespace, "billing-orders")
        return condition(contract, "Ready").get("reason") == reason

    eventually(f"the contract is {reason}", probe)


def answers(team: Team, token: str) -> set[int]:
    """What the gates that run answer to a call."""
    places = [f"{url(gate)}/authz/{team.namespace}/orders" for gate in team.product.gates if gate.running]
    return {call(place, token).status for place in places}


def until_answered(team: Team, token: str, status: int) -> None:
    eventually(f"gates answer {status}", lambda: answers(team, token) == {status})
