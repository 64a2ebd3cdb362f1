"""Defaults that follow from other fields, rounding, and what of a spec cannot be obeyed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from apiclients.lifecycle.timing import next_second, overlap, renew_before, spec_problem, whole_second
from apiclients.resources.apiclient import ApiClientSpec, SecretSpec
from tests.lifecycle.world import DAY, HOUR, START

SECOND = timedelta(seconds=1)


def secret(**fields: str) -> SecretSpec:
    return SecretSpec.model_validate(fields)


@pytest.mark.rule(5)
@pytest.mark.parametrize(
    ("fields", "renew", "overlapping"),
    [
        ({}, 14 * DAY, DAY),
        ({"lifetime": "17520h"}, 14 * DAY, DAY),
        ({"lifetime": "72h"}, DAY, DAY),
        ({"lifetime": "3h"}, HOUR, HOUR),
        ({"lifetime": "10s"}, 3 * SECOND, 3 * SECOND),
        ({"lifetime": "1s"}, 0 * SECOND, 0 * SECOND),
        ({"renewBefore": "2h"}, 2 * HOUR, 2 * HOUR),
        ({"renewBefore": "0s"}, 0 * SECOND, 0 * SECOND),
        ({"overlap": "48h"}, 14 * DAY, 2 * DAY),
        ({"overlap": "0s"}, 14 * DAY, 0 * SECOND),
    ],
)
def test_unset_means_a_part_of_what_is_set(fields: dict[str, str], renew: timedelta, overlapping: timedelta) -> None:
    assert (renew_before(secret(**fields)), overlap(secret(**fields))) == (renew, overlapping)


@pytest.mark.rule(24)
@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (
            {"secret": {"lifetime": "24h", "renewBefore": "24h"}},
            "renewBefore (24h) must be less than spec.secret.lifetime",
        ),
        (
            {"secret": {"lifetime": "24h", "overlap": "25h"}},
            "overlap (25h) must be less than spec.secret.lifetime (24h)",
        ),
        ({"tokens": {"notBefore": "2026-03-01T10:00:01Z"}}, "notBefore (2026-03-01T10:00:01Z) lies in the future"),
        ({"secret": {"lifetime": "24h", "renewBefore": "23h", "overlap": "23h"}}, None),
        ({"tokens": {"notBefore": "2026-03-01T10:00:00Z"}}, None),
        ({"tokens": {"notBefore": "1970-01-01T00:00:00Z"}}, None),
        ({}, None),
    ],
)
def test_what_cannot_be_obeyed_is_one_sentence_that_says_what_to_change(
    spec: dict[str, Any], sentence: str | None
) -> None:
    problem = spec_problem(ApiClientSpec.model_validate({"desiredStatus": "Available", **spec}), START)
    if sentence is None:
        assert problem is None
        return
    assert problem is not None
    assert sentence in problem
    assert ": " in problem
    assert not problem.endswith(".")


def test_times_are_rounded_to_the_second_that_has_begun_or_that_comes() -> None:
    inside = START + timedelta(microseconds=1)
    assert (whole_second(inside), next_second(inside)) == (START, START + SECOND)
    assert (whole_second(START), next_second(START)) == (START, START)
