"""``plan -f`` against a real API server: it sees a difference where ``kubectl diff`` does."""

import subprocess
from pathlib import Path

import pytest

from cluster.kubeconfig import find_kubectl
from tests.cli.plugin import Plugin
from tests.toolkit.product import Team

pytestmark = pytest.mark.cluster

MANIFESTS = """\
apiVersion: apiclients.dev/v1alpha1
kind: Api
metadata:
  name: orders
  labels: {tier: gold}
spec:
  desiredStatus: Published
  plans: [{name: basic}, {name: gold, approval: Manual}]
---
apiVersion: apiclients.dev/v1alpha1
kind: ApiClient
metadata:
  name: billing
spec:
  desiredStatus: Available
  owner: billing@example.com
  secret: {lifetime: 720h, template: {labels: {app: billing}}}
---
apiVersion: apiclients.dev/v1alpha1
kind: Contract
metadata:
  name: billing-orders
spec:
  clientName: billing
  api: {namespace: NAMESPACE, name: orders}
  plan: basic
"""
EDITS = {
    "nothing": ("", ""),
    "a value": ("owner: billing@", "owner: bills@"),
    "a field left out": ("  owner: billing@example.com\n", ""),
    "a nested field left out": ("lifetime: 720h, ", ""),
    "a label left out": ("  labels: {tier: gold}\n", ""),
    "a default written out": ("plan: basic", "plan: basic"),
    "an item of a list": ("{name: basic}, ", ""),
    "a suspension": ("desiredStatus: Available", "desiredStatus: Suspended"),
}


@pytest.mark.parametrize("options", [(), ("--server-side",)], ids=["client-side", "server-side"])
def test_it_differs_where_kubectl_diff_does(
    team: Team, plugin: Plugin, tmp_path: Path, options: tuple[str, ...]
) -> None:
    file = tmp_path / "teams.yaml"
    text = MANIFESTS.replace("NAMESPACE", team.namespace)
    file.write_text(text)
    assert plugin.run("plan", "-f", str(tmp_path), "--detailed-exitcode").returncode == 2, "all of it is new"
    team.kubectl("apply", *options, "-f", str(file))
    team.kubectl("annotate", "apiclient", "billing", "example.com/note=by-hand")
    team.kubectl("label", "apiclient", "billing", "by=hand")
    for name, (old, new) in EDITS.items():
        assert old in text
        file.write_text(text.replace(old, new))
        differs = _kubectl_diff(plugin, file, options)
        done = plugin.run("plan", "-f", str(file), "--detailed-exitcode")
        assert (name, done.returncode, done.stderr) == (name, 2 if differs else 0, "")
        assert differs is (old != new), name


def _kubectl_diff(plugin: Plugin, file: Path, options: tuple[str, ...]) -> bool:
    command = [str(find_kubectl()), "diff", "-n", plugin.namespace, *options, "-f", str(file)]
    done = subprocess.run(command, env=plugin.environment, capture_output=True, timeout=60, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 1
