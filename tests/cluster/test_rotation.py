"""What rotates a secret and what does not, by the clock and by hand; and that nothing is written without need."""

import json
import time
from datetime import UTC, datetime

import pytest

from demo.calls import Credentials
from tests.toolkit.product import Client, Product, Team, current, metrics, writes
from tests.toolkit.waiting import eventually, settled

RECONCILES = 'apiclient_operator_reconcile_total{kind="ApiClient",result="success"}'


@pytest.mark.rule(4, 5)
def test_automatic_rotation_by_the_clock_never_leaves_the_client_without_a_secret(team: Team) -> None:
    # A new secret every 4 s, and 12 s for it to reach the gates, however slow the machine is.
    billing = team.declare("billing-1.0", secret={"lifetime": "16s", "renewBefore": "12s"})
    token = billing.token()
    seen: list[Credentials] = []
    while len(seen) < 3:
        now = billing.credentials()
        if not seen or seen[-1] != now:
            seen.append(now)
        answers = [team.product.ask(one).status for one in reversed(seen[-2:])]
        assert 200 in answers, "the new secret or the old one works at any time"
        time.sleep(0.05)
    assert len({one.client_id for one in seen}) == 1
    team.product.until_secret_refused(seen[0])
    assert set(team.product.verdicts(token)) == {200}
    status = billing.status()
    assert current(status)["cause"] == "Age"
    assert billing.condition("Ready")["status"] == "True"
    issued, expires = (datetime.fromisoformat(current(status)[key]) for key in ("issuedTime", "expiresTime"))
    assert (expires - issued).total_seconds() == 16


@pytest.mark.rule(4, 24)
def test_manual_rotation_only_tells_that_the_secret_expires_soon_and_then_that_it_has(team: Team) -> None:
    billing = team.declare("billing-1.0", secret={"lifetime": "15s", "renewBefore": "14s", "rotation": "Manual"})
    version = billing.secret()["metadata"]["resourceVersion"]
    billing.until_condition("ExpiringSoon", "True", "RotationDue")
    billing.until_condition("Stalled", "True", "Expired")
    assert datetime.now(UTC) >= datetime.fromisoformat(current(billing.status())["expiresTime"])
    assert billing.condition("ExpiringSoon")["reason"] == "Expired"
    assert billing.secret()["metadata"]["resourceVersion"] == version
    billing.apply(secret={"rotation": "Automatic", "lifetime": "1h"})
    billing.until_credential(2)
    team.product.until_secret_works(billing.credentials())
    billing.until_condition("Ready", "True", "Available")


@pytest.mark.rule(5)
def test_rotation_request_is_answered_once(team: Team) -> None:
    billing = team.declare("billing-1.0")
    old = billing.credentials()
    team.kubectl("annotate", "apiclient", "billing-1.0", "apiclients.dev/rotate-requested=please")
    status = billing.until_credential(2)
    assert current(status)["cause"] == "Request"
    assert status["lastHandledRotateRequest"] == "please"
    team.product.until_secret_works(old, billing.credentials())
    team.kubectl("annotate", "apiclient", "billing-1.0", "apiclients.dev/rotate-requested=please", "--overwrite")
    team.kubectl("annotate", "apiclient", "billing-1.0", "apiclients.dev/rotate-requested-")
    billing.apply(description="Something else")
    billing.until_observed("Available")
    assert current(billing.status())["id"] == 2
    team.kubectl("annotate", "apiclient", "billing-1.0", "apiclients.dev/rotate-requested=again")
    assert billing.until_credential(3)["lastHandledRotateRequest"] == "again"


@pytest.mark.rule(5, 21)
def test_other_labels_and_annotations_rotate_nothing_and_are_left_alone(team: Team) -> None:
    billing = team.declare("billing-1.0")
    before, written = billing.until_enforced(), writes(team.product.operator)
    team.kubectl("annotate", "apiclient", "billing-1.0", "apiclients.dev/rotate=now", "rotate-requested=now")
    team.kubectl("label", "apiclient", "billing-1.0", "team=a", "apiclients.dev/rotate-requested=now")
    team.product.until_gates_reach(billing.get())
    after = settled("the client", billing.get)
    assert after["status"] == before["status"]
    assert after["metadata"]["labels"] == {"team": "a", "apiclients.dev/rotate-requested": "now"}
    assert writes(team.product.operator) == written


@pytest.mark.rule(21)
def test_applying_the_same_again_writes_nothing(team: Team) -> None:
    billing = team.declare("billing-1.0", secret={"overlap": "1h"}, tokens={"lifetime": "1h"})
    version = billing.until_enforced()["metadata"]["resourceVersion"]
    written = writes(team.product.operator)
    for _ in range(2):
        assert "unchanged" in billing.apply()
    assert settled("the client", lambda: billing.get()["metadata"]["resourceVersion"]) == version
    assert writes(team.product.operator) == written
    assert team.kubectl("diff", "-f", "-", input=json.dumps(billing.manifest)) == ""


@pytest.mark.rule(21)
def test_restarted_operator_writes_nothing(product: Product, team: Team) -> None:
    available = team.declare("available-1.0")
    suspended = team.declare("suspended-1.0")
    suspended.apply(desiredStatus="Suspended")
    suspended.until_observed("Suspended")
    retired = team.declare("retired-1.0", retirement={"gracePeriod": "0s"})
    retired.apply(desiredStatus="Retired")
    retired.wait("is destroyed", lambda obj: not obj["status"].get("credentials"))
    rotated = team.declare("rotated-1.0", secret={"overlap": "1h"})
    rotated.apply(secret={"revision": 2})
    rotated.until_credential(2)
    stalled = team.declare("stalled-1.0", observed="Pending", secret={"lifetime": "1h", "overlap": "1h"})
    clients = [available, suspended, retired, rotated, stalled]
    for client in clients:
        client.until_enforced()
    before = settled("all of them", lambda: _versions(clients))
    product.operator.stop()
    product.operator.start()
    known = len(product.admin.list("apiclients"))
    eventually("all clients are looked at", lambda: metrics(product.operator).get(RECONCILES, 0) >= known)
    assert settled("all of them", lambda: _versions(clients)) == before
    ours = {name: count for name, count in writes(product.operator).items() if "apiclients" in name or count}
    assert ours == {}


@pytest.mark.rule(3, 5)
def test_revision_changed_while_suspended_waits_for_the_resumption(team: Team) -> None:
    billing = team.declare("billing-1.0")
    secret, token = billing.credentials(), billing.token()
    billing.apply(desiredStatus="Suspended", secret={"revision": 2})
    billing.until_observed("Suspended")
    assert billing.credentials() == secret
    billing.apply(desiredStatus="Available")
    billing.until_credential(2)
    team.product.until_secret_works(secret, billing.credentials())
    team.product.until_accepted(token)


@pytest.mark.rule(5)
def test_overlap_of_nothing_ends_the_old_secret_at_once(team: Team) -> None:
    billing = team.declare("billing-1.0", secret={"overlap": "0s"})
    old, token = billing.credentials(), billing.token()
    billing.apply(secret={"revision": 2})
    status = billing.until_credential(2)
    assert [c["id"] for c in status["credentials"]] == [2]
    team.product.until_secret_works(billing.credentials())
    team.product.until_secret_refused(old)
    assert set(team.product.verdicts(token)) == {200}


@pytest.mark.rule(5)
def test_overlap_can_be_cut_short_after_a_leak(team: Team) -> None:
    billing = team.declare("billing-1.0", secret={"overlap": "1h"})
    old = billing.credentials()
    billing.apply(secret={"revision": 2})
    billing.until_credential(2)
    team.product.until_secret_works(old, billing.credentials())
    billing.apply(secret={"overlap": "0s"})
    team.product.until_secret_refused(old)
    team.product.until_secret_works(billing.credentials())


@pytest.mark.rule(5, 24)
def test_no_secret_ends_early_because_of_too_many_rotations(team: Team) -> None:
    billing = team.declare("billing-1.0", secret={"overlap": "1h"})
    secrets = [billing.credentials()]
    for revision in range(2, 6):
        billing.apply(secret={"revision": revision})
        billing.until_credential(revision)
        secrets.append(billing.credentials())
    billing.apply(secret={"revision": 6})
    stalled = billing.until_condition("Stalled", "True", "TooManySecrets")
    assert "spec.secret.overlap" in stalled["message"]
    team.product.until_secret_works(*secrets)
    billing.apply(secret={"overlap": "0s"})
    billing.until_credential(6)
    team.product.until_secret_works(billing.credentials())
    team.product.until_secret_refused(*secrets)


def _versions(clients: list[Client]) -> list[str]:
    return [client.get()["metadata"]["resourceVersion"] for client in clients]
