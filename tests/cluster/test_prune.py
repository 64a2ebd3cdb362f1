"""A client, its contract, the Api and the approval leave Git in one commit; a tool prunes them in whatever order."""

import itertools
from collections.abc import Iterable

import pytest

from tests.toolkit.objects import JsonObject, manifest
from tests.toolkit.product import Team, gone
from tests.toolkit.waiting import eventually

pytestmark = pytest.mark.rule(27)

KINDS = {"apiclients": "ApiClient", "contracts": "Contract", "contractapprovals": "ContractApproval", "apis": "Api"}
#: All orders of those that policies look at; an approval may go at any time.
ORDERS = [(*order, "contractapprovals") for order in itertools.permutations(("apiclients", "contracts", "apis"))]


def specs(namespace: str, *, acknowledged: bool) -> dict[str, JsonObject]:
    """One object of each kind, all of the same name."""
    api = {"namespace": namespace, "name": "one"}
    approval = {"contract": api, "client": "one", "api": "one", "plan": "gold", "decision": "Approved"}
    retirements: list[JsonObject] = [{"acknowledgedContracts": ["one"]}, {"acknowledgedContractCount": 1}]
    of_client, of_api = ({"retirement": one} if acknowledged else {} for one in retirements)
    return {
        "apiclients": {"desiredStatus": "Available", **of_client},
        "contracts": {"clientName": "one", "api": api, "plan": "gold"},
        "contractapprovals": approval,
        "apis": {"desiredStatus": "Published", "plans": [{"name": "gold", "approval": "Manual"}], **of_api},
    }


def declare(team: Team, *, acknowledged: bool) -> None:
    """Everything, and wait until client and Api know that the contract is in force."""
    admin = team.product.admin
    for plural, spec in specs(team.namespace, acknowledged=acknowledged).items():
        admin.apply_object(plural, manifest(KINDS[plural], team.namespace, "one", spec))

    def counted() -> bool:
        statuses = [admin.get(plural, team.namespace, "one")["status"] for plural in ("apiclients", "apis")]
        return all(status.get("contracts", {}).get("active") == 1 for status in statuses)

    eventually("the contract is counted", counted)


def prune(team: Team, order: Iterable[str]) -> list[str]:
    """Delete all, one after the other without a pause; returns what was refused."""
    refused = []
    for plural in order:
        answer = team.product.admin.ask("DELETE", plural, team.namespace, "one")
        if answer.status >= 300:
            assert (answer.status, answer.body["reason"]) == (403, "Forbidden"), answer
            refused.append(plural)
    return refused


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_what_is_acknowledged_is_pruned_at_the_first_try_in_any_order(team: Team, order: tuple[str, ...]) -> None:
    declare(team, acknowledged=True)
    assert prune(team, order) == []
    for plural in order:
        gone(team.product.admin, plural, team.namespace, "one")


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_what_is_not_acknowledged_is_pruned_by_who_tries_again(team: Team, order: tuple[str, ...]) -> None:
    """At the first try the policy may not have heard of the contract's end yet, or be asked before it."""
    declare(team, acknowledged=False)
    left = list(order)

    def tried_again() -> bool:
        left[:] = prune(team, left)
        return not left

    eventually("nothing is left", tried_again, seconds=10, pause=0.3)
    for plural in order:
        gone(team.product.admin, plural, team.namespace, "one")
