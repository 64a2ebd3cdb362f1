"""A newer version's objects meet this operator, these gates and this plugin: they say so, lose nothing, never crash."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.plugin import Plugin, install
from tests.cluster.newer import API_VERSION, Scene, make_newer, roll_back
from tests.toolkit.objects import JsonObject
from tests.toolkit.product import Product, condition
from tests.toolkit.waiting import eventually

pytestmark = pytest.mark.rule(32)

VERIFIED = {
    "type": "Verified",
    "status": "True",
    "reason": "Told",
    "message": "by a newer operator",
    "lastTransitionTime": "2026-01-01T00:00:00.25+01:00",
}
#: An edit that makes the operator write a status, by kind and name.
EDITS: dict[tuple[str, str], JsonObject] = {
    ("ApiClient", "billing"): {"desiredStatus": "Suspended"},
    ("Api", "orders"): {"displayName": "Orders"},
    ("Contract", "billing-orders"): {"plan": "gold"},
    ("ContractApproval", "yes"): {"reason": "welcome"},
    ("ApiClientHold", "stop"): {"reason": "another"},
}
#: What this version cannot read, by kind and name, in spec or status.
UNREADABLE: dict[tuple[str, str], tuple[str, JsonObject, str]] = {
    ("ApiClient", "billing"): ("status", {"observedStatus": "Paused"}, "status.observedStatus: 'Paused'"),
    ("Api", "orders"): ("spec", {"desiredStatus": "Frozen"}, "spec.desiredStatus: 'Frozen'"),
    ("Contract", "billing-orders"): ("status", {"observedStatus": "Paused"}, "status.observedStatus: 'Paused'"),
    ("ContractApproval", "yes"): ("spec", {"decision": "Perhaps"}, "spec.decision: 'Perhaps'"),
    ("ApiClientHold", "stop"): ("spec", {"expiresTime": "0000-01-01T00:00:00Z"}, "spec.expiresTime"),
}


@pytest.fixture(scope="module")
def installed(newer: Product, tmp_path_factory: pytest.TempPathFactory) -> Plugin:
    return Plugin(install(tmp_path_factory.mktemp("bin")), newer.stage.cluster.kubeconfig)


@pytest.fixture
def plugin(installed: Plugin, scene: Scene) -> Plugin:
    return dataclasses.replace(installed, namespace=scene.namespace)


@pytest.mark.parametrize(("kind", "name"), EDITS, ids=lambda value: value)
def test_unknown_fields_and_conditions_stay_when_a_status_is_written(scene: Scene, kind: str, name: str) -> None:
    scene.patch_spec(kind, name, {"unheardOf": {"a": 1}})
    scene.patch_status(kind, name, {"unheardOf": [{"b": 2}]})
    scene.add_condition(kind, name, VERIFIED)
    edited = scene.patch_spec(kind, name, EDITS[kind, name])
    generation = edited["metadata"]["generation"]
    eventually("the operator has looked", lambda: scene.get(kind, name)["status"]["observedGeneration"] == generation)
    found = scene.get(kind, name)
    assert found["spec"]["unheardOf"] == {"a": 1}
    assert found["status"]["unheardOf"] == [{"b": 2}]
    assert condition(found, "Verified") == VERIFIED
    assert condition(found, "Stalled").get("reason") != "Unreadable"


def test_unknown_fields_disturb_neither_tokens_nor_calls(scene: Scene) -> None:
    token = scene.token("billing")
    for kind, name in EDITS:
        scene.patch_spec(kind, name, {"unheardOf": {"a": 1}})
        scene.patch_status(kind, name, {"unheardOf": [{"b": 2}]})
        scene.add_condition(kind, name, VERIFIED)
    scene.until("ApiClient", "billing", "Ready", "True")
    scene.until_calls(token, 200)
    scene.until_calls(scene.token("billing"), 200)


@pytest.fixture
def rolled_back(scene: Scene) -> Iterator[Callable[[], None]]:
    """Rolls the CRDs back, until the test is over."""
    product = scene.team.product
    yield lambda: roll_back(product)
    make_newer(product)


def test_it_is_said_also_where_the_crds_were_rolled_back(scene: Scene, rolled_back: Callable[[], None]) -> None:
    """The API server takes a value that its schema does not have any more as long as nobody changes it."""
    operator = scene.team.product.operator
    operator.stop()
    written = scene.patch_status("ApiClient", "billing", {"observedStatus": "Paused"})["status"]
    rolled_back()
    operator.start()
    found = scene.until_unreadable("ApiClient", "billing")["status"]
    kept = ("observedStatus", "credentials", "tokens", "history", "secret", "clientId")
    assert {key: found[key] for key in kept} == {key: written[key] for key in kept}


@pytest.mark.parametrize(("kind", "name"), UNREADABLE, ids=lambda value: value)
def test_the_plugin_says_what_it_cannot_read_and_does_not_crash(
    scene: Scene, plugin: Plugin, tmp_path: Path, kind: str, name: str
) -> None:
    part, change, told = UNREADABLE[kind, name]
    (scene.patch_spec if part == "spec" else scene.patch_status)(kind, name, change)
    scene.until_unreadable(kind, name)
    base, head = (_repository(scene, tmp_path / desired, desired) for desired in ("Available", "Suspended"))
    words = {
        "get": ("get",),
        "status": ("status", "billing"),
        "explain": ("explain", "billing"),
        "contracts": ("contracts", "billing"),
        "doctor": ("doctor",),
        "plan": ("plan", "--base", base, "--head", head),
    }
    said = {command: _said(plugin, *options) for command, options in words.items()}
    assert all("Traceback" not in text for text in said.values()), said
    telling = [command for command, text in said.items() if _tells(text, kind, name, told)]
    assert telling, said
    if kind == "ApiClient":
        assert {"get", "status", "plan"} <= {*telling, *(c for c, text in said.items() if "Unreadable" in text)}, said


def _said(plugin: Plugin, *words: str) -> str:
    done = plugin.run(*words)
    return done.stdout + done.stderr


def _tells(text: str, kind: str, name: str, told: str) -> bool:
    plain = " ".join(text.split())
    return told in plain or (name in plain and ("cannot be read" in plain or "cannot read" in plain))


def _repository(scene: Scene, folder: Path, other: str) -> str:
    """What Git has: everything as the scene was set up, and the other client as it is desired."""
    made: list[dict[str, Any]] = []
    for kind, name in scene.before:
        spec = scene.before[kind, name]["spec"]
        if (kind, name) == ("ApiClient", "other"):
            spec = spec | {"desiredStatus": other}
        meta = {"name": name, "namespace": scene.namespace}
        made.append({"apiVersion": API_VERSION, "kind": kind, "metadata": meta, "spec": spec})
    folder.mkdir()
    (folder / "manifests.yaml").write_text(yaml.safe_dump_all(made))
    return str(folder)
