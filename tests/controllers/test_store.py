"""The cache of one kind: a newer statement about an object never gives way to an older one."""

from __future__ import annotations

from typing import Any

import pytest

from apiclients.controllers.store import Change, ObjectStore
from apiclients.kube.errors import NotFoundError
from apiclients.kube.kinds import APIS
from apiclients.kube.objects import Page

KEY = ("shop", "orders")


def obj(version: int, uid: str = "u-1", name: str = "orders") -> dict[str, Any]:
    meta = {"namespace": "shop", "name": name, "uid": uid, "resourceVersion": str(version)}
    return {"metadata": meta, "spec": {"version": version}}


class Kube:
    """Answers reads with what is in it; ``meanwhile`` happens before the answer arrives."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        self.objects = {(o["metadata"]["namespace"], o["metadata"]["name"]): o for o in objects}
        self.meanwhile: Any = lambda: None

    async def get(self, resource: Any, namespace: str, name: str) -> dict[str, Any]:
        self.meanwhile()
        if (namespace, name) not in self.objects:
            raise NotFoundError(404, "NotFound", "")
        return self.objects[namespace, name]

    async def pages(self, resource: Any, **_: Any) -> Any:
        for found in list(self.objects.values()):
            self.meanwhile()
            yield Page([found], "9")


@pytest.fixture
def changes() -> list[Change]:
    return []


@pytest.fixture
def store(changes: list[Change]) -> ObjectStore[Any]:
    return ObjectStore(APIS, lambda body, _: body, changes.append)


def version(store: ObjectStore[Any]) -> Any:
    found = store.raw(KEY)
    return None if found is None else (found["metadata"]["uid"], found["spec"]["version"])


def test_an_older_version_does_not_replace_a_newer_one(store: ObjectStore[Any], changes: list[Change]) -> None:
    store.put(obj(5))
    store.put(obj(4))
    store.put(obj(5))
    assert (version(store), len(changes)) == (("u-1", 5), 1)


def test_an_object_that_was_made_again_replaces_the_earlier_one(store: ObjectStore[Any]) -> None:
    store.put(obj(5))
    store.put(obj(7, "u-2"))
    store.remove(KEY, "u-1")
    assert version(store) == ("u-2", 7)


def test_the_answer_to_an_own_write_does_not_bring_back_what_is_gone(store: ObjectStore[Any]) -> None:
    store.put(obj(5))
    store.remove(KEY, "u-1")
    store.put(obj(6), own=True)
    assert version(store) is None
    store.put(obj(8, "u-2"))
    store.put(obj(6), own=True)
    assert version(store) == ("u-2", 8)


async def test_a_read_that_found_nothing_does_not_remove_what_came_meanwhile(store: ObjectStore[Any]) -> None:
    kube: Any = Kube()
    store.put(obj(5))

    def made_again() -> None:
        store.remove(KEY, "u-1")
        store.put(obj(9, "u-2"))

    kube.meanwhile = made_again
    await store.refresh(kube, KEY)
    assert version(store) == ("u-2", 9)


async def test_a_read_does_not_bring_back_what_went_meanwhile(store: ObjectStore[Any]) -> None:
    kube: Any = Kube(obj(6))
    store.put(obj(5))
    kube.meanwhile = lambda: store.remove(KEY, "u-1")
    await store.refresh(kube, KEY)
    assert version(store) is None


async def test_a_resync_finds_what_a_watch_missed(store: ObjectStore[Any]) -> None:
    kube: Any = Kube(obj(6), obj(3, "u-3", "stock"), obj(9, "u-9", "new"))
    for known in (obj(5), obj(3, "u-3", "stock"), obj(2, "u-4", "gone")):
        store.put(known)
    assert await store.resync(kube) == 3
    assert version(store) == ("u-1", 6)
    assert sorted(store) == [("shop", "new"), ("shop", "orders"), ("shop", "stock")]


async def test_the_first_list_fills_the_store_and_gives_way_to_what_is_newer(store: ObjectStore[Any]) -> None:
    kube: Any = Kube(obj(5), obj(3, "u-3", "stock"))
    store.put(obj(7))
    await store.load(kube)
    assert version(store) == ("u-1", 7)
    assert sorted(store) == [("shop", "orders"), ("shop", "stock")]
