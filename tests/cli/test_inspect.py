"""``inspect``: whose it is, what the gate would answer and why; a token is read and never shown."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from apiclients.cli.commands import inspect
from apiclients.cli.errors import CliError
from apiclients.cli.screens import presented
from apiclients.cli.screens.inspection import InspectView, inspect_view
from apiclients.cli.screens.inspection_text import render_inspection
from apiclients.cli.screens.output import to_json
from apiclients.cli.screens.presented import NotReadableError, Presented
from apiclients.cli.screens.text import Style
from apiclients.lifecycle.unreadable import unreadable_hold
from apiclients.resources.hold import MAX_SELECTING_HOLDS
from apiclients.resources.objects import Api
from tests.cli import samples
from tests.cli.samples import NOW, UID, ago

ISSUER = "https://tokens.example.com"
AN_HOUR_AGO = ago(hours=1)
ID = f"team-a.billing-1.0.{UID[:8]}"


def token(*apis: str, issued: datetime = AN_HOUR_AGO, lasting: timedelta = timedelta(hours=12), **more: Any) -> str:
    """A token whose signature nobody checks; for Apis of namespace orders."""
    claims = {
        "client_id": ID, "uid": UID, "iss": ISSUER, "iat": int(issued.timestamp()),
        "exp": int((issued + lasting).timestamp()), "aud": [ISSUER, *(f"{ISSUER}/apis/orders/{a}" for a in apis)],
        "scope": "",
    } | more  # fmt: skip
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJFUzI1NiJ9.{part}.c2lnbmF0dXJl"


def view(what: Presented, *, readable: bool = True, around: Any = None) -> InspectView:
    """The answer about a client with one contract in force, one that waits, and one whose Api is retired."""
    owner = samples.client()
    contracts = [
        samples.decided_contract(samples.contract("ledger", in_force="basic"), owner, ()),
        samples.decided_contract(samples.contract("orders-v1", plan="gold"), owner, ()),
    ]
    apis = (
        {("orders", name): Api.from_object(samples.api(name)) for name in ("ledger", "orders-v1")} if readable else {}
    )
    seen = samples.around(owner, contracts=contracts) if around is None else around
    return inspect_view(what, seen, apis, NOW)


def answers(found: InspectView) -> list[tuple[str, int, str | None]]:
    return [(one.question, one.status, one.reason) for one in (found.client, *found.apis)]


@pytest.mark.parametrize("readable", [True, False])
def test_a_token_is_answered_for_each_api_as_the_gate_does(*, readable: bool) -> None:
    found = view(presented.token(token("ledger")), readable=readable)
    assert answers(found) == [
        ("the token", 200, None),
        ("orders/ledger", 200, None),
        ("orders/orders-v1", 403, "no_contract"),
    ]
    assert "waits for a ContractApproval" in found.apis[1].meaning


@pytest.mark.parametrize("readable", [True, False])
def test_a_token_from_before_the_contract_needs_a_new_one(*, readable: bool) -> None:
    found = view(presented.token(token()), readable=readable)
    assert answers(found)[1] == ("orders/ledger", 401, "wrong_audience")
    assert "Ask for a new token" in found.apis[0].remedy


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (token(issued=ago(hours=13)), "token_expired"),
        (token(issued=ago(days=13), lasting=timedelta(days=20)), "token_expired"),
        (token(uid="1a2b3c4d-other"), "other_uid"),
        (token(client_id="team-a.billing-1.0.99999999"), "other_uid"),
    ],
)
def test_why_a_token_is_refused(text: str, reason: str) -> None:
    found = view(presented.token(text))
    assert (found.client.status, found.client.reason, found.apis) == (401, reason, ())
    assert found.client.remedy


def test_a_client_that_is_held_or_not_there() -> None:
    held = samples.around(samples.client(), holds=[samples.hold("stop")])
    assert view(presented.client_id(ID), around=held).client.reason == "held"
    assert inspect_view(presented.client_id(ID), None, {}, NOW).client.reason == "unknown_client"


def test_a_hold_is_matched_as_the_gate_does() -> None:
    """Too many that name no client hold everybody, and so does one that a newer version wrote."""
    stranger = {"matchLabels": {"team": "another"}}
    holds = [samples.hold(f"stop-{n}", client_name=None, selector=stranger) for n in range(MAX_SELECTING_HOLDS)]
    few = samples.around(samples.client(), holds=holds)
    assert view(presented.client_id(ID), around=few).client.reason is None
    many = samples.around(
        samples.client(), holds=[*holds, samples.hold("one-more", client_name=None, selector=stranger)]
    )
    assert view(presented.client_id(ID), around=many).client.reason == "held"
    newer = unreadable_hold({"metadata": {"namespace": "team-a", "name": "newer"}, "spec": {"tenant": "a"}})
    around = replace(samples.around(samples.client()), unreadable_holds=(newer,))
    assert view(presented.client_id(ID), around=around).client.reason == "held"


@pytest.mark.parametrize(("scope", "reason"), [("", None), ("read other", None), ("other", "insufficient_scope")])
def test_scopes_that_the_plan_does_not_cover(scope: str, reason: str | None) -> None:
    owner = samples.client()
    contracts = [samples.decided_contract(samples.contract("ledger", in_force="basic"), owner, ())]
    offered = samples.api("ledger")
    offered["spec"]["plans"][0]["scopes"] = ["read"]
    apis = {("orders", "ledger"): Api.from_object(offered)}
    found = inspect_view(
        presented.token(token("ledger", scope=scope)), samples.around(owner, contracts=contracts), apis, NOW
    )
    assert found.apis[0].reason == reason


def test_what_only_gates_know_is_said() -> None:
    assert "over its budget" in " ".join(view(presented.client_id(ID)).missing)


def test_a_token_that_was_revoked_by_itself() -> None:
    what, around = presented.token(token()), samples.around(samples.client())
    assert inspect_view(what, around, {}, NOW, revoked=True).client.reason == "token_revoked"
    unknown = inspect_view(what, around, {}, NOW, revoked=None)
    assert unknown.client.reason is None
    assert "token_revoked" in " ".join(unknown.missing)
    assert "token_revoked" not in " ".join(inspect_view(what, around, {}, NOW).missing)


def test_a_client_id_is_answered_as_a_new_token_would_be() -> None:
    found = view(presented.client_id(ID))
    assert answers(found)[:2] == [("the client", 200, None), ("orders/ledger", 200, None)]


def test_the_screen_shows_what_a_token_says_and_never_the_token() -> None:
    text = token("ledger")
    found = view(presented.token(f"Bearer {text}\n"))
    shown = render_inspection(found, Style(width=120))
    for secret in (text, *text.split(".")):
        assert secret not in shown + json.dumps(to_json(found))
    assert "ApiClient team-a/billing-1.0" in shown
    assert "issued 60m ago, ends in 11h" in shown
    assert "✖ orders/orders-v1: 403 no_contract." in shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "a.b.c",
        "..",
        token(uid=7),
        token(client_id="x"),
        token(iat="1"),
        token(scope=None),
        "a." * 20_000,
        "e30.e30.e30",
        "eyJ.A.B",
    ],
)
def test_what_is_no_token_is_not_quoted(text: str) -> None:
    with pytest.raises(NotReadableError) as told:
        presented.token(text)
    assert len(text) < 3 or text not in str(told.value)


@pytest.mark.parametrize("text", ["billing", "team-a/billing", "team-a.billing", "Team.b.12345678", "a.b.1234567"])
def test_what_is_no_client_id(text: str) -> None:
    with pytest.raises(NotReadableError, match="no client id"):
        presented.client_id(text)


def test_a_token_on_the_command_line_is_refused_and_not_repeated() -> None:
    text = token()
    with pytest.raises(CliError) as told:
        inspect.read(text)
    assert "standard input" in str(told.value)
    assert text not in str(told.value)
