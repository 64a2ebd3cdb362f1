"""Operator and gate as processes: what the one writes, the other obeys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster import LocalCluster
from demo.calls import Answer, Credentials, call, request
from demo.stage import Stage
from tests.toolkit.waiting import eventually

API: dict[str, Any] = {
    "apiVersion": "apiclients.dev/v1alpha1",
    "kind": "Api",
    "metadata": {"name": "orders", "namespace": "team-b"},
    "spec": {
        "desiredStatus": "Published",
        "consumers": {"from": "All"},
        "plans": [
            {"name": "basic", "scopes": ["orders.read"], "rateLimit": {"requests": 5, "window": "1s"}},
            {"name": "gold", "approval": "Manual", "scopes": ["orders.read", "orders.write"]},
        ],
    },
}
CLIENT: dict[str, Any] = {
    "apiVersion": "apiclients.dev/v1alpha1",
    "kind": "ApiClient",
    "metadata": {"name": "billing", "namespace": "team-a"},
    "spec": {"desiredStatus": "Available"},
}
CONTRACT: dict[str, Any] = {
    "apiVersion": "apiclients.dev/v1alpha1",
    "kind": "Contract",
    "metadata": {"name": "billing-orders", "namespace": "team-a"},
    "spec": {"clientName": "billing", "api": {"namespace": "team-b", "name": "orders"}, "plan": "basic"},
}
APPROVAL: dict[str, Any] = {
    "apiVersion": "apiclients.dev/v1alpha1",
    "kind": "ContractApproval",
    "metadata": {"name": "billing", "namespace": "team-b"},
    "spec": {
        "contract": {"namespace": "team-a", "name": "billing-orders"},
        "client": "billing",
        "api": "orders",
        "plan": "gold",
        "decision": "Approved",
    },
}
HOLD: dict[str, Any] = {
    "apiVersion": "apiclients.dev/v1alpha1",
    "kind": "ApiClientHold",
    "metadata": {"name": "stop", "namespace": "team-a"},
    "spec": {"clientName": "billing", "reason": "a leak"},
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def edited(made: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return made | {"spec": made["spec"] | spec}


class Play:
    """A stage with operator and gate."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.url = f"{stage.gate_url(0)}/authz/team-b/orders"
        self.audience = f"{stage.issuer}/apis/team-b/orders"

    def apply(self, *objects: dict[str, Any]) -> None:
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.stage.cluster.kubectl("apply", "-f", "-", input=json.dumps(items))

    def delete(self, made: dict[str, Any]) -> None:
        meta = made["metadata"]
        self.stage.cluster.kubectl("delete", made["kind"].lower(), meta["name"], "-n", meta["namespace"])

    def token(self, credentials: Credentials) -> Answer:
        body = (
            f"grant_type=client_credentials&client_id={credentials.client_id}"
            f"&client_secret={credentials.client_secret}&resource={self.audience}"
        )
        return request("POST", credentials.token_endpoint, headers=FORM, body=body.encode())

    def issued(self, credentials: Credentials) -> Answer | None:
        """A token, if one is issued."""
        answer = self.token(credentials)
        return answer if answer.status == 200 else None

    def reason(self, kind: str, name: str, namespace: str) -> str:
        """The reason of the condition Ready."""
        path = '{.status.conditions[?(@.type=="Ready")].reason}'
        return self.stage.cluster.kubectl("get", kind, name, "-n", namespace, "-o", f"jsonpath={path}").stdout

    def until_answer(self, token: str, status: int, plan: str | None = None) -> Answer:
        def probe() -> Answer | None:
            answer = call(self.url, token)
            return answer if (answer.status, answer.headers.get("x-client-plan")) == (status, plan) else None

        return eventually(f"the gate answers {status}, plan {plan}", probe)


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    with LocalCluster() as cluster, Stage(cluster, tmp_path) as stage:
        stage.install()
        for namespace in ("team-a", "team-b"):
            cluster.kubectl("create", "namespace", namespace)
        stage.operator().start(ready_within=60)
        stage.gate(0).start(ready_within=60)
        yield Play(stage)


@pytest.mark.cluster
@pytest.mark.rule(9, 13, 14, 16)
def test_the_life_of_a_contract(play: Play) -> None:
    play.apply(CONTRACT, CLIENT)
    credentials = eventually("there are credentials", lambda: _found(play))
    eventually("a token for nothing is refused", lambda: play.token(credentials).status == 400)
    play.apply(API)
    answer = eventually("a token is issued", lambda: play.issued(credentials))
    basic = str(answer.json()["access_token"])
    allowed = play.until_answer(basic, 200, "basic")
    assert (allowed.headers["x-ratelimit-limit"], allowed.headers["x-client-scope"]) == ("5", "orders.read")

    # Make before break: the old plan stays until the new one is approved.
    play.apply(edited(CONTRACT, plan="gold"))
    eventually(
        "the operator has looked at it",
        lambda: play.reason("contract", "billing-orders", "team-a") == "PendingApproval",
    )
    assert call(play.url, basic).headers["x-client-plan"] == "basic"
    play.apply(APPROVAL)
    play.until_answer(basic, 200, "gold")
    play.delete(APPROVAL)
    play.until_answer(basic, 403)
    play.apply(APPROVAL)
    play.until_answer(basic, 200, "gold")

    # A retirement that names no contract is held; so is that of the Api.
    play.apply(
        CLIENT | {"spec": {"desiredStatus": "Retired"}}, API | {"spec": API["spec"] | {"desiredStatus": "Retired"}}
    )
    for kind, name, namespace in (("apiclient", "billing", "team-a"), ("api", "orders", "team-b")):
        eventually("the retirement is held", lambda: play.reason(kind, name, namespace) == "AcknowledgementRequired")  # noqa: B023
        assert call(play.url, basic).status == 200
    play.apply(CLIENT)
    play.apply(HOLD)
    play.until_answer(basic, 401)
    assert play.token(credentials).json()["error_description"] == "The client is stopped by a hold."
    play.delete(HOLD)
    play.until_answer(basic, 200, "gold")

    retired: dict[str, Any] = {"desiredStatus": "Retired", "retirement": {"acknowledgedContractCount": 1}}
    play.apply(edited(API, **retired))
    play.until_answer(basic, 410)
    play.apply(API)
    play.until_answer(basic, 200, "gold")
    play.delete(CONTRACT)
    play.until_answer(basic, 403)

    # Retired, deleted and made again, the Api is another one: tokens for the one before it stay dead.
    play.apply(CONTRACT)
    play.until_answer(basic, 200, "basic")
    play.apply(edited(API, desiredStatus="Retired", retirement=retired["retirement"] | {"gracePeriod": "0s"}))
    play.until_answer(basic, 410)
    play.delete(API)
    play.until_answer(basic, 403)
    play.apply(API)
    play.until_answer(basic, 401)
    renewed = eventually("a token is issued", lambda: play.issued(credentials))
    play.until_answer(str(renewed.json()["access_token"]), 200, "basic")
    assert call(play.url, basic).status == 401


def _found(play: Play) -> Credentials | None:
    found = play.stage.cluster.kubectl("get", "secret", "billing-credentials", "-n", "team-a", check=False)
    return play.stage.credentials("team-a", "billing-credentials") if found.returncode == 0 else None
