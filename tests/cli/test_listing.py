"""``get`` and ``contracts``: lines, filters, tables."""

import json
from datetime import datetime, timedelta

import pytest

from apiclients.cli.screens.contracts import contract_line, is_unused
from apiclients.cli.screens.listing import (
    ClientLine,
    Filter,
    SortKey,
    client_lines,
    client_table,
    contract_table,
    sort_key,
)
from apiclients.cli.screens.text import joined, table
from apiclients.resources.objects import ApiClientHold
from tests.cli import samples
from tests.cli.samples import DAY, NOW, JsonObject, ago, credential
from tests.cli.test_screens import compare


def clients() -> list[JsonObject]:
    """Clients in all kinds of states."""
    old = {"credentials": [credential(1, ago(days=80))]}
    found = [
        samples.client("available", displayName="A"),
        samples.client("expiring", owner="Payments <pay@example.com>", status=old),
        samples.client("held"),
        samples.client("suspended", desiredStatus="Suspended"),
        samples.client("retiring", desiredStatus="Retired"),
    ]
    decided = [samples.decided_client(one, (), (), ago(minutes=1)) for one in found]
    unreadable = samples.client("unreadable", tokens={"lifetime": "for ever"})
    return [*decided, samples.client("fresh", status={}), unreadable]


def lines() -> dict[str, ClientLine]:
    """Their lines, by name."""
    holds = [ApiClientHold.from_object(samples.hold("stop", client_name="held"))]
    return {line.name: line for line in client_lines(clients(), holds, NOW)}


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Filter(), {"available", "expiring", "held", "suspended", "retiring", "fresh", "unreadable"}),
        (Filter(not_ready=True), {"fresh", "unreadable"}),
        (Filter(held=True), {"held"}),
        (Filter(expiring=timedelta(days=14)), {"expiring"}),
        (Filter(owner="billing@example.com", held=True), {"held"}),
        (Filter(owner="*PAY@example*"), {"expiring"}),
        (Filter(status="suspended"), {"suspended"}),
        (Filter(status="Held"), {"held"}),
        (Filter(names=("fresh", "held")), {"fresh", "held"}),
    ],
)
def test_filters(wanted: Filter, names: set[str]) -> None:
    assert {name for name, line in lines().items() if wanted.lets(line, NOW)} == names


@pytest.mark.parametrize("key", SortKey)
def test_every_way_to_sort_takes_clients_in_any_state(key: SortKey) -> None:
    found = sorted(lines().values(), key=lambda line: sort_key(line, key))
    assert {line.name for line in found} == set(lines())


def test_what_is_not_known_comes_last() -> None:
    by_owner = sorted(lines().values(), key=lambda line: sort_key(line, SortKey.OWNER))
    assert [line.name for line in by_owner] == [
        "expiring", "available", "fresh", "held", "retiring", "suspended", "unreadable",
    ]  # fmt: skip
    by_expiry = sorted(lines().values(), key=lambda line: sort_key(line, SortKey.EXPIRES))
    assert by_expiry[0].name == "expiring"
    assert by_expiry[-1].secret_expires is None


def test_the_effective_status_is_that_of_now() -> None:
    found = {name: line.effective_status for name, line in lines().items()}
    assert found == {
        "available": "Available",
        "expiring": "Available",
        "held": "Held",
        "suspended": "Suspended",
        "retiring": "Retired",
        "fresh": "Pending",
        "unreadable": "<unknown>",
    }
    later = client_lines(clients()[:1], [], NOW + 100 * DAY)
    assert later[0].effective_status == "Expired"


@pytest.mark.parametrize("wide", [False, True])
def test_the_table_of_clients(wide: bool) -> None:
    rows = client_table(list(lines().values()), NOW, wide=wide, namespaces=wide)
    compare(f"get-{'wide' if wide else 'table'}.txt", joined(table(rows)))


@pytest.mark.parametrize("wide", [False, True])
def test_the_table_of_contracts(wide: bool) -> None:
    around = samples.busy()
    found = [contract_line(one, around.approvals) for one in around.contracts]
    rows = contract_table(found, NOW, wide=wide, namespaces=wide)
    compare(f"contracts-{'wide' if wide else 'table'}.txt", joined(table(rows)))


@pytest.mark.parametrize(
    ("last", "created", "since", "unused"),
    [
        (None, ago(days=90), timedelta(days=90), True),
        (None, ago(days=89), timedelta(days=90), False),
        (ago(days=1), ago(days=400), timedelta(days=2), False),
        (ago(days=3), ago(days=400), timedelta(days=2), True),
        (None, None, timedelta(days=2), False),
    ],
)
def test_what_is_unused(last: datetime | None, created: datetime | None, since: timedelta, unused: bool) -> None:
    assert is_unused(since, last, created, NOW) is unused


def test_names_of_columns_have_no_spaces() -> None:
    for rows in (
        client_table([], NOW, wide=True, namespaces=True),
        contract_table([], NOW, wide=True, namespaces=True),
    ):
        assert all(" " not in name and name.upper() == name for name in rows[0])
    assert "digest" not in json.dumps([str(line) for line in lines().values()])
