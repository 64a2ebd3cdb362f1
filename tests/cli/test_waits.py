"""Waits for several clients: one that is deleted meanwhile keeps none of the others from being told of."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta
from typing import Any

import pytest

from apiclients.cli.actions.revoking import revoke
from apiclients.cli.actions.rotating import rotate
from apiclients.kube.errors import NotFoundError
from apiclients.kube.objects import ResourceType
from apiclients.resources.fields import format_time
from tests.cli.samples import NOW, JsonObject

NAMES = ("deleted", "made-again", "stays")


def client(name: str, uid: str, token: str | None = None) -> JsonObject:
    """A client that answers a request, and of which nothing from before is valid."""
    return {
        "metadata": {"namespace": "team-a", "name": name, "uid": uid, "generation": 1},
        "spec": {"desiredStatus": "Available"},
        "status": {
            "lastHandledRotateRequest": token,
            "observedStatus": "Suspended",
            "tokens": {"notBefore": format_time(NOW + timedelta(seconds=2))},
        },
    }


class Cluster:
    """One client goes, one is made again and one answers as soon as they have been asked."""

    namespace = "team-a"

    def __init__(self) -> None:
        self.token: str | None = None

    @property
    def kube(self) -> Cluster:
        return self

    def now(self) -> datetime:
        return NOW

    async def patch(self, _: ResourceType, namespace: str, name: str, body: JsonObject, **__: Any) -> None:
        self.token = next(iter(body["metadata"].get("annotations", {}).values()), None)

    async def get(self, _: ResourceType, namespace: str, name: str) -> JsonObject:
        if name == "deleted":
            raise NotFoundError(404, "NotFound", "")
        return client(name, "uid-2" if name == "made-again" else "uid-1", self.token)


@pytest.mark.parametrize("act", [rotate, revoke])
async def test_the_others_are_told_of(act: Any, capsys: pytest.CaptureFixture[str]) -> None:
    args = argparse.Namespace(request=None, wait=True, dry_run="none", timeout=timedelta(seconds=5))
    assert await act(Cluster(), [client(name, "uid-1") for name in NAMES], [], args)
    out, err = capsys.readouterr()
    assert "error: deleted was deleted meanwhile" in err
    assert "error: made-again was deleted and made again meanwhile" in err
    assert "apiclient.apiclients.dev/stays" in out.splitlines()[-1]
    assert "after" in out.splitlines()[-1]
