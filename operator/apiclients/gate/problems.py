"""Why a gate decides nothing: the label ``reason`` of its metrics, and a sentence for people."""

from enum import StrEnum


class Problem(StrEnum):
    """What keeps a gate from deciding (rules 17, 25 and 26)."""

    NO_KEYS = "no_keys"
    NOT_PROVED = "not_proved"
    NOT_LISTED = "not_listed"
    STALE = "stale"
    LISTS_STALE = "lists_stale"
    CLOCK = "clock"

    @property
    def sentence(self) -> str:
        """For ``/readyz`` and logs."""
        return _SENTENCES[self]


_SENTENCES = {
    Problem.NO_KEYS: "there are no signing keys yet",
    Problem.NOT_PROVED: "there is no freshness proof yet",
    Problem.NOT_LISTED: "not everything has been listed yet",
    Problem.STALE: "the last freshness proof is too old",
    Problem.LISTS_STALE: "the last full list of a kind is too old",
    Problem.CLOCK: "the clock disagrees with the API server's",
}
