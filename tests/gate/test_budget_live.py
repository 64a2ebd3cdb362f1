"""What a proof costs, and who pays for it, against a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from apiclients.gate.state.freshness import DENIED_SELECTOR, find_denied
from apiclients.kube.client import KubeClient
from apiclients.kube.kinds import ALL_KINDS, API_CLIENT_HOLDS, API_CLIENTS
from apiclients.kube.transport import Request
from tests.gate.live import Admin, gate
from tests.gate.objects import hold_object

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
IDENTITY = ("namespace", "name", "uid", "generation", "resourceVersion")


@pytest.fixture
async def people(admin: KubeClient) -> AsyncIterator[Admin]:
    """Somebody who leaves nothing behind."""
    yield Admin(admin)
    for kind in (API_CLIENTS, API_CLIENT_HOLDS):
        for body in [body async for page in admin.pages(kind) for body in page.items]:
            await admin.delete(kind, body["metadata"]["namespace"], body["metadata"]["name"])


async def listed(client: KubeClient, **options: Any) -> list[dict[str, Any]]:
    pages = client.pages(API_CLIENTS, field_selector=DENIED_SELECTOR, **options)
    return [item["metadata"] async for page in pages for item in page.items]


@pytest.mark.rule(17)
async def test_a_proof_costs_the_same_whatever_is_written_into_the_objects(
    people: Admin, account: KubeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    real_call = account._transport.call

    async def call(request: Request) -> bytes:
        body = await real_call(request)
        sizes.append(len(body))
        return body

    monkeypatch.setattr(account._transport, "call", call)
    await people.declare("small", "Suspended")
    before = await find_denied(account, API_CLIENTS)
    labels = {f"label-{number}": "x" * 60 for number in range(64)}
    large = {"metadata": {"labels": labels, "annotations": {APPLIED: "x" * 80_000}}}
    await people.client.merge_patch(API_CLIENTS, "team-a", "small", large)
    after = await find_denied(account, API_CLIENTS)
    for proof in (before, after):
        assert ("team-a", "small") in {finding.key for finding in proof.findings}
    assert sizes[1] - sizes[0] < 100 < 80_000
    sizes.clear()
    found = await listed(account, identity_only=True, page_size=1)
    assert found == [{field: one[field] for field in IDENTITY} for one in await listed(account, metadata_only=True)]


async def test_every_kind_can_be_listed_by_identity(people: Admin, account: KubeClient) -> None:
    await people.make("hold", hold_object("stop"))
    for kind in ALL_KINDS:
        async for page in account.pages(kind, identity_only=True):
            for item in page.items:
                assert sorted(item["metadata"]) == sorted(IDENTITY)


@pytest.mark.rule(17)
@pytest.mark.parametrize("how", ["clients", "holds"])
async def test_a_namespace_over_its_budget_is_refused_and_no_other(
    people: Admin, account: KubeClient, how: str
) -> None:
    await people.keys()
    good, neighbour = await people.declare("good"), await people.declare("neighbour", namespace="team-b")
    async with gate(account, more=("--namespace-budget", "5")) as running:
        await running.until(running.ready)
        token, other = await running.token_for(good), await running.token_for(neighbour)
        if how == "clients":
            await asyncio.gather(*(people.declare(f"c{number}", "Suspended") for number in range(6)))
        else:
            holds = (hold_object(f"h{number}", client=f"c{number}") for number in range(6))
            await asyncio.gather(*(people.make("hold", hold) for hold in holds))
        await running.answers(token, 401)
        assert (await running.call.check(other))[0] == 200
        metrics = (await running.call("GET", "/metrics"))[2].decode()
        assert 'apiclient_gate_refused_namespaces{client_namespace="team-a",reason="over_budget"} 1.0' in metrics
        proofs = running.freshness.proofs

        async def proved() -> bool:
            return bool(running.freshness.proofs > proofs + 1)

        await running.until(proved)
        assert running.freshness.last_proof.findings == (), "it is left out of the proofs"
        assert (await running.call.check(token))[0] == 401, "and stays refused"
        if how == "clients":
            await people.client.delete(API_CLIENTS, "team-a", "c0")
        else:
            await people.drop("hold", "team-a", "h0")
        await running.answers(token, 200)
        await people.desire("good", "Suspended")
        await running.answers(token, 401)
        assert (await running.call.check(other))[0] == 200
        assert running.freshness.lost_events == 0
        assert running.process._watches.holds.lost_events == 0
