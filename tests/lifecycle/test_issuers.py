"""TokenIssuers: which keys count and until when, and what their status says of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apiclients.lifecycle.issuers import (
    Fetched,
    FetchedKeys,
    FetchFailed,
    IssuerView,
    decide_issuer,
    issuer_view,
    pause,
)
from apiclients.lifecycle.jwks import read_jwks
from apiclients.resources.conditions import Condition
from apiclients.resources.fields import format_time
from apiclients.resources.objects import TokenIssuer
from apiclients.resources.tokenissuer import TokenIssuerSpec
from tests.toolkit.issuer import AUDIENCE, ForeignIssuer

pytestmark = pytest.mark.rule(31)

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
OURS = "https://tokens.example.com"
NAME = "https://kc.example.com"
URL = "https://kc.example.com/keys"
SOURCE = f"JWKS {URL}"
ONE = read_jwks(json.dumps(ForeignIssuer(one="ES256").jwks()).encode())
TWO = read_jwks(json.dumps(ForeignIssuer(one="ES256", two="RS256").jwks()).encode())
FAILED = FetchFailed(SOURCE, f"{URL} answers 500")


@dataclass
class World:
    """One TokenIssuer, decided on again and again, as the operator does."""

    spec: dict[str, Any] = field(
        default_factory=lambda: {"issuer": NAME, "keys": {"jwksURL": URL}, "audiences": [AUDIENCE]}
    )
    status: dict[str, Any] = field(default_factory=lambda: {"observedGeneration": -1})
    generation: int = 1
    now: datetime = NOW
    others: tuple[IssuerView, ...] = ()
    due: datetime | None = None
    writes: int = 0

    def issuer(self) -> TokenIssuer:
        meta = {"name": "kc", "uid": "u1", "generation": self.generation, "creationTimestamp": format_time(NOW)}
        return TokenIssuer.from_object({"metadata": meta, "spec": self.spec, "status": self.status})

    def edit(self, **spec: Any) -> None:
        self.spec |= spec
        self.generation += 1

    def decide(self, fetched: Fetched | None, *, seconds: float = 0) -> None:
        self.now += timedelta(seconds=seconds)
        before = self.issuer().status
        decision = decide_issuer(self.issuer(), fetched, self.others, OURS, self.now)
        if decision is not None:
            self.due = decision.due
            self.writes += decision.status != before
            self.status = decision.status.to_object()

    def found(self, keys: tuple[Any, ...] = ONE, *, source: str = SOURCE, issuer: str | None = None) -> FetchedKeys:
        return FetchedKeys(source, issuer, keys, self.now)

    def condition(self, kind: str) -> Condition | None:
        return next((c for c in self.issuer().status.conditions if c.type == kind), None)

    def message(self, kind: str) -> str:
        found = self.condition(kind)
        return found.message if found is not None else ""

    def says(self, kind: str) -> tuple[str, str] | None:
        found = self.condition(kind)
        return (found.status, found.reason) if found is not None else None

    @property
    def kids(self) -> list[str]:
        return [key["kid"] for key in self.status["keys"]]

    @property
    def recognised(self) -> bool:
        return issuer_view(self.issuer()).recognised


def test_first_there_are_no_keys_and_then_there_are() -> None:
    world = World()
    world.decide(None)
    assert (world.says("Ready"), world.says("Reconciling")) == (("False", "FetchingKeys"), ("True", "FetchingKeys"))
    assert not world.recognised
    world.decide(world.found())
    assert (world.says("Ready"), world.says("Active")) == (("True", "Trusted"), ("True", "Trusted"))
    assert (world.kids, world.status["issuer"], world.recognised) == (["one"], NAME, True)
    assert world.says("Reconciling") is None
    assert world.due == NOW + timedelta(hours=24)


def test_a_restart_writes_nothing_and_the_same_keys_are_written_once_in_a_while() -> None:
    world = World()
    world.decide(world.found())
    world.decide(None)
    assert world.writes == 1
    for _ in range(180):  # three hours, each minute
        world.now += timedelta(minutes=1)
        world.decide(world.found())
    assert world.writes == 2, "lastFetchTime moves on when it is an eighth of staleKeysFor old"
    assert world.status["lastFetchTime"] == format_time(NOW + timedelta(hours=3))


def test_new_keys_are_written_at_once() -> None:
    world = World()
    world.decide(world.found())
    world.now += timedelta(seconds=10)
    world.decide(world.found(TWO))
    assert world.kids == ["one", "two"]
    assert world.status["lastFetchTime"] == format_time(NOW + timedelta(seconds=10))


def test_the_last_good_keys_stay_and_then_count_no_longer() -> None:
    world = World()
    world.decide(world.found())
    world.decide(FAILED, seconds=60)
    assert (world.says("Ready"), world.says("Active")) == (("False", "FetchFailed"), ("True", "Trusted"))
    assert "last good keys" in world.message("Ready")
    assert (world.kids, world.recognised) == (["one"], True)
    writes = world.writes
    world.decide(FAILED, seconds=60)
    assert world.writes == writes, "the same failure is written once"
    assert world.due == NOW + timedelta(hours=24)
    world.now = world.due
    world.decide(FAILED)
    assert (world.says("Active"), world.recognised) == (("False", "KeysStale"), True), "they stay, and mean 503"
    assert issuer_view(world.issuer()).keys_end == int(world.now.timestamp())
    world.decide(world.found())
    assert world.says("Ready") == ("True", "Trusted")


def test_keys_of_another_source_count_no_longer_and_late_ones_are_not_taken() -> None:
    world = World()
    world.decide(world.found())
    late = world.found(TWO)
    world.edit(keys={"configMap": {"name": "kc", "key": "jwks.json"}})
    assert not world.recognised, "before the operator has looked at it"
    world.decide(late)
    assert (world.kids, world.says("Ready")) == ([], ("False", "FetchingKeys"))
    world.decide(world.found(source="ConfigMap kc/jwks.json"))
    assert world.recognised


def test_another_edit_fetches_nothing_and_loses_nothing() -> None:
    world = World()
    world.decide(world.found())
    world.edit(audiences=["https://other.example.com"])
    world.decide(None)
    assert (world.kids, world.says("Ready")) == (["one"], ("True", "Trusted"))
    assert world.status["observedGeneration"] == 2


def test_the_issuer_cannot_change_once_it_is_in_use() -> None:
    world = World()
    world.decide(world.found())
    world.edit(issuer="https://other.example.com")
    assert not world.recognised
    world.decide(None)
    assert world.says("Stalled") == ("True", "InvalidSpec")
    assert (world.says("Active"), world.kids) == (("False", "InvalidSpec"), [])
    world.edit(issuer=NAME)
    world.decide(world.found())
    assert world.says("Ready") == ("True", "Trusted")
    assert world.says("Stalled") is None


def test_keys_that_say_they_are_another_issuers_are_none() -> None:
    world = World()
    world.decide(world.found(issuer="https://other.example.com"))
    assert (world.kids, world.says("Ready")) == ([], ("False", "FetchFailed"))
    world.decide(world.found(issuer=NAME))
    world.decide(world.found(TWO, issuer="https://other.example.com"))
    assert (world.kids, world.says("Ready")) == (["one"], ("False", "FetchFailed"))


@pytest.mark.parametrize(
    "spec",
    [
        {"keys": {}},
        {"keys": {"jwksURL": URL, "cluster": {}}},
        {"issuer": None},
        {"issuer": OURS},
        {"issuer": NAME, "keys": {"cluster": {}}, "audiences": [AUDIENCE, NAME]},
        {"keys": {"cluster": {}}, "audiences": ["https://kubernetes.default.svc.cluster.local"]},
        {"keys": {"cluster": {}}, "audiences": ["https://kubernetes.default.svc"]},
    ],
)
def test_what_cannot_be_obeyed_is_stalled(spec: dict[str, Any]) -> None:
    world = World()
    world.edit(**spec)
    if world.spec["issuer"] is None:
        del world.spec["issuer"]
    source = "cluster" if world.spec["keys"] == {"cluster": {}} else SOURCE
    world.decide(world.found(source=source))
    assert world.says("Stalled") == ("True", "InvalidSpec")
    assert not world.recognised


def test_this_cluster_tells_its_issuer_itself() -> None:
    world = World(spec={"keys": {"cluster": {}}, "audiences": [AUDIENCE]})
    world.decide(world.found(source="cluster", issuer="https://k8s.example.com"))
    view = issuer_view(world.issuer())
    assert (view.claimed, view.cluster, view.subject_claim, view.recognised) == (
        "https://k8s.example.com", True, "sub", True,
    )  # fmt: skip
    world.edit(audiences=[AUDIENCE, "https://k8s.example.com"])
    assert issuer_view(world.issuer()).audiences == {AUDIENCE}, "every pod has a token for that"
    world.decide(None)
    assert world.says("Stalled") == ("True", "InvalidSpec")


def test_of_two_for_one_issuer_the_younger_is_stalled() -> None:
    world = World()
    world.decide(world.found())
    view = issuer_view(world.issuer())
    world.others = (replace(view, name="young", created=view.created + 1), view)
    world.decide(world.found())
    assert world.says("Ready") == ("True", "Trusted")
    world.others = (replace(view, name="old", created=view.created - 1), view)
    world.decide(world.found())
    assert (world.says("Stalled"), world.kids) == (("True", "DuplicateIssuer"), [])


def test_a_failure_never_ends_in_ready_and_says_nothing_of_what_was_fetched() -> None:
    world = World()
    world.decide(FAILED)
    assert world.says("Ready") == ("False", "FetchFailed")
    assert world.message("Ready") == f"{URL} answers 500"


def test_who_asks_for_a_key_waits_ten_seconds_at_most_and_never_longer_than_the_interval() -> None:
    spec = {"issuer": NAME, "keys": {"jwksURL": URL}, "audiences": [AUDIENCE]}
    hourly = TokenIssuerSpec.model_validate({**spec, "refreshInterval": "1h"})
    assert pause(hourly, asked=False) == timedelta(hours=1)
    assert pause(hourly, asked=True) == timedelta(seconds=10)


def test_our_issuer_as_an_audience_is_refused() -> None:
    world = World()
    world.spec = world.spec | {"audiences": [OURS]}
    decided = decide_issuer(world.issuer(), None, (), OURS, NOW)
    assert decided is not None
    stalled = next(one for one in decided.status.conditions if one.type == "Stalled")
    assert "ClientAssertion" in stalled.message
