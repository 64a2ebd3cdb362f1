"""The timeline: what ends or is renewed within 90 days, as the operator will decide, and nothing twice."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from html import unescape
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiclients.cli.dashboard.state.ahead import Ahead
from apiclients.cli.dashboard.views.deadlines import Deadline, Kind
from apiclients.cli.dashboard.views.paging import QueryError
from apiclients.cli.dashboard.views.timeline import HORIZON, PAGE_SIZE, Grouping, read_timeline_query, timeline
from apiclients.cli.screens.foresight import Coming
from apiclients.cli.screens.text import Mark
from apiclients.resources.fields import format_time
from apiclients.resources.objects import ApiClientHold
from tests.cli import samples
from tests.cli.dashboard.conftest import Opening
from tests.cli.dashboard.scene import Browser, Objects
from tests.cli.samples import DAY, HOUR, NOW, JsonObject
from tests.kube.fake import FakeServer
from tests.toolkit.waiting import async_eventually

Row = tuple[str, str, str]


def rows(page: str) -> list[Row]:
    """When, what and kind of each row."""
    found = re.findall(
        r"<time [^>]*>([^<]+)</time> <small>[^<]+</small></td>\s*"
        r'<td data-label="What"><span[^>]*>.</span> ([^<]+)</td>\s*'
        r'<td data-label="Kind"[^>]*>([^<]+)</td>',
        unescape(page),
    )
    return [(when, what, kind) for when, what, kind in found]


async def shown(browser: Browser, query: str = "") -> list[Row]:
    """The rows of the page, once everything is foreseen."""

    async def page() -> str | None:
        text = await browser.page(f"/timeline{query}")
        return None if "Not complete yet" in text else text

    return rows(await async_eventually("everything is foreseen", page))


def in_namespace(raw: JsonObject, namespace: str) -> JsonObject:
    """The same object elsewhere."""
    return {**raw, "metadata": {**raw["metadata"], "namespace": namespace}}


@pytest.fixture
async def everything(objects: Objects) -> None:
    """A client with each kind of deadline, and what is no deadline."""
    objects.held.clear()
    rotated = {
        "credentials": [
            samples.credential(2, samples.ago(hours=19)),
            samples.credential(1, samples.ago(days=60), state="Previous", expires=NOW + 5 * HOUR),
        ],
        "lastCredentialId": 2,
    }
    await objects.put("apiclients", samples.client("rotated-1.0", status=rotated))
    manual = {"credentials": [samples.credential(1, samples.ago(days=89))]}
    await objects.put("apiclients", samples.client("manual-1.0", status=manual, secret={"rotation": "Manual"}))
    retired = samples.client("retired-1.0", desiredStatus="Retired")
    await objects.put("apiclients", samples.decided_client(retired, (), (), samples.ago(hours=3)))
    long = {"credentials": [samples.credential(1, NOW, expires=NOW + 400 * DAY)]}
    await objects.put("apiclients", samples.client("long-1.0", status=long, owner="long@example.com"))
    for name, ends in (("soon", NOW + 30 * DAY), ("far", NOW + 91 * DAY), ("over", samples.ago(days=1))):
        contract = samples.contract(name, in_force="basic")
        contract["spec"] |= {"endTime": format_time(ends), "clientName": "long-1.0"}
        await objects.put("contracts", contract)
    await objects.put("contracts", samples.contract("endless", in_force="basic"))
    await objects.put("apiclientholds", samples.hold("all", client_name=None, expiresTime=format_time(NOW + 2 * DAY)))
    await objects.put("apiclientholds", samples.hold("for-good", client_name="manual-1.0"))
    api = samples.api("old")
    final = {"retiredTime": format_time(NOW), "finalTime": format_time(NOW + 1 * DAY)}
    await objects.put("apis", {**api, "status": {**api["status"], "observedStatus": "Retired", "retirement": final}})


@pytest.mark.usefixtures("everything")
async def test_what_ends_within_90_days(dashboard: Opening) -> None:
    async with dashboard() as browser:
        await browser.open()
        assert await shown(browser) == [
            ("in 5h", "Credential #1 ends", "Credential"),
            ("in 21h", "The retirement becomes final", "Retirement"),
            ("in 24h", "The retirement of Api old becomes final", "Retirement"),
            ("in 24h", "The secret expires", "Credential"),
            ("in 2d", "Hold all ends: a selector", "Hold"),
            ("in 30d", "Contract soon for Api orders/soon ends (Active)", "Contract"),
            ("in 75d", "The operator issues a new secret, because it grows old", "Rotation"),
        ]


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("?kind=Hold", ["Hold"]),
        ("?owner=long@example.com", ["Contract"]),
        ("?owner=Long@example.com", ["Contract"]),
        ("?namespace=orders", ["Retirement"]),
        ("?namespace=nowhere", []),
        ("?q=soon+contract", ["Contract"]),
        ("?by=day&on=2026-03-15", ["Retirement", "Retirement", "Credential"]),
        ("?on=2026-03-09", ["Credential", "Retirement", "Retirement", "Credential"]),
        ("?on=2026-03-09&kind=Credential", ["Credential", "Credential"]),
    ],
)
async def test_an_address_says_which(dashboard: Opening, query: str, kinds: list[str]) -> None:
    async with dashboard() as browser:
        await browser.open()
        assert [kind for _, _, kind in await shown(browser, query)] == kinds


@pytest.mark.parametrize("query", ["kind=Nothing", "by=year", "on=tomorrow", "on=2026-13-01", "page=0"])
async def test_an_address_that_cannot_be_meant(browser: Browser, query: str) -> None:
    assert (await browser.ask(f"/timeline?{query}")).status == 400


def test_addresses_are_read_as_they_are_written() -> None:
    given = {"q": "a b&c", "namespace": "n", "owner": "x@y", "kind": "Hold", "by": "day", "on": "2026-03-16"}
    url = read_timeline_query({**given, "page": "3"}).url()
    assert url == "/timeline?q=a+b%26c&namespace=n&owner=x%40y&kind=Hold&by=day&on=2026-03-16&page=3"
    assert read_timeline_query({}).url() == "/timeline"
    with pytest.raises(QueryError):
        read_timeline_query({"page": "-1"})


async def test_it_follows_contracts_and_holds(browser: Browser, objects: Objects) -> None:
    contract = samples.contract("new", in_force="basic")
    contract["spec"]["endTime"] = format_time(NOW + 3 * DAY)

    async def kinds(*expected: str) -> bool:
        return [kind for _, _, kind in await shown(browser) if kind in ("Contract", "Hold")] == list(expected)

    async with browser.live() as events:
        await events.next()
        await objects.put("contracts", contract)
        await events.next()
        await async_eventually("the contract is there", lambda: kinds("Contract"))
        ends = format_time(NOW + 4 * DAY)
        await objects.put("apiclientholds", samples.hold("leak", client_name="stock-2.0", expiresTime=ends))
        await async_eventually("and the hold", lambda: kinds("Contract", "Hold"))
        await objects.remove("contracts", "team-a", "new")
        await objects.remove("apiclients", "team-a", "billing-1.0")
        await async_eventually("both are gone", lambda: kinds("Hold"))


async def test_what_may_not_be_read_is_said(objects: Objects, dashboard: Opening) -> None:
    objects.forbidden |= {"contracts", "apis"}
    async with dashboard() as browser:
        await browser.open()
        page = await browser.page("/timeline")
        assert "You may not read contracts" in page
        assert "You may not read Apis" in page
        assert "You may not read contracts" not in await browser.page("/")


async def test_what_cannot_be_read_is_said(objects: Objects, dashboard: Opening) -> None:
    await objects.put("contracts", {**samples.contract("newer"), "spec": {"clientName": 7}})
    async with dashboard() as browser:
        await browser.open()
        assert "Contract team-a/newer cannot be read" in await browser.page("/timeline")


async def test_only_the_namespace_is_read(objects: Objects, server: FakeServer, dashboard: Opening) -> None:
    contract = samples.contract("elsewhere", in_force="basic")
    contract["spec"]["endTime"] = format_time(NOW + 3 * DAY)
    await objects.put("contracts", in_namespace(contract, "team-b"))
    async with dashboard("team-a") as browser:
        await browser.open()
        assert {kind for _, _, kind in await shown(browser)} == {"Credential", "Rotation"}
        assert {request.path.split("/namespaces/")[1].split("/")[0] for request in server.requests} == {"team-a"}


async def test_text_of_others_is_text(objects: Objects, dashboard: Opening) -> None:
    evil = '"><script>alert(1)</script>\u202e'
    await objects.put("apiclients", samples.client("evil-1.0", owner=evil))
    async with dashboard() as browser:
        await browser.open()
        for query in ("", "?q=%22%3E%3Cscript%3E", "?owner=%3Cscript%3E"):
            page = await browser.page(f"/timeline{query}")
            assert page.count("<script") == 1
            assert "\u202e" not in page


def test_what_comes_is_foreseen_again_only_when_something_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[JsonObject] = []

    def foresee(obj: JsonObject, _holds: object, _now: object) -> tuple[Coming, ...]:
        asked.append(obj)
        return ()

    monkeypatch.setattr("apiclients.cli.dashboard.state.ahead._coming", foresee)
    ahead, key, raw = Ahead(), ("team-a", "billing-1.0"), samples.client()
    holds = (ApiClientHold.from_object(samples.hold("leak")),)
    ahead.look(key, raw, (), NOW)
    ahead.look(key, raw, (), NOW + HOUR)
    assert len(asked) == 1
    ahead.look(key, raw, holds, NOW)
    ahead.look(key, samples.client(), holds, NOW)
    assert len(asked) == 3
    ahead.drop(key)
    assert len(ahead) == 0


def test_what_has_come_is_foreseen_anew() -> None:
    hold = ApiClientHold.from_object(samples.hold("leak", expiresTime=format_time(NOW + HOUR)))
    ahead, key, raw = Ahead(), ("team-a", "billing-1.0"), samples.client()
    ahead.look(key, raw, (hold,), NOW)
    ((_, before),) = ahead
    ahead.look(key, raw, (hold,), NOW + 2 * HOUR)
    ((_, after),) = ahead
    assert "Hold leak ends" in [one.what for one in before]
    assert "Hold leak ends" not in [one.what for one in after]


_DEADLINES = st.lists(
    st.builds(
        Deadline,
        time=st.integers(0, 100 * 24).map(lambda hours: NOW + timedelta(hours=hours)),
        kind=st.sampled_from(Kind),
        namespace=st.sampled_from(["a", "b"]),
        client=st.sampled_from(["x", "y", None]),
        owner=st.none(),
        what=st.sampled_from(["p", "q"]),
        mark=st.just(Mark.PLAIN),
    ),
    max_size=300,
)


@given(deadlines=_DEADLINES, grouping=st.sampled_from(Grouping))
def test_bars_count_what_is_ahead_and_stay_in_the_picture(deadlines: list[Deadline], grouping: Grouping) -> None:
    query = read_timeline_query({"by": grouping})
    page = timeline(query, deadlines, NOW)
    ahead = [one for one in deadlines if one.time <= NOW + HORIZON]
    assert page.total == sum(bar.total for bar in page.bars) == len(ahead)
    assert sum(number for _, number, _ in page.counts) == len(ahead)
    assert sum(len(group.deadlines) for group in page.groups) == page.shown == min(PAGE_SIZE, len(ahead))
    for bar, following in zip(page.bars, [*page.bars[1:], None], strict=True):
        assert 0 <= bar.left < bar.left + bar.width <= (following.left if following else 100)
        assert all(one.bottom >= 0 and one.bottom + one.height <= 1 + 1e-9 for one in bar.segments)
    assert timeline(query, reversed(deadlines), NOW).bars == page.bars


def test_weeks_begin_on_mondays() -> None:
    page = timeline(read_timeline_query({}), (), NOW)
    assert page.bars[0].label == "9 Mar"
    assert date(2026, 3, 9).weekday() == 0
    assert page.bars[-1].label == "8 Jun"
    assert not page.groups


def test_pages_of_a_long_list() -> None:
    one = Deadline(NOW + DAY, Kind.HOLD, "a", None, None, "", Mark.PLAIN)
    many = [replace(one, what=str(number)) for number in range(PAGE_SIZE + 20)]
    first, last = (timeline(read_timeline_query({"page": page}), many, NOW) for page in ("1", "9"))
    assert (first.first, first.shown, first.previous, first.next) == (1, 100, None, "/timeline?page=2")
    assert (last.first, last.shown, last.previous, last.next) == (101, 20, "/timeline", None)
    assert first.groups[0].total == last.groups[0].total == 120


def test_6000_deadlines_are_shown_within_a_second() -> None:
    one = Deadline(NOW, Kind.CONTRACT, "a", "c", "o", "", Mark.PLAIN)
    many = [replace(one, time=NOW + timedelta(minutes=20 * number), what=str(number)) for number in range(6000)]
    began = process_time()
    assert timeline(read_timeline_query({"by": "day"}), many, NOW).total == 6000
    assert process_time() - began <= 1
