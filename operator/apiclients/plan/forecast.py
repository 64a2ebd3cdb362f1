"""The world before and after: base applied to the live state and settled, then head applied to that and settled."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from apiclients.lifecycle.acknowledgement import (
    api_desired_status,
    api_retirement_is_held,
    client_desired_status,
    unacknowledged,
)
from apiclients.plan.assumptions import assume_apis, assume_issuers, count_unseen, granted_uids
from apiclients.plan.live import LiveState
from apiclients.plan.manifests import Manifest, Manifests
from apiclients.plan.merge import applied
from apiclients.plan.settle import settle
from apiclients.plan.world import World
from apiclients.resources.api import ApiStatusName
from apiclients.resources.fields import format_time
from apiclients.resources.names import API_VERSION
from apiclients.resources.objects import READERS, AnyObject, Api, ApiClient, InvalidObjectError
from apiclients.resources.refs import ObjectRef

Raw = Mapping[str, Any]

#: Their deletion is refused while it would end contracts that nobody has acknowledged (DESIGN rule 27).
_GUARDED = ("ApiClient", "Api")


@dataclass(frozen=True, slots=True)
class Forecast:
    """What plan compares."""

    before: World
    after: World
    #: The world after the same changes arrived one by one, in two opposite orders.
    otherwise: tuple[World, ...]
    #: Objects whose manifests differ between base and head, those that go included.
    declared: frozenset[ObjectRef]
    #: Deletions that the cluster's policies refuse.
    refused_deletions: frozenset[ObjectRef]
    #: Head's objects that cannot be read, and why: the API server may take them, operator and gate cannot.
    unreadable: Mapping[ObjectRef, str]
    #: The live objects, before anything was applied.
    live: Mapping[ObjectRef, AnyObject]
    #: Live objects that fit no model of this version: they count as not there.
    unknown_live: tuple[ObjectRef, ...]


@dataclass(slots=True)
class _Stage:
    """A world together with the JSON that applying a manifest merges into."""

    world: World
    raws: dict[ObjectRef, Raw]
    #: UIDs of objects that nobody looked at, so far as others tell of them.
    uids: Mapping[ObjectRef, str] = field(default_factory=dict)
    unreadable: dict[ObjectRef, str] = field(default_factory=dict)

    def apply(self, manifest: Manifest, base: Manifest | None) -> None:
        """Apply a manifest, where ``base`` was applied before."""
        old = self.world.objects.get(manifest.id)
        known = self.raws.get(manifest.id, {})
        raw = _merged(manifest, base, known, old, self)
        if old is not None and raw["spec"] == known.get("spec") and _metadata_stays(old, raw["metadata"]):
            return
        try:
            new = READERS[manifest.id.kind](raw)
        except InvalidObjectError as error:
            self.unreadable[manifest.id] = str(error)
            return
        self.raws[manifest.id] = raw
        if old is None:
            self.world.put(new)
        elif (new.spec, new.metadata.labels, new.metadata.annotations) != (
            old.spec,
            old.metadata.labels,
            old.metadata.annotations,
        ):
            self.world.put(_revised(old, new))

    def remove(self, name: ObjectRef) -> None:
        self.world.remove(name)
        self.raws.pop(name, None)

    def copy(self) -> "_Stage":
        return _Stage(self.world.copy(), dict(self.raws), self.uids)

    def uid(self, name: ObjectRef) -> str:
        """The UID of an object that is new, or that nobody looked at."""
        return self.uids.get(name, f"new-{name.kind}-{name.namespace}-{name.name}")


def forecast(base: Manifests, head: Manifests, live: LiveState | None, now: datetime) -> Forecast:
    """Run both worlds. Raises UnsettledError, which is a bug."""
    stage = _Stage(World(now, live.namespace_labels if live is not None else None), {})
    unknown_live = _load(stage, live) if live is not None else ()
    stage.uids = granted_uids(stage.world, live)
    loaded = dict(stage.world.objects)
    for manifest in base.usable():
        stage.apply(manifest, manifest)
    declared = base.objects.keys() | head.objects.keys()
    manifests = [*base.usable(), *head.usable()]
    contents = [manifest.content for manifest in manifests]
    assume_apis(stage.world, contents, declared, live)
    assume_issuers(stage.world, contents, declared, live)
    count_unseen(stage.world, live)
    settle(stage.world)
    before = stage.world
    changed = _changed(base, head)
    after = stage.copy()
    refused = _advance(after, base, head, changed, one_by_one=False)
    otherwise = []
    for order in (changed, changed[::-1]) if len(changed) > 1 else ():
        other = stage.copy()
        _advance(other, base, head, order, one_by_one=True)
        otherwise.append(other.world)
    return Forecast(
        before, after.world, tuple(otherwise), frozenset(changed), refused, after.unreadable, loaded, unknown_live
    )


def _load(stage: _Stage, live: LiveState) -> tuple[ObjectRef, ...]:
    unknown = []
    for name in sorted(live.objects):
        raw = live.objects[name]
        try:
            obj = READERS[name.kind](raw)
        except (InvalidObjectError, KeyError, ValueError):
            unknown.append(name)
            continue
        stage.raws[name] = raw
        stage.world.put(obj)
        if isinstance(obj, ApiClient):
            stage.world.shelf.assume(obj)
    return tuple(unknown)


def _changed(base: Manifests, head: Manifests) -> list[ObjectRef]:
    names = sorted(base.objects.keys() | head.objects.keys())
    return [name for name in names if _content(base, name) != _content(head, name)]


def _content(manifests: Manifests, name: ObjectRef) -> object:
    manifest = manifests.objects.get(name)
    if manifest is None:
        return None
    metadata = manifest.content.get("metadata")
    parts = {key: metadata.get(key) for key in ("labels", "annotations")} if isinstance(metadata, dict) else metadata
    return parts, manifest.content.get("spec")


def _advance(
    stage: _Stage, base: Manifests, head: Manifests, changed: Iterable[ObjectRef], *, one_by_one: bool
) -> frozenset[ObjectRef]:
    """Apply what differs; all of it before the operator looks, or with a look after each object.

    Clients and Apis go last, for what else goes may be what their deletion would have ended.
    """
    guarded = []
    for name in changed:
        manifest = head.objects.get(name)
        if manifest is not None and not manifest.refused:
            stage.apply(manifest, base.objects.get(name))
        elif manifest is None and name.kind in _GUARDED:
            guarded.append(name)
        elif manifest is None:
            stage.remove(name)
        if one_by_one:
            settle(stage.world)
    settle(stage.world)
    while permitted := [name for name in guarded if _may_go(stage.world, name)]:
        for name in permitted:
            guarded.remove(name)
            stage.remove(name)
        settle(stage.world)
    return frozenset(guarded)


def _may_go(world: World, name: ObjectRef) -> bool:
    """Whether the policies let an object go; they ask the same as a retirement of it would be asked."""
    obj = world.objects.get(name)
    if isinstance(obj, ApiClient):
        return not unacknowledged(client_desired_status(obj), world.counts_of_client(name.key).active_names)
    if isinstance(obj, Api):
        retiring = replace(api_desired_status(obj), requested=ApiStatusName.RETIRED, accepted=None)
        return not api_retirement_is_held(retiring, world.counts_of_api(name.key).active)
    return True


def _merged(manifest: Manifest, base: Manifest | None, live: Raw, old: AnyObject | None, stage: _Stage) -> Raw:
    """The object as stored after the manifest was applied."""
    metadata = dict(live.get("metadata") or {"creationTimestamp": format_time(stage.world.now)})
    metadata |= {"name": manifest.id.name, "namespace": manifest.id.namespace}
    metadata.setdefault("uid", stage.uid(manifest.id))
    metadata.setdefault("generation", 1)
    for part in ("labels", "annotations"):
        known = _part(base, part)
        metadata[part] = applied(known, _part(manifest, part), (old and getattr(old.metadata, part)) or {})
    spec = applied(base.content.get("spec") if base else None, manifest.content["spec"], live.get("spec") or {})
    return {"apiVersion": API_VERSION, "kind": manifest.id.kind, "metadata": metadata, "spec": spec}


def _metadata_stays(old: AnyObject, metadata: Raw) -> bool:
    return bool(old.metadata.labels == metadata["labels"] and old.metadata.annotations == metadata["annotations"])


def _part(manifest: Manifest | None, part: str) -> dict[str, Any]:
    metadata = manifest.content.get("metadata") if manifest is not None else None
    found = metadata.get(part) if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def _revised(old: AnyObject, new: AnyObject) -> AnyObject:
    """The old object with what was applied: its identity and status stay, a new spec is a new generation."""
    generation = old.metadata.generation + (new.spec != old.spec)
    metadata = replace(
        old.metadata, generation=generation, labels=new.metadata.labels, annotations=new.metadata.annotations
    )
    return replace(old, metadata=metadata, spec=new.spec)  # type: ignore[arg-type]
