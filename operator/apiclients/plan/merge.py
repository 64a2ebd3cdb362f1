"""What applying a manifest makes of a live object: ``kubectl apply``'s three-way merge, as custom resources have it.

Fields that base had and head has not go; fields that neither mentions stay as they are live; lists are replaced whole.
"""

from collections.abc import Mapping
from typing import Any


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


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
