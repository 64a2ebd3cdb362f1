"""Metrics of single clients: who is stalled, not ready, or has a secret that expires; never too many series."""

from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from apiclients.controllers.attention import MOST_SERIES, Attention


def client(**status: Any) -> dict[str, Any]:
    return {"metadata": {}, "spec": {"owner": "billing@example.com"}, "status": status}


def condition(kind: str, status: str, reason: str) -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason}


STALLED = [condition("Ready", "False", "InvalidSpec"), condition("Stalled", "True", "InvalidSpec")]
GOOD = [condition("Ready", "True", "Available")]


def lines(attention: Attention) -> list[str]:
    registry = CollectorRegistry()
    registry.register(attention)
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_who_needs_somebody_is_told_by_name_and_reason_until_it_is_well() -> None:
    attention = Attention()
    credentials = [
        {"state": "Current", "expiresTime": "2027-01-01T00:00:00Z"},
        {"state": "Previous", "expiresTime": "2026-01-01T00:00:00Z"},
    ]
    attention.note(("team-a", "billing"), client(conditions=STALLED, credentials=credentials))
    attention.note(("team-a", "good"), client(conditions=GOOD))
    named = 'client="billing",client_namespace="team-a",owner="billing@example.com"'
    assert lines(attention) == [
        f'apiclient_operator_client_stalled{{{named},reason="InvalidSpec"}} 1.0',
        f'apiclient_operator_client_not_ready{{{named},reason="InvalidSpec"}} 1.0',
        'apiclient_operator_clients_stalled{reason="InvalidSpec"} 1.0',
        'apiclient_operator_clients_not_ready{reason="InvalidSpec"} 1.0',
        f"apiclient_operator_secret_expires_timestamp_seconds{{{named}}} 1.7987616e+09",
    ]
    attention.note(("team-a", "billing"), client(conditions=GOOD))
    assert lines(attention) == []
    attention.note(("team-a", "good"), None)
    assert lines(attention) == []


def test_many_are_counted_and_only_some_are_named() -> None:
    attention = Attention()
    for number in range(MOST_SERIES + 10):
        expires = f"2027-01-01T00:{number // 60:02}:{number % 60:02}Z"
        credentials = [{"state": "Current", "expiresTime": expires}]
        attention.note(("a", f"c{number:04}"), client(conditions=STALLED, credentials=credentials))
    found = lines(attention)
    assert len([line for line in found if "client_stalled{" in line]) == MOST_SERIES
    assert f'apiclient_operator_clients_stalled{{reason="InvalidSpec"}} {MOST_SERIES + 10}.0' in found
    expiring = [line for line in found if "expires" in line]
    assert len(expiring) == MOST_SERIES
    assert not any('client="c1009"' in line for line in expiring), "the last to expire is left out"


def test_only_contracts_in_force_have_an_end_to_come() -> None:
    attention = Attention()
    spec, key = {"endTime": "2027-01-01T00:00:00Z", "clientName": "billing"}, ("team-a", "billing-orders")
    attention.note_contract(key, {"spec": spec, "status": {"observedStatus": "Active"}})
    named = 'client="billing",contract="billing-orders",contract_namespace="team-a",owner="{}"'
    line = f"apiclient_operator_contract_ends_timestamp_seconds{{{named}}} 1.7987616e+09"
    assert lines(attention) == [line.replace("{}", "")]
    attention.note(("team-a", "billing"), client(conditions=GOOD))
    assert lines(attention) == [line.replace("{}", "billing@example.com")]
    over: list[Any] = [{"spec": spec, "status": {"observedStatus": "Inactive"}}, {"spec": {}, "status": None}, None]
    for raw in over:
        attention.note_contract(key, {"spec": spec, "status": {"observedStatus": "Active"}})
        attention.note_contract(key, raw)
        assert lines(attention) == []


def test_what_somebody_else_wrote_into_status_is_no_harm() -> None:
    attention = Attention()
    broken: list[Any] = [None, [], {"conditions": "x"}, {"conditions": [1], "credentials": [{"state": "Current"}]}]
    for status in broken:
        attention.note(("a", "b"), {"metadata": {}, "status": status})
        assert lines(attention) == []
