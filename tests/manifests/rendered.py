"""What kustomize makes of the folders in ``manifests/``."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from apiclients.settings.gate import GateSettings

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests"
KUBECTL = Path(sys.executable).with_name("kubectl")

Object = dict[str, Any]


def render(folder: Path) -> list[Object]:
    """The objects of a kustomization, by the kubectl of the development environment."""
    done = subprocess.run([KUBECTL, "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "kustomize warns"
    return list(yaml.safe_load_all(done.stdout))


def of_kind(objects: Iterable[Object], *kinds: str) -> list[Object]:
    """The objects of these kinds."""
    return [obj for obj in objects if obj["kind"] in kinds]


def named(objects: Iterable[Object], kind: str, name: str) -> Object:
    """The one object of this kind and name."""
    (found,) = [obj for obj in of_kind(objects, kind) if obj["metadata"]["name"] == name]
    return found


def gate_settings(objects: Iterable[Object], namespace: str) -> GateSettings:
    """What the gate is set to when its pod runs in this namespace: its variables, as the kubelet fills them in."""
    (container,) = named(objects, "Deployment", "apiclient-gate")["spec"]["template"]["spec"]["containers"]
    fields = {"metadata.namespace": namespace, "metadata.name": "apiclient-gate-0"}
    values = {"APICLIENT_GATE_ISSUER": "https://tokens.example.com"}
    for variable in container["env"]:
        if "fieldRef" in variable.get("valueFrom", {}):
            values[variable["name"]] = fields[variable["valueFrom"]["fieldRef"]["fieldPath"]]
    prefix = GateSettings.model_config["env_prefix"]
    return GateSettings.model_validate({name.removeprefix(prefix).lower(): text for name, text in values.items()})


def rules_of(objects: list[Object], account: str) -> Iterator[tuple[Object, str | None]]:
    """All rules that are bound to a service account, each with its namespace; None means everywhere."""
    for binding in of_kind(objects, "ClusterRoleBinding", "RoleBinding"):
        if not any(subject["name"] == account for subject in binding["subjects"]):
            continue
        role = named(objects, binding["roleRef"]["kind"], binding["roleRef"]["name"])
        for rule in role["rules"]:
            yield rule, binding["metadata"].get("namespace")
