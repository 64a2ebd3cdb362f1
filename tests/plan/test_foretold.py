"""What plan foretells is what comes: generated changes are planned, applied to a real cluster, and compared."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
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
from apiclients.plan.model import ObjectId
from apiclients.plan.world import READERS, AnyObject, parties
from apiclients.resources.conditions import Reason
from apiclients.resources.objects import Api, ApiClient, ApiClientHold, Contract, ContractApproval
from cluster import Cluster, LocalCluster
from demo.stage import Stage
from tests.plan.generated import Repository
from tests.plan.support import JsonObject, read, tree

REPOSITORIES = 14
ROUNDS = 2
SEED = 20260301
_QUIET_SECONDS = 1.2
_LONGEST = 40.0


@dataclass
class Running:
    """A cluster on which the operator runs."""

    cluster: Cluster
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
        subprocess.run([*command, str(path)], check=True, timeout=60)
        return from_snapshot(path.read_bytes(), "live")

    def settled(self) -> LiveState:
        """The live state once the operator has seen everything and nothing changes any more."""
        end, since, last, items = time.monotonic() + _LONGEST, time.monotonic(), "", []
        while time.monotonic() < end:
            text = self.cluster.kubectl("get", "apiclients,apis,contracts,contractapprovals,apiclientholds", "-A",
                                        "-o", "json").stdout  # fmt: skip
            items = json.loads(text)["items"]
            seen = "".join(sorted(f"{i['metadata']['uid']}={i['metadata']['resourceVersion']} " for i in items))
            if seen != last or not all(_observed(item) for item in items):
                last, since = seen, time.monotonic()
            elif time.monotonic() - since >= _QUIET_SECONDS:
                return self.snapshot()
            time.sleep(0.15)
        late = [item for item in items if not _observed(item)]
        raise AssertionError(f"the operator does not come to rest: {json.dumps(late, indent=1)[:6000]}")

    def apply(self, objects: list[JsonObject]) -> None:
        """kubectl apply."""
        if objects:
            body = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
            self.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=body)

    def prune(self, gone: list[ObjectId]) -> list[ObjectId]:
        """Delete, again and again as GitOps tools do, as long as that leads anywhere; returns what stays."""
        while gone:
            left = [name for name in gone if not self._delete(name)]
            if len(left) == len(gone):
                return left
            gone = left
            self.settled()
        return []

    def _delete(self, name: ObjectId) -> bool:
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
    with LocalCluster() as cluster, Stage(cluster, folder) as stage:
        stage.install()
        stage.operator().start(ready_within=60)
        yield Running(cluster, folder)


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


def _id(obj: JsonObject) -> ObjectId:
    return ObjectId(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])


def _forecast(before: list[Repository], after: list[Repository], live: LiveState) -> Forecast:
    base, head = read(tree("base", *_all(before)), tree("head", *_all(after)))
    assert not [m for m in head.objects.values() if m.refused]
    return forecast(base, head, live, datetime.now(UTC))


def _with_kept(repository: Repository, old: Repository, kept: list[ObjectId]) -> Repository:
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
            if foretold.get(fact) != real.get(fact)
        ]
    return found


def _open(seen: Forecast) -> set[ObjectId]:
    """What depends on the order, and whose counts do."""
    found = set(uncertain(seen))
    for world in (seen.after, *seen.otherwise):
        for name in uncertain(seen):
            obj = world.objects.get(name)
            if isinstance(obj, Contract):
                client, api = parties(obj)
                found |= {ObjectId("ApiClient", *client), ObjectId("Api", *api)}
    return found


def facts(obj: AnyObject | None) -> dict[str, object]:
    """Everything about an object that can be foretold; times and ids of the API server cannot."""
    if obj is None:
        return {}
    conditions = {c.type: (c.status, c.reason) for c in obj.status.conditions}
    told: dict[str, object] = {"exists": True, **conditions}
    match obj:
        case ApiClient(status=status):
            known = current(status.credentials)
            told |= {
                "observed": status.observed_status,
                "wish": status.desired_status,
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
            told |= {"observed": published.observed_status, "wish": published.desired_status}
            told |= {"contracts": published.contracts, "retired": published.retirement is not None}
        case ContractApproval(status=approved):
            gone = conditions.get("Ready") == ("False", Reason.CONTRACT_NOT_FOUND)
            told |= {} if gone else {"bound": approved.bound is not None}
        case ApiClientHold(status=held):
            told |= {"stopped": held.stopped_names}
    return told
