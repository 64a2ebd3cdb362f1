"""Whether what documentation names is there: dotted names in the code, found without importing anything."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = "apiclients"
SOURCE = Path("operator")


@cache
def definitions(root: Path) -> dict[str, str]:
    """The file of each module, class, function, method and constant of the package, by dotted name."""
    found: dict[str, str] = {}
    for path in sorted((root / SOURCE / PACKAGE).rglob("*.py")):
        relative = path.relative_to(root / SOURCE)
        parts = relative.with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        names = _names(ast.parse(path.read_text(encoding="utf-8")).body, module)
        found |= dict.fromkeys([module, *names], (SOURCE / relative).as_posix())
    return found


def find(name: str, root: Path) -> str | None:
    """The file, relative to the root, of a dotted name or of a path in the repository; None if it is not there."""
    if "/" in name:
        return name if (root / name).exists() else None
    return definitions(root).get(name)


def namesakes(name: str, root: Path) -> list[str]:
    """Where else something of this name is: most likely it has moved."""
    parts = name.split(".")
    last_two, last = f".{'.'.join(parts[-2:])}", f".{parts[-1]}"
    known = definitions(root)
    return [one for one in known if one.endswith(last_two)] or [one for one in known if one.endswith(last)]


def _names(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield f"{prefix}.{name}"
            case ast.ClassDef(name=name):
                yield f"{prefix}.{name}"
                yield from _names(node.body, f"{prefix}.{name}")
            case ast.Assign(targets=targets):
                yield from (f"{prefix}.{target.id}" for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield f"{prefix}.{name}"
