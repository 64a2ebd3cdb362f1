"""Fields and conditions of a newer version stay when this one writes a status (rule 32)."""

from typing import Any

import pytest

from apiclients.lifecycle.newer import with_newer_fields
from apiclients.resources.apiclient import ApiClientStatus

pytestmark = pytest.mark.rule(32)

NEW = {
    "type": "Verified",
    "status": "True",
    "reason": "Told",
    "message": "",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}
READY = NEW | {"type": "Ready"}
STALLED = NEW | {"type": "Stalled"}
CREDENTIAL = {
    "id": 2,
    "revision": 1,
    "state": "Current",
    "issuedTime": "2026-01-01T00:00:00Z",
    "expiresTime": "2026-04-01T00:00:00Z",
    "digest": "00",
    "pepper": "p1",
    "cause": "First",
}


def written(after: dict[str, Any], stored: Any) -> dict[str, Any]:
    return with_newer_fields(ApiClientStatus.model_validate(after), stored)


def test_unknown_fields_stay_at_every_depth() -> None:
    after = {"observedStatus": "Suspended", "tokens": {"notBefore": "2026-01-02T00:00:00Z"}}
    stored = {"observedStatus": "Available", "badges": [{"issuer": "kc"}], "tokens": {"boundTo": "mtls"}}
    found = written(after, stored)
    assert found["observedStatus"] == "Suspended"
    assert found["badges"] == [{"issuer": "kc"}]
    assert found["tokens"] == {"notBefore": "2026-01-02T00:00:00Z", "boundTo": "mtls"}


def test_unknown_fields_of_an_item_stay_with_it_and_go_with_it() -> None:
    stored = {"credentials": [{"id": 1, "kind": "jwt"}, {"id": 2, "kind": "mtls"}]}
    found = written({"credentials": [CREDENTIAL]}, stored)
    assert found["credentials"] == [CREDENTIAL | {"kind": "mtls"}]


def test_unknown_conditions_stay_and_our_own_go() -> None:
    found = written({"conditions": [READY]}, {"conditions": [STALLED, NEW, READY | {"severity": "low"}]})
    assert found["conditions"] == [READY | {"severity": "low"}, NEW]


def test_what_is_ours_and_was_taken_away_is_gone() -> None:
    stored = {"retirement": {"retiredTime": "2026-01-01T00:00:00Z", "ledger": 1}, "clientId": "a"}
    assert written({}, stored) == ApiClientStatus().to_object()


@pytest.mark.parametrize("stored", [None, {}, 7, {"conditions": {}, "tokens": 7, "credentials": {}}])
def test_whatever_was_stored_before(stored: Any) -> None:
    after = {"observedGeneration": 1, "conditions": [READY], "credentials": [CREDENTIAL]}
    plain = ApiClientStatus.model_validate(after).to_object()
    assert written(after, stored) == plain
