"""How the plugin logs in, through the real kubectl: acting as somebody else, and exec plugins."""

import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from apiclients.cli.main import command_first
from tests.cli.plugin import Plugin
from tests.toolkit.product import Team


@pytest.mark.cluster
def test_acting_as_somebody_else(team: Team, plugin: Plugin, tmp_path: Path) -> None:
    team.declare("billing")
    team.kubectl("create", "rolebinding", "lookers", "--clusterrole=apiclient-viewer", "--group=lookers")
    assert "you are jane and may not list apiclients" in plugin.fails("get", "--as", "jane")
    as_jane = ("--as=jane", "--as-group", "others", "--as-group", "lookers", "--as-uid=1-2-3")
    assert "billing" in plugin.ok("get", *as_jane)
    assert "billing" in plugin.ok(*as_jane, "get")
    assert "may not create apiclientholds" in plugin.fails("hold", "billing", "--reason", "leak", *as_jane)

    config = yaml.safe_load(plugin.kubeconfig.read_text())
    config["users"][0]["user"] |= {"as": "jane", "as-groups": ["lookers"]}
    path = tmp_path / "as-jane"
    path.write_text(json.dumps(config))
    jane = dataclasses.replace(plugin, kubeconfig=path)
    assert "billing" in jane.ok("get")
    assert "you are joe and may not list apiclients" in jane.fails("get", "--as", "joe", "--as-group", "others")
    assert "and no user" in plugin.fails("get", "--as-group", "lookers")
    # What this kubeconfig may not do itself, it may not do as somebody else.
    account = plugin_of_account(team, plugin)
    assert "cannot impersonate" in account.fails("get", "--as", "jane")


@pytest.mark.cluster
def test_an_exec_plugin_logs_in_or_says_why_not(team: Team, plugin: Plugin, tmp_path: Path) -> None:
    team.declare("billing")
    account = plugin_of_account(team, plugin)
    token = Path(f"{account.kubeconfig}.token").read_text()
    credential = {"kind": "ExecCredential", "status": {"token": token}}
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "login"
    config = yaml.safe_load(account.kubeconfig.read_text())
    server = config["clusters"][0]["cluster"]["server"]
    content = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "bin/login",
        "interactiveMode": "Never",
        "provideClusterInfo": True,
        "installHint": "Ask the platform team.",
    }
    config["users"][0]["user"] = {}
    nobody = tmp_path / "nobody"
    nobody.write_text(json.dumps(config))
    told = dataclasses.replace(plugin, kubeconfig=nobody).fails("get")
    assert "does not know who you are" in told
    assert "role" not in told

    config["users"][0]["user"] = {"exec": content}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    by_program = dataclasses.replace(plugin, kubeconfig=path)

    script.write_text(
        f"#!/bin/sh\necho \"$KUBERNETES_EXEC_INFO\" | grep -q '{server}' && echo '{json.dumps(credential)}'\n"
    )
    script.chmod(0o755)
    assert "billing" in by_program.ok("get")
    script.write_text("#!/bin/sh\nexit 7\n")
    for command in (("get",), ("status", "billing"), ("explain", "billing"), ("doctor",)):
        told = by_program.fails(*command)
        assert f"exec plugin {script} failed with exit status 7. The kubeconfig says: Ask the platform team" in told
        assert "role" not in told, "nothing was asked without credentials"


def plugin_of_account(team: Team, plugin: Plugin) -> Plugin:
    """The plugin with a service account that may look."""
    team.kubectl("create", "serviceaccount", "looker")
    who = f"--serviceaccount={team.namespace}:looker"
    team.kubectl("create", "rolebinding", "looker", "--clusterrole=apiclient-viewer", who)
    path = team.product.stage.cluster.service_account_kubeconfig(team.namespace, "looker")
    return dataclasses.replace(plugin, kubeconfig=path)


def test_whom_to_act_as_may_stand_before_the_command() -> None:
    before = ["--as", "jane", "--as-group=dev", "--as-uid", "1"]
    assert command_first([*before, "get", "billing"]) == ["get", *before, "billing"]
