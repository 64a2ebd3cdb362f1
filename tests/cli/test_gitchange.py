"""The change in Git: as few lines as a person would change, in any style; ``git apply`` takes it."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from apiclients.cli.errors import CliError
from apiclients.cli.git import change as gitchange
from apiclients.kube.kinds import CONTRACT_APPROVALS
from apiclients.plan.yaml_marks import documents as yaml_documents
from apiclients.plan.yaml_marks import parse
from apiclients.resources.apiclient import DesiredStatus
from apiclients.resources.approval import Decision

BLOCK = """\
# Billing.
apiVersion: apiclients.dev/v1alpha1
kind: ApiClient
metadata:
  name: billing-1.0   # the name
  namespace: team-a
spec:
  desiredStatus: "Available"  # see the wiki
  owner: billing@example.com
"""
FLOW = """\
{apiVersion: apiclients.dev/v1alpha1, kind: ApiClient, metadata: {name: billing-1.0}, spec: {desiredStatus: Available}}
"""
STYLES = {
    "block": BLOCK,
    "flow": FLOW,
    "other documents around": f"a: 1\n---\n{BLOCK}---\nb: 2\n",
    "no line break at the end": BLOCK.rstrip("\n"),
    "no line break after the desired status": BLOCK.replace("  owner: billing@example.com\n", "").rstrip("\n"),
    "retirement in block style": BLOCK + "  retirement:\n    gracePeriod: 1h\n",
    "retirement in flow style": BLOCK + "  retirement: {gracePeriod: 1h}\n",
    "empty retirement": BLOCK + "  retirement: {}\n",
    "list in flow style": BLOCK + "  retirement: {acknowledgedContracts: [orders]}\n",
    "empty list": BLOCK + "  retirement:\n    acknowledgedContracts: []\n",
    "list in block style": BLOCK
    + "  retirement:\n    acknowledgedContracts:\n    - orders # mind\n    gracePeriod: 1h\n",
    "last item in more lines": BLOCK
    + "  retirement:\n    acknowledgedContracts:\n    - >-\n      orders\n    gracePeriod: 1h\n",
    "comma at the end of a list": BLOCK + "  retirement: {acknowledgedContracts: [orders,]}\n",
    "flow list in more lines": BLOCK + "  retirement:\n    acknowledgedContracts: [\n      orders, # mind\n    ]\n",
    "deeper list": BLOCK + "  retirement:\n    acknowledgedContracts:\n      - orders\n",
    "umlauts": f"# Größe €\n{BLOCK}",
    "windows": BLOCK.replace("\n", "\r\n"),
}


def folder_with(folder: Path, text: str) -> Path:
    """A folder with one file."""
    (folder / "billing.yaml").write_text(text)
    return folder


def declared(folder: Path, text: str) -> gitchange.Declared:
    """The one declaration in a repository with one file."""
    (folder / "clients").mkdir()
    (folder / "clients" / "billing.yaml").write_bytes(text.encode())
    found = gitchange.find(folder, "team-a", "billing-1.0")
    assert len(found) == 1
    return found[0]


def documents(text: str) -> list[object]:
    """What YAML makes of it."""
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize("style", STYLES)
def test_a_retirement_in_every_style(style: str, tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    found = declared(tmp_path, STYLES[style])
    after = gitchange.changed(found, DesiredStatus.RETIRED, ["billing-orders", "orders"])
    wanted = documents(STYLES[style])
    position = next(n for n, one in enumerate(wanted) if isinstance(one, dict) and one.get("kind") == "ApiClient")
    client = wanted[position]
    assert isinstance(client, dict)
    client["spec"]["desiredStatus"] = "Retired"
    client["spec"].setdefault("retirement", {})
    changed = documents(after)
    names = changed[position]["spec"]["retirement"].pop("acknowledgedContracts")  # type: ignore[index]
    client["spec"]["retirement"].pop("acknowledgedContracts", None)
    assert sorted(names) == ["billing-orders", "orders"]
    assert changed == wanted
    patch = gitchange.diff(found, after)
    assert "a/clients/billing.yaml" in patch
    subprocess.run([*git, "apply", "--check", "-"], input=patch.encode(), check=True)
    subprocess.run([*git, "apply", "-"], input=patch.encode(), check=True)
    assert found.path.read_bytes().decode() == after


@pytest.mark.parametrize("style", STYLES)
def test_suspending_changes_one_word(style: str, tmp_path: Path) -> None:
    found = declared(tmp_path, STYLES[style])
    after = gitchange.changed(found, DesiredStatus.SUSPENDED, ())
    lines = zip(found.text.splitlines(), after.splitlines(), strict=True)
    assert sum(before != now for before, now in lines) == 1


def test_what_is_so_already_is_no_change(tmp_path: Path) -> None:
    found = declared(tmp_path, STYLES["list in flow style"])
    assert gitchange.changed(found, DesiredStatus.AVAILABLE, ["orders"]) == found.text
    assert gitchange.diff(found, found.text) == ""


def test_comments_and_quotes_around_stay(tmp_path: Path) -> None:
    after = gitchange.changed(declared(tmp_path, BLOCK), DesiredStatus.RETIRED, ["orders"])
    assert "  desiredStatus: Retired  # see the wiki\n  retirement:\n    acknowledgedContracts: [orders]\n" in after


@pytest.mark.parametrize("style", STYLES)
def test_a_comment_stays_on_its_line(style: str, tmp_path: Path) -> None:
    found = declared(tmp_path, STYLES[style])
    after = gitchange.changed(found, DesiredStatus.RETIRED, ["invoices"]).splitlines()
    said = [line for line in found.text.splitlines() if "#" in line and "desiredStatus" not in line]
    assert [line for line in said if line not in after] == []


@pytest.mark.parametrize("style", STYLES)
def test_names_that_yaml_takes_for_numbers_are_quoted(style: str, tmp_path: Path) -> None:
    """By the rules of the API server, which PyYAML does not share: to it 6063e25 is a text."""
    after = gitchange.changed(declared(tmp_path, STYLES[style]), DesiredStatus.RETIRED, ["6063e25", "3.0", "on"])
    read = [parse(document.text) for document in yaml_documents(after)]
    (client,) = (marked.value for marked in read if marked is not None and "kind" in marked.value)
    assert {"6063e25", "3.0", "on"} <= set(client["spec"]["retirement"]["acknowledgedContracts"])


def test_one_that_names_no_namespace_may_stand_for_several(tmp_path: Path) -> None:
    """A base that overlays for staging and production put into theirs is found for each of them."""
    (base,) = gitchange.find(
        folder_with(tmp_path, BLOCK.replace("  namespace: team-a\n", "")), "staging", "billing-1.0"
    )
    assert [f"{base.path} names no namespace" in one for one in base.cautions] == [True]
    assert gitchange.find(tmp_path, "production", "billing-1.0")[0].cautions == base.cautions
    (own,) = gitchange.find(folder_with(tmp_path, BLOCK), "team-a", "billing-1.0")
    assert own.cautions == []


def test_only_the_right_object_is_found(tmp_path: Path) -> None:
    others = {
        "other-namespace.yaml": BLOCK.replace("team-a", "team-b"),
        "other-name.yaml": BLOCK.replace("billing-1.0", "billing-1.0.1"),
        "other-kind.yaml": BLOCK.replace("ApiClient", "Api"),
        "other-group.yaml": BLOCK.replace("apiclients.dev", "example.com") + "# apiclients.dev\n",
        "template.yaml": BLOCK.replace("billing@example.com", "{{ .Values.owner }}: {{"),
        "binary.yaml": "\0\0",
        "notes.md": BLOCK,
    }
    for name, text in others.items():
        (tmp_path / name).write_text(text)
    for folder in (".git", "node_modules"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "copy.yaml").write_text(BLOCK)
    assert gitchange.find(tmp_path, "team-a", "billing-1.0") == []
    (tmp_path / "here.yml").write_text(BLOCK.replace("  namespace: team-a\n", ""))
    assert [one.path.name for one in gitchange.find(tmp_path, "team-a", "billing-1.0")] == ["here.yml"]


def test_what_cannot_be_edited_is_said(tmp_path: Path) -> None:
    found = declared(tmp_path, BLOCK.replace('desiredStatus: "Available"', "desiredStatus: [x]"))
    with pytest.raises(CliError, match="by hand to Retired"):
        gitchange.changed(found, DesiredStatus.RETIRED, ())
    with pytest.raises(CliError, match="is not there"):
        gitchange.find(tmp_path / "absent", "team-a", "billing-1.0")


APPROVAL = """\
apiVersion: apiclients.dev/v1alpha1
kind: ContractApproval
metadata: {name: ok, namespace: shop}
spec:
  contract: {namespace: team-a, name: billing-orders}
  decision: Approved  # by the board
"""
APPROVALS = {
    "no reason yet": APPROVAL,
    "plain reason": APPROVAL + "  reason: Agreed\n  plan: gold\n",
    "quoted reason": APPROVAL + '  reason: "Agreed: yes"\n  plan: gold\n',
    "reason of several lines": APPROVAL + "  reason: |\n    Agreed\n    with all\n  plan: gold\n",
    "folded reason at the end": APPROVAL + "  reason: >-\n    Agreed\n    with all\n",
    "flow": "{apiVersion: apiclients.dev/v1alpha1, kind: ContractApproval, metadata: {name: ok}, "
    "spec: {decision: Approved, plan: gold}}\n",
}


@pytest.mark.parametrize("style", APPROVALS)
@pytest.mark.parametrize("reason", ["Quota: used up #1", None])
def test_a_decision_is_changed_in_every_style(style: str, reason: str | None, tmp_path: Path) -> None:
    (tmp_path / "approval.yaml").write_text(APPROVALS[style])
    (found,) = gitchange.find(tmp_path, "shop", "ok", CONTRACT_APPROVALS)
    (wanted,) = yaml.safe_load_all(APPROVALS[style])
    wanted["spec"]["decision"] = "Rejected"
    if reason is not None:
        wanted["spec"]["reason"] = reason
    after = gitchange.decided(found, Decision.REJECTED, reason)
    assert documents(after) == [wanted]
    assert ("# by the board" in after) == ("# by the board" in found.text)


def test_objects_of_other_kinds_are_not_meant(tmp_path: Path) -> None:
    (tmp_path / "approval.yaml").write_text(APPROVAL)
    assert gitchange.find(tmp_path, "shop", "ok") == []


@pytest.mark.parametrize("secret", ["", "  secret:\n    lifetime: 1h\n", "  secret: {lifetime: 1h}\n", "  secret: {}\n",
                                    "  secret:\n    revision: 1 # mind\n    lifetime: 1h\n"])  # fmt: skip
def test_another_revision_of_the_secret(secret: str, tmp_path: Path) -> None:
    found = declared(tmp_path, BLOCK + secret)
    after = gitchange.revised(found, 7)
    (client,) = documents(BLOCK + secret)
    assert isinstance(client, dict)
    client["spec"]["secret"] = {**client["spec"].get("secret", {}), "revision": 7}
    assert documents(after) == [client]
    assert ("# mind" in after) is ("# mind" in secret)


@pytest.mark.parametrize("style", STYLES)
def test_another_revision_in_every_style(style: str, tmp_path: Path) -> None:
    after = documents(gitchange.revised(declared(tmp_path, STYLES[style]), 7))
    (client,) = (one for one in after if isinstance(one, dict) and "kind" in one)
    assert client["spec"]["secret"] == {"revision": 7}


def test_a_secret_that_cannot_be_edited(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"spec\.secret that cannot be edited: add revision: 7"):
        gitchange.revised(declared(tmp_path, BLOCK + "  secret: [a]\n"), 7)


def test_a_spec_without_the_field_to_write_after(tmp_path: Path) -> None:
    text = BLOCK.replace('  desiredStatus: "Available"  # see the wiki\n', "")
    with pytest.raises(CliError, match=r"has no spec\.desiredStatus: add secret: \{revision: 7\}"):
        gitchange.revised(declared(tmp_path, text), 7)


def test_what_is_not_a_file_is_skipped(tmp_path: Path) -> None:
    """A FIFO would block until somebody writes to it."""
    os.mkfifo(tmp_path / "client.yaml")
    assert gitchange.find(tmp_path, "team-a", "billing-1.0") == []
