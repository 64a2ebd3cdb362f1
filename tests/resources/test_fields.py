"""Durations and times as Kubernetes writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from apiclients.resources.apiclient import ApiClientSpec, SecretSpec, TokensSpec
from apiclients.resources.fields import format_duration, format_time, parse_duration, parse_time

QUICK = settings(max_examples=100, deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("45s", 45), ("90m", 5400), ("12h", 43200), ("1h30m", 5400), ("1h30m5s", 5405), ("17520h", 63_072_000)],
)
def test_durations_are_read_as_kubernetes_writes_them(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "90d", "1.5h", "-1h", "12", "h", "1h ", "1h\n", "PT12H", "100000h", "1h1m1s1s", "１h"]
)
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; use"):
        parse_duration(text)


@QUICK
@given(st.integers(0, 99_999 * 3600))
def test_every_duration_survives_being_written(seconds: int) -> None:
    assert parse_duration(format_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@QUICK
@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 30)), st.integers(-23, 23))  # noqa: DTZ001 - made aware below
def test_every_time_survives_being_written_to_the_second_and_in_utc(local: datetime, offset: int) -> None:
    time = local.replace(microsecond=0, tzinfo=timezone(timedelta(hours=offset / 2)))
    assert parse_time(format_time(time)) == time
    assert format_time(time).endswith("Z")
    assert parse_time(time.isoformat()).tzinfo is UTC


@pytest.mark.parametrize("text", ["2026-01-01T00:00:00", "2026-01-01", "yesterday", "", "2026-02-30T00:00:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)


def test_a_time_without_a_zone_is_refused_with_an_example() -> None:
    with pytest.raises(ValueError, match=r"is not a time; use e\.g\. 2026-01-31T12:00:00Z"):
        parse_time("2026-01-01T00:00:00")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_beyond_all_calendars_is_refused_and_no_crash(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)
    with pytest.raises(ValidationError):
        TokensSpec.model_validate({"notBefore": text})


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "0999-06-30T12:00:00Z"])
def test_a_time_of_long_ago_is_written_with_four_digits(text: str) -> None:
    assert format_time(parse_time(text)) == text


@pytest.mark.parametrize("value", [5, 5.5, True, None, [], {}])
def test_other_types_are_refused_by_the_models_and_no_crash(value: Any) -> None:
    with pytest.raises(ValidationError):
        SecretSpec.model_validate({"lifetime": value})
    with pytest.raises(ValidationError):
        TokensSpec.model_validate({"notBefore": value, "lifetime": "nonsense"})


def test_models_speak_camel_case_outside_and_leave_out_what_is_absent() -> None:
    spec = ApiClientSpec.model_validate(
        {"desiredStatus": "Available", "tokens": {"notBefore": "2026-01-01T01:00:00+01:00"}}
    )
    written = spec.to_object()
    assert written["tokens"] == {"lifetime": "12h", "notBefore": "2026-01-01T00:00:00Z"}
    assert "displayName" not in written
    assert ApiClientSpec.model_validate(written) == spec
