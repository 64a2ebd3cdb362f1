"""Tokens of other issuers, recognised and stopped like our own, on a real API server."""

import json
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from apiclients.gate.tokens.assertions import JWT_BEARER
from demo.calls import Answer, call, request
from tests.cluster.teams import team_on
from tests.toolkit.issuer import AUDIENCE, ForeignIssuer, served
from tests.toolkit.objects import SYSTEM, JsonObject
from tests.toolkit.product import Client, Product, Team, condition, metrics, product_on, staged, url
from tests.toolkit.waiting import eventually


@pytest.fixture(scope="module")
def staged_product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product whose operator may fetch keys from this machine."""
    with staged(tmp_path_factory.mktemp("identities")) as stage:
        product = product_on(stage, operator_options=("--allow-local-issuers",))
        product.ensure()
        yield product


@pytest.fixture
def team(staged_product: Product) -> Iterator[Team]:
    with team_on(staged_product) as made:
        yield made


class Trust:
    """A TokenIssuer of a test, and what stands behind it."""

    def __init__(self, team: Team, issuer: ForeignIssuer, **spec: Any) -> None:
        self.team, self.issuer, self.admin = team, issuer, team.product.admin
        self.name = f"kc-{team.namespace}"
        self.spec: JsonObject = {
            "issuer": issuer.name,
            "keys": {"configMap": {"name": self.name, "key": "jwks.json"}},
            "audiences": [AUDIENCE],
            "subjects": [{"namespace": team.namespace, "prefix": f"{team.namespace}-"}],
            **spec,
        }

    def publish(self) -> None:
        """Tell its keys in the ConfigMap."""
        config_map(self.admin, self.name, {"jwks.json": json.dumps(self.issuer.jwks())})

    def apply(self, **changes: Any) -> None:
        self.spec |= changes
        meta = {"name": self.name}
        body = {"apiVersion": "apiclients.dev/v1alpha1", "kind": "TokenIssuer", "metadata": meta, "spec": self.spec}
        self.admin.apply_object("tokenissuers", body)

    def get(self) -> JsonObject:
        return self.admin.done("GET", "tokenissuers", None, self.name)

    def until(self, kind: str, status: str, reason: str) -> JsonObject:
        def probe() -> JsonObject | None:
            found = condition(self.get(), kind)
            return found if (found.get("status"), found.get("reason")) == (status, reason) else None

        try:
            return eventually(f"{self.name} has {kind}={status} {reason}", probe)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {json.dumps(self.get(), indent=1)}") from None

    def identity(self, name: str = "billing") -> JsonObject:
        return {"issuer": self.name, "subject": self.subject(name)}

    def subject(self, name: str = "billing") -> str:
        return f"{self.team.namespace}-{name}"

    def token(self, name: str = "billing", **changes: Any) -> str:
        return self.issuer.token(self.subject(name), **changes)


def config_map(admin: Any, name: str, data: dict[str, str]) -> None:
    meta = {"name": name, "namespace": SYSTEM}
    admin.apply_object("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})


def trusted(team: Team, **spec: Any) -> Trust:
    """A TokenIssuer with keys in a ConfigMap, in use."""
    trust = Trust(team, ForeignIssuer(f"https://{team.namespace}.example.com"), **spec)
    trust.publish()
    trust.apply()
    trust.until("Ready", "True", "Trusted")
    return trust


def after_not_before(client: Client) -> None:
    """Wait until a token that is issued now is younger than the client."""
    not_before = client.status()["tokens"]["notBefore"]
    eventually("time has passed", lambda: datetime.now(UTC) >= datetime.fromisoformat(not_before))


def declare(team: Team, trust: Trust, name: str = "billing", **spec: Any) -> Client:
    """A client without a secret, known by its identity."""
    made = team.declare(name, secret={"issue": False}, identities=[trust.identity(name)], **spec)
    after_not_before(made)
    return made


@pytest.mark.rule(1, 3, 16, 29)
def test_a_token_of_a_trusted_issuer_is_stopped_and_resumed_like_our_own(team: Team) -> None:
    trust = trusted(team)
    billing = declare(team, trust)
    token = trust.token()
    team.product.until_accepted(token)
    answer = call(f"{url(team.product.gates[0])}/check", token)
    assert answer.headers["x-client-id"] == billing.status()["clientId"]
    billing.apply(desiredStatus="Suspended")
    team.product.until_refused(token)
    billing.until_observed("Suspended")
    billing.apply(desiredStatus="Available")
    team.product.until_accepted(token)
    team.product.admin.apply("apiclientholds", team.namespace, "stop", {"clientName": "billing", "reason": "a leak"})
    team.product.until_refused(token)
    team.product.admin.delete("apiclientholds", team.namespace, "stop")
    team.product.until_accepted(token)


@pytest.mark.rule(16)
def test_a_suspension_bites_while_the_operator_is_down(team: Team) -> None:
    trust = trusted(team)
    billing, token = declare(team, trust), ""
    token = trust.token()
    team.product.until_accepted(token)
    team.product.operator.stop()
    billing.apply(desiredStatus="Suspended")
    team.product.until_refused(token)
    team.product.ensure()


@pytest.mark.rule(24)
def test_a_client_without_a_secret_is_available_and_has_none(team: Team) -> None:
    trust = trusted(team)
    billing = declare(team, trust)
    status = billing.status()
    conditions = {c["type"]: c["status"] for c in status["conditions"] if c["type"] != "Enforced"}
    assert conditions == {"Ready": "True", "Active": "True"}
    assert (status["credentials"], team.secrets()) == ([], {})
    (identity,) = status["identities"]
    assert (identity["issuer"], identity["subject"]) == (trust.name, trust.subject())


@pytest.mark.rule(3)
def test_a_secret_that_is_given_up_goes_and_is_refused_at_once(team: Team) -> None:
    trust = trusted(team)
    billing = team.declare("billing", identities=[trust.identity()])
    secret, token = billing.credentials(), billing.token()
    team.product.until_accepted(token)
    billing.apply(desiredStatus="Suspended", secret={"issue": False})
    billing.until_observed("Suspended")
    assert team.secrets(), "while suspended nothing is destroyed"
    billing.apply(desiredStatus="Available")
    team.product.until_secret_refused(secret)
    eventually("the Secret is gone", lambda: not team.secrets())
    billing.wait("has no credential", lambda obj: obj["status"]["credentials"] == [])
    assert billing.condition("Ready")["status"] == "True"
    team.product.until_accepted(token)
    billing.apply(secret={"issue": True})
    eventually("there is a Secret again", lambda: team.secrets())


@pytest.mark.rule(30)
def test_a_subject_without_a_grant_is_nobodys(team: Team) -> None:
    trust = trusted(team, subjects=[])
    billing = team.client("billing", secret={"issue": False}, identities=[trust.identity()])
    billing.apply()
    found = billing.until_condition("Stalled", "True", "IdentityNotGranted")
    assert trust.name in found["message"]
    assert team.namespace in found["message"]
    after_not_before(billing)
    token = trust.token()
    team.product.until_refused(token)
    trust.apply(subjects=[{"namespace": team.namespace, "prefix": f"{team.namespace}-"}])
    billing.until_condition("Ready", "True")
    team.product.until_accepted(token)
    trust.apply(subjects=[{"namespace": team.namespace, "prefix": "other-"}])
    team.product.until_refused(token)


@pytest.mark.rule(11, 29, 30)
def test_a_subject_is_the_oldest_claims_and_a_new_client_revives_no_token(team: Team) -> None:
    trust = trusted(team)
    first = declare(team, trust)
    second = team.client("copy", secret={"issue": False}, identities=[trust.identity("billing")])
    second.apply()
    found = second.until_condition("Stalled", "True", "IdentityTaken")
    assert "ApiClient billing" in found["message"]
    token = trust.token()
    team.product.until_accepted(token)
    answer = call(f"{url(team.product.gates[0])}/check", token)
    assert answer.headers["x-client-id"] == first.status()["clientId"]
    old, uid = first.get(), first.get()["metadata"]["uid"]
    eventually(
        "a second is over",
        lambda: time.time() > datetime.fromisoformat(old["status"]["tokens"]["notBefore"]).timestamp() + 2,
    )
    team.product.admin.delete("apiclients", team.namespace, "billing")
    second.until_condition("Ready", "True")
    team.product.admin.delete("apiclients", team.namespace, "copy")
    again = team.declare("billing", secret={"issue": False}, identities=[trust.identity()])
    assert again.get()["metadata"]["uid"] != uid
    after_not_before(again)
    team.product.until_accepted(trust.token())
    assert set(team.product.verdicts(token)) == {401}


@pytest.mark.rule(31)
def test_keys_are_fetched_again_for_a_key_that_nobody_knows(team: Team, tmp_path: Path) -> None:
    issuer = ForeignIssuer(f"https://{team.namespace}.example.com")
    with served(tmp_path) as (place, authority, documents):
        issuer.name = f"{place}/realm"
        documents.answers["/realm/.well-known/openid-configuration"] = {
            "issuer": issuer.name,
            "jwks_uri": f"{place}/keys",
        }
        documents.answers["/keys"] = issuer.jwks()
        config_map(team.product.admin, f"ca-{team.namespace}", {"ca.crt": authority})
        trust = Trust(
            team,
            issuer,
            keys={"discoveryURL": f"{issuer.name}/.well-known/openid-configuration"},
            certificateAuthority={"configMap": {"name": f"ca-{team.namespace}", "key": "ca.crt"}},
            refreshInterval="1h",
        )
        trust.apply()
        trust.until("Ready", "True", "Trusted")
        declare(team, trust)
        before = trust.token()
        team.product.until_accepted(before)
        issuer.add("second", "RS256")
        issuer.drop("first")
        documents.answers["/keys"] = issuer.jwks()
        after = trust.token()
        team.product.until_accepted(after)
        team.product.until_refused(before)
        documents.answers["/keys"] = {"keys": []}
        trust.apply(refreshInterval="10s")
        trust.until("Ready", "False", "FetchFailed")
        trust.until("Active", "True", "Trusted")
        assert set(team.product.verdicts(after)) == {200}, "the last good keys stay"


@pytest.mark.rule(30, 31)
def test_a_service_account_of_this_cluster_needs_no_secret(team: Team) -> None:
    cluster, admin = f"cluster-{team.namespace}", team.product.admin
    meta = {"name": cluster}
    body: JsonObject = {
        "apiVersion": "apiclients.dev/v1alpha1",
        "kind": "TokenIssuer",
        "metadata": meta,
        "spec": {"keys": {"cluster": {}}, "audiences": [AUDIENCE]},
    }
    admin.apply_object("tokenissuers", body)
    try:
        team.kubectl("create", "serviceaccount", "billing")
        billing = team.declare(
            "billing", secret={"issue": False}, identities=[{"issuer": cluster, "serviceAccountName": "billing"}]
        )
        after_not_before(billing)
        token = team.kubectl("create", "token", "billing", f"--audience={AUDIENCE}").strip()
        team.product.until_accepted(token)
        billing.apply(desiredStatus="Suspended")
        team.product.until_refused(token)
        own = team.kubectl("create", "token", "billing").strip()
        billing.apply(desiredStatus="Available")
        team.product.until_accepted(token)
        assert set(team.product.verdicts(own)) == {401}, "a token for the API server is none for APIs"
        issuer = admin.done("GET", "tokenissuers", None, cluster)["status"]["issuer"]
        body["spec"]["audiences"] = [AUDIENCE, issuer]
        admin.apply_object("tokenissuers", body)
        team.product.until_refused(own)
    finally:
        admin.done("DELETE", "tokenissuers", None, cluster)


@pytest.mark.rule(2, 29)
def test_a_pods_token_gets_a_token_of_ours_while_the_pod_lives(team: Team) -> None:
    """A Secret stands in for the pod: a token is bound to either in the same way."""
    cluster, admin, product = f"cluster-{team.namespace}", team.product.admin, team.product
    spec = {"keys": {"cluster": {}}, "audiences": [AUDIENCE], "uses": ["ClientAssertion"]}
    body: JsonObject = {"apiVersion": "apiclients.dev/v1alpha1", "kind": "TokenIssuer", "metadata": {"name": cluster}}
    admin.apply_object("tokenissuers", body | {"spec": spec})
    try:
        team.kubectl("create", "serviceaccount", "billing")
        team.kubectl("create", "secret", "generic", "pod")
        identity = {"issuer": cluster, "serviceAccountName": "billing"}
        billing = team.declare("billing", secret={"issue": False}, identities=[identity])
        after_not_before(billing)
        bound = ("--bound-object-kind=Secret", "--bound-object-name=pod")
        audience = f"--audience={product.stage.issuer}"
        assertion = team.kubectl("create", "token", "billing", audience, *bound).strip()
        issued = eventually("a token is issued", lambda: _exchanged(team, assertion))
        team.product.until_accepted(issued)
        assert _exchanged(team, assertion), "as often as the program likes"
        assert set(product.verdicts(assertion)) == {401}, "it is no token for calls"
        billing.apply(desiredStatus="Suspended")
        eventually("a suspended client gets none", lambda: not _exchanged(team, assertion))
        team.product.until_refused(issued)
        billing.apply(desiredStatus="Available")
        eventually("a resumed client gets one", lambda: _exchanged(team, assertion))
        admin.delete("secrets", team.namespace, "pod")
        eventually("no token for a pod that has gone", lambda: not _exchanged(team, assertion), seconds=30)
        assert metrics(product.gates[0])['apiclient_gate_tokens_total{outcome="refused",reason="token_review_denied"}']
        again = team.kubectl("create", "token", "billing", audience).strip()
        assert _exchanged(team, again)
        assert not _exchanged(team, again), "one that ends with nothing is good once"
    finally:
        admin.done("DELETE", "tokenissuers", None, cluster)


@pytest.mark.rule(2, 3, 16, 24)
def test_a_client_with_keys_of_its_own_needs_no_secret(team: Team) -> None:
    product, own = team.product, ForeignIssuer()
    billing = team.declare("billing", secret={"issue": False}, keys={"jwks": json.dumps(own.jwks())})
    after_not_before(billing)
    own.name = str(billing.status()["clientId"])

    def asserted() -> str:
        now = int(time.time())
        return own.token(own.name, aud=product.stage.issuer, exp=now + 60, jti=str(uuid.uuid4()))

    issued = eventually("a token is issued", lambda: _exchanged(team, asserted()))
    product.until_accepted(issued)
    billing.apply(desiredStatus="Suspended")
    eventually("a suspended client gets none", lambda: not _exchanged(team, asserted()))
    product.until_refused(issued)
    billing.apply(desiredStatus="Available")
    eventually("a resumed client gets one", lambda: _exchanged(team, asserted()))
    product.until_accepted(issued)
    own.add("second")
    billing.apply(keys={"jwks": json.dumps({"keys": [own.jwk("second")]})})
    eventually("a key that is taken out opens nothing", lambda: not _exchanged(team, asserted()))
    own.drop("first")
    assert eventually("the new one does", lambda: _exchanged(team, asserted()))
    private = json.dumps({"keys": [own.keys["second"].as_dict(private=True) | {"kid": "second"}]})
    shown = billing.manifest | {"spec": {**billing.spec, "keys": {"jwks": private}}}
    refused = team.refused("apply", "-f", "-", input=json.dumps(shown))
    assert "holds a private key" in refused
    escaped = private.replace('"d"', r'"\u0064"')
    billing.apply(keys={"jwks": escaped})
    found = billing.until_condition("Stalled", "True", "InvalidSpec")
    assert "has a private key in it" in found["message"]
    eventually("keys that cannot be used open nothing", lambda: not _exchanged(team, asserted()))


def _exchanged(team: Team, assertion: str) -> str:
    """The token that the first gate issues for a client assertion, or nothing."""
    form = {"grant_type": "client_credentials", "client_assertion_type": JWT_BEARER, "client_assertion": assertion}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urllib.parse.urlencode(form).encode()
    answer = request("POST", f"{url(team.product.gates[0])}/token", headers=headers, body=body)
    return str(answer.json()["access_token"]) if answer.status == 200 else ""


@pytest.mark.rule(1, 29)
def test_a_contract_decides_about_calls_with_foreign_tokens(team: Team) -> None:
    trust, product = trusted(team), team.product
    plans = [{"name": "basic", "scopes": ["orders.read", "orders.write"]}]
    product.admin.apply("apis", team.namespace, "orders", {"desiredStatus": "Published", "plans": plans})
    billing = declare(team, trust)
    place, token = f"{url(product.gates[0])}/authz/{team.namespace}/orders", trust.token(scope="orders.read email")
    eventually("there is no contract", lambda: call(place, token).status == 403)
    about = {"clientName": "billing", "api": {"namespace": team.namespace, "name": "orders"}, "plan": "basic"}
    product.admin.apply("contracts", team.namespace, "billing-orders", about)
    answer: Answer = eventually(
        "the call passes", lambda: found if (found := call(place, token)).status == 200 else None
    )
    assert (answer.headers["x-client-scope"], answer.headers["x-client-plan"]) == ("orders.read", "basic")
    assert call(place, trust.token(scope="email")).status == 403
    trust.apply(scopesFrom="Contract")
    eventually(
        "the contract decides alone",
        lambda: call(place, trust.token(scope="email")).headers.get("x-client-scope") == "orders.read orders.write",
    )
    product.admin.delete("contracts", team.namespace, "billing-orders")
    eventually("the call is refused", lambda: call(place, token).status == 403)
    eventually("the client may go", lambda: not billing.status()["contracts"]["active"])


@pytest.mark.rule(29)
def test_an_issuer_that_is_not_trusted_any_more_is_refused_at_once(team: Team) -> None:
    trust = trusted(team)
    declare(team, trust)
    token = trust.token()
    team.product.until_accepted(token)
    team.product.admin.done("DELETE", "tokenissuers", None, trust.name)
    team.product.until_refused(token)


@pytest.mark.rule(31)
def test_only_the_operator_says_which_keys_count(team: Team) -> None:
    trust, admin = trusted(team), team.product.admin
    team.kubectl("create", "serviceaccount", "writer")
    user = f"system:serviceaccount:{team.namespace}:writer"
    rules = ["--verb=get,update,patch", "--resource=tokenissuers.apiclients.dev,tokenissuers.apiclients.dev/status"]
    role = f"writes-{team.namespace}"
    team.kubectl("create", "clusterrole", role, *rules)
    team.kubectl(
        "create", "clusterrolebinding", role, f"--clusterrole={role}", f"--serviceaccount={team.namespace}:writer"
    )
    body = trust.get()
    body["status"]["keys"] = ForeignIssuer().jwks()["keys"]
    answer = eventually(
        "its role counts",
        lambda: (
            found
            if (
                found := admin.ask("PUT", "tokenissuers", None, trust.name, body, subresource="status", user=user)
            ).status
            and "policy" in found.message.lower()
            else None
        ),
    )
    assert answer.status == 403
    assert "the operator alone" in answer.message
