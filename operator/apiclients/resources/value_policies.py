"""Generates the admission policies about values of specs in ``manifests/control/policies`` from the models.

A CRD refuses with 422, upon which Flux with ``force`` deletes the object and creates it again: a typo would end a
client. So the CRDs hold structure only, and what a person may get wrong in a value (a bound, a pattern, a length) is
refused by these, with 403 (DESIGN rule 27).

``python -m apiclients.resources.value_policies manifests/control/policies`` writes the files; with ``--check`` it only
compares and exits 1 when a file is not what the models say.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from apiclients.resources.api import PUBLIC_URL_PATTERN, SCOPE_PATTERN
from apiclients.resources.crd import CRD_KINDS, Kind
from apiclients.resources.fields import (
    DURATION_BOUNDS,
    DURATION_PATTERN,
    LABEL_VALUE_PATTERN,
    NAME_PATTERN,
    TIME_PATTERN,
)
from apiclients.resources.names import GROUP, VERSION
from apiclients.resources.schema import KEY_BOUNDS, annotated_schema
from apiclients.resources.tokenissuer import (
    CLAIM_PATTERN,
    CONFIG_MAP_KEY_PATTERN,
    KEYS_URL_PATTERN,
    PREFIX_PATTERN,
    VISIBLE_PATTERN,
)

_HEAD = """\
# Generated from the models by: python -m apiclients.resources.value_policies manifests/control/policies
# Values that a spec of kind {kind} may not have. Not in its CRD: that refuses with 422, upon which some tools delete
# the object and create it again.
"""
#: What a text has to be, by its pattern.
_PATTERNS = {
    NAME_PATTERN: "letters a-z, digits, '-' and '.', with a letter or digit at both ends",
    LABEL_VALUE_PATTERN: "letters, digits, '-', '_' and '.', with a letter or digit at both ends",
    PUBLIC_URL_PATTERN: "an https:// URL with a lower-case host and a path of letters, digits and . _ ~ -",
    SCOPE_PATTERN: "visible ASCII characters without quotation marks and backslashes",
    VISIBLE_PATTERN: "visible ASCII characters without quotation marks and backslashes",
    PREFIX_PATTERN: "visible ASCII characters without quotation marks and backslashes",
    KEYS_URL_PATTERN: "an https:// URL without user, query and fragment",
    CLAIM_PATTERN: "the name of a claim",
    CONFIG_MAP_KEY_PATTERN: "letters, digits, '-', '_' and '.'",
}

#: Words of CEL that are no names of fields.
_RESERVED = frozenset({"namespace"})
#: What an item is called, in a list and in a list inside of it.
_VARIABLES = ("item", "inner", "innermost")

Condition = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Place:
    """A field, or every item of a list. No step to it fails when something on the way is not there."""

    path: str
    #: Puts a condition about the value, given the name of a variable, around all values that there are.
    about: Callable[[Condition], str]
    depth: int = 0

    def field(self, name: str) -> "_Place":
        # Of optMap and of an index CEL infers a type from the first function that is called; selecting stays dynamic.
        def about(condition: Condition) -> str:
            step = f"['{name}']" if name in _RESERVED else f".{name}"
            return self.about(lambda value: f"(!('{name}' in {value}) || {condition(value + step)})")

        return _Place(f"{self.path}.{name}", about, self.depth)

    def items(self, most: int) -> "_Place":
        """Every item of a list. One that is too long is refused for that, and not looked at: it would cost too much."""
        inner = _VARIABLES[self.depth]

        def about(condition: Condition) -> str:
            return self.about(lambda value: f"(size({value}) > {most} || {value}.all({inner}, {condition(inner)}))")

        return _Place(f"{self.path}[]", about, self.depth + 1)

    def values(self, most: int) -> "_Place":
        """Every value of a map."""
        key = _VARIABLES[self.depth]

        def about(condition: Condition) -> str:
            return self.about(lambda m: f"(size({m}) > {most} || {m}.all({key}, {condition(f'{m}[{key}]')}))")

        return _Place(f"{self.path}[*]", about, self.depth + 1)

    def keys(self, most: int) -> "_Place":
        """Every key of a map, which its macro takes for items."""
        return _Place(f"{self.path} (keys)", self.items(most).about, self.depth + 1)


@dataclass(frozen=True, slots=True)
class Check:
    """What holds for the values of one field."""

    path: str
    expression: str
    message: str


def checks(kind: Kind) -> list[Check]:
    """What holds for the values of a kind's spec, beyond its structure."""
    spec = _Place("spec", lambda condition: condition("variables.spec"))
    rules = [Check("spec", rule.expression, rule.message) for rule in kind.rules]
    return [*_below(annotated_schema(kind.spec), spec), *rules]


def _below(schema: dict[str, Any], place: _Place) -> Iterator[Check]:
    condition, words = _bounds(schema)
    if condition is not None:
        yield Check(place.path, place.about(condition), f"{place.path} must {words}")
    for name, child in schema.get("properties", {}).items():
        yield from _below(child, place.field(name))
    if "items" in schema:
        yield from _below(schema["items"], place.items(schema["maxItems"]))
    if "additionalProperties" in schema:
        yield from _below(schema["additionalProperties"], place.values(schema["maxProperties"]))
    if KEY_BOUNDS in schema:
        yield from _below({"type": "string", **schema[KEY_BOUNDS]}, place.keys(schema["maxProperties"]))


def _bounds(schema: dict[str, Any]) -> tuple[Condition | None, str]:
    """The condition on a value itself, and what it must be or have, in words."""
    if DURATION_BOUNDS in schema:
        return _duration(schema)
    if schema.get("format") == "date-time":
        most = schema["maxLength"]
        return lambda v: f"(size({v}) <= {most} && {v}.matches({_text(TIME_PATTERN)}))", (
            "be a time such as 2026-01-31T12:00:00Z"
        )
    match schema["type"]:
        case "string" if "enum" not in schema:
            return _string(schema)
        case "integer" if "minimum" in schema or "maximum" in schema:
            low, high = schema["minimum"], schema["maximum"]
            return lambda v: f"({v} >= {low} && {v} <= {high})", f"be between {low} and {high}"
        case "array":
            return _size(schema.get("minItems", 0), schema["maxItems"], "items")
        case "object" if "maxProperties" in schema:
            return _size(0, schema["maxProperties"], "entries")
    return None, ""


def _duration(schema: dict[str, Any]) -> tuple[Condition, str]:
    low, high = schema[DURATION_BOUNDS]
    most, pattern = schema["maxLength"], _text(DURATION_PATTERN)

    def condition(v: str) -> str:
        within = f"duration({v}) >= duration('{low}') && duration({v}) <= duration('{high}')"
        return f"(size({v}) <= {most} && {v}.matches({pattern}) && {within})"

    return condition, f"be a duration between {low} and {high}, such as 90m or 1h30m"


def _string(schema: dict[str, Any]) -> tuple[Condition, str]:
    low, high = schema.get("minLength", 0), schema["maxLength"]
    sized, words = _size(low, high, "characters")
    pattern = schema.get("pattern")
    if pattern is None:
        return sized, words
    return lambda v: f"({sized(v)} && {v}.matches({_text(pattern)}))", f"{words}: {_PATTERNS[pattern]}"


def _size(low: int, high: int, what: str) -> tuple[Condition, str]:
    if low == 0:
        return lambda v: f"size({v}) <= {high}", f"have at most {high} {what}"
    return lambda v: f"(size({v}) >= {low} && size({v}) <= {high})", f"have {low} to {high} {what}"


def _text(pattern: str) -> str:
    """A raw string of CEL."""
    return f"r'{pattern}'"


def policy(kind: Kind) -> list[dict[str, Any]]:
    """The policy about values of a kind, and its binding."""
    name, spec = f"valid-{kind.plural}", {"name": "spec", "expression": "dyn(object.?spec.orValue({}))"}
    # What was there before the policy may stay, and lose finalizers; it may not change without being put right.
    unchanged = "request.operation == 'UPDATE' && variables.spec == dyn(oldObject.?spec.orValue({}))"
    rule = {
        "apiGroups": [GROUP],
        "apiVersions": [VERSION],
        "operations": ["CREATE", "UPDATE"],
        "resources": [kind.plural],
        "scope": kind.scope,
    }
    validations = [
        {"expression": f"variables.unchanged || {check.expression}", "reason": "Forbidden", "message": check.message}
        for check in checks(kind)
    ]
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    return [
        head
        | {
            "kind": "ValidatingAdmissionPolicy",
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [rule]},
                "variables": [spec, {"name": "unchanged", "expression": unchanged}],
                "validations": validations,
            },
        },
        head
        | {
            "kind": "ValidatingAdmissionPolicyBinding",
            "spec": {"policyName": name, "validationActions": ["Deny", "Audit"]},
        },
    ]


def file_name(kind: Kind) -> str:
    """The file of a kind's policy."""
    return f"valid-{kind.plural}.yaml"


def render(kind: Kind) -> str:
    """The content of the file."""
    text = yaml.safe_dump_all(policy(kind), sort_keys=False, width=120, allow_unicode=True)
    return _HEAD.format(kind=kind.kind) + text


def stale_files(folder: Path) -> list[Path]:
    """The files below ``folder`` that are missing or differ from the models."""
    wanted = {folder / file_name(kind): render(kind) for kind in CRD_KINDS}
    return [path for path, text in wanted.items() if not path.is_file() or path.read_text() != text]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m apiclients.resources.value_policies", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the policies are")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a file is stale")
    args = parser.parse_args(argv)
    stale = stale_files(args.folder)
    if args.check:
        for path in stale:
            print(f"{path} is not what the models say: run `make generate`", file=sys.stderr)
        return 1 if stale else 0
    for kind in CRD_KINDS:
        (args.folder / file_name(kind)).write_text(render(kind))
    return 0


if __name__ == "__main__":
    sys.exit(main())
