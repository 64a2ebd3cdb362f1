"""Who may write status, and which Secrets are the operator's."""

import json
from pathlib import Path

import pytest

from cluster import LocalCluster
from tests.manifests.policies import CREDENTIALS, MANAGED, is_forbidden
from tests.manifests.samples import EXAMPLE, GROUP, client, client_status
from tests.toolkit.admin import APPLY, MERGE, Admin
from tests.toolkit.objects import KINDS, OPERATOR, SYSTEM, JsonObject
from tests.toolkit.waiting import eventually

pytestmark = pytest.mark.rule(27)


@pytest.fixture(scope="module")
def tempted(installed: LocalCluster) -> list[str]:
    """People who may write status as far as RBAC goes."""
    rights = ["--verb=get,update,patch", f"--resource={','.join(f'{kind}.{GROUP}/status' for kind in KINDS)}"]
    installed.kubectl("create", "clusterrole", "tempting", *rights)
    installed.kubectl("create", "clusterrolebinding", "tempting", "--clusterrole=tempting", "--user=tessa")
    return ["tessa"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_operator_alone_writes_status(
    installed: LocalCluster, admin: Admin, team: str, tempted: list[str], kind: str
) -> None:
    # Everything in one namespace is not everything.
    installed.kubectl(
        "create", "rolebinding", "all", "--clusterrole=cluster-admin", "--user=adam", f"--namespace={team}"
    )
    made = admin.done("POST", kind, team, body=EXAMPLE[kind]("x", team))
    made["status"] = {"observedGeneration": 1}
    for user in (*tempted, "adam"):
        body = {"status": made["status"]}
        answer = admin.ask("PATCH", kind, team, "x", body, subresource="status", content=MERGE, user=user)
        assert is_forbidden(answer, "apiclients-status")
        assert answer.message.endswith(f"the operator alone writes the status of {kind}: change spec instead")
        assert is_forbidden(
            admin.ask("PUT", kind, team, "x", made, subresource="status", user=user), "apiclients-status"
        )
    made = admin.done("PUT", kind, team, "x", made, subresource="status", user=OPERATOR)
    assert made["status"]["observedGeneration"] == 1
    made["status"]["observedGeneration"] = 2
    assert admin.done("PUT", kind, team, "x", made, subresource="status")["status"] == made["status"], (
        "an administrator"
    )


def test_the_gate_may_not_write_status(admin: Admin, team: str) -> None:
    made = admin.done("POST", "apiclients", team, body=client("c", team))
    gate = f"system:serviceaccount:{SYSTEM}:apiclient-gate"
    assert admin.ask("PUT", "apiclients", team, "c", made, subresource="status", user=gate).status == 403


def test_a_right_of_its_own_lets_a_restore_write_status(installed: LocalCluster, admin: Admin, team: str) -> None:
    rights = ["--verb=write-status", f"--resource={','.join(f'{kind}.{GROUP}' for kind in KINDS)}"]
    installed.kubectl("create", "clusterrole", "restoring", *rights)
    installed.kubectl("create", "clusterrolebinding", "restoring", "--clusterrole=restoring", "--user=rosa")
    installed.kubectl(
        "create", "clusterrole", "restoring-status", "--verb=update", f"--resource=apiclients.{GROUP}/status"
    )
    installed.kubectl("create", "clusterrolebinding", "status", "--clusterrole=restoring-status", "--user=rosa")
    made = admin.done("POST", "apiclients", team, body=client("c", team))
    made["status"] = client_status("a")
    eventually(
        "the right is known",
        lambda: admin.ask("PUT", "apiclients", team, "c", made, subresource="status", user="rosa").status == 200,
    )


def test_the_operator_writes_with_its_real_account(
    installed: LocalCluster, admin: Admin, team: str, tmp_path: Path
) -> None:
    account = installed.service_account_kubeconfig(SYSTEM, "apiclient-operator", tmp_path / "kubeconfig")
    made = admin.done("POST", "apiclients", team, body=client("c", team))
    made["status"] = client_status("a")
    replace = ["replace", "--subresource=status", "-f", "-"]
    done = installed.kubectl(*replace, input=json.dumps(made), kubeconfig=account)
    assert done.stdout.strip() == "apiclient.apiclients.dev/c replaced"
    body = secret("plain", team, CREDENTIALS, {})
    done = installed.kubectl("create", "-f", "-", input=json.dumps(body), kubeconfig=account, check=False)
    assert "'apiclient-operator-secrets'" in done.stderr
    body = secret("marked", team, CREDENTIALS, MANAGED)
    installed.kubectl("create", "-f", "-", input=json.dumps(body), kubeconfig=account)


def secret(name: str, namespace: str, of_type: str, labels: dict[str, str] | None) -> JsonObject:
    meta: JsonObject = {"name": name, "namespace": namespace}
    if labels is not None:
        meta["labels"] = labels
    return {"apiVersion": "v1", "kind": "Secret", "type": of_type, "metadata": meta}


@pytest.mark.parametrize(
    ("of_type", "labels"),
    [
        (CREDENTIALS, None),
        (CREDENTIALS, {}),
        (CREDENTIALS, {"app.kubernetes.io/managed-by": "somebody"}),
        ("Opaque", MANAGED),
        # A controller would fill in a token for any service account.
        ("kubernetes.io/service-account-token", MANAGED),
    ],
)
def test_the_operator_makes_no_other_secrets(
    admin: Admin, team: str, of_type: str, labels: dict[str, str] | None
) -> None:
    body = secret("s", team, of_type, labels)
    body["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "default"}
    assert is_forbidden(admin.ask("POST", "secrets", team, body=body, user=OPERATOR), "apiclient-operator-secrets")
    applied = admin.ask("PATCH", "secrets", team, "s", body, content=APPLY, fieldManager="x", user=OPERATOR)
    assert is_forbidden(applied, "apiclient-operator-secrets")
    assert admin.ask("POST", "secrets", team, body=body).status == 201, "others may"


@pytest.mark.parametrize("labels", [None, {}, {"app.kubernetes.io/managed-by": "somebody"}])
def test_the_operator_touches_no_other_secrets(admin: Admin, team: str, labels: dict[str, str] | None) -> None:
    admin.done("POST", "secrets", team, body=secret("s", team, "Opaque", labels))
    for content in (MERGE, APPLY):
        body = secret("s", team, "Opaque", MANAGED)
        query = {"fieldManager": "x", "force": "true"} if content == APPLY else {}
        answer = admin.ask("PATCH", "secrets", team, "s", body, content=content, user=OPERATOR, **query)
        assert is_forbidden(answer, "apiclient-operator-secrets")
    assert is_forbidden(admin.ask("DELETE", "secrets", team, "s", user=OPERATOR), "apiclient-operator-secrets")
    assert admin.ask("DELETE", "secrets", team, "s").status == 200, "others may"


@pytest.mark.parametrize("of_type", [CREDENTIALS, "apiclients.dev/keys"])
def test_the_operator_handles_its_own_secrets(admin: Admin, team: str, of_type: str) -> None:
    body = secret("s", team, of_type, MANAGED)
    admin.done("POST", "secrets", team, body=body, user=OPERATOR)
    assert is_forbidden(
        admin.ask("PATCH", "secrets", team, "s", {"metadata": {"labels": None}}, content=MERGE, user=OPERATOR),
        "apiclient-operator-secrets",
    )
    # Somebody takes the label off: the operator puts it back.
    admin.done("PATCH", "secrets", team, "s", {"metadata": {"labels": None}}, content=MERGE)
    admin.done("PATCH", "secrets", team, "s", body, content=APPLY, fieldManager="x", force="true", user=OPERATOR)
    admin.done("DELETE", "secrets", team, "s", user=OPERATOR)


def test_the_operator_removes_only_what_is_of_its_types(admin: Admin, team: str) -> None:
    admin.done("POST", "secrets", team, body=secret("s", team, "Opaque", MANAGED))
    assert is_forbidden(admin.ask("DELETE", "secrets", team, "s", user=OPERATOR), "apiclient-operator-secrets")
    admin.done("POST", "secrets", team, body=secret("t", team, CREDENTIALS, None))
    admin.done("DELETE", "secrets", team, "t", user=OPERATOR)
