"""Objects that only look new: the same thing under another name or in another namespace."""

from collections.abc import Mapping
from typing import Any

from apiclients.plan.manifests import Manifest, Manifests
from apiclients.resources.refs import ObjectRef

#: What a renamed object still has in common with what it was; without any of these two specs are alike by chance.
_TELLING = ("client", "version", "displayName", "description", "owner", "plans", "contract", "clientName", "reason")


def renames(base: Manifests, head: Manifests) -> dict[ObjectRef, ObjectRef]:
    """New names and the old ones that they replace, one to one."""
    gone = [name for name in sorted(base.objects) if name not in head.objects]
    found: dict[ObjectRef, ObjectRef] = {}
    by_kind: dict[str, list[ObjectRef]] = {}
    for name in gone:
        by_kind.setdefault(name.kind, []).append(name)
    for name in sorted(head.objects):
        left = by_kind.get(name.kind, [])
        if name in base.objects or not left:
            continue
        best = max(left, key=lambda old: (_likeness(base.objects[old], head.objects[name]), old))
        if _likeness(base.objects[best], head.objects[name]) > 0:
            found[name] = best
            left.remove(best)
    return found


def _likeness(old: Manifest, new: Manifest) -> int:
    """How much speaks for a rename; 0 for: they are two."""
    same_name, same_namespace = old.id.name == new.id.name, old.id.namespace == new.id.namespace
    same_spec = _spec(old) == _spec(new)
    if same_name and not same_namespace:
        return 4 if same_spec else 3
    affix = _affix(old.id.name, new.id.name)
    if same_spec and (affix or _is_telling(_spec(old))):
        return 2 if same_namespace else 1
    return 0


def _spec(manifest: Manifest) -> Mapping[str, Any]:
    spec = manifest.content.get("spec")
    return spec if isinstance(spec, Mapping) else {}


def _is_telling(spec: Mapping[str, Any]) -> bool:
    return any(key in spec for key in _TELLING)


def _affix(old: str, new: str) -> bool:
    """Whether one name is the other with something before or after it, as ``namePrefix`` makes it."""
    return old != new and (old.endswith(new) or new.endswith(old) or old.startswith(new) or new.startswith(old))
