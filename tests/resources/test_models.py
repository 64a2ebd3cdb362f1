"""What the models take, what they refuse, and the words that are API."""

from __future__ import annotations

from typing import Any

import pytest

from apiclients.resources import names
from apiclients.resources.apiclient import ApiClientStatus, DesiredStatus, ObservedStatus
from apiclients.resources.conditions import Condition, ConditionType, Reason
from apiclients.resources.keys import KeyRing, Pepper, SigningKey
from apiclients.resources.objects import ApiClient, InvalidObjectError, Metadata
from apiclients.resources.reasons import REASONS

META = {"namespace": "team-a", "name": "billing-1.0", "uid": "0123456789"}


def read(spec: dict[str, Any], status: dict[str, Any] | None = None) -> ApiClient:
    return ApiClient.from_object({"metadata": META, "spec": spec, "status": status})


def test_the_example_of_the_design_is_read() -> None:
    client = read(
        {
            "desiredStatus": "Available",
            "client": "billing",
            "version": "1.0",
            "displayName": "Billing",
            "description": "Monthly invoicing",
            "owner": "billing@example.com",
            "secret": {
                "name": "billing-credentials",
                "lifetime": "2160h",
                "rotation": "Automatic",
                "renewBefore": "336h",
                "overlap": "24h",
                "revision": 1,
                "template": {"labels": {}, "annotations": {}},
            },
            "tokens": {"lifetime": "12h", "notBefore": None},
            "retirement": {"acknowledgedContracts": ["billing-orders"], "gracePeriod": "24h"},
        }
    )
    assert client.client_id == "team-a.billing-1.0.01234567"
    assert client.secret_name == "billing-credentials"


def test_the_least_that_can_be_written_is_read() -> None:
    client = read({"desiredStatus": "Suspended"})
    assert client.secret_name == "billing-1.0-credentials"
    assert client.status == ApiClientStatus()


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("nothing desired", {}),
    ("expired is never desired", {"desiredStatus": "Expired"}),
    ("pending is never desired", {"desiredStatus": "Pending"}),
    ("lower case", {"desiredStatus": "available"}),
    ("days", {"desiredStatus": "Available", "secret": {"lifetime": "90d"}}),
    ("a long client", {"desiredStatus": "Available", "client": "x" * 64}),
    ("a client in capitals", {"desiredStatus": "Available", "client": "Billing"}),
    ("a negative revision", {"desiredStatus": "Available", "secret": {"revision": -1}}),
    ("a rotation by guess", {"desiredStatus": "Available", "secret": {"rotation": "Sometimes"}}),
    ("a time without zone", {"desiredStatus": "Available", "tokens": {"notBefore": "2026-01-01T00:00:00"}}),
    ("a time beyond calendars", {"desiredStatus": "Available", "tokens": {"notBefore": "0001-01-01T00:00:00+14:00"}}),
    ("a number for a duration", {"desiredStatus": "Available", "secret": {"overlap": 5}}),
    ("too many contracts", {"desiredStatus": "Available", "retirement": {"acknowledgedContracts": ["x"] * 257}}),
]


@pytest.mark.parametrize("spec", [spec for _, spec in REFUSED], ids=[name for name, _ in REFUSED])
def test_what_does_not_fit_is_one_clear_error_that_names_the_field(spec: dict[str, Any]) -> None:
    with pytest.raises(InvalidObjectError, match=r"^\w[\w.]*: "):
        read(spec)


@pytest.mark.parametrize("name", ["a..b", "a.-b", "-a", "a-", ".a", "a.", "A", "a_b", ""])
def test_a_secret_is_given_no_name_that_the_api_server_would_refuse(name: str) -> None:
    with pytest.raises(InvalidObjectError):
        read({"desiredStatus": "Available", "secret": {"name": name}})


@pytest.mark.parametrize("name", ["a", "a.b", "a-b.c-d", "0", "a--b"])
def test_a_secret_may_be_given_any_name_of_kubernetes(name: str) -> None:
    assert read({"desiredStatus": "Available", "secret": {"name": name}}).secret_name == name


@pytest.mark.parametrize("value", ["a b", "-a", "a-", "é", "x" * 64])
def test_a_secret_is_given_no_label_that_the_api_server_would_refuse(value: str) -> None:
    with pytest.raises(InvalidObjectError):
        read({"desiredStatus": "Available", "secret": {"template": {"labels": {"tier": value}}}})


@pytest.mark.parametrize("value", ["", "a", "A.b_c-d", "x" * 63])
def test_any_good_label_is_taken(value: str) -> None:
    read({"desiredStatus": "Available", "secret": {"template": {"labels": {"tier": value}}}})


def test_fields_of_a_newer_version_are_dropped_and_no_error() -> None:
    assert read({"desiredStatus": "Available", "future": 1}, {"future": {}}).status == ApiClientStatus()


def test_an_object_on_its_way_out_is_told_by_its_metadata() -> None:
    metadata = Metadata.from_object({"metadata": {**META, "deletionTimestamp": "2026-01-01T00:00:00Z"}})
    assert metadata.deleting
    assert not Metadata.from_object({"metadata": META}).deleting


@pytest.mark.rule(11)
def test_a_client_id_is_bound_to_the_uid() -> None:
    other = ApiClient.from_object({"metadata": {**META, "uid": "zzzzzzzzzz"}, "spec": {"desiredStatus": "Available"}})
    assert other.client_id != read({"desiredStatus": "Available"}).client_id


def test_every_reason_has_its_sentence() -> None:
    assert set(REASONS) == set(Reason)
    assert all(row.message.endswith(".") and len(row.message) < 120 for row in REASONS.values())


def test_reasons_and_types_are_words_that_conditions_may_hold() -> None:
    for word in [*Reason, *ConditionType, *DesiredStatus, *ObservedStatus]:
        assert word.isalpha()
        assert word[0].isupper()


def test_a_condition_needs_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        Condition.model_validate(
            {"type": "Ready", "status": "True", "reason": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        )


def test_names_that_other_programs_see_stay_as_they_are() -> None:
    assert names.API_VERSION == "apiclients.dev/v1alpha1"
    assert names.ROTATE_REQUESTED_ANNOTATION == "apiclients.dev/rotate-requested"
    assert names.CREDENTIALS_SECRET_TYPE == "apiclients.dev/credentials"
    data = (names.CLIENT_ID_KEY, names.CLIENT_SECRET_KEY, names.ISSUER_KEY, names.TOKEN_ENDPOINT_KEY)
    assert data == ("client-id", "client-secret", "issuer", "token-endpoint")


KEY = {
    "kid": "k1",
    "algorithm": "ES256",
    "privateKey": "-----BEGIN PRIVATE KEY-----",
    "createdTime": "2026-01-01T00:00:00Z",
    "activeFrom": "2026-01-01T00:00:00Z",
}
PEPPER = {"id": "p1", "key": "x" * 43, "createdTime": "2026-01-01T00:00:00Z"}


@pytest.mark.rule(25)
@pytest.mark.parametrize(("keys", "peppers"), [([], [PEPPER]), ([KEY], []), ([KEY] * 17, [PEPPER])])
def test_a_key_ring_without_keys_or_with_endless_ones_is_refused(keys: list[Any], peppers: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"signingKeys|peppers"):
        KeyRing.model_validate({"signingKeys": keys, "peppers": peppers})


@pytest.mark.rule(23)
def test_keys_do_not_show_when_printed() -> None:
    ring = KeyRing.model_validate({"signingKeys": [KEY], "peppers": [PEPPER]})
    assert "BEGIN PRIVATE" not in repr(ring)
    assert "x" * 43 not in repr(ring)
    assert "BEGIN PRIVATE" not in repr(SigningKey.model_validate(KEY))
    assert "x" * 43 not in str(Pepper.model_validate(PEPPER))
