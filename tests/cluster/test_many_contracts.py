"""Hundreds of contracts of one client for one Api, and one of them edited again and again: nobody else notices."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle

import pytest

from demo.stage import SYSTEM_NAMESPACE
from tests.cluster.teams import team_on
from tests.toolkit.product import Product, Team, leads, metrics, numbered
from tests.toolkit.waiting import eventually, settled

MANY = 300
#: Edits in a second, far more than people make, and how many there have to be.
RATE, EDITS = 20, 60
#: The contract itself, once more where the answer to its own write comes late; with room for what is tried again.
MOST_RECONCILES = 4
NEWCOMERS = 3
RECONCILES = 'apiclient_operator_reconcile_total{kind="Contract",result="success"}'


@pytest.mark.rule(12, 24)
def test_many_contracts_of_one_absent_client_stop_nobody(product: Product, team: Team) -> None:
    with team_on(product) as crowded:
        names = list(numbered("contract", MANY))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: contract(crowded, name, "absent"), names))
        eventually("all are looked at", lambda: all(map(looked_at, product.admin.list("contracts", crowded.namespace))))
        settled("the reconciles", lambda: metrics(product.operator).get(RECONCILES))
        oldest = min(product.admin.list("contracts", crowded.namespace), key=age)["metadata"]["name"]
        leader, before = lease(product), metrics(product.operator)[RECONCILES]

        with editing(crowded, oldest) as edits:
            for number in range(NEWCOMERS):
                product.until_secret_works(team.declare(f"newcomer-{number}").credentials())
            eventually("there were enough edits", lambda: len(edits) >= EDITS)

        settled("the reconciles", lambda: metrics(product.operator).get(RECONCILES))
        done = metrics(product.operator)[RECONCILES] - before
        assert done <= MOST_RECONCILES * len(edits), "however many contracts there are"
        assert lease(product) == leader, "the operator has lost its Lease"
        assert leads(product.operator)


def contract(team: Team, name: str, client: str) -> None:
    """Declare one, to the same Api as all others, which is not there."""
    spec = {"clientName": client, "api": {"namespace": team.namespace, "name": "absent"}, "plan": "basic"}
    team.product.admin.apply("contracts", team.namespace, name, spec)


def looked_at(obj: dict[str, dict[str, object]]) -> bool:
    """Whether the operator has handled its latest spec."""
    return obj["status"].get("observedGeneration") == obj["metadata"]["generation"]


def age(obj: dict[str, dict[str, object]]) -> tuple[object, object]:
    """Of two the smaller is the older one."""
    return obj["metadata"]["creationTimestamp"], obj["metadata"]["uid"]


def lease(product: Product) -> tuple[str, int]:
    """Who leads, and how often that has changed."""
    spec = product.admin.get("leases", SYSTEM_NAMESPACE, "apiclient-operator")["spec"]
    return spec["holderIdentity"], spec.get("leaseTransitions", 0)


@contextmanager
def editing(team: Team, name: str) -> Iterator[list[str]]:
    """Move a contract away from its client and back, at a steady rate, as long as the context; what was done."""
    done: list[str] = []
    over = threading.Event()

    def edit() -> None:
        for client in cycle(("other", "absent")):
            if over.wait(1 / RATE):
                return
            contract(team, name, client)
            done.append(client)

    editor = threading.Thread(target=edit, daemon=True)
    editor.start()
    try:
        yield done
    finally:
        over.set()
        editor.join()
