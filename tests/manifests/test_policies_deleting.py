"""Deleting what is in use is refused, and nothing is in the way of what has to go."""

from collections.abc import Callable

import pytest

from cluster import LocalCluster
from tests.manifests.policies import Kubectl, denied, is_forbidden
from tests.manifests.samples import EXAMPLE, api, api_status, client, client_status
from tests.toolkit.admin import APPLY, MERGE, Admin
from tests.toolkit.objects import KINDS, JsonObject
from tests.toolkit.waiting import eventually

pytestmark = pytest.mark.rule(27)


def test_a_client_with_active_contracts_stays(kubectl: Kubectl, admin: Admin, team: str) -> None:
    body = client("billing-1.0", team, "Retired", retirement={"acknowledgedContracts": ["billing-tax"]})
    admin.with_status("apiclients", body, client_status("billing-orders", "billing-stock", "billing-tax"))
    refusal = 'Error from server (Forbidden): apiclients.apiclients.dev "billing-1.0" is forbidden: ' + denied(
        "delete-apiclients",
        "deleting billing-1.0 ends 2 active contract(s) not in spec.retirement.acknowledgedContracts: "
        "billing-orders, billing-stock",
    )
    for option in ("--wait=true", "--dry-run=server", "--cascade=foreground", "--force"):
        _, err = kubectl("delete", "apiclient", "billing-1.0", option)
        assert err.splitlines()[-1] == refusal
    assert is_forbidden(admin.ask("DELETE", "apiclients", team, "billing-1.0"), "delete-apiclients")
    assert is_forbidden(admin.ask("DELETE", "apiclients", team), "delete-apiclients")
    body["spec"]["retirement"]["acknowledgedContracts"] = ["billing-orders", "billing-stock", "billing-tax"]
    kubectl("apply", "-f", "-", body=body)
    assert kubectl("delete", "apiclient", "billing-1.0") == (
        f'apiclient.apiclients.dev "billing-1.0" deleted from {team} namespace',
        "",
    )


def test_an_api_with_active_contracts_stays(kubectl: Kubectl, admin: Admin, team: str) -> None:
    body = api("orders-v1", team, retirement={"acknowledgedContractCount": 2})
    admin.with_status("apis", body, api_status(5))
    assert kubectl("delete", "api", "orders-v1")[1] == (
        'Error from server (Forbidden): apis.apiclients.dev "orders-v1" is forbidden: '
        + denied(
            "delete-apis",
            "deleting orders-v1 ends 5 active contract(s), but spec.retirement.acknowledgedContractCount is 2",
        )
    )
    assert is_forbidden(admin.ask("DELETE", "apis", team, "orders-v1"), "delete-apis")
    assert is_forbidden(admin.ask("DELETE", "apis", team), "delete-apis")
    admin.done(
        "PATCH", "apis", team, "orders-v1", {"spec": {"retirement": {"acknowledgedContractCount": 5}}}, content=MERGE
    )
    assert kubectl("delete", "api", "orders-v1")[1] == ""


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_no_active_contracts_goes(admin: Admin, team: str, kind: str) -> None:
    admin.done("POST", kind, team, body=EXAMPLE[kind]("one", team))
    admin.done("POST", kind, team, body=EXAMPLE[kind]("two", team))
    assert admin.ask("DELETE", kind, team, "one").status == 200
    assert admin.ask("DELETE", kind, team).status == 200
    assert admin.ask("GET", kind, team).body["items"] == []


@pytest.mark.parametrize("target", ["crd/apiclients.apiclients.dev", "namespace/apiclients-system"])
def test_nobody_takes_all_clients_along_by_accident(installed: LocalCluster, target: str) -> None:
    def delete() -> str:
        done = installed.kubectl("delete", target, "--dry-run=server", check=False)
        return done.stdout + done.stderr

    assert "annotate it with apiclients.dev/deletion=allowed first" in delete()
    installed.kubectl("annotate", target, "apiclients.dev/deletion=allowed")
    try:
        assert "deleted" in delete()
    finally:
        installed.kubectl("annotate", target, "apiclients.dev/deletion-")


def test_other_kinds_and_namespaces_go_as_ever(installed: LocalCluster, team: str) -> None:
    assert "deleted" in installed.kubectl("delete", "namespace", team, "--dry-run=server").stdout


def test_a_namespace_takes_everything_with_it(installed: LocalCluster, admin: Admin, team: str) -> None:
    for kind in KINDS:
        admin.done("POST", kind, team, body=EXAMPLE[kind]("bare", team))
    admin.with_status("apiclients", client("c", team), client_status("a", "b"))
    admin.with_status("apis", api("a", team), api_status(3))
    assert admin.ask("DELETE", "apiclients", team, "c").status == 403
    installed.kubectl("delete", "namespace", team, "--timeout=60s")


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("apiclients", client, client_status("a")),
        ("apis", api, api_status(3)),
    ],
)
def test_garbage_is_collected(
    admin: Admin, team: str, policy: str, kind: str, body: Callable[[str, str], JsonObject], status: JsonObject
) -> None:
    owner = admin.done("POST", "configmaps", team, body={"metadata": {"name": "owner"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    owned = body("owned", team)
    owned["metadata"]["ownerReferences"] = [{**reference, "blockOwnerDeletion": True}]
    admin.with_status(kind, owned, status)
    admin.done("DELETE", "configmaps", team, "owner", propagationPolicy=policy)
    # The collector looks for new kinds every 30 s.
    eventually("the owned object is gone", lambda: admin.ask("GET", kind, team, "owned").status == 404)
    eventually("the owner is gone", lambda: admin.ask("GET", "configmaps", team, "owner").status == 404)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("apiclients", client("c", ""), client_status("a")),
        ("apis", api("c", ""), api_status(3)),
    ],
)
def test_what_is_ending_comes_to_its_end(
    admin: Admin, team: str, kind: str, body: JsonObject, status: JsonObject
) -> None:
    body = {**body, "metadata": {"name": "c", "namespace": team, "finalizers": ["example.com/wait"]}}
    admin.done("POST", kind, team, body=body)
    admin.done("DELETE", kind, team, "c")
    admin.done("PATCH", kind, team, "c", {"status": status}, subresource="status", content=MERGE)
    assert admin.ask("DELETE", kind, team, "c").status == 200
    admin.done("PATCH", kind, team, "c", {"metadata": {"finalizers": []}}, content=MERGE)
    assert admin.ask("GET", kind, team, "c").status == 404


NOBODY = {"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "00000000-0000-4000-8000-000000000000"}
OWNED = {"metadata": {"ownerReferences": [NOBODY]}}


@pytest.fixture
def editor(installed: LocalCluster, team: str) -> str:
    """Somebody who may do everything in the namespace of the test."""
    name = f"adam-of-{team}"
    installed.kubectl("create", "rolebinding", name, "--clusterrole=cluster-admin", f"--user={name}", "-n", team)
    return name


@pytest.mark.parametrize("kind", KINDS)
def test_a_dead_owner_is_no_way_around_the_policies_about_deletion(
    admin: Admin, team: str, editor: str, kind: str
) -> None:
    body = EXAMPLE[kind]("x", team)
    made = body | {"metadata": body["metadata"] | OWNED["metadata"]}
    assert is_forbidden(admin.ask("POST", kind, team, body=made, user=editor), "apiclients-owners")
    admin.done("POST", kind, team, body=body, user=editor)
    for content in (MERGE, APPLY):
        sent = made if content == APPLY else OWNED
        query = {"fieldManager": "x", "force": "true"} if content == APPLY else {}
        answer = admin.ask("PATCH", kind, team, "x", sent, content=content, user=editor, **query)
        assert is_forbidden(answer, "apiclients-owners")
        assert answer.message.endswith("leave it out")


def test_an_object_that_has_an_owner_can_be_edited_and_given_free(admin: Admin, team: str, editor: str) -> None:
    """The owner is there: a dead one would have the object collected."""
    owner = admin.done("POST", "configmaps", team, body={"metadata": {"name": "owner"}})
    reference = {**NOBODY, "name": "owner", "uid": owner["metadata"]["uid"]}
    body = client("c", team)
    admin.done("POST", "apiclients", team, body=body | {"metadata": {"name": "c", "ownerReferences": [reference]}})
    edit = {"spec": {"displayName": "Billing"}, "metadata": {"ownerReferences": [reference | {"controller": True}]}}
    admin.done("PATCH", "apiclients", team, "c", edit, content=MERGE, user=editor)
    more = {"metadata": {"ownerReferences": [reference, NOBODY]}}
    answer = admin.ask("PATCH", "apiclients", team, "c", more, content=MERGE, user=editor)
    assert is_forbidden(answer, "apiclients-owners")
    admin.done("PATCH", "apiclients", team, "c", {"metadata": {"ownerReferences": None}}, content=MERGE, user=editor)
