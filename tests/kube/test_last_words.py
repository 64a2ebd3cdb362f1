"""A Lease with last words is deleted only once these are written."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from apiclients.kube.errors import UnreachableError
from apiclients.kube.heartbeat import HeartbeatLease


class Client:
    """Stands for ``KubeClient``."""

    def __init__(self, refused: int | None) -> None:
        self.refused = refused
        self.done: list[str] = []
        self.applied = asyncio.Event()

    async def apply(self, *_: Any, **__: Any) -> Any:
        self.done.append("apply")
        self.applied.set()
        if len(self.done) == self.refused:
            raise UnreachableError("away")
        return {"metadata": {"uid": "u"}}

    async def delete(self, *_: Any, **__: Any) -> None:
        self.done.append("delete")


@pytest.mark.rule(35)
@pytest.mark.parametrize(
    ("last_words", "refused", "done"),
    [
        (True, None, ["apply", "apply", "delete"]),
        (True, 2, ["apply", "apply"]),
        (False, None, ["apply", "delete"]),
    ],
)
async def test_a_lease_whose_last_words_are_not_written_stays(
    last_words: bool, refused: int | None, done: list[str]
) -> None:
    client = Client(refused)
    lease = HeartbeatLease(cast(Any, client), "system", "a", {}, dict, 3600, last_words=last_words)
    task = asyncio.create_task(lease.run())
    await client.applied.wait()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert client.done == done
