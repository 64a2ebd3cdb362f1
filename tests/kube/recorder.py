"""An object state that is fed by hand, and what it told."""

from __future__ import annotations

from dataclasses import dataclass, field

from apiclients.kube.object_state import Change, ListRun, ObjectState
from apiclients.kube.objects import JsonObject, Page, WatchEvent
from apiclients.resources.refs import NamespacedName


def thing(name: str, version: int, uid: str = "") -> JsonObject:
    """An object of a kind that nobody has."""
    return {"metadata": {"namespace": "ns", "name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}}


def bookmark(version: int) -> WatchEvent:
    """What a watch says when nothing happened."""
    return WatchEvent("BOOKMARK", {"metadata": {"resourceVersion": str(version)}})


def key(name: str) -> NamespacedName:
    """Where the object of that name is."""
    return ("ns", name)


@dataclass
class Recorder:
    """An object state whose values are (uid, version), and the changes that it told."""

    changes: list[Change[tuple[str, int]]] = field(default_factory=list)
    now: float = 0.0
    in_order: bool = True

    def __post_init__(self) -> None:
        self.state: ObjectState[tuple[str, int]] = ObjectState(
            self.convert, self.changes.append, monotonic=lambda: self.now, in_order=self.in_order
        )

    @staticmethod
    def convert(body: JsonObject) -> tuple[str, int]:
        return body["metadata"]["uid"], int(body["metadata"]["resourceVersion"])

    def watch(self, kind: str, name: str, version: int, uid: str = "") -> None:
        self.state.take_event(WatchEvent(kind, thing(name, version, uid)))

    def take_list(self, version: int, *items: JsonObject, resume: bool = False, run: ListRun | None = None) -> None:
        run = run or self.state.start_list(resume=resume)
        self.state.take_page(run, Page(list(items), str(version)))
        self.state.end_list(run)

    @property
    def told(self) -> list[tuple[str, str, int | None, int | None]]:
        return [(c.source, c.key[1], c.old and c.old[1], c.new and c.new[1]) for c in self.changes]
