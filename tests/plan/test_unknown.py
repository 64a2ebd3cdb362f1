"""What cannot be read is never planned as a deletion, and what the API server would refuse is never passed."""

from __future__ import annotations

import pytest

from apiclients.plan.core import plan
from apiclients.plan.manifests import SourceFile, Tree, read_all
from apiclients.plan.model import ChangeKind, Plan
from apiclients.plan.render import markdown, text
from tests.plan.folder import Folder
from tests.plan.support import NOW

CLIENT = """\
apiVersion: apiclients.dev/v1alpha1
kind: ApiClient
metadata:
  name: billing
  namespace: team-a
spec:
  desiredStatus: Available
"""
OTHER = CLIENT.replace("billing", "batch")

UNREADABLE = {
    "tab": CLIENT.replace("  name", "\tname"),
    "duplicate key": CLIENT + "spec:\n  desiredStatus: Suspended\n",
    "template": "{{- if .Values.on }}\n" + CLIENT + "{{- end }}\n",
    "cut short": CLIENT[: CLIENT.index("name: ")] + "[",
    "unknown kind": CLIENT.replace("ApiClient", "ApiClint"),
    "unknown version": CLIENT.replace("v1alpha1", "v1alpha7"),
    "unknown group": CLIENT.replace("apiclients.dev", "apiclient.dev"),
    "unknown group in a template": CLIENT.replace("apiclients.dev", "{{ .Values.group }}"),
    "no name": CLIENT.replace("  name: billing\n", ""),
}


def tree(label: str, **files: str) -> Tree:
    return Tree(label, tuple(SourceFile(f"{label}/{name}.yaml", content) for name, content in files.items()), label)


def planned(base: Tree, head: Tree) -> Plan:
    one, other = read_all([base, head])
    return plan(one, other, None, NOW)


@pytest.mark.parametrize("broken", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_file_is_no_deletion(broken: str) -> None:
    made = planned(tree("base", a=CLIENT), tree("head", a=broken))
    assert made.entries == ()
    assert "APIC027" in {finding.rule for finding in made.invalid}
    shown = text.render(made)
    assert "ApiClient team-a/billing: unknown: head/a.yaml:" in shown
    assert "Plan: No change is known. " in shown
    assert markdown.render(made).splitlines()[1].startswith("### ❌")


def test_an_object_that_moved_into_an_unreadable_file_is_unknown() -> None:
    made = planned(tree("base", a=CLIENT, b=OTHER), tree("head", b=f"{OTHER}---\n{CLIENT}\tx: 1\n"))
    assert made.entries == ()


def test_what_an_unreadable_file_cannot_declare_is_still_deleted() -> None:
    """Another file's mistake hides no deletion."""
    made = planned(tree("base", a=CLIENT, b=OTHER), tree("head", b=OTHER + "\tx: 1\n"))
    assert [(entry.object.name, entry.change) for entry in made.entries] == [("billing", ChangeKind.DELETE)]
    assert {finding.object.name for finding in made.findings if finding.rule == "APIC027" and finding.object} == {
        "batch"
    }


def test_a_file_that_was_unreadable_before_hides_no_deletion() -> None:
    template = UNREADABLE["template"].replace("billing", "{{ .Values.name }}")
    made = planned(tree("base", a=CLIENT, t=template), tree("head", t=template))
    assert [entry.change for entry in made.entries] == [ChangeKind.DELETE]


def test_a_base_that_cannot_be_read_is_told() -> None:
    made = planned(tree("base", a=UNREADABLE["tab"]), tree("head", a=CLIENT))
    assert [entry.change for entry in made.entries] == [ChangeKind.CREATE]
    assert any("Base cannot be read at base/a.yaml:" in notice for notice in made.notices)


def test_what_kustomize_leaves_out_is_not_applied() -> None:
    local = CLIENT.replace("metadata:\n", 'metadata:\n  annotations: {config.kubernetes.io/local-config: "true"}\n')
    assert read_all([tree("head", a=local)])[0].objects == {}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_file_in_another_encoding_is_unreadable(encoding: str, empty: Folder) -> None:
    empty.write("base/a.yaml", CLIENT)
    empty.write("head/a.yaml", "")
    (empty.path / "head/a.yaml").write_bytes(CLIENT.encode(encoding))
    done = empty.plan("--base", "base", "--head", "head", "--fail-on", "invalid")
    assert done.returncode == 3
    assert "not UTF-8 but UTF-" in done.stdout
    assert "IRREVERSIBLE" not in done.stdout


def test_a_byte_order_mark_of_utf_8_is_passed_over(empty: Folder) -> None:
    empty.write("base/a.yaml", CLIENT)
    empty.write("head/a.yaml", "\ufeff" + CLIENT)
    assert "Nothing changes." in empty.plan("--base", "base", "--head", "head", "--fail-on", "invalid").stdout


def test_a_typo_does_not_pass(empty: Folder) -> None:
    empty.write("base/a.yaml", CLIENT)
    empty.write("head/a.yaml", CLIENT.replace("Available", "availabel"))
    sides = ("--base", "base", "--head", "head")
    done = empty.plan(*sides, "--fail-on", "invalid")
    assert done.returncode == 3
    assert "1 manifest is invalid: what it would change is not known." in done.stdout
    assert "fix: Fix the value" in done.stdout
    assert "docs/plan-rules.md#apic005-invalid-field" in done.stdout
    assert empty.plan(*sides, "--fail-on", "irreversible").returncode == 0
    assert empty.plan(*sides, "--detailed-exitcode").returncode == 2, "that nothing changes is not known"


def test_what_base_has_too_is_still_invalid(empty: Folder) -> None:
    """Whoever applies head is refused, whoever wrote the mistake."""
    empty.write("base/a.yaml", CLIENT.replace("Available", "availabel"))
    done = empty.plan("--base", "base", "--head", "base", "--fail-on", "invalid")
    assert done.returncode == 3
    assert "'availabel' is not one of" in done.stdout
