"""The cache of one kind: a newer statement about an object never gives way to an older one."""

from __future__ import annotations

from typing import Any

import pytest

from apiclients.controllers.store import ObjectStore
from apiclients.kube.errors import NotFoundError
from apiclients.kube.kinds import APIS
from apiclients.kube.object_state import STALE_LISTS, StaleListError
from apiclients.kube.objects import Page

KEY = ("shop", "orders")

Changes = list[Any]


def obj(version: int, uid: str = "u-1", name: str = "orders") -> dict[str, Any]:
    meta = {"namespace": "shop", "name": name, "uid": uid, "resourceVersion": str(version)}
    return {"metadata": meta, "spec": {"version": version}}


class Kube:
    """Answers reads with what is in it, as of ``version``; ``meanwhile`` happens before the answer arrives."""

    def __init__(self, *objects: dict[str, Any], version: int = 9) -> None:
        self.objects = {(o["metadata"]["namespace"], o["metadata"]["name"]): o for o in objects}
        self.version = version
        self.meanwhile: Any = lambda: None

    async def get(self, resource: Any, namespace: str, name: str) -> dict[str, Any]:
        self.meanwhile()
        if (namespace, name) not in self.objects:
            raise NotFoundError(404, "NotFound", "")
        return self.objects[namespace, name]

    async def pages(self, resource: Any, *_: Any, **__: Any) -> Any:
        for found in list(self.objects.values()):
            self.meanwhile()
            yield Page([found], str(self.version))
        yield Page([], str(self.version))


@pytest.fixture
def changes() -> Changes:
    return []


@pytest.fixture
def store(changes: Changes) -> ObjectStore[Any]:
    return ObjectStore(APIS, lambda body, _: body, lambda *change: changes.append(change))


def version(store: ObjectStore[Any]) -> Any:
    found = store.raw(KEY)
    return None if found is None else (found["metadata"]["uid"], found["spec"]["version"])


def test_an_older_version_does_not_replace_a_newer_one(store: ObjectStore[Any], changes: Changes) -> None:
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


async def test_a_resync_mends_what_a_watch_missed_and_the_next_one_counts_it(store: ObjectStore[Any]) -> None:
    kube: Any = Kube(obj(6), obj(3, "u-3", "stock"), obj(9, "u-9", "new"))
    for known in (obj(5), obj(3, "u-3", "stock"), obj(2, "u-4", "gone")):
        store.put(known)
    await store.resync(kube)
    assert store.lost_events == 0, "the watch may still be about to deliver it"
    assert version(store) == ("u-1", 6)
    assert sorted(store) == [("shop", "new"), ("shop", "orders"), ("shop", "stock")]
    for _ in range(2):
        await store.resync(kube)
        assert store.lost_events == 3


async def test_what_the_watch_delivers_late_and_out_of_order_is_not_lost(store: ObjectStore[Any]) -> None:
    kube: Any = Kube(obj(6), obj(9, "u-9", "new"))
    for known in (obj(5), obj(2, "u-4", "gone")):
        store.put(known)
    await store.resync(kube)
    store.take_event("ADDED", obj(9, "u-9", "new"))
    store.take_event("DELETED", obj(8, "u-4", "gone"))
    store.take_event("MODIFIED", obj(6))
    await store.resync(kube)
    assert store.lost_events == 0


async def test_an_object_that_kopf_lists_anew_after_a_gap_is_not_lost(store: ObjectStore[Any]) -> None:
    kube: Any = Kube(obj(6))
    store.put(obj(5))
    await store.resync(kube)
    kube.objects[KEY] = obj(8)
    store.take_event(None, obj(8))
    await store.resync(kube)
    assert store.lost_events == 0
    assert version(store) == ("u-1", 8)


async def test_an_old_event_of_a_deleted_object_revives_nothing(store: ObjectStore[Any]) -> None:
    store.take_event("ADDED", obj(5))
    store.take_event("DELETED", obj(8))
    store.take_event("ADDED", obj(5))
    assert version(store) is None


async def test_an_object_that_goes_while_the_resync_reads_it_stays_gone(store: ObjectStore[Any]) -> None:
    kube: Any = Kube(obj(6))
    store.put(obj(5))

    def gone() -> None:
        store.take_event("DELETED", obj(11))

    await_list = kube.pages

    async def pages(*args: Any, **options: Any) -> Any:
        async for page in await_list(*args, **options):
            yield page
        kube.meanwhile = gone

    kube.pages = pages
    await store.resync(kube)
    assert version(store) is None


async def test_lists_that_are_older_than_the_watch_change_nothing_until_they_last(store: ObjectStore[Any]) -> None:
    kube: Any = Kube(obj(4), version=7)
    store.put(obj(5))
    store.put(obj(8, "u-8", "newer"))
    for _ in range(STALE_LISTS):
        with pytest.raises(StaleListError):
            await store.resync(kube)
        assert version(store) == ("u-1", 5)
    await store.resync(kube)
    assert version(store) == ("u-1", 4)
    assert list(store) == [KEY]


async def test_the_first_list_fills_the_store_and_gives_way_to_what_is_newer(store: ObjectStore[Any]) -> None:
    kube: Any = Kube(obj(5), obj(3, "u-3", "stock"))
    store.put(obj(7))
    await store.load(kube)
    assert version(store) == ("u-1", 7)
    assert sorted(store) == [("shop", "orders"), ("shop", "stock")]


def test_an_older_object_of_the_same_name_does_not_replace_its_successor(store: ObjectStore[Any]) -> None:
    store.put(obj(7, "u-2"))
    store.put(obj(5, "u-1"))
    assert version(store) == ("u-2", 7)
