"""A clock that is wrong: nothing irreversible, an honest 503, and everything as before when it is right again.

The proxies change the time of day that the API server tells, so it is the difference that steps, which is all that a
program can see of its own clock.
"""

import time

import pytest

from apiclients.resources.fields import format_time
from tests.faults.arena import Arena, Team, in_seconds, metric
from tests.toolkit.waiting import eventually

pytestmark = pytest.mark.cluster

_TWO_DAYS = 2 * 86_400
_HOUR = 3_600


def clock_offset(arena: Arena) -> float:
    """By how much the operator thinks that it is ahead."""
    return metric(arena.operator, "apiclient_operator_clock_offset_seconds")


def step_operator(arena: Arena, team: Team, seconds: float) -> None:
    """Put the operator's clock ahead, as it sees it, and wait until it knows."""
    arena.operator_proxy.date_shift = -seconds
    arena.operator_proxy.cut()

    def known() -> bool:
        team.client("clock-reader", displayName=str(time.monotonic()))  # an answer to hear the time from
        return abs(clock_offset(arena) - seconds) < 5

    eventually("the operator sees the difference", known, pause=0.2)


@pytest.mark.rule(26)
def test_operator_two_days_ahead_does_nothing_irreversible(arena: Arena, team: Team) -> None:
    retired, held, rotated = "retired", "held", "rotated"
    for name in (retired, held, rotated, "clock-reader"):
        team.declare(name, retirement={"gracePeriod": "6s"})
    token = team.token(held)
    before = {name: team.credentials(name) for name in (retired, held, rotated)}
    team.hold("stop", held)
    arena.until(401, token)
    step_operator(arena, team, _TWO_DAYS)
    team.hold("stop", held, expiresTime=format_time(in_seconds(6)))
    team.desire(retired, "Retired")
    team.client(rotated, retirement={"gracePeriod": "6s"}, secret={"revision": 2})
    team.client("newcomer")
    time.sleep(8)  # nothing may happen, and there is no condition to wait for
    assert {name: team.credentials(name) for name in before} == before, "no rotation, no end of a grace period"
    assert team.admin.get("apiclients", team.namespace, held)["status"]["observedStatus"] == "Suspended"
    assert arena.verdicts(token) == {401}, "the hold has not ended for an operator that does not know the time"
    assert team.admin.find("secrets", team.namespace, "newcomer-credentials") is None
    told = {c["reason"] for c in team.admin.get("apiclients", team.namespace, rotated)["status"]["conditions"]}
    assert "ClockSkew" in told

    step_operator(arena, team, 0)
    for name in (retired, held, rotated, "newcomer"):  # it would look again by itself within 30 s
        team.admin.patch("apiclients", team.namespace, name, {"spec": {"displayName": "looked at again"}})
    team.observed(held, "Available")
    arena.until(200, token)
    team.observed("newcomer", "Available")
    eventually("rotated", lambda: team.credentials(rotated) != before[rotated])
    team.gone("secrets", f"{retired}-credentials")


@pytest.mark.rule(26)
def test_gate_an_hour_behind_or_ahead_answers_503_and_recovers(arena: Arena, team: Team) -> None:
    team.declare("billing")
    wrong, right = arena.gates
    secret = team.credentials("billing")
    with arena.promise("a clock is wrong", team.token("billing")) as promise:
        for shift in (_HOUR, -_HOUR, _TWO_DAYS, 0, _HOUR):
            wrong.proxy.date_shift = shift
            expected = 503 if shift else 200
            eventually(f"{expected} at {shift} s", lambda: wrong.check(promise.token) == expected)  # noqa: B023
            eventually("so at the token endpoint", lambda: wrong.ask(secret).status == expected)  # noqa: B023
        assert promise.seen[200]
        eventually("the other gate is right", lambda: right.check(promise.token) == 200)
        with promise.ends(within=10):
            team.desire("billing", "Suspended")
        eventually("refused", lambda: right.check(promise.token) == 401)
        wrong.proxy.heal()
        eventually("refused here, too", lambda: wrong.check(promise.token) == 401)
