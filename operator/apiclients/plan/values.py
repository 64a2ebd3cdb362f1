"""Values of manifests: as people write them on one line, at which path, and where two trees differ."""

from collections.abc import Iterator, Mapping
from typing import Any

from apiclients.resources.yaml_text import dump

LONGEST = 120
_ABSENT = object()


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
        text = dump(value, on_one_line=True).strip()
    else:
        text = str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def leaves(value: object, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no map, with its path: ``spec.secret.lifetime``."""
    if isinstance(value, Mapping) and value:
        for key, child in value.items():
            yield from leaves(child, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def differences(before: object, after: object) -> list[tuple[str, Any, Any]]:
    """The paths at which two trees differ, with both values; None for what is not there."""
    old, new = dict(leaves(before)), dict(leaves(after))
    paths = sorted(path for path in old.keys() | new.keys() if old.get(path, _ABSENT) != new.get(path, _ABSENT))
    return [(path, old.get(path), new.get(path)) for path in paths if path]
