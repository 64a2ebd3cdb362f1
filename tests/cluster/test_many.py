"""Two hundred clients change at once: all settle, with one write per change, and bad ones delay nobody."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.toolkit.objects import JsonObject
from tests.toolkit.product import Client, Product, Team, condition, encoded, metrics, numbered, read_credentials, writes
from tests.toolkit.waiting import eventually, settled

MANY = 200
ALL_SECONDS = 120.0
RECONCILES = 'apiclient_operator_reconcile_total{kind="ApiClient",result="success"}'
CREATED = '{code="201",resource="secrets",verb="create"}'
REFUSED = '{code="409",resource="secrets",verb="create"}'
STATUS = '{code="200",resource="apiclients",verb="update"}'


@pytest.mark.rule(3, 7, 21, 24)
def test_many_clients_at_once(product: Product, team: Team) -> None:
    foreign = {"metadata": {"name": "bad-foreign-credentials"}, "data": {"client-secret": encoded("foreign")}}
    product.admin.create("secrets", team.namespace, foreign)
    good = [team.client(name) for name in numbered("client", MANY)]
    bad = [team.client("bad-overlap", secret={"lifetime": "1h", "overlap": "1h"}), team.client("bad-foreign")]

    before = writes(product.operator)
    team.apply(*bad, *good)
    until_all(team, good, lambda obj: obj["status"].get("observedStatus") == "Available")
    for client, reason in zip(bad, ("InvalidSpec", "SecretConflict"), strict=True):
        client.until_condition("Stalled", "True", reason)
    secrets = team.secrets()
    assert set(secrets) == {client.secret_name for client in good} | {"bad-foreign-credentials"}
    until_all(team, [*good, *bad], is_enforced)
    made = since(before, product)
    assert made.pop(CREATED) == MANY
    assert MANY + 2 <= made.pop(STATUS) <= 2 * (MANY + 2), "once, and at most once more when all gates obey"
    assert made == {}
    until_secrets_work(product, secrets, good)

    before = writes(product.operator)
    change(team, good, "Suspended")
    until_all(team, good, lambda obj: obj["status"].get("observedStatus") == "Suspended")
    change(team, good, "Available")
    until_all(team, good, lambda obj: obj["status"].get("observedStatus") == "Available" and is_enforced(obj))
    made = since(before, product)
    assert 2 * MANY <= made.pop(STATUS) <= 4 * MANY
    assert made == {}
    assert {name: secret["data"] for name, secret in team.secrets().items()} == {
        name: secret["data"] for name, secret in secrets.items()
    }
    until_secrets_work(product, secrets, good)

    product.operator.stop()
    product.operator.start()
    eventually("all are looked at", lambda: metrics(product.operator).get(RECONCILES, 0) >= MANY, seconds=ALL_SECONDS)
    settled("the writes", lambda: writes(product.operator))
    assert since({}, product) == {}


@pytest.mark.rule(24)
def test_bad_client_among_many_delays_nobody(product: Product, team: Team) -> None:
    """While a hundred cannot be done, and are tried again and again, one more takes no longer than usual."""
    for name in numbered("bad", 100):
        meta = {"name": f"{name}-credentials"}
        product.admin.create("secrets", team.namespace, {"metadata": meta, "data": {}})
    usual = seconds_to_declare(team, "before-1.0")
    bad = [team.client(name) for name in numbered("bad", 100)]
    team.apply(*bad)
    until_all(team, bad, lambda obj: condition(obj, "Stalled").get("reason") == "SecretConflict")
    assert seconds_to_declare(team, "good-1.0") < 15 + 5 * usual


def seconds_to_declare(team: Team, name: str) -> float:
    """How long it takes until a new client is Available."""
    began = time.monotonic()
    team.declare(name)
    return time.monotonic() - began


def is_enforced(obj: JsonObject) -> bool:
    """Whether every gate obeys."""
    return condition(obj, "Enforced").get("status") == "True"


def until_all(team: Team, clients: list[Client], test: Callable[[JsonObject], bool]) -> None:
    """Wait until the operator has handled the latest spec of all, and the test is true of all."""
    names = {client.name for client in clients}

    def undone() -> list[str]:
        return [
            obj["metadata"]["name"]
            for obj in team.product.admin.list("apiclients", team.namespace)
            if obj["metadata"]["name"] in names
            and not (obj["status"]["observedGeneration"] == obj["metadata"]["generation"] and test(obj))
        ]

    eventually("all are done", lambda: not undone(), seconds=ALL_SECONDS, pause=0.2)


def change(team: Team, clients: list[Client], desired: str) -> None:
    """Have all of them changed at once, by eight people."""

    def patch(client: Client) -> None:
        body = {"spec": {"desiredStatus": desired}}
        team.product.admin.patch("apiclients", team.namespace, client.name, body)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(patch, clients))


def until_secrets_work(product: Product, secrets: dict[str, JsonObject], clients: list[Client]) -> None:
    """Wait until every single secret gets a token."""

    def works(client: Client) -> bool:
        return product.ask(read_credentials(secrets[client.secret_name])).status == 200

    with ThreadPoolExecutor(8) as pool:
        eventually("every secret works", lambda: all(pool.map(works, clients)))


def since(before: dict[str, int], product: Product) -> dict[str, int]:
    """Writes since then, by verb, resource and answer.

    Without the tries to create a Secret that is there: each tells, once a minute, that it is somebody else's still.
    """
    now = writes(product.operator)
    now.pop(REFUSED, None)
    return {name: count - before.get(name, 0) for name, count in now.items() if count != before.get(name, 0)}
