"""The budget of a namespace: what counts, and when a namespace is let go again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiclients.lifecycle.budget import ProofLoad, nearly_over_budget, over_budget, refused_after_proof

NAMESPACES = st.frozensets(st.sampled_from(["a", "b", "c", "d"]))


@pytest.mark.parametrize(
    ("load", "nearly", "over"),
    [
        (ProofLoad(), False, False),
        (ProofLoad(clients=8), False, False),
        (ProofLoad(clients=5, holds=4), True, False),
        (ProofLoad(clients=10), True, False),
        (ProofLoad(clients=10, holds=1), True, True),
        (ProofLoad(holds=11), True, True),
    ],
)
def test_clients_that_are_not_available_and_holds_count_together(load: ProofLoad, nearly: bool, over: bool) -> None:
    assert (nearly_over_budget(load, 10), over_budget(load, 10)) == (nearly, over)


@pytest.mark.rule(17)
@given(NAMESPACES, NAMESPACES, NAMESPACES)
def test_nobody_is_let_go_without_a_proof(
    refused: frozenset[str], left_out: frozenset[str], over: frozenset[str]
) -> None:
    stay = refused_after_proof(refused, left_out, over)
    assert stay <= refused, "a proof refuses nobody"
    assert refused & left_out <= stay, "of these the proof said nothing"
    assert refused & over <= stay, "these are over their budget"
    assert not (refused - stay) & (left_out | over)
    assert refused - left_out - over == refused - stay
