"""A client's life as it comes: edits, accidents, clocks that are wrong, and an operator that stops anywhere.

The machine keeps a plain record of its own: which tokens must be dead for good and which must be alive, and which
secrets must go on working. After every reconcile the world is compared with it.
"""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from math import ceil

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from apiclients.lifecycle.access import TokenClaims
from apiclients.resources.fields import parse_time
from tests.lifecycle.changes import ACCIDENTS, EDITS, LOSING, TIMES, do
from tests.lifecycle.status_checks import faults
from tests.lifecycle.world import DAY, World
from tests.resources.structural import schema_of, violations

WRONG = [timedelta(days=-40), timedelta(minutes=-5), timedelta(minutes=5), timedelta(days=40)]


class Life(RuleBasedStateMachine):
    """One name, and every client that bears it in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.uids = 1
        self.skew = timedelta()
        self.tokens: list[TokenClaims] = []
        #: Tokens that must never be accepted again, whatever comes.
        self.dead: set[TokenClaims] = set()
        #: The latest not-before that the operator has obeyed.
        self.demanded = 0
        #: Whether something since the last reconcile may have cost a secret that worked.
        self.losing = False
        self.settled = False
        self.floor: datetime | None = None

    # What happens.

    @rule(name=st.sampled_from(sorted(EDITS)))
    def edit(self, name: str) -> None:
        self._change(name)

    @rule(name=st.sampled_from(["make available", "suspend", "retire"]))
    def desire(self, name: str) -> None:
        self._change(name)

    @rule(name=st.sampled_from(sorted(ACCIDENTS)))
    def accident(self, name: str) -> None:
        self._change(name)

    @rule(name=st.sampled_from(sorted(TIMES)))
    def time(self, name: str) -> None:
        self.losing = True
        self._change(name)

    @rule()
    def grow_or_lose_contracts(self) -> None:
        self.world.contracts ^= {"orders"}
        self._change("a moment")

    @rule()
    def acknowledge(self) -> None:
        self.world.edit(retirement__acknowledgedContracts=["orders"])
        self._change("a moment")

    @rule()
    def lose_every_pepper(self) -> None:
        self.losing = True
        do(self.world, ["another pepper"])
        self.world.peppers = self.world.peppers[-1:]
        self._change("a moment")

    @rule()
    def wipe(self) -> None:
        self._change("a moment")
        self.world.wipe_status()
        self.dead |= set(self.tokens)
        self.floor, self.losing = None, True

    @rule()
    def create_again(self) -> None:
        self._change("a moment")
        self.uids += 1
        self.world.recreate(f"{self.uids}{self.uids}-uid")
        self.dead |= set(self.tokens)
        self.floor, self.losing, self.demanded = None, True, 0

    @rule(skew=st.sampled_from(WRONG))
    def clock_goes_wrong(self, skew: timedelta) -> None:
        self.skew, self.world.clock_trusted = skew, False

    @rule()
    def clock_is_right_again(self) -> None:
        self.skew, self.world.clock_trusted = timedelta(), True

    @precondition(lambda self: self.settled)
    @rule()
    def log_in(self) -> None:
        for secret in self.world.issued[-2:]:
            claims = self.world.log_in(secret)
            if isinstance(claims, TokenClaims):
                self.tokens.append(claims)

    def _change(self, name: str) -> None:
        self.losing |= name in LOSING
        self.settled = False
        do(self.world, [name, "a moment"])

    # What the operator does.

    @rule()
    def reconcile(self) -> None:
        self._reconcile(crashes=[])

    @rule(crashes=st.lists(st.integers(0, 4), min_size=1, max_size=3), late=st.booleans())
    def crash_and_reconcile(self, crashes: list[int], late: bool) -> None:
        self.world.cache_late = late
        self._reconcile(crashes)

    def _reconcile(self, crashes: list[int]) -> None:
        world, before = self.world, self._working()
        issued = len(world.issued)
        ended = self._retirement_is_over()
        right = world.now
        world.now += self.skew
        for actions in crashes:
            world.crash(actions)
        world.settle()
        world.cache_late = False
        world.settle()
        self._check_status(world)
        world.now = right
        assert len(world.issued) <= issued + 1, "one secret at a time"
        assert world.clock_trusted or len(world.issued) == issued, "rule 26"
        if world.clock_trusted:
            self._obey()
            if ended:
                self.dead |= set(self.tokens)
            overlapping = world.spec.get("secret", {}).get("overlap") != "0s"
            if overlapping and not self.losing and not ended and world.told("Active").startswith("True"):
                assert before <= self._working(), "a secret that worked was lost"
            self.losing = False
        self.settled = True

    def _check_status(self, world: World) -> None:
        assert faults(world.typed_status, world.generation) == []
        assert list(violations(world.status, schema_of("status"))) == []
        obeyed = not (world.gates_lacking and world.spec.get("secret", {}).get("notBefore"))
        assert (world.told("Stalled") == "True/GateTooOld") is not obeyed, "rule 33"
        status, steps = copy.deepcopy(world.status), [type(step).__name__ for step in world.steps]
        world.settle()
        assert world.status == status, "deciding twice changes nothing"
        done = [type(step).__name__ for step in world.steps[len(steps) :]]
        assert set(done) <= {"ReadSecret", "CreateSecret"}, "only what the cache cannot tell is tried again"
        assert world.due is None or world.due > world.now

    def _obey(self) -> None:
        """What spec demands by now is in force from now on."""
        self.demanded = max(self.demanded, self._wanted())

    def _wanted(self) -> int:
        text = self.world.spec.get("tokens", {}).get("notBefore")
        wanted = ceil(parse_time(text).timestamp()) if text else 0
        return wanted if wanted <= ceil(self.world.now.timestamp()) else 0

    def _retirement_is_over(self) -> bool:
        """By the plain reading of spec and status, before the operator looks."""
        known = self.world.status.get("retirement")
        grace = timedelta() if self.world.spec.get("retirement", {}).get("gracePeriod") == "0s" else DAY
        retired = self.world.spec["desiredStatus"] == "Retired"
        if known is None:
            acknowledged = self.world.spec.get("retirement", {}).get("acknowledgedContracts", [])
            return retired and not grace and self.world.contracts <= set(acknowledged)
        end = parse_time(known["retiredTime"]) + grace if retired else parse_time(known["finalTime"])
        return self.world.now >= min(end, parse_time(known["finalTime"])) and self.world.now >= end

    def _working(self) -> set[bytes]:
        return {secret for secret in self.world.issued if isinstance(self.world.log_in(secret), TokenClaims)}

    # What must hold at any time.

    @invariant()
    def the_dead_stay_dead(self) -> None:
        assert [token for token in self.dead if self.world.refusal(token) is None] == []

    @invariant()
    def the_living_are_accepted(self) -> None:
        world = self.world
        if not (self.settled and world.told("Active").startswith("True") and world.clock_trusted):
            return
        now, lifetime = world.now.timestamp(), world.view().token_seconds
        for token in set(self.tokens) - self.dead:
            young = now < min(token.expires, token.issued_at + lifetime)
            demanded = token.issued_at < max(self.demanded, self._wanted())
            assert (world.refusal(token) is None) is (young and not demanded), world.refusal(token)

    @invariant()
    def who_is_not_wanted_gets_nothing(self) -> None:
        if self.world.spec["desiredStatus"] != "Available":
            assert self._working() == set()
            assert all(self.world.refusal(token) for token in self.tokens)

    @invariant()
    def forged_secrets_are_worth_nothing(self) -> None:
        assert isinstance(self.world.log_in(b"forged"), str)
        assert isinstance(self.world.log_in(b"theirs"), str)

    @invariant()
    def not_before_never_goes_back(self) -> None:
        known = self.world.not_before
        if known is not None:
            assert self.floor is None or known >= self.floor
            self.floor = known

    @invariant()
    def no_secret_stands_anywhere_but_in_the_secret(self) -> None:
        told = repr((self.world.status, self.world.events, self.world.steps))
        assert not any(f"'{secret.decode()}'" in told for secret in self.world.issued)


Life.TestCase.settings = settings(max_examples=120, stateful_step_count=30, deadline=None, derandomize=True)
TestLife = Life.TestCase
