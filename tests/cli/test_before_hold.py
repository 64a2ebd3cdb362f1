"""Which secrets are warned of when a hold is released."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from apiclients.cli.screens.before_hold import works_again
from apiclients.resources.objects import ApiClient, ApiClientHold

HELD = datetime(2026, 11, 27, 12, 0, 0, tzinfo=UTC)


@pytest.mark.rule(5)
@pytest.mark.parametrize(("after", "warned"), [(-1, [1]), (0, [1]), (1, [])], ids=["before", "same second", "after"])
def test_a_secret_that_may_be_older_than_the_hold_is_warned_of(after: int, warned: list[int]) -> None:
    issued = HELD + timedelta(seconds=after)
    found = works_again(_client(issued), [_hold()], HELD + timedelta(minutes=1))
    assert [credential.id for credential in found] == warned


def _hold() -> ApiClientHold:
    return ApiClientHold.from_object(
        {
            "metadata": {"name": "leak", "namespace": "team-a", "uid": "h1", "creationTimestamp": HELD.isoformat()},
            "spec": {"clientName": "billing", "reason": "key leaked"},
        }
    )


def _client(issued: datetime) -> ApiClient:
    credential = {
        "id": 1,
        "state": "Current",
        "revision": 1,
        "cause": "First",
        "issuedTime": issued.isoformat(),
        "expiresTime": (issued + timedelta(days=90)).isoformat(),
        "digest": "0" * 64,
        "pepper": "k1",
    }
    return ApiClient.from_object(
        {
            "metadata": {"name": "billing", "namespace": "team-a", "uid": "u1"},
            "spec": {"desiredStatus": "Available"},
            "status": {"credentials": [credential]},
        }
    )
