"""Kustomizations among the files: plan does not build them, so it says where they change what is applied."""

from collections.abc import Iterator
from posixpath import normpath
from typing import Any

from apiclients.plan.model import Finding, Location
from apiclients.plan.yaml_marks import Marked, YamlError, parse
from apiclients.resources.plan_rules import INVALID_YAML, UNRENDERED

#: Fields of a kustomization that change what its resources are.
_TRANSFORMING = frozenset(
    {
        "namePrefix", "nameSuffix", "namespace", "patches", "patchesStrategicMerge", "patchesJson6902", "components",
        "replacements", "vars", "helmCharts", "helmChartInflationGenerator", "generators", "transformers",
        "commonLabels", "commonAnnotations", "labels",
    }
)  # fmt: skip
_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def kustomization_findings(path: str, inside: str, text: str) -> Iterator[Finding]:
    """What is wrong with a file if it is a kustomization. ``inside`` is its path within the tree."""
    if path.rpartition("/")[2] not in _NAMES:
        return
    try:
        marked = parse(text)
    except YamlError as error:
        message = f"not valid YAML: {error.problem}"
        yield Finding(INVALID_YAML.id, INVALID_YAML.level, message, None, Location(path, error.line), "yaml")
        return
    if marked is None or not isinstance(marked.value, dict):
        return
    changing = sorted(_TRANSFORMING & marked.value.keys())
    if changing:
        message = f"this kustomization changes what is applied ({', '.join(changing)}): plan the rendered output"
        yield _unrendered(message, path, marked, changing[0])
    outside = [resource for resource in _resources(marked.value) if _is_outside(resource, inside.rpartition("/")[0])]
    if outside:
        message = f"this kustomization applies what is not here ({', '.join(outside)}): plan the rendered output"
        yield _unrendered(message, path, marked, "resources" if "resources" in marked.value else "bases")


def _resources(value: dict[str, Any]) -> Iterator[str]:
    for key in ("resources", "bases"):
        found = value.get(key)
        yield from (str(one) for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def _is_outside(resource: str, folder: str) -> bool:
    """Whether a resource lies where the tree does not reach: above it, or on the net."""
    return "://" in resource or resource.startswith("git@") or normpath(f"{folder or '.'}/{resource}").startswith("..")


def _unrendered(message: str, path: str, marked: Marked, field: str) -> Finding:
    place = Location(path, marked.lines[field,])
    return Finding(UNRENDERED.id, UNRENDERED.level, message, None, place, "kustomization")
