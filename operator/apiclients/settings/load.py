"""Reads settings: command line first, then environment, then defaults. A bad value ends the program with one line."""

import argparse
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from apiclients import __version__
from apiclients.settings.common import CommonSettings, flag

logger = logging.getLogger(__name__)

Settings = TypeVar("Settings", bound=CommonSettings)

_LONGEST_QUOTE = 80
#: What Kubernetes adds to a pod's environment for each Service, unless enableServiceLinks is false.
_SERVICE_LINK = re.compile(r".*_SERVICE_HOST|.*_SERVICE_PORT(_.*)?|.*_PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?")
_SENTENCES = {
    "int_parsing": "is not a whole number",
    "float_parsing": "is not a number",
    "finite_number": "is not a finite number",
    "bool_parsing": "is neither true nor false",
    "enum": "is not one of {expected}",
    "greater_than_equal": "is too small: at least {ge}",
    "less_than_equal": "is too large: at most {le}",
    "string_too_short": "is too short: at least {min_length} characters",
    "string_too_long": "is too long: at most {max_length} characters",
    "string_pattern_mismatch": "is not a name as Kubernetes takes it: lower-case letters, digits, '-' and '.'",
    "value_error": "{error}",
}


class _Parser(argparse.ArgumentParser):
    """Takes every value as text: what it means is decided in one place for all sources, the model."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def load(model: type[Settings], arguments: Sequence[str] | None = None) -> Settings:
    """Read the settings of a program. Ends it with status 2 and one line on stderr if one of them is wrong."""
    parser = _parser(model)
    given = vars(parser.parse_args(arguments))
    try:
        return model(**given)
    except ValidationError as error:
        parser.error(_describe(model, error.errors()[0], given))


def warn_of_unknown_variables(model: type[CommonSettings]) -> None:
    """Tell in the log which variables look like settings of a program and are none, for they change nothing."""
    for name, meant in unknown_variables(model, os.environ):
        hint = f": is {meant} meant?" if meant else ""
        logger.warning("The variable %s is no setting of %s and has no effect%s", name, model.program, hint)


def unknown_variables(model: type[CommonSettings], environment: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """The variables with the prefix of a program that are none of its settings, and which one may be meant."""
    prefix = model.variable("")
    known = [name.upper() for name in model.model_fields]
    for name, value in sorted(environment.items()):
        ours, _, rest = name.upper().partition(prefix)
        link = _SERVICE_LINK.fullmatch(name.upper()) or value.startswith(("tcp://", "udp://", "sctp://"))
        if ours or not rest or rest in known or link:
            continue
        meant = get_close_matches(rest, known, n=1)
        yield name, prefix + meant[0] if meant else None


def choices(field: FieldInfo) -> tuple[str, ...]:
    """The values that an option may have; none if they are not listed."""
    kind = field.annotation
    return tuple(kind) if isinstance(kind, type) and issubclass(kind, StrEnum) else ()


def default(field: FieldInfo) -> str:
    """The default as a person writes it; empty where there is none, or where it is computed."""
    value = field.default
    if field.is_required() or field.default_factory is not None or value is None or value == () or value is False:
        return ""
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parser(model: type[CommonSettings]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=model.program,
        description=model.purpose,
        epilog="The command line goes before the environment, and that before the defaults. "
        "An empty variable counts as not set.",
        argument_default=argparse.SUPPRESS,
    )
    for name, field in model.model_fields.items():
        text = _help(model, name, field).replace("%", "%%")
        if field.annotation is bool:
            parser.add_argument(flag(name), action="store_true", help=text)
        else:
            listed = "{" + ",".join(choices(field)) + "}" if choices(field) else None
            parser.add_argument(flag(name), metavar=listed, help=text)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def _help(model: type[CommonSettings], name: str, field: FieldInfo) -> str:
    known = default(field)
    extra = " (required)" if field.is_required() else f" ({known})" if known else ""
    return f"{field.description}{extra} [{model.variable(name)}]"


def _describe(model: type[CommonSettings], error: ErrorDetails, given: dict[str, Any]) -> str:
    """One sentence: option or variable, what is wrong with it, an example."""
    name = str(error["loc"][0]) if error["loc"] else ""
    context = error.get("ctx", {})
    if name not in model.model_fields:
        return str(context.get("error", error["msg"]))
    field = model.model_fields[name]
    example = f"; use e.g. {field.examples[0]}" if field.examples else ""
    if error["type"] == "missing":
        return f"{model.option(name)} is required{example}"
    source = flag(name) if name in given else model.variable(name)
    sentence = _SENTENCES.get(error["type"], "{msg}").format(**{"msg": error["msg"], **context})
    return f"{source}: {_quote(given.get(name, _environment(model, name)))} {sentence}{example}"


def _environment(model: type[CommonSettings], name: str) -> str:
    wanted = model.variable(name)
    return next((value for key, value in os.environ.items() if key.upper() == wanted), "")


def _quote(value: object) -> str:
    """The value as one short line."""
    text = repr(value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}..."
