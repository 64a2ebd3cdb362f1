"""A client with keys of its own is the issuer of its own assertions (RFC 7523 section 3): iss and sub are its id."""

from functools import lru_cache

from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.issuers import IssuerView
from apiclients.lifecycle.jwks import DocumentError, read_jwks
from apiclients.resources.tokenissuer import JwsAlgorithm, PublicKey, ScopesFrom, TokenUse

#: An assertion ends so long after its iat at the latest, in seconds: so long a gate may have to remember it.
MAX_ASSERTION_SECONDS = 3600
#: rfc7523bis section 4 names the second; most libraries write the first.
_TYPES = frozenset({"jwt", "client-authentication+jwt"})
_FOREVER = 2**53


def own_issuer(client: ClientView) -> IssuerView | None:
    """What a client's own keys may sign: its assertions and nothing else. None if it has no keys, or unusable ones."""
    keys = usable_keys(client.jwks)
    if not keys:
        return None
    return IssuerView(
        name=client.client_id,
        claimed=client.client_id,
        created=0.0,
        deleting=client.deleting,
        settled=True,
        keys=keys,
        keys_end=_FOREVER,
        audiences=frozenset(),
        algorithms=frozenset(JwsAlgorithm),
        types=_TYPES,
        subject_claim="sub",
        scopes_from=ScopesFrom.CONTRACT,
        uses=frozenset({TokenUse.CLIENT_ASSERTION}),
        max_token_seconds=MAX_ASSERTION_SECONDS,
        cluster=False,
        grants=(),
        of_client=True,
    )


@lru_cache(maxsize=1024)  # a stranger may ask for it with every request, and 32 keys take milliseconds
def usable_keys(jwks: str) -> tuple[PublicKey, ...]:
    """The keys of a client. Where one must not be there it has none; ``lifecycle.spec_problems`` says why."""
    try:
        return read_jwks(jwks.encode()) if jwks else ()
    except DocumentError:
        return ()
