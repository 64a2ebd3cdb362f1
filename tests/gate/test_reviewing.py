"""Reviews of tokens of service accounts, by a real API server under the gate's own account."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import Any

import pytest

from apiclients.gate.reviewing import TokenReviewer
from apiclients.gate.state.problems import Problem
from apiclients.gate.tokens.errors import NotReadyError
from apiclients.kube.client import SECRETS, KubeClient
from apiclients.kube.errors import AlreadyExistsError, UnreachableError
from cluster import LocalCluster
from tests.gate.live import NAMESPACE
from tests.gate.support import ISSUER, UID
from tests.toolkit.waiting import async_eventually

pytestmark = pytest.mark.rule(29)

SUBJECT = "system:serviceaccount:team-a:reviewed"


@pytest.fixture
async def token(cluster: LocalCluster, admin: KubeClient) -> str:
    """A token of a service account that ends with a Secret."""
    applied = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reviewed", "namespace": "team-a"}}
    await asyncio.to_thread(cluster.kubectl, "apply", "-f", "-", input=json.dumps(applied))
    with contextlib.suppress(AlreadyExistsError):
        await admin.create(SECRETS, "team-a", {"metadata": {"name": "bound", "namespace": "team-a"}})
    bound = ("--bound-object-kind=Secret", "--bound-object-name=bound")
    made = await asyncio.to_thread(
        cluster.kubectl, "create", "token", "reviewed", "-n", "team-a", f"--audience={ISSUER}", *bound
    )
    return str(made.stdout).strip()


async def test_a_token_counts_while_what_it_is_bound_to_is_there(
    admin: KubeClient, account: KubeClient, token: str
) -> None:
    reviewer = TokenReviewer(account, ISSUER)
    assert await reviewer.is_live(token.encode(), SUBJECT, UID)
    assert not await reviewer.is_live(token.encode(), f"{SUBJECT}s", UID)
    assert not await TokenReviewer(account, "https://elsewhere.example.com").is_live(token.encode(), SUBJECT, UID)
    assert not await reviewer.is_live(b"nobodys", SUBJECT, UID)
    await admin.delete(SECRETS, "team-a", "bound")

    async def gone() -> bool:
        return not await reviewer.is_live(token.encode(), SUBJECT, UID)

    await async_eventually("the API server refuses it, at the latest once its own cache of 10 s forgets", gone)


@pytest.mark.rule(23)
async def test_who_may_not_ask_decides_nothing_and_says_why(
    cluster: LocalCluster, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = await asyncio.to_thread(cluster.service_account_kubeconfig, NAMESPACE, "apiclient-operator")
    async with await KubeClient.connect(kubeconfig=path, user_agent="test") as other:
        with pytest.raises(NotReadyError):
            await TokenReviewer(other, ISSUER).is_live(token.encode(), SUBJECT, UID)
    assert "create tokenreviews: 403 Forbidden" in caplog.text
    assert token not in caplog.text


async def test_an_api_server_that_hangs(cluster: LocalCluster, account: KubeClient) -> None:
    cluster.pause_api_server()
    try:
        with pytest.raises(NotReadyError):
            await TokenReviewer(account, ISSUER, seconds=0.5).is_live(b"t", SUBJECT, UID)
    finally:
        cluster.resume_api_server()


class _Silent:
    """An API server that answers when it is told to; ``most`` is how many requests it had at once."""

    def __init__(self) -> None:
        self.answer = asyncio.Event()
        self.now = self.most = 0

    async def create(self, *_: Any, **__: Any) -> dict[str, Any]:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.answer.wait()
        finally:
            self.now -= 1
        return {"status": {"authenticated": True, "audiences": [ISSUER], "user": {"username": SUBJECT}}}


async def test_a_server_that_does_not_answer_costs_a_bounded_time_and_no_client_all_of_the_room() -> None:
    server: Any = _Silent()
    reviewer = TokenReviewer(server, ISSUER, seconds=0.05)
    with pytest.raises(NotReadyError) as refused:
        await reviewer.is_live(b"t", SUBJECT, UID)
    assert refused.value.problem is Problem.NO_TOKEN_REVIEW
    reviewer = TokenReviewer(server, ISSUER)
    asked = [asyncio.create_task(reviewer.is_live(b"t", SUBJECT, UID)) for _ in range(20)]
    await async_eventually("it is asked", lambda: server.now == 2)
    others = [asyncio.create_task(reviewer.is_live(b"t", SUBJECT, f"uid-{number}")) for number in range(20)]
    await async_eventually("others are asked about", lambda: server.now == 8)
    server.answer.set()
    assert all(await asyncio.gather(*asked, *others))
    assert server.most == 8


@pytest.mark.rule(23)
@pytest.mark.parametrize(
    "review",
    [
        {},
        {"status": {}},
        {"status": {"authenticated": "true", "audiences": [ISSUER], "user": {"username": SUBJECT}}},
        {"status": {"authenticated": True, "user": {"username": SUBJECT}}},
        {"status": {"authenticated": True, "audiences": [ISSUER]}},
        {"status": {"error": "a-secret-token is none"}},
    ],
)
async def test_what_is_no_plain_yes_is_a_no(review: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    server: Any = _Answering(review)
    assert not await TokenReviewer(server, ISSUER).is_live(b"a-secret-token", SUBJECT, UID)
    assert caplog.text == ""


@pytest.mark.rule(23)
async def test_failures_are_logged_once_and_never_the_token(caplog: pytest.LogCaptureFixture) -> None:
    server: Any = _Answering(UnreachableError("create tokenreviews: no route"))
    reviewer = TokenReviewer(server, ISSUER)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            with pytest.raises(NotReadyError):
                await reviewer.is_live(b"a-secret-token", SUBJECT, UID)
        server.review = {}
        await reviewer.is_live(b"a-secret-token", SUBJECT, UID)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "a-secret-token" not in caplog.text


class _Answering:
    def __init__(self, review: dict[str, Any] | Exception) -> None:
        self.review = review

    async def create(self, *_: Any, **__: Any) -> dict[str, Any]:
        if isinstance(self.review, Exception):
            raise self.review
        return self.review
