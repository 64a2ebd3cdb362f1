"""What the operator does not do to Secrets: delete what it did not make, hurry finalizers, set what others obey."""

import json
import time

import pytest

from tests.toolkit.objects import JsonObject
from tests.toolkit.product import Team, encoded, gone
from tests.toolkit.waiting import eventually, settled

SECRET = "billing-1.0-credentials"
MANAGED = {"app.kubernetes.io/managed-by": "apiclient-operator"}
AT_ONCE = {"gracePeriod": "0s"}


@pytest.mark.rule(8)
def test_a_secret_with_a_finalizer_is_deleted_once_and_waited_for(team: Team) -> None:
    billing = team.declare("billing-1.0")
    patch_finalizers(team, ["example.com/backup"])
    billing.apply(desiredStatus="Retired", retirement=AT_ONCE)
    told = billing.until_condition("SecretReady", "False", "SecretDeleting")
    eventually("the finalizer is named", lambda: "example.com/backup" in billing.condition("SecretReady")["message"])
    assert SECRET in told["message"]
    assert "deletionTimestamp" in billing.secret()["metadata"]
    settled("the client", lambda: billing.get()["metadata"]["resourceVersion"])
    assert "keeps changing" not in json.dumps(billing.status())
    patch_finalizers(team, [])
    billing.until_condition("SecretReady", "False", "SecretRemoved")
    assert SECRET not in team.secrets()


@pytest.mark.rule(6, 8)
def test_what_the_operator_did_not_make_it_does_not_delete(team: Team) -> None:
    """With its label, and the client as owner: a Secret of another type, and a copy of the client's own."""
    billing = team.declare("billing-1.0", secret={"overlap": "0s"})
    own = billing.secret()
    meta = {"labels": MANAGED, "ownerReferences": own["metadata"]["ownerReferences"]}
    annotations = own["metadata"]["annotations"]
    put(
        team, {"metadata": {"name": "tls", **meta}, "type": "kubernetes.io/tls", "data": {"tls.crt": "", "tls.key": ""}}
    )
    put(team, own | {"metadata": {"name": "copy", "annotations": annotations, **meta}})
    billing.apply(secret={"name": "renamed", "overlap": "0s"})
    billing.until_credential(2)
    gone(team.product.admin, "secrets", team.namespace, SECRET)
    billing.apply(desiredStatus="Retired", retirement=AT_ONCE)
    billing.until_condition("SecretReady", "False", "SecretRemoved")
    assert set(team.secrets()) == {"tls", "copy"}


@pytest.mark.rule(6)
def test_a_conflict_that_is_mended_soon_is_over_soon(team: Team) -> None:
    put(team, {"metadata": {"name": SECRET}, "data": {"key": encoded("theirs")}})
    billing = team.client("billing-1.0")
    billing.apply()
    billing.until_condition("Stalled", "True", "SecretConflict")
    begun = time.monotonic()
    team.kubectl("delete", "secret", SECRET)
    billing.until_observed("Available")
    assert time.monotonic() - begun < 15


@pytest.mark.rule(6)
def test_a_template_sets_only_what_no_other_controller_obeys(team: Team) -> None:
    template = {"labels": {"team": "a", "owner": "helm"}, "annotations": {"kubed.appscode.com/sync": "", "note": "b"}}
    billing = team.declare("billing-1.0", secret={"template": template})
    told = billing.until_condition("Stalled", "True", "TemplateRefused")
    assert "kubed.appscode.com/sync, owner" in told["message"]
    meta = billing.secret()["metadata"]
    assert (meta["labels"]["team"], meta["annotations"]["note"]) == ("a", "b")
    assert not {"owner", "kubed.appscode.com/sync"} & {*meta["labels"], *meta["annotations"]}
    team.product.until_secret_works(billing.credentials())
    billing.spec["secret"] = {"template": {"labels": {"team": "a"}}}
    billing.apply()
    billing.until_condition("Ready", "True", "Available")


def put(team: Team, body: JsonObject) -> JsonObject:
    return team.product.admin.create("secrets", team.namespace, body)


def patch_finalizers(team: Team, finalizers: list[str]) -> None:
    patch = json.dumps({"metadata": {"finalizers": finalizers}})
    team.kubectl("patch", "secret", SECRET, "--type=merge", "--patch", patch)
