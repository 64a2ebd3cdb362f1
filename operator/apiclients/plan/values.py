"""Values of manifests as people write them, on one line; numbers of things as people say them."""

import yaml

LONGEST = 120


def counted(number: int, noun: str) -> str:
    """``1 contract``, ``2 contracts``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shown(value: object) -> str | None:
    """A value as YAML would have it: ``[a, b]``, ``true``; None for none. Long ones end in dots."""
    if value is None:
        return None
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, dict | list):
        text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6).strip()
    else:
        text = str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
