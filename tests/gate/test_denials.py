"""Refusals in the log and in the counters: who, why and in which request; bounded, and without a token or a secret."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from apiclients.gate.http import denials
from apiclients.gate.http.denials import BURST, INTERVAL_SECONDS, DenialLog, Kind, request_id
from apiclients.gate.tokens.verifier import Fault
from apiclients.lifecycle.access import Denial
from apiclients.lifecycle.calls import CallDenial
from apiclients.lifecycle.denials import BAD_PATH, DENIALS, NO_CREDENTIALS
from tests.gate.support import CLIENT_ID, SECRET, Caller, Clock, World

ROOT = Path(__file__).parents[2]
KIND = Kind("authz", "suspended", "team-a.billing.0a1b2c3d", "shop/orders")
FORM = {"grant_type": "client_credentials"}


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger=denials.logger.name)
    return caplog


def told(lines: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of each line."""
    names = ("endpoint", "status", "reason", "client", "api", "requestId", "more")
    found = [record for record in lines.records if record.name == denials.logger.name]
    return [{name: getattr(record, name) for name in names if hasattr(record, name)} for record in found]


async def test_a_refused_call_tells_client_reason_api_and_request(
    world: World, call: Caller, lines: pytest.LogCaptureFixture
) -> None:
    token = world.token()
    world.put(desired="Suspended")
    headers = {"Authorization": f"Bearer {token}", "X-Request-Id": "r-17"}
    await call("GET", "/authz/shop/orders", headers=headers)
    assert told(lines) == [
        {"endpoint": "authz", "status": 401, "reason": "suspended", "client": CLIENT_ID, "api": "shop/orders",
         "requestId": "r-17", "more": 0}
    ]  # fmt: skip
    assert token not in lines.text
    text = (await world.metrics.render()).decode()
    series = 'apiclient_gate_client_denials_total{client="billing",client_namespace="team-a",reason="suspended"} 1.0'
    assert series in text
    world.remove()
    assert series not in (await world.metrics.render()).decode()


async def test_what_nobody_has_signed_names_nobody(world: World, call: Caller, lines: pytest.LogCaptureFixture) -> None:
    token = world.token()
    await call.check(token[:-4] + "AAAA")
    await call.check("garbage")
    await call.check(None)
    assert [(line["reason"], line.get("client")) for line in told(lines)] == [
        ("bad_signature", None),
        ("malformed", None),
        ("no_credentials", None),
    ]
    assert world.tally.denials == {}


async def test_a_wrong_secret_names_the_client_and_an_unknown_client_nobody(
    world: World, call: Caller, lines: pytest.LogCaptureFixture
) -> None:
    await call.token(FORM, auth=(CLIENT_ID, "wrong"))
    await call.token(FORM, auth=("team-a.whoever.00000000", "wrong"))
    world.put(desired="Suspended")
    await call.token(FORM, auth=(CLIENT_ID, SECRET))
    assert [(line["endpoint"], line["reason"], line.get("client")) for line in told(lines)] == [
        ("token", "wrong_secret", CLIENT_ID),
        ("token", "unknown_client", None),
        ("token", "suspended", CLIENT_ID),
    ]
    assert SECRET not in lines.text
    assert "whoever" not in lines.text


async def test_a_token_of_a_client_that_has_gone_names_it_and_counts_for_nobody(
    world: World, call: Caller, lines: pytest.LogCaptureFixture
) -> None:
    token = world.token()
    world.remove()
    await call.check(token)
    assert [(line["reason"], line["client"]) for line in told(lines)] == [("unknown_client", CLIENT_ID)]
    assert world.tally.denials == {}


def test_many_alike_are_one_line_that_says_how_many(lines: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    log = DenialLog(clock.monotonic)
    for _ in range(50):
        log.note(KIND, 401, [])
    clock.advance(INTERVAL_SECONDS)
    log.note(KIND, 401, [])
    assert [line["more"] for line in told(lines)] == [0, 49]


def test_callers_of_many_kinds_cost_few_lines_and_bounded_memory(lines: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    log = DenialLog(clock.monotonic)
    for number in range(10_000):
        log.note(Kind("authz", "no_credentials", "", f"shop/x{number}"), 401, [])
    assert len(told(lines)) == BURST
    assert len(log._seen) <= denials._MOST_KINDS
    clock.advance(1.0)
    for number in range(10_000):
        log.note(Kind("authz", "no_credentials", "", f"shop/y{number}"), 401, [])
    assert len(told(lines)) == BURST + denials.LINES_PER_SECOND


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        (b"7f0c:a/b+c=", "7f0c:a/b+c="),
        (b"a" * 128, "a" * 128),
        (b"a" * 129, ""),
        (b"a b", ""),
        (b'x","client":"', ""),
        (b"\xc3\xa4", ""),
        (b"", ""),
    ],
)
def test_a_request_id_is_taken_only_if_it_is_one(value: bytes, taken: str) -> None:
    assert request_id([(b"x-request-id", value)]) == taken
    assert request_id([(b"x-request-id", value), (b"x-request-id", value)]) == ""


def test_the_page_of_the_gate_tells_every_reason() -> None:
    page = (ROOT / "docs" / "gate.md").read_text()
    for reason, refusal in DENIALS.items():
        assert f"| `{reason}` | {refusal.status} | {refusal.meaning} | {refusal.remedy} |" in page


def test_every_reason_has_a_meaning() -> None:
    assert set(DENIALS) == {*Denial, *CallDenial, *Fault, NO_CREDENTIALS, BAD_PATH}
