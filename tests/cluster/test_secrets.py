"""What others do to the Secret, or have done before: deleted, edited, foreign, immutable, left over, relabelled."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cluster import LocalCluster
from tests.toolkit.objects import JsonObject
from tests.toolkit.product import Client, Product, Team, current, encoded, gone, read_credentials
from tests.toolkit.waiting import eventually, settled

SECRET = "billing-1.0-credentials"
CANARY = "not-a-secret-that-the-operator-has-made-0123"


@pytest.mark.rule(6)
def test_deleted_secret_is_issued_anew_without_overlap(team: Team) -> None:
    billing = team.declare("billing-1.0", secret={"overlap": "1h"})
    old, token = billing.credentials(), billing.token()
    team.kubectl("delete", "secret", SECRET)
    status = billing.until_credential(2)
    new = billing.credentials()
    assert [c["id"] for c in status["credentials"]] == [2]
    assert current(status)["cause"] == "Missing"
    assert new.client_id == old.client_id
    assert new.client_secret != old.client_secret
    team.product.until_secret_works(new)
    team.product.until_secret_refused(old)
    assert set(team.product.verdicts(token)) == {200}, "issued tokens live on"


@pytest.mark.rule(3, 6)
def test_secret_deleted_while_suspended_is_issued_anew_after_the_resumption(team: Team) -> None:
    billing = team.declare("billing-1.0")
    token = billing.token()
    billing.apply(desiredStatus="Suspended")
    billing.until_observed("Suspended")
    team.kubectl("delete", "secret", SECRET)
    billing.until_condition("SecretReady", "False", "SecretMissing")
    assert SECRET not in team.secrets()
    billing.apply(desiredStatus="Available")
    billing.until_credential(2)
    team.product.until_secret_works(billing.credentials())
    team.product.until_accepted(token)


@pytest.mark.rule(6)
def test_edited_secret_is_rotated_with_overlap_and_edited_again_is_a_conflict(team: Team) -> None:
    billing = team.declare("billing-1.0", secret={"overlap": "1h"})
    first, token = billing.credentials(), billing.token()
    edit(team, SECRET, {"client-secret": CANARY})
    status = billing.until_credential(2)
    assert current(status)["cause"] == "Edited"
    second = billing.credentials()
    assert second.client_secret not in (first.client_secret, CANARY)
    team.product.until_secret_works(first, second)

    edit(team, SECRET, {"client-secret": CANARY})
    stalled = billing.until_condition("Stalled", "True", "SecretConflict")
    assert f"Secret {SECRET}" in stalled["message"]
    assert billing.condition("Ready")["status"] == "False"
    team.product.until_secret_works(first, second)
    edited = billing.credentials()
    assert edited.client_secret == CANARY
    assert set(team.product.tokens_issued(edited)) == {401}, "no unknown secret gets in"
    assert set(team.product.verdicts(token)) == {200}
    assert [c["id"] for c in billing.status()["credentials"]] == [2, 1]


@pytest.mark.rule(6)
def test_edited_public_data_and_metadata_are_put_right_without_a_rotation(team: Team) -> None:
    billing = team.declare("billing-1.0")
    secret = billing.secret()
    edit(team, SECRET, {"issuer": "https://elsewhere.example.com"})
    eventually("the issuer is put right", lambda: billing.secret()["data"] == secret["data"])
    team.kubectl("annotate", "secret", SECRET, "apiclients.dev/credential=nonsense", "--overwrite")
    key = "apiclients.dev/credential"
    kept = secret["metadata"]["annotations"][key]
    eventually("the stamp is put right", lambda: billing.secret()["metadata"]["annotations"][key] == kept)
    settled("the Secret", lambda: billing.secret()["metadata"]["resourceVersion"])
    assert billing.secret()["data"] == secret["data"]
    assert billing.until_condition("Ready", "True")
    assert current(billing.status())["id"] == 1


@pytest.mark.rule(6)
@pytest.mark.parametrize("labels", [{}, {"app.kubernetes.io/managed-by": "apiclient-operator"}], ids=["plain", "ours"])
def test_foreign_secret_of_that_name_is_never_touched(team: Team, labels: dict[str, str]) -> None:
    foreign = put_secret(team, SECRET, labels=labels)
    billing = team.client("billing-1.0")
    billing.apply()
    stalled = billing.until_condition("Stalled", "True", "SecretConflict")
    assert "spec.secret.name" in stalled["message"]
    assert billing.condition("SecretReady")["reason"] == "SecretConflict"
    assert billing.condition("Ready")["status"] == "False"
    assert billing.status()["observedStatus"] == "Pending"
    assert billing.secret() == foreign
    team.kubectl("delete", "apiclient", "billing-1.0")
    assert billing.secret() == foreign
    free = team.declare("reports-1.0", secret={"name": "free"})
    free.apply(secret={"name": SECRET})
    free.until_condition("Stalled", "True", "SecretConflict")
    assert billing.secret() == foreign
    team.product.until_secret_works(read_credentials(team.secrets()["free"]))


@pytest.fixture
def other_group(product: Product) -> Iterator[str]:
    """The API group of another product that has a kind ApiClient too."""
    group, kubectl = "clients.example.com", product.stage.cluster.kubectl
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "apiclients", "singular": "apiclient", "kind": "ApiClient", "listKind": "ApiClientList"}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    meta = {"name": f"apiclients.{group}"}
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": meta, "spec": spec}
    kubectl("apply", "-f", "-", input=json.dumps(crd))
    kubectl("wait", "--for=condition=Established", "--timeout=30s", f"crd/apiclients.{group}")
    yield group
    kubectl("delete", "crd", f"apiclients.{group}", "--wait=false")


@pytest.mark.rule(6)
def test_secret_of_a_client_of_another_group_is_never_touched(team: Team, other_group: str) -> None:
    """Same kind, same name, our own label: only the API group of the owner tells it from a leftover."""
    body = {"apiVersion": f"{other_group}/v1", "kind": "ApiClient", "metadata": {"name": "billing-1.0"}}
    other: JsonObject = json.loads(team.kubectl("create", "-f", "-", "-o", "json", input=json.dumps(body)))
    foreign = put_secret(team, SECRET, labels={"app.kubernetes.io/managed-by": "apiclient-operator"}, owner=other)
    billing = team.client("billing-1.0")
    billing.apply()
    billing.until_condition("Stalled", "True", "SecretConflict")
    assert billing.condition("SecretReady")["reason"] == "SecretConflict"
    assert billing.secret() == foreign
    billing.apply(secret={"revision": 2})
    billing.until_condition("Stalled", "True", "SecretConflict")
    assert billing.secret() == foreign


@pytest.mark.rule(6, 24)
def test_conflict_with_a_foreign_secret_ends_by_another_name(team: Team) -> None:
    put_secret(team, SECRET)
    foreign = team.secrets()[SECRET]
    billing = team.client("billing-1.0")
    billing.apply()
    billing.until_condition("Stalled", "True", "SecretConflict")
    billing.apply(secret={"name": "another"})
    billing.until_observed("Available")
    team.product.until_secret_works(billing.credentials())
    assert team.secrets()[SECRET] == foreign


@pytest.mark.rule(6)
def test_secret_made_immutable_is_a_conflict(team: Team) -> None:
    billing = team.declare("billing-1.0")
    secret = billing.credentials()
    team.kubectl("patch", "secret", SECRET, "--type=merge", "--patch", '{"immutable":true}')
    billing.until_condition("Stalled", "True", "SecretConflict")
    assert set(team.product.tokens_issued(secret)) == {200}, "what was issued works on"
    team.kubectl("delete", "secret", SECRET)
    billing.until_condition("Ready", "True", "Available")
    team.product.until_secret_works(billing.credentials())


@pytest.fixture
def no_garbage_collector(product: Product) -> Iterator[None]:
    """What is left over stays."""
    cluster = product.stage.cluster
    assert isinstance(cluster, LocalCluster)
    cluster.stop_controller_manager()
    yield
    cluster.start_controller_manager()


@pytest.mark.rule(6, 11)
@pytest.mark.usefixtures("no_garbage_collector")
def test_secret_left_by_an_earlier_client_of_that_name_is_never_used_again(team: Team) -> None:
    billing = team.declare("billing-1.0")
    left = billing.secret()
    old, token = billing.credentials(), billing.token()
    team.kubectl("delete", "apiclient", "billing-1.0")
    team.product.until_refused(token)
    assert billing.secret()["metadata"]["uid"] == left["metadata"]["uid"]
    again = team.declare("billing-1.0")
    assert again.secret()["metadata"]["uid"] != left["metadata"]["uid"]
    new = again.credentials()
    team.product.until_secret_works(new)
    assert new.client_secret != old.client_secret
    assert set(team.product.tokens_issued(old)) == {401}


@pytest.mark.rule(6, 11)
def test_orphaned_secret_stays_until_a_client_of_that_name_comes_back(team: Team) -> None:
    """Then it is a leftover, as one from a backup: whoever wants to keep it copies it to another name."""
    billing = team.declare("billing-1.0")
    old = billing.credentials()
    team.kubectl("delete", "apiclient", "billing-1.0", "--cascade=orphan")
    eventually("the Secret is orphaned", lambda: "ownerReferences" not in billing.secret()["metadata"])
    orphan = billing.secret()
    other = team.declare("reports-1.0")
    other.apply(secret={"name": SECRET})
    other.until_condition("Stalled", "True", "SecretConflict")
    assert billing.secret() == orphan
    team.product.until_secret_refused(old)
    team.kubectl("delete", "apiclient", "reports-1.0")
    billing.apply()
    billing.until_observed("Available")
    team.product.until_secret_works(billing.credentials())
    assert set(team.product.tokens_issued(old)) == {401}


@pytest.mark.rule(6, 11)
def test_client_made_again_at_once_gets_a_secret_of_its_own(team: Team) -> None:
    """Before the garbage collector has come round: the leftover still says who owned it."""
    billing = team.declare("billing-1.0")
    old = billing.credentials()
    for _ in range(3):
        team.kubectl("delete", "apiclient", "billing-1.0")
        billing.apply()
        uid = billing.until_observed("Available")["metadata"]["uid"]
        assert owner(billing.secret()) == uid
        team.product.until_secret_works(billing.credentials())
    assert set(team.product.tokens_issued(old)) == {401}


@pytest.mark.rule(5, 21)
def test_template_comes_and_goes_without_a_rotation(team: Team) -> None:
    billing = team.declare("billing-1.0")
    data = billing.secret()["data"]
    billing.apply(secret={"template": {"labels": {"team": "a"}, "annotations": {"note": "b"}}})
    eventually("the template is there", lambda: templated(billing.secret()) == ("a", "b"))
    team.kubectl("label", "secret", SECRET, "backup=yes")
    billing.spec["secret"] = {}
    billing.apply()
    eventually("the template is gone", lambda: templated(billing.secret()) == (None, None))
    billing.until_condition("Ready", "True")
    assert billing.secret()["data"] == data
    assert billing.secret()["metadata"]["labels"]["backup"] == "yes", "what others have put there stays"
    assert current(billing.status())["id"] == 1


@pytest.mark.rule(5)
def test_template_of_the_first_day_is_in_the_first_secret(team: Team) -> None:
    billing = team.declare("billing-1.0", secret={"template": {"labels": {"team": "a"}, "annotations": {"note": "b"}}})
    assert templated(billing.secret()) == ("a", "b")
    assert current(billing.status())["id"] == 1


@pytest.mark.rule(5)
def test_renamed_secret_overlaps_with_the_old_one_which_goes_afterwards(team: Team) -> None:
    billing = team.declare("billing-1.0", secret={"overlap": "3s"})
    old, token = billing.credentials(), billing.token()
    billing.apply(secret={"name": "renamed"})
    status = billing.until_credential(2)
    assert current(status)["cause"] == "Renamed"
    assert status["secret"]["name"] == "renamed"
    new = billing.credentials()
    team.product.until_secret_works(new)
    assert new.client_id == old.client_id
    gone(team.product.admin, "secrets", team.namespace, SECRET)
    team.product.until_secret_refused(old)
    assert set(team.product.tokens_issued(new)) == {200}
    assert set(team.product.verdicts(token)) == {200}
    assert mine(team, billing) == ["renamed"]


def edit(team: Team, name: str, data: dict[str, str]) -> None:
    """What a person does with kubectl edit."""
    patch = {"data": {key: encoded(value) for key, value in data.items()}}
    team.product.admin.patch("secrets", team.namespace, name, patch)


def put_secret(
    team: Team, name: str, labels: dict[str, str] | None = None, owner: JsonObject | None = None
) -> JsonObject:
    """Somebody else's Secret."""
    meta: dict[str, Any] = {"name": name, "labels": labels or {}}
    if owner is not None:
        reference = {key: owner["metadata"][key] for key in ("name", "uid")}
        meta["ownerReferences"] = [
            {**reference, "apiVersion": owner["apiVersion"], "kind": owner["kind"], "controller": True}
        ]
    data = {"client-id": encoded("foreign"), "client-secret": encoded(CANARY), "token-endpoint": encoded("")}
    return team.product.admin.create("secrets", team.namespace, {"metadata": meta, "data": data})


def owner(secret: JsonObject) -> str:
    return str(secret["metadata"]["ownerReferences"][0]["uid"])


def mine(team: Team, client: Client) -> list[str]:
    """Names of the Secrets that a client owns."""
    uid = client.get()["metadata"]["uid"]
    return [name for name, secret in team.secrets().items() if owner(secret) == uid]


def templated(secret: JsonObject) -> tuple[str | None, str | None]:
    meta = secret["metadata"]
    return meta.get("labels", {}).get("team"), meta.get("annotations", {}).get("note")
