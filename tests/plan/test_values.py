"""Values in a plan read as they are written in manifests, not as a program would print them."""

from __future__ import annotations

import pytest

from apiclients.plan.values import LONGEST, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("24h", "24h"),
        (2, "2"),
        (True, "true"),
        (["a", "b"], "[a, b]"),
        ([], "[]"),
        ({"matchLabels": {"tier": "gold"}}, "{matchLabels: {tier: gold}}"),
        (["1.0", None], '["1.0", null]'),
        ("line\nbreak", "line\nbreak"),
    ],
)
def test_a_value_is_shown_as_yaml(value: object, text: str | None) -> None:
    assert shown(value) == text


def test_a_long_value_ends_in_dots() -> None:
    text = shown(["contract"] * 100)
    assert text is not None
    assert (len(text), text[-3:]) == (LONGEST, "...")
