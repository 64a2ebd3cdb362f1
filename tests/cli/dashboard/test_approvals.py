"""Contracts that wait for an approval: which, for how long, and what approves them."""

from __future__ import annotations

import re
from datetime import datetime
from html import unescape
from pathlib import Path

import pytest
import yaml

from apiclients.resources.fields import format_time
from tests.cli import samples
from tests.cli.dashboard.conftest import Opening
from tests.cli.dashboard.scene import Browser, Objects
from tests.cli.samples import JsonObject


def waiting(name: str, since: datetime, *, namespace: str = "team-a", api: str | None = None) -> JsonObject:
    """A contract that has waited since then for plan gold."""
    made = samples.decided_contract(samples.contract(name, plan="gold"), samples.client(), ())
    stamp = format_time(since)
    conditions = [{**one, "lastTransitionTime": stamp} for one in made["status"]["conditions"]]
    spec = made["spec"] | {"api": {"namespace": "orders", "name": api or name}}
    meta = made["metadata"] | {"namespace": namespace}
    return {**made, "metadata": meta, "spec": spec, "status": made["status"] | {"conditions": conditions}}


def named_by_api(name: str, *contracts: tuple[str, str]) -> JsonObject:
    """An Api whose status names contracts that wait."""
    made = samples.api(name)
    pending = [{"namespace": place, "name": one, "client": "billing-1.0", "plan": "gold"} for place, one in contracts]
    return {**made, "status": made["status"] | {"pendingContracts": pending}}


def contracts(page: str) -> list[str]:
    """What waits, in the order of the page."""
    return re.findall(r'<th scope="row">(\S+) <small>', page)


def apis(page: str) -> list[str]:
    """The Apis, in the order of the page."""
    return re.findall(r'<h2 id="api-\d+">(\S+) <small>', page)


def approvals(page: str) -> list[JsonObject]:
    """The objects to put into Git."""
    return [yaml.safe_load(unescape(text)) for text in re.findall(r'/yaml" tabindex="0">(.*?)</pre>', page, re.DOTALL)]


@pytest.fixture
async def asked(objects: Objects) -> None:
    """Three requests for two Apis, the oldest one for stock."""
    await objects.put("contracts", waiting("a", samples.ago(hours=3), api="orders"))
    await objects.put("contracts", waiting("b", samples.ago(hours=30), api="orders"))
    await objects.put("contracts", waiting("c", samples.ago(days=9), api="stock"))
    in_force = samples.contract("d", in_force="basic")
    await objects.put("contracts", samples.decided_contract(in_force, samples.client(), ()))


@pytest.mark.usefixtures("asked")
async def test_what_waits_longest_comes_first(browser: Browser) -> None:
    page = await browser.page("/approvals")
    assert apis(page) == ["stock", "orders"]
    assert contracts(page) == ["c", "b", "a"]
    assert re.findall(r'">(\w+)</time>', page) == ["9d", "30h", "3h"]
    assert page.count('href="/clients/team-a/billing-1.0"') == page.count("billing@example.com</td>") == 3


@pytest.mark.usefixtures("asked")
async def test_it_is_what_approve_prints(browser: Browser) -> None:
    made = approvals(await browser.page("/approvals?q=stock"))
    assert [one["metadata"] for one in made] == [{"name": "team-a-c-gold", "namespace": "orders"}]
    assert made[0]["spec"] == {
        "contract": {"namespace": "team-a", "name": "c"},
        "client": "billing-1.0",
        "api": "stock",
        "plan": "gold",
        "decision": "Approved",
    }


async def test_requests_whose_names_join_alike_are_apart(objects: Objects, dashboard: Opening) -> None:
    """Each has ids of its own, by which it stays open while the page is refreshed."""
    await objects.put("contracts", waiting("a-orders", samples.ago(hours=3), namespace="team", api="orders"))
    await objects.put("contracts", waiting("orders", samples.ago(hours=2), namespace="team-a", api="orders"))
    async with dashboard() as browser:
        await browser.open()
        page = await browser.page("/approvals")
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'data-copy="([^"]+)"', page)) <= set(ids)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=STOCK+gold", ["c"]),
        ("q=gold", ["c", "b", "a"]),
        ("namespace=orders", ["c", "b", "a"]),
        ("namespace=team-a", []),
        ("owner=Billing@example.com", ["c", "b", "a"]),
        ("owner=stock@example.com", []),
        ("page=9", ["c", "b", "a"]),
    ],
)
@pytest.mark.usefixtures("asked")
async def test_an_address_says_which_requests(browser: Browser, query: str, found: list[str]) -> None:
    page = await browser.page(f"/approvals?{query}")
    assert contracts(page) == found
    assert ("No requests match" in page) is (found == [])


async def test_a_page_that_cannot_be_meant(browser: Browser) -> None:
    assert (await browser.ask("/approvals?page=0")).status == 400


async def test_many_requests_have_pages(objects: Objects, dashboard: Opening) -> None:
    for number in range(60):
        await objects.put("contracts", waiting(f"many-{number:02}", samples.ago(hours=100 - number), api="orders"))
    async with dashboard() as browser:
        await browser.open()
        first = await browser.page("/approvals?owner=billing@example.com")
        assert contracts(first) == [f"many-{number:02}" for number in range(50)]
        (address,) = re.findall(r'rel="next" href="([^"]+)"', first)
        assert contracts(await browser.page(unescape(address))) == [f"many-{number:02}" for number in range(50, 60)]


async def test_nothing_waits(browser: Browser) -> None:
    assert "No contract is waiting for approval." in await browser.page("/approvals")


async def test_requests_come_and_go_by_themselves(browser: Browser, objects: Objects) -> None:
    async with browser.live() as events:
        await events.next()
        await objects.put("contracts", waiting("a", samples.ago(hours=3), api="orders"))
        await events.next()
        assert contracts(await browser.page("/approvals")) == ["a"]
        granted = samples.decided_contract(samples.contract("a", in_force="basic"), samples.client(), ())
        await objects.put("contracts", granted)
        await events.next()
        assert contracts(await browser.page("/approvals")) == []


async def test_a_provider_sees_what_waits_in_namespaces_that_are_not_theirs(
    objects: Objects, dashboard: Opening
) -> None:
    """By the status of their Apis, which names it; what is theirs to read is not named twice."""
    await objects.put("apis", named_by_api("orders", ("team-a", "a"), ("orders", "own")))
    await objects.put("contracts", waiting("own", samples.ago(hours=3), namespace="orders", api="orders"))
    async with dashboard("orders") as browser:
        await browser.open()
        page = await browser.page("/approvals")
        assert contracts(page) == ["own", "a"]
        assert len(approvals(page)) == 2
        assert "are not read" not in page


async def test_a_consumer_sees_their_own_requests(objects: Objects, dashboard: Opening) -> None:
    await objects.put("contracts", waiting("a", samples.ago(hours=3), api="orders"))
    async with dashboard("team-a") as browser:
        await browser.open()
        page = await browser.page("/approvals")
        assert contracts(page) == ["a"]
        assert "Approvals in namespace orders are not read" in page


@pytest.mark.parametrize(
    ("plural", "note", "found"),
    [
        ("apis", "You may not read Apis", ["a"]),
        ("contracts", "You may not read contracts", ["b"]),
        ("contractapprovals", "You may not read approvals", ["a"]),
    ],
)
async def test_a_right_that_is_missing_is_said(
    objects: Objects, dashboard: Opening, plural: str, note: str, found: list[str]
) -> None:
    await objects.put("contracts", waiting("a", samples.ago(hours=3), api="orders"))
    await objects.put("apis", named_by_api("orders", ("team-a", "b")))
    objects.forbidden.add(plural)
    async with dashboard() as browser:
        await browser.open()
        page = await browser.page("/approvals")
        assert note in page
        assert contracts(page) == found


class TestApprovalsThatAreThereAlready:
    """The page says what ``approve`` says."""

    @pytest.fixture(autouse=True)
    async def one(self, objects: Objects) -> None:
        await objects.put("contracts", waiting("a", samples.ago(hours=3)))

    async def test_of_the_same_decision(self, objects: Objects, dashboard: Opening) -> None:
        await objects.put("contractapprovals", {**samples.approval("a", "gold"), "status": {}})
        async with dashboard() as browser:
            await browser.open()
            page = await browser.page("/approvals")
            assert "orders/ok-a says so already: nothing to change" in page
            assert approvals(page) == []

    async def test_of_another_decision(self, objects: Objects, dashboard: Opening, repository: Path) -> None:
        given = samples.approval("a", "gold", decision="Rejected")
        path = repository / "ok.yaml"
        path.write_text(yaml.safe_dump({key: given[key] for key in ("apiVersion", "kind", "metadata", "spec")}))
        await objects.put("contractapprovals", {**given, "status": {}})
        async with dashboard() as browser:
            await browser.open()
            page = unescape(await browser.page("/approvals"))
            assert f"Change {path} in Git" in page
            assert "+  decision: Approved" in page

    async def test_that_cannot_be_read(self, objects: Objects, dashboard: Opening) -> None:
        given = samples.approval("a", "gold")
        await objects.put("contractapprovals", {**given, "spec": {**given["spec"], "decision": 5}})
        async with dashboard() as browser:
            await browser.open()
            page = await browser.page("/approvals")
            assert "ContractApproval orders/ok-a cannot be read by this version of the plugin" in page
            await objects.remove("contractapprovals", "orders", "ok-a")
            async with browser.live() as events:
                while "cannot be read" in await browser.page("/approvals"):
                    await events.next()
