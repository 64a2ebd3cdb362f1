"""Decisions of the commands that change something, without a cluster."""

import argparse
import dataclasses
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from apiclients.cli.actions import changing, proposing
from apiclients.cli.actions.holding import hold_object, under_another_name
from apiclients.cli.actions.rotating import annotation_owner, new_token, request_for
from apiclients.cli.actions.targets import require_one_way
from apiclients.cli.cluster.replicas import _judge
from apiclients.cli.commands.release import by_client, by_hold
from apiclients.cli.errors import CliError
from apiclients.cli.git.versions import new_name, new_version
from apiclients.cli.screens.contracts import contract_line
from apiclients.lifecycle.features import Feature
from apiclients.lifecycle.replicas import Replica, replica
from apiclients.resources.apiclient import DesiredStatus
from apiclients.resources.fields import NAME_PATTERN
from apiclients.resources.names import ROTATE_REQUESTED_ANNOTATION
from apiclients.resources.objects import ApiClient, ApiClientHold, Contract
from tests.cli import samples
from tests.cli.samples import NOW, JsonObject

RETIRE = proposing.StatusChange("retire", "retired", DesiredStatus.RETIRED, "ends {contracts}")
RESUME = proposing.StatusChange("resume", "resumed", DesiredStatus.AVAILABLE, "lets {contracts} through")
SUSPEND = proposing.StatusChange("suspend", "suspended", DesiredStatus.SUSPENDED, "stops {contracts}")


def args(**values: Any) -> argparse.Namespace:
    """Parsed options."""
    return argparse.Namespace(**{"names": [], "selector": None, "all": False, **values})


# Which clients.


@pytest.mark.parametrize("values", [{"names": ["a"]}, {"selector": "x=y"}, {"all": True}])
def test_one_way_to_say_which_is_enough(values: dict[str, Any]) -> None:
    require_one_way(args(**values), "rotate", all_too=True)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "specify which clients to rotate: give names of clients, a selector"),
        ({"names": ["a"], "selector": "x=y"}, "in one way"),
        ({"names": ["a"], "all": True}, "in one way"),
        ({"selector": " "}, "an empty selector would mean all"),
    ],
)
def test_none_or_several_ways_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(CliError, match=words):
        require_one_way(args(**values), "rotate", all_too=True)


# Holds.


def test_a_hold_names_the_client_and_ends_in_time() -> None:
    hold = hold_object("billing-1.0", "key leaked", timedelta(hours=2), NOW)
    assert hold["spec"] == {"clientName": "billing-1.0", "reason": "key leaked", "expiresTime": "2026-03-14T11:26:53Z"}
    assert hold["metadata"] == {"name": "billing-1.0"}
    assert "expiresTime" not in hold_object("a", "x", None, NOW)["spec"]


def test_a_hold_for_all_clients_is_obeyed_by_older_gates_too() -> None:
    hold = hold_object(None, "breach", None, NOW)
    assert (hold["spec"], hold["metadata"]) == (
        {"selector": {}, "reason": "breach"},
        {"generateName": "all-clients-"},
    )


def test_the_name_of_a_hold_is_never_too_long() -> None:
    hold = hold_object("a" * 56 + ".bcdefg", "x", None, NOW, "ann")
    other = under_another_name(hold)["metadata"]
    assert other == {"generateName": "a" * 56 + "-", "annotations": hold["metadata"]["annotations"]}
    assert len(other["generateName"]) + 5 <= 63


def test_release_by_client_leaves_holds_by_selector() -> None:
    raw = [samples.hold("one"), samples.hold("other", client_name="x"), samples.hold("all", client_name=None)]
    holds = [ApiClientHold.from_object(one) for one in raw]
    found, problems = by_client(holds, ["billing-1.0", "y"])
    assert [hold.metadata.name for hold in found] == ["one"]
    assert problems == [
        "no hold names y: it was not released; holds that name no client are: all (--hold releases them)"
    ]
    found, problems = by_hold(holds, ["all", "none"])
    assert [hold.metadata.name for hold in found] == ["all"]
    assert problems == ["there is no ApiClientHold none in this namespace"]


def gate(name: str, applied: int, *, renewed: int = 2) -> Replica:
    """A replica that renewed its Lease that many seconds ago."""
    lease: JsonObject = {
        "metadata": {
            "name": name,
            "annotations": {"apiclients.dev/applied-apiclientholds": str(applied), "apiclients.dev/ready": "true"},
        },
        "spec": {"leaseDurationSeconds": 15, "renewTime": samples.ago(seconds=renewed).isoformat()},
    }
    return replica(lease)


@pytest.mark.parametrize(
    ("gates", "reached", "behind", "silent"),
    [
        ([gate("a", 100), gate("b", 101)], ("a", "b"), (), ()),
        ([gate("a", 100), gate("b", 99)], ("a",), ("b",), ()),
        ([gate("a", 100), gate("b", 1, renewed=60)], ("a",), (), ("b",)),
        ([gate("a", 1, renewed=60), gate("b", 999, renewed=60)], (), ("a", "b"), ("a", "b")),
    ],
)
def test_who_has_applied_a_hold(
    gates: list[Replica], reached: tuple[str, ...], behind: tuple[str, ...], silent: tuple[str, ...]
) -> None:
    found = _judge(gates, 100, NOW, 1.0)
    assert (found.reached, found.behind, found.silent) == (reached, behind, silent)


@pytest.mark.rule(33)
def test_a_gate_that_does_not_know_a_field_of_the_hold_has_not_applied_it() -> None:
    knowing = dataclasses.replace(gate("new", 100), obeys=frozenset({Feature.ALL_CLIENTS}))
    found = _judge([gate("old", 100), knowing], 100, NOW, 1.0, frozenset({Feature.ALL_CLIENTS}))
    assert (found.reached, found.behind, found.too_old) == (("new",), ("old",), ("old",))


def test_nonsense_in_a_lease_counts_as_nothing() -> None:
    notes = {"apiclients.dev/applied-apiclientholds": "1e9", "apiclients.dev/last-proof-time": "never"}
    found = replica({"metadata": {"name": "x", "annotations": notes}, "spec": {"renewTime": 5}})
    assert (found.applied_holds, found.proved, found.renewed, found.alive(NOW)) == (0, None, None, False)


# Rotation.


def annotated(value: str, answered: str | None = None) -> JsonObject:
    """A client with a request, and what status has answered."""
    raw = samples.client()
    raw["metadata"]["annotations"] = {ROTATE_REQUESTED_ANNOTATION: value}
    raw["status"]["lastHandledRotateRequest"] = answered
    return raw


@pytest.mark.parametrize(
    ("raw", "named", "token", "known"),
    [
        (samples.client(), False, "new", False),
        (annotated("old", "old"), False, "new", False),
        (annotated("old"), False, "old", True),
        (annotated("old", "older"), False, "old", True),
        (annotated("old"), True, "new", False),
        (annotated("new"), True, "new", True),
        (annotated("new", "new"), True, "new", True),
    ],
)
def test_a_request_is_not_made_twice(raw: JsonObject, named: bool, token: str, known: bool) -> None:
    request = request_for(raw, "new", named=named)
    assert (request.token, request.known) == (token, known)


def test_tokens_differ() -> None:
    assert new_token(NOW) != new_token(NOW)
    assert new_token(NOW).startswith("2026-03-14T09:26:53Z-")


def test_an_annotation_that_git_applies_is_left_alone() -> None:
    raw = annotated("x")
    owned: JsonObject = {"f:metadata": {"f:annotations": {f"f:{ROTATE_REQUESTED_ANNOTATION}": {}}}}
    for manager, operation, owner in (
        ("kustomize-controller", "Apply", "kustomize-controller"),
        ("argocd-controller", "Apply", "argocd-controller"),
        ("apiclient-cli", "Apply", None),
        ("somebody", "Update", None),
    ):
        raw["metadata"]["managedFields"] = [{"manager": manager, "operation": operation, "fieldsV1": owned}]
        assert annotation_owner(raw) == owner


# Changes of the desired status.


def subject(*active: str, raw: JsonObject | None = None) -> proposing.Subject:
    """The client with these active contracts."""
    obj = raw or samples.client()
    lines = tuple(contract_line(Contract.from_object(samples.contract(name, in_force="basic"))) for name in active)
    return proposing.Subject(obj, ApiClient.from_object(obj), lines, tuple(active), ())


def test_a_retirement_acknowledges_what_it_ends_and_keeps_what_was_acknowledged() -> None:
    raw = samples.client(retirement={"acknowledgedContracts": ["old"]})
    spec = proposing.spec_change(subject("a", "b", raw=raw), RETIRE)["spec"]
    assert spec == {"desiredStatus": "Retired", "retirement": {"acknowledgedContracts": ["a", "b", "old"]}}
    assert proposing.spec_change(subject("a"), SUSPEND)["spec"] == {"desiredStatus": "Suspended"}


def answering(text: str) -> Callable[[str], str]:
    """A person who types this."""
    return lambda question: text + "\n"


@pytest.mark.parametrize(
    ("acknowledge", "ask", "words"),
    [
        (None, answering("billing-1.0"), None),
        (None, answering("billing"), "that is not its name: nothing was changed"),
        (None, answering(""), "that is not its name"),
        (None, None, "give --acknowledge 'a,b'"),
        (("a",), None, "does not name b: nothing was changed"),
        (("a", "b", "c"), None, None),
        (("a", "b"), answering("nonsense"), None),
    ],
)
def test_a_live_change_is_confirmed(
    acknowledge: tuple[str, ...] | None, ask: Callable[[str], str] | None, words: str | None
) -> None:
    options = args(acknowledge=acknowledge)
    if words is None:
        changing._confirm(subject("a", "b"), RETIRE, options, ask)
        return
    with pytest.raises(CliError, match=words):
        changing._confirm(subject("a", "b"), RETIRE, options, ask)


def test_a_resumption_says_that_a_hold_stops_the_client_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    raw = samples.client()
    raw["status"]["holds"] = [{"name": "stop-1", "reason": "leaked"}]
    changing._show_contracts(subject("orders", raw=raw), RESUME)
    assert "stays stopped, by hold stop-1" in capsys.readouterr().err
    changing._show_contracts(subject("orders"), RESUME)
    changing._show_contracts(subject("orders", raw=raw), SUSPEND)
    assert "stop-1" not in capsys.readouterr().err


def test_a_base_of_overlays_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declared = yaml.safe_dump({**samples.client(), "metadata": {"name": "billing-1.0"}})
    (tmp_path / "billing.yaml").write_text(declared)
    changing._print_change(subject("orders"), SUSPEND, tmp_path)
    out, err = capsys.readouterr()
    assert "+  desiredStatus: Suspended" in out
    assert err.startswith(f"warning: {tmp_path / 'billing.yaml'} names no namespace")


def test_who_applies_it_from_git() -> None:
    raw = samples.client()
    raw["metadata"]["labels"] |= {f"{proposing.FLUX}/name": "clients", f"{proposing.FLUX}/namespace": "flux-system"}
    assert "Flux Kustomization flux-system/clients" in proposing.applied_by(raw)
    raw = samples.client()
    raw["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "team-a:apiclients.dev/ApiClient:team-a/x"}
    assert "Argo CD application team-a" in proposing.applied_by(raw)
    raw["metadata"]["managedFields"] = [
        {"manager": "argocd-controller", "operation": "Apply", "fieldsV1": {"f:spec": {"f:desiredStatus": {}}}}
    ]
    assert changing.git_owner(raw) == "argocd-controller"


# New versions.


@pytest.mark.parametrize(
    ("old", "spec", "version", "new"),
    [
        ("billing-1.0", {"version": "1.0", "client": "billing"}, "2.0", "billing-2.0"),
        ("billing", {"version": "1.0"}, "2.0", "billing-2.0"),
        ("bill", {"client": "billing"}, "2024 Q1", "billing-2024-q1"),
        ("a-b", {"version": "b"}, "RC_1", "a-rc-1"),
    ],
)
def test_names_of_new_versions(old: str, spec: JsonObject, version: str, new: str) -> None:
    assert new_name(old, spec, version) == new


def test_a_new_version_takes_over_what_is_meant_to_last() -> None:
    raw = samples.client(
        desiredStatus="Retired",
        displayName="Billing",
        secret={"name": "billing-secret", "revision": 7, "lifetime": "720h", "rotation": "Automatic"},
        tokens={"lifetime": "1h", "notBefore": "2026-01-01T00:00:00Z"},
        retirement={"acknowledgedContracts": ["invoices"]},
    )
    raw["metadata"]["labels"] |= {"kustomize.toolkit.fluxcd.io/name": "x", "app.kubernetes.io/instance": "y"}
    contracts = [
        samples.contract("billing-1.0-invoices", in_force="gold", by="Approval"),
        samples.contract("stock", plan="gold", in_force="basic"),
    ]
    made = new_version(raw, [Contract.from_object(one) for one in contracts], "2.0")
    client, *others = made.objects
    assert client["metadata"] == {"name": "billing-2.0", "namespace": "team-a", "labels": {"team": "a"}}
    assert client["spec"] == {
        "desiredStatus": "Available",
        "client": "billing",
        "version": "2.0",
        "displayName": "Billing",
        "owner": "billing@example.com",
        "secret": {"lifetime": "720h"},
        "tokens": {"lifetime": "1h"},
    }
    assert [one["metadata"]["name"] for one in others] == ["billing-2.0-invoices", "billing-2.0-stock"]
    assert {one["spec"]["clientName"] for one in others} == {"billing-2.0"}
    assert others[1]["spec"]["plan"] == "gold"
    assert any("to be approved anew: billing-1.0-invoices" in note for note in made.notes)
    assert any("spec.secret.name was left out" in note for note in made.notes)
    ApiClient.from_object({**client, "metadata": {**client["metadata"], "uid": "x"}})


def test_a_version_that_cannot_be_read_is_told_in_a_sentence() -> None:
    raw = samples.client() | {"spec": {"desiredStatus": "Paused"}}
    with pytest.raises(CliError, match=r"ApiClient team-a/billing-1\.0 cannot be read by this version of the plugin"):
        new_version(raw, [], "2.0")


def test_contracts_of_a_new_version_never_share_a_name() -> None:
    raw = [samples.contract("a"), samples.contract("b")]
    raw[0]["spec"]["api"] = {"namespace": "one", "name": "v1"}
    raw[1]["spec"]["api"] = {"namespace": "two", "name": "v1"}
    made = new_version(samples.client(), [Contract.from_object(one) for one in raw], "2.0")
    names = [one["metadata"]["name"] for one in made.objects]
    assert names == ["billing-2.0", "billing-2.0-v1", "two-billing-2.0-v1"]
    assert all(yaml.safe_load(f"'{name}'") and __import__("re").fullmatch(NAME_PATTERN, name) for name in names)


@pytest.mark.parametrize("name", ["billing-1.0", "UPPER", "a" * 64, "a/b"])
def test_names_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(CliError, match="cannot be the name"):
        new_version(samples.client(), [], "2.0", name)
