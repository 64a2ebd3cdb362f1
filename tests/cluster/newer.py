"""A cluster whose CRDs are those of a newer version: they take enum values and fields that ours do not know."""

import itertools
import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from demo.calls import Answer, request
from tests.toolkit.objects import JsonObject
from tests.toolkit.policies import remove_value_policies
from tests.toolkit.product import Product, Team, condition, url
from tests.toolkit.waiting import eventually

CRDS = Path(__file__).resolve().parents[2] / "crds"
_NUMBERS = itertools.count(1)
API_VERSION = "apiclients.dev/v1alpha1"
PLURALS = {
    "ApiClient": "apiclients",
    "Api": "apis",
    "Contract": "contracts",
    "ContractApproval": "contractapprovals",
    "ApiClientHold": "apiclientholds",
}


def newer_schema(node: Any) -> Any:
    """The schema of a part as a later version might have it: any text for values, and any further field."""
    if isinstance(node, list):
        return [newer_schema(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {key: newer_schema(value) for key, value in node.items() if key != "enum"}
    if "enum" in node:
        found["maxLength"] = 63
    if node.get("type") == "object" and "properties" in node:
        found["x-kubernetes-preserve-unknown-fields"] = True
    return found


def install_crds(product: Product, *, newer: bool) -> None:
    """Put the newer CRDs in the place of ours, or ours in theirs."""
    for path in sorted(CRDS.glob("apiclients.dev_*.yaml")):
        crd = yaml.safe_load(path.read_text())
        for version in crd["spec"]["versions"] if newer else ():
            parts = version["schema"]["openAPIV3Schema"]["properties"]
            parts |= {part: newer_schema(parts[part]) for part in ("spec", "status") if part in parts}
        product.stage.cluster.kubectl("apply", "-f", "-", input=json.dumps(crd))


def make_newer(product: Product) -> None:
    """Give a cluster the newer CRDs, and wait until they are in use. What values they take is for newer policies."""
    remove_value_policies(product)
    install_crds(product, newer=True)
    eventually("the newer CRDs are in use", lambda: _takes_unknown_values(product), pause=0.2)


def roll_back(product: Product) -> None:
    """Give it ours again; what is stored stays."""
    install_crds(product, newer=False)
    eventually("our CRDs are in use", lambda: not _takes_unknown_values(product), pause=0.2)


def _takes_unknown_values(product: Product) -> bool:
    body = {"apiVersion": API_VERSION, "kind": "ApiClient", "metadata": {"name": "probe"}}
    body["spec"] = {"desiredStatus": "Probing"}
    return product.admin.ask("POST", "apiclients", "default", body=body, dryRun="All").status == 201


@dataclass
class Scene:
    """An Api, two clients with a contract each, an approval and a hold that stops nobody of them."""

    team: Team
    #: Where the operator had brought them, by kind and name, when the scene was set.
    before: dict[tuple[str, str], JsonObject] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        return self.team.namespace

    def set_up(self) -> None:
        """Apply all and wait until the operator is done."""
        plans = [{"name": "open"}, {"name": "gold", "approval": "Manual"}]
        self.apply("Api", "orders", {"desiredStatus": "Published", "plans": plans})
        for client in ("billing", "other"):
            self.apply("ApiClient", client, {"desiredStatus": "Available"})
            self.apply("Contract", f"{client}-orders", self.contract_spec(client))
        self.apply("ApiClientHold", "stop", {"clientName": "nobody", "reason": "test"})
        self.apply("ContractApproval", "yes", self.approval_spec("billing"))
        for kind, name in (
            ("Api", "orders"),
            ("ApiClient", "billing"),
            ("ApiClient", "other"),
            ("Contract", "billing-orders"),
            ("Contract", "other-orders"),
            ("ApiClientHold", "stop"),
        ):
            self.before[kind, name] = self.until(kind, name, "Ready", "True")
            if kind == "ApiClient":
                self.until(kind, name, "Enforced", "True")
        eventually("the contracts are counted", lambda: self.get("Api", "orders")["status"]["contracts"]["active"] == 2)
        for client in ("billing", "other"):
            counted = lambda name=client: self.get("ApiClient", name)["status"]["contracts"]["active"] == 1  # noqa: E731
            eventually("the contracts are counted", counted)
        self.before = {key: self.get(*key) for key in self.before}
        self.before["ContractApproval", "yes"] = self.until("ContractApproval", "yes", "Stalled", "True")

    def contract_spec(self, client: str) -> JsonObject:
        return {"clientName": client, "api": {"namespace": self.namespace, "name": "orders"}, "plan": "open"}

    def approval_spec(self, client: str) -> JsonObject:
        contract = {"namespace": self.namespace, "name": f"{client}-orders"}
        return {"contract": contract, "client": client, "api": "orders", "plan": "gold", "decision": "Approved"}

    def apply(self, kind: str, name: str, spec: JsonObject) -> None:
        body = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
        self.team.kubectl("apply", "-f", "-", input=json.dumps(body))

    def get(self, kind: str, name: str) -> JsonObject:
        return self.team.product.admin.get(PLURALS[kind], self.namespace, name)

    def patch_spec(self, kind: str, name: str, spec: JsonObject) -> JsonObject:
        return self.team.product.admin.patch(PLURALS[kind], self.namespace, name, {"spec": spec})

    def patch_status(self, kind: str, name: str, status: JsonObject) -> JsonObject:
        """As a newer operator would have written it."""
        admin = self.team.product.admin
        return admin.patch(PLURALS[kind], self.namespace, name, {"status": status}, subresource="status")

    def add_condition(self, kind: str, name: str, added: JsonObject) -> JsonObject:
        """A condition that a newer operator has beside ours."""
        known = self.get(kind, name)["status"]["conditions"]
        return self.patch_status(kind, name, {"conditions": [*known, added]})

    def delete(self, kind: str, name: str) -> None:
        self.team.product.admin.delete(PLURALS[kind], self.namespace, name)

    def until(self, kind: str, name: str, type_: str, status: str | None, reason: str | None = None) -> JsonObject:
        """Wait for a condition that speaks of the present generation (of any status with None); returns the object."""

        def probe() -> JsonObject | None:
            obj = self.get(kind, name)
            found = condition(obj, type_)
            now = found.get("observedGeneration") == obj["metadata"]["generation"]
            met = now and status in (None, found.get("status")) and reason in (None, found.get("reason"))
            return obj if met else None

        return eventually(f"{kind} {name}: {type_}={status} {reason or ''}", probe) or {}

    def until_unreadable(self, kind: str, name: str) -> JsonObject:
        return self.until(kind, name, "Stalled", "True", "Unreadable")

    def token(self, client: str) -> str:
        """A token of a client for the Api, as soon as the gate issues one."""
        product = self.team.product
        secret = product.admin.get("secrets", self.namespace, f"{client}-credentials")
        audience = f"{product.stage.issuer}/apis/{self.namespace}/orders"

        def ask() -> Answer | None:
            answer = request(
                "POST",
                f"{url(product.gates[0])}/token",
                headers={
                    "Authorization": _basic(secret),
                    "Content-Type": "application/x-www-form-urlencoded",
                },
                body=f"grant_type=client_credentials&resource={audience}".encode(),
            )
            return answer if answer.status == 200 else None

        answer = eventually("a token for the Api is issued", ask)
        assert answer
        return str(answer.json()["access_token"])

    def calls(self, token: str) -> list[int]:
        """What the gates answer to calls of the Api."""
        headers = {"Authorization": f"Bearer {token}"}
        path = f"/authz/{self.namespace}/orders"
        return [request("GET", url(gate) + path, headers=headers).status for gate in self.team.product.gates]

    def until_calls(self, token: str, *statuses: int) -> None:
        eventually(f"calls get {statuses}", lambda: set(self.calls(token)) <= set(statuses))


def scene_on(product: Product) -> Scene:
    """A scene in a namespace of its own, which stays as it is when the test is over."""
    scene = Scene(Team(product, f"scene-{next(_NUMBERS)}"))
    product.stage.cluster.kubectl("create", "namespace", scene.namespace)
    scene.set_up()
    return scene


def _basic(secret: JsonObject) -> str:
    pair = ":".join(b64decode(secret["data"][key]).decode() for key in ("client-id", "client-secret"))
    return "Basic " + b64encode(pair.encode()).decode()


def without_conditions(obj: JsonObject) -> JsonObject:
    """The status but for its conditions."""
    return {key: value for key, value in obj["status"].items() if key != "conditions"}


def others_of(obj: JsonObject) -> list[JsonObject]:
    """The conditions but for Ready and Stalled."""
    return [one for one in obj["status"]["conditions"] if one["type"] not in ("Ready", "Stalled")]
