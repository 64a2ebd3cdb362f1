"""What changes something, through the real kubectl against the real API server, with operator and gates."""

import dataclasses
import json
import subprocess
from pathlib import Path

import pytest
import yaml

from demo.calls import post_form
from tests.cli.declared import declare_api, declare_contract, holds_in
from tests.cli.plugin import Plugin
from tests.toolkit.objects import JsonObject
from tests.toolkit.product import Product, Team, until_second_over, url
from tests.toolkit.waiting import eventually

pytestmark = pytest.mark.cluster

ROTATE = "apiclients.dev/rotate-requested"


def test_a_hold_is_in_effect_when_the_command_returns(team: Team, plugin: Plugin, running: Product) -> None:
    client = team.declare("billing")
    token = client.token()
    running.until_accepted(token)
    told = plugin.ok("hold", "billing", "--reason", "key leaked", "--for", "2h", "--wait")
    assert set(running.verdicts(token)) == {401}
    assert "billing is held" in told
    assert "applied by 2 of 2 gates after" in told
    assert "✖ Held" in plugin.ok("explain", "billing")
    assert plugin.ok("get", "--held", "-o", "name").split() == ["apiclient.apiclients.dev/billing"]
    client.apply(description="Git is applied again")
    client.until_observed("Suspended")
    plugin.ok("hold", "billing", "--reason", "a second one")
    first, second = sorted(hold["metadata"]["name"] for hold in holds_in(team))
    assert first == "billing", "gates verify that there is no hold of this name"
    assert second.startswith("billing-")
    assert "billing is released" in plugin.ok("release", "billing")
    client.until_observed("Available")
    running.until_accepted(token)
    assert "no hold names billing" in plugin.fails("release", "billing")


def test_holds_by_labels_name_each_client(team: Team, plugin: Plugin) -> None:
    for name in ("one", "two", "three"):
        team.declare(name)
    team.kubectl("label", "apiclient", "one", "two", "tier=gold")
    plugin.ok("hold", "-l", "tier=gold", "--reason", "drill")
    holds = holds_in(team)
    assert sorted(hold["spec"]["clientName"] for hold in holds) == ["one", "two"]
    assert all(hold["metadata"]["managedFields"][0]["manager"] == "apiclient-cli" for hold in holds)
    plugin.ok("release", "-l", "tier=gold")
    assert holds_in(team) == []
    assert "there is no ApiClient that tier=none selects" in plugin.fails("hold", "-l", "tier=none", "--reason", "x")


def test_on_call_stops_clients_and_sees_who_was_stopped_by_whom(team: Team, plugin: Plugin, running: Product) -> None:
    client = team.declare("billing")
    team.kubectl("create", "serviceaccount", "on-call")
    team.kubectl(
        "create", "rolebinding", "on-call", "--clusterrole=apiclient-on-call",
        f"--serviceaccount={team.namespace}:on-call",
    )  # fmt: skip
    config = running.stage.cluster.service_account_kubeconfig(team.namespace, "on-call")
    on_call = dataclasses.replace(plugin, kubeconfig=config)
    done = on_call.run("hold", "billing", "--reason", "key leaked", "--wait")
    assert "billing is held" in done.stdout
    assert "could not be checked" in done.stderr
    assert "you may not read the gate's Leases" in done.stderr
    assert done.returncode == 0, "the hold is placed"
    client.until_observed("Suspended")
    user = f"system:serviceaccount:{team.namespace}:on-call"
    refused = on_call.fails("release", "billing")
    assert f"you are {user} and may not delete apiclientholds" in refused
    assert "ClusterRole apiclient-hold-releaser" in refused
    assert "ClusterRole apiclient-viewer" in on_call.fails("get")
    assert f"by user {user}" in plugin.ok("status", "billing")
    assert user in team.kubectl("get", "apiclientholds", "-o", "wide")
    assert "you may not read the gate's Leases" in on_call.fails("hold", "billing", "--check")
    team.kubectl(
        "create", "rolebinding", f"on-call-{team.namespace}", "-n", "apiclients-system",
        "--clusterrole=apiclient-on-call", f"--serviceaccount={team.namespace}:on-call",
    )  # fmt: skip
    told = eventually("the binding is known", lambda: checked(on_call, "billing"))
    assert f"placed by {user}" in told
    assert "applied by 2 of 2 gates" in told


def checked(plugin: Plugin, client: str) -> str | None:
    """What ``hold --check`` prints, once it may."""
    done = plugin.run("hold", client, "--check", "--wait")
    return done.stdout if done.returncode == 0 else None


def test_what_is_not_held_cannot_be_checked(team: Team, plugin: Plugin) -> None:
    team.declare("billing")
    assert "no hold stops billing" in plugin.fails("hold", "billing", "--check")
    assert "a hold of no time stops nobody" in plugin.fails("hold", "billing", "--reason", "x", "--for", "0s")


@pytest.mark.rule(5)
def test_the_drill_of_a_leak(team: Team, plugin: Plugin, running: Product) -> None:
    """docs/runbooks/leaked-key.md: hold, revoke, release; the leaked secret and its tokens never work again."""
    client = team.declare("billing")
    leaked, token = client.credentials(), client.token()
    running.until_accepted(token)
    until_second_over(token)
    plugin.ok("hold", "billing", "--reason", "key leaked", "--wait")
    client.until_observed("Suspended")
    assert "from before the hold is accepted again" in plugin.ok("explain", "billing")
    warned = plugin.run("release", "billing", "--dry-run", "server").stderr
    assert "rotate billing -n" in warned
    assert "--revoke-previous" in warned
    done = plugin.run("rotate", "billing", "--revoke-previous", "--wait")
    assert done.returncode == 0, done
    assert "has no valid secret" in done.stdout
    assert "its new secret comes once it is available again" in done.stderr
    assert "from before the hold" not in plugin.ok("explain", "billing")
    released = plugin.run("release", "billing")
    assert (released.returncode, released.stderr) == (0, "")
    client.until_observed("Available")
    client.until_credential(2)
    new = client.credentials()
    assert new != leaked
    running.until_secret_works(new)
    running.until_secret_refused(leaked)
    assert set(running.verdicts(token)) == {401}
    assert [c["id"] for c in client.status()["credentials"]] == [2]
    assert leaked.client_secret not in done.stdout + done.stderr + warned


@pytest.mark.rule(5)
def test_a_rotation_alone_brings_the_leaked_secret_back_and_says_so(
    team: Team, plugin: Plugin, running: Product
) -> None:
    client = team.declare("billing")
    leaked = client.credentials()
    plugin.ok("hold", "billing", "--reason", "key leaked", "--wait")
    client.until_observed("Suspended")
    plugin.ok("rotate", "billing")
    released = plugin.run("release", "billing")
    assert "Credential #1 from before the hold is accepted again" in released.stderr
    client.until_credential(2)
    running.until_secret_works(leaked)
    told = plugin.ok("explain", "billing")
    assert "Credential #1 from before the hold is still accepted, in the overlap of a rotation" in " ".join(
        told.split()
    )
    assert "has only credential" not in told
    told = plugin.ok("rotate", "billing", "--revoke-previous", "--wait")
    assert "has only credential #3" in told
    running.until_secret_refused(leaked)


@pytest.mark.rule(1, 15)
def test_why_a_caller_is_refused(team: Team, plugin: Plugin, running: Product) -> None:
    client = team.declare("billing")
    declare_api(team, "orders")
    token = client.token()
    good = plugin.run("inspect", "-", input=f"Bearer {token}\n")
    assert (good.returncode, good.stderr) == (0, "")
    declare_contract(team, "billing-orders", "billing", "orders")
    eventually("its contracts are counted", lambda: client.status()["contracts"]["active"] == 1)
    early = plugin.run("inspect", input=token)
    assert early.returncode == 1
    assert f"{team.namespace}/orders: 401 wrong_audience" in early.stdout
    assert "came into force" in plugin.ok("explain", "billing")
    credentials, revoked = client.credentials(), client.token()
    assert post_form(credentials, f"{url(running.gates[0])}/revoke", token=revoked).status == 200
    assert "the token: 401 token_revoked" in plugin.run("inspect", input=revoked).stdout
    plugin.ok("hold", "billing", "--reason", "key leaked", "--wait")
    held = plugin.run("inspect", client.status()["clientId"])
    assert "the client: 401 held" in held.stdout
    assert set(running.verdicts(token)) == {401}
    assert '"reason": "held"' in running.gates[0].log.read_text()
    assert client.status()["clientId"] in running.gates[0].log.read_text()
    for said in (good, early, held):
        assert token not in said.stdout + said.stderr
    assert token not in running.gates[0].log.read_text()
    assert "standard input" in plugin.fails("inspect", token)


@pytest.mark.rule(5)
def test_a_rotation_is_asked_for_and_answered(team: Team, plugin: Plugin, running: Product) -> None:
    client = team.declare("billing")
    before = client.credentials()
    told = plugin.ok("rotate", "billing", "--wait", "--request", "drill-1")
    assert "rotated after" in told
    assert "credential #2" in told
    client.until_credential(2)
    after = client.credentials()
    assert after != before
    running.until_secret_works(before, after)
    again = plugin.ok("rotate", "billing", "--wait", "--request", "drill-1")
    assert "unchanged" in again
    assert client.status()["credentials"][0]["id"] == 2
    client.apply(desiredStatus="Suspended")
    client.until_observed("Suspended")
    done = plugin.run("rotate", "--all", "--wait", "--timeout", "1s")
    assert done.returncode == 1
    assert "is rotated once it is available again" in done.stderr
    assert "billing was not rotated within" in done.stderr
    assert "unchanged: rotation was requested before" in plugin.ok("rotate", "--all")
    client.apply(desiredStatus="Available")
    client.until_credential(3)
    assert before.client_secret not in told + done.stdout


@pytest.mark.rule(5, 21)
@pytest.mark.parametrize("manager", ["kustomize-controller", "argocd-controller"])
def test_a_rotation_touches_nothing_that_git_owns(manager: str, team: Team, plugin: Plugin) -> None:
    client = team.client("billing", owner="billing@example.com")
    git = client.manifest
    git["metadata"]["labels"] = {"team": "a"}
    git["metadata"]["annotations"] = {"example.com/note": "from Git"}
    apply = ("apply", "--server-side", f"--field-manager={manager}", "-f", "-")
    team.kubectl(*apply, input=json.dumps(git))
    client.until_credential(1)
    before = client.until_enforced()
    plugin.ok("rotate", "billing", "--wait")
    after = client.get()
    assert owned(after, manager) == owned(before, manager)
    assert (after["spec"], after["metadata"]["generation"]) == (before["spec"], before["metadata"]["generation"])
    ours = owned(after, "apiclient-cli")
    assert ours == {"f:metadata": {"f:annotations": {f"f:{ROTATE}": {}}}}
    team.kubectl(*apply, input=json.dumps(git))  # without --force-conflicts: Git and the plugin share no field
    applied = client.get()
    assert applied["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]
    assert applied["metadata"]["annotations"][ROTATE]
    git["metadata"]["annotations"][ROTATE] = "from Git"
    team.kubectl(*apply[:2], "--force-conflicts", *apply[2:], input=json.dumps(git))
    client.until_credential(3)
    assert f"{manager} applies the annotation" in plugin.fails("rotate", "billing")


def owned(obj: JsonObject, manager: str) -> JsonObject:
    """The fields that a manager owns."""
    entries = [entry for entry in obj["metadata"]["managedFields"] if entry["manager"] == manager]
    assert len(entries) == 1, entries
    fields: JsonObject = entries[0]["fieldsV1"]
    return fields


@pytest.mark.rule(8, 9)
def test_a_retirement_by_git_and_back(team: Team, plugin: Plugin, repository: Path) -> None:
    client = team.declare("billing")
    declare_api(team, "orders")
    declare_contract(team, "billing-orders", "billing", "orders")
    eventually("its contracts are counted", lambda: client.status()["contracts"]["active"] == 1)
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    file = repository / "billing.yaml"
    file.write_text(yaml.safe_dump(client.manifest))
    done = plugin.run("retire", "billing", folder=repository)
    assert "billing-orders" in done.stderr
    assert client.get()["spec"]["desiredStatus"] == "Available"
    subprocess.run(["git", "apply", "-"], cwd=repository, input=done.stdout.encode(), check=True)
    team.kubectl("apply", "-f", str(file))
    client.until_observed("Retired")
    back = plugin.ok("resume", "billing", folder=repository)
    subprocess.run(["git", "apply", "-"], cwd=repository, input=back.encode(), check=True)
    team.kubectl("apply", "-f", str(file))
    client.until_observed("Available")


def test_live_changes_are_confirmed(team: Team, plugin: Plugin) -> None:
    client = team.declare("billing")
    declare_api(team, "orders")
    for name in ("orders-a", "orders-b"):
        declare_api(team, name)
        declare_contract(team, f"billing-{name}", "billing", name)
    eventually("its contracts are counted", lambda: client.status()["contracts"]["active"] == 2)
    assert "give --acknowledge 'billing-orders-a,billing-orders-b'" in plugin.fails("retire", "billing", "--live")
    told = plugin.fails("retire", "billing", "--live", "--acknowledge", "billing-orders-a")
    assert "does not name billing-orders-b: nothing was changed" in told
    both = ("--live", "--acknowledge", "billing-orders-a,billing-orders-b")
    plugin.ok("suspend", "billing", *both)
    client.until_observed("Suspended")
    plugin.ok("resume", "billing", *both)
    client.until_observed("Available")
    assert "unchanged" in plugin.ok("resume", "billing", *both)
    plugin.ok("retire", "billing", *both)
    retired = client.until_observed("Retired")
    assert retired["spec"]["retirement"]["acknowledgedContracts"] == ["billing-orders-a", "billing-orders-b"]
    team.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=kustomize-controller", "-f", "-",
                 input=json.dumps(client.manifest))  # fmt: skip
    client.until_observed("Available")
    assert "will set it back" in plugin.run("suspend", "billing", *both, "--dry-run=server").stderr


@pytest.mark.rule(28)
def test_a_live_change_is_waited_for_until_every_gate_obeys(team: Team, plugin: Plugin, running: Product) -> None:
    client = team.declare("billing")
    token = client.token()
    running.until_accepted(token)
    for verb, verdict in (("suspend", 401), ("resume", 200)):
        told = plugin.ok(verb, "billing", "--live", "--acknowledge", "", "--wait")
        assert "enforced: 2 of 2 gates" in told
        assert set(running.verdicts(token)) == {verdict}
        assert "enforced: 2 of 2 gates" in plugin.ok(verb, "billing", "--live", "--wait"), "also once it is so already"
    shown = plugin.ok("status", "billing")
    assert "Enforced=True" in shown
    assert shown.count("  obeys  ") == 2, shown
    assert "give --live too" in plugin.fails("suspend", "billing", "--wait", status=1)


@pytest.mark.rule(28)
def test_who_may_not_read_leases_waits_for_what_the_operator_says(team: Team, plugin: Plugin, running: Product) -> None:
    client = team.declare("billing")
    token = client.token()
    running.until_accepted(token)
    team.kubectl("create", "serviceaccount", "tenant")
    for role in ("apiclient-on-call", "apiclient-viewer"):
        team.kubectl(
            "create", "rolebinding", role, f"--clusterrole={role}", f"--serviceaccount={team.namespace}:tenant"
        )
    config = running.stage.cluster.service_account_kubeconfig(team.namespace, "tenant")
    tenant = dataclasses.replace(plugin, kubeconfig=config)
    told = eventually("the bindings are known", lambda: held(tenant))
    assert "enforced: 2 of 2 gates" in told
    assert set(running.verdicts(token)) == {401}
    shown = tenant.ok("status", "billing")
    assert "2 of 2 gates" in shown
    assert "  obeys  " not in shown


def held(plugin: Plugin) -> str | None:
    """What ``hold --wait`` prints, once it may."""
    done = plugin.run("hold", "billing", "--reason", "drill", "--wait")
    return done.stdout if "enforced" in done.stdout else None


def test_dry_runs_change_nothing(team: Team, plugin: Plugin) -> None:
    client = team.declare("billing")
    plugin.ok("hold", "billing", "--reason", "real")
    client.until_observed("Suspended")
    before = client.until_enforced()
    for way in ("client", "server"):
        plugin.ok("hold", "billing", "--reason", "x", f"--dry-run={way}", "--wait")
        plugin.ok("release", "billing", f"--dry-run={way}")
        plugin.ok("rotate", "billing", f"--dry-run={way}", "--wait")
        for verb in ("suspend", "retire"):
            plugin.ok(verb, "billing", "--live", f"--dry-run={way}")
    assert client.get() == before
    assert [hold["spec"]["reason"] for hold in holds_in(team)] == ["real"]
    shown = yaml.safe_load(plugin.ok("hold", "billing", "--reason", "x", "--dry-run=client"))
    assert shown["spec"] == {"clientName": "billing", "reason": "x"}


def test_names_that_yaml_takes_for_numbers_are_read_back(team: Team, plugin: Plugin) -> None:
    client = team.declare("6063e25", version="6063e25")
    declare_api(team, "1e3")
    declare_contract(team, "3.0", "6063e25", "1e3")
    eventually("its contracts are counted", lambda: client.status()["contracts"]["active"] == 1)
    team.kubectl("apply", "-f", "-", input=plugin.ok("new-version", "6063e25", "7063e26"))
    assert team.client("6063e25-7063e26").get()["spec"]["version"] == "7063e26"
    client.apply(version="6063e25", desiredStatus="Retired")
    eventually("it is stalled", lambda: "AcknowledgementRequired" in str(client.status()["conditions"]))
    told = plugin.ok("explain", "6063e25")
    assert 'acknowledgedContracts: ["3.0"]' in told
    team.kubectl("patch", "apiclient", "6063e25", "--type=merge", "-p", plugin.ok("retire", "6063e25"))
    client.until_observed("Retired")


def test_a_new_version_of_a_retired_client(team: Team, plugin: Plugin) -> None:
    old = team.declare("billing-1.0", client="billing", version="1.0", tokens={"lifetime": "1h"})
    declare_api(team, "orders")
    declare_contract(team, "billing-1.0-orders", "billing-1.0", "orders")
    eventually("its contracts are counted", lambda: old.status()["contracts"]["active"] == 1)
    old.apply(desiredStatus="Retired", retirement={"acknowledgedContracts": ["billing-1.0-orders"]})
    old.until_observed("Retired")
    made = plugin.ok("new-version", "billing-1.0", "2.0")
    team.kubectl("apply", "-f", "-", input=made)
    team.kubectl("wait", "contract/billing-2.0-orders", "--for=condition=Active", "--timeout=60s")
    new = team.client("billing-2.0")
    new.until_observed("Available")
    assert new.get()["spec"]["tokens"]["lifetime"] == "1h"
