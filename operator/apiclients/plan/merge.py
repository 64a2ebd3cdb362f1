"""What applying a manifest makes of a live object: ``kubectl apply``'s three-way merge, as custom resources have it.

Fields that base had and head has not go; fields that neither mentions stay as they are live; lists are replaced whole.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_ABSENT = object()


def applied(base: Mapping[str, Any] | None, head: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """The live map after head was applied, where base was applied before."""
    base = base or {}
    result = {key: value for key, value in live.items() if key in head or key not in base}
    for key, value in head.items():
        if value is None:  # null in a manifest is: not there
            result.pop(key, None)
        elif isinstance(value, Mapping):
            result[key] = applied(_map(base.get(key)), value, _map(live.get(key)))
        else:
            result[key] = value
    return result


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


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
