"""What a real API server makes of manifests and examples."""

import json
import ssl
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import LocalCluster
from tests.manifests.rendered import MANIFESTS, ROOT, named, of_kind, render
from tests.manifests.samples import GROUP
from tests.toolkit.objects import KINDS

#: Those that show one client each; the namespaces that they are in have a file of their own.
EXAMPLES = sorted(set((ROOT / "examples").glob("*.yaml")) - {ROOT / "examples/00-namespaces.yaml"})
SYSTEM = "apiclients-system"
RBAC_KINDS = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")


def can(cluster: LocalCluster, user: str, verb: str, resource: str, namespace: str | None) -> bool:
    """Whether a user, or a service account of ours, may do that; without a namespace: in all.

    A resource is one as kubectl knows it, with ``/name`` for a single object, with ``:sub`` for a subresource.
    """
    if user.startswith("apiclient-"):
        user = f"system:serviceaccount:{SYSTEM}:{user}"
    resource, _, subresource = resource.partition(":")
    where = f"--namespace={namespace}" if namespace else "--all-namespaces"
    done = cluster.kubectl(
        "auth", "can-i", verb, resource, where, f"--as={user}", f"--subresource={subresource}", check=False
    )
    assert done.stdout.strip() in {"yes", "no"}, done.stderr
    return done.stdout.strip() == "yes"


def test_applying_twice_changes_nothing(installed: LocalCluster) -> None:
    folder = str(MANIFESTS / "control")

    def generations() -> str:
        # Not resourceVersion: controllers write to the status of some.
        path = "{range .items[*]}{.kind}/{.metadata.name} {.metadata.generation} {.rules}{.roleRef}{.spec}\n{end}"
        return installed.kubectl("get", "-k", folder, f"--output=jsonpath={path}").stdout

    before = generations()
    installed.kubectl("apply", "-k", folder)
    assert generations() == before
    assert "CustomResourceDefinition/apiclients.apiclients.dev 1 " in before


@pytest.mark.parametrize(
    "folder", ["base", *(f"overlays/{name}" for name in ("example", "namespaced-secrets", "strict"))]
)
def test_deployments_are_accepted_without_warning(installed: LocalCluster, folder: str) -> None:
    done = installed.kubectl("apply", "--dry-run=server", "--validate=strict", "-k", str(MANIFESTS / folder))
    assert done.stderr == ""
    assert "deployment.apps/apiclient-gate created (server dry run)" in done.stdout


@pytest.mark.parametrize("name", ["apiclient-operator", "apiclient-gate"])
def test_pods_pass_the_restricted_profile(installed: LocalCluster, name: str) -> None:
    def create(spec: dict[str, Any]) -> str:
        meta = {"name": "probe", "namespace": SYSTEM}
        pod = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
        done = installed.kubectl("create", "--dry-run=server", "-f", "-", input=pod, check=False)
        return done.stdout + done.stderr

    spec = named(render(MANIFESTS / "base"), "Deployment", name)["spec"]["template"]["spec"]
    assert "pod/probe created" in create(spec)
    assert 'violates PodSecurity "restricted' in create({**spec, "hostNetwork": True})


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_examples_are_valid(installed: LocalCluster, file: Path) -> None:
    done = installed.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(file))
    assert done.stderr == ""
    text = file.read_text()
    (example,) = yaml.safe_load_all(text)
    assert example["metadata"]["namespace"] == "team-a"
    assert len([line for line in text.splitlines() if line.startswith("# ")]) == 3, "three lines say what happens"


def test_examples_name_no_secret_twice() -> None:
    secrets = [
        name for file in EXAMPLES if (name := yaml.safe_load(file.read_text())["spec"].get("secret", {}).get("name"))
    ]
    assert len(EXAMPLES) >= 6
    assert len(secrets) == len(set(secrets))


def test_a_misspelled_example_would_be_refused(installed: LocalCluster) -> None:
    text = (ROOT / "examples/available.yaml").read_text() + "  desiredStatsu: Available\n"
    done = installed.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=text, check=False)
    assert done.returncode == 1
    assert "desiredStatsu" in done.stderr


OURS = [f"{kind}.{GROUP}" for kind in KINDS]
REVOCATIONS = f"tokenrevocations.{GROUP}"
OPERATOR_MAY = [
    *[(verb, kind, None) for verb in ("get", "list", "watch") for kind in (*OURS, "namespaces")],
    *[(verb, f"{kind}:status", None) for verb in ("update", "patch") for kind in OURS],
    *[(verb, "secrets", None) for verb in ("get", "list", "watch", "create", "patch", "delete")],
    *[(verb, "events.events.k8s.io", None) for verb in ("create", "patch")],
    *[(verb, "leases/apiclient-operator", SYSTEM) for verb in ("get", "update")],
    ("create", "leases", SYSTEM),
    *[(verb, "secrets/apiclient-keys", SYSTEM) for verb in ("get", "patch")],
    ("get", "configmaps", SYSTEM),
    *[(verb, REVOCATIONS, SYSTEM) for verb in ("get", "list", "watch", "delete")],
]
OPERATOR_MAY_NOT = [
    *[(verb, kind, None) for verb in ("create", "update", "patch", "delete") for kind in (*OURS, "namespaces")],
    ("deletecollection", "secrets", None),
    ("update", "leases/another", SYSTEM),
    ("create", "leases", "team-a"),
    ("list", "configmaps", SYSTEM),
    ("get", "configmaps", "team-a"),
    ("create", "pods", SYSTEM),
    *[(verb, REVOCATIONS, SYSTEM) for verb in ("create", "update", "patch", "deletecollection")],
    ("delete", REVOCATIONS, "team-a"),
]
GATE_MAY = [
    *[(verb, kind, None) for verb in ("get", "list", "watch") for kind in OURS],
    *[(verb, "secrets/apiclient-keys", SYSTEM) for verb in ("get", "list", "watch")],
    *[(verb, "leases", SYSTEM) for verb in ("create", "patch", "delete")],
    *[(verb, REVOCATIONS, SYSTEM) for verb in ("get", "list", "watch", "create")],
    ("create", "tokenreviews.authentication.k8s.io", None),
]
GATE_MAY_NOT = [
    *[(verb, kind, None) for verb in ("create", "update", "patch", "delete") for kind in OURS],
    *[("update", f"{kind}:status", None) for kind in OURS],
    ("list", "namespaces", None),
    *[(verb, "secrets/apiclient-keys", SYSTEM) for verb in ("update", "patch", "delete")],
    *[
        (verb, "secrets", namespace)
        for verb in ("get", "list", "watch", "create")
        for namespace in (SYSTEM, "team-a", None)
    ],
    *[(verb, REVOCATIONS, SYSTEM) for verb in ("update", "patch", "delete", "deletecollection")],
    ("create", REVOCATIONS, "team-a"),
    ("patch", "leases", "team-a"),
    ("get", "pods", None),
    ("create", "subjectaccessreviews.authorization.k8s.io", None),
    ("create", "events.events.k8s.io", None),
]


@pytest.mark.parametrize(
    ("account", "may", "may_not"),
    [("apiclient-operator", OPERATOR_MAY, OPERATOR_MAY_NOT), ("apiclient-gate", GATE_MAY, GATE_MAY_NOT)],
)
def test_rights_of_the_programs(
    installed: LocalCluster,
    account: str,
    may: list[tuple[str, str, str | None]],
    may_not: list[tuple[str, str, str | None]],
) -> None:
    assert [right for right in may if not can(installed, account, *right)] == []
    assert [right for right in may_not if can(installed, account, *right)] == []


@pytest.mark.rule(19)
def test_gate_lists_and_watches_one_secret_by_name(installed: LocalCluster, gate_kubeconfig: Path) -> None:
    for name in ("apiclient-keys", "another"):
        installed.kubectl("create", "secret", "generic", name, f"--namespace={SYSTEM}", "--from-literal=a=b")

    def get(*arguments: str) -> str:
        done = installed.kubectl("get", "secrets", *arguments, "--output=name", kubeconfig=gate_kubeconfig, check=False)
        return done.stdout.strip() or done.stderr

    def selector(name: str) -> str:
        return f"--field-selector=metadata.name={name}"

    assert get(selector("apiclient-keys"), f"--namespace={SYSTEM}") == "secret/apiclient-keys"
    watched = get(selector("apiclient-keys"), f"--namespace={SYSTEM}", "--watch", "--request-timeout=2s")
    assert watched.splitlines()[0] == "secret/apiclient-keys"
    assert "Forbidden" in get(f"--namespace={SYSTEM}")
    assert "Forbidden" in get(selector("another"), f"--namespace={SYSTEM}")
    assert "Forbidden" in get(selector("apiclient-keys"), "--namespace=team-a")
    assert "Forbidden" in get(selector("apiclient-keys"), "--all-namespaces")


def test_secrets_by_namespace(installed: LocalCluster) -> None:
    rights = of_kind(render(MANIFESTS / "overlays/namespaced-secrets"), *RBAC_KINDS)
    installed.kubectl("delete", "clusterrolebinding", "apiclient-operator-secrets")
    installed.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(rights))
    try:
        for verb in ("get", "list", "watch", "create", "patch", "delete"):
            assert can(installed, "apiclient-operator", verb, "secrets", "team-a")
            assert not can(installed, "apiclient-operator", verb, "secrets", "default")
            assert not can(installed, "apiclient-operator", verb, "secrets", None)
        assert can(installed, "apiclient-operator", "watch", "secrets/apiclient-keys", SYSTEM)
        assert not can(installed, "apiclient-operator", "list", "secrets", SYSTEM)
    finally:
        installed.kubectl("delete", "rolebinding", "apiclient-operator-secrets", "--namespace=team-a")
        installed.kubectl("apply", "-k", str(MANIFESTS / "control"))


def test_argo_cd_keeps_its_settings_beside_the_health_of_our_kinds(installed: LocalCluster, team: str) -> None:
    namespace = f"--namespace={team}"
    installed.kubectl("create", "configmap", "argocd-cm", "--from-literal=url=https://argo.example.com", namespace)
    health = str(MANIFESTS / "argocd/argocd-cm.yaml")
    installed.kubectl("apply", "--server-side", "--field-manager=apiclients", namespace, "-f", health)
    live = yaml.safe_load(installed.kubectl("get", "configmap", "argocd-cm", namespace, "--output=yaml").stdout)
    given = yaml.safe_load((MANIFESTS / "argocd/argocd-cm.yaml").read_text())
    assert live["data"] == given["data"] | {"url": "https://argo.example.com"}


@pytest.mark.parametrize(
    ("account", "path", "schema"),
    [
        ("apiclient-gate", "/apis/apiclients.dev/v1alpha1/apiclients", "apiclient-gate"),
        ("apiclient-operator", "/apis/apiclients.dev/v1alpha1/apiclients", "apiclient-operator"),
        (
            "apiclient-operator",
            f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/apiclient-operator",
            "apiclient-operator-election",
        ),
        ("apiclient-gate", "/apis/authentication.k8s.io/v1/tokenreviews", "apiclient-gate-reviews"),
    ],
)
def test_requests_have_their_own_priority(installed: LocalCluster, account: str, path: str, schema: str) -> None:
    installed.kubectl("wait", "--for=condition=Dangling=False", f"flowschema/{schema}", "--timeout=30s")
    token = installed.kubectl("create", "token", account, f"--namespace={SYSTEM}").stdout.strip()
    body = b"{}" if path.endswith("tokenreviews") else None  # what cannot be read, but can be posted
    request = urllib.request.Request(installed.server + path, body, headers={"Authorization": f"Bearer {token}"})
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(installed.ca_file))),
        NoErrors(),
    )
    with opener.open(request, timeout=10) as response:
        uid = response.headers["X-Kubernetes-PF-FlowSchema-UID"]
    assert installed.kubectl("get", "flowschema", schema, "--output=jsonpath={.metadata.uid}").stdout == uid


class NoErrors(urllib.request.HTTPErrorProcessor):
    """Any status will do: a Lease that is not there has a priority, too."""

    def http_response(self, request: Any, response: Any) -> Any:
        return response

    https_response = http_response
