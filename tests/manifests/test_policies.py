"""What the admission policies refuse and what they must let through, by the real API server and the real kubectl."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from apiclients.resources.yaml_text import flow_list
from cluster import LocalCluster
from tests.manifests.rendered import MANIFESTS, Object, of_kind, render
from tests.manifests.samples import EXAMPLE, FINAL, GROUP, api, api_status, client, client_status
from tests.toolkit.admin import APPLY, MERGE, Admin, Answer
from tests.toolkit.objects import KINDS, OPERATOR, SYSTEM, JsonObject
from tests.toolkit.waiting import eventually

POLICY = "ValidatingAdmissionPolicy"
BINDING = "ValidatingAdmissionPolicyBinding"
MANAGED = {"app.kubernetes.io/managed-by": "apiclient-operator"}
CREDENTIALS = "apiclients.dev/credentials"

pytestmark = pytest.mark.rule(27)


class Kubectl:
    """kubectl in one namespace, as the administrator or as somebody else."""

    def __init__(self, cluster: LocalCluster, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace

    def __call__(self, *arguments: str, body: JsonObject | None = None) -> tuple[str, str]:
        """What it writes to standard output and standard error."""
        text = None if body is None else json.dumps(body)
        done = self._cluster.kubectl(*arguments, f"--namespace={self._namespace}", input=text, check=False)
        return done.stdout.strip(), done.stderr.strip()


@pytest.fixture
def kubectl(installed: LocalCluster, team: str) -> Kubectl:
    """kubectl in the namespace of the test."""
    return Kubectl(installed, team)


@pytest.fixture
def strict(installed: LocalCluster, admin: Admin) -> Iterator[None]:
    """The bindings that the strict overlay adds."""
    bindings = [obj for obj in of_kind(render(MANIFESTS / "overlays/strict"), BINDING) if "strict" in _name(obj)]
    text = yaml.safe_dump_all(bindings)
    installed.kubectl("apply", "-f", "-", input=text)
    body = {"spec": {"desiredStatus": "Retired"}}

    def refused(kind: str, name: str) -> bool:
        return admin.ask("PATCH", kind, "canary", name, body, content=MERGE, dryRun="All").status == 403

    eventually("retirements are refused", lambda: refused("apiclients", "bird") and refused("apis", "tree"))
    yield
    installed.kubectl("delete", "-f", "-", input=text)
    eventually("retirements are let through", lambda: not refused("apiclients", "bird") and not refused("apis", "tree"))


def warning(policy: str, text: str) -> str:
    return f"Validation failed for {POLICY} '{policy}' with binding '{policy}': {text}"


def denied(policy: str, text: str, binding: str = "") -> str:
    return f"{POLICY} '{policy}' with binding '{binding or policy}' denied request: {text}"


def is_forbidden(answer: Answer, policy: str) -> bool:
    """By that policy, and in the class that no tool answers with a deletion."""
    assert f"{POLICY} '{policy}'" in answer.message, answer
    assert (answer.status, answer.body["reason"]) == (403, "Forbidden")
    assert "immutable" not in answer.message
    return True


# How they are written


@pytest.fixture(scope="module")
def policies() -> list[Object]:
    return of_kind(render(MANIFESTS / "control"), POLICY)


def test_every_policy_is_bound_once_under_its_own_name(policies: list[Object]) -> None:
    bindings = of_kind(render(MANIFESTS / "control"), BINDING)
    assert {_name(b): b["spec"]["policyName"] for b in bindings} == {_name(p): _name(p) for p in policies}
    warns = {_name(b) for b in bindings if b["spec"]["validationActions"] == ["Warn", "Audit"]}
    denies = {_name(b) for b in bindings if b["spec"]["validationActions"] == ["Deny", "Audit"]}
    assert warns == {"retire-apiclients", "retire-apis"}
    assert warns | denies == {_name(p) for p in policies}


def test_strict_adds_refusals_and_takes_nothing_away() -> None:
    base, strict = render(MANIFESTS / "base"), render(MANIFESTS / "overlays/strict")
    assert all(obj in strict for obj in base)
    added = {_name(obj): obj["spec"] for obj in strict if obj not in base}
    assert added == {
        f"{name}-strict": {"policyName": name, "validationActions": ["Deny"]}
        for name in ("retire-apiclients", "retire-apis")
    }


def test_refusals_are_never_of_the_class_that_tools_answer_with_a_deletion(policies: list[Object]) -> None:
    for policy in policies:
        spec = policy["spec"]
        assert all(validation["reason"] == "Forbidden" for validation in spec["validations"])
        assert all(validation.keys() & {"message", "messageExpression"} for validation in spec["validations"])
        assert "immutable" not in json.dumps(policy)
        # There it is empty, and what is left out there is left out for good.
        assert "namespaceObject" not in json.dumps(spec.get("matchConditions", []))


def test_policies_about_spec_do_not_see_writes_of_status(policies: list[Object]) -> None:
    for policy in policies:
        if _name(policy) == "keep-clients":  # about kinds of Kubernetes
            continue
        (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
        assert ("*/status" in rule["resources"]) == (_name(policy) == "apiclients-status")
        assert len(rule["resources"]) == 1


def test_what_decides_over_life_leaves_a_trail(policies: list[Object]) -> None:
    keys = {_name(p): [a["key"] for a in p["spec"].get("auditAnnotations", [])] for p in policies}
    assert {name: keys[name] for name in keys if name.startswith(("retire", "delete"))} == {
        "retire-apiclients": ["unacknowledged-contracts"],
        "delete-apiclients": ["unacknowledged-contracts"],
        "retire-apis": ["active-contracts"],
        "delete-apis": ["active-contracts"],
    }


def test_their_expressions_have_the_right_types(installed: LocalCluster, policies: list[Object]) -> None:
    # A controller checks them, against the kinds that are there at that time: hence once more, under other names.
    names = [f"again-{_name(policy)}" for policy in policies]
    again = [{**policy, "metadata": {"name": name}} for policy, name in zip(policies, names, strict=True)]
    wrong = json.loads(json.dumps(again[0]))
    wrong["metadata"]["name"] = "again-wrong"
    wrong["spec"]["validations"] = [{"expression": "object.nothing.of.the.sort == 1"}]
    installed.kubectl("apply", "-f", "-", input=yaml.safe_dump_all([*again, wrong]))

    def verdict(name: str) -> Any:
        text = installed.kubectl("get", "validatingadmissionpolicy", name, "--output=jsonpath={.status}").stdout
        return json.loads(text or "{}").get("typeChecking")

    for name in (*names, "again-wrong"):
        eventually(f"{name} is checked", lambda name=name: verdict(name) is not None)  # type: ignore[misc]
    assert [verdict(name) for name in names] == [{}] * len(names)
    assert "undefined field 'nothing'" in str(verdict("again-wrong"))
    installed.kubectl("delete", "validatingadmissionpolicy", *names, "again-wrong")


# Retiring a client


def test_what_is_to_be_pasted_is_read_back_as_the_names_of_contracts(kubectl: Kubectl, admin: Admin, team: str) -> None:
    names = ["3.0", "6063e25", "billing-orders", "on", "y"]
    admin.with_status("apiclients", client("billing-1.0", team), client_status(*names))
    _, err = kubectl("apply", "-f", "-", "--dry-run=server", body=client("billing-1.0", team, "Retired"))
    advice = next(line for line in err.splitlines() if "set in spec: " in line).partition("set in spec: ")[2]
    assert advice == f"retirement: {{acknowledgedContracts: {flow_list(names)}}}", "the same as everywhere"
    _, err = kubectl("apply", "-f", "-", body=client("billing-1.0", team, "Retired", **yaml.safe_load(advice)))
    assert "acknowledgedContracts" not in err


def test_retiring_a_client_warns_of_what_is_not_acknowledged(kubectl: Kubectl, admin: Admin, team: str) -> None:
    admin.with_status("apiclients", client("billing-1.0", team), client_status("billing-orders", "billing-tax"))
    retired = client("billing-1.0", team, "Retired", retirement={"acknowledgedContracts": ["billing-orders"]})
    lines = [
        "Warning: "
        + warning(
            "retire-apiclients",
            "billing-1.0 is not retired: 1 of 2 active contract(s) not in spec.retirement.acknowledgedContracts: "
            "billing-tax",
        ),
        "Warning: "
        + warning(
            "retire-apiclients",
            "To retire it, set in spec: retirement: {acknowledgedContracts: [billing-orders, billing-tax]}",
        ),
    ]
    for options in (["--dry-run=server"], ["--dry-run=server", "--server-side", "--force-conflicts"], []):
        out, err = kubectl("apply", "-f", "-", *options, body=retired)
        assert [line for line in err.splitlines() if "last-applied" not in line] == lines
        assert out.startswith("apiclient.apiclients.dev/billing-1.0 ")
    assert all(len(line) < 256 for line in lines), "the API server may cut longer ones"
    # The advice, taken by its word.
    pasted = yaml.safe_load(lines[1].partition("set in spec: ")[2])
    out, err = kubectl("apply", "-f", "-", body=client("billing-1.0", team, "Retired", **pasted))
    assert (out, err) == ("apiclient.apiclients.dev/billing-1.0 configured", "")


@pytest.mark.parametrize(
    ("old", "status", "new"),
    [
        pytest.param("Available", {"observedGeneration": 1}, "Retired", id="status of no contracts"),
        pytest.param("Available", client_status(), "Retired", id="no active contracts"),
        pytest.param("Available", client_status("a"), "Suspended", id="something else"),
        pytest.param("Retired", client_status("a"), "Available", id="taken back"),
        pytest.param("Available", client_status("a", desired="Retired"), "Retired", id="retired already"),
        pytest.param("Retired", client_status("a"), "Retired", id="asked before"),
    ],
)
def test_other_changes_of_a_client_are_no_matter(
    admin: Admin, team: str, old: str, status: JsonObject, new: str
) -> None:
    made = admin.with_status("apiclients", client("c", team, old), status)
    made["spec"] = {**made["spec"], "desiredStatus": new, "displayName": "changed"}
    answer = admin.ask("PUT", "apiclients", team, "c", made)
    assert (answer.status, answer.warnings) == (200, ())


def test_an_incomplete_acknowledgement_of_what_is_held_warns_again(admin: Admin, team: str) -> None:
    made = admin.with_status("apiclients", client("c", team, "Retired"), client_status("a", "b"))
    made["spec"]["retirement"] = {"acknowledgedContracts": ["a"]}
    assert len(admin.ask("PUT", "apiclients", team, "c", made, dryRun="All").warnings) == 2
    made["spec"]["retirement"] = {"acknowledgedContracts": ["b", "once", "a"]}
    assert admin.ask("PUT", "apiclients", team, "c", made).warnings == ()


def test_many_contracts_are_named_in_part_and_counted(admin: Admin, team: str) -> None:
    admin.with_status("apiclients", client("c", team), client_status(*(f"n{i:03}" for i in range(256))))
    body = {"spec": {"desiredStatus": "Retired"}}
    first, second = admin.ask("PATCH", "apiclients", team, "c", body, content=MERGE).warnings
    assert first.endswith("not in spec.retirement.acknowledgedContracts: n000, n001, n002, n003, n004 and 251 more")
    assert second.endswith("To retire it, name them all; they are in status.contracts.activeNames")


def test_strict_refuses_an_unacknowledged_retirement(strict: None, kubectl: Kubectl, admin: Admin, team: str) -> None:
    admin.with_status("apiclients", client("billing-1.0", team), client_status("billing-orders"))
    admin.with_status("apis", api("orders-v1", team), api_status(5))
    _, err = kubectl("apply", "-f", "-", body=client("billing-1.0", team, "Retired"))
    text = (
        "billing-1.0 is not retired: 1 of 1 active contract(s) not in spec.retirement.acknowledgedContracts: "
        "billing-orders"
    )
    assert "Error from server (Forbidden)" in err
    assert err.endswith(denied("retire-apiclients", text, "retire-apiclients-strict"))
    assert "retirement: {acknowledgedContracts: [billing-orders]}" in err, "the warnings stand beside it"
    _, err = kubectl("apply", "-f", "-", body=api("orders-v1", team, "Retired"))
    text = (
        "orders-v1 is not retired: it has 5 active contract(s), 0 acknowledged. "
        "To retire it, set in spec: retirement: {acknowledgedContractCount: 5}"
    )
    assert err.endswith(denied("retire-apis", text, "retire-apis-strict"))
    body = {"spec": {"desiredStatus": "Retired"}}
    assert is_forbidden(admin.ask("PATCH", "apiclients", team, "billing-1.0", body, content=MERGE), "retire-apiclients")
    assert is_forbidden(admin.ask("PATCH", "apis", team, "orders-v1", body, content=MERGE), "retire-apis")


def test_strict_lets_through_what_is_acknowledged_or_unchanged(strict: None, admin: Admin, team: str) -> None:
    # Both were asked for before strict was there.
    held: list[tuple[str, JsonObject, JsonObject, JsonObject]] = [
        ("apiclients", client("c", team, "Retired"), client_status("a"), {"acknowledgedContracts": ["a"]}),
        ("apis", api("a", team, "Retired"), api_status(1), {"acknowledgedContractCount": 1}),
    ]
    for kind, body, status, acknowledgement in held:
        made = admin.with_status(kind, body, status)
        name = made["metadata"]["name"]
        made["metadata"]["labels"] = {"tier": "one"}
        made = admin.done("PUT", kind, team, name, made)
        plain = {key: made[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": name}}
        assert (
            admin.ask("PATCH", kind, team, name, plain, content=APPLY, fieldManager="git", force="true").status == 200
        )
        body = {"spec": {"retirement": acknowledgement}}
        assert admin.ask("PATCH", kind, team, name, body, content=MERGE).status == 200


# Retiring an Api


def test_retiring_an_api_warns_of_its_contracts(kubectl: Kubectl, admin: Admin, team: str) -> None:
    admin.with_status("apis", api("orders-v1", team), api_status(5))
    retired = api("orders-v1", team, "Retired", retirement={"acknowledgedContractCount": 2})
    out, err = kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", body=retired)
    assert out == "api.apiclients.dev/orders-v1 serverside-applied"
    assert err == "Warning: " + warning(
        "retire-apis",
        "orders-v1 is not retired: it has 5 active contract(s), 2 acknowledged. "
        "To retire it, set in spec: retirement: {acknowledgedContractCount: 5}",
    )
    retired["spec"] |= yaml.safe_load(err.partition("set in spec: ")[2])
    assert kubectl("apply", "--server-side", "-f", "-", body=retired)[1] == ""


@pytest.mark.parametrize(
    ("old", "status", "new"),
    [
        pytest.param("Published", {"observedGeneration": 1}, "Retired", id="status of no contracts"),
        pytest.param("Published", api_status(0), "Retired", id="no active contracts"),
        pytest.param("Published", api_status(9), "Published", id="something else"),
        pytest.param("Retired", api_status(9), "Published", id="taken back"),
        pytest.param("Published", api_status(9, "Retired"), "Retired", id="retired already"),
        pytest.param("Retired", api_status(9), "Retired", id="asked before"),
        pytest.param(
            "Retired", api_status(0, "Retired", retirement={**FINAL, "final": False}), "Published", id="within its time"
        ),
        pytest.param("Retired", api_status(0, "Retired", retirement=FINAL), "Retired", id="stays retired"),
        pytest.param("Published", api_status(0, "Retired", retirement=FINAL), "Published", id="published before"),
    ],
)
def test_other_changes_of_an_api_are_no_matter(admin: Admin, team: str, old: str, status: JsonObject, new: str) -> None:
    made = admin.with_status("apis", api("a", team, old), status)
    made["spec"] = {**made["spec"], "desiredStatus": new, "displayName": "changed"}
    answer = admin.ask("PUT", "apis", team, "a", made)
    assert (answer.status, answer.warnings) == (200, ())


@pytest.mark.rule(13)
def test_an_api_is_not_published_again_after_the_end(kubectl: Kubectl, admin: Admin, team: str) -> None:
    admin.with_status("apis", api("orders-v1", team, "Retired"), api_status(0, "Retired", retirement=FINAL))
    text = "the retirement of orders-v1 is final: publish the API under another name"
    for options in ([], ["--server-side", "--force-conflicts"], ["--dry-run=server"]):
        _, err = kubectl("apply", *options, "-f", "-", body=api("orders-v1", team))
        assert err.endswith(denied("republish-apis", text))
    body = {"spec": {"desiredStatus": "Published"}}
    assert is_forbidden(admin.ask("PATCH", "apis", team, "orders-v1", body, content=MERGE), "republish-apis")
    assert kubectl("delete", "api", "orders-v1")[1] == ""


# Deleting


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


# Owners


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


# Writing status


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


# The operator's Secrets


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


# Nothing in the way


@pytest.mark.parametrize("kind", KINDS)
def test_applying_the_same_again_is_silent(kubectl: Kubectl, admin: Admin, team: str, kind: str) -> None:
    body = EXAMPLE[kind]("x", team)
    for options in ([], ["--server-side", "--force-conflicts"]):
        for _ in range(2):
            _, err = kubectl("apply", *options, "-f", "-", body=body)
            assert "Warning: Validation" not in err
            assert "Error" not in err
        assert kubectl("apply", *options, "--dry-run=server", "-f", "-", body=body)[1] == ""


def test_what_is_held_can_be_applied_again(kubectl: Kubectl, admin: Admin, team: str) -> None:
    for kind, body, status in (
        ("apiclients", client("c", team, "Retired"), client_status("a")),
        ("apis", api("a", team, "Retired"), api_status(1)),
    ):
        admin.with_status(kind, body, status)
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", body=body)
        assert kubectl("apply", "--server-side", "-f", "-", body=body)[1] == ""
        assert kubectl("diff", "--server-side", "--force-conflicts", "-f", "-", body=body) == ("", "")


LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
FULL = {f"l{number}": "x" * 60 for number in range(64)}  # 4 KiB


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"labels": FULL, "annotations": {"a": "x" * 4000}}, ""),
        ({"labels": FULL | {"more": ""}}, "has 65 labels and 0 annotations: at most 64 of each"),
        ({"annotations": {f"a{number}": "" for number in range(65)}}, "has 0 labels and 65 annotations"),
        ({"annotations": {"a": "x" * 8191}}, ""),
        ({"annotations": {"a": "x" * 8192}}, "have 8193 bytes: at most 8192"),
        ({"annotations": {"a": "\u00e4" * 4096}}, "have 8193 bytes: at most 8192"),
        ({"labels": FULL, "annotations": {"a": "x" * 5000}}, "at most 8192"),
        ({"annotations": {LAST_APPLIED: "x" * 81920, "a": "x" * 8000}}, ""),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_metadata_is_bounded(admin: Admin, team: str, kind: str, metadata: JsonObject, told: str) -> None:
    body = EXAMPLE[kind]("x", team)
    body = {**body, "metadata": {**body["metadata"], **metadata}}
    answer = admin.ask("POST", kind, team, "", body, dryRun="All")
    assert (answer.status, told in str(answer)) == (403 if told else 201, True), answer


def test_the_last_applied_configuration_of_a_client_is_bounded(admin: Admin, team: str) -> None:
    body = client("x", team)
    body = {**body, "metadata": {**body["metadata"], "annotations": {LAST_APPLIED: "x" * 81921}}}
    assert admin.ask("POST", "apiclients", team, "", body, dryRun="All").status == 403


AUTHOR = "apiclients.dev/created-by"


@pytest.mark.parametrize(("author", "status"), [("system:admin", 201), ("", 201), ("jane", 403), (None, 201)])
def test_who_placed_a_hold_is_who_creates_it(admin: Admin, team: str, author: str | None, status: int) -> None:
    body = EXAMPLE["apiclientholds"]("leak", team)
    me = admin.done("POST", "selfsubjectreviews", None, body={})["status"]["userInfo"]["username"]
    if author is not None:
        body["metadata"]["annotations"] = {AUTHOR: me if author == "system:admin" else author}
    answer = admin.ask("POST", "apiclientholds", team, body=body, dryRun="All")
    assert answer.status == status, answer
    assert status == 201 or "is the user who created the hold" in str(answer)


def test_who_placed_a_hold_never_changes(admin: Admin, team: str) -> None:
    body = EXAMPLE["apiclientholds"]("leak", team)
    admin.done("POST", "apiclientholds", team, body=body)
    for value in ("jane", admin.done("POST", "selfsubjectreviews", None, body={})["status"]["userInfo"]["username"]):
        change = {"metadata": {"annotations": {AUTHOR: value}}}
        assert admin.ask("PATCH", "apiclientholds", team, "leak", change, content=MERGE).status == 403
    harmless = {"metadata": {"annotations": {"note": "x"}}}
    assert admin.ask("PATCH", "apiclientholds", team, "leak", harmless, content=MERGE).status == 200


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_may_be_null_or_go(admin: Admin, team: str, kind: str) -> None:
    body = EXAMPLE[kind]("x", team)
    nulls = {"labels": None, "annotations": None, "ownerReferences": None, "finalizers": None}
    assert admin.ask("POST", kind, team, "", {**body, "metadata": {**body["metadata"], **nulls}}).status == 201
    changes: list[JsonObject] = [
        {"labels": {"a": "b"}, "annotations": {"a": "b"}},
        {"labels": {}, "annotations": {}},
        nulls,
        {},
    ]
    for metadata in changes:
        for content in (APPLY, MERGE):
            sent = {**body, "metadata": {**body["metadata"], **metadata}}
            query = {"fieldManager": "x", "force": "true"} if content == APPLY else {}
            answer = admin.ask("PATCH", kind, team, "x", sent, content=content, **query)
            assert answer.status == 200, answer


def _name(obj: Any) -> str:
    return str(obj["metadata"]["name"])
