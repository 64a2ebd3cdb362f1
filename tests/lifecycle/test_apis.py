"""Apis: publishing and retiring, and what the owner sees of their contracts."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from apiclients.lifecycle.apis import ApiContracts, ApiDecision, api_announcements, audience, decide_api
from apiclients.lifecycle.history import Announcement
from apiclients.resources.api import ApiStatus, ContractCounts, PendingContract
from apiclients.resources.objects import Api
from tests.lifecycle.parties import NOW, check, message, raw_api, told

ISSUER = "https://tokens.example.com"
HOUR = timedelta(hours=1)
DAY = 24 * HOUR


@dataclass
class Owned:
    """One Api and the operator that looks at it."""

    raw: dict[str, Any] = field(default_factory=raw_api)
    active: int = 0
    waiting: tuple[PendingContract, ...] = ()
    now: datetime = NOW
    trusted: bool = True
    due: datetime | None = None
    proofs: int = 0
    events: list[Announcement] = field(default_factory=list)

    def desire(self, desired: str, count: int = 0, **retirement: Any) -> Owned:
        acknowledged = {"acknowledgedContractCount": count} | retirement
        self.raw["spec"] |= {"desiredStatus": desired, "retirement": acknowledged}
        self.raw["metadata"]["generation"] += 1
        return self

    def wait(self, span: timedelta) -> Owned:
        self.now += span
        return self

    def settle(self) -> ApiStatus:
        decision = self._decide(proved=False)
        if decision.needs_proof:
            self.proofs += 1
            decision = self._decide(proved=True)
            assert not decision.needs_proof
        assert decision.due is None or decision.due > self.now, "what is due now is done now"
        self.events += api_announcements(self.status, decision.status)
        self.raw["status"], self.due = decision.status.to_object(), decision.due
        check(decision.status, self.raw["metadata"]["generation"], "apis")
        again = self._decide(proved=False)
        assert (again.status, again.needs_proof) == (decision.status, False), "deciding again changes nothing"
        return decision.status

    def _decide(self, *, proved: bool) -> ApiDecision:
        contracts = ApiContracts(ContractCounts(active=self.active, pending=len(self.waiting)), self.waiting)
        api = Api.from_object(copy.deepcopy(self.raw))
        return decide_api(api, contracts, ISSUER, self.now, clock_trusted=self.trusted, proved=proved)

    @property
    def status(self) -> ApiStatus:
        return Api.from_object(self.raw).status

    @property
    def seen(self) -> tuple[str | None, str, str]:
        return self.status.observed_status, told(self.status, "Ready"), told(self.status, "Active")


PUBLISHED = ("Published", "True/Published", "True/Published")
HELD = ("Published", "False/AcknowledgementRequired", "True/Published")
RETIRED = ("Retired", "True/Retired", "False/Retired")
NEVER = ("Retired", "False/RetirementIsFinal", "False/Retired")


def published(active: int = 0) -> Owned:
    owned = Owned(active=active)
    owned.settle()
    assert owned.seen == PUBLISHED
    return owned


def test_a_published_api_tells_its_audience_and_counts() -> None:
    owned = published(active=3)
    assert owned.status.audience == audience(ISSUER, "shop", "orders") == f"{ISSUER}/apis/shop/orders"
    assert owned.status.contracts == ContractCounts(active=3)
    assert (owned.status.desired_status, owned.status.retirement, owned.due) == ("Published", None, None)


@pytest.mark.rule(9)
@pytest.mark.parametrize(
    ("active", "acknowledged", "accepted"), [(0, 0, True), (2, 2, True), (2, 5, True), (2, 1, False), (1, 0, False)]
)
def test_a_retirement_is_acknowledged_by_count(active: int, acknowledged: int, accepted: bool) -> None:
    owned = published(active).desire("Retired", acknowledged)
    owned.settle()
    assert owned.seen == (RETIRED if accepted else HELD)
    assert owned.proofs == accepted, "counted anew at the moment of accepting, and only then"


@pytest.mark.rule(9)
def test_a_held_retirement_says_how_many_and_what_to_paste() -> None:
    owned = published(7).desire("Retired", 3)
    status = owned.settle()
    assert "would end 7 active contract(s)" in message(status, "Stalled")
    assert "retirement: {acknowledgedContractCount: 7}" in message(status, "Stalled")
    assert (status.desired_status, status.retirement) == ("Published", None)
    assert [(e.reason, e.warning) for e in owned.events[1:]] == [("AcknowledgementRequired", True)]
    owned.active = 3
    owned.settle()
    assert owned.seen == RETIRED


@pytest.mark.rule(9)
def test_an_accepted_retirement_is_not_taken_back_by_a_contract() -> None:
    owned = published().desire("Retired")
    owned.settle()
    owned.active = 4
    owned.settle()
    assert owned.seen == RETIRED


@pytest.mark.rule(13)
def test_a_retirement_can_be_reverted_until_its_end_and_never_after() -> None:
    owned = published().desire("Retired")
    status = owned.settle()
    assert status.retirement is not None
    assert (status.retirement.final_time, status.retirement.final, owned.due) == (NOW + DAY, False, NOW + DAY)
    owned.wait(DAY - HOUR).desire("Published").settle()
    assert owned.seen == PUBLISHED
    owned.desire("Retired").settle()
    owned.wait(DAY).settle()
    assert owned.status.retirement is not None
    assert (owned.status.retirement.final, owned.due) == (True, None)
    for _ in range(2):
        owned.desire("Published").settle()
        assert owned.seen == NEVER
        owned.desire("Retired", gracePeriod="9999h").settle()
        assert owned.seen == RETIRED
        owned.wait(10_000 * DAY)


@pytest.mark.rule(13)
def test_publishing_again_too_late_is_never_obeyed_although_nobody_saw_the_end() -> None:
    owned = published().desire("Retired")
    owned.settle()
    owned.wait(2 * DAY).desire("Published").settle()
    assert owned.seen == NEVER


@pytest.mark.rule(13)
def test_without_a_grace_period_the_retirement_is_final_at_once() -> None:
    owned = published().desire("Retired", gracePeriod="0s")
    status = owned.settle()
    assert status.retirement is not None
    assert (status.retirement.final, owned.due) == (True, None)
    assert "is final since" in message(status)


def test_the_grace_period_counts_from_the_beginning_and_may_be_edited() -> None:
    owned = published().desire("Retired", gracePeriod="48h")
    owned.settle()
    owned.wait(HOUR).desire("Retired", gracePeriod="2h").settle()
    assert owned.due == NOW + 2 * HOUR
    owned.wait(2 * HOUR).settle()
    assert owned.desire("Published").settle().observed_status == "Retired"


# A clock that is wrong (rule 26).


@pytest.mark.rule(26)
@pytest.mark.parametrize("skew", [-400 * DAY, 400 * DAY], ids=["far behind", "far ahead"])
def test_with_a_wrong_clock_no_grace_period_begins(skew: timedelta) -> None:
    owned = published().desire("Retired")
    owned.trusted, owned.now = False, NOW + skew
    owned.settle()
    assert owned.seen == ("Retired", "False/ClockSkew", "False/Retired")
    assert told(owned.status, "Reconciling") == "True/ClockSkew"
    owned.trusted, owned.now = True, NOW
    owned.settle()
    assert (owned.seen, owned.due) == (RETIRED, NOW + DAY)


@pytest.mark.rule(26)
@pytest.mark.parametrize("desired", ["Retired", "Published"])
def test_with_a_wrong_clock_no_grace_period_ends(desired: str) -> None:
    owned = published().desire("Retired")
    owned.settle()
    owned.trusted = False
    owned.wait(2 * DAY).desire(desired).settle()
    assert owned.seen == ("Retired", "False/ClockSkew", "False/Retired")
    owned.trusted, owned.now = True, NOW + HOUR
    owned.settle()
    assert owned.seen == (RETIRED if desired == "Retired" else PUBLISHED)


@pytest.mark.rule(26)
def test_a_final_retirement_needs_no_clock() -> None:
    owned = published().desire("Retired")
    owned.settle()
    owned.wait(2 * DAY).settle()
    owned.trusted, owned.now = False, NOW - DAY
    owned.settle()
    assert owned.seen == RETIRED
    owned.desire("Published").settle()
    assert owned.seen == NEVER


# What waits for approval.


def waiting(*names: str) -> tuple[PendingContract, ...]:
    return tuple(PendingContract(namespace="team-a", name=name, client="billing", plan="gold") for name in names)


def test_the_owner_is_told_of_each_contract_that_waits() -> None:
    owned = published()
    owned.events.clear()
    owned.waiting = waiting("billing-orders")
    owned.settle()
    assert [(e.reason, e.warning) for e in owned.events] == [("PendingApproval", False)]
    assert "Contract team-a/billing-orders of client billing waits for approval of plan gold" in owned.events[0].note
    owned.waiting = waiting("another", "billing-orders")
    owned.settle()
    assert "team-a/another" in owned.events[1].note
    assert "billing-orders" not in owned.events[1].note
    owned.waiting = waiting("another")
    owned.settle()
    assert len(owned.events) == 2


def test_many_that_come_at_once_make_one_event_that_fits() -> None:
    owned = published()
    owned.events.clear()
    owned.waiting = waiting(*(f"{'c' * 50}-{number}" for number in range(64)))
    owned.settle()
    assert len(owned.events) == 1
    assert len(owned.events[0].note) <= 1024
    assert "and 61 more" in owned.events[0].note
    assert len(owned.status.pending_contracts) == 64
