"""Whose a public URL is: tokens name it as an audience, so an Api must not take that of another."""

from apiclients.lifecycle.api_view import ApiView

#: The smaller, the older.
Claim = tuple[int, str, str]


def claim(api: ApiView, issuer: str) -> Claim | None:
    """The claim of an Api to its ``publicURL``: of several the smallest counts. None if it has none.

    The issuer and the audiences of Apis belong to nobody: tokens name them for other reasons.
    """
    url = api.public_url
    if url is None or url.rstrip("/") == issuer or url.startswith(f"{issuer}/apis/"):
        return None
    return api.created, api.namespace, api.name
