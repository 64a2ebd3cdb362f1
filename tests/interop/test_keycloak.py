"""Tokens of a real Keycloak, stopped and resumed at the gates, where Keycloak itself has no say any more."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.interop.keycloak import Keycloak, keycloak
from tests.interop.programs import INTEROP, MissingToolError
from tests.toolkit.objects import SYSTEM, JsonObject
from tests.toolkit.product import Client, Product, Team, product_on, staged
from tests.toolkit.waiting import eventually

pytestmark = list(INTEROP)
AUDIENCE = "https://api.example.com"
NAMESPACE, SUBJECT = "team-a", "team-a-billing"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    """Keycloak with the realm of a shop."""
    try:
        with keycloak(tmp_path_factory.mktemp("keycloak")) as running:
            running.make_realm(SUBJECT, AUDIENCE)
            yield running
    except MissingToolError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def product(issuer: Keycloak, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product that trusts it."""
    with staged(tmp_path_factory.mktemp("product")) as stage:
        running = product_on(stage, operator_options=("--allow-local-issuers",))
        running.ensure()
        trust(running, issuer)
        yield running


@pytest.fixture(scope="module")
def billing(product: Product) -> Client:
    """A client without a secret, known by Keycloak's tokens."""
    team = Team(product, NAMESPACE)
    product.stage.cluster.kubectl("create", "namespace", NAMESPACE)
    identity = {"issuer": "keycloak", "subject": SUBJECT}
    made = team.declare("billing", secret={"issue": False}, identities=[identity])
    not_before = datetime.fromisoformat(made.status()["tokens"]["notBefore"])
    eventually("a token that is issued now is younger", lambda: datetime.now(UTC) >= not_before)
    return made


def trust(product: Product, issuer: Keycloak) -> None:
    """Have a TokenIssuer for it, with its keys."""
    authority: JsonObject = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "keycloak-ca", "namespace": SYSTEM},
        "data": {"ca.crt": issuer.authority.read_text()},
    }
    trusted: JsonObject = {
        "apiVersion": "apiclients.dev/v1alpha1",
        "kind": "TokenIssuer",
        "metadata": {"name": "keycloak"},
        "spec": {
            "issuer": issuer.issuer,
            "keys": {"discoveryURL": f"{issuer.issuer}/.well-known/openid-configuration"},
            "certificateAuthority": {"configMap": {"name": "keycloak-ca", "key": "ca.crt"}},
            "audiences": [AUDIENCE],
            "subjectClaim": "azp",
            "scopesFrom": "Contract",
            "subjects": [{"namespace": NAMESPACE, "prefix": f"{NAMESPACE}-"}],
        },
    }
    product.admin.apply_object("configmaps", authority)
    product.admin.apply_object("tokenissuers", trusted)


@pytest.mark.rule(1, 29)
def test_a_suspension_stops_its_tokens_and_a_resumption_lets_the_same_in(
    product: Product, issuer: Keycloak, billing: Client
) -> None:
    token = issuer.token(SUBJECT)
    product.until_accepted(token)
    billing.apply(desiredStatus="Suspended")
    product.until_refused(token)
    assert issuer.ask_token(SUBJECT).status == 200, "Keycloak knows nothing of it"
    assert set(product.verdicts(issuer.token(SUBJECT))) == {401}
    billing.apply(desiredStatus="Available")
    product.until_accepted(token)


@pytest.mark.rule(29)
def test_a_client_disabled_in_keycloak_alone_goes_on_with_its_token(
    product: Product, issuer: Keycloak, billing: Client
) -> None:
    token = issuer.token(SUBJECT)
    product.until_accepted(token)
    issuer.enable(SUBJECT, enabled=False)
    assert issuer.ask_token(SUBJECT).status == 401
    assert set(product.verdicts(token)) == {200}, "no signature tells of it"
    billing.apply(desiredStatus="Suspended")
    product.until_refused(token)
    billing.apply(desiredStatus="Available")
    issuer.enable(SUBJECT, enabled=True)
    product.until_accepted(token)


@pytest.mark.rule(31)
def test_new_keys_are_found_when_a_token_names_them(product: Product, issuer: Keycloak, billing: Client) -> None:
    assert billing.status()["identities"]
    before = issuer.token(SUBJECT)
    product.until_accepted(before)
    issuer.rotate_keys()
    product.until_accepted(issuer.token(SUBJECT))
    assert set(product.verdicts(before)) == {200}, "its key is still published"
