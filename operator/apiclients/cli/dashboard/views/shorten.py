"""Text in boxes that are too small for it. Pure."""

from unicodedata import east_asian_width

_DOTS = "…"
#: What is left of the end: versions are there.
_TAIL = 7


def fit(text: str, room: int) -> str:
    """The text, cut in the middle where it takes more than ``room`` columns; wide letters take two."""
    if _columns(text) <= room:
        return text
    tail = _ending(text, min(_TAIL, max(0, room // 3)))
    return _beginning(text, room - 1 - _columns(tail)) + _DOTS + tail


def _beginning(text: str, room: int) -> str:
    taken = ""
    for letter in text:
        if _columns(taken + letter) > room:
            break
        taken += letter
    return taken


def _ending(text: str, room: int) -> str:
    return _beginning(text[::-1], room)[::-1]


def _columns(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
