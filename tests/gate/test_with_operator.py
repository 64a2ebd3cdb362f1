"""Operator and gate as processes: what the one writes, the other obeys."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster import LocalCluster
from demo.calls import Answer, Credentials, call, request
from demo.stage import Stage

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

    def until(self, what: str, probe: Callable[[], Any], seconds: float = 30.0) -> Any:
        end = time.monotonic() + seconds
        while not (found := probe()):
            assert time.monotonic() < end, what
            time.sleep(0.02)
        return found

    def until_answer(self, token: str, status: int, plan: str | None = None) -> Answer:
        def probe() -> Answer | None:
            answer = call(self.url, token)
            return answer if (answer.status, answer.headers.get("x-client-plan")) == (status, plan) else None

        found: Answer = self.until(f"the gate answers {status}, plan {plan}", probe)
        return found


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
    credentials = play.until("there are credentials", lambda: _found(play))
    play.until("a token for nothing is refused", lambda: play.token(credentials).status == 400)
    play.apply(API)
    answer = play.until("a token is issued", lambda: (got := play.token(credentials)).status == 200 and got)
    basic = str(answer.json()["access_token"])
    allowed = play.until_answer(basic, 200, "basic")
    assert (allowed.headers["x-ratelimit-limit"], allowed.headers["x-client-scope"]) == ("5", "orders.read")

    # Make before break: the old plan stays until the new one is approved.
    play.apply(edited(CONTRACT, plan="gold"))
    time.sleep(1)
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
    end = time.monotonic() + 2
    while time.monotonic() < end:
        assert call(play.url, basic).status == 200
    play.apply(CLIENT)
    play.apply(HOLD)
    play.until_answer(basic, 401)
    assert play.token(credentials).json()["error_description"] == "The client is stopped by a hold."
    play.delete(HOLD)
    play.until_answer(basic, 200, "gold")

    retired = {"desiredStatus": "Retired", "retirement": {"acknowledgedContractCount": 1}}
    play.apply(edited(API, **retired))
    play.until_answer(basic, 410)
    play.apply(API)
    play.until_answer(basic, 200, "gold")
    play.delete(CONTRACT)
    play.until_answer(basic, 403)


def _found(play: Play) -> Credentials | None:
    found = play.stage.cluster.kubectl("get", "secret", "billing-credentials", "-n", "team-a", check=False)
    return play.stage.credentials("team-a", "billing-credentials") if found.returncode == 0 else None
