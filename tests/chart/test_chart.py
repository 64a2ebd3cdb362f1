"""The chart is the kustomization, whatever release and namespace are called, and says what is wrong with values."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.conftest import CHART, FOREIGN, ISSUER, MATRIX, Object, Render, run
from tests.manifests.rendered import MANIFESTS, gate_settings, named, of_kind
from tests.manifests.rendered import render as kustomized

pytestmark = [pytest.mark.chart, pytest.mark.timeout(1900)]


def _by_name(objects: list[Object]) -> dict[tuple[str, str | None, str], Object]:
    return {(obj["kind"], obj["metadata"].get("namespace"), obj["metadata"]["name"]): obj for obj in objects}


def _plain(obj: Object) -> Object:
    """Without what only helm needs, and what only says the default of Kubernetes."""
    meta = {**obj["metadata"], "labels": dict(obj["metadata"]["labels"])}
    meta["labels"].pop("helm.sh/chart", None)
    if obj["kind"] == "CustomResourceDefinition":
        meta.pop("annotations", None)
    obj = {**obj, "metadata": meta}
    if obj["kind"] == "Deployment":
        obj["spec"].pop("revisionHistoryLimit", None)
        for container in obj["spec"]["template"]["spec"]["containers"]:
            container.pop("imagePullPolicy", None)
            for variable in container["env"]:
                if "configMapKeyRef" in variable.get("valueFrom", {}):
                    variable.pop("valueFrom")
                    variable["value"] = ISSUER
    return obj


def test_by_default_it_is_the_kustomization_object_by_object(render: Render) -> None:
    ours, theirs = _by_name(render()), _by_name(kustomized(MANIFESTS / "base"))
    assert {kind for kind, _, _ in theirs.keys() - ours.keys()} == {"Namespace", "ConfigMap"}
    assert ours.keys() - theirs.keys() == set()
    for key, obj in ours.items():
        assert _plain(obj) == _plain(theirs[key]), key


def test_with_tls_it_is_the_kustomization_with_its_components(render: Render, tmp_path: Path) -> None:
    overlay = {
        "resources": [os.path.relpath(MANIFESTS / "base", tmp_path)],
        "components": [os.path.relpath(MANIFESTS / "components" / name, tmp_path) for name in ("tls", "cert-manager")],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    issuer = {"kind": "ClusterIssuer", "name": "SET-THIS"}
    ours = render({"gate": {"tlsSecret": "apiclient-gate-tls"}, "certificate": {"enabled": True, "issuerRef": issuer}})
    theirs = kustomized(tmp_path)
    for kind in ("Deployment", "Certificate"):
        mine, other = named(ours, kind, "apiclient-gate"), named(theirs, kind, "apiclient-gate")
        assert _plain(mine) == _plain(other), kind


def test_another_release_in_another_namespace(render: Render) -> None:
    accounts = {name: {"serviceAccount": {"name": f"{name}-account"}} for name in ("operator", "gate")}
    objects = render(accounts, namespace="platform", release="tokens")
    text = yaml.safe_dump_all(objects)
    assert "apiclients-system" not in text
    assert "system:serviceaccount:platform:operator-account" in text
    assert {obj["metadata"].get("namespace") for obj in objects} == {None, "platform"}
    gate = gate_settings(objects, "platform")
    assert (gate.keys_home, gate.lease_home) == ("platform", "platform")
    used = {account["metadata"]["name"] for account in of_kind(objects, "ServiceAccount")}
    assert used == {"operator-account", "gate-account"}
    for binding in of_kind(objects, "ClusterRoleBinding", "RoleBinding"):
        for subject in binding["subjects"]:
            assert (subject["name"] in used, subject["namespace"]) == (True, "platform")
    for schema in of_kind(objects, "FlowSchema"):
        account = schema["spec"]["rules"][0]["subjects"][0]["serviceAccount"]
        assert (account["name"] in used, account["namespace"]) == (True, "platform")


def test_crds_are_kept_unless_asked_for_in_so_many_words(render: Render) -> None:
    def policies(values: Object) -> set[str | None]:
        found = of_kind(render(values), "CustomResourceDefinition")
        return {crd["metadata"].get("annotations", {}).get("helm.sh/resource-policy") for crd in found}

    assert policies({}) == {"keep"}
    assert policies({"crds": {"keep": False}}) == {None}
    assert policies({"crds": {"enabled": False}}) == set()


def test_no_number_of_replicas_where_something_scales_the_gate(render: Render) -> None:
    objects = render({"gate": {"autoscaling": {"enabled": True}}})
    assert "replicas" not in named(objects, "Deployment", "apiclient-gate")["spec"]
    assert of_kind(objects, "HorizontalPodAutoscaler")[0]["spec"]["minReplicas"] == 2


def test_secrets_in_named_namespaces_alone(render: Render) -> None:
    objects = render({"operator": {"secretNamespaces": ["team-a", "team-b"]}})
    bindings = [obj["metadata"]["name"] for obj in of_kind(objects, "ClusterRoleBinding")]
    assert "apiclient-operator-secrets" not in bindings
    found = [obj for obj in of_kind(objects, "RoleBinding") if obj["metadata"]["name"] == "apiclient-operator-secrets"]
    assert [obj["metadata"]["namespace"] for obj in found] == ["team-a", "team-b"]
    (container,) = named(objects, "Deployment", "apiclient-operator")["spec"]["template"]["spec"]["containers"]
    assert {"name": "APICLIENT_OPERATOR_SECRET_NAMESPACES", "value": "team-a,team-b"} in container["env"]


def test_a_gate_with_a_certificate_serves_https(render: Render) -> None:
    objects = render(
        {
            "gate": {"tlsSecret": "gate-tls"},
            "certificate": {"enabled": True, "issuerRef": {"name": "ca", "kind": "ClusterIssuer"}},
        }
    )
    (container,) = named(objects, "Deployment", "apiclient-gate")["spec"]["template"]["spec"]["containers"]
    assert container["args"][2:] == ["--tls-cert=/tls/tls.crt", "--tls-key=/tls/tls.key"]
    for probe in ("livenessProbe", "readinessProbe"):  # in plain HTTP, on the port of its own
        assert container[probe]["httpGet"]["port"] == "metrics"
        assert "scheme" not in container[probe]["httpGet"]
    assert of_kind(objects, "Certificate")[0]["spec"]["secretName"] == "gate-tls"


def test_only_what_strangers_need_is_exposed(render: Render) -> None:
    objects = render(
        {
            "ingress": {"enabled": True, "host": "tokens.example.com", "tlsSecret": "t"},
            "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]},
        }
    )
    paths = of_kind(objects, "Ingress")[0]["spec"]["rules"][0]["http"]["paths"]
    assert [path["path"] for path in paths] == ["/token", "/jwks", "/.well-known/"]
    matches = of_kind(objects, "HTTPRoute")[0]["spec"]["rules"][0]["matches"]
    assert [match["path"]["value"] for match in matches] == ["/token", "/jwks", "/.well-known"]


def test_monitors_where_their_kind_is_known(render: Render) -> None:
    values = {"serviceMonitor": {"enabled": True}}
    assert of_kind(render(values), "ServiceMonitor") == []
    kind = "monitoring.coreos.com/v1/ServiceMonitor"
    assert len(of_kind(render(values, apis=kind), "ServiceMonitor")) == 2
    assert len(of_kind(render({"serviceMonitor": {"enabled": True, "skipIfMissing": False}}), "ServiceMonitor")) == 2


def test_a_network_policy_closes_metrics_to_callers(render: Render) -> None:
    callers, monitoring = [{"podSelector": {"matchLabels": {"app": name}}} for name in ("gateway", "prometheus")]
    values = {"networkPolicy": {"enabled": True, "gateFrom": [callers], "metricsFrom": [monitoring]}}
    objects = render(values)
    gate = named(objects, "NetworkPolicy", "apiclient-gate")["spec"]["ingress"]
    assert gate == [
        {"ports": [{"port": "http"}], "from": [callers]},
        {"ports": [{"port": "metrics"}], "from": [monitoring]},
    ]
    operator = named(objects, "NetworkPolicy", "apiclient-operator")["spec"]["ingress"]
    assert operator == [{"ports": [{"port": "http"}], "from": [monitoring]}]


def test_alerts_link_to_where_people_find_the_runbooks(render: Render) -> None:
    values = {
        "prometheusRule": {"enabled": True, "skipIfMissing": False, "runbookURL": "https://git.example.com/runbooks"}
    }
    (found,) = of_kind(render(values), "PrometheusRule")
    ours = yaml.safe_load((MANIFESTS / "monitoring/rules.yaml").read_text())
    for group, source in zip(found["spec"]["groups"], ours["groups"], strict=True):
        for rule, wanted in zip(group["rules"], source["rules"], strict=True):
            assert rule["expr"] == wanted["expr"]
            page = wanted["annotations"]["runbook_url"].removeprefix("docs/runbooks/")
            assert rule["annotations"]["runbook_url"] == f"https://git.example.com/runbooks/{page}"
            assert rule["annotations"]["description"] == wanted["annotations"]["description"]


def test_the_dashboard_bears_the_label_that_grafana_s_sidecar_looks_for(render: Render) -> None:
    (found,) = of_kind(render({"dashboard": {"enabled": True, "namespace": "monitoring"}}), "ConfigMap")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert found["metadata"]["namespace"] == "monitoring"
    ours = json.loads((MANIFESTS / "monitoring/dashboard.json").read_text())
    assert json.loads(found["data"]["apiclients.json"]) == ours


def test_a_budget_for_the_operator_only_where_another_stands_by(render: Render) -> None:
    def budgets(replicas: int) -> set[str]:
        found = of_kind(render({"operator": {"replicas": replicas}}), "PodDisruptionBudget")
        return {budget["metadata"]["name"] for budget in found}

    (budget,) = of_kind(render({"gate": {"podDisruptionBudget": {"maxUnavailable": "25%"}}}), "PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == "25%"
    assert budgets(1) == {"apiclient-gate"}
    assert budgets(2) == {"apiclient-gate", "apiclient-operator"}


def test_keys_from_a_secret_that_is_there(render: Render) -> None:
    objects = render({"keys": {"existingSecret": "restored-keys"}})
    for name in ("apiclient-operator", "apiclient-gate"):
        (container,) = named(objects, "Deployment", name)["spec"]["template"]["spec"]["containers"]
        assert "--keys-secret=restored-keys" in container["args"]
        rules = named(objects, "Role", name)["rules"]
        assert ["restored-keys"] in [rule.get("resourceNames") for rule in rules if rule["resources"] == ["secrets"]]
    assert "apiclient-keys" not in yaml.safe_dump_all(objects)


def test_tokens_of_the_pods_live_as_long_as_is_said(render: Render) -> None:
    for deployment in of_kind(render({"serviceAccountToken": {"expirationSeconds": 600}}), "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"] == 600


#: What both programs take alike, and where it is found in the Deployment.
PLACED: dict[str, Any] = {
    "annotations": {"a": "1"},
    "podAnnotations": {"b": "2"},
    "podLabels": {"c": "3"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "infra", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "system-cluster-critical",
    "revisionHistoryLimit": 3,
    "extraArgs": ["--log-level=debug"],
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    "extraVolumes": [{"name": "more", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
}


@pytest.mark.parametrize("program", ["operator", "gate"])
def test_what_platform_teams_place_is_where_it_belongs(render: Render, program: str) -> None:
    objects = render({program: PLACED, "imagePullSecrets": [{"name": "registry"}]})
    deployment = named(objects, "Deployment", f"apiclient-{program}")
    template = deployment["spec"]["template"]
    (container,) = template["spec"]["containers"]
    assert deployment["metadata"]["annotations"] == PLACED["annotations"]
    assert deployment["spec"]["revisionHistoryLimit"] == 3
    assert PLACED["podAnnotations"].items() <= template["metadata"]["annotations"].items()
    assert PLACED["podLabels"].items() <= template["metadata"]["labels"].items()
    for name in ("nodeSelector", "tolerations", "affinity", "priorityClassName"):
        assert template["spec"][name] == PLACED[name]
    assert template["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    for name, value in (("args", "extraArgs"), ("env", "extraEnv"), ("volumeMounts", "extraVolumeMounts")):
        assert container[name][-1] == PLACED[value][0]
    assert template["spec"]["volumes"][-1] == PLACED["extraVolumes"][0]


def test_openshift_gives_the_ids(render: Render) -> None:
    for deployment in of_kind(render({"openshift": True}), "Deployment"):
        context = deployment["spec"]["template"]["spec"]["securityContext"]
        assert "runAsUser" not in context
        assert context["runAsNonRoot"] is True


def test_a_digest_pins_the_image(render: Render) -> None:
    digest = "sha256:" + "0" * 64
    image: dict[str, Any] = {"repository": "registry.example.com/a", "tag": "1.0", "digest": digest}
    for deployment in of_kind(render({"image": image}), "Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["image"] == f"registry.example.com/a:1.0@{digest}"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "issuer is required"),
        ({"issuer": "https://a.example.com/"}, "issuer"),
        ({"issuer": ISSUER, "replicas": 2}, "replicas"),
        ({"issuer": ISSUER, "gate": {"replica": 2}}, "replica"),
        ({"issuer": ISSUER, "serviceAccountToken": {"expirationSeconds": 60}}, "expirationSeconds"),
        ({"issuer": ISSUER, "image": {"digest": "sha256:1"}}, "digest"),
        ({"issuer": ISSUER, "ingress": {"enabled": True}}, "ingress.host is required"),
        ({"issuer": ISSUER, "certificate": {"enabled": True}}, "gate.tlsSecret is required"),
    ],
)
def test_what_is_wrong_with_values_is_said(helm: Path, values: Object, words: str) -> None:
    done = run(helm, "template", "x", str(CHART), values=values)
    assert done.returncode != 0
    assert words in done.stderr


def test_it_passes_helm_s_own_check(helm: Path) -> None:
    done = run(helm, "lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("values", [*MATRIX.values(), FOREIGN], ids=[*MATRIX, "foreign"])
def test_helm_3_makes_the_same_of_it(helm: Path, helm_3: Path, values: Object) -> None:
    def rendered(program: Path) -> list[Object]:
        arguments = ("template", "x", str(CHART), "--namespace=platform", "--kube-version=1.37.1")
        done = run(program, *arguments, values={"issuer": ISSUER} | values)
        assert done.returncode == 0, done.stderr
        return sorted((obj for obj in yaml.safe_load_all(done.stdout) if obj), key=json.dumps)

    assert rendered(helm_3) == rendered(helm)


def test_helm_3_checks_values_and_chart_as_well(helm_3: Path) -> None:
    assert run(helm_3, "lint", "--strict", str(CHART)).returncode == 0
    done = run(helm_3, "template", "x", str(CHART), values={"issuer": ISSUER, "gate": {"replica": 2}})
    assert done.returncode != 0
    assert "replica" in done.stderr
