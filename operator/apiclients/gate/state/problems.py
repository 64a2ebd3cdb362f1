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
    #: Of the tokens of one issuer alone.
    ISSUER_KEYS_STALE = "issuer_keys_stale"
    #: Of one request to revoke a token.
    REVOCATION_NOT_STORED = "revocation_not_stored"
    #: Of client assertions of service accounts alone.
    NO_TOKEN_REVIEW = "no_token_review"

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
    Problem.ISSUER_KEYS_STALE: "the keys of a trusted issuer were last found too long ago",
    Problem.REVOCATION_NOT_STORED: "a revocation could not be stored",
    Problem.NO_TOKEN_REVIEW: "the API server does not say whether the token of a service account still counts",
}
