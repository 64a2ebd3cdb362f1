"""``python -m tests.rulebook docs/rules.md`` writes the page of the rules; ``--check`` only compares."""

import argparse
import sys
from pathlib import Path

from tests.rulebook.citations import citations
from tests.rulebook.marks import marked_tests
from tests.rulebook.page import render
from tests.rulebook.problems import problems
from tests.rulebook.rules import ROOT, load


def main(argv: list[str] | None = None) -> int:
    """Exits with 1 when rules, code and tests do not fit together, or the page is stale."""
    parser = argparse.ArgumentParser(prog="python -m tests.rulebook", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when the file is stale")
    args = parser.parse_args(argv)
    book, tests = load(), marked_tests(ROOT)
    found = list(problems(book, tests, citations(ROOT), ROOT))
    if found:
        print("\n".join(found), file=sys.stderr)
        return 1
    page = render(book, tests, ROOT)
    if not args.check:
        args.file.write_text(page, encoding="utf-8")
    elif not args.file.is_file() or args.file.read_text(encoding="utf-8") != page:
        print(f"{args.file} is not what rules and tests say: run `make generate`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
