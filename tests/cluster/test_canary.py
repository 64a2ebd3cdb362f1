"""Secrets and tokens stand where they belong and nowhere else, whatever happens and however much is logged."""

import base64
import json
import urllib.parse
from collections.abc import Callable

import pytest

from demo.calls import Answer, Credentials, call, request
from demo.service import Service
from demo.stage import SYSTEM_NAMESPACE, Stage
from tests.cluster.teams import team_on
from tests.toolkit.admin import Admin
from tests.toolkit.product import Client, Product, Team, encoded, fetch, url
from tests.toolkit.waiting import eventually

EDITED = "canary-put-into-a-secret-by-hand-0123456789"
WRONG = "canary-that-was-never-a-secret-0123456789"
FOREIGN = "canary-in-a-secret-of-somebody-else-0123456789"


@pytest.fixture
def product(shared: Product, launch: Callable[[Service], Service]) -> Product:
    """The shared product with everything logged that can be: programs of its own, at level DEBUG."""
    shared.ensure()
    shared.operator.stop()
    stage: Stage = shared.stage
    operator = launch(stage.operator("talkative-operator", options=["--log-level=DEBUG"]))
    gate = launch(stage.gate(7, options=["--log-level=debug"]))
    return Product(stage, shared.admin, operator, [gate, *shared.gates], shared.gateway, shared.others)


@pytest.mark.rule(23)
def test_no_secret_and_no_token_is_told_to_anybody(product: Product) -> None:
    with team_on(product) as team:
        said = _live(team)
        canaries = said.secrets | {"by hand": EDITED, "wrong": WRONG, "foreign": FOREIGN}
        canaries |= {f"token {number}": token for number, token in enumerate(said.tokens)}
        eventually("Events are posted", lambda: [e for e in team.events("billing-1.0") if e["reason"] == "Rotated"])
        heard = _everything_told(product, team) | {f"answer {n}": text for n, text in enumerate(said.answers)}
        product.operator.stop()
        heard["the operator's log"] = product.operator.log.read_bytes()
        assert b'"DEBUG"' in heard["the operator's log"], "it was talkative indeed"
        found = [
            (where, name)
            for where, text in heard.items()
            for name, canary in canaries.items()
            if any(form in text for form in _forms(canary))
        ]
        assert found == []
        _verify_search(heard)


class _Said:
    """What was used, and what was answered to it."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.tokens: list[str] = []
        self.answers: list[bytes] = []

    def note(self, name: str, client: Client) -> Credentials:
        """Take down a secret and a token of a client."""
        credentials = client.credentials()
        self.secrets[f"{name} secret of {client.name}"] = credentials.client_secret
        return credentials

    def hear(self, answer: Answer) -> None:
        self.answers.append(repr(sorted(answer.headers.items())).encode() + answer.body)


def _live(team: Team) -> _Said:
    """Several rotations, an edited and a foreign Secret, wrong secrets, errors of every kind."""
    said, product = _Said(), team.product
    billing = team.declare("billing-1.0", secret={"overlap": "1h"}, retirement={"gracePeriod": "0s"})
    first = said.note("first", billing)
    said.tokens.append(billing.token())
    for revision in (2, 3):
        billing.apply(secret={"revision": revision})
        billing.until_credential(revision)
        said.note(f"revision {revision}", billing)
    product.admin.patch("secrets", team.namespace, billing.secret_name, {"data": {"client-secret": encoded(EDITED)}})
    billing.until_credential(4)
    said.note("after the edit", billing)
    product.admin.patch("secrets", team.namespace, billing.secret_name, {"data": {"client-secret": encoded(EDITED)}})
    billing.until_condition("Stalled", "True", "SecretConflict")
    _foreign(team)
    product.until_accepted(*said.tokens)
    _annoy(said, product, first, said.tokens[0])
    billing.apply(desiredStatus="Suspended")
    billing.until_observed("Suspended")
    said.hear(product.ask(first))
    said.hear(call(f"{product.gateway}/orders", said.tokens[0]))
    billing.apply(desiredStatus="Retired")
    billing.wait("is destroyed", lambda obj: not obj["status"].get("credentials"))
    billing.apply(desiredStatus="Available")
    billing.until_observed("Available")
    said.note("registered again", billing)
    said.tokens.append(billing.token())
    return said


def _foreign(team: Team) -> None:
    meta = {"name": "foreign-1.0-credentials"}
    team.product.admin.create(
        "secrets", team.namespace, {"metadata": meta, "data": {"client-secret": encoded(FOREIGN)}}
    )
    foreign = team.client("foreign-1.0")
    foreign.apply()
    foreign.until_condition("Stalled", "True", "SecretConflict")


def _annoy(said: _Said, product: Product, good: Credentials, token: str) -> None:
    """Everything that makes a gate answer with an error, secrets and tokens included."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    secret, client = good.client_secret, good.client_id
    bodies = [
        f"grant_type=client_credentials&client_id={client}&client_secret={WRONG}",
        f"grant_type=client_credentials&client_id={client}&client_secret={secret}&client_secret={secret}",
        f"grant_type=password&client_id={client}&client_secret={secret}",
        f"grant_type=client_credentials&scope=all&client_id={client}&client_secret={secret}",
        f"grant_type=client_credentials&client_id={secret}&client_secret={client}",
        f"client_secret={secret}",
        f"grant_type={secret}&client_id={client}&client_secret={secret}",
        f"token={token}&client_id={client}&client_secret={WRONG}",
        f"%%%{secret}&=&{token}",
        "x" * 20_000 + secret,
    ]
    for gate in product.gates:
        for path in ("/token", "/introspect", f"/{secret}", f"/check/{token}", f"/token?client_secret={secret}"):
            for body in bodies:
                said.hear(request("POST", url(gate) + path, headers=form, body=body.encode()))
        for value in (
            f"Bearer {secret}",
            f"Bearer {token}x",
            f"Basic {secret}",
            f"Basic {_basic(client, WRONG)}",
            token,
        ):
            for path in ("/check", "/token", "/introspect"):
                headers = {"Authorization": value, **form}
                said.hear(request("POST", url(gate) + path, headers=headers, body=b"grant_type=client_credentials"))
        said.hear(request("POST", f"{url(gate)}/token", headers={"Content-Type": secret}, body=token.encode()))
    for value in (f"Bearer {token}x", f"Bearer {secret}", f"Basic {_basic(client, secret)}"):
        said.hear(request("GET", f"{product.gateway}/orders?{secret}={token}", headers={"Authorization": value}))
    # A good token in two places must not come out anywhere either; the answer of the API is not an error.
    for gate in product.gates:
        request("GET", f"{url(gate)}/check?access_token={token}", headers={"Authorization": f"Bearer {token}"})
        request(
            "POST",
            f"{url(gate)}/introspect",
            headers={"Authorization": f"Basic {_basic(client, secret)}", **form},
            body=f"token={token}".encode(),
        )


def _everything_told(product: Product, team: Team) -> dict[str, bytes]:
    """Logs, Events, statuses and metrics."""
    admin: Admin = product.admin
    told = {str(path): path.read_bytes() for path in sorted(product.stage.folder.rglob("*.log"))}
    assert any("nginx-" in name for name in told), "nginx's own logs are among them"
    for service in (product.operator, *product.gates):
        for path in ("/metrics", "/readyz", "/healthz"):
            told[f"{path} of {service.name}"] = fetch(service, path).body
    for kind in ("apiclients", "events", "leases"):
        for space in (team.namespace, SYSTEM_NAMESPACE):
            told[f"{kind} of {space}"] = json.dumps(admin.list(kind, space)).encode()
    metadata = [{"metadata": secret["metadata"]} for secret in admin.list("secrets", team.namespace)]
    told["metadata of Secrets"] = json.dumps(metadata).encode()
    told["kubectl describe"] = team.kubectl("describe", "apiclients.apiclients.dev").encode()
    return told


def _forms(canary: str) -> set[bytes]:
    """A text as it could be written: plain, quoted, in hex, and in base64 at every offset."""
    raw = canary.encode()
    forms = {raw, urllib.parse.quote(canary, safe="").encode(), raw.hex().encode()}
    for offset in range(3):
        whole = base64.b64encode(b"\0" * offset + raw)
        # Without what depends on the neighbours, at both ends.
        inner = whole[4 if offset else 0 : len(whole) // 4 * 4 - 4]
        forms |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return forms


def _verify_search(heard: dict[str, bytes]) -> None:
    """The search finds what is there: in Basic credentials at any offset, and something known in what was heard."""
    for client in ("a", "ab", "abc"):
        assert any(form in _basic(client, WRONG).encode() for form in _forms(WRONG))
    assert any(b"billing-1.0" in text for where, text in heard.items() if "gate-7" in where)
    assert any(b"billing-1.0" in text for where, text in heard.items() if "apiclients of" in where)


def _basic(client: str, secret: str) -> str:
    return base64.b64encode(f"{client}:{secret}".encode()).decode()
