"""Health in Argo CD and Flux: ``manifests/argocd`` and ``manifests/flux``, in every state there is."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from apiclients.resources.crd import KINDS
from apiclients.resources.names import API_VERSION, GROUP
from apiclients.resources.objects import Api, ApiClient, ApiClientHold, Contract, ContractApproval
from tests.gitops.interpreters import Verdict, judge
from tests.gitops.states import STATES, of_client
from tests.lifecycle.changes import ALL, do
from tests.lifecycle.status_checks import kstatus
from tests.lifecycle.world import World, is_write
from tests.manifests.rendered import MANIFESTS, ROOT, Object, render

PAGE = ROOT / "docs/gitops.md"
TYPES: dict[str, Any] = {
    "ApiClient": ApiClient,
    "Api": Api,
    "Contract": Contract,
    "ContractApproval": ContractApproval,
    "ApiClientHold": ApiClientHold,
}
#: What Argo CD says beside each kstatus.
ARGOCD = {"Current": {"Healthy", "Suspended"}, "Failed": {"Degraded"}, "InProgress": {"Progressing"}}
WAITING = {"Suspended", "Held", "PendingApproval"}


def with_component(folder: Path, component: str, obj: Object) -> Object:
    """An object of a kustomization that has the component."""
    (folder / "object.yaml").write_text(yaml.safe_dump(obj))
    path = os.path.relpath(MANIFESTS / component, folder.resolve())
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"resources": ["object.yaml"], "components": [path]}))
    (rendered,) = render(folder)
    return rendered


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The health script of each kind, from Argo CD's ConfigMap after the component."""
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm"}, "data": {"url": "https://a"}}
    data = with_component(tmp_path_factory.mktemp("argocd"), "argocd", config)["data"]
    assert data.pop("url") == "https://a", "all else stays"
    return {key.removeprefix(f"resource.customizations.health.{GROUP}_"): script for key, script in data.items()}


@pytest.fixture(scope="module")
def expressions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The health expressions of each kind, from a Flux Kustomization after the component."""
    teams = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "teams", "namespace": "flux-system"},
        "spec": {"interval": "10m", "path": "./teams", "prune": True, "wait": True},
    }
    spec = with_component(tmp_path_factory.mktemp("flux"), "flux", teams)["spec"]
    assert spec.items() >= teams["spec"].items()  # type: ignore[attr-defined]
    found = {one.pop("kind"): one for one in spec["healthCheckExprs"]}
    assert all(one.pop("apiVersion") == API_VERSION for one in found.values())
    return found


@pytest.fixture(scope="module")
def verdicts(scripts: dict[str, str], expressions: dict[str, dict[str, str]]) -> dict[str, Verdict]:
    """What both make of each state."""
    objects = [state.make() for state in STATES.values()]
    return dict(zip(STATES, judge(scripts["ApiClient"], expressions, objects), strict=True))


def test_every_kind_has_its_health(scripts: dict[str, str], expressions: dict[str, dict[str, str]]) -> None:
    assert scripts.keys() == expressions.keys() == {kind.kind for kind in KINDS}
    assert len(set(scripts.values())) == 1, "the tests run one for all"


@pytest.mark.rule(24)
@pytest.mark.parametrize("name", STATES)
def test_a_state_is_read_right(name: str, verdicts: dict[str, Verdict]) -> None:
    state, obj = STATES[name], STATES[name].make()
    status = TYPES[obj["kind"]].from_object(obj).status
    found = kstatus(status, obj["metadata"]["generation"]), verdicts[name].flux, verdicts[name].argocd
    assert found == (state.kstatus, state.kstatus, state.argocd)
    assert verdicts[name].message == what_it_says(obj), "whoever looks sees why"


def what_it_says(obj: Object) -> str:
    """The message of Stalled or Ready, where that speaks of the present generation."""
    told = {one["type"]: one for one in obj["status"].get("conditions", [])}
    says: Object = told.get("Stalled") or told.get("Ready") or {}
    if says.get("observedGeneration") != obj["metadata"]["generation"]:
        return "Waiting for the operator to observe the latest change"
    return str(says["message"])


@pytest.mark.rule(24)
def test_both_agree_with_kstatus_whatever_happens(
    scripts: dict[str, str], expressions: dict[str, dict[str, str]]
) -> None:
    objects = [story(random.Random(seed)) for seed in range(200)]
    verdicts = judge(scripts["ApiClient"], expressions, objects)
    for obj, verdict in zip(objects, verdicts, strict=True):
        status = ApiClient.from_object(obj).status
        read = kstatus(status, obj["metadata"]["generation"])
        ready = next(c for c in status.conditions if c.type == "Ready")
        assert verdict.flux == read
        assert verdict.argocd in ARGOCD[read]
        assert (verdict.argocd == "Suspended") is (ready.status == "True" and ready.reason in WAITING)
    assert {verdict.argocd for verdict in verdicts} == set().union(*ARGOCD.values()), "the stories lead everywhere"


def story(chance: random.Random) -> Object:
    """A client to which up to twelve things have happened, some of them under a wrong clock or with writes refused."""
    world = World()
    for _ in range(chance.randint(1, 3)):
        do(world, chance.choices(sorted(ALL), k=chance.randint(1, 4)))
        world.clock_trusted = chance.random() < 0.9
        refused = chance.random() < 0.1
        world.settle(refuse=is_write if refused else lambda step: False)
    return of_client(world)


def test_flux_can_wait_for_approvals_as_the_page_tells(scripts: dict[str, str]) -> None:
    fences = [token for token in MarkdownIt().parse(PAGE.read_text(encoding="utf-8")) if token.type == "fence"]
    (told,) = [one for fence in fences if fence.content.startswith("healthCheckExprs") for one in _expressions(fence)]
    kind = told.pop("kind")
    names = ("Contract: active", "Contract: waits for approval", "Contract: rejected")
    verdicts = judge(scripts[kind], {kind: told}, [STATES[name].make() for name in names])
    assert [verdict.flux for verdict in verdicts] == ["Current", "InProgress", "Failed"]


def _expressions(fence: Token) -> list[dict[str, str]]:
    found: list[dict[str, str]] = yaml.safe_load(fence.content)["healthCheckExprs"]
    return found


def test_an_object_without_any_status_is_waited_for(scripts: dict[str, str], expressions: Any) -> None:
    """Such as one that was stored before the CRD had a default."""
    bare = {"apiVersion": API_VERSION, "kind": "Api", "metadata": {"name": "orders", "generation": 1}}
    (verdict,) = judge(scripts["Api"], expressions, [bare | {"status": {}}])
    assert (verdict.argocd, verdict.flux) == ("Progressing", "InProgress")
