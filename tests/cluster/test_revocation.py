"""Revocation (RFC 7009) on a real API server: asked of one gate, in force at all of them."""

from datetime import UTC, datetime, timedelta

import pytest

from apiclients.lifecycle.revocations import MAX_OF_CLIENT, REMOVAL_DELAY, fingerprint
from apiclients.resources.fields import MAX_TOKEN_LIFETIME
from demo.calls import Answer, Credentials, post_form
from demo.service import Service
from tests.toolkit.objects import SYSTEM, JsonObject, revocation
from tests.toolkit.product import Client, Product, Team, fetch, gone, issued_at, url
from tests.toolkit.waiting import eventually

HOUR = timedelta(hours=1)
RESOURCE = "tokenrevocations"


def revoke(credentials: Credentials, gate: Service, token: str) -> Answer:
    """POST a token to the revocation endpoint of a gate."""
    return post_form(credentials, f"{url(gate)}/revoke", token=token)


def tokens(client: Client) -> tuple[str, str]:
    """Two that all gates accept."""
    product = client.team.product
    found = client.token(), client.token()
    product.until_secret_works(client.credentials())
    product.until_accepted(*found)
    return found


def stored(product: Product, token: str) -> JsonObject | None:
    return product.admin.find(RESOURCE, SYSTEM, fingerprint(token.encode()))


def declared(team: Team) -> tuple[Client, Credentials]:
    billing = team.declare("billing")
    team.product.until_secret_works(billing.credentials())
    return billing, billing.credentials()


def lost_events(gate: Service) -> list[str]:
    lines = fetch(gate, "/metrics").body.decode().splitlines()
    return [line for line in lines if line.startswith("apiclient_gate_lost_events_total{") and RESOURCE in line]


@pytest.mark.rule(1, 17)
def test_a_token_revoked_at_one_gate_is_refused_by_all_and_stays_so(team: Team) -> None:
    product, billing = team.product, team.declare("billing")
    (token, other), credentials = tokens(billing), billing.credentials()
    before = lost_events(product.gates[1])
    assert revoke(credentials, product.gates[0], token).status == 200
    product.until_refused(token)
    assert lost_events(product.gates[1]) == before, "no list had to find it"
    product.until_accepted(other)
    for gate in product.gates:  # nothing of it is in their memory alone
        gate.stop()
    product.ensure()
    product.until_refused(token)
    product.until_accepted(other)
    assert revoke(credentials, product.gates[1], token).status == 200


def test_what_is_stored_tells_nobody_the_token(team: Team) -> None:
    billing, credentials = declared(team)
    token = billing.token()
    assert revoke(credentials, team.product.gates[0], token).status == 200
    made = stored(team.product, token)
    assert made is not None
    meta = billing.get()["metadata"]
    end = datetime.fromtimestamp(issued_at(token), UTC) + 12 * HOUR
    assert made["spec"] == revocation("", {"metadata": meta}, end)["spec"]


def test_revocation_needs_no_operator(team: Team) -> None:
    billing, credentials = declared(team)
    token = billing.token()
    team.product.until_accepted(token)
    team.product.operator.stop()
    assert revoke(credentials, team.product.gates[0], token).status == 200
    team.product.until_refused(token)


def test_every_token_that_there_is_nothing_to_do_about_is_answered_alike(team: Team) -> None:
    """RFC 7009 section 2.2: an invalid token is no error, and a stranger's one is none either."""
    _, credentials = declared(team)
    product, near, short = team.product, team.declare("near"), team.declare("short", tokens={"lifetime": "1s"})
    foreign, over = near.token(), short.token()
    product.until_accepted(foreign)
    eventually("it has ended", lambda: datetime.now(UTC).timestamp() > issued_at(over) + 1)
    asked = {foreign: credentials, over: short.credentials(), "nonsense": credentials, foreign + "A": credentials}
    for token, caller in asked.items():
        answer = revoke(caller, product.gates[0], token)
        assert (answer.status, answer.body, answer.headers["cache-control"]) == (200, b"", "no-store")
        assert stored(product, token) is None
    assert set(product.verdicts(foreign)) == {200}


def test_who_does_not_authenticate_revokes_nothing(team: Team) -> None:
    billing, credentials = declared(team)
    token = billing.token()
    product = team.product
    wrong = Credentials(credentials.client_id, "wrong", "")
    assert revoke(wrong, product.gates[0], token).status == 401
    assert stored(product, token) is None
    product.until_accepted(token)


def test_a_client_with_too_many_is_told_to_wait_and_no_other_is(team: Team) -> None:
    billing, credentials = declared(team)
    product, near = team.product, team.declare("near")
    token, others = billing.token(), near.token()
    owner, end = billing.get(), datetime.now(UTC) + HOUR
    names = [f"{number:064x}" for number in range(MAX_OF_CLIENT)]
    made = [product.admin.create(RESOURCE, SYSTEM, revocation(name, owner, end)) for name in names]
    product.until_gates_reach(made[-1])
    answer = revoke(credentials, product.gates[0], token)
    assert (answer.status, answer.headers["retry-after"]) == (429, "60")
    assert answer.json()["error"] == "too_many_revocations"
    product.until_secret_works(near.credentials())
    assert revoke(near.credentials(), product.gates[0], others).status == 200
    product.until_accepted(token)
    for name in names:
        product.admin.delete(RESOURCE, SYSTEM, name)
    eventually("there is room", lambda: revoke(credentials, product.gates[0], token).status == 200)
    product.until_refused(token)


def test_the_operator_removes_what_is_over_and_nothing_else(team: Team) -> None:
    billing, _ = declared(team)
    product, owner, now = team.product, billing.get(), datetime.now(UTC)
    ends = {"a" * 64: now - REMOVAL_DELAY, "b" * 64: now, "c" * 64: now + MAX_TOKEN_LIFETIME}
    for name, end in ends.items():
        product.admin.create(RESOURCE, SYSTEM, revocation(name, owner, end))
    gone(product.admin, RESOURCE, SYSTEM, "a" * 64)
    for name in ("b" * 64, "c" * 64):
        assert product.admin.find(RESOURCE, SYSTEM, name) is not None
        product.admin.delete(RESOURCE, SYSTEM, name)
