"""The rules as ``docs/rules.yaml`` has them."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

ROOT = Path(__file__).resolve().parents[2]
RULES_FILE = ROOT / "docs" / "rules.yaml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Strict):
    """One rule. Its number is what code and tests cite; it never changes and is never given to another rule."""

    number: int = Field(ge=1)
    title: str = Field(min_length=1)
    #: Markdown.
    text: str = Field(min_length=1)
    #: What decides it: dotted names of functions, methods, classes or constants, or paths of manifests.
    decided_by: tuple[str, ...] = ()
    #: Of a rule that is not built, or not in full: what is missing.
    planned: str = ""


class Group(_Strict):
    """Rules about one subject, under one heading."""

    name: str
    rules: tuple[Rule, ...]


class Rulebook(_Strict):
    """All rules, in groups."""

    groups: tuple[Group, ...]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules, in the order of the page."""
        return tuple(rule for group in self.groups for rule in group.rules)


def load(file: Path = RULES_FILE) -> Rulebook:
    """Read the rules. Raises pydantic.ValidationError for a field that does not fit."""
    return Rulebook.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
