"""The page of the rules: it is what code and tests say, and whatever does not fit together is reported."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.rulebook.__main__ import main
from tests.rulebook.citations import Citation, citations, citations_in
from tests.rulebook.marks import MarkedTest, marked_tests
from tests.rulebook.names import find
from tests.rulebook.page import render
from tests.rulebook.problems import problems
from tests.rulebook.rules import ROOT, Group, Rule, Rulebook, load

PAGE = ROOT / "docs" / "rules.md"
DECIDE = "apiclients.lifecycle.client.decide"
TEST = MarkedTest(1, "tests/test_one.py", "test_one")


def rule(number: int = 1, decided_by: Iterable[str] = (DECIDE,), planned: str = "") -> Rule:
    return Rule(number=number, title="One", text="It is so.", decided_by=tuple(decided_by), planned=planned)


def found(*rules: Rule, tests: Iterable[MarkedTest] = (TEST,), cited: Iterable[Citation] = ()) -> list[str]:
    return list(problems(Rulebook(groups=(Group(name="All", rules=rules),)), tests, cited, ROOT))


def test_rules_code_and_tests_fit_together() -> None:
    assert list(problems(load(), marked_tests(ROOT), citations(ROOT), ROOT)) == []


def test_the_page_is_what_rules_and_tests_say(tmp_path: Path) -> None:
    assert render(load(), marked_tests(ROOT), ROOT) == PAGE.read_text(), "make generate"
    copy = tmp_path / "rules.md"
    assert main([str(copy), "--check"]) == 1
    copy.write_text(PAGE.read_text().replace("Rotation", "Motion"))
    assert main([str(copy), "--check"]) == 1
    assert main([str(copy)]) == 0
    assert main([str(copy), "--check"]) == 0
    assert copy.read_text() == PAGE.read_text()


def test_a_rule_with_code_and_a_test_is_in_order() -> None:
    assert found(rule()) == []


def test_a_rule_without_code_is_reported() -> None:
    [problem] = found(rule(decided_by=[]))
    assert "rule 1 names nothing that decides it" in problem


def test_a_rule_without_a_test_is_reported() -> None:
    [problem] = found(rule(), tests=[])
    assert "rule 1 has no test: mark one with pytest.mark.rule(1)" in problem


def test_a_planned_rule_may_have_neither() -> None:
    assert found(rule(decided_by=[], planned="all of it"), tests=[]) == []


def test_a_function_that_has_moved_is_reported_with_where_it_is_now() -> None:
    [problem] = found(rule(decided_by=["apiclients.gate.token_denial"]))
    assert problem.endswith("is not there; is it apiclients.lifecycle.access.token_denial?")


def test_a_function_that_is_gone_is_reported_also_of_a_planned_rule() -> None:
    [problem] = found(rule(decided_by=["apiclients.lifecycle.access.no_such_thing"], planned="half of it"))
    assert problem.endswith("is not there")


def test_a_manifest_that_is_gone_is_reported() -> None:
    [problem] = found(rule(decided_by=["manifests/control/no-such-file.yaml"]))
    assert problem.endswith("is not there")


def test_a_mark_of_no_rule_is_reported() -> None:
    [problem] = found(rule(), tests=[TEST, MarkedTest(99, "tests/test_two.py", "test_two")])
    assert problem.startswith("tests/test_two.py: test_two is marked with rule ")


def test_a_citation_of_no_rule_is_reported() -> None:
    [problem] = found(rule(), cited=[Citation(1, "docs/gate.md", 3), Citation(34, "docs/gate.md", 4)])
    assert problem.startswith("docs/gate.md:4: cites rule ")


def test_a_number_that_is_missing_is_reported() -> None:
    [problem] = found(rule(1), rule(3), tests=[TEST, MarkedTest(3, "tests/test_two.py", "test_two")])
    assert "without a gap" in problem


def test_functions_methods_constants_and_manifests_are_found() -> None:
    assert find(DECIDE, ROOT) == "operator/apiclients/lifecycle/client.py"
    assert find("apiclients.lifecycle.effective.ACCEPTS_TOKENS", ROOT) == "operator/apiclients/lifecycle/effective.py"
    assert (
        find("apiclients.lifecycle.secrets.SecretSituation.conflict", ROOT)
        == "operator/apiclients/lifecycle/secrets.py"
    )
    assert find("apiclients.lifecycle", ROOT) == "operator/apiclients/lifecycle/__init__.py"
    assert find("manifests/control", ROOT) == "manifests/control"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("as rule 9 says", [9]),
        ("Rules 1, 2, 10 and 16.", [1, 2, 10, 16]),
        ("(DESIGN rules 8 to 10; rule 33)", [8, 10, 33]),
        ("# rules 8,\n# and 9", [8, 9]),
        ("20 rules, 3 of them about gates; rule APIC001", []),
    ],
)
def test_citations_are_read(text: str, numbers: list[int]) -> None:
    assert [citation.rule for citation in citations_in(text, "file")] == numbers


def test_a_citation_knows_its_line() -> None:
    assert list(citations_in("one\ntwo, by rule 7\n", "docs/a.md")) == [Citation(7, "docs/a.md", 2)]


MODULE = """
import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.rule(1)]

@pytest.mark.rule(2, 1)
async def test_function(): ...

def not_a_test(): ...

@pytest.mark.rule(3)
class TestThem:
    pytestmark = pytest.mark.rule(4)

    @pytest.mark.parametrize("case", [1])
    def test_method(self, case): ...

TestMachine = pytest.mark.rule(5)(Machine.TestCase)
"""


def test_marks_of_functions_classes_and_modules_are_found(tmp_path: Path) -> None:
    (tmp_path / "tests" / "gate").mkdir(parents=True)
    (tmp_path / "tests" / "gate" / "test_marks.py").write_text(MODULE)
    (tmp_path / "tests" / "support.py").write_text(MODULE)
    file = "tests/gate/test_marks.py"
    assert marked_tests(tmp_path) == (
        *(MarkedTest(number, file, "test_function") for number in (1, 2)),
        *(MarkedTest(number, file, "test_method") for number in (1, 3, 4)),
        MarkedTest(5, file, "TestMachine"),
    )
