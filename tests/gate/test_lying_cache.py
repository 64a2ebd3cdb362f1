"""The tests' lying cache, before a real API server: nothing but what it believes tells it from an honest one."""

import asyncio
import itertools
import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from apiclients.gate.state.freshness import DENIED_SELECTOR
from apiclients.kube.cache import Change, Reflector
from apiclients.kube.client import CACHED, KubeClient
from apiclients.kube.errors import GoneError, NotFoundError
from apiclients.kube.kinds import API_CLIENTS
from apiclients.kube.objects import JsonObject, WatchEvent
from cluster import LocalCluster
from tests.gate.live import NAMESPACE
from tests.toolkit.admin import Admin, path
from tests.toolkit.proxy import FaultProxy
from tests.toolkit.waiting import async_eventually

pytestmark = pytest.mark.rule(17)

_KIND = "apiclients"
#: Two of these are before the bookmark that a watch ends with.
_WATCH_SECONDS = 4


class Scene:
    """Clients in a namespace of the test's own, and who reads them through a lying cache."""

    def __init__(self, admin: Admin, proxy: FaultProxy, client: KubeClient) -> None:
        self.admin, self.proxy, self.client = admin, proxy, client
        self.namespace = f"t-{secrets.token_hex(4)}"
        admin.apply_namespace(self.namespace, {})

    def declare(self, name: str, desired: str = "Available") -> JsonObject:
        return self.admin.apply(_KIND, self.namespace, name, {"desiredStatus": desired})

    def delete(self, name: str) -> None:
        self.admin.delete(_KIND, self.namespace, name)

    def lose(self, name: str) -> None:
        self.proxy.cache.lose(self.admin, _KIND, self.namespace, name)

    async def listed(self, **options: Any) -> dict[str, str]:
        """What lists show: versions by name."""
        found: dict[str, str] = {}
        async with aclosing(self.client.pages(API_CLIENTS, self.namespace, **options)) as pages:
            async for page in pages:
                found |= {one["metadata"]["name"]: str(one["metadata"]["resourceVersion"]) for one in page.items}
        return found

    async def listed_alike(self) -> dict[str, str]:
        """The same, having compared lists of all forms."""
        lists = [await self.listed(), await self.listed(metadata_only=True), await self.listed(identity_only=True)]
        assert lists[0] == lists[1] == lists[2]
        return lists[0]

    async def version(self, name: str, **options: Any) -> str | None:
        """The version that a read of one object tells."""
        try:
            return version(await self.client.get(API_CLIENTS, self.namespace, name, **options))
        except NotFoundError:
            return None

    async def cached(self, name: str) -> str | None:
        """The version that a read of one object from the cache tells, whole or not."""
        whole = await self.version(name, resource_version=CACHED)
        assert whole == await self.version(name, resource_version=CACHED, metadata_only=True)
        return whole

    @asynccontextmanager
    async def reflected(self, **options: Any) -> AsyncIterator[tuple[Reflector[str], list[Change[str]]]]:
        """A Reflector of the clients, under way."""
        changes: list[Change[str]] = []
        reflector = Reflector(
            self.client,
            API_CLIENTS,
            lambda body: str(body["spec"]["desiredStatus"]),
            namespace=self.namespace,
            on_change=changes.append,
            relist_by_identity=True,
            **options,
        )
        task = asyncio.create_task(reflector.run())
        try:
            await async_eventually("the first list", reflector.synced.is_set)
            yield reflector, changes
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.wait({task})


@pytest.fixture
def proxy(cluster: LocalCluster) -> Iterator[FaultProxy]:
    with FaultProxy(cluster) as made:
        yield made


@pytest.fixture
async def scene(cluster: LocalCluster, proxy: FaultProxy, tmp_path: Path) -> AsyncIterator[Scene]:
    account = await asyncio.to_thread(cluster.service_account_kubeconfig, NAMESPACE, "apiclient-gate")
    token = account.with_name(account.name + ".token")
    kubeconfig = proxy.kubeconfig(tmp_path / "kubeconfig", token)
    async with await KubeClient.connect(kubeconfig=kubeconfig, user_agent="test") as client:
        yield Scene(Admin(cluster), proxy, client)


def version(body: JsonObject) -> str:
    return str(body["metadata"]["resourceVersion"])


async def test_lost_change_is_in_no_list_and_in_every_direct_read(scene: Scene) -> None:
    before, other = scene.declare("billing"), scene.declare("other")
    scene.lose("billing")
    after = scene.declare("billing", "Suspended")
    assert await scene.listed_alike() == {"billing": version(before), "other": version(other)}
    assert await scene.version("billing") == version(after)
    assert await scene.cached("billing") == version(before)
    assert await scene.cached("other") == version(other)
    other = scene.declare("other", "Suspended")
    assert (await scene.listed_alike())["other"] == version(other)
    assert await scene.listed(page_size=1) == await scene.listed()


async def test_lost_deletion_and_creation(scene: Scene) -> None:
    before, other = scene.declare("billing"), scene.declare("other")
    for name in ("billing", "newcomer"):
        scene.lose(name)
    scene.delete("billing")
    newcomer = scene.declare("newcomer")
    assert await scene.listed_alike() == {"billing": version(before), "other": version(other)}
    assert await scene.version("billing") is None
    assert await scene.version("newcomer") == version(newcomer)
    assert await scene.cached("newcomer") is None
    assert await scene.cached("billing") == version(before)
    scene.proxy.cache.heal()
    assert await scene.listed_alike() == {"newcomer": version(newcomer), "other": version(other)}
    assert await scene.cached("billing") is None


async def test_list_of_what_is_denied_goes_by_what_the_cache_believes(scene: Scene) -> None:
    for name, desired in (("stopped", "Available"), ("resumed", "Suspended")):
        scene.declare(name, desired)
        scene.lose(name)
    scene.declare("stopped", "Suspended")
    scene.declare("resumed", "Available")
    denied = {"field_selector": DENIED_SELECTOR}
    for form in ({}, {"metadata_only": True}, {"identity_only": True}):
        assert set(await scene.listed(**denied, **form)) == {"resumed"}
    elsewhere = {"field_selector": f"{DENIED_SELECTOR},metadata.namespace!={scene.namespace}"}
    assert await scene.listed(**elsewhere) == {}
    assert set(await scene.listed(field_selector="metadata.name=stopped")) == {"stopped"}


async def test_reflector_goes_on_without_noticing(scene: Scene) -> None:
    for name in ("billing", "gone", "other"):
        scene.declare(name)
    async with scene.reflected() as (reflector, changes):
        for name in ("billing", "gone", "newcomer"):
            scene.lose(name)
        scene.declare("billing", "Suspended")
        scene.declare("newcomer")
        scene.delete("gone")
        last = int(version(scene.declare("other", "Suspended")))
        await async_eventually("what was not lost is known", lambda: reflector.resource_version >= last)
        await reflector.relist()
        await reflector.confirm()
        assert {key[1]: desired for key, desired in reflector.store.items()} == {
            "billing": "Available",
            "gone": "Available",
            "other": "Suspended",
        }
        assert [change.source for change in changes] == ["list"] * 3 + ["watch"]
        assert reflector.lost_events == 0
        assert reflector.resource_version >= last


async def test_watch_that_is_cut_goes_on_without_what_was_lost(scene: Scene) -> None:
    scene.declare("billing")
    scene.declare("other")
    async with scene.reflected() as (reflector, changes):
        scene.lose("billing")
        scene.declare("billing", "Suspended")
        scene.proxy.cut()
        scene.declare("other", "Suspended")
        await async_eventually("the watch goes on", lambda: len(changes) == 3)
        assert reflector.store[scene.namespace, "billing"] == "Available"


async def test_next_change_is_seen_as_a_cache_tells_it(scene: Scene) -> None:
    scene.declare("edited")
    scene.declare("deleted")
    async with scene.reflected() as (reflector, changes):
        events: list[tuple[str, str]] = []

        async def follow() -> None:
            start = str(reflector.resource_version)
            async with aclosing(scene.client.watch(API_CLIENTS, scene.namespace, resource_version=start)) as watch:
                async for event in watch:
                    events.append((event.type, event.object["metadata"]["name"]))

        following = asyncio.create_task(follow())
        acts: dict[str, Callable[[], object]] = {
            "edited": lambda: scene.declare("edited", "Suspended"),
            "deleted": lambda: scene.delete("deleted"),
            "created": lambda: scene.declare("created"),
        }
        for name, act in acts.items():
            with scene.proxy.cache.losing(scene.admin, _KIND, scene.namespace, name):
                act()
        for name in acts:
            scene.admin.apply(_KIND, scene.namespace, name, {"desiredStatus": "Available", "displayName": "again"})
        await async_eventually("all are seen", lambda: len(events) == 3)
        following.cancel()
        assert events == [("MODIFIED", "edited"), ("MODIFIED", "deleted"), ("ADDED", "created")]
        versions = await scene.listed_alike()
        assert versions == {name: await scene.version(name) for name in acts}
        await async_eventually("the Reflector, too", lambda: len(changes) >= 5)
        scene.delete("created")
        await async_eventually("its end", lambda: (scene.namespace, "created") not in reflector.store)
        assert await scene.listed_alike() == {name: await scene.version(name) for name in ("edited", "deleted")}


async def test_bookmarks_and_versions_go_on(scene: Scene) -> None:
    before = scene.declare("billing")
    scene.lose("billing")
    after = scene.declare("billing", "Suspended")
    events: list[WatchEvent] = []

    async def follow() -> None:
        watch = scene.client.watch(
            API_CLIENTS, scene.namespace, resource_version=version(before), timeout_seconds=_WATCH_SECONDS
        )
        async with aclosing(watch):
            async for event in watch:
                events.append(event)

    following, numbers = asyncio.create_task(follow()), itertools.count()
    elsewhere = scene.namespace + "-b"
    scene.admin.apply_namespace(elsewhere, {})
    while not following.done():  # without changes of the kind there is nothing to mark
        scene.admin.apply(_KIND, elsewhere, "other", {"desiredStatus": "Available", "displayName": str(next(numbers))})
        await asyncio.sleep(0.2)
    assert {event.type for event in events} == {"BOOKMARK"}
    assert int(version(events[-1].object)) > int(version(after))


async def test_watch_that_begins_with_all_that_there_is(scene: Scene) -> None:
    """As kopf and informers can: the first events, and a bookmark that says that these were all."""
    believed = {name: version(scene.declare(name)) for name in ("billing", "gone", "other")}
    for name in ("billing", "gone", "newcomer"):
        scene.lose(name)
    scene.declare("billing", "Suspended")
    scene.declare("newcomer")
    scene.delete("gone")
    query = {
        "watch": "true",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "1",
    }
    session = scene.client.new_session()
    async with session, session.get(scene.proxy.url + path(_KIND, scene.namespace), params=query) as answer:
        assert answer.status == 200
        events = [json.loads(line) for line in (await answer.text()).splitlines()]
    assert [event["type"] for event in events] == ["ADDED"] * 3 + ["BOOKMARK"]
    assert {event["object"]["metadata"]["name"]: version(event["object"]) for event in events[:3]} == believed


async def test_continued_list_has_to_begin_anew(scene: Scene) -> None:
    scene.declare("billing")
    scene.declare("other")
    pages = scene.client.pages(API_CLIENTS, scene.namespace, page_size=1)
    async with aclosing(pages):
        await anext(pages)
        scene.lose("billing")
        with pytest.raises(GoneError):
            await anext(pages)


async def test_what_it_cannot_answer_it_refuses(scene: Scene) -> None:
    scene.declare("billing")
    scene.lose("billing")
    session, url = scene.client.new_session(), scene.proxy.url + path(_KIND, scene.namespace)
    async with session, session.get(url, params={"labelSelector": "a=b"}) as answer:
        assert answer.status == 500
