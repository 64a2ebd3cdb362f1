"""Writes ``docs/cli.md`` from the parsers of the commands.

``python -m apiclients.cli.docs docs/cli.md`` writes the file; with ``--check`` it only compares and exits 1 when the
file is not what the commands say. The text does not depend on the version of Python, as argparse's own does.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

from apiclients.cli import options
from apiclients.cli.main import COMMANDS, PROGRAM, build_parser

_INTRODUCTION = """\
<!-- Generated from the commands by: python -m apiclients.cli.docs docs/cli.md -->
# kubectl apiclient

Manage the life cycles of API clients from the command line. The plugin needs a kubeconfig and nothing else; it
reads no Secrets. It is on the `PATH` as `kubectl-apiclient` once the distribution is installed, and
`kubectl_complete-apiclient` beside it completes commands, options and names.

- Only data goes to standard output. Errors are sentences on standard error that say what to do.
- Exit status: 0, 1 for an error (for `doctor`: something is wrong), 2 for a wrong command line, 130 when interrupted.
  `plan` has more, see there.
- Whatever changes something takes `--dry-run=client|server`, and writes with the field manager `apiclient-cli`.
- Colour is used on a terminal only, and not where `NO_COLOR` is set; `--color always|never` decides. `COLUMNS` sets the
  width of screens.
- Times are by the API server's clock where this machine's is wrong.
"""


def main(argv: list[str] | None = None) -> int:
    """Write or check the file."""
    parser = argparse.ArgumentParser(prog="python -m apiclients.cli.docs", description=__doc__)
    parser.add_argument("file", type=Path, help="the file")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when the file is stale")
    args = parser.parse_args(argv)
    text = render()
    if args.check:
        stale = not args.file.is_file() or args.file.read_text() != text
        if stale:
            print(f"{args.file} is not what the commands say: run `make generate`", file=sys.stderr)
        return int(stale)
    args.file.write_text(text)
    return 0


def render() -> str:
    """The whole document."""
    contents = "\n".join(f"- [`{name}`](#{name}): {text}" for name, text in COMMANDS.items())
    shared = ["Every command also takes:", "", *_table(options.common()._actions)]
    return "\n".join([_INTRODUCTION, contents, "", *shared, "", *(_section(name) for name in COMMANDS)])


def _section(name: str) -> str:
    parser = subparser(name)
    shared = options.common()._option_string_actions
    places = [action for action in parser._actions if not action.option_strings]
    known = [action for action in parser._actions if action.dest != "help" and action not in places]
    own = [action for action in known if not any(text in shared for text in action.option_strings)]
    usage = " ".join([PROGRAM, name, "[options]", *(_place(action) for action in places)])
    lines = [f"## {name}", "", f"`{usage}`", "", fill(_text(parser.description or ""), 120), ""]
    lines += _table([*places, *own])
    if parser.epilog:
        lines += ["", "```text", parser.epilog.strip(), "```"]
    return "\n".join([*lines, ""])


def _table(actions: Sequence[argparse.Action]) -> list[str]:
    rows = [(_option(one) if one.option_strings else f"`{_place(one)}`", _help(one)) for one in actions]
    rows = [(name, text) for name, text in rows if text != argparse.SUPPRESS]
    return ["| option | meaning |", "| --- | --- |", *(f"| {name} | {text} |" for name, text in rows)] if rows else []


def subparser(name: str) -> argparse.ArgumentParser:
    """The parser of one command."""
    parser = build_parser(name)
    action = next(one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    found: argparse.ArgumentParser = action.choices[name]
    return found


def _place(action: argparse.Action) -> str:
    name = str(action.metavar or action.dest)
    return {"*": f"[{name} ...]", "+": f"{name} ...", "?": f"[{name}]"}.get(str(action.nargs), name)


def _option(action: argparse.Action) -> str:
    value = ""
    if action.choices is not None:
        value = " " + "\\|".join(str(choice) for choice in action.choices)
    elif action.nargs != 0:
        value = f" {action.metavar or action.dest.upper()}".replace("|", "\\|")
    names = ", ".join(f"`{text}`" for text in action.option_strings)
    return names + (f" `{value.strip()}`" if value else "")


def _help(action: argparse.Action) -> str:
    text = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")
    return _text(text).replace("|", "\\|") + (" (required)" if action.required and action.option_strings else "")


def _text(text: str) -> str:
    return " ".join(text.split()).replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    sys.exit(main())
