"""Claims of access tokens, as they are written."""

from collections.abc import Iterable


def audience_claim(audiences: Iterable[str]) -> str | list[str]:
    """One is a string (RFC 7519 section 4.1.3)."""
    found = list(audiences)
    return found[0] if len(found) == 1 else found
