"""The whole product on a cluster, and what people and programs do with it."""

import base64
import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cluster import LocalCluster
from demo.calls import Answer, Credentials, ask_token, call, request
from demo.service import Service
from demo.stage import Stage
from tests.toolkit.admin import Admin
from tests.toolkit.objects import JsonObject
from tests.toolkit.waiting import PATIENCE, eventually


@dataclass
class Product:
    """A stage on which everything runs."""

    stage: Stage
    admin: Admin
    operator: Service
    gates: list[Service]
    gateway: str = ""
    others: list[Service] = field(default_factory=list)

    def ensure(self, *, operator: bool = True) -> None:
        """Start what an earlier test has left stopped."""
        services = [*self.others, *self.gates, *([self.operator] if operator else [])]
        for service in services:
            if not service.running:
                service.start(ready_within=None)
        for service in services:
            service.wait_ready(PATIENCE)
        if operator:
            eventually("the operator leads", lambda: leads(self.operator))

    def verdicts(self, token: str) -> list[int]:
        """What nginx and the gates that run answer to a token, as HTTP statuses."""
        calls = [call(f"{url(gate)}/check", token) for gate in self.gates if gate.running]
        if self.gateway:
            calls.append(call(f"{self.gateway}/orders", token))
        return [answer.status for answer in calls]

    def until_accepted(self, *tokens: str) -> None:
        """Wait until nginx and all gates accept these tokens."""
        eventually("the tokens are accepted", lambda: all(set(self.verdicts(token)) == {200} for token in tokens))

    def until_refused(self, *tokens: str) -> None:
        """Wait until nginx and all gates refuse these tokens."""
        eventually("the tokens are refused", lambda: all(set(self.verdicts(token)) == {401} for token in tokens))

    def until_gates_reach(self, obj: JsonObject) -> None:
        """Wait until all gates have seen this version of an object."""
        version = float(obj["metadata"]["resourceVersion"])
        running = [gate for gate in self.gates if gate.running]
        seen = "apiclient_gate_resource_version"
        eventually("the gates see it", lambda: all(metrics(gate)[seen] >= version for gate in running))

    def ask(self, credentials: Credentials, gate: int = 0) -> Answer:
        """Ask a gate for a token once."""
        endpoint = f"{url(self.gates[gate])}/token"
        return ask_token(dataclasses.replace(credentials, token_endpoint=endpoint))

    def tokens_issued(self, credentials: Credentials) -> list[int]:
        """What all gates answer to a request for a token, as HTTP statuses."""
        return [self.ask(credentials, number).status for number, gate in enumerate(self.gates) if gate.running]

    def until_secret_works(self, *secrets: Credentials) -> None:
        """Wait until all gates issue tokens for these secrets."""
        eventually("the secrets get tokens", lambda: all(set(self.tokens_issued(one)) == {200} for one in secrets))

    def until_secret_refused(self, *secrets: Credentials) -> None:
        """Wait until no gate issues tokens for these secrets."""
        eventually("the secrets are refused", lambda: all(set(self.tokens_issued(one)) == {401} for one in secrets))


@dataclass
class Client:
    """One ApiClient: what its owners apply, and what its program finds."""

    team: "Team"
    name: str
    spec: JsonObject

    @property
    def secret_name(self) -> str:
        """Where the operator is told to put the credentials."""
        return str(self.spec.get("secret", {}).get("name") or f"{self.name}-credentials")

    @property
    def manifest(self) -> JsonObject:
        """The YAML in Git, so to say."""
        meta = {"name": self.name, "namespace": self.team.namespace}
        return {"apiVersion": "apiclients.dev/v1alpha1", "kind": "ApiClient", "metadata": meta, "spec": self.spec}

    def apply(self, **changes: Any) -> str:
        """Change the spec (dicts are merged) and apply it with kubectl; returns what kubectl said."""
        self.merge(changes)
        return self.team.apply(self)

    def merge(self, changes: JsonObject) -> None:
        """Change the spec in Git, so to say: nothing is applied yet."""
        _merge(self.spec, changes)

    def get(self) -> JsonObject:
        """The object as it is now."""
        return self.team.product.admin.get("apiclients", self.team.namespace, self.name)

    def status(self) -> JsonObject:
        """Its status as it is now."""
        status: JsonObject = self.get()["status"]
        return status

    def condition(self, kind: str) -> JsonObject:
        """A condition as it is now; empty if it is not there."""
        return condition(self.get(), kind)

    def wait(self, what: str, test: Callable[[JsonObject], object], *, seconds: float = PATIENCE) -> JsonObject:
        """Wait until the operator has handled the latest spec and ``test`` is true; returns the object."""

        def probe() -> JsonObject | None:
            obj = self.get()
            handled = obj["status"]["observedGeneration"] == obj["metadata"]["generation"]
            return obj if handled and test(obj) else None

        try:
            return eventually(f"{self.name}: {what}", probe, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {json.dumps(self.get(), indent=1)}") from None

    def until_observed(self, status: str) -> JsonObject:
        """Wait until the operator has observed this status."""
        return self.wait(f"is {status}", lambda obj: obj["status"].get("observedStatus") == status)

    def until_enforced(self) -> JsonObject:
        """Wait until the operator has written that every gate obeys; then nothing more is written for this change."""
        return self.wait("is obeyed", lambda obj: condition(obj, "Enforced").get("status") == "True")

    def until_condition(self, kind: str, status: str, reason: str | None = None) -> JsonObject:
        """Wait for a condition, and return it."""

        def met(obj: JsonObject) -> bool:
            found = condition(obj, kind)
            return found.get("status") == status and reason in (None, found.get("reason"))

        return condition(self.wait(f"{kind}={status} {reason or ''}", met), kind)

    def until_credential(self, number: int) -> JsonObject:
        """Wait until the credential with this id is the current one; returns the status."""
        test: Callable[[JsonObject], bool] = lambda obj: current(obj["status"]).get("id") == number  # noqa: E731
        status: JsonObject = self.wait(f"has credential {number}", test)["status"]
        return status

    def secret(self) -> JsonObject:
        """Its Secret. Raises RefusedError."""
        return self.team.product.admin.get("secrets", self.team.namespace, self.secret_name)

    def credentials(self) -> Credentials:
        """What its program finds in the Secret."""
        return read_credentials(self.secret())

    def token(self) -> str:
        """An access token, as soon as the gate knows the secret."""
        credentials, product = self.credentials(), self.team.product

        def probe() -> Answer | None:
            answer = product.ask(credentials)
            return answer if answer.status == 200 else None

        return str(eventually("a token is issued", probe).json()["access_token"])


@dataclass
class Team:
    """A namespace of one test."""

    product: Product
    namespace: str

    def client(self, name: str, **spec: Any) -> Client:
        """A client that is not declared yet."""
        return Client(self, name, {"desiredStatus": "Available", **spec})

    def declare(self, name: str, *, observed: str = "Available", **spec: Any) -> Client:
        """Declare a client and wait until it is observed so."""
        client = self.client(name, **spec)
        self.apply(client)
        client.until_observed(observed)
        return client

    def apply(self, *clients: Client) -> str:
        """kubectl apply. Raises KubectlError."""
        items = {"apiVersion": "v1", "kind": "List", "items": [client.manifest for client in clients]}
        return self.kubectl("apply", "-f", "-", input=json.dumps(items))

    def kubectl(self, *arguments: str, input: str | None = None) -> str:
        """Run kubectl in this namespace; returns what it wrote."""
        return self.product.stage.cluster.kubectl(f"--namespace={self.namespace}", *arguments, input=input).stdout

    def refused(self, *arguments: str, input: str | None = None) -> str:
        """Run kubectl in this namespace, expecting it to fail; returns its words."""
        cluster = self.product.stage.cluster
        done = cluster.kubectl(f"--namespace={self.namespace}", *arguments, input=input, check=False)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def secrets(self) -> dict[str, JsonObject]:
        """All Secrets here, by name."""
        found = self.product.admin.list("secrets", self.namespace)
        return {secret["metadata"]["name"]: secret for secret in found}

    def events(self, name: str) -> list[JsonObject]:
        """The Events of a client."""
        events = self.product.admin.list("events", self.namespace)
        return [event for event in events if event["regarding"]["name"] == name]


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """A cluster of its own with the manifests applied; no program runs yet. ``folder`` takes logs and kubeconfigs."""
    with LocalCluster() as cluster, Stage(cluster, folder) as stage:
        stage.install()
        yield stage


def product_on(stage: Stage, *, gate_options: tuple[str, ...] = (), operator_options: tuple[str, ...] = ()) -> Product:
    """An operator and two gates, not started yet."""
    assert isinstance(stage.cluster, LocalCluster)
    gates = [stage.gate(number, options=gate_options) for number in (0, 1)]
    return Product(stage, Admin(stage.cluster), stage.operator(options=operator_options), gates)


def url(service: Service) -> str:
    """Where a program of ours listens."""
    assert service.ready_url
    return service.ready_url.removesuffix("/readyz")


def fetch(service: Service, path: str) -> Answer:
    """GET a path of a program of ours."""
    return request("GET", url(service) + path)


def metrics(service: Service) -> dict[str, float]:
    """What a program tells Prometheus: each series as written, and its value."""
    lines = fetch(service, "/metrics").body.decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    return {series: float(value) for series, value in pairs}


def leads(operator: Service) -> bool:
    """Whether it works: a replica that waits to lead is ready as well."""
    return metrics(operator)["apiclient_operator_leading"] == 1 and operator.is_ready()


def writes(operator: Service) -> dict[str, int]:
    """How many writes of clients and Secrets an operator has sent so far, by verb, resource and answer."""
    return {
        series.removeprefix("apiclient_operator_api_requests_total"): int(value)
        for series, value in metrics(operator).items()
        if series.startswith("apiclient_operator_api_requests_total")
        and any(f'verb="{verb}"' in series for verb in ("create", "update", "apply", "patch", "delete"))
        and any(f'resource="{resource}"' in series for resource in ("secrets", "apiclients"))
    }


def condition(obj: JsonObject, kind: str) -> JsonObject:
    """A condition of an object; empty if it is not there."""
    conditions: list[JsonObject] = obj.get("status", {}).get("conditions", [])
    return next((one for one in conditions if one["type"] == kind), {})


def current(status: JsonObject) -> JsonObject:
    """The current credential of a status; empty if there is none."""
    credentials: list[JsonObject] = status.get("credentials", [])
    return next((one for one in credentials if one["state"] == "Current"), {})


def read_credentials(secret: JsonObject) -> Credentials:
    """What is in a credentials Secret."""
    values = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    return Credentials(values["client-id"], values["client-secret"], values["token-endpoint"])


def issued_at(token: str) -> int:
    """The second in which a token was issued."""
    payload = token.split(".")[1]
    return int(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["iat"])


def until_second_over(token: str) -> datetime:
    """Wait until the second in which a token was issued is over, which is as fine as notBefore tells; returns its end.

    The gate may stamp a token with the second that is about to begin.
    """
    end = datetime.fromtimestamp(issued_at(token) + 1, UTC)
    eventually("the second is over", lambda: datetime.now(UTC) >= end)
    return end


def stamp_id(secret: JsonObject) -> int:
    """The id of the credential in a Secret, as its annotation says."""
    return int(json.loads(secret["metadata"]["annotations"]["apiclients.dev/credential"])["id"])


def encoded(text: str) -> str:
    """As the data of a Secret are written."""
    return base64.b64encode(text.encode()).decode()


def gone(admin: Admin, kind: str, namespace: str, name: str) -> None:
    """Wait until an object is no more."""
    eventually(f"{kind}/{name} is gone", lambda: admin.find(kind, namespace, name) is None)


def numbered(names: str, count: int) -> Iterator[str]:
    """``client-000``, ``client-001``, and so on."""
    return (f"{names}-{number:03}" for number in range(count))


def _merge(into: JsonObject, changes: JsonObject) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
