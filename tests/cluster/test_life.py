"""A client's life, step by step: through kubectl, behind a real nginx, with two gates."""

import json
from datetime import UTC, datetime

import pytest

from demo.calls import call
from tests.toolkit.product import Product, Team, current, gone, until_second_over
from tests.toolkit.waiting import eventually

SOON = {"gracePeriod": "1s"}


@pytest.mark.rule(2, 24)
def test_declared_client_becomes_available_with_a_secret(team: Team) -> None:
    billing = team.declare("billing-1.0", client="billing", version="1.0")
    obj = billing.until_enforced()
    meta, status, secret = obj["metadata"], obj["status"], billing.secret()
    assert set(secret["data"]) == {"client-id", "client-secret", "issuer", "token-endpoint"}
    assert secret["type"] == "apiclients.dev/credentials"
    (owner,) = secret["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (meta["uid"], True)
    credentials = billing.credentials()
    assert len(credentials.client_secret) == 43, "256 bits in base64url"
    assert credentials.client_id == status["clientId"] == f"{team.namespace}.billing-1.0.{meta['uid'][:8]}"
    assert {c["type"]: c["status"] for c in status["conditions"]} == {
        "Ready": "True",
        "Active": "True",
        "Enforced": "True",
        "SecretReady": "True",
        "ExpiringSoon": "False",
    }
    team.kubectl("wait", "apiclient/billing-1.0", "--for=condition=Ready", "--timeout=30s")
    row = team.kubectl("get", "apiclient", "--no-headers").split()
    assert row[:5] == ["billing-1.0", "Available", "Available", "True", "Available"]


@pytest.mark.rule(1, 2)
def test_secret_gets_a_token_that_opens_the_gateway(team: Team) -> None:
    billing = team.declare("billing-1.0")
    token = billing.token()
    team.product.until_accepted(token)
    answer = call(f"{team.product.gateway}/orders", token).json()
    assert answer["client"] == billing.credentials().client_id
    assert answer["tokenSeen"] is False, "the API never sees the token"
    assert call(f"{team.product.gateway}/orders", None).status == 401
    assert team.product.verdicts(token[:-2] + "AA") == [401, 401, 401]


@pytest.mark.rule(3, 16)
def test_suspend_and_resume_bring_the_same_secret_and_the_same_token_back(team: Team) -> None:
    billing = team.declare("billing-1.0")
    secret, token = billing.credentials(), billing.token()
    version = billing.secret()["metadata"]["resourceVersion"]
    for _ in range(3):
        billing.apply(desiredStatus="Suspended")
        team.product.until_refused(token)
        billing.until_observed("Suspended")
        team.product.until_secret_refused(secret)
        billing.apply(desiredStatus="Available")
        team.product.until_accepted(token)
        team.product.until_secret_works(secret)
    assert billing.secret()["metadata"]["resourceVersion"] == version
    assert billing.until_condition("Ready", "True")["reason"] == "Available"


@pytest.mark.rule(24)
def test_suspended_is_ready_and_not_active_and_its_history_is_told(team: Team) -> None:
    billing = team.declare("billing-1.0")
    billing.apply(desiredStatus="Suspended")
    billing.until_condition("Active", "False", "Suspended")
    assert billing.condition("Ready")["status"] == "True"
    newest = billing.status()["history"][0]
    assert (newest["from"], newest["to"], newest["manager"]) == ("Available", "Suspended", "kubectl-client-side-apply")
    eventually("an Event tells of it", lambda: [e for e in team.events("billing-1.0") if e["reason"] == "Suspended"])


@pytest.mark.rule(16)
def test_suspension_bites_while_the_operator_is_down(team: Team) -> None:
    billing = team.declare("billing-1.0")
    secret, token = billing.credentials(), billing.token()
    team.product.until_accepted(token)
    team.product.operator.stop()
    billing.apply(desiredStatus="Suspended")
    team.product.until_refused(token)
    team.product.until_secret_refused(secret)
    team.product.operator.start()
    billing.until_observed("Suspended")
    billing.apply(desiredStatus="Available")
    team.product.until_accepted(token)


@pytest.mark.rule(16)
def test_resumption_waits_for_the_operator(team: Team) -> None:
    billing = team.declare("billing-1.0")
    token = billing.token()
    billing.apply(desiredStatus="Suspended")
    billing.until_observed("Suspended")
    team.product.operator.stop()
    billing.apply(desiredStatus="Available")
    team.product.until_gates_reach(billing.get())
    assert set(team.product.verdicts(token)) == {401}
    team.product.operator.start()
    team.product.until_accepted(token)


@pytest.mark.rule(3, 4, 24)
def test_expiry_while_suspended_shows_after_the_resumption_and_a_revision_mends_it(team: Team) -> None:
    reports = team.declare("reports-2.3", secret={"rotation": "Manual", "lifetime": "15s", "revision": 1})
    old, token = reports.credentials(), reports.token()
    reports.apply(desiredStatus="Suspended")
    reports.until_observed("Suspended")
    expires = datetime.fromisoformat(current(reports.status())["expiresTime"])
    eventually("the secret expires", lambda: datetime.now(UTC) >= expires)
    reports.apply(desiredStatus="Available")
    stalled = reports.until_condition("Stalled", "True", "Expired")
    assert "spec.secret.revision" in stalled["message"]
    assert reports.status()["observedStatus"] == "Expired"
    assert reports.condition("Active")["status"] == "True", "issued tokens live on"
    team.product.until_accepted(token)
    assert set(team.product.tokens_issued(old)) == {401}
    reports.apply(secret={"revision": 2, "lifetime": "720h"})
    reports.until_observed("Available")
    new = reports.credentials()
    team.product.until_secret_works(new)
    assert new.client_id == old.client_id
    assert set(team.product.tokens_issued(old)) == {401}
    team.product.until_accepted(token)


@pytest.mark.rule(5)
def test_rotation_keeps_both_secrets_for_the_overlap_and_every_token(team: Team) -> None:
    billing = team.declare("billing-1.0", secret={"overlap": "15s"})
    old, token = billing.credentials(), billing.token()
    billing.apply(secret={"revision": 2})
    status = billing.until_credential(2)
    new = billing.credentials()
    assert new.client_secret != old.client_secret
    assert new.client_id == old.client_id
    team.product.until_secret_works(new, old)
    assert set(team.product.verdicts(token)) == {200}
    newest, previous = status["credentials"]
    issued, ends = datetime.fromisoformat(newest["issuedTime"]), datetime.fromisoformat(previous["expiresTime"])
    assert (ends - issued).total_seconds() == 15
    team.product.until_secret_refused(old)
    assert datetime.now(UTC) >= ends
    assert set(team.product.tokens_issued(new)) == {200}
    assert set(team.product.verdicts(token)) == {200}
    billing.wait("the old credential is forgotten", lambda obj: len(obj["status"]["credentials"]) == 1)
    eventually("an Event tells of it", lambda: [e for e in team.events("billing-1.0") if e["reason"] == "Rotated"])


@pytest.mark.rule(8, 10)
def test_retirement_is_refused_at_once_and_reverting_in_time_restores_everything(team: Team) -> None:
    billing = team.declare("billing-1.0", retirement={"gracePeriod": "1h"})
    secret, token, uid = billing.credentials(), billing.token(), billing.secret()["metadata"]["uid"]
    billing.apply(desiredStatus="Retired")
    team.product.until_refused(token)
    status = billing.until_observed("Retired")["status"]
    ends = datetime.fromisoformat(status["retirement"]["finalTime"])
    assert (ends - datetime.fromisoformat(status["retirement"]["retiredTime"])).total_seconds() == 3600
    team.product.until_secret_refused(secret)
    assert billing.secret()["metadata"]["uid"] == uid, "nothing is destroyed yet"
    billing.apply(desiredStatus="Available")
    team.product.until_accepted(token)
    team.product.until_secret_works(secret)
    assert billing.secret()["metadata"]["uid"] == uid
    assert "retirement" not in billing.status()


@pytest.mark.rule(8, 10)
def test_retirement_ends_for_good_and_registering_again_gives_a_new_secret(team: Team) -> None:
    billing = team.declare("billing-1.0", retirement=SOON)
    old, token = billing.credentials(), billing.token()
    billing.apply(desiredStatus="Retired")
    team.product.until_refused(token)
    gone(team.product.admin, "secrets", team.namespace, "billing-1.0-credentials")
    ended = billing.wait("holds no credentials", lambda obj: not obj["status"].get("credentials"))
    assert ended["spec"] == billing.spec | {"secret": ended["spec"]["secret"], "tokens": ended["spec"]["tokens"]} | {
        "retirement": ended["spec"]["retirement"]
    }, "the configuration stays readable"
    assert billing.condition("Ready")["status"] == "True"
    billing.apply(desiredStatus="Available")
    billing.until_observed("Available")
    new = billing.credentials()
    fresh = billing.token()
    team.product.until_accepted(fresh)
    assert new.client_secret != old.client_secret
    assert new.client_id == old.client_id
    assert set(team.product.tokens_issued(old)) == {401}
    assert set(team.product.verdicts(token)) == {401}, "no token revives after a finished retirement"


@pytest.mark.rule(8)
def test_registering_again_as_suspended_gives_a_secret_that_works_later(team: Team) -> None:
    billing = team.declare("billing-1.0", retirement=SOON)
    billing.apply(desiredStatus="Retired")
    gone(team.product.admin, "secrets", team.namespace, "billing-1.0-credentials")
    billing.wait("holds no credentials", lambda obj: not obj["status"].get("credentials"))
    billing.apply(desiredStatus="Suspended")
    billing.wait("has a secret", lambda obj: current(obj["status"]))
    assert billing.status()["observedStatus"] == "Suspended"
    assert set(team.product.tokens_issued(billing.credentials())) == {401}
    billing.apply(desiredStatus="Available")
    team.product.until_secret_works(billing.credentials())


@pytest.mark.rule(11, 22)
def test_deleted_client_is_refused_and_one_of_the_same_name_revives_nothing(team: Team) -> None:
    billing = team.declare("billing-1.0")
    old, token = billing.credentials(), billing.token()
    team.product.until_accepted(token)
    team.kubectl("delete", "apiclient", "billing-1.0")
    team.product.until_refused(token)
    team.product.until_secret_refused(old)
    gone(team.product.admin, "secrets", team.namespace, "billing-1.0-credentials")
    again = team.declare("billing-1.0")
    fresh = again.token()
    team.product.until_accepted(fresh)
    assert again.credentials().client_id != old.client_id
    assert set(team.product.verdicts(token)) == {401}
    assert set(team.product.tokens_issued(old)) == {401}


@pytest.mark.rule(1, 10)
def test_tokens_before_not_before_die_and_younger_ones_live(product: Product, team: Team) -> None:
    billing = team.declare("billing-1.0")
    token = billing.token()
    product.until_accepted(token)
    now = until_second_over(token).strftime("%Y-%m-%dT%H:%M:%SZ")
    billing.apply(tokens={"notBefore": now})
    product.until_refused(token)
    status = billing.wait("obeys notBefore", lambda obj: obj["status"]["tokens"]["notBefore"] >= now)["status"]
    product.until_accepted(billing.token())
    billing.apply(tokens={"notBefore": None})
    billing.until_observed("Available")
    assert billing.status()["tokens"] == status["tokens"], "it never goes back"
    assert set(product.verdicts(token)) == {401}


@pytest.mark.rule(1)
def test_shorter_token_lifetime_cuts_issued_tokens_at_once(product: Product, team: Team) -> None:
    billing = team.declare("billing-1.0", tokens={"lifetime": "1h"})
    token = billing.token()
    product.until_accepted(token)
    billing.apply(tokens={"lifetime": "1s"})
    product.until_refused(token)
    billing.apply(tokens={"lifetime": "1h"})
    product.until_accepted(token)


@pytest.mark.rule(21)
def test_finalizer_of_another_kopf_operator_is_left_alone_and_delays_nothing(team: Team) -> None:
    """kopf removes its own finalizer wherever it finds it; all operators made with it share one name by default."""
    billing = team.declare("billing-1.0")
    billing.until_observed("Available")
    finalizer = {"metadata": {"finalizers": ["kopf.zalando.org/KopfFinalizerMarker"]}}
    team.kubectl("patch", "apiclient/billing-1.0", "--type=merge", "-p", json.dumps(finalizer))
    try:
        for status in ("Suspended", "Available"):
            billing.apply(desiredStatus=status)
            billing.until_observed(status)
        meta = json.loads(team.kubectl("get", "apiclient/billing-1.0", "-o", "json"))["metadata"]
        assert meta["finalizers"] == finalizer["metadata"]["finalizers"]
        assert "Throttling for" not in team.product.operator.log.read_text(), "kopf was refused a patch, and waits"
    finally:
        team.kubectl("patch", "apiclient/billing-1.0", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
