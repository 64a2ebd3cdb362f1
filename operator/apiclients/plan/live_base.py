"""What is live in the place of base: what `kubectl apply` of head would compare with.

Of each object it holds what head mentions, and what somebody applies: the latter goes when head does not mention it.
All else belongs to others and stays. Objects that head leaves out are no part of it: applying files deletes nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from apiclients.plan.live import LiveState
from apiclients.plan.manifests import Manifest, Manifests
from apiclients.plan.merge import applied
from apiclients.resources.names import API_VERSION, ROTATE_REQUESTED_ANNOTATION
from apiclients.resources.objects import READERS, InvalidObjectError

LABEL = "live"

Raw = Mapping[str, Any]
Paths = frozenset[tuple[str, ...]]


def live_base(live: LiveState, head: Manifests) -> Manifests:
    """The live objects that head declares, as manifests."""
    found = {}
    for manifest in head.usable():
        obj = live.objects.get(manifest.id)
        if obj is not None:
            content = _content(obj, manifest)
            found[manifest.id] = manifest.with_content(
                manifest.content if _stays(obj, content, manifest.content) else content
            )
    return Manifests(LABEL, found, (), is_live=True)


def _content(obj: Raw, manifest: Manifest) -> dict[str, Any]:
    paths = [tuple(path) for path in obj.get("appliedFields") or []]
    metadata, wanted = obj["metadata"], _map(manifest.content.get("metadata"))
    labels = _part(metadata.get("labels") or {}, _map(wanted.get("labels")), _below("labels", paths))
    return {
        "apiVersion": API_VERSION,
        "kind": manifest.id.kind,
        "metadata": {"labels": labels, "annotations": _annotations(metadata, _map(wanted.get("annotations")))},
        "spec": _part(obj["spec"], _map(manifest.content.get("spec")), _below("spec", paths)),
    }


def _part(live: Raw, head: Raw, paths: Paths) -> dict[str, Any]:
    """What of a live map head mentions or somebody applies."""
    part = {}
    for key, value in live.items():
        below = _below(key, paths)
        if (key,) in paths or (key in head and not isinstance(value, Mapping)):
            part[key] = value
        elif isinstance(value, Mapping) and (key in head or below):
            part[key] = _part(value, _map(head.get(key)), below)
    return part


def _below(key: str, paths: Iterable[tuple[str, ...]]) -> Paths:
    return frozenset(path[1:] for path in paths if path[0] == key and len(path) > 1)


def _annotations(metadata: Raw, head: Raw) -> dict[str, Any]:
    """Of annotations the live state knows only the one that does something."""
    known = {key: value for key, value in head.items() if key != ROTATE_REQUESTED_ANNOTATION}
    live = _map(metadata.get("annotations")).get(ROTATE_REQUESTED_ANNOTATION)
    return known | ({ROTATE_REQUESTED_ANNOTATION: live} if live is not None and head.keys() - known.keys() else {})


def _stays(obj: Raw, base: Raw, head: Raw) -> bool:
    """Whether applying head leaves the live object as it is, defaults included."""
    after = _map(head.get("metadata"))
    same = all(_map(base["metadata"][part]) == _map(after.get(part)) for part in ("labels", "annotations"))
    spec = applied(base["spec"], head["spec"], obj["spec"])
    try:
        old, new = (READERS[obj["kind"]]({**obj, "spec": one}).spec for one in (obj["spec"], spec))
    except InvalidObjectError:
        return False
    return same and old == new


def _map(value: object) -> Raw:
    return value if isinstance(value, Mapping) else {}
