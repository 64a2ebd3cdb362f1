"""The live state: snapshots, what is assumed where nobody looked, and drift."""

from __future__ import annotations

import orjson
import pytest

from apiclients.plan.live import LiveState, SnapshotError, Workload, from_snapshot, live_state, to_snapshot, workload
from apiclients.plan.model import ChangeKind
from tests.plan.support import (
    NOW,
    JsonObject,
    Scene,
    acknowledging,
    api,
    approval,
    client,
    contract,
    entry,
    hold,
    live_of,
    planned,
    raw,
    rules,
    world_after,
)

CREDENTIALS = {"name": "x", "secret": {"secretName": "billing-credentials"}}


def test_a_snapshot_comes_back_as_it_was() -> None:
    live = live_of(
        api(),
        client(),
        contract(),
        hold(),
        workloads=[Workload("Deployment", "team-a", "web", ("billing-credentials",))],
    )
    again = from_snapshot(to_snapshot(live), "live.json")
    assert (again.objects, again.workloads, again.namespace_labels) == (
        live.objects,
        live.workloads,
        live.namespace_labels,
    )
    assert to_snapshot(live) == to_snapshot(live_state(
        live.objects.values(), source=live.source, taken_time=live.taken_time,
        namespace_labels=live.namespace_labels, workloads=live.workloads,
    ))  # fmt: skip


@pytest.mark.rule(23)
def test_a_snapshot_holds_no_digest_and_no_annotation_of_others() -> None:
    world = world_after((), (client(),), None, NOW)
    found = next(iter(world.objects.values()))
    body = raw(found)
    body["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "canary-1"}
    body["status"]["credentials"][0]["digest"] = "canary-2"
    live = live_state([body], source="x", taken_time=NOW)
    assert b"canary" not in to_snapshot(live)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b'{"kind": "Pod", "formatVersion": "1.0"}',
        b'{"kind": "ApiClientSnapshot", "formatVersion": "9.0"}',
        b"\xff",
    ],
)
def test_what_is_no_snapshot_is_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(SnapshotError, match=r"live\.json"):
        from_snapshot(data, "live.json")


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Deployment", {"template": {"spec": {"volumes": [CREDENTIALS]}}}),
        ("CronJob", {"jobTemplate": {"spec": {"template": {"spec": {"volumes": [CREDENTIALS]}}}}}),
        ("Pod", {"volumes": [{"projected": {"sources": [{"secret": {"name": "billing-credentials"}}]}}]}),
        ("Pod", {"containers": [{"envFrom": [{"secretRef": {"name": "billing-credentials"}}]}]}),
        ("Pod", {"initContainers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "billing-credentials"}}}]}]}),
    ],
)  # fmt: skip
def test_every_way_to_take_a_secret_is_seen(kind: str, spec: JsonObject) -> None:
    found = workload(kind, {"metadata": {"name": "web", "namespace": "team-a"}, "spec": spec})
    assert found.secrets == ("billing-credentials",)


def test_only_secrets_of_clients_are_kept() -> None:
    live = live_of(client(), workloads=[Workload("Deployment", "team-a", "web", ("billing-credentials", "database"))])
    assert live.workloads is not None
    assert [load.secrets for load in live.workloads] == [("billing-credentials",)]


def test_without_live_state_contracts_in_manifests_count() -> None:
    """The Api lies in another repository: that its contract may be active is the safe assumption."""
    base = (client(), contract())
    made = planned(base, (client(status="Retired"), contract()), None)
    assert entry(made, "billing").unacknowledged
    assert any("manifests alone" in notice for notice in made.notices)
    assert any("shop/orders" in notice for notice in made.notices)


def test_contracts_that_are_live_and_in_other_repositories_count() -> None:
    made = Scene((client(),), (client(status="Retired"),), elsewhere=(api(), contract())).plan()
    known = entry(made, "billing").acknowledgement
    assert known is not None
    assert known.missing == ("billing-orders",)


def narrow(*objects: JsonObject, namespaces: list[str]) -> LiveState:
    """A live state of some namespaces only."""
    live = live_of(*objects)
    kept = [obj for name, obj in live.objects.items() if name.namespace in namespaces]
    return live_state(kept, source="x", taken_time=NOW, namespaces=namespaces, namespace_labels={}, workloads=[])


def test_a_contract_stays_active_whose_api_nobody_could_look_at() -> None:
    objects = (api(), client(), contract(under="manual"), approval())
    live = narrow(*objects, namespaces=["team-a"])
    made = planned((client(), contract(under="manual")), (client(status="Retired"), contract(under="manual")), live)
    known = entry(made, "billing").acknowledgement
    assert known is not None
    assert known.missing == ("billing-orders",)
    assert any("team-a" in notice for notice in made.notices)


def test_a_contract_that_waits_goes_on_waiting_where_nobody_could_look() -> None:
    live = narrow(api(), client(), contract(under="manual"), namespaces=["team-a"])
    made = planned((client(), contract(under="manual")), (client(owner="x"), contract(under="manual")), live)
    assert [found.change for found in made.entries] == [ChangeKind.UPDATE]


def test_an_api_that_nobody_looked_at_is_the_one_that_contracts_were_granted_by() -> None:
    """Its UID is known from them: it is no successor of the same name, which would have to let them in anew."""
    live = narrow(api(), client(), contract(), namespaces=["team-a"])
    known = next(body for name, body in live.objects.items() if name.kind == "Contract")
    known["status"]["inForce"]["apiUid"] = "as-in-the-cluster"
    manifests = (client(), contract(), api(plans=[{"name": "gold", "approval": "Manual"}]))
    made = planned(manifests, (client(status="Retired"), *manifests[1:]), live)
    assert entry(made, "billing").unacknowledged


def test_contracts_in_namespaces_that_nobody_could_look_at_count_for_their_api() -> None:
    live = narrow(api(), client(namespace="team-z"), contract(namespace="team-z"), namespaces=["shop"])
    made = planned((api(),), (api(status="Retired"),), live)
    known = entry(made, "orders", "Api").acknowledgement
    assert known is not None
    assert (known.needed_count, known.complete) == (1, False)


def test_drift_is_told_and_is_no_change() -> None:
    live = live_of(client(status="Suspended", owner="somebody"))
    made = planned((client(),), (client(),), live)
    assert not made.entries
    assert [(d.path, d.base, d.live, d.reset) for d in made.drift] == [
        ("spec.desiredStatus", "Available", "Suspended", True),
        ("spec.owner", None, "somebody", False),
    ]
    assert rules(made) == set()  # drift is not the change's doing


def test_what_was_deleted_by_hand_is_drift() -> None:
    made = planned((client(),), (client(),), live_of(api()))
    assert [(d.object.name, d.live) for d in made.drift] == [("billing", None)]


def test_what_is_live_already_is_taken_over_not_created() -> None:
    made = planned((), (client(status="Suspended"),), live_of(client()))
    assert entry(made, "billing").change is ChangeKind.SUSPEND


def test_fields_that_git_does_not_name_stay() -> None:
    """As kubectl apply does it: three ways."""
    live = live_of(client(tokens={"lifetime": "2h"}, owner="x"))
    after = world_after((client(owner="x"),), (client(),), live, NOW).client(("team-a", "billing"))
    assert after is not None
    assert (after.spec.tokens.lifetime.total_seconds(), after.spec.owner) == (7200, None)


def test_a_live_object_of_another_version_counts_as_not_there() -> None:
    live = live_of(client())
    body = dict(next(iter(live.objects.values())))
    body["spec"] = {"desiredStatus": "Sleeping"}
    odd = live_state([body], source="x", taken_time=NOW, workloads=[])
    made = planned((client(),), (client(),), odd)
    assert any("cannot read" in notice for notice in made.notices)


def test_a_retired_client_that_comes_back_gets_a_new_secret() -> None:
    over = client(status="Retired", **acknowledging(grace="0s"))
    found = entry(Scene((over,), (client(),)).plan(), "billing")
    assert found.change is ChangeKind.RESUME


def test_a_snapshot_is_json_for_people_too() -> None:
    body = orjson.loads(to_snapshot(live_of(client())))
    assert (body["kind"], body["formatVersion"]) == ("ApiClientSnapshot", "1.0")
