"""An approval that is meant for a contract and differs in one thing is named; what it says must be clear."""

from dataclasses import replace

import pytest

from apiclients.lifecycle.approvals import Ruling, near_miss
from apiclients.lifecycle.contract_view import Claim
from apiclients.resources.approval import Decision

CLAIM = Claim("team-a", "billing-orders", "uid", "billing", ("shop", "orders"))
RULING = Ruling(
    name="yes",
    namespace="shop",
    contract=("team-a", "billing-orders"),
    client="billing",
    api="orders",
    plan="gold",
    decision=Decision.APPROVED,
    reason=None,
    bound_uid=None,
    bound_anew=False,
    deleting=False,
)


@pytest.mark.parametrize(
    ("ruling", "told"),
    [
        (replace(RULING, plan="basic"), "it says plan basic, and not gold."),
        (replace(RULING, client="bill"), "it says client bill, and not billing."),
        (replace(RULING, namespace="team-a"), "it says api team-a/orders, and not shop/orders."),
        (
            replace(RULING, contract=("team-a", "order")),
            "it says contract team-a/order, and not team-a/billing-orders.",
        ),
    ],
)
def test_one_difference_is_a_near_miss(ruling: Ruling, told: str) -> None:
    name = f"ContractApproval {ruling.namespace}/yes"
    assert near_miss(ruling, CLAIM, "gold") == f"{name} does not count for it: {told}"


@pytest.mark.parametrize(
    "ruling", [RULING, replace(RULING, plan="basic", client="bill"), replace(RULING, plan="basic", deleting=True)]
)
def test_all_else_is_none(ruling: Ruling) -> None:
    assert near_miss(ruling, CLAIM, "gold") is None
