"""A gate that starts beside 30,000 objects, on a part of a core: its liveness probe is answered all the while."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from apiclients.resources.keys import KEY_RING_KEY
from apiclients.resources.names import API_VERSION, GROUP
from cluster import LocalCluster
from cluster.stored import store
from demo.calls import request
from demo.service import Service
from demo.stage import Stage
from tests.gate.support import SECRET, credential, key_ring
from tests.toolkit.admin import Admin
from tests.toolkit.objects import SYSTEM
from tests.toolkit.product import encoded, fetch, metrics, staged, url
from tests.toolkit.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = 30_000
TEAMS = 30
#: While the lists are read: fewer would prove nothing.
LEAST_PROBES = 20
TICK = os.sysconf("SC_CLK_TCK")


def clients() -> Iterator[dict[str, Any]]:
    """Clients as they are stored, each with a credential."""
    for number in range(CLIENTS):
        meta = {"namespace": f"team-{number % TEAMS}", "name": f"client-{number:05}", "generation": 1}
        meta |= {"uid": f"00000000-0000-4000-8000-{number:012}", "creationTimestamp": "2026-01-01T00:00:00Z"}
        status = {
            "observedGeneration": 1,
            "observedStatus": "Available",
            "desiredStatus": "Available",
            "desiredGeneration": 1,
            "tokens": {"notBefore": "2026-01-01T00:00:00Z"},
            "credentials": [credential(1, SECRET)],
        }
        yield {
            "apiVersion": API_VERSION,
            "kind": "ApiClient",
            "metadata": meta,
            "spec": {"desiredStatus": "Available", "owner": f"team-{number % TEAMS}@example.com"},
            "status": status,
        }


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Stage]:
    """A cluster of its own with all these clients, and no operator: it would begin to look at each."""
    with staged(tmp_path) as stage:
        assert isinstance(stage.cluster, LocalCluster)
        for number in range(TEAMS):
            stage.cluster.kubectl("create", "namespace", f"team-{number}")
        store(stage.cluster, f"{GROUP}/apiclients", clients())
        ring = encoded(json.dumps(key_ring().to_object()))
        meta = {"name": "apiclient-keys", "namespace": SYSTEM}
        Admin(stage.cluster).create("secrets", SYSTEM, {"metadata": meta, "data": {KEY_RING_KEY: ring}})
        yield stage


def container() -> dict[str, Any]:
    """The gate's container, as shipped."""
    documents = yaml.safe_load_all((ROOT / "manifests" / "base" / "gate.yaml").read_text(encoding="utf-8"))
    (found,) = (one for one in documents if one["kind"] == "Deployment")
    spec: dict[str, Any] = found["spec"]["template"]["spec"]["containers"][0]
    return spec


def probe_seconds() -> float:
    """How long the kubelet waits for an answer, at Kubernetes' default where nothing is said."""
    return float(container()["livenessProbe"].get("timeoutSeconds", 1))


def core_share() -> float:
    """What a node that is full leaves to the gate: what it requests, in cores."""
    cpu = str(container()["resources"]["requests"]["cpu"])
    return float(cpu.removesuffix("m")) / (1000 if cpu.endswith("m") else 1)


def cpu_seconds(pid: int) -> float:
    """What a process has computed so far: utime and stime of proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


@pytest.mark.rule(17)
def test_liveness_is_answered_while_the_first_lists_are_read(crowded: Stage) -> None:
    """How long a probe takes tells how busy this machine is; what the gate computes meanwhile is its own doing."""
    gate = crowded.gate(0).start(ready_within=None)
    eventually("it serves", lambda: _serves(gate))
    costs = []
    while not gate.is_ready():
        before = cpu_seconds(gate.pid)
        answer = fetch(gate, "/healthz")
        costs.append(cpu_seconds(gate.pid) - before)
        assert answer.status == 200, answer
    assert len(costs) >= LEAST_PROBES, "it was ready before anybody could ask"
    assert max(costs) <= core_share() * probe_seconds()
    assert metrics(gate)["apiclient_gate_clients"] == CLIENTS


def _serves(gate: Service) -> bool:
    try:
        return request("GET", f"{url(gate)}/healthz").status == 200
    except OSError:
        assert gate.running, gate.tail()
        return False
