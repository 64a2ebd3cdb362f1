"""An operator that does not see what happens to its clients, beside one that does: it must do no harm (rule 7).

So is a leader that was paused and has not noticed yet that another one leads, and any operator whose watch has fallen
silent: Secrets and the clock still reach it, and it decides on a spec that is not the latest.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.service import Service
from tests.toolkit.product import Product, Team, current, metrics, stamp_id
from tests.toolkit.proxy import FaultProxy
from tests.toolkit.waiting import eventually, settled

RECONCILES = 'apiclient_operator_reconcile_total{kind="ApiClient"'


@dataclass
class Stale:
    """An operator behind a proxy that can hold its watch of clients back."""

    proxy: FaultProxy
    service: Service

    def blind(self) -> None:
        """From now on it sees no change of a client, and all else."""
        self.proxy.stall("apiclients")

    def see(self) -> None:
        """Let it see again."""
        self.proxy.stall()

    def reconciles(self) -> float:
        """How often it has looked at a client, and done what it thought right."""
        return sum(count for series, count in metrics(self.service).items() if series.startswith(RECONCILES))

    def until_acted(self, before: float) -> None:
        """Wait until it has looked again."""
        eventually("the stale operator has looked", lambda: self.reconciles() > before)


@pytest.fixture
def stale(product: Product, tmp_path: Path, launch: Callable[[Service], Service]) -> Iterator[Stale]:
    token = product.stage.account("apiclient-operator")
    with FaultProxy(product.stage.cluster) as proxy:
        kubeconfig = proxy.kubeconfig(tmp_path / "kubeconfig", token.with_name(token.name + ".token"))
        name = f"stale-{proxy.url.rsplit(':', 1)[1]}"
        service = launch(product.stage.operator(name, kubeconfig=kubeconfig, options=["--no-leader-election"]))
        yield Stale(proxy, service)
        service.kill()


@pytest.mark.rule(5, 7)
def test_outdated_spec_rotates_nothing(team: Team, stale: Stale) -> None:
    billing = team.declare("billing-1.0", secret={"overlap": "1h", "revision": 1})
    old = billing.credentials()
    eventually("it knows the client", lambda: stale.reconciles() >= 1)
    stale.blind()
    before = stale.reconciles()
    billing.apply(secret={"revision": 2})
    billing.until_credential(2)
    stale.until_acted(before)
    stale.see()
    billing.wait("is settled", lambda obj: current(obj["status"]).get("revision") == 2)
    assert stamp_id(billing.secret()) == 2, "issued once"
    assert billing.status()["lastCredentialId"] == 2
    team.product.until_secret_works(old, billing.credentials())


@pytest.mark.rule(5, 7)
def test_outdated_spec_removes_no_secret_that_was_moved(team: Team, stale: Stale) -> None:
    billing = team.declare("billing-1.0", secret={"overlap": "1h"})
    old = billing.credentials()
    eventually("it knows the client", lambda: stale.reconciles() >= 1)
    stale.blind()
    before = stale.reconciles()
    billing.apply(secret={"name": "renamed"})
    billing.until_credential(2)
    moved = billing.secret()
    stale.until_acted(before)
    stale.see()
    billing.until_condition("Ready", "True")
    assert billing.secret()["metadata"]["uid"] == moved["metadata"]["uid"]
    assert billing.status()["lastCredentialId"] == 2
    team.product.until_secret_works(old, billing.credentials())


@pytest.mark.rule(7, 8)
def test_retirement_that_was_reverted_in_time_is_not_ended_by_who_did_not_see_it(team: Team, stale: Stale) -> None:
    billing = team.declare("billing-1.0", retirement={"gracePeriod": "20s"})
    secret, token, uid = billing.credentials(), billing.token(), billing.secret()["metadata"]["uid"]
    billing.apply(desiredStatus="Retired")
    final = billing.until_observed("Retired")["status"]["retirement"]["finalTime"]
    team.product.until_secret_refused(secret)
    settled("what the stale operator has looked at", stale.reconciles)
    stale.blind()
    billing.apply(desiredStatus="Available")
    billing.until_observed("Available")
    before = stale.reconciles()
    eventually("the grace period would be over", lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) > final)
    stale.until_acted(before)
    stale.see()
    settled("the client", billing.get)
    assert billing.secret()["metadata"]["uid"] == uid
    assert billing.status()["observedStatus"] == "Available"
    team.product.until_secret_works(secret)
    team.product.until_accepted(token)
