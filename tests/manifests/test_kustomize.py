"""What the manifests say, without a cluster."""

import re
from pathlib import Path

import pytest
import yaml

from apiclients.kube.config import SERVICE_ACCOUNT
from apiclients.settings.gate import GateSettings
from apiclients.settings.load import load
from tests.manifests.rendered import MANIFESTS, ROOT, Object, gate_settings, named, of_kind, render, rules_of

#: What installs the product; the other folders are for people's own kustomizations.
FOLDERS = [MANIFESTS / "control", MANIFESTS / "base", *sorted((MANIFESTS / "overlays").iterdir())]
WITH_PROGRAMS = [folder for folder in FOLDERS if folder.name != "control"]
#: The ports of each program, by name; the last one is for health and metrics.
PROGRAMS = {"apiclient-operator": {"http": 8081}, "apiclient-gate": {"http": 8080, "metrics": 8082}}
NAMESPACE = "apiclients-system"
CLUSTER_SCOPED = {
    "Namespace",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "FlowSchema",
    "PriorityLevelConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}
KINDS = {"apiclients", "contracts", "apis", "contractapprovals", "apiclientholds", "tokenissuers"}


@pytest.fixture(scope="module", params=FOLDERS, ids=lambda folder: folder.name)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    """The objects of each kustomization in turn."""
    folder: Path = request.param
    return render(folder)


@pytest.fixture(scope="module", params=WITH_PROGRAMS, ids=lambda folder: folder.name)
def installation(request: pytest.FixtureRequest) -> list[Object]:
    """The objects of each kustomization that has the programs."""
    folder: Path = request.param
    return render(folder)


def test_all_overlays_are_there() -> None:
    assert {folder.name for folder in FOLDERS} == {"control", "base", "example", "namespaced-secrets", "strict"}


def test_objects_are_in_their_namespace(objects: list[Object]) -> None:
    for obj in objects:
        namespace = obj["metadata"].get("namespace")
        if obj["kind"] in CLUSTER_SCOPED:
            assert namespace is None
        else:
            assert namespace == NAMESPACE or (obj["kind"], namespace) == ("RoleBinding", "team-a")
        assert obj["metadata"]["labels"]["app.kubernetes.io/part-of"] == "apiclients"
        # The operator takes what bears this label for its own.
        assert "app.kubernetes.io/managed-by" not in obj["metadata"]["labels"]


def test_control_is_all_but_the_programs() -> None:
    control, base = render(MANIFESTS / "control"), render(MANIFESTS / "base")
    assert all(obj in base for obj in control)
    rest = {obj["kind"] for obj in base if obj not in control}
    assert rest == {"ConfigMap", "Deployment", "Service", "PodDisruptionBudget"}


def test_every_generated_crd_is_included() -> None:
    files = {path.name for path in (ROOT / "crds").glob("*.yaml")} - {"kustomization.yaml"}
    assert set(yaml.safe_load((ROOT / "crds/kustomization.yaml").read_text())["resources"]) == files
    wanted = {yaml.safe_load((ROOT / "crds" / name).read_text())["metadata"]["name"] for name in files}
    assert {
        crd["metadata"]["name"] for crd in of_kind(render(MANIFESTS / "control"), "CustomResourceDefinition")
    } == wanted


def test_no_wildcard_rights(objects: list[Object]) -> None:
    for role in of_kind(objects, "Role", "ClusterRole"):
        for rule in role["rules"]:
            assert not {"*", "bind", "escalate", "impersonate"} & set(rule["verbs"])
            assert "*" not in rule["apiGroups"] + rule["resources"] + rule.get("resourceNames", [])


@pytest.mark.rule(19)
def test_gate_reads_one_secret_only(objects: list[Object]) -> None:
    rules = [(rule, where) for rule, where in rules_of(objects, "apiclient-gate") if "secrets" in rule["resources"]]
    assert [(rule["resourceNames"], where) for rule, where in rules] == [(["apiclient-keys"], NAMESPACE)]
    assert set(rules[0][0]["verbs"]) == {"get", "list", "watch"}


@pytest.mark.rule(21)
@pytest.mark.parametrize("account", PROGRAMS)
def test_programs_cannot_write_what_users_own(objects: list[Object], account: str) -> None:
    ours = [rule for rule, _ in rules_of(objects, account) if rule["apiGroups"] == ["apiclients.dev"]]
    given = {(what, verb) for rule in ours for what in rule["resources"] for verb in rule["verbs"]}
    reads = {(kind, verb) for kind in (*KINDS, "tokenrevocations") for verb in ("get", "list", "watch")}
    status_writes = {(f"{kind}/status", verb) for kind in KINDS for verb in ("update", "patch")}
    removes, revokes = {("tokenrevocations", "delete")}, {("tokenrevocations", "create")}
    writes = status_writes | removes if account == "apiclient-operator" else revokes
    assert given == reads | writes


def test_policies_speak_of_the_operators_account(objects: list[Object]) -> None:
    policies = [str(policy["spec"]) for policy in of_kind(objects, "ValidatingAdmissionPolicy")]
    named_there = {
        name for text in policies for name in re.findall(r"system:serviceaccount:(apiclients?-[\w:-]+)", text)
    }
    assert named_there == {f"{NAMESPACE}:apiclient-operator"}
    assert named(objects, "ServiceAccount", "apiclient-operator")["metadata"]["namespace"] == NAMESPACE


def test_secrets_everywhere_or_by_namespace() -> None:
    def where(folder: str) -> set[str | None]:
        rules = rules_of(render(MANIFESTS / folder), "apiclient-operator")
        return {namespace for rule, namespace in rules if "secrets" in rule["resources"]}

    assert where("base") == {None, NAMESPACE}
    assert where("overlays/namespaced-secrets") == {"team-a", NAMESPACE}


def test_only_viewer_and_editor_come_with_the_common_roles(objects: list[Object]) -> None:
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    added = {
        (role["metadata"]["name"], label.removeprefix(prefix))
        for role in of_kind(objects, "ClusterRole")
        for label in role["metadata"]["labels"]
        if label.startswith(prefix)
    }
    assert added == {("apiclient-viewer", "view"), ("apiclient-editor", "edit")}


def test_the_rights_of_people_end_before_status_and_secrets(objects: list[Object]) -> None:
    bound = {obj["roleRef"]["name"] for obj in of_kind(objects, "ClusterRoleBinding", "RoleBinding")}
    for role in of_kind(objects, "ClusterRole"):
        if role["metadata"]["name"] not in bound and role["metadata"]["name"] != "apiclient-operator-secrets":
            assert {what for rule in role["rules"] for what in rule["resources"]} <= KINDS | {"events", "leases"}


def test_flow_schemas_cover_both_programs_before_all_other_service_accounts(objects: list[Object]) -> None:
    levels = {level["metadata"]["name"] for level in of_kind(objects, "PriorityLevelConfiguration")}
    for name in PROGRAMS:
        spec = named(objects, "FlowSchema", name)["spec"]
        assert spec["priorityLevelConfiguration"]["name"] in levels
        assert spec["matchingPrecedence"] < 9000
        subject = {"name": name, "namespace": NAMESPACE}
        assert [s["serviceAccount"] for rule in spec["rules"] for s in rule["subjects"]] == [subject]


@pytest.mark.parametrize("name", PROGRAMS)
def test_pods_are_restricted(installation: list[Object], name: str) -> None:
    pod = named(installation, "Deployment", name)["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == name
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert [volume["name"] for volume in pod["volumes"]] == ["api-access"]
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    (mount,) = container["volumeMounts"]
    assert (mount["mountPath"], mount["readOnly"]) == (str(SERVICE_ACCOUNT), True)
    assert {"cpu", "memory"} == set(container["resources"]["requests"])
    assert {"memory"} == set(container["resources"]["limits"])
    assert container["image"].endswith("apiclient-operator:0.1.0")


@pytest.mark.parametrize(("name", "ports"), PROGRAMS.items())
def test_probes_and_services(installation: list[Object], name: str, ports: dict[str, int]) -> None:
    deployment = named(installation, "Deployment", name)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == ports
    health = list(ports)[-1]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": health}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": health}
    service = named(installation, "Service", name)
    assert {port["name"]: (port["port"], port["targetPort"]) for port in service["spec"]["ports"]} == {
        port: (number, port) for port, number in ports.items()
    }
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_program_knows_its_namespace(installation: list[Object], name: str) -> None:
    """Its Lease and the keys are there, whatever the namespace is called."""
    (container,) = named(installation, "Deployment", name)["spec"]["template"]["spec"]["containers"]
    variable = f"{name.upper().replace('-', '_')}_NAMESPACE"
    field = {"fieldRef": {"fieldPath": "metadata.namespace"}}
    assert {"name": variable, "valueFrom": field} in container["env"]


def test_the_ports_are_what_the_gate_is_told(installation: list[Object]) -> None:
    (container,) = named(installation, "Deployment", "apiclient-gate")["spec"]["template"]["spec"]["containers"]
    program, *arguments = container["args"]
    settings = load(GateSettings, ["--issuer=https://apiclients.example.com", *arguments])
    assert (program, settings.port, settings.metrics_port) == ("gate", 8080, 8082)


def test_gate_stays_up(installation: list[Object]) -> None:
    gate = named(installation, "Deployment", "apiclient-gate")["spec"]
    assert gate["replicas"] >= 2
    assert gate["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert gate["template"]["spec"]["topologySpreadConstraints"][0]["labelSelector"] == gate["selector"]
    budget = named(installation, "PodDisruptionBudget", "apiclient-gate")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == gate["selector"]


def test_both_programs_have_the_one_issuer(installation: list[Object]) -> None:
    (settings,) = of_kind(installation, "ConfigMap")
    assert settings["data"].keys() == {"issuer"}
    for deployment in of_kind(installation, "Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        variables = {
            v["name"]: v["valueFrom"]["configMapKeyRef"] for v in container["env"] if v["name"].endswith("_ISSUER")
        }
        assert list(variables.values()) == [{"name": settings["metadata"]["name"], "key": "issuer"}]


def test_gate_keeps_to_the_namespace_that_it_runs_in(installation: list[Object]) -> None:
    """Its rights are there: to read the keys, and to write its Lease."""
    settings = gate_settings(installation, "platform")
    assert (settings.namespace, settings.keys_home, settings.lease_home) == ("platform",) * 3
