"""Plans the change of one live object. Pure."""

from dataclasses import replace

from apiclients.kube.objects import JsonObject
from apiclients.plan.core import plan
from apiclients.plan.live import LiveState
from apiclients.plan.manifests import Manifests, SourceFile, Tree, read_all
from apiclients.plan.model import Plan
from apiclients.plan.render import text as plan_text
from apiclients.resources.names import API_VERSION
from apiclients.resources.yaml_text import dump

_WIDTH = 96


def foresee(raw: JsonObject, kind: str, patch: JsonObject | None, live: LiveState) -> tuple[str, ...]:
    """The plan for a merge patch of a live object, line by line; ``patch`` None deletes it."""
    before = _manifest(raw, kind, raw["spec"])
    after = [] if patch is None else [_manifest(raw, kind, merged(raw["spec"], patch["spec"]))]
    base, head = read_all([_tree("live", [before]), _tree("changed", after)])
    made = _without_places(plan(_as_live(base), head, live, live.taken_time))
    return tuple(plan_text.render(made, width=_WIDTH).rstrip("\n").split("\n")[2:])


def merged(spec: JsonObject, patch: JsonObject) -> JsonObject:
    """A merge patch (RFC 7396) of maps and values, without removals."""
    result = dict(spec)
    for key, value in patch.items():
        known = result.get(key)
        result[key] = merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return result


def _without_places(made: Plan) -> Plan:
    """Drop the locations: there are no files."""
    return replace(
        made,
        entries=tuple(replace(one, location=None) for one in made.entries),
        findings=tuple(replace(one, location=None) for one in made.findings),
    )


def _as_live(manifests: Manifests) -> Manifests:
    """Mark manifests as copies of live objects, which cannot have drifted."""
    return replace(manifests, is_live=True)


def _manifest(raw: JsonObject, kind: str, spec: JsonObject) -> JsonObject:
    """The manifest of a live object."""
    meta = {key: raw["metadata"][key] for key in ("name", "namespace", "labels") if raw["metadata"].get(key)}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": meta, "spec": spec}


def _tree(label: str, manifests: list[JsonObject]) -> Tree:
    return Tree(label, tuple(SourceFile("object.yaml", dump(one)) for one in manifests))
