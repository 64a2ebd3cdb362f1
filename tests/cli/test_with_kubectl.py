"""The plugin through the real kubectl against the real API server, with operator and gates."""

import dataclasses
import json
import subprocess
import threading
from pathlib import Path
from queue import Empty, Queue
from typing import IO

import pytest
import yaml

from cluster import LocalCluster
from tests.cli.plugin import Plugin
from tests.cluster.product import Product, Team, eventually, settled
from tests.cluster.rest import JsonObject

pytestmark = pytest.mark.cluster

ROTATE = "apiclients.dev/rotate-requested"


def declare_api(team: Team, name: str, *plans: JsonObject) -> None:
    """An Api in the team's namespace."""
    spec = {"desiredStatus": "Published", "plans": list(plans) or [{"name": "basic"}]}
    team.kubectl("apply", "-f", "-", input=json.dumps(manifest("Api", team, name, spec)))


def declare_contract(team: Team, name: str, client: str, api: str, plan: str = "basic", status: str = "Active") -> None:
    """A contract, and wait until it is observed so."""
    spec = {"clientName": client, "api": {"namespace": team.namespace, "name": api}, "plan": plan}
    team.kubectl("apply", "-f", "-", input=json.dumps(manifest("Contract", team, name, spec)))
    team.kubectl("wait", f"contract/{name}", f"--for=jsonpath={{.status.observedStatus}}={status}", "--timeout=60s")


def manifest(kind: str, team: Team, name: str, spec: JsonObject) -> JsonObject:
    """A manifest."""
    meta = {"name": name, "namespace": team.namespace}
    return {"apiVersion": "apiclients.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}


def holds_in(team: Team) -> list[JsonObject]:
    """The holds of the team's namespace, with their managed fields."""
    words = ("get", "apiclientholds", "-o", "json", "--show-managed-fields")
    items: list[JsonObject] = json.loads(team.kubectl(*words))["items"]
    return items


def test_the_screens_of_a_client(team: Team, plugin: Plugin) -> None:
    client = team.declare("billing", owner="billing@example.com", version="1.0")
    declare_api(team, "orders", {"name": "basic"}, {"name": "gold", "approval": "Manual"})
    declare_contract(team, "billing-orders", "billing", "orders")
    declare_contract(team, "billing-gold", "billing", "absent", status="Pending")
    eventually("its contracts are counted", lambda: client.status()["contracts"]["active"] == 1)
    screen = plugin.ok("status", "billing")
    for words in ("✔ Available", "billing-orders", "automatic", "There is no Api", "#1 Current", "Tokens live 12h"):
        assert words in screen, screen
    eventually("the event is there", lambda: "Events" in plugin.ok("status", "billing"), pause=0.3)
    told = plugin.ok("explain", "billing")
    assert "ready" in told
    assert "Contract billing-gold is not in force (ApiNotFound)" in told
    view = json.loads(plugin.ok("status", "billing", "-o", "json"))
    assert view["clientId"] == client.status()["clientId"]
    rows = plugin.ok("contracts", "billing").splitlines()
    assert [row.split()[0] for row in rows] == ["NAME", "billing-gold", "billing-orders"]
    rows = plugin.ok("contracts", "--api", f"{team.namespace}/orders", "-o", "name").split()
    assert rows == ["contract.apiclients.dev/billing-orders"]


def test_lists_and_filters(team: Team, plugin: Plugin) -> None:
    team.declare("one", owner="a@example.com")
    team.declare("two", secret={"lifetime": "24h", "renewBefore": "1h"})
    team.declare("three", observed="Suspended", desiredStatus="Suspended")

    def name(*words: str) -> list[str]:
        return plugin.ok("get", "-o", "name", *words).split()

    prefix = "apiclient.apiclients.dev/"
    assert name() == [f"{prefix}{one}" for one in ("one", "three", "two")]
    assert name("--owner", "*@example.com") == [f"{prefix}one"]
    assert name("--expiring", "14d") == [f"{prefix}two"]
    assert name("--status", "Suspended") == [f"{prefix}three"]
    assert name("--not-ready") == []
    assert f"{team.namespace} " in plugin.ok("get", "-A")
    listed = yaml.safe_load(plugin.ok("get", "one", "-o", "yaml"))
    assert [item["metadata"]["name"] for item in listed["items"]] == ["one"]
    assert "managedFields" not in listed["items"][0]["metadata"]
    assert "there is no ApiClient nobody" in plugin.fails("get", "nobody")


def test_the_screen_is_drawn_again_when_something_changes(team: Team, plugin: Plugin) -> None:
    client = team.declare("billing")
    process = subprocess.Popen(
        plugin.command("status", "billing", "-w"), env=plugin.environment, stdout=subprocess.PIPE, text=True
    )
    lines: Queue[str] = Queue()
    assert process.stdout
    threading.Thread(target=_pass_on, args=(process.stdout, lines), daemon=True).start()
    try:
        until_line(lines, "✔ Available")
        client.apply(desiredStatus="Suspended")
        until_line(lines, "✖ Suspended")
        plugin.ok("hold", "billing", "--reason", "key leaked")
        until_line(lines, "key leaked")
    finally:
        process.terminate()
        process.wait(10)


def _pass_on(stream: IO[str], lines: "Queue[str]") -> None:
    for line in stream:
        lines.put(line)


def until_line(lines: "Queue[str]", words: str) -> None:
    """Wait until a line with these words comes."""
    while True:
        try:
            if words in lines.get(timeout=30):
                return
        except Empty:
            raise AssertionError(f"nothing with {words!r} came") from None


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


def test_on_call_needs_no_more_than_to_create_holds(team: Team, plugin: Plugin, running: Product) -> None:
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
    assert done.returncode == 1
    client.until_observed("Suspended")
    assert "you may not" in on_call.fails("release", "billing")
    assert "you may not" in on_call.fails("get")


def test_viewers_can_look_and_no_secret_is_read(team: Team, plugin: Plugin, running: Product) -> None:
    team.declare("billing")
    team.kubectl("create", "serviceaccount", "viewer")
    team.kubectl(
        "create", "rolebinding", "viewer", "--clusterrole=apiclient-viewer",
        f"--serviceaccount={team.namespace}:viewer",
    )  # fmt: skip
    config = running.stage.cluster.service_account_kubeconfig(team.namespace, "viewer")
    viewer = dataclasses.replace(plugin, kubeconfig=config)
    assert "Not shown: you may not read its events" in viewer.ok("status", "billing")
    assert "Whether an operator runs" not in viewer.ok("explain", "billing")
    viewer.ok("get", "-o", "wide")
    viewer.ok("contracts", "billing")
    assert "could not be" in viewer.ok("doctor")
    assert "you may not patch" in viewer.fails("rotate", "billing")


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
    before = client.get()
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


def test_dry_runs_change_nothing(team: Team, plugin: Plugin) -> None:
    client = team.declare("billing")
    plugin.ok("hold", "billing", "--reason", "real")
    client.until_observed("Suspended")
    before = settled("the client is left alone", client.get)
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


def test_doctor(team: Team, plugin: Plugin, running: Product) -> None:
    team.declare("billing")
    assert "All is well." in plugin.ok("doctor"), plugin.run("doctor").stdout
    checks = json.loads(plugin.ok("doctor", "-o", "json"))["checks"]
    assert {check["verdict"] for check in checks} == {"ok"}
    running.operator.stop()
    done = plugin.run("doctor")
    assert done.returncode == 1
    assert "no operator leads" in done.stdout
    running.ensure()
    binding = running.stage.cluster.kubectl(
        "get", "validatingadmissionpolicybinding", "delete-apis", "-o", "yaml"
    ).stdout
    running.stage.cluster.kubectl("delete", "validatingadmissionpolicybinding", "delete-apis")
    try:
        assert "policy delete-apis is not bound" in plugin.run("doctor").stdout
    finally:
        kept = {k: v for k, v in yaml.safe_load(binding)["metadata"].items() if k in ("name", "labels", "annotations")}
        again = {**yaml.safe_load(binding), "metadata": kept}
        running.stage.cluster.kubectl("apply", "-f", "-", input=json.dumps(again))
    assert plugin.run("doctor", "--system-namespace", "nowhere").returncode == 1


@pytest.mark.rule(23)
def test_no_secret_is_in_a_report(team: Team, plugin: Plugin, running: Product, tmp_path: Path) -> None:
    client = team.declare("billing", description="password: canary-in-a-description")
    secret = client.credentials().client_secret
    token = client.token()
    team.kubectl("annotate", "apiclient", "billing", f"example.com/note=it was {secret}")
    plugin.ok("hold", "billing", "--reason", f"leaked: {secret} and {token}")
    client.until_observed("Suspended")
    plugin.ok("rotate", "billing", "--request", "canary-request")
    team.kubectl("label", "apiclient", "billing", "team=a")
    file = tmp_path / "report.json"
    assert plugin.ok("report", "-A", "-f", str(file)).strip() == str(file)
    text = file.read_text()
    everything = running.stage.cluster.kubectl("get", "secrets", "-A", "-o", "json").stdout
    values = [value for item in json.loads(everything)["items"] for value in item.get("data", {}).values()]
    secrets = [secret, token, "canary-in-a-description", *values, *(text for one in values for text in decoded(one))]
    public = {client.credentials().client_id, client.credentials().token_endpoint, running.stage.issuer}
    leaked = [one for one in secrets if one in text and one not in public and len(one) > 8]
    assert [one for one in leaked if one not in public_values(running)] == []
    digests = {one["digest"] for one in client.status()["credentials"]}
    assert not any(digest in text for digest in digests)
    report = json.loads(text)
    assert "billing" in {item["metadata"]["name"] for item in report["apiclients"]}
    assert file.stat().st_mode & 0o777 == 0o600


def decoded(value: str) -> list[str]:
    """A value of a Secret as text, if it is text."""
    import base64

    try:
        return [base64.b64decode(value).decode()]
    except UnicodeDecodeError:
        return []


def public_values(running: Product) -> set[str]:
    """What stands in Secrets and is none: ids, URLs, in clear and in base64, and names of namespaces."""
    import base64

    found: set[str] = set()
    for item in running.rest.list("secrets"):
        for key in ("client-id", "issuer", "token-endpoint", "namespace"):
            if value := item.get("data", {}).get(key):
                found |= {value, base64.b64decode(value).decode()}
    return found


def test_completion_through_kubectl(team: Team, plugin: Plugin) -> None:
    for name in ("billing", "billing-2", "reporting"):
        team.declare(name)
    declare_api(team, "orders")
    plugin.ok("hold", "billing", "--reason", "x")
    assert plugin.complete("stat") == ["status"]
    assert plugin.complete("status", "-n", team.namespace, "bill") == ["billing", "billing-2"]
    assert plugin.complete("hold", "-n", team.namespace, "billing", "") == ["billing-2", "reporting"]
    assert plugin.complete("release", "-n", team.namespace, "--hold", "bi")[0].startswith("billing-")
    assert plugin.complete("status", "-n", team.namespace[:-1]).count(team.namespace) == 1
    assert f"{team.namespace}/orders" in plugin.complete("contracts", "--api", "")
    assert plugin.complete("get", "-o", "j") == ["json"]


def test_errors_say_what_to_do(team: Team, plugin: Plugin, running: Product, tmp_path: Path) -> None:
    told = plugin.fails("status", "nobody")
    assert f"there is no ApiClient nobody in namespace {team.namespace}" in told
    assert "kubectl apiclient get" in told
    assert "usage: kubectl apiclient hold" in plugin.fails("hold", "billing", status=2)
    cluster = running.stage.cluster
    assert isinstance(cluster, LocalCluster)
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    broken = tmp_path / "broken"
    broken.write_text(yaml.safe_dump(config))
    done = dataclasses.replace(plugin, kubeconfig=broken).run("get")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the API server did not answer" in done.stderr
    assert "Traceback" not in done.stderr
