"""Which tests check which rule: every ``pytest.mark.rule(...)`` below ``tests``, found without importing anything."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_MARK = "pytest.mark.rule"
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class MarkedTest:
    """A test function and one rule that it checks."""

    rule: int
    #: Relative to the root of the repository.
    file: str
    name: str


def marked_tests(root: Path) -> tuple[MarkedTest, ...]:
    """All marked tests of a repository, by file and in the order in which they stand there, once for each rule."""
    files = sorted((root / "tests").rglob("test_*.py"))
    return tuple(test for file in files for test in _in_module(file, file.relative_to(root).as_posix()))


def _in_module(path: Path, file: str) -> Iterator[MarkedTest]:
    module = ast.parse(path.read_text(encoding="utf-8"), filename=file)
    yield from _in_body(module.body, _marks_of_body(module.body), file)


def _in_body(body: Sequence[ast.stmt], inherited: tuple[int, ...], file: str) -> Iterator[MarkedTest]:
    for node in body:
        if isinstance(node, ast.Assign):
            yield from _in_assignment(node, file)
        if not isinstance(node, _Definition):
            continue
        numbers = (*inherited, *(number for mark in node.decorator_list for number in _numbers(mark)))
        if isinstance(node, ast.ClassDef):
            yield from _in_body(node.body, numbers + _marks_of_body(node.body), file)
        elif node.name.startswith("test_"):
            yield from (MarkedTest(number, file, node.name) for number in dict.fromkeys(numbers))


def _in_assignment(node: ast.Assign, file: str) -> Iterator[MarkedTest]:
    """``TestAll = pytest.mark.rule(1)(Machine.TestCase)``, as a state machine of Hypothesis is marked."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=mark)) if name.startswith("Test"):
            yield from (MarkedTest(number, file, name) for number in _numbers(mark))


def _marks_of_body(body: Sequence[ast.stmt]) -> tuple[int, ...]:
    """The numbers of ``pytestmark``, which holds for everything in a module or class."""
    values = [
        node.value
        for node in body
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == "pytestmark" for target in node.targets)
    ]
    return tuple(number for value in values for part in ast.walk(value) for number in _numbers(part))


def _numbers(node: ast.AST) -> tuple[int, ...]:
    """The numbers of ``pytest.mark.rule(1, 2)``; none for another expression. Raises ValueError for no literals."""
    if not isinstance(node, ast.Call) or ast.unparse(node.func) != _MARK:
        return ()
    return tuple(ast.literal_eval(argument) for argument in node.args)
