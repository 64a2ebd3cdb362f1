"""Real pods of the chart as shipped, under load through the Service: what nobody notices, and what a crash costs.

The chapters are told in this order; each leaves everything as it was. Times are told at the end of the run and judged
by nobody: they depend on the machine. Answers are judged.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from demo.calls import call
from tests.pods.conftest import CURRENT, Story
from tests.pods.platform import GATE, OPERATOR, RELEASE, SYSTEM, Platform, Version
from tests.pods.traffic import TEAM, Calls
from tests.toolkit.images import ROOT
from tests.toolkit.objects import JsonObject
from tests.toolkit.waiting import eventually

pytestmark = [pytest.mark.pods, pytest.mark.timeout(1800)]

TOGGLES = 50
#: What callers see of a gate that is gone: through the Service, and through nginx.
NO_ANSWER = {"ConnectionRefusedError", "ConnectionResetError", "RemoteDisconnected", "BrokenPipeError", "503"}


def _restart(name: str) -> Callable[[Platform], None]:
    def restart(platform: Platform) -> None:
        platform.kubectl("rollout", "restart", f"deployment/{name}")
        platform.until_rolled_out()

    return restart


def _scale(platform: Platform) -> None:
    for replicas in (5, 2):
        platform.kubectl("scale", f"deployment/{GATE}", f"--replicas={replicas}")
        platform.until_rolled_out()


def _delete_a_gate(platform: Platform) -> None:
    platform.kubectl("delete", "pod", platform.pods(GATE)[0]["metadata"]["name"])
    platform.until_rolled_out()


def _evict_all_gates(platform: Platform) -> None:
    for pod in platform.pods(GATE):
        platform.evict(pod["metadata"]["name"])
    platform.until_rolled_out()


def _upgrade_and_roll_back(platform: Platform) -> None:
    platform.upgrade(CURRENT, "gate.podAnnotations.changed=yes", "operator.podAnnotations.changed=yes")
    platform.helm("rollback", RELEASE)
    platform.until_rolled_out()


VOLUNTARY: dict[str, Callable[[Platform], None]] = {
    "rollout restart of gates": _restart(GATE),
    "rollout restart of operators": _restart(OPERATOR),
    "gates scaled 2, 5, 2": _scale,
    "a gate's pod deleted": _delete_a_gate,
    "all gates evicted against the budget": _evict_all_gates,
    "helm upgrade and rollback": _upgrade_and_roll_back,
}


def test_pods_start_once_where_restricted_is_enforced(story: Story) -> None:
    refused = story.platform.cluster.kubectl(
        "run", "careless", "--image=localhost/pause:1", f"--namespace={SYSTEM}", check=False
    )
    assert "violates PodSecurity" in refused.stderr
    assert story.platform.restarts() == 0


def test_a_client_is_suspended_and_resumed_many_times(story: Story) -> None:
    platform, token = story.platform, story.tokens["toggled"]
    first, second = (f"pod/{pod['metadata']['name']}" for pod in platform.pods(GATE))
    seconds: dict[str, list[float]] = {"Suspended": [], "Available": []}
    with platform.forwarded(first) as one, platform.forwarded(second) as other, story.during() as calls:
        for _ in range(TOGGLES):
            for desired, status in (("Suspended", 401), ("Available", 200)):
                platform.admin.apply("apiclients", TEAM, "toggled", {"desiredStatus": desired})
                began = time.monotonic()
                for gate in (one, other):
                    _until_answered(gate, token, status)
                seconds[desired].append(time.monotonic() - began)
                if desired == "Suspended":
                    assert {call(f"http://{gate}/check", token).status for gate in (one, other)} == {401}
    for desired, found in seconds.items():
        median, longest = statistics.median(found) * 1000, max(found) * 1000
        story.tell(f"{desired} at both gates, {TOGGLES} times", f"median {median:.0f} ms, longest {longest:.0f} ms")
    _nothing_failed(story, f"suspended and resumed {TOGGLES} times", calls)


def test_the_examples_are_applied_as_they_are(story: Story) -> None:
    told = story.platform.cluster.kubectl("apply", f"--filename={ROOT / 'examples'}").stdout.splitlines()
    assert told[0].startswith("namespace/")  # first, for the others are in it
    admin = story.platform.admin
    eventually("all are handled", lambda: all(_is_handled(obj) for obj in admin.list("apiclients", "team-a")))


@pytest.mark.parametrize("chapter", VOLUNTARY)
def test_nobody_notices(story: Story, chapter: str) -> None:
    with story.during() as calls:
        VOLUNTARY[chapter](story.platform)
    _nothing_failed(story, chapter, calls)


def test_nobody_notices_an_upgrade_from_the_previous_version_and_the_way_back(story: Story, previous: Version) -> None:
    with story.during() as calls:
        story.platform.upgrade(previous)
        story.platform.upgrade(CURRENT)
    _nothing_failed(story, "helm upgrade to the previous commit and back", calls)


def test_a_leader_that_is_deleted_is_succeeded(story: Story) -> None:
    leader = story.platform.leader()
    with story.during() as calls:
        began = time.monotonic()
        story.platform.kubectl("delete", "pod", leader, "--wait=false")
        story.platform.until_succeeded(leader)
        story.tell("successor of a leader whose pod is deleted", f"after {time.monotonic() - began:.1f} s")
        story.platform.until_rolled_out()
    _nothing_failed(story, "leader's pod deleted", calls)


def test_a_leader_that_is_killed_is_succeeded(story: Story) -> None:
    leader = story.platform.leader()
    with story.during() as calls:
        container = story.platform.kill(leader)
        began, killed = time.monotonic(), datetime.now(UTC)
        story.platform.until_renewed(killed)
        story.tell("successor of a leader that is killed", f"after {time.monotonic() - began:.1f} s")
        story.platform.until_started_again(leader, container)
    _nothing_failed(story, "leader killed", calls)


def test_a_gate_that_is_killed_costs_calls_and_gives_no_wrong_answer(story: Story) -> None:
    gate = story.platform.pods(GATE)[0]["metadata"]["name"]
    with story.during() as calls:
        container = story.platform.kill(gate)
        story.platform.until_started_again(gate, container)
    _no_wrong_answer(story, "gate killed", calls)
    assert {key.rpartition("/")[2] for one in calls for key in one.failed} <= NO_ANSWER


def test_an_api_server_that_is_started_again_costs_nothing(story: Story) -> None:
    cluster = story.platform.cluster
    with story.during() as calls:
        began = time.monotonic()
        cluster.stop_api_server()
        cluster.start_api_server()
        away = time.monotonic() - began
        story.platform.until_rolled_out()
    _no_wrong_answer(story, f"API server away for {away:.1f} s", calls)
    # Away for longer than --max-staleness, gates answer 503, as they must.
    assert away > 50 or not any(one.failed for one in calls)


def test_uninstall_leaves_clients_secrets_and_keys(story: Story) -> None:
    platform = story.platform
    kept = [
        ("apiclients", TEAM, "accepted"),
        ("secrets", TEAM, "accepted-credentials"),
        ("secrets", SYSTEM, "apiclient-keys"),
    ]
    before = [platform.admin.get(*where)["metadata"]["uid"] for where in kept]
    platform.helm("uninstall", RELEASE, "--wait")
    eventually("all pods are gone", lambda: not platform.pods(GATE) and not platform.pods(OPERATOR))
    assert [platform.admin.get(*where)["metadata"]["uid"] for where in kept] == before
    platform.upgrade(CURRENT)
    with platform.forwarded(f"service/{GATE}") as gate:
        for name, status in (("accepted", 200), ("refused", 401)):
            assert call(f"http://{gate}/check", story.tokens[name]).status == status


def _is_handled(obj: JsonObject) -> bool:
    return bool(obj["status"]["observedGeneration"] == obj["metadata"]["generation"])


def _until_answered(gate: str, token: str, status: int) -> None:
    eventually(f"{gate} answers {status}", lambda: call(f"http://{gate}/check", token).status == status)


def _nothing_failed(story: Story, chapter: str, all_calls: list[Calls]) -> None:
    for calls in all_calls:
        story.tell(chapter, calls)
    assert [calls.failed for calls in all_calls] == [{} for _ in story.loads]


def _no_wrong_answer(story: Story, chapter: str, all_calls: list[Calls]) -> None:
    for calls in all_calls:
        story.tell(chapter, calls)
    assert [calls.wrong for calls in all_calls] == [{} for _ in story.loads]
