"""The keys Secret is lost, damaged, restored, made anew: what goes on meanwhile and what comes back (rule 25)."""

import base64
import json
from collections.abc import Callable, Iterator

import pytest

from apiclients.resources.names import PROBLEM_ANNOTATION
from demo.service import Service
from demo.stage import SYSTEM_NAMESPACE
from tests.toolkit.objects import JsonObject
from tests.toolkit.product import Client, Product, Team, current, encoded, fetch, leads, metrics, product_on, staged
from tests.toolkit.waiting import eventually

KEYS = "apiclient-keys"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A cluster of its own, for all clients of a cluster hang on its keys."""
    with staged(tmp_path_factory.mktemp("keys")) as stage:
        product = product_on(stage)
        product.ensure()
        yield product


@pytest.fixture
def product(own: Product) -> Product:
    own.ensure()
    return own


@pytest.mark.rule(25)
def test_keys_are_made_once_and_survive_a_restart(product: Product) -> None:
    keys = read_keys(product)
    assert keys["type"] == "apiclients.dev/keys"
    product.operator.stop()
    product.ensure()
    assert read_keys(product) == keys


@pytest.mark.rule(25)
def test_without_keys_nobody_makes_others_and_what_runs_goes_on(product: Product, team: Team) -> None:
    billing, suspended = two_clients(team)
    token, versions = billing.token(), secret_versions(billing, suspended)
    keys = read_keys(product)
    product.admin.delete("secrets", SYSTEM_NAMESPACE, KEYS)
    until_lost(product.operator)
    product.operator.stop()
    product.operator.start(ready_within=None)
    until_lost(product.operator)
    assert find_keys(product) is None
    eventually("the gates tell", lambda: all(metrics(g)["apiclient_gate_keys_damaged"] == 1 for g in product.gates))
    assert metrics(product.operator)["apiclient_operator_ready"] == 0
    until_people_are_told(product)
    product.until_accepted(token)
    product.until_secret_works(billing.credentials())
    restore(product, keys)
    product.operator.wait_ready(60)
    assert read_keys(product)["data"] == keys["data"]
    assert metrics(product.operator)["apiclient_operator_ready"] == 1
    eventually("all is well again", lambda: not any(troubles(product)))
    eventually("an Event says so", lambda: "KeysFound" in reasons(product))
    suspended.apply(desiredStatus="Available")
    suspended.until_observed("Available")
    product.until_accepted(token, suspended.token())
    assert secret_versions(billing, suspended) == versions, "nothing was rotated"


@pytest.mark.rule(25)
def test_damaged_keys_are_told_and_put_up_with(product: Product, team: Team) -> None:
    billing = team.declare("billing-1.0")
    token, keys = billing.token(), read_keys(product)
    product.admin.patch("secrets", SYSTEM_NAMESPACE, KEYS, {"data": {"keyring.json": encoded("{}")}})
    until_lost(product.operator)
    product.until_accepted(token)
    product.until_secret_works(billing.credentials())
    product.admin.patch("secrets", SYSTEM_NAMESPACE, KEYS, {"data": keys["data"]})
    product.operator.wait_ready(60)
    product.until_accepted(token)


@pytest.mark.rule(17, 25)
def test_gate_that_starts_without_keys_decides_nothing_until_they_are_back(product: Product, team: Team) -> None:
    billing = team.declare("billing-1.0")
    token, keys = billing.token(), read_keys(product)
    product.gates[1].stop()
    product.admin.delete("secrets", SYSTEM_NAMESPACE, KEYS)
    product.gates[1].start(ready_within=None)
    eventually("it answers", lambda: "signing keys" in answers(product.gates[1]))
    assert product.verdicts(token) == [200, 503]
    assert product.ask(billing.credentials(), 1).status == 503
    restore(product, keys)
    product.until_accepted(token)


@pytest.mark.rule(7, 19, 25)
def test_rekeying_kills_all_tokens_and_no_secret(
    product: Product, team: Team, launch: Callable[[Service], Service]
) -> None:
    billing, suspended = two_clients(team)
    token, old_keys = billing.token(), read_keys(product)
    secrets = {client.name: client.credentials() for client in (billing, suspended)}
    product.operator.stop()
    product.admin.delete("secrets", SYSTEM_NAMESPACE, KEYS)
    rekeying = launch(product.stage.operator("rekeying", options=["--rekey"]))
    eventually("new keys", lambda: find_keys(product))
    assert read_keys(product)["data"] != old_keys["data"]
    for client in (billing, suspended):
        client.wait("has a new digest", lambda obj: peppers(obj["status"]) == [new_pepper(product)])
        assert [c["id"] for c in client.status()["credentials"]] == [1], "no rotation"
        assert client.credentials() == secrets[client.name]
    product.until_secret_works(secrets["billing-1.0"])
    product.until_refused(token)
    product.until_accepted(billing.token())
    suspended.apply(desiredStatus="Available")
    product.until_secret_works(secrets["suspended-1.0"])

    rekeying.stop()
    product.operator.start()
    product.until_accepted(billing.token())
    assert current(billing.status())["id"] == 1
    billing.apply(secret={"revision": 2})
    billing.until_credential(2)
    product.until_secret_works(billing.credentials(), secrets["billing-1.0"])


@pytest.mark.rule(25)
def test_rekey_option_changes_nothing_while_there_are_keys(
    product: Product, launch: Callable[[Service], Service]
) -> None:
    keys = read_keys(product)
    product.operator.stop()
    operator = launch(product.stage.operator("rekeying-for-nothing", options=["--rekey"]))
    eventually("it leads", lambda: leads(operator))
    assert read_keys(product) == keys


def two_clients(team: Team) -> tuple[Client, Client]:
    """One that is available and one that was and is suspended."""
    billing, suspended = team.declare("billing-1.0"), team.declare("suspended-1.0")
    suspended.apply(desiredStatus="Suspended")
    suspended.until_observed("Suspended")
    return billing, suspended


def secret_versions(*clients: Client) -> list[str]:
    return [client.secret()["metadata"]["resourceVersion"] for client in clients]


def find_keys(product: Product) -> JsonObject | None:
    return product.admin.find("secrets", SYSTEM_NAMESPACE, KEYS)


def read_keys(product: Product) -> JsonObject:
    return product.admin.get("secrets", SYSTEM_NAMESPACE, KEYS)


def restore(product: Product, keys: JsonObject) -> None:
    """As from a backup."""
    meta = {"name": KEYS, "labels": keys["metadata"]["labels"]}
    product.admin.create("secrets", SYSTEM_NAMESPACE, {"metadata": meta, "type": keys["type"], "data": keys["data"]})


def until_lost(operator: Service) -> None:
    """Wait until the operator says that the keys are lost, and what to do."""

    def said() -> bool:
        text = answers(operator)
        return "apiclients-system/apiclient-keys is missing or unreadable" in text and "--rekey" in text

    eventually("the operator tells what to do", said)
    assert fetch(operator, "/readyz").status == 503
    assert fetch(operator, "/healthz").status == 200, "a restart would not help"


def until_people_are_told(product: Product) -> None:
    """Who may read neither the keys Secret nor a port of the programs sees it in Leases and in an Event."""
    eventually("every Lease tells", lambda: len(troubles(product)) == 3 and all(troubles(product)))
    eventually("an Event tells", lambda: "KeysLost" in reasons(product))


def troubles(product: Product) -> list[str]:
    """What the Leases of operator and gates say is wrong."""
    leases = product.admin.list("leases", SYSTEM_NAMESPACE)
    notes = [lease["metadata"].get("annotations", {}) for lease in leases]
    return [note[PROBLEM_ANNOTATION] for note in notes if PROBLEM_ANNOTATION in note]


def reasons(product: Product) -> set[str]:
    """Of the Events about the keys Secret."""
    events = product.admin.list("events", SYSTEM_NAMESPACE)
    return {event["reason"] for event in events if event["regarding"]["name"] == KEYS}


def answers(service: Service) -> str:
    """What /readyz says; empty while nothing listens."""
    try:
        return fetch(service, "/readyz").body.decode()
    except OSError:
        return ""


def peppers(status: JsonObject) -> list[str]:
    return [credential["pepper"] for credential in status["credentials"]]


def new_pepper(product: Product) -> str:
    """The id of the pepper in force. It is no secret; the key beside it is."""

    ring = json.loads(base64.b64decode(read_keys(product)["data"]["keyring.json"]))
    return str(ring["peppers"][-1]["id"])
