"""Writes ``docs/settings.md``: the options of both programs as the models declare them.

``python -m apiclients.settings.docs docs/settings.md`` writes the file; ``--check`` only compares.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from apiclients.settings.common import CommonSettings, flag
from apiclients.settings.gate import GateSettings
from apiclients.settings.load import choices, default
from apiclients.settings.operator import OperatorSettings

_HEAD = """\
# Settings

Made by `make generate` from `operator/apiclients/settings`.

An option is taken from the command line, else from its environment variable, else it has its default. An empty variable
counts as not set. A switch takes no value on the command line; its variable is `true` or `false`. Choices are checked
alike wherever they come from; log formats and levels may be written in any case.

A variable that begins like these and is none of them is told in the log when the program starts. Neither program needs
a home directory, or a user that `/etc/passwd` knows.

A bad value ends the program with status 2 and one line that names the option or the variable:

```
apiclient-operator: error: APICLIENT_OPERATOR_SIGNING_KEY_DAYS: '0' is too small: at least 1; use e.g. 90
```
"""


def render() -> str:
    """The page."""
    return "\n".join([_HEAD, *(_section(model) for model in (OperatorSettings, GateSettings))])


def main(argv: list[str] | None = None) -> int:
    """Write or check the file."""
    parser = argparse.ArgumentParser(prog="python -m apiclients.settings.docs", description=__doc__)
    parser.add_argument("file", type=Path, help="the file")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when the file is stale")
    args = parser.parse_args(argv)
    if not args.check:
        args.file.write_text(render(), encoding="utf-8")
    elif not args.file.is_file() or args.file.read_text(encoding="utf-8") != render():
        print(f"{args.file} is not what the settings say: run `make generate`", file=sys.stderr)
        return 1
    return 0


def _section(model: type[CommonSettings]) -> str:
    rows = "".join(
        f"| `{flag(name)}` | `{model.variable(name)}` | {_default(field)} | {_values(field)} | {field.description} |\n"
        for name, field in model.model_fields.items()
    )
    return (
        f"## {model.program}\n\n{model.purpose}\n\n"
        f"| option | variable | default | values | meaning |\n| --- | --- | --- | --- | --- |\n{rows}"
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return f"`{default(field)}`" if default(field) else ""


def _values(field: FieldInfo) -> str:
    if field.annotation is bool:
        return "switch"
    if choices(field):
        return ", ".join(f"`{choice}`" for choice in choices(field))
    return " to ".join(_limits(field))


def _limits(field: FieldInfo) -> Iterator[str]:
    """The least and the greatest number."""
    for limit in ("ge", "le"):
        for mark in field.metadata:
            value: Any = getattr(mark, limit, None)
            if value is not None:
                yield f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
