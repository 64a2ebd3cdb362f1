"""What a gate reports of the use of clients."""

from __future__ import annotations

from collections.abc import Mapping

from apiclients.gate.state.tally import Tally
from apiclients.gate.state.usage import news
from apiclients.lifecycle.access import ClientView, client_view
from apiclients.lifecycle.usage import LastUse, time_of
from apiclients.resources.fields import format_time
from apiclients.resources.objects import ApiClient
from tests.toolkit.objects import client, stored

HOUR = 3600.0


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


def test_only_what_statuses_do_not_say_is_reported_the_longest_untold_first() -> None:
    tally = Tally()
    clients = {name: view(name, told) for name, told in (("a", 9), ("b", 10), ("c", None), ("d", 11))}
    for uid in (*clients, "gone"):
        tally.used(uid, 10.5 * HOUR)
    tally.used_credential("c", 3, 9.5 * HOUR)
    tally.used("c", 10.5 * HOUR)
    reported = news(tally, clients)
    assert list(reported) == ["c", "a"]
    assert reported["c"] == LastUse(10, {3: 9})


def test_a_credential_that_is_used_in_an_hour_that_is_told_of_its_client_is_reported() -> None:
    """Otherwise a status would say that a previous secret was not used any more, because the current one was first."""
    tally = Tally()
    clients = {"a": view("a", 10, {1: 8, 2: 10}), "b": view("b", 10, {1: 8, 2: 10})}
    for uid in clients:
        tally.used_credential(uid, 2, 10.2 * HOUR)
    tally.used_credential("a", 1, 10.7 * HOUR)
    assert news(tally, clients) == {"a": LastUse(10, {1: 10, 2: 10})}
    assert news(tally, {"a": view("a", 10, {1: 10, 2: 10})}) == {}
    assert news(tally, {"a": view("a", 10, {2: 10})}) == {}, "nothing is left where the status could say it"


def test_a_client_that_nobody_used_is_not_reported() -> None:
    assert news(Tally(), {"a": view("a")}) == {}
