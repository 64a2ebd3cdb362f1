"""What is printed as YAML is read back as it was meant: by the real kubectl, whose reader the API server shares."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apiclients.plan.yaml_marks import parse
from apiclients.resources.yaml_text import dump, flow_list, scalar
from cluster.kubeconfig import find_kubectl

#: Names and versions that people give, and that YAML takes for something else.
TRICKY = [
    "6063e25", "7063e26", "3.0", "1e3", "1E5", "+1", "-5", "010", "0o10", "0x1f", "0b11", "1_000", "1_000.5", "0",
    "-0", ".5", "5.", "1.", ".inf", "-.Inf", ".nan", ".NaN", "inf", "NaN", "y", "Y", "n", "yes", "No", "on", "OFF",
    "true", "False", "TRUE", "~", "null", "Null", "", " ", "12:30:00", "1:30", "190:20:30", "2026-01-01",
    "2026-01-01T00:00:00Z", "2026-01-01 10:00:00", "<<", "=", "-", "--", "---", "...", "- a", "? a", ": a", "a: b",
    "a #b", "#a", "!a", "!!int 1", "&a", "*a", "%a", "@a", "`a", "|", ">", "'", "\"", "a'b", "a\"b", '\\', "a\\n",
    "{", "}", "[", "]", "a, b", "a]", "{a: 1}", "a\nb", "a\n", "\na", "a\n\n", "  a\n b", "a\n\n  b\n", "a\tb",
    "\ta", "a\r\nb", "a ", " a", "\x07", "\x7f", "\x85", "\xa0", "\u2028", "\ufeff", "é", "日本", "😀", "a😀", "0x",
    "1__0", "0.1.2", "v1", "1.2.3", "e5", "1e", "1e+5", "_1", "0_", "685_230.15", "0x_0A", "+.inf",
    "999999999999999999999999999999", "1 word word word word word",
]  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(TRICKY),
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.text(st.sampled_from("0123456789eE_+-.:xobinfytruNa~ ,[]{}#'\"\n"), max_size=8),
    st.from_regex(r"[0-9a-z][0-9a-z.-]{0,8}", fullmatch=True),
)


def read_by_kubectl(text: str) -> Any:
    """The document as kubectl reads it, without a server."""
    command = [str(find_kubectl()), "patch", "--local", "-f", "-", "--type=merge", "-p", "{}", "-o", "json"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, (done.stderr, text)
    return json.loads(done.stdout)


def manifest(spec: str) -> str:
    """A manifest with this spec, each line of it indented."""
    lines = "".join(f"  {line}\n" for line in spec.split("\n"))
    return f"apiVersion: apiclients.dev/v1alpha1\nkind: ApiClient\nmetadata: {{name: a, namespace: b}}\nspec:\n{lines}"


def written(texts: list[str]) -> dict[str, str]:
    """Texts in every way in which they are printed, and as YAML."""
    return {
        "scalars": "".join(f"\n    - {scalar(text)}" for text in texts) or " []",
        "flow": f" {flow_list(texts)}",
        "nested": f" {{list: {flow_list(texts)}, map: {{a: {scalar(texts[0])}}}}}",
    }


def document(texts: list[str]) -> str:
    """A document that the writer makes as a whole."""
    body = {"list": texts, "map": {text: text for text in texts}, "mixed": [1, 1.5, True, None, {"a": [texts]}]}
    return dump({"apiVersion": "v1", "kind": "X", "metadata": {"name": "a"}, "spec": body})


def expected(texts: list[str]) -> dict[str, Any]:
    return {"scalars": texts, "flow": texts, "nested": {"list": texts, "map": {"a": texts[0]}}}


def body(texts: list[str]) -> dict[str, Any]:
    return {"list": texts, "map": {text: text for text in texts}, "mixed": [1, 1.5, True, None, {"a": [texts]}]}


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(TEXTS, min_size=60, max_size=200))
def test_kubectl_reads_what_was_meant(texts: list[str]) -> None:
    by_hand = manifest("\n".join(f"{key}:{value}" for key, value in written(texts).items()))
    assert read_by_kubectl(by_hand)["spec"] == expected(texts)
    assert read_by_kubectl(document(texts))["spec"] == body(texts)


def test_kubectl_reads_every_tricky_text() -> None:
    by_hand = manifest("\n".join(f"{key}:{value}" for key, value in written(TRICKY).items()))
    assert read_by_kubectl(by_hand)["spec"] == expected(TRICKY)
    assert read_by_kubectl(document(TRICKY))["spec"] == body(TRICKY)


@given(TEXTS)
def test_the_plan_reads_what_was_meant(text: str) -> None:
    for line in (f"a: {scalar(text)}\n", f"a: {flow_list([text])}\n", dump({"a": text})):
        marked = parse(line)
        assert marked is not None
        assert marked.value in ({"a": text}, {"a": [text]})


#: Nothing that another syntax begins with; and no infinite number, which JSON does not have.
PLAIN = [text for text in TRICKY if re.fullmatch(r"[\w.+~][\w.+~-]*|-[\w.]+", text, re.ASCII)]


def test_plain_scalars_are_the_same_to_the_plan() -> None:
    texts = [text for text in PLAIN if text.lower().lstrip("+-") not in (".inf", ".nan", "...")]
    document = manifest("list:" + "".join(f"\n    - {text}" for text in texts))
    marked = parse(document)
    assert marked is not None
    ours, theirs = marked.value["spec"]["list"], read_by_kubectl(document)["spec"]["list"]
    assert len(texts) > 40
    pairs = zip(texts, ours, theirs, strict=True)
    assert [(t, a, b) for t, a, b in pairs if a != b or isinstance(a, str) != isinstance(b, str)] == []


@pytest.mark.parametrize(
    ("text", "plain"),
    [("billing-1.0", True), ("a/b", True), ("e5", True), ("6063e25", False), ("3.0", False), ("on", False)],
)
def test_only_what_needs_quotes_has_them(text: str, plain: bool) -> None:
    assert (scalar(text) == text) is plain
    assert (dump({"a": text}) == f"a: {text}\n") is plain
