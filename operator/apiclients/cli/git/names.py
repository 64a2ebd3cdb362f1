"""Names of objects that the plugin writes."""

import re

from apiclients.resources.fields import NAME_PATTERN

_LONGEST = 63


def is_name(text: str) -> bool:
    """Whether an object of ours can have this name."""
    return len(text) <= _LONGEST and re.fullmatch(NAME_PATTERN, text) is not None


def fitting(text: str) -> str:
    """A text made of names, cut to the length of one."""
    return text[:_LONGEST].rstrip("-.")
