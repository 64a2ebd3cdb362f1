"""Keeps ``docs/plan-rules.md`` what ``resources/plan_rules.py`` says: the table, and the edges of each section.

``python -m apiclients.cli.rules_docs docs/plan-rules.md`` writes the file; ``--check`` only compares. What lies
between, why a rule matters and an example, is written by people and kept.
"""

import argparse
import re
import sys
from pathlib import Path
from textwrap import fill

from apiclients.resources.plan_rules import ALL, PlanRule

_TABLE = re.compile(r"(?<=<!-- table: made by make generate -->\n).*?(?=<!-- end of the table -->)", re.DOTALL)
_SECTION = re.compile(r"^## (APIC\d{3})\b.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
_PROSE = re.compile(r"\A[^\n]*\n\n.*?\n\n(?P<prose>.*?)\n*\*\*What to do:\*\*", re.DOTALL)


def main(argv: list[str] | None = None) -> int:
    """Write or check the file."""
    parser = argparse.ArgumentParser(prog="python -m apiclients.cli.rules_docs", description=__doc__)
    parser.add_argument("file", type=Path, help="the file")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when the file is stale")
    args = parser.parse_args(argv)
    written = args.file.read_text(encoding="utf-8")
    text = render(written)
    if args.check:
        if text != written:
            print(f"{args.file} is not what the rules say: run `make generate`", file=sys.stderr)
        return int(text != written)
    args.file.write_text(text, encoding="utf-8")
    return 0


def render(page: str) -> str:
    """The page with what the rules say; sections in the order of the rules."""
    prose = {match[1]: _prose(match[0]) for match in _SECTION.finditer(page)}
    first = _SECTION.search(page)
    head = _TABLE.sub(lambda _: _table(), page[: first.start()] if first else page)
    return head.rstrip("\n") + "\n\n" + "\n".join(_section(rule, prose.get(rule.id, "")) for rule in ALL)


def _class(rule: PlanRule) -> str:
    return f"{rule.level}, invalid" if rule.invalid else str(rule.level)


def _table() -> str:
    rows = "".join(f"| [{rule.id}](#{rule.anchor}) | {_class(rule)} | {rule.name} | {rule.summary} |\n" for rule in ALL)
    return f"| id | level | name | finds |\n| --- | --- | --- | --- |\n{rows}"


def _section(rule: PlanRule, prose: str) -> str:
    parts = [
        f"## {rule.id} {rule.name}",
        fill(f"**{_class(rule).capitalize()}:** {rule.summary}", 120),
        prose,
        fill(f"**What to do:** {rule.help}", 120, break_on_hyphens=False),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _prose(section: str) -> str:
    found = _PROSE.match(section)
    return found["prose"].strip("\n") if found else ""


if __name__ == "__main__":
    sys.exit(main())
