"""What does not fit together between rules, code and tests; each problem is one sentence that says what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.rulebook.citations import Citation
from tests.rulebook.marks import MarkedTest
from tests.rulebook.names import find, namesakes
from tests.rulebook.rules import Rule, Rulebook


def problems(book: Rulebook, tests: Iterable[MarkedTest], citations: Iterable[Citation], root: Path) -> Iterator[str]:
    """All of them, in the order of the rules, then of the files."""
    tests = tuple(tests)
    numbers = [rule.number for rule in book.rules]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"docs/rules.yaml: rules are numbered from 1 without a gap, in the order of the page, not {numbers}"
    tested = Counter(test.rule for test in tests)
    for rule in book.rules:
        yield from _of_rule(rule, tested[rule.number], root)
    known = set(numbers)
    for test in tests:
        if test.rule not in known:
            yield f"{test.file}: {test.name} is marked with rule {test.rule}, which is not in docs/rules.yaml"
    for citation in citations:
        if citation.rule not in known:
            yield f"{citation.file}:{citation.line}: cites rule {citation.rule}, which is not in docs/rules.yaml"


def _of_rule(rule: Rule, test_count: int, root: Path) -> Iterator[str]:
    here = f"docs/rules.yaml: rule {rule.number}"
    for name in rule.decided_by:
        if find(name, root) is None:
            others = namesakes(name, root)
            yield f"{here} names {name}, which is not there" + (f"; is it {' or '.join(others)}?" if others else "")
    if not rule.planned and not rule.decided_by:
        yield f"{here} names nothing that decides it: add it to decided_by, or say in planned what is missing"
    if not rule.planned and not test_count:
        yield f"{here} has no test: mark one with pytest.mark.rule({rule.number}), or say in planned what is missing"
