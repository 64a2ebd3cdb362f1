"""Defaults that follow from other fields, rounding, and what of a spec cannot be obeyed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey

from apiclients.lifecycle.spec_problems import spec_problem
from apiclients.lifecycle.timing import next_second, overlap, renew_before, whole_second
from apiclients.resources.apiclient import ApiClientSpec, SecretSpec
from tests.lifecycle.world import DAY, HOUR, START, World

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


_KEY = ECKey.generate_key("P-256")
PUBLIC, PRIVATE = (json.dumps({"keys": [_KEY.as_dict(private=private) | {"kid": "k"}]}) for private in (False, True))


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
        ({"keys": {"jwks": "no JSON"}}, "spec.keys.jwks is not JSON"),
        ({"keys": {"jwks": '{"keys": []}'}}, "has no key that can be used"),
        ({"keys": {"jwks": PRIVATE}}, "has a private key in it, with which whoever can read it can sign: correct it"),
        ({"keys": {"jwks": PRIVATE.replace('"d"', r'"\u0064"')}}, "has a private key in it"),
        ({"keys": {"jwks": PUBLIC}, "secret": {"issue": False}}, None),
        ({"secret": {"issue": False}}, "there are neither identities nor keys"),
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
    assert sentence in problem.message
    assert str(_KEY.as_dict(private=True)["d"]) not in problem.message
    assert problem.message.startswith(".".join(problem.field))
    assert not problem.message.endswith(".")


def test_times_are_rounded_to_the_second_that_has_begun_or_that_comes() -> None:
    inside = START + timedelta(microseconds=1)
    assert (whole_second(inside), next_second(inside)) == (START, START + SECOND)
    assert (whole_second(START), next_second(START)) == (START, START)


@pytest.mark.rule(24)
@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"secret": {"lifetime": "59s"}}, "spec.secret.lifetime (59s) must be at least 1m"),
        ({"tokens": {"lifetime": "1s"}}, "spec.tokens.lifetime (1s) must be at least 1m"),
        ({"secret": {"lifetime": "1m", "renewBefore": "59s"}}, "leaves 1s between rotations"),
        ({"secret": {"lifetime": "1m", "renewBefore": "31s"}}, "leaves 29s between rotations"),
    ],
)
def test_what_would_keep_the_operator_busy_is_not_obeyed(spec: dict[str, Any], told: str) -> None:
    asked = ApiClientSpec.model_validate({"desiredStatus": "Available", **spec})
    problem = spec_problem(asked, START)
    assert problem is not None
    assert told in problem.message
    assert spec_problem(asked, START, timedelta(seconds=1)) is None


@pytest.mark.parametrize(
    "secret",
    [
        {"lifetime": "1m"},
        {"lifetime": "1m", "renewBefore": "30s"},
        {"lifetime": "1m", "renewBefore": "59s", "rotation": "Manual"},
    ],
)
def test_what_does_not_keep_it_busy_is_obeyed(secret: dict[str, Any]) -> None:
    asked = ApiClientSpec.model_validate({"desiredStatus": "Available", "secret": secret})
    assert spec_problem(asked, START) is None


@pytest.mark.parametrize("renew_before", [None, "0s", "1s", "30s", "59s", "2m", "90m", "2h"])
@pytest.mark.parametrize("lifetime", ["1s", "30s", "1m", "2m", "2h"])
def test_no_client_is_rotated_by_age_more_than_twice_a_minute(lifetime: str, renew_before: str | None) -> None:
    """Whatever its spec says: so what a namespace costs is bounded by how many clients its quota allows."""
    world = World().edit(secret__lifetime=lifetime, secret__renewBefore=renew_before, secret__overlap="0s")
    world.settle()
    begun = world.now
    while world.now < begun + timedelta(minutes=10):
        world.wait(timedelta(seconds=5)).settle()
    assert len(world.issued) <= 1 + 20
