"""What gates see of the API server is frozen, lost, replayed or refused: no wrong yes, and recovery without a hand."""

import time
from collections.abc import Callable

import pytest

from apiclients.lifecycle.revocations import fingerprint
from demo.calls import post_form
from tests.faults.arena import MAX_STALENESS, RELIST_BOUND, Arena, Team, verified_within
from tests.toolkit.waiting import PATIENCE, eventually

pytestmark = pytest.mark.cluster

_OURS = ("apiclients", "apis", "contracts", "contractapprovals", "apiclientholds", "tokenrevocations")


def mute(arena: Arena, *resources: str) -> None:
    """Watches of all gates stay open and deliver nothing."""
    for gate in arena.gates:
        gate.proxy.mute(*resources)


@pytest.mark.rule(16, 17)
def test_suspension_holds_within_max_staleness_although_all_watches_are_silent(arena: Arena, team: Team) -> None:
    team.declare("billing")
    with arena.promise("a client suspended behind silent watches", team.token("billing")) as promise:
        mute(arena, *_OURS)
        with promise.ends(within=MAX_STALENESS):
            team.desire("billing", "Suspended")
        arena.until(401, promise.token)
        for gate in arena.gates:  # the lists prove that the picture is fresh
            arena.until_ready(gate.service)
        team.observed("billing", "Suspended")
        team.desire("billing", "Available")
        promise.either()
        arena.until(200, promise.token)


@pytest.mark.rule(16, 17)
def test_retirement_and_hold_hold_within_max_staleness_although_all_watches_are_silent(
    arena: Arena, team: Team
) -> None:
    team.declare("retired")
    team.declare("held")
    tokens = team.token("retired"), team.token("held")
    with arena.promise("retired", tokens[0]) as retired, arena.promise("held", tokens[1]) as held:
        mute(arena, *_OURS)
        with retired.ends(within=MAX_STALENESS):
            team.desire("retired", "Retired")
        with held.ends(within=MAX_STALENESS):
            team.hold("stop", "held")
        time.sleep(MAX_STALENESS)
        arena.until(401, retired.token)
        arena.until(401, held.token)
        held.either()
        team.admin.delete("apiclientholds", team.namespace, "stop")
        arena.until(200, held.token)


@pytest.mark.rule(17)
@pytest.mark.parametrize("status", ["Suspended", "Retired"])
def test_one_lost_event_of_a_client_is_found_by_a_proof(arena: Arena, team: Team, status: str) -> None:
    team.declare("billing")
    with arena.promise(f"{status}, and the event is lost", team.token("billing")) as promise:
        losses = [gate.proxy.lose("apiclients", name="billing", times=9) for gate in arena.gates]
        with promise.ends(within=MAX_STALENESS):
            team.desire("billing", status)
        arena.until(401, promise.token)
        for loss in losses:
            assert loss.happened.wait(PATIENCE)


@pytest.mark.rule(17)
def test_lost_event_of_a_hold_is_found_by_a_proof_and_counted(arena: Arena, team: Team) -> None:
    team.declare("billing")
    before = [gate.metric("lost_events_total") for gate in arena.gates]
    with arena.promise("held, and the event is lost", team.token("billing")) as promise:
        losses = [gate.proxy.lose("apiclientholds", name="stop") for gate in arena.gates]
        with promise.ends(within=MAX_STALENESS):
            team.hold("stop", "billing")
        arena.until(401, promise.token)
        for loss in losses:
            assert loss.happened.wait(PATIENCE)
        for number, gate in enumerate(arena.gates):
            team.hold(f"later-{number}", "nobody")  # the watch goes on, past what it has not told
            eventually("it is counted", lambda: gate.metric("lost_events_total") > before[number])  # noqa: B023


@pytest.mark.rule(17)
def test_lost_event_of_a_revocation_is_found_by_a_proof_and_counted(arena: Arena, team: Team) -> None:
    """The gate that was asked knows it from the answer to its own write; the others hear of it by their watches."""
    team.declare("billing")
    asked, *others = arena.gates
    with arena.promise("revoked, and the event is lost", team.token("billing")) as promise:
        name = fingerprint(promise.token.encode())
        losses = [gate.proxy.lose("tokenrevocations", name=name) for gate in others]
        before = [gate.metric("lost_events_total") for gate in others]
        with promise.ends(within=MAX_STALENESS):
            answer = post_form(team.credentials("billing"), f"{asked.url}/revoke", token=promise.token)
            assert answer.status == 200
        arena.until(401, promise.token)
        for gate, loss, count in zip(others, losses, before, strict=True):
            assert loss.happened.wait(PATIENCE)
            team.revoke("billing", f"later-{team.namespace}")  # the watch goes on, past what it has not told
            eventually("it is counted", lambda: gate.metric("lost_events_total") > count)  # noqa: B023


@pytest.mark.rule(17)
def test_revocation_holds_within_max_staleness_although_all_watches_are_silent(arena: Arena, team: Team) -> None:
    team.declare("billing")
    with arena.promise("a token revoked behind silent watches", team.token("billing")) as promise:
        mute(arena, *_OURS)
        with promise.ends(within=MAX_STALENESS):
            team.revoke("billing", fingerprint(promise.token.encode()))
        arena.until(401, promise.token)


def delete_client(team: Team, shop: Team) -> None:
    team.admin.delete("apiclients", team.namespace, "billing")


def delete_contract(team: Team, shop: Team) -> None:
    team.admin.delete("contracts", team.namespace, "billing-orders")


def delete_approval(team: Team, shop: Team) -> None:
    spec = {"spec": {"decision": "Rejected", "reason": "on second thoughts"}}
    team.admin.patch("contractapprovals", shop.namespace, "billing", spec)


def delete_api(team: Team, shop: Team) -> None:
    team.admin.delete("apis", shop.namespace, "orders")


def retire_api(team: Team, shop: Team) -> None:
    spec = {"desiredStatus": "Retired", "retirement": {"acknowledgedContractCount": 1}}
    team.admin.patch("apis", shop.namespace, "orders", {"spec": spec})


@pytest.mark.rule(14, 17)
@pytest.mark.parametrize(
    ("resource", "end"),
    [
        ("apiclients", delete_client),
        ("contracts", delete_contract),
        ("contractapprovals", delete_approval),
        ("apis", delete_api),
        ("apis", retire_api),
    ],
    ids=["client deleted", "contract deleted", "approval rejected", "API deleted", "API retired"],
)
def test_lost_end_of_what_is_in_use_is_found_in_time(
    arena: Arena, team: Team, shop: Team, resource: str, end: Callable[[Team, Team], None]
) -> None:
    path = team.contracted(shop)
    arena.until_verified()
    with arena.promise(f"{end.__name__}, and the event is lost", team.token("billing"), path) as promise:
        mute(arena, *_OURS)
        with promise.ends(within=verified_within(5)):
            end(team, shop)
        eventually("refused", lambda: not arena.verdicts(promise.token, path) & {200})
        assert arena.verdicts(promise.token, path) <= {401, 403, 410, 503}


@pytest.mark.rule(17)
def test_old_events_delivered_again_revive_nothing(arena: Arena, team: Team, shop: Team) -> None:
    path = team.contracted(shop)
    team.declare("other")
    tokens = team.token("billing"), team.token("other")
    with arena.promise("contract that ended", tokens[0], path) as ended, arena.promise("suspended", tokens[1]) as other:
        with ended.ends(within=RELIST_BOUND):
            team.admin.delete("contracts", team.namespace, "billing-orders")
        with other.ends(within=MAX_STALENESS):
            team.desire("other", "Suspended")
        team.observed("other", "Suspended")
        arena.until(403, ended.token, path)
        arena.until(401, other.token)
        ended.refuse()
        other.refuse()
        for _ in range(3):
            assert all(gate.proxy.replay(*_OURS) for gate in arena.gates)
            time.sleep(0.3)  # nothing may happen
    assert team.observed("other", "Suspended")


@pytest.mark.rule(17)
@pytest.mark.parametrize("status", [409, 410, 429, 500])
def test_errors_of_the_api_server_change_no_answer_and_pass(arena: Arena, team: Team, status: int) -> None:
    team.declare("billing")
    with arena.promise(f"while the API server answers {status}", team.token("billing")) as promise:
        # kopf ends the operator when one of its watches is refused; that is told in another story.
        refusals = [arena.operator_proxy.refuse(status, lambda asked: not asked.watch, times=5)]
        refusals += [gate.proxy.refuse(status, lambda _: True, times=12) for gate in arena.gates]
        proxies = [arena.operator_proxy, *(gate.proxy for gate in arena.gates)]
        for proxy in proxies:
            proxy.cut()
        team.declare("newcomer")
        eventually("all errors have been given", lambda: not any(refusal.left for refusal in refusals))
        with promise.ends(within=MAX_STALENESS):
            team.desire("billing", "Suspended")
        arena.until(401, promise.token)
    arena.until(200, team.token("newcomer"))


@pytest.mark.rule(7, 17)
def test_operator_whose_watch_is_refused_ends_and_its_successor_goes_on(arena: Arena, team: Team) -> None:
    team.declare("billing")
    secret, restarts = team.credentials("billing"), arena.supervisor.restarts
    with arena.promise("while the operator starts anew", team.token("billing")):
        arena.operator_proxy.refuse(410, lambda asked: asked.watch and asked.resource == "apiclients")
        arena.operator_proxy.cut()
        team.declare("newcomer")
        eventually("it was started again", lambda: arena.supervisor.restarts > restarts)
    arena.until_ready(arena.operator)
    assert team.credentials("billing") == secret


@pytest.mark.rule(21)
def test_operator_whose_api_server_has_lost_a_change_goes_on_with_all_others(arena: Arena, team: Team) -> None:
    team.declare("billing")
    secret, restarts = team.credentials("billing"), arena.supervisor.restarts
    with arena.promise("suspended, and the operator's API server has lost it", team.token("billing")) as promise:
        with arena.operator_proxy.cache.losing(arena.admin, "apiclients", team.namespace, "billing"):
            with promise.ends(within=MAX_STALENESS):
                team.desire("billing", "Suspended")
            team.declare("newcomer")
            arena.operator_proxy.cut()  # its watches go on from where they were
            team.declare("another")
            arena.until(401, promise.token)
        team.client("billing", desired="Suspended", displayName="edited again")
        team.observed("billing", "Suspended")
    assert team.credentials("billing") == secret
    assert arena.supervisor.restarts == restarts


@pytest.mark.rule(17)
def test_one_gate_cut_off_says_503_and_the_other_goes_on(arena: Arena, team: Team) -> None:
    team.declare("billing")
    cut_off, other = arena.gates
    with arena.promise("one gate is cut off", team.token("billing")) as promise:
        cut_off.proxy.cut(for_good=True)
        eventually("503", lambda: cut_off.check(promise.token) == 503)
        eventually("200", lambda: other.check(promise.token) == 200)
        with promise.ends(within=MAX_STALENESS):
            team.desire("billing", "Suspended")
        eventually("401", lambda: other.check(promise.token) == 401)
        assert cut_off.check(promise.token) == 503
        cut_off.proxy.heal()
        arena.until(401, promise.token)


@pytest.mark.rule(17)
def test_slow_api_server_costs_freshness_and_never_truth(arena: Arena, team: Team) -> None:
    team.declare("billing")
    with arena.promise("every request takes long", team.token("billing")) as promise:
        for gate in arena.gates:
            gate.proxy.delay = MAX_STALENESS / 4
        time.sleep(1)  # what is under way without the delay is over
        with promise.ends(within=MAX_STALENESS):
            team.desire("billing", "Suspended")
        arena.until(401, promise.token)
        for gate in arena.gates:
            gate.proxy.delay = MAX_STALENESS
        eventually("too slow to prove anything", lambda: arena.verdicts(promise.token) == {503})
