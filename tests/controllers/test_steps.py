"""Steps that fail: what belongs into a client's status, what is only tried again, and what counts as done."""

from __future__ import annotations

import pytest

from apiclients.kube.errors import ApiError, ConflictError, ForbiddenError, api_error
from tests.controllers.faulty_api import Operator
from tests.lifecycle.parties import raw_client

NAME = "billing-credentials"
CAUSES = {"reason": "Forbidden", "details": {"causes": [{"message": "no", "field": "x"}]}}


def answer(status: int, reason: str = "") -> ApiError:
    return api_error(status, {"reason": reason})


@pytest.mark.rule(21)
@pytest.mark.parametrize(
    "failure",
    [
        answer(429, "TooManyRequests"),
        answer(503, "ServiceUnavailable"),
        answer(504, "Timeout"),
        answer(409, "Conflict"),
    ],
    ids=lambda failure: str(failure.status),
)
async def test_a_busy_api_server_is_no_news_for_a_status(failure: ApiError) -> None:
    operator = Operator(raw_client())
    operator.api.refuses["create"] = failure
    with pytest.raises(ApiError) as raised:
        await operator.reconcile("ApiClient", "billing")
    assert raised.value is failure
    assert operator.written == {}


@pytest.mark.rule(24)
@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (answer(403, "Forbidden"), "lacks the right, a quota is used up, or an admission webhook refuses it"),
        (api_error(403, CAUSES), "an admission policy refuses it, or the namespace is being deleted"),
        (answer(422, "Invalid"), "422 Invalid"),
        (answer(500, "InternalError"), "500 InternalError"),
    ],
    ids=["403", "403 by policy", "422", "500"],
)
async def test_a_refusal_is_told_with_what_it_may_be(failure: ApiError, told: str) -> None:
    operator = Operator(raw_client())
    operator.api.refuses["create"] = failure
    assert not await operator.reconcile("ApiClient", "billing"), "it is tried again"
    assert operator.ready("billing").startswith(f"False/WriteFailed: Cannot create Secret {NAME}: {failure.status} ")
    assert told in operator.ready("billing")
    assert operator.issued("First") == 0


async def with_secret() -> Operator:
    operator = Operator(raw_client())
    assert await operator.reconcile("ApiClient", "billing")
    assert (operator.ready("billing").split(":")[0], operator.issued("First")) == ("True/Available", 1)
    operator.edit("ApiClient", "billing", secret={"revision": 2})
    return operator


async def test_a_client_that_cannot_be_read_is_not_told_as_a_secret_that_cannot_be_written() -> None:
    operator = await with_secret()
    operator.written.clear()
    operator.api.refuses["get"] = answer(403, "Forbidden")
    with pytest.raises(ForbiddenError):
        await operator.reconcile("ApiClient", "billing")
    assert operator.written == {}


async def test_a_rotation_that_lost_a_race_is_not_counted() -> None:
    operator = await with_secret()
    client = operator.cluster.clients.raw(("team-a", "billing"))
    assert client is not None
    operator.api.stored["billing"] = client
    operator.api.refuses["apply"] = ConflictError(409, "Conflict", "")
    assert not await operator.reconcile("ApiClient", "billing")
    assert operator.issued("Revision") == 0


async def test_a_secret_that_was_there_already_is_not_counted() -> None:
    operator = Operator(raw_client())
    meta = {"namespace": "team-a", "name": NAME, "uid": "theirs", "resourceVersion": "5"}
    operator.api.stored[NAME] = {"metadata": meta, "type": "Opaque"}
    await operator.reconcile("ApiClient", "billing")
    assert operator.ready("billing").startswith("False/SecretConflict")
    assert operator.issued("First") == 0
