"""The demonstration as a page and as a picture: what it printed, without the addresses of the machine."""

import re
import subprocess
import sys
from itertools import takewhile

from demo.narrator import StoryError

_SECONDS = 600
_PAGE = """# What the demonstration shows

`make demo` printed this on two cores; it exits non-zero when anything is not as it says. `make pictures` writes this
page anew.

```
{printed}
```
"""
_ADDRESS = re.compile(r"https?://127\.0\.0\.1:\d+")
_CHAPTER = re.compile(r"(\d+)\. ")


def perform() -> str:
    """Run the demonstration; returns what it printed from the first chapter on. Raises StoryError if it failed."""
    command = (sys.executable, "-m", "demo")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode != 0:
        raise StoryError(f"the demonstration failed: {done.stderr.strip() or done.stdout[-1000:]}")
    return _ADDRESS.sub("$URL", done.stdout[done.stdout.index("\n1. ") :].strip())


def page(printed: str) -> str:
    """The page of it, in Markdown."""
    return _PAGE.format(printed=printed)


def beginning(printed: str, chapters: int) -> str:
    """The first chapters, coloured for a terminal."""
    lines = takewhile(lambda line: line[:1] != str(chapters + 1), printed.splitlines())
    return "\n".join(map(_coloured, lines)).rstrip()


def _coloured(line: str) -> str:
    if _CHAPTER.match(line):
        return f"\x1b[1m{line}\x1b[0m"
    if line.startswith("   ✓"):
        return line.replace("✓", "\x1b[32m✓\x1b[0m", 1)
    return f"\x1b[2m{line}\x1b[0m" if line.startswith("   (") else line
