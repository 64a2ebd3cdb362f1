"""Somebody wipes or forges the status: the secret survives, old tokens do not, and nothing is issued twice."""

import json

import pytest

from tests.toolkit.objects import JsonObject
from tests.toolkit.product import Client, Team, current, stamp_id, until_second_over
from tests.toolkit.waiting import eventually


def wipe_by_patch(client: Client) -> None:
    """Take every field of the status away."""
    empty = dict.fromkeys(client.status())
    client.team.product.admin.patch(
        "apiclients", client.team.namespace, client.name, {"status": empty}, subresource="status"
    )


def wipe_by_replace(client: Client) -> None:
    """Restore an object from a backup without its status, as kubectl does."""
    obj = client.get()
    obj["status"] = {"observedGeneration": -1}
    client.team.kubectl("replace", "--subresource=status", "-f", "-", input=json.dumps(obj))


@pytest.mark.rule(7, 10)
@pytest.mark.parametrize("wipe", [wipe_by_patch, wipe_by_replace], ids=["patch", "replace"])
def test_wiped_status_keeps_the_secret_and_kills_all_tokens(team: Team, wipe: object) -> None:
    assert callable(wipe)
    billing = team.declare("billing-1.0")
    secret, version, token = billing.credentials(), billing.secret()["metadata"]["resourceVersion"], billing.token()
    before = billing.status()
    until_second_over(token)
    wipe(billing)
    status = rebuilt(billing, before)
    assert billing.credentials() == secret
    assert current(status) == current(before), "taken over exactly as it was issued"
    assert status["tokens"]["notBefore"] > before["tokens"]["notBefore"]
    team.product.until_secret_works(secret)
    team.product.until_refused(token)
    team.product.until_accepted(billing.token())
    assert list(team.secrets()) == [billing.secret_name]
    assert billing.secret()["metadata"]["resourceVersion"] == version, "the Secret was not even written"


@pytest.mark.rule(7, 10, 16)
def test_status_wiped_while_suspended_stays_suspended(team: Team) -> None:
    billing = team.declare("billing-1.0")
    secret, token, before = billing.credentials(), billing.token(), billing.status()
    billing.apply(desiredStatus="Suspended")
    billing.until_observed("Suspended")
    until_second_over(token)
    wipe_by_patch(billing)
    status = rebuilt(billing, before)
    assert status["observedStatus"] == "Suspended"
    assert set(team.product.tokens_issued(secret)) == {401}
    billing.apply(desiredStatus="Available")
    team.product.until_secret_works(secret)
    assert set(team.product.verdicts(token)) == {401}


@pytest.mark.rule(7, 8, 10)
def test_status_wiped_after_a_retirement_revives_nothing(team: Team) -> None:
    billing = team.declare("billing-1.0", retirement={"gracePeriod": "0s"})
    secret, token = billing.credentials(), billing.token()
    billing.apply(desiredStatus="Retired")
    billing.wait("is destroyed", lambda obj: not obj["status"].get("credentials"))
    wipe_by_patch(billing)
    billing.until_observed("Retired")
    billing.apply(desiredStatus="Available")
    billing.until_observed("Available")
    team.product.until_secret_works(billing.credentials())
    assert set(team.product.tokens_issued(secret)) == {401}
    assert set(team.product.verdicts(token)) == {401}


@pytest.mark.rule(7)
def test_status_wiped_while_the_operator_is_down(team: Team) -> None:
    billing = team.declare("billing-1.0")
    secret, token, before = billing.credentials(), billing.token(), billing.status()
    team.product.operator.stop()
    until_second_over(token)
    wipe_by_patch(billing)
    team.product.until_refused(token)
    team.product.until_secret_refused(secret)
    team.product.operator.start()
    rebuilt(billing, before)
    team.product.until_secret_works(secret)
    assert set(team.product.verdicts(token)) == {401}


@pytest.mark.rule(7)
def test_secret_of_unknown_bytes_is_not_taken_over_after_a_wipe(team: Team) -> None:
    """Who may write Secrets and wipe a status still gets nothing in: the MAC covers the bytes."""
    billing = team.declare("billing-1.0")
    before = billing.status()
    team.product.operator.stop()
    forged = "forged-by-somebody-who-may-write-secrets-0"
    team.kubectl("patch", "secret", billing.secret_name, f'--patch={{"stringData":{{"client-secret":"{forged}"}}}}')
    edited = billing.credentials()
    wipe_by_patch(billing)
    team.product.operator.start()
    rebuilt(billing, before)
    eventually("the forged secret is replaced", lambda: billing.credentials() != edited)
    team.product.until_secret_works(billing.credentials())
    assert set(team.product.tokens_issued(edited)) == {401}
    assert stamp_id(billing.secret()) == current(billing.status())["id"]


def rebuilt(client: Client, before: JsonObject) -> JsonObject:
    """Wait until the operator has written a whole status again."""

    def whole(obj: JsonObject) -> bool:
        return set(before) <= set(obj["status"]) and bool(current(obj["status"]))

    status: JsonObject = client.wait("has a status again", whole)["status"]
    return status
