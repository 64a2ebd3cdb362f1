"""What a gate reports of the use of clients."""

from __future__ import annotations

from apiclients.gate.state.tally import Tally
from apiclients.gate.state.usage import news
from apiclients.lifecycle.access import ClientView, client_view
from apiclients.lifecycle.usage import LastUse, time_of
from apiclients.resources.fields import format_time
from apiclients.resources.objects import ApiClient
from tests.toolkit.objects import client, stored

HOUR = 3600.0


def view(name: str, last_used: int | None = None) -> ClientView:
    """A client whose status says that it was last used in this hour."""
    status = {"observedGeneration": 1, "observedStatus": "Available"}
    status |= {"lastUsedTime": format_time(time_of(last_used))} if last_used is not None else {}
    return client_view(ApiClient.from_object({**stored(client(name)), "status": status}))


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


def test_a_client_that_nobody_used_is_not_reported() -> None:
    assert news(Tally(), {"a": view("a")}) == {}
