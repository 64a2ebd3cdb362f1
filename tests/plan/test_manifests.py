"""Manifests as Kubernetes reads them, and everything that can be wrong with their form."""

from __future__ import annotations

import pytest

from apiclients.plan.core import plan
from apiclients.plan.manifests import SourceFile, Tree, read_all
from apiclients.plan.model import Finding
from apiclients.plan.schema_check import KINDS_BY_NAME
from apiclients.plan.yaml_marks import YamlError, documents, parse
from apiclients.resources.apiclient import PRIVATE_MEMBER_PATTERN
from tests.plan.support import NOW, JsonObject, api, approval, client, contract, hold, read, tree

CLIENT = """\
apiVersion: apiclients.dev/v1alpha1
kind: ApiClient
metadata:
  name: billing
  namespace: team-a
spec:
  desiredStatus: Available
"""


def findings(text: str, path: str = "clients/a.yaml") -> list[Finding]:
    return list(read_all([Tree("head", (SourceFile(path, text),))])[0].findings)


def told(*objects: JsonObject) -> dict[str, str]:
    """Rules and messages of head, verdicts of the operator included."""
    head = read(tree("head", *objects))[0]
    return {f.rule: f.message for f in plan(read(tree("base"))[0], head, None, NOW).findings}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), ("1:30", "1:30"), ("yes", True), ("y", True), ("off", False),
        ("010", 8), ("0o10", 8), ("0x1F", 31), ("1_000", 1000), ("1e3", 1000.0), ("~", None), ("", None), ("1.0", 1.0),
        ("'1'", "1"), ("-5", -5), ("v1", "v1"),
    ],
)  # fmt: skip
def test_scalars_are_what_kubernetes_makes_of_them(text: str, value: object) -> None:
    marked = parse(f"a: {text}\n")
    assert marked is not None
    assert marked.value == {"a": value}
    assert type(marked.value["a"]) is type(value)


def test_lines_are_those_of_the_file() -> None:
    text = f"# a comment\n---\nkind: Other\n---\n\n{CLIENT}  tokens:\n    lifetime: 3d\n"
    (finding,) = findings(text)
    assert str(finding.location) == f"clients/a.yaml:{text[: text.index('    lifetime')].count(chr(10)) + 1}"


def test_documents_keep_their_lines() -> None:
    text = "a: 1\n---\nb: |\n  ---\n  text\n--- # comment\nc: 1\n"
    found = [(d.offset, parse(d.text)) for d in documents(text)]
    assert [(offset, marked.value if marked else None) for offset, marked in found] == [
        (0, {"a": 1}), (1, {"b": "---\ntext\n"}), (5, {"c": 1}),
    ]  # fmt: skip


def test_anchors_and_merge_keys_work() -> None:
    marked = parse("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}\n")
    assert marked is not None
    assert marked.value["d"] == {"b": 1, "c": 3}


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "a: 1\na: 2",
        "? [a]\n: 1",
        "a: &a [1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" + "\n".join(
            f"{n}: &{n} [{','.join('*' + m for _ in range(9))}]" for m, n in zip("bcdefghi", "cdefghij", strict=True)
        ),
        "a: " + "[" * 500 + "]" * 500,
        "a: \x00",
        "<<: 1",
        "a: *nothing",
        'a: "\\ud800"',
    ],
)  # fmt: skip
def test_bad_yaml_is_an_error_with_a_line(text: str) -> None:
    with pytest.raises(YamlError) as caught:
        parse(text)
    assert caught.value.line >= 1


def test_bad_yaml_is_a_finding_and_the_rest_is_read() -> None:
    text = f"{CLIENT}---\napiVersion: apiclients.dev/v1alpha1\nkind: [\n"
    head = read_all([Tree("head", (SourceFile("a.yaml", text),))])[0]
    assert [f.rule for f in head.findings] == ["APIC004"]
    assert len(head.objects) == 1


def test_other_kinds_and_their_mistakes_are_passed_over() -> None:
    assert findings("kind: Deployment\nspec: [\n---\n{{ template }}\n") == []


def test_lists_are_looked_into() -> None:
    item = "apiVersion: apiclients.dev/v1alpha1, kind: ApiClient, metadata: {name: a, namespace: b}"
    text = f"apiVersion: v1\nkind: List\nitems:\n- {{{item},\n   spec: {{desiredStatus: Nope}}}}\n"
    (finding,) = findings(text)
    assert (finding.rule, str(finding.location)) == ("APIC005", "clients/a.yaml:5")


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("APIC003", {"metadata": {"annotations": {}}}),
        ("APIC005", {"spec": {"tokens": {"lifetime": "3d"}}}),
        ("APIC005", {"spec": {"tokens": {"lifetime": "96h"}}}),
        ("APIC005", {"spec": {"version": 1.0}}),
        ("APIC005", {"spec": {"secret": {"revision": "1"}}}),
        ("APIC005", {"metadata": {"labels": {"version": 1}}}),
        ("APIC005", {"metadata": {"name": "Not_a_name"}}),
        ("APIC005", {"spec": {"retirement": {"acknowledgedContracts": ["a", "a"]}}}),
        ("APIC006", {"spec": {"desiredStatus": None}}),
        ("APIC007", {"spec": {"desiredState": "Available"}}),
        ("APIC008", {"spec": {"tokens": {"notBefore": "2036-01-01T00:00:00Z"}}}),
        ("APIC009", {"spec": {"secret": {"lifetime": "24h", "overlap": "24h"}}}),
        ("APIC010", {"spec": {"secret": {"lifetime": "24h", "renewBefore": "25h"}}}),
        ("APIC016", {"metadata": {"namespace": None}}),
        ("APIC018", {"status": {"observedStatus": "Available"}}),
        ("APIC019", {"apiVersion": "apiclients.dev/v1"}),
        ("APIC019", {"kind": "ApiClients"}),
    ],
)
def test_a_rule_finds_its_mistake(rule: str, change: JsonObject) -> None:
    obj = client()
    for key, value in change.items():
        obj[key] = (
            {k: v for k, v in ({**obj.get(key, {}), **value}).items() if v is not None}
            if isinstance(value, dict)
            else value
        )
    assert rule in told(obj)


@pytest.mark.parametrize(
    ("rule", "objects"),
    [
        ("APIC005", (hold(of=None),)),
        ("APIC011", (contract(),)),
        ("APIC011", (hold(),)),
        ("APIC011", (approval(),)),
        ("APIC012", (api(), client(), contract(under="platinum"))),
        ("APIC014", (api(), client(), contract("one"), contract("two"))),
        ("APIC017", (api(), client(), contract(), approval(under="manual"))),
    ],
)
def test_a_rule_finds_what_does_not_fit_together(rule: str, objects: tuple[JsonObject, ...]) -> None:
    assert rule in told(*objects)


def test_duplicates_are_told_with_both_places() -> None:
    files = (SourceFile("a.yaml", CLIENT), SourceFile("b.yaml", CLIENT))
    (finding,) = read_all([Tree("head", files)])[0].findings
    assert (finding.rule, str(finding.location)) == ("APIC002", "b.yaml:4")
    assert "a.yaml:4" in finding.message


def test_a_moved_file_is_no_change() -> None:
    base, head = read(tree("base", client(), path="old/a.yaml"), tree("head", client(), path="new/b.yaml"))
    assert plan(base, head, None, NOW).entries == ()


def test_a_kustomization_that_changes_names_is_told() -> None:
    (finding,) = findings("resources: [a.yaml]\nnamePrefix: prod-\n", "overlay/kustomization.yaml")
    assert finding.rule == "APIC020"
    assert findings("resources: [a.yaml]\n", "overlay/kustomization.yaml") == []


def test_an_object_that_the_api_server_refuses_changes_nothing() -> None:
    base, head = read(tree("base", client()), tree("head", client(status="Suspendet")))
    made = plan(base, head, None, NOW)
    assert made.entries == ()
    assert {f.rule for f in made.findings} == {"APIC005"}


def test_findings_that_base_has_too_are_not_new() -> None:
    bad = client()
    bad["metadata"]["annotations"] = {}
    base, head = read(tree("base", bad), tree("head", bad, client("new")))
    made = plan(base, head, None, NOW)
    assert [f.rule for f in made.findings if not f.new] == ["APIC003"]
    assert made.new_findings == ()


def test_a_default_namespace_is_used() -> None:
    text = CLIENT.replace("  namespace: team-a\n", "")
    (head,) = read_all([Tree("head", (SourceFile("a.yaml", text),))], "team-x")
    assert [name.namespace for name in head.objects] == ["team-x"]
    assert head.findings == ()


def test_the_rules_in_cel_are_known() -> None:
    """Schemas are read from the models; a CEL rule beside them has to be written here too."""
    known = {name: [rule.expression for rule in kind.rules] for name, kind in KINDS_BY_NAME.items() if kind.rules}
    (rule,) = known.pop("ApiClientHold")
    identities, jwks = known.pop("ApiClient")
    assert f"!variables.spec.keys.jwks.matches(r'{PRIVATE_MEMBER_PATTERN}')" in jwks
    assert "has(item.subject) != has(item.serviceAccountName)" in identities
    source, issuer = known.pop("TokenIssuer")
    assert all(
        f"has(variables.spec.keys.{one})" in source for one in ("discoveryURL", "jwksURL", "configMap", "cluster")
    )
    assert issuer == "(has(variables.spec.issuer) || has(variables.spec.keys.cluster))"
    assert known == {}
    ways = "[has(self.clientName), has(self.selector), has(self.allClients) && self.allClients]"
    assert rule.replace("variables.spec", "self") == f"{ways}.filter(given, given).size() == 1"
