"""Programs of this release beside those of the one before: both ways pass the story of the demonstration.

So every order in which operator and gates are upgraded, or go back, works as docs/upgrades.md promises.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from apiclients.lifecycle.features import Feature
from apiclients.lifecycle.replicas import replica
from apiclients.resources.names import GATE_LEASE_SELECTOR
from cluster import LocalCluster
from demo import story
from demo.contracts import API, PROVIDER, ContractStory
from demo.repository import Repository
from demo.service import Service
from demo.stage import SYSTEM_NAMESPACE, Stage
from demo.story import NAMESPACE, Story
from tests.toolkit.admin import Admin
from tests.toolkit.product import Product, Team, staged
from tests.toolkit.waiting import eventually
from tests.upgrades.releases import missing_history, previous, unpack_programs

pytestmark = pytest.mark.cluster
#: How often the story suspends and resumes.
TRIES = 5


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python package of the previous release."""
    reason = missing_history(previous())
    if reason is not None:
        pytest.skip(reason)
    folder = unpack_programs(previous(), tmp_path_factory.mktemp("previous"))
    assert Path(imported_from(folder)).is_relative_to(folder), "it would be this release"
    return folder


def imported_from(package: Path) -> str:
    """Where a program takes the package from that is told to take it from there."""
    command = [sys.executable, "-c", "import apiclients; print(apiclients.__file__)"]
    environment = os.environ | {"PYTHONPATH": str(package)}
    return subprocess.run(command, env=environment, cwd=package, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A cluster with the manifests of this release: CRDs, rights and policies come first."""
    with staged(tmp_path) as stage:
        for namespace in (NAMESPACE, PROVIDER):
            stage.cluster.kubectl("create", "namespace", namespace)
        yield stage


def tell(stage: Stage, operator: Service, monkeypatch: pytest.MonkeyPatch, gates: Sequence[Service] = ()) -> None:
    """The story, as ``make demo`` tells it; without ``gates`` what only this operator tells is left out.

    Raises StoryError.
    """
    monkeypatch.setattr(story, "TRIES", TRIES)
    gateway, services = stage.gateway()
    contract_gateway, more = stage.gateway(api=API)
    for service in (*services, *more):
        service.start()
    told = Story(stage, Repository(stage.folder / "repository", stage.cluster), gateway, operator, gates)
    told.run()
    ContractStory(told, contract_gateway).run()


def obeyed(stage: Stage) -> list[frozenset[str]]:
    """What each gate lists."""
    assert isinstance(stage.cluster, LocalCluster)
    leases = Admin(stage.cluster).list("leases", SYSTEM_NAMESPACE, labelSelector=GATE_LEASE_SELECTOR)
    return [replica(lease).obeys for lease in leases]


def test_gates_of_the_previous_release_with_this_operator(
    stage: Stage, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = stage.operator().start()  # which makes the keys
    gates = [stage.gate(number, package=package).start() for number in (0, 1)]
    tell(stage, operator, monkeypatch, gates)
    upgrade_gates(stage, operator, gates)


def upgrade_gates(stage: Stage, operator: Service, gates: list[Service]) -> None:
    """What a gate lists decides about whom it concerns, until the last old one is gone (rule 33)."""
    assert isinstance(stage.cluster, LocalCluster)
    team = Team(Product(stage, Admin(stage.cluster), operator, gates), NAMESPACE)
    lacking = [number for number, obeys in enumerate(obeyed(stage)) if not obeys >= set(Feature)]
    careful = team.declare("careful", secret={"notBefore": "2020-01-01T00:00:00Z"})
    if lacking:
        careful.until_condition("Stalled", "True", "GateTooOld")
    for number, gate in enumerate(gates):
        gate.stop()
        gates[number] = stage.gate(number).start()
    eventually("all gates are new", lambda: obeyed(stage) == [frozenset(Feature)] * 2)
    careful.until_condition("Ready", "True")


def test_gates_of_this_release_with_the_previous_operator(
    stage: Stage, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = stage.operator(package=package).start()
    for number in (0, 1):
        stage.gate(number).start()
    tell(stage, operator, monkeypatch)
    assert obeyed(stage) == [frozenset(Feature)] * 2
