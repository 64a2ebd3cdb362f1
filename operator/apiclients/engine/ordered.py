"""Tuples that are kept in an order: a place is found in a few steps, and whoever holds one sees it as it was."""

from bisect import bisect_left
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

#: Where an item belongs. No two items of one tuple have the same key.
Key = Callable[[T], Any]


def inserted(items: tuple[T, ...], item: T, key: Key[T]) -> tuple[T, ...]:
    """With another item at its place."""
    at = bisect_left(items, key(item), key=key)
    return (*items[:at], item, *items[at:])


def removed(items: tuple[T, ...], item: T, key: Key[T]) -> tuple[T, ...]:
    """Without an item that is there."""
    at = bisect_left(items, key(item), key=key)
    return items[:at] + items[at + 1 :]
