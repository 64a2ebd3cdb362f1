"""What plan foretells is what comes: generated changes are planned, applied to a real cluster, and compared."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from apiclients.lifecycle.credentials import current
from apiclients.plan.findings import uncertain
from apiclients.plan.forecast import Forecast, forecast
from apiclients.plan.live import LiveState, from_snapshot
from apiclients.plan.world import parties
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.objects import READERS, AnyObject, Api, ApiClient, ApiClientHold, Contract, ContractApproval
from apiclients.resources.refs import ObjectRef
from cluster import LocalCluster
from demo.service import Service
from tests.plan.generated import Repository
from tests.plan.support import NOW, JsonObject, api, approval, client, contract, read, tree
from tests.toolkit.admin import Admin
from tests.toolkit.objects import KINDS
from tests.toolkit.product import metrics, staged
from tests.toolkit.waiting import PATIENCE, eventually, settled

REPOSITORIES = 14
ROUNDS = 2
SEED = 20260301


@dataclass
class Running:
    """A cluster on which the operator runs."""

    cluster: LocalCluster
    operator: Service
    admin: Admin
    folder: Path

    def snapshot(self) -> LiveState:
        """The live state, by the command."""
        path = self.folder / "live.json"
        command = [
            sys.executable,
            "-m",
            "apiclients.cli.main",
            "snapshot",
            "--kubeconfig",
            str(self.cluster.kubeconfig),
        ]
        subprocess.run([*command, str(path)], check=True, timeout=PATIENCE)
        return from_snapshot(path.read_bytes(), "live")

    def settled(self) -> LiveState:
        """The live state once the operator has seen everything, has nothing to do, and nothing changes any more."""
        settled("what the operator makes of it", self._observed_versions)
        return self.snapshot()

    def _observed_versions(self) -> dict[str, str]:
        """The version of every object, all of them observed."""
        return eventually("the operator has observed everything", self._versions)

    def _versions(self) -> dict[str, str] | None:
        waiting = metrics(self.operator)["apiclient_operator_queue_depth"]
        items = [item for kind in KINDS for item in self.admin.list(kind)]
        if waiting or not all(_observed(item) for item in items):
            return None
        return {item["metadata"]["uid"]: item["metadata"]["resourceVersion"] for item in items}

    def apply(self, objects: list[JsonObject]) -> None:
        """kubectl apply."""
        if objects:
            body = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
            self.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=body)

    def prune(self, gone: list[ObjectRef]) -> list[ObjectRef]:
        """Delete, again and again as GitOps tools do, as long as that leads anywhere; returns what stays."""
        while gone:
            left = [name for name in gone if not self._delete(name)]
            if len(left) == len(gone):
                return left
            gone = left
            self.settled()
        return []

    def _delete(self, name: ObjectRef) -> bool:
        kind = f"{name.kind.lower()}.apiclients.dev"
        done = self.cluster.kubectl("delete", kind, name.name, "-n", name.namespace, "--wait=false", check=False)
        return done.returncode == 0


def _observed(item: dict[str, Any]) -> bool:
    status = item.get("status") or {}
    if item["metadata"].get("deletionTimestamp"):
        return False
    return bool(status.get("observedGeneration") == item["metadata"]["generation"])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("plan")
    with staged(folder) as stage:
        assert isinstance(stage.cluster, LocalCluster)
        operator = stage.operator().start(ready_within=PATIENCE)
        yield Running(stage.cluster, operator, Admin(stage.cluster), folder)


def test_who_let_a_plan_in_depends_on_the_order_and_nothing_that_plan_tells_does() -> None:
    """The Api turns a plan to Manual that is approved, and the contract asks for another one, which waits."""
    automatic = api(plans=[{"name": "gold"}, {"name": "manual", "approval": "Manual"}])
    manual = api(plans=[{"name": "gold", "approval": "Manual"}, {"name": "manual", "approval": "Manual"}])
    approved = approval(under="gold")
    base, head = read(
        tree("base", client(), automatic, contract(under="gold"), approved),
        tree("head", client(), manual, contract(under="manual"), approved),
    )
    seen = forecast(base, head, None, NOW)
    name = ObjectRef("Contract", "team-a", "billing-orders")
    granted = {str(facts(world.objects[name])["granted"]) for world in (seen.after, *seen.otherwise)}
    assert granted == {"Automatic", "Approval"}
    assert uncertain(seen) == set()
    assert _grant_depends_on_order(seen, name)


@pytest.mark.cluster
def test_what_was_foretold_comes(running: Running) -> None:
    """Several pull requests, one after the other, in each of many repositories."""
    rng = random.Random(SEED)
    now = [Repository(rng, f"team-{n}", f"shop-{n}").fill() for n in range(REPOSITORIES)]
    for repository in now:
        for namespace in (repository.team, repository.shop):
            running.cluster.kubectl("create", "namespace", namespace)
    running.apply(_all(now))
    live = running.settled()
    foretold = open_questions = 0
    for number in range(ROUNDS):
        later = [repository.changed(rng.randint(1, 4)) for repository in now]
        seen = _forecast(now, later, live)
        running.apply(_all(later))
        gone = sorted(seen.declared - {_id(obj) for obj in _all(later)}, key=lambda name: (name.kind, name))
        refused = running.prune(gone)
        live = running.settled()
        differences = _differences(seen, live)
        assert not differences, f"round {number}:\n" + "\n".join(differences)
        assert set(refused) ^ seen.refused_deletions <= uncertain(seen)
        foretold += len(seen.declared - uncertain(seen))
        open_questions += len(seen.declared & uncertain(seen))
        kept = [name for name in refused if name.key]
        now = [_with_kept(repository, old, kept) for repository, old in zip(later, now, strict=True)]
    assert foretold > 5 * open_questions


def _all(repositories: list[Repository]) -> list[JsonObject]:
    return [obj for repository in repositories for obj in repository.all()]


def _id(obj: JsonObject) -> ObjectRef:
    return ObjectRef(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])


def _forecast(before: list[Repository], after: list[Repository], live: LiveState) -> Forecast:
    base, head = read(tree("base", *_all(before)), tree("head", *_all(after)))
    assert not [m for m in head.objects.values() if m.refused]
    return forecast(base, head, live, datetime.now(UTC))


def _with_kept(repository: Repository, old: Repository, kept: list[ObjectRef]) -> Repository:
    """What could not be deleted is declared again, so that the next round starts from what is there."""
    for name in kept:
        known = old.objects.get((name.kind, name.name))
        if known is not None and known["metadata"]["namespace"] == name.namespace:
            repository.put(known)
    return repository


def _differences(seen: Forecast, live: LiveState) -> list[str]:
    """Where what came is not what was foretold; of what depends on the order plan says so and foretells nothing."""
    came = {name: READERS[name.kind](raw) for name, raw in live.objects.items()}
    found = []
    for name in sorted((seen.after.objects.keys() | came.keys()) - _open(seen)):
        foretold, real = facts(seen.after.objects.get(name)), facts(came.get(name))
        found += [
            f"{name} {fact}: foretold {foretold.get(fact)}, came {real.get(fact)}"
            for fact in sorted(foretold.keys() | real.keys())
            if foretold.get(fact) != real.get(fact) and not (fact == "granted" and _grant_depends_on_order(seen, name))
        ]
    return found


def _grant_depends_on_order(seen: Forecast, name: ObjectRef) -> bool:
    """Whether two or more of a contract, its parties and its approvals change at once.

    Who let a plan into force (``inForce.grantedBy``) is remembered while it stays in force. If an Api turns the plan to
    Manual, an approval of it is there, and the contract asks for another plan that has to wait, the plan is in force by
    approval where the Api came first, and by itself where the contract did. Plan tells status, reason and plan, which
    are the same, and nothing of who let it in.
    """
    contract = seen.after.objects[name]
    assert isinstance(contract, Contract)
    client, api = parties(contract)
    concerned = {name, ObjectRef("ApiClient", *client), ObjectRef("Api", *api)}
    for world in (seen.before, seen.after):
        concerned |= {
            other
            for other, obj in world.objects.items()
            if isinstance(obj, ContractApproval) and (obj.spec.contract.namespace, obj.spec.contract.name) == name.key
        }
    return len(concerned & seen.declared) > 1


def _open(seen: Forecast) -> set[ObjectRef]:
    """What depends on the order, and whose counts do."""
    found = set(uncertain(seen))
    for world in (seen.after, *seen.otherwise):
        for name in uncertain(seen):
            obj = world.objects.get(name)
            if isinstance(obj, Contract):
                client, api = parties(obj)
                found |= {ObjectRef("ApiClient", *client), ObjectRef("Api", *api)}
    return found


def facts(obj: AnyObject | None) -> dict[str, object]:
    """Everything about an object that can be foretold; times and ids of the API server cannot."""
    if obj is None:
        return {}
    # A plan does not ask the gates.
    conditions = {c.type: (c.status, c.reason) for c in obj.status.conditions if c.type != ConditionType.ENFORCED}
    told: dict[str, object] = {"exists": True, **conditions}
    match obj:
        case ApiClient(status=status):
            known = current(status.credentials)
            told |= {
                "observed": status.observed_status,
                "desired": status.desired_status,
                "credential": (known.id, known.cause) if known else None,
                "previous": len(status.credentials),
                "contracts": status.contracts,
                "holds": [h.name for h in status.holds],
                "retired": status.retirement is not None,
                "secret": status.secret.name if status.secret else None,
                "request": status.last_handled_rotate_request,
            }
        case Contract(status=contract):
            in_force = contract.in_force
            told |= {"observed": contract.observed_status, "plan": in_force.plan if in_force else None}
            told |= {"granted": in_force.granted_by if in_force else None}
        case Api(status=published):
            told |= {"observed": published.observed_status, "desired": published.desired_status}
            told |= {"contracts": published.contracts, "retired": published.retirement is not None}
        case ContractApproval(status=approved):
            gone = conditions.get("Ready") == ("False", Reason.CONTRACT_NOT_FOUND)
            told |= {} if gone else {"bound": approved.bound is not None}
        case ApiClientHold(status=held):
            told |= {"stopped": held.stopped_names}
    return told
