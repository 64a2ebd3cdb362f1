"""What the URLs of all lists have in common. Pure."""

from collections.abc import Mapping

#: The longest value that is read, in characters.
_LONGEST = 200


def stripped(parameters: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a URL without spaces around their values, which are cut where they are too long."""
    return {key: value.strip()[:_LONGEST] for key, value in parameters.items()}


def owner_matches(wanted: str, owner: str | None) -> bool:
    """Whether an owner is the wanted one, ignoring case; an empty ``wanted`` matches all."""
    return not wanted or (owner or "").casefold() == wanted.casefold()
