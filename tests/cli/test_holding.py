"""``hold``, ``--check`` too: what is said of clients that are not there, and of holds that gates take otherwise."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from apiclients.cli.actions import holding
from apiclients.cli.cluster import connection
from apiclients.cli.commands import hold
from apiclients.cli.errors import CliError
from apiclients.kube.errors import NotFoundError
from apiclients.kube.kinds import API_CLIENTS
from apiclients.kube.objects import ResourceType
from apiclients.resources.hold import MAX_SELECTING_HOLDS
from tests.cli import samples
from tests.cli.samples import NOW, JsonObject


@dataclass
class Cluster:
    """A namespace with one client, and these holds."""

    holds: list[JsonObject] = field(default_factory=list)
    namespace: str = "team-a"

    @property
    def kube(self) -> Cluster:
        return self

    def now(self) -> datetime:
        return NOW

    async def objects(self, resource: ResourceType, namespace: str, **_: Any) -> list[JsonObject]:
        return [samples.client()] if resource == API_CLIENTS else self.holds

    async def get(self, resource: ResourceType, namespace: str, name: str) -> JsonObject:
        if name != "billing-1.0":
            raise NotFoundError(404, "NotFound", "")
        return samples.client()


def args(*names: str, **values: Any) -> argparse.Namespace:
    common = {"selector": None, "all": False, "check": False, "reason": "leaked", "lasting": None, "dry_run": "client"}
    waiting = {"wait": False, "timeout": timedelta(), "system_namespace": "apiclients-system"}
    return argparse.Namespace(**{"names": list(names), **common, **waiting, **values})


async def test_a_wrong_name_keeps_no_other_from_being_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @asynccontextmanager
    async def connect(_: object) -> AsyncIterator[Cluster]:
        yield Cluster()

    async def nobody(_: object) -> None:
        return None

    monkeypatch.setattr(connection, "connect", connect)
    monkeypatch.setattr(holding, "user_name", nobody)
    assert await hold.run(args("billing-1.0", "biling")) == 1
    out, err = capsys.readouterr()
    assert "clientName: billing-1.0" in out
    assert err.startswith("error: biling was not stopped: there is no ApiClient biling in namespace team-a")


async def test_a_hold_that_cannot_be_read_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    """Gates take it for one that stops everybody."""
    newer = samples.hold("newer", client_name=None) | {"spec": {"reason": "x", "expiresTime": "next year"}}
    with pytest.raises(CliError, match=r"this version can read stops billing-1\.0"):
        await hold.check(Cluster([newer]), args("billing-1.0", check=True))
    with pytest.raises(CliError, match="no hold that this version can read stops them"):
        await hold.check(Cluster([newer]), args(all=True, check=True))
    assert "ApiClientHold newer cannot be read" in capsys.readouterr().err
    with pytest.raises(CliError, match=r"no hold stops billing-1\.0"):
        await hold.check(Cluster([]), args("billing-1.0", check=True))


async def test_too_many_holds_stop_whomever_they_select(monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = {"matchLabels": {"team": "another"}}
    holds = [samples.hold(f"h{n}", client_name=None, selector=stranger) for n in range(MAX_SELECTING_HOLDS + 1)]
    checked: list[int] = []

    async def check_holds(_: object, there: list[object], __: object) -> bool:
        checked.append(len(there))
        return False

    monkeypatch.setattr(holding, "check_holds", check_holds)
    assert await hold.check(Cluster(holds), args("billing-1.0", check=True)) == 0
    assert checked == [MAX_SELECTING_HOLDS + 1]
    with pytest.raises(CliError, match=r"no hold stops billing-1\.0"):
        await hold.check(Cluster(holds[1:]), args("billing-1.0", check=True))
