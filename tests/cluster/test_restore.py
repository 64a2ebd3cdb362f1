"""A namespace that is gone and put back from a backup, as Velero does: Secrets first, nothing with owners or status."""

import json
from collections.abc import Iterator

import pytest

from tests.toolkit.objects import JsonObject, manifest
from tests.toolkit.product import Team, encoded

#: In the order in which they are put back.
KINDS = ("secrets", "apiclients", "apis", "contractapprovals", "contracts")
#: What a tool for backups leaves out of metadata.
DROPPED = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "ownerReferences")


def export(team: Team) -> list[JsonObject]:
    """The backup."""
    return [obj for kind in KINDS for obj in json.loads(team.kubectl("get", kind, "--output=json"))["items"]]


def put_back(team: Team, backup: list[JsonObject]) -> None:
    """The restore."""
    team.kubectl("delete", "namespace", team.namespace, "--timeout=60s")
    team.product.stage.cluster.kubectl("create", "namespace", team.namespace)
    for obj in backup:
        meta = {key: value for key, value in obj["metadata"].items() if key not in DROPPED}
        meta["labels"] = {**meta.get("labels", {}), "velero.io/restore-name": "after-the-flood"}
        restored = {key: value for key, value in obj.items() if key != "status"} | {"metadata": meta}
        team.kubectl("create", "-f", "-", input=json.dumps(restored))


@pytest.fixture
def consumer(team: Team) -> Iterator[Team]:
    """A namespace with two clients, an Api, a contract and its approval."""
    api = {"desiredStatus": "Published", "plans": [{"name": "gold", "approval": "Manual"}]}
    where = {"namespace": team.namespace, "name": "orders"}
    contract = {"clientName": "billing-1.0", "api": where, "plan": "gold"}
    approval = {
        "contract": {**where, "name": "billing-orders"},
        "client": "billing-1.0",
        "api": "orders",
        "plan": "gold",
        "decision": "Approved",
    }
    team.declare("billing-1.0")
    team.declare("reports-1.0", observed="Suspended", desiredStatus="Suspended")
    for kind, plural, name, spec in (
        ("Api", "apis", "orders", api),
        ("Contract", "contracts", "billing-orders", contract),
        ("ContractApproval", "contractapprovals", "billing-orders", approval),
    ):
        team.product.admin.apply_object(plural, manifest(kind, team.namespace, name, spec))
    until_active(team)
    yield team
    team.product.admin.delete("contracts", team.namespace, "billing-orders")
    team.client("billing-1.0").wait("has no contracts", lambda obj: obj["status"]["contracts"]["active"] == 0)


def until_active(team: Team) -> None:
    """The contract, and its client knows it."""
    counted = ["billing-orders"]
    team.client("billing-1.0").wait("has it", lambda obj: obj["status"]["contracts"].get("activeNames") == counted)


@pytest.mark.rule(6, 11)
def test_a_restored_namespace_comes_back_without_a_hand(consumer: Team) -> None:
    team = consumer
    billing, reports = team.client("billing-1.0"), team.client("reports-1.0")
    before, token = billing.credentials(), billing.token()
    put_back(team, export(team))
    billing.until_condition("Ready", "True", "Available")
    reports.until_condition("Ready", "True", "Suspended")
    after = billing.credentials()
    assert (after.client_id, after.client_secret) != (before.client_id, before.client_secret)
    (owner,) = billing.secret()["metadata"]["ownerReferences"]
    assert owner["uid"] == billing.get()["metadata"]["uid"]
    team.product.until_secret_works(after)
    team.product.until_secret_refused(before)
    team.product.until_refused(token)
    until_active(team)


@pytest.mark.rule(6, 24)
def test_a_restored_secret_that_nobody_can_vouch_for_is_left_and_the_message_says_what_to_delete(team: Team) -> None:
    billing = team.declare("billing-1.0")
    backup = export(team)
    (secret,) = [obj for obj in backup if obj["kind"] == "Secret"]
    secret["data"]["client-secret"] = encoded("edited-in-the-backup")
    put_back(team, backup)
    stalled = billing.until_condition("Stalled", "True", "SecretConflict")
    assert billing.credentials().client_secret == "edited-in-the-backup"
    command = f"kubectl delete secret {billing.secret_name} --namespace {team.namespace}"
    assert command in stalled["message"]
    team.product.stage.cluster.kubectl(*command.split()[1:])
    billing.until_condition("Ready", "True", "Available")
