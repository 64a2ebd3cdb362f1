"""``kubectl apiclient plan`` and ``snapshot`` as processes: sources, exit statuses, files, and what they refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from apiclients.plan.live import to_snapshot
from apiclients.plan.manifests import Tree
from tests.plan.folder import Folder
from tests.plan.support import JsonObject, acknowledging, api, client, contract, live_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with base and head: a client is retired, another one is suspended."""
    made = Folder(tmp_path)
    made.put("base/a.yaml", api(), client(), contract(), client("batch"))
    made.put("head/a.yaml", api(), client(status="Retired"), contract(), client("batch", "Suspended"))
    return made


def names(body: Any) -> dict[str, str]:
    """Changes by object."""
    return {change["object"]["name"]: change["change"] for change in body["changes"]}


def test_folders(folder: Folder) -> None:
    assert names(folder.json("--base", "base", "--head", "head")) == {"billing": "retire", "batch": "suspend"}


def test_files_and_standard_input(folder: Folder) -> None:
    text = (folder.path / "head/a.yaml").read_text()
    body = folder.json("--base", "base/a.yaml", "--head", "-", stdin=text)
    assert names(body) == {"billing": "retire", "batch": "suspend"}
    assert body["changes"][0]["location"]["file"] == "stdin"


def test_revisions_are_read_without_a_checkout(empty: Folder) -> None:
    empty.put("clients/a.yaml", client())
    first = empty.commit("one")
    empty.put("clients/a.yaml", client(status="Suspended"))
    empty.commit("two")
    empty.put("clients/a.yaml", client(status="Retired"))  # not committed: a revision does not see it
    body = empty.json("--base", first, "--head", "main")
    assert names(body) == {"billing": "suspend"}
    assert body["base"] == first[:12]
    assert body["changes"][0]["location"]["file"] == "clients/a.yaml"
    assert names(empty.json("--base", f"{first}:clients", "--head", "HEAD:clients")) == {"billing": "suspend"}
    assert names(empty.json("--base", "HEAD:clients", "--head", "clients")) == {"billing": "retire"}


def test_the_merge_base_hides_what_main_did_since(empty: Folder) -> None:
    empty.put("clients/a.yaml", client())
    empty.commit("one")
    empty.git("checkout", "-q", "-b", "feature")
    empty.put("clients/b.yaml", client("new"))
    empty.commit("two")
    empty.git("checkout", "-q", "main")
    empty.put("clients/c.yaml", client("meanwhile"))
    empty.commit("three")
    assert names(empty.json("--base", "main", "--head", "feature")) == {"new": "create", "meanwhile": "delete"}
    assert names(empty.json("--base", "main", "--head", "feature", "--merge-base")) == {"new": "create"}


def test_nothing_of_a_tree_is_run_or_followed(empty: Folder) -> None:
    """Links, filters and attributes of a tree have no say."""
    outside = empty.put("outside/a.yaml", client("outside"))
    empty.put("clients/a.yaml", client())
    (empty.path / "clients/link.yaml").symlink_to(outside)
    (empty.path / "clients/folder").symlink_to(outside.parent)
    empty.write("clients/.gitattributes", "*.yaml filter=evil export-subst\n")
    empty.commit("one")
    empty.git("config", "filter.evil.smudge", "touch RAN; cat")
    assert names(empty.json("--base", "HEAD:clients", "--head", "clients")) == {}
    assert not (empty.path / "RAN").exists()


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ((), 0),
        (("--detailed-exitcode",), 2),
        (("--fail-on", "irreversible"), 3),
        (("--fail-on", "disruptive"), 3),
        (("--fail-on", "unacknowledged"), 3),
        (("--fail-on", "unacknowledged", "--detailed-exitcode"), 3),
    ],
)
def test_exit_statuses_of_findings(folder: Folder, options: tuple[str, ...], status: int) -> None:
    done = folder.plan("--base", "base", "--head", "head", *options)
    assert (done.returncode, done.stderr) == (status, "")
    assert "held back" in done.stdout


def test_exit_statuses_without_findings(folder: Folder) -> None:
    options = ("--detailed-exitcode", "--fail-on", "irreversible", "--fail-on", "unacknowledged")
    assert folder.plan("--base", "base", "--head", "base", *options).returncode == 0
    folder.put("mild/a.yaml", api(), client(status="Suspended"), contract(), client("batch"))
    assert folder.plan("--base", "base", "--head", "mild", *options).returncode == 2


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--base", "base"),
        ("--base", "base", "--head", "nowhere"),
        ("--base", "-", "--head", "-"),
        ("--base", "base", "--head", "head", "--fail-on", "nonsense"),
        ("--base", "base", "--head", "head", "--nonsense"),
        ("--base", "base", "--head", "head", "--bas"),
        ("--base", "base", "--head", "head", "--state", "missing.json"),
        ("--base", "base", "--head", "head", "--state", "base/a.yaml"),
        ("--base", "base", "--head", "head", "--kubeconfig", "missing"),
        ("--base", "base", "--head", "head", "--write", "sarif"),
        ("--base", "base", "--head", "head", "--write", "sarif=no/such/folder"),
        ("--base", "base", "--head", "--upload-pack=evil"),
        ("--base", "base", "--head", "git:--evil"),
        ("--base", "base", "--head", "head", "--time", "yesterday"),
    ],
)
def test_an_error_is_always_1_and_a_sentence(folder: Folder, options: tuple[str, ...]) -> None:
    done = folder.plan(*options, "--detailed-exitcode")
    assert (done.returncode, done.stdout) == (1, "")
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unreachable_cluster_is_an_error_not_a_plan(folder: Folder) -> None:
    folder.write("kubeconfig", kubeconfig({"token": "x"}))
    done = folder.plan("--base", "base", "--head", "head", "--kubeconfig", "kubeconfig")
    assert (done.returncode, done.stdout) == (1, "")
    assert folder.plan("--base", "base", "--head", "head", "--kubeconfig", "kubeconfig", "--no-live").returncode == 0


@pytest.mark.parametrize("user", [{"exec": {"command": "touch", "args": ["RAN"]}}, {"auth-provider": {"name": "x"}}])
def test_programs_of_a_kubeconfig_are_not_run(folder: Folder, user: JsonObject) -> None:
    folder.write("kubeconfig", kubeconfig(user))
    for command in (("plan", "--base", "base", "--head", "head"), ("snapshot",)):
        done = folder.run(*command, "--kubeconfig", "kubeconfig")
        assert done.returncode == 1
        assert "--allow-exec-plugins" in done.stderr
    assert not (folder.path / "RAN").exists()


def kubeconfig(user: JsonObject) -> str:
    """A kubeconfig of a cluster that is not there."""
    cluster = {"server": "http://127.0.0.1:9"}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {**user, "apiVersion": "client.authentication.k8s.io/v1"}}],
        }
    )


def test_a_snapshot_is_planned_against(folder: Folder) -> None:
    live = live_of(api(), client(), contract(), contract("elsewhere", to="payments"), api("payments"))
    (folder.path / "live.json").write_bytes(to_snapshot(live))
    folder.put("ready/a.yaml", api(), client(status="Retired", **acknowledging("billing-orders")), contract())
    body = folder.json("--base", "base", "--head", "ready", "--state", "live.json")
    (found,) = [change for change in body["changes"] if change["object"]["name"] == "billing"]
    assert found["acknowledgement"]["missing"] == ["elsewhere"]
    assert body["live"]["source"].endswith("from live.json")


def test_several_formats_in_one_run(folder: Folder) -> None:
    formats = ("text", "markdown", "json", "sarif", "gitlab", "github", "junit")
    writes = [f"--write={name}=plan.{name}" for name in formats]
    done = folder.plan("--base", "base", "--head", "head", *writes, "--comment-key", "prod", "--fail-on", "disruptive")
    assert done.returncode == 3
    assert (folder.path / "plan.text").read_text() == done.stdout
    assert (folder.path / "plan.markdown").read_text().startswith("<!-- apiclient-plan:prod -->")
    assert json.loads((folder.path / "plan.sarif").read_text())["version"] == "2.1.0"


def test_redaction_is_marked(folder: Folder) -> None:
    (folder.path / "live.json").write_bytes(to_snapshot(live_of(api(), client())))
    assert folder.json("--base", "base", "--head", "head", "--state", "live.json", "--redact")["redacted"] is True


def test_a_reader_that_stops_early_does_not_change_the_verdict(folder: Folder) -> None:
    command = f"{sys.executable} -m apiclients.cli.main plan --no-live --base base --head head --fail-on disruptive"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | true"],
        cwd=folder.path,
        env=os.environ | {"PYTHONPATH": str(ROOT / "operator")},
        timeout=60,
        check=False,
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (3, b"")


def test_colour_is_for_terminals_or_on_request(folder: Folder) -> None:
    plain = folder.plan("--base", "base", "--head", "head").stdout
    assert "\x1b" not in plain
    assert "\x1b" in folder.plan("--base", "base", "--head", "head", "--color", "always").stdout


def test_help_imports_nothing_slow(folder: Folder) -> None:
    code = (
        "import sys; from apiclients.cli.main import build_parser; build_parser('plan'); build_parser('snapshot'); "
        "slow = {'pydantic', 'yaml', 'aiohttp', 'kubernetes', 'orjson'} & set(sys.modules); "
        "sys.exit(', '.join(slow) or 0)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "operator")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_large_repository_is_planned() -> None:
    """1,000 clients and 5,000 contracts; how long it takes is measured by ``bench.plugin``."""
    from apiclients.plan.core import plan
    from apiclients.plan.manifests import SourceFile, read_all

    def tree(label: str, status: str) -> Tree:
        files = [SourceFile("apis.yaml", yaml.safe_dump_all([api(f"orders-{n}") for n in range(20)]))]
        for n in range(1000):
            objects = [client(f"client-{n}", status if n % 10 == 0 else "Available", namespace=f"team-{n % 50}")]
            objects += [
                contract(f"contract-{n}-{m}", f"client-{n}", f"orders-{(n + m) % 20}", namespace=f"team-{n % 50}")
                for m in range(5)
            ]
            files.append(SourceFile(f"clients/{n}.yaml", "---\n".join(map(_yaml, objects))))
        return Tree(label, tuple(files))

    trees = [tree("base", "Available"), tree("head", "Suspended")]
    base, head = read_all(trees)
    made = plan(base, head, None, live_of().taken_time)
    assert len(made.entries) == 100


def _yaml(obj: JsonObject) -> str:
    """As people write it; PyYAML takes long to write thousands."""
    spec = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in obj["spec"].items())
    meta = obj["metadata"]
    return (
        f"apiVersion: {obj['apiVersion']}\nkind: {obj['kind']}\n"
        f"metadata:\n  name: {meta['name']}\n  namespace: {meta['namespace']}\nspec:\n{spec}"
    )
