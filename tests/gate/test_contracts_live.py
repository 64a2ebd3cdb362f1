"""Contracts, Apis, approvals and holds on a real API server: each change is obeyed soon, also if its event is lost."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from apiclients.gate.state.freshness import Bounds
from apiclients.kube.client import LEASES, KubeClient
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS, APIS, CONTRACT_APPROVALS, CONTRACTS
from apiclients.kube.objects import WatchEvent
from apiclients.resources.names import APPLIED_ANNOTATION, applied_annotation
from tests.gate.live import NAMESPACE, Admin, Running, gate
from tests.gate.objects import CONTRACT, api_object, approval_object, contract_object, hold_object
from tests.gate.support import ISSUER, SECRET
from tests.toolkit.waiting import async_eventually

PATH, AUDIENCE = "/authz/team-b/orders", f"{ISSUER}/apis/team-b/orders"
#: Everything of one life: approvals are bound by the contract's UID, holds come later.
KINDS = (CONTRACT_APPROVALS, CONTRACTS, APIS, API_CLIENT_HOLDS, API_CLIENTS)


class Ears:
    """Lets a gate's watches swallow what is said of one kind."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, account: KubeClient) -> None:
        self.deaf_for = ""
        self._watch = account.watch
        monkeypatch.setattr(account, "watch", self._listen)

    async def _listen(self, resource: Any, *args: Any, **more: Any) -> AsyncIterator[WatchEvent]:
        async for event in self._watch(resource, *args, **more):
            if resource.plural != self.deaf_for:
                yield event


@pytest.fixture
def ears(monkeypatch: pytest.MonkeyPatch, account: KubeClient) -> Ears:
    return Ears(monkeypatch, account)


@pytest.fixture
async def people(admin: KubeClient) -> AsyncIterator[Admin]:
    """With keys, one client, one Api, and a contract that was approved."""
    found = Admin(admin)
    await found.keys()
    await _clean(admin)
    client = await found.declare("billing")
    api = await found.make("api", api_object())
    body = contract_object(
        client_uid=client["metadata"]["uid"],
        plan="gold",
        in_force="gold",
        by="Approval",
        granted={"apiUid": api["metadata"]["uid"]},
    )
    contract = await found.make("contract", body)
    await found.make("approval", approval_object(bound=(contract["metadata"]["uid"], 1)))
    yield found
    await _clean(admin)


async def _clean(admin: KubeClient) -> None:
    for resource in KINDS:
        async for page in admin.pages(resource):
            for item in page.items:
                with contextlib.suppress(Exception):
                    await admin.delete(resource, item["metadata"]["namespace"], item["metadata"]["name"])


@asynccontextmanager
async def token_for_orders(
    account: KubeClient, people: Admin, bounds: Bounds, *more: str
) -> AsyncIterator[tuple[Running, str]]:
    async with gate(account, bounds, lease_interval=60.0, more=more) as running:
        await running.until(running.ready)
        made = await people.client.get(API_CLIENTS, "team-a", "billing")
        auth = (f"team-a.billing.{made['metadata']['uid'][:8]}", SECRET)
        form = {"grant_type": "client_credentials", "resource": AUDIENCE}
        status, _, body = await running.call.token(form, auth=auth)
        assert (status, body.get("scope")) == (200, "orders.admin"), body
        token = str(body["access_token"])
        await running.answers(token, 200, PATH)
        yield running, token


CHANGES: dict[str, tuple[str, int, Callable[[Admin], Awaitable[Any]]]] = {
    "hold placed": ("apiclientholds", 401, lambda people: people.make("hold", hold_object())),
    "contract deleted": ("contracts", 403, lambda people: people.drop("contract", *CONTRACT)),
    "approval deleted": ("contractapprovals", 403, lambda people: people.drop("approval", "team-b", "approve")),
    "api retired": (
        "apis",
        410,
        lambda people: people.client.merge_patch(
            APIS,
            "team-b",
            "orders",
            {"spec": {"desiredStatus": "Retired", "retirement": {"acknowledgedContractCount": 1}}},
        ),
    ),
    "api deleted": ("apis", 403, lambda people: people.drop("api", "team-b", "orders")),
    "client suspended": ("apiclients", 401, lambda people: people.desire("billing", "Suspended")),
    "client deleted": (
        "apiclients",
        401,
        lambda people: people.client.delete(API_CLIENTS, "team-a", "billing"),
    ),
}
BY_PROOF = ("hold placed", "client suspended")


@pytest.mark.rule(14, 16, 17)
async def test_the_watch_brings_it_at_once(people: Admin, account: KubeClient) -> None:
    """No proof and no list comes in time to help."""
    async with token_for_orders(account, people, Bounds(60.0, 120.0, 600.0)) as (running, token):
        await people.make("hold", hold_object())
        await running.answers(token, 401, PATH)
        await people.drop("hold", "team-a", "stop")
        await running.answers(token, 200, PATH)
        for name in ("approval deleted", "api retired", "contract deleted"):
            _, status, change = CHANGES[name]
            await change(people)
            await running.answers(token, status, PATH)
            if name == "approval deleted":
                contract = await people.client.get(CONTRACTS, *CONTRACT)
                await people.make("approval", approval_object(bound=(contract["metadata"]["uid"], 1)))
                await running.answers(token, 200, PATH)
        _, _, metrics = await running.call("GET", "/metrics")
        assert 'lost_events_total{kind="contracts",where="watch"} 0.0' in metrics.decode()


@pytest.mark.rule(17)
@pytest.mark.parametrize("name", CHANGES)
async def test_a_lost_event_is_made_up_for(people: Admin, account: KubeClient, ears: Ears, name: str) -> None:
    """By the next proof, or where nothing else proves it by the next list."""
    bounds = Bounds(0.2, 2.0, 600.0) if name in BY_PROOF else Bounds(0.5, 5.0, 0.5)
    plural, status, change = CHANGES[name]
    async with token_for_orders(account, people, bounds) as (running, token):
        ears.deaf_for = plural
        await change(people)
        await running.answers(token, status, PATH)
        ears.deaf_for = ""
        # The watch has to pass over the event before it counts as lost; so it is told something more.
        await running.until(functools.partial(_counted, running, people, plural))


ANOTHER: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "apis": ("api", lambda: api_object(("team-b", "another"))),
    "contracts": ("contract", lambda: contract_object(("team-a", "another"), in_force=None)),
    "contractapprovals": ("approval", lambda: approval_object("another", bound=None)),
    "apiclientholds": ("hold", lambda: hold_object("another", client="another")),
}


async def _counted(running: Running, people: Admin, plural: str) -> bool:
    """Whether one lost event is counted, after one more object of the kind was made."""
    if plural in ANOTHER:
        kind, body = ANOTHER[plural]
        await people.make(kind, body())
        await people.drop(kind, body()["metadata"]["namespace"], "another")
    else:
        await people.declare("another")
    text = (await running.call("GET", "/metrics"))[2].decode()
    return f'apiclient_gate_lost_events_total{{kind="{plural}",where="watch"}} 1.0' in text


async def _reached(applied: Callable[[str], Awaitable[int]], version: int) -> bool:
    return await applied(applied_annotation("apiclientholds")) >= version


async def test_the_lease_tells_soon_that_a_hold_is_in_force(people: Admin, account: KubeClient) -> None:
    async with token_for_orders(account, people, Bounds(0.5, 5.0, 60.0)) as (running, token):

        async def applied(annotation: str) -> int:
            lease = await people.client.get(LEASES, NAMESPACE, "apiclient-gate-test")
            return int(lease["metadata"]["annotations"][annotation])

        for number in range(3):
            made = await people.make("hold", hold_object(f"stop-{number}"))
            version = int(made["metadata"]["resourceVersion"])
            await async_eventually("the Lease has the hold", functools.partial(_reached, applied, version))
            assert (await running.call.check(token, PATH))[0] == 401
        assert await applied(APPLIED_ANNOTATION) <= min(
            [await applied(applied_annotation(kind.plural)) for kind in KINDS]
        )
