"""What a gate reports of the use of clients."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apiclients.gate.state.tally import Tally
from apiclients.gate.state.usage import UsageReport, contract_news, last_use, news
from apiclients.gate.tokens.acceptance import Passed
from apiclients.lifecycle.access import ClientView, client_view
from apiclients.lifecycle.reports import report
from apiclients.lifecycle.usage import LastUse, hour_of, time_of
from apiclients.resources.fields import format_time
from apiclients.resources.objects import ApiClient
from tests.gate.objects import API, api_object, contract_object
from tests.gate.support import START, World, time_at
from tests.toolkit.objects import client, stored

HOUR = 3600.0
HOUR_NOW = hour_of(START)


def view(name: str, last_used: int | None = None, credentials: Mapping[int, int] | None = None) -> ClientView:
    """A client whose status says that it, and its credentials, were last used in these hours."""
    status: dict[str, object] = {"observedGeneration": 1, "observedStatus": "Available"}
    status |= {"lastUsedTime": format_time(time_of(last_used))} if last_used is not None else {}
    status["credentials"] = [credential(id_, hour) for id_, hour in (credentials or {}).items()]
    return client_view(ApiClient.from_object({**stored(client(name)), "status": status}))


def credential(id_: int, last_used: int) -> dict[str, object]:
    issued = {"issuedTime": "2026-01-01T00:00:00Z", "expiresTime": "2026-03-01T00:00:00Z", "cause": "Age"}
    kept = {"id": id_, "revision": 1, "state": "Current", "digest": "d", "pepper": "p"}
    return {**kept, **issued, "lastUsedTime": format_time(time_of(last_used))}


def reported_of(tally: Tally, clients: Mapping[str, ClientView]) -> dict[str, LastUse]:
    return {uid: last_use(tally, uid) for uid in news(tally, clients)}


def test_only_what_statuses_do_not_say_is_reported_the_longest_untold_first() -> None:
    tally = Tally()
    clients = {name: view(name, told) for name, told in (("a", 9), ("b", 10), ("c", None), ("d", 11))}
    for uid in (*clients, "gone"):
        tally.used(uid, 10.5 * HOUR)
    tally.used_credential("c", 3, 9.5 * HOUR)
    tally.used("c", 10.5 * HOUR)
    reported = reported_of(tally, clients)
    assert list(reported) == ["c", "a"]
    assert reported["c"] == LastUse(10, {3: 9})


def test_a_credential_that_is_used_in_an_hour_that_is_told_of_its_client_is_reported() -> None:
    """Otherwise a status would say that a previous secret was not used any more, because the current one was first."""
    tally = Tally()
    clients = {"a": view("a", 10, {1: 8, 2: 10}), "b": view("b", 10, {1: 8, 2: 10})}
    for uid in clients:
        tally.used_credential(uid, 2, 10.2 * HOUR)
    tally.used_credential("a", 1, 10.7 * HOUR)
    assert reported_of(tally, clients) == {"a": LastUse(10, {1: 10, 2: 10})}
    assert news(tally, {"a": view("a", 10, {1: 10, 2: 10})}) == []
    assert news(tally, {"a": view("a", 10, {2: 10})}) == [], "nothing is left where the status could say it"


def test_a_client_that_nobody_used_is_not_reported() -> None:
    assert news(Tally(), {"a": view("a")}) == []


def test_contracts_are_reported_once_their_hour_is_news_the_longest_untold_first() -> None:
    world = World()
    for number, told in enumerate((HOUR_NOW, None, HOUR_NOW - 1)):
        api = ("team-b", f"api-{number}")
        world.tell("api", api_object(api))
        world.tell("contract", contract_told(number, api, told))
        call(world, api)
    assert list(contract_news(world.access, world.picture.by_uid).items()) == [("1", HOUR_NOW), ("2", HOUR_NOW)]
    world.tell("contract", contract_told(1, ("team-b", "api-1"), HOUR_NOW))
    assert contract_news(world.access, world.picture.by_uid) == {"2": HOUR_NOW}


def test_a_contract_that_takes_the_place_of_another_was_not_used_yet() -> None:
    world = World()
    world.tell("api", api_object())
    world.tell("contract", contract_object(("team-a", "first"), uid="first"))
    call(world, API)
    world.tell("contract", contract_object(("team-a", "first"), uid="first", observed="Inactive", in_force=None))
    world.tell("contract", contract_object(("team-a", "second"), uid="second"))
    assert contract_news(world.access, world.picture.by_uid) == {"first": HOUR_NOW}, "until the second one is used"
    world.clock.advance(2 * HOUR)
    call(world, API)
    assert contract_news(world.access, world.picture.by_uid) == {"second": HOUR_NOW + 2}


def test_a_report_says_up_to_when_it_is_complete_and_keeps_that_while_not_all_have_room() -> None:
    world, tally, many = World(), Tally(), {f"{number:036d}": view("a") for number in range(4000)}
    told = UsageReport(tally, world.access, many)
    for uid in many:
        tally.used(uid, START)
    assert report(lease(told, time_at(START))).complete is None
    for uid in list(many)[3000:]:
        tally.forget(uid)
    complete = lease(told, time_at(START + 60))
    assert report(complete).complete == time_at(START + 60)
    for uid in many:
        tally.used(uid, START)
    full = lease(told, time_at(START + 120))
    assert report(full).complete == time_at(START + 60)
    assert 3000 < len(report(full).clients) < 4000
    assert sum(map(len, full["metadata"]["annotations"].values())) < 256 * 1024


def lease(told: UsageReport, now: datetime) -> dict[str, Any]:
    return {"metadata": {"annotations": told.annotations(now)}}


def call(world: World, api: tuple[str, str]) -> None:
    """A call of the client that is allowed."""
    access = world.access.find("/".join(api).encode())
    assert access is not None
    token = world.token(aud=access.audience, scope="orders.read").encode()
    assert isinstance(world.gate.call(token, access, ()), Passed)


def contract_told(number: int, api: tuple[str, str], hour: int | None) -> dict[str, Any]:
    """A contract whose status says that it was last used in this hour."""
    found = contract_object(("team-a", f"contract-{number}"), uid=str(number), api=api)
    if hour is not None:
        found["status"]["lastUsedTime"] = format_time(time_of(hour))
    return found
