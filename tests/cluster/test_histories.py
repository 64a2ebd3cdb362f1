"""Random histories against the real operator and gates: what they answer is what the model of the rules says."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from apiclients.resources.refs import NamespacedName
from demo.calls import Credentials, call
from tests.model.expected import Expected
from tests.model.facts import Client, Token
from tests.model.histories import (
    APIS,
    CONSUMERS,
    KINDS,
    PLAN_SETS,
    Delete,
    OldGate,
    Operator,
    PutApi,
    PutClient,
    PutContract,
    PutHold,
    Step,
    generate,
    render,
)
from tests.model.statuses import READERS, Key, differences
from tests.toolkit.admin import RefusedError
from tests.toolkit.product import Product, read_credentials, url
from tests.toolkit.waiting import PATIENCE, agreed, eventually, settled

NAMESPACES = (*CONSUMERS, *(namespace for namespace, _ in APIS))
#: Contracts first: a policy refuses to delete what active ones hang on.
_ORDER = ("contracts", "contractapprovals", "apiclientholds", "apiclients", "apis")
_PLURALS = {kind: f"{kind.lower()}s.apiclients.dev" for kind in KINDS.values()}


@dataclass
class Issued:
    """A real token, and what the model knows of it."""

    jwt: str
    token: Token
    audience: list[str]
    scopes: list[str]


@dataclass
class Replay:
    """One history under way on a cluster."""

    product: Product
    model: Expected = field(default_factory=lambda: Expected(datetime.now(UTC)))
    tokens: list[Issued] = field(default_factory=list)
    credentials: dict[int, Credentials] = field(default_factory=dict)

    def do(self, step: Step) -> None:
        if not self._act(step):
            return
        self.model.do(step)
        self.model.settle()
        self._until_same(step)
        self._fetch_tokens()

    def _act(self, step: Step) -> bool:
        """Do it on the cluster; whether that was let through."""
        if isinstance(step, PutContract):  # which of two is older is told in seconds, and then by chance
            second = int(time.time())
            eventually("another second", lambda: int(time.time()) > second)
        action, cluster = render(step, datetime.now(UTC)), self.product.stage.cluster
        if isinstance(step, Operator):
            if step.up != self.product.operator.running:
                self.product.operator.start(ready_within=PATIENCE) if step.up else self.product.operator.stop()
            return True
        if isinstance(step, OldGate):
            self.product.admin.age_gates(old=step.there)
            return True
        if isinstance(step, Delete):
            kind, (namespace, name) = _PLURALS[step.kind], step.key
            done = cluster.kubectl("delete", "-n", namespace, kind, name, "--ignore-not-found", check=False)
            refused = done.returncode != 0 and "active contract(s)" in done.stderr
            assert refused or done.returncode == 0, done.stderr
            return not refused
        cluster.kubectl("apply", "-f", "-", input=json.dumps(action.manifest()))
        return True

    # What the operator observes, and the gates answer.

    def _until_same(self, step: Step) -> None:
        """Also the statuses: a gate may answer right before the operator has seen the step, and the next one comes."""
        agreed(f"after {step}", self._differences)

    def _differences(self) -> list[str]:
        wrong = [f"{what}: {real}, not {told}" for what, real, told in self._answers() if real != told]
        return wrong + (differences(self._objects(), self.model) if self.model.up else [])

    def _objects(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        for plural in READERS:
            for obj in self.product.admin.list(plural):
                key = obj["metadata"]["namespace"], obj["metadata"]["name"]
                if key[0] in NAMESPACES:
                    yield (plural, key), obj

    def _answers(self) -> Iterator[tuple[str, int, int]]:
        for gate in self.product.gates:
            for issued in self.tokens:
                accepted = self.model.accepts(issued.token)
                yield "check", call(f"{url(gate)}/check", issued.jwt).status, 200 if accepted else 401
                for api in APIS:
                    real = call(f"{url(gate)}/authz/{api[0]}/{api[1]}", issued.jwt).status
                    yield f"{issued.token} to {api}", real, self._expected(issued, api)
        for client in self.model.clients.values():
            known = self.credentials.get(client.number)
            if known is not None:
                wanted = 200 if self.model.may_log_in(client) else 401
                yield f"log in of {client.spec.key}", self.product.ask(known).status, wanted

    def _expected(self, issued: Issued, api: NamespacedName) -> int:
        if not self.model.accepts(issued.token):
            return 401
        client = next(c for c in self.model.clients.values() if c.number == issued.token.client)
        answer = self.model.answer(client, api)
        if answer in ("403", "410"):
            return int(answer)  # no other token would pass
        if f"{self.product.stage.issuer}/apis/{api[0]}/{api[1]}" not in issued.audience:
            return 401
        return 200 if not issued.scopes or answer in issued.scopes else 403

    def _fetch_tokens(self) -> None:
        for client in self.model.clients.values():
            if self.model.may_log_in(client):
                eventually(f"{client.spec.key} gets a token", partial(self._fetch, client))
        self.tokens = self.tokens[-6:]

    def _fetch(self, client: Client) -> bool:
        namespace, name = client.spec.key
        try:
            found = read_credentials(self.product.admin.get("secrets", namespace, f"{name}-credentials"))
        except RefusedError:
            return False
        answer = self.product.ask(found)
        if answer.status != 200:
            return False
        self.credentials[client.number] = found
        jwt = str(answer.json()["access_token"])
        claims = _claims(jwt)
        audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        self.tokens.append(Issued(jwt, self.model.token(client), audience, claims["scope"].split()))
        return True


def _claims(jwt: str) -> dict[str, Any]:
    payload = jwt.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


@pytest.fixture
def replay(product: Product) -> Iterator[Replay]:
    cluster = product.stage.cluster
    for namespace in NAMESPACES:
        cluster.kubectl("create", "namespace", namespace, check=False)
        cluster.kubectl("label", "namespace", namespace, "tier-", check=False)
    yield Replay(product)
    product.admin.age_gates(old=False)
    product.ensure()
    for plural in _ORDER:
        eventually(f"{plural} are gone", partial(_clear, product, plural))


def _clear(product: Product, plural: str) -> bool:
    for namespace in NAMESPACES:
        product.admin.ask("DELETE", plural, namespace)  # refused, and asked for again, while contracts are active
    return not any(product.admin.list(plural, namespace) for namespace in NAMESPACES)


@pytest.mark.rule(16)
@pytest.mark.parametrize("seed", [3, 11])
def test_the_real_gates_answer_as_the_model_says(replay: Replay, seed: int) -> None:
    for step in generate(seed, 18, timeless=True):
        replay.do(step)


@pytest.mark.rule(21)
def test_a_restart_of_the_operator_writes_nothing(replay: Replay) -> None:
    """Whatever is listed first: no contract ends for a moment because its Api or client is not known yet."""
    apis = [PutApi(("shop", f"api-{number:02}"), PLAN_SETS[1]) for number in range(30)]
    clients: list[Step] = [PutClient(("team-a", "c1")), PutClient(("team-a", "c2")), PutHold(("team-a", "h1"), "c2")]
    deals = [
        PutContract(("team-a", f"{name}-{number:02}"), name, api.key, "basic")
        for number, api in enumerate(apis)
        for name in ("c1", "c2")
    ]
    steps: list[Step] = [*apis, *clients, *deals]
    items = [render(step, datetime.now(UTC)).manifest() for step in steps]
    product = replay.product
    product.stage.cluster.kubectl(
        "apply", "-f", "-", input=json.dumps({"kind": "List", "apiVersion": "v1", "items": items})
    )
    eventually("all contracts are active", lambda: _active(product) == len(deals))
    before = settled("all is quiet", lambda: _versions(product))
    for _ in range(2):
        product.operator.stop()
        product.operator.start(ready_within=PATIENCE)
        assert settled("all is quiet again", lambda: _versions(product), quiet=3) == before


def _active(product: Product) -> int:
    return [obj["status"].get("observedStatus") for obj in product.admin.list("contracts")].count("Active")


def _versions(product: Product) -> dict[str, str]:
    """The version of every object of ours in these namespaces."""
    found = [obj for plural in _ORDER for namespace in NAMESPACES for obj in product.admin.list(plural, namespace)]
    return {f"{o['kind']}/{o['metadata']['name']}": o["metadata"]["resourceVersion"] for o in found}
