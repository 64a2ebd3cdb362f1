"""The plugin through the real kubectl against the real API server, with operator and gates."""

import base64
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
from tests.cli.declared import declare_api, declare_contract
from tests.cli.plugin import Plugin
from tests.toolkit.product import Product, Team
from tests.toolkit.waiting import eventually

pytestmark = pytest.mark.cluster


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
    assert name("--sort-by", "expires")[0] == f"{prefix}two"
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


def test_the_list_is_drawn_again_when_something_changes(team: Team, plugin: Plugin) -> None:
    client = team.declare("billing")
    words = plugin.command("get", "-w", "--sort-by", "expires")
    process = subprocess.Popen(words, env=plugin.environment, stdout=subprocess.PIPE, text=True)
    lines: Queue[str] = Queue()
    assert process.stdout
    threading.Thread(target=_pass_on, args=(process.stdout, lines), daemon=True).start()
    try:
        until_line(lines, "Available")
        client.apply(desiredStatus="Suspended")
        until_line(lines, "Suspended")
        team.declare("another")
        until_line(lines, "another")
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
    assert "and may not patch apiclients in namespace" in viewer.fails("rotate", "billing")


def test_doctor(team: Team, plugin: Plugin, running: Product) -> None:
    team.declare("billing")
    # Leases say what was so when they were renewed last.
    eventually("the doctor finds nothing", lambda: "All is well." in plugin.run("doctor").stdout)
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
    try:
        return [base64.b64decode(value).decode()]
    except UnicodeDecodeError:
        return []


def public_values(running: Product) -> set[str]:
    """What stands in Secrets and is none: ids, URLs, in clear and in base64, and names of namespaces."""
    found: set[str] = set()
    for item in running.admin.list("secrets"):
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
    assert plugin.complete("release", "-n", team.namespace, "--hold", "bi") == ["billing"]
    assert plugin.complete("status", "-n", team.namespace[:-1]).count(team.namespace) == 1
    assert f"{team.namespace}/orders" in plugin.complete("contracts", "--api", "")
    assert plugin.complete("get", "-o", "j") == ["json"]


def test_errors_say_what_to_do(team: Team, plugin: Plugin, running: Product, tmp_path: Path) -> None:
    told = plugin.fails("status", "nobody")
    assert f"there is no ApiClient nobody in namespace {team.namespace}" in told
    assert "kubectl apiclient get" in told
    assert "give a reason" in plugin.fails("hold", "billing")
    assert "usage: kubectl apiclient hold" in plugin.fails(
        "hold", "billing", "--reason", "leak", "--for", "soon", status=2
    )
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
