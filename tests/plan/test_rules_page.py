"""``docs/plan-rules.md``: it says what the rules say, and every example in it is found by its rule."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from apiclients.cli.rules_docs import main, render
from apiclients.plan.core import plan
from apiclients.plan.manifests import SourceFile, Tree, read_all
from apiclients.resources.plan_rules import ALL, TOO_MANY, PlanRule
from tests.plan.support import NOW, live_of

PAGE = Path(__file__).parents[2] / "docs" / "plan-rules.md"
_BLOCK = re.compile(r"```yaml\n# ([^\n]+)\n(.*?)```", re.DOTALL)
Objects = dict[tuple[str, str, str], dict[str, Any]]


def parts() -> dict[str, str]:
    """The text before the sections, by "", and each section by its rule."""
    head, *sections = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    return {"": head} | {section[:7]: section for section in sections}


def objects(text: str) -> Objects:
    """The objects of a block; none where it cannot be read."""
    try:
        found = [obj for obj in yaml.safe_load_all(text) if obj]
    except yaml.YAMLError:
        return {}
    return {
        (o["kind"], o["metadata"].get("namespace", "default"), o["metadata"]["name"]): o for o in found if "kind" in o
    }


def found_by_the_example(section: str) -> set[str]:
    """The rules that find something in the example of a section, old findings included."""
    blocks = {label.partition(":")[0].partition(",")[0]: text for label, text in _BLOCK.findall(section)}
    labels = [label for label, _ in _BLOCK.findall(section)]
    cluster = objects(_BLOCK.findall(parts()[""])[0][1])
    main_, branch = objects(blocks.get("main", "")), blocks["branch"]
    kept = {} if "branch, all of it" in labels else {n: o for n, o in main_.items() if n not in objects(branch)}
    name = next((label.partition(": ")[2] for label in labels if label.startswith("branch: ")), "branch.yaml")
    base = Tree("main", (SourceFile("main.yaml", yaml.safe_dump_all(main_.values())),))
    head = Tree("branch", (SourceFile("main.yaml", yaml.safe_dump_all(kept.values())), SourceFile(name, branch)))
    live = live_of(*(cluster | main_ | objects(blocks.get("cluster", ""))).values())
    before, after = read_all([base, head])
    return {finding.rule for finding in plan(before, after, live, NOW).findings}


@pytest.mark.parametrize("rule", [rule for rule in ALL if rule is not TOO_MANY], ids=lambda rule: rule.id)
def test_the_example_of_a_rule_is_found(rule: PlanRule) -> None:
    assert rule.id in found_by_the_example(parts()[rule.id])


def test_the_page_is_what_the_rules_say(tmp_path: Path) -> None:
    assert render(PAGE.read_text()) == PAGE.read_text(), "make generate"
    copy = tmp_path / "page.md"
    copy.write_text(PAGE.read_text().replace(ALL[0].summary, "All is well."))
    assert main([str(copy), "--check"]) == 1
    assert main([str(copy)]) == 0
    assert copy.read_text() == PAGE.read_text()


def test_every_rule_has_a_section_with_a_reason() -> None:
    assert list(parts()) == ["", *(rule.id for rule in ALL)]
    for rule in ALL:
        assert f"(#{rule.anchor})" in parts()[""]
        assert len(parts()[rule.id].split("\n\n")) >= 4 - (rule is TOO_MANY), rule.id


def test_a_new_rule_gets_a_section_to_fill() -> None:
    without = re.sub(r"^## APIC024.*?(?=^## )", "", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert "## APIC024 too-many-contracts\n\n**Error:**" in render(without)
