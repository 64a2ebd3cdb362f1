"""What kustomize makes of the folders in ``manifests/``."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

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


def rules_of(objects: list[Object], account: str) -> Iterator[tuple[Object, str | None]]:
    """All rules that are bound to a service account, each with its namespace; None means everywhere."""
    for binding in of_kind(objects, "ClusterRoleBinding", "RoleBinding"):
        if not any(subject["name"] == account for subject in binding["subjects"]):
            continue
        role = named(objects, binding["roleRef"]["kind"], binding["roleRef"]["name"])
        for rule in role["rules"]:
            yield rule, binding["metadata"].get("namespace")
