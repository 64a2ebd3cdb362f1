"""Where the cluster is not what base says."""

from collections.abc import Mapping

from apiclients.plan.live import LiveState
from apiclients.plan.manifests import Manifest, Manifests
from apiclients.plan.model import Drift
from apiclients.plan.values import differences, leaves, shown
from apiclients.resources.objects import AnyObject
from apiclients.resources.refs import ObjectRef


def drift(base: Manifests, objects: Mapping[ObjectRef, AnyObject], live: LiveState | None) -> list[Drift]:
    """All differences, by object; of objects that base declares, for others are not Git's.

    ``objects`` are those of ``live`` that could be read.
    """
    if live is None or base.is_live:
        return []
    found: list[Drift] = []
    for manifest in sorted(base.usable(), key=lambda manifest: manifest.id):
        obj = objects.get(manifest.id)
        if obj is not None:
            found += _of_object(manifest, obj)
        elif manifest.id not in live.objects and live.knows(manifest.id.namespace):
            found.append(Drift(manifest.id, "", "declared", None, reset=True))
    return found


def _of_object(manifest: Manifest, live: AnyObject) -> list[Drift]:
    try:
        wanted = type(live.spec).model_validate(manifest.content["spec"])
    except ValueError:
        return []
    differing = [] if live.spec == wanted else differences(wanted.to_object(), live.spec.to_object())
    declared = {path for path, _ in leaves(manifest.content["spec"])}
    return [
        *_labels(manifest.id, manifest.content["metadata"].get("labels") or {}, live.metadata.labels),
        *(
            Drift(manifest.id, f"spec.{path}", shown(base), shown(now), reset=_is_declared(path, declared))
            for path, base, now in differing
        ),
    ]


def _labels(name: ObjectRef, base: Mapping[str, str], live: Mapping[str, str]) -> list[Drift]:
    return [
        Drift(name, f"metadata.labels.{key}", value, live.get(key), reset=True)
        for key, value in sorted(base.items())
        if live.get(key) != value
    ]


def _is_declared(path: str, declared: set[str]) -> bool:
    return any(path == known or path.startswith(f"{known}.") for known in declared)
