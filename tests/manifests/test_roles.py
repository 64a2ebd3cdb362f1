"""What each role for people may do and what not: by what the API server says it may, and by trying with kubectl."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from cluster import LocalCluster
from tests.manifests.samples import EXAMPLE, GROUP
from tests.toolkit.admin import APPLY, MERGE, Admin
from tests.toolkit.objects import KINDS, JsonObject
from tests.toolkit.waiting import eventually

READ = {"get", "list", "watch"}
WRITE = {"create", "update", "patch", "delete", "deletecollection"}
EVENTS = {(f"events{group}", verb) for group in ("", ".events.k8s.io") for verb in READ}

Rights = set[tuple[str, str]]


def rights(kinds: Iterable[str], verbs: Iterable[str]) -> Rights:
    verbs = set(verbs)
    return {(f"{kind}.{GROUP}", verb) for kind in kinds for verb in verbs}


#: A RoleBinding does not give what has no namespace, and lists it all the same.
ALL_KINDS = [*KINDS, "tokenissuers"]
#: All that a role gives, and nothing else.
ROLES: dict[str, Rights] = {
    "apiclient-viewer": rights(ALL_KINDS, READ),
    "apiclient-editor": rights(KINDS, READ) | rights(["apiclients", "contracts"], WRITE),
    "apiclient-api-owner": rights(["apis", "contractapprovals"], READ | WRITE) | rights(["contracts"], READ),
    "apiclient-on-call": rights(["apiclientholds"], ["create", "get", "list"])
    | {("leases.coordination.k8s.io", verb) for verb in ("get", "list")},
    "apiclient-hold-releaser": rights(["apiclientholds"], ["get", "list", "delete"]),
    "apiclient-auditor": rights(ALL_KINDS, READ) | EVENTS,
}
#: What the roles that every cluster has get from them.
COMMON = {
    "view": ROLES["apiclient-viewer"],
    "edit": ROLES["apiclient-viewer"] | ROLES["apiclient-editor"],
    "admin": ROLES["apiclient-viewer"] | ROLES["apiclient-editor"],
}
ALL = [*ROLES, *COMMON]


@pytest.fixture(scope="module")
def people(installed: LocalCluster, admin: Admin) -> str:
    """A namespace in which each role is bound to a user of its name."""
    namespace = "people"
    installed.kubectl("create", "namespace", namespace)
    for role in ALL:
        binding = ["rolebinding", role, f"--clusterrole={role}", f"--user={role}", f"--namespace={namespace}"]
        installed.kubectl("create", *binding)
    # A controller aggregates the common roles a moment after they are made.
    for role, wanted in COMMON.items():
        eventually(f"{role} has its rights", lambda role=role, wanted=wanted: wanted <= may(admin, role, namespace))  # type: ignore[misc]
    return namespace


def may(admin: Admin, user: str, namespace: str) -> Rights:
    """All that somebody may do in a namespace, as (resource.group, verb)."""
    body = {"spec": {"namespace": namespace}}
    answer = admin.done("POST", "selfsubjectrulesreviews", None, body=body, user=user)
    return {
        (f"{resource}.{group}".rstrip("."), verb)
        for rule in answer["status"]["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def everybody(admin: Admin, namespace: str) -> Rights:
    """What anybody may do who is known at all."""
    return may(admin, "somebody", namespace)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_gives_what_it_says_and_nothing_else(admin: Admin, people: str, role: str) -> None:
    assert may(admin, role, people) - everybody(admin, people) == ROLES[role]
    assert may(admin, role, "default") == everybody(admin, "default"), "bound in one namespace it stays there"


@pytest.mark.parametrize("role", COMMON)
def test_the_common_roles_contain_only_viewer_and_editor(admin: Admin, people: str, role: str) -> None:
    assert {(what, verb) for what, verb in may(admin, role, people) if what.endswith(GROUP)} == COMMON[role]


@pytest.mark.rule(21)
@pytest.mark.parametrize("role", ALL)
@pytest.mark.parametrize("kind", KINDS)
def test_nobody_writes_status(admin: Admin, people: str, role: str, kind: str) -> None:
    body = {"status": {"observedGeneration": 1}}
    answers = [
        admin.ask("PATCH", kind, people, "x", body, subresource="status", content=MERGE, user=role),
        admin.ask("PATCH", kind, people, "x", body, subresource="status", content=APPLY, fieldManager="x", user=role),
        admin.ask("PUT", kind, people, "x", {**EXAMPLE[kind]("x", people), **body}, subresource="status", user=role),
    ]
    assert [answer.status for answer in answers] == [403, 403, 403]
    assert all(
        f'cannot {verb} resource "{kind}/status"' in a.message
        for verb, a in zip(("patch", "patch", "update"), answers, strict=True)
    ), "by RBAC, before any policy"


@pytest.mark.rule(23)
@pytest.mark.parametrize("role", ROLES)
def test_nobody_reads_secrets(admin: Admin, people: str, role: str) -> None:
    admin.ask("POST", "secrets", people, body={"metadata": {"name": "s"}})
    assert admin.ask("GET", "secrets", people, user=role).status == 403
    assert admin.ask("GET", "secrets", people, "s", user=role).status == 403


@pytest.mark.parametrize("role", ALL)
@pytest.mark.parametrize("kind", KINDS)
def test_by_trying_everything(admin: Admin, people: str, role: str, kind: str) -> None:
    """Each verb, on each kind, by each role: real requests, of which those that write are dry."""
    admin.done("POST", kind, people, body=(one := EXAMPLE[kind]("tried", people)))
    dry: dict[str, Any] = {"dryRun": "All"}
    label = {"metadata": {"labels": {"a": "b"}}}
    try:
        current = admin.done("GET", kind, people, "tried")
        statuses = {
            "get": admin.ask("GET", kind, people, "tried", user=role).status,
            "list": admin.ask("GET", kind, people, user=role).status,
            "create": admin.ask("POST", kind, people, body=EXAMPLE[kind]("new", people), user=role, **dry).status,
            "update": admin.ask("PUT", kind, people, "tried", current, user=role, **dry).status,
            "patch": admin.ask("PATCH", kind, people, "tried", label, content=MERGE, user=role, **dry).status,
            "delete": admin.ask("DELETE", kind, people, "tried", user=role, **dry).status,
            "deletecollection": admin.ask("DELETE", kind, people, user=role, **dry).status,
        }
    finally:
        admin.done("DELETE", kind, people, one["metadata"]["name"])
    wanted = ROLES.get(role) or COMMON[role]
    assert {verb for verb, status in statuses.items() if status < 300} == {
        verb for what, verb in wanted if what == f"{kind}.{GROUP}" and verb != "watch"
    }
    assert {status for status in statuses.values() if status >= 300} <= {403}


class As:
    """kubectl as one of the people."""

    def __init__(self, cluster: LocalCluster, namespace: str, user: str) -> None:
        self._cluster, self._options = cluster, (f"--namespace={namespace}", f"--as={user}")

    def __call__(self, *arguments: str, body: JsonObject | None = None) -> str:
        """What it says."""
        text = None if body is None else json.dumps(body)
        done = self._cluster.kubectl(*arguments, *self._options, input=text, check=False)
        return (done.stdout + done.stderr).strip()


def test_on_call_stops_and_cannot_start(installed: LocalCluster, people: str) -> None:
    on_call, releaser = (As(installed, people, f"apiclient-{role}") for role in ("on-call", "hold-releaser"))
    stop = EXAMPLE["apiclientholds"]("leak", people)
    assert on_call("create", "-f", "-", "--dry-run=server", body=stop).endswith("/leak created (server dry run)")
    assert on_call("create", "-f", "-", body=stop) == "apiclienthold.apiclients.dev/leak created"
    for command in (
        ["delete", "apiclienthold", "leak"],
        ["label", "apiclienthold", "leak", "a=b"],
        ["get", "apiclient", "billing-1.0"],
    ):
        assert "Forbidden" in on_call(*command), command
    assert "leak" in on_call("get", "apiclientholds")
    changed = {**stop, "spec": {**stop["spec"], "reason": "another"}}
    assert "Forbidden" in on_call("apply", "-f", "-", body=changed), "apply would change it"
    assert "Forbidden" in on_call("create", "-f", "-", body=EXAMPLE["apiclients"]("c", people))
    assert "Forbidden" in releaser("create", "-f", "-", body=EXAMPLE["apiclientholds"]("mine", people))
    assert "Forbidden" in releaser("label", "apiclienthold", "leak", "a=b")
    assert "leak" in releaser("get", "apiclientholds")
    # It waits for the end, as always, as far as it may.
    assert releaser("delete", "apiclienthold", "leak").startswith('apiclienthold.apiclients.dev "leak" deleted')
    assert releaser("get", "apiclientholds").startswith("No resources found")


def test_an_editor_declares_clients_and_cannot_stop_them(installed: LocalCluster, people: str) -> None:
    editor = As(installed, people, "apiclient-editor")
    for kind in ("apiclients", "contracts"):
        body = EXAMPLE[kind]("mine", people)
        for options in ([], [], ["--server-side", "--force-conflicts"]):
            assert "Forbidden" not in editor("apply", *options, "-f", "-", body=body)
        assert "deleted" in editor("delete", f"{kind}.{GROUP}", "mine")
    for kind in ("apis", "contractapprovals", "apiclientholds"):
        assert "Forbidden" in editor("create", "-f", "-", body=EXAMPLE[kind]("mine", people))
        assert "No resources found" in editor("get", f"{kind}.{GROUP}")


def test_an_api_owner_publishes_and_approves(installed: LocalCluster, people: str) -> None:
    owner = As(installed, people, "apiclient-api-owner")
    for kind in ("apis", "contractapprovals"):
        assert owner("apply", "-f", "-", body=EXAMPLE[kind]("mine", people)).endswith("/mine created")
        assert "deleted" in owner("delete", f"{kind}.{GROUP}", "mine")
    for kind in ("apiclients", "contracts", "apiclientholds"):
        assert "Forbidden" in owner("create", "-f", "-", body=EXAMPLE[kind]("mine", people))
    assert "No resources found" in owner("get", f"contracts.{GROUP}")
    elsewhere = As(installed, "default", "apiclient-api-owner")
    assert "Forbidden" in elsewhere("create", "-f", "-", body=EXAMPLE["contractapprovals"]("mine", "default"))


def test_an_auditor_sees_everything_everywhere(installed: LocalCluster, admin: Admin) -> None:
    installed.kubectl("create", "clusterrolebinding", "audrey", "--clusterrole=apiclient-auditor", "--user=audrey")
    audrey = As(installed, "default", "audrey")
    eventually("the binding is known", lambda: may(admin, "audrey", "default") >= ROLES["apiclient-auditor"])
    for what in (*(f"{kind}.{GROUP}" for kind in KINDS), "events", "events.v1.events.k8s.io"):
        assert "Forbidden" not in audrey("get", what, "--all-namespaces"), what
    for what in ("secrets", "configmaps", "pods"):
        assert "Forbidden" in audrey("get", what, "--all-namespaces"), what
    assert "Forbidden" in audrey("create", "-f", "-", body=EXAMPLE["apiclientholds"]("mine", "default"))
