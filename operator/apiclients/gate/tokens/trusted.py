"""From a token of a trusted issuer to the client that it stands for (DESIGN rules 29 and 30)."""

from dataclasses import dataclass

from apiclients.engine.relations import Relations
from apiclients.gate.state.picture import Picture
from apiclients.gate.state.problems import Problem
from apiclients.gate.tokens.errors import NotReadyError
from apiclients.gate.tokens.foreign import ForeignToken, ForeignVerifier
from apiclients.gate.tokens.verifier import Fault, Foreign, InvalidTokenError, VerifiedToken
from apiclients.lifecycle.access import ClientView, Denial, TokenClaims
from apiclients.lifecycle.client_keys import own_issuer
from apiclients.lifecycle.foreign import claims_for, foreign_denial, has_keys
from apiclients.lifecycle.identities import owner
from apiclients.lifecycle.issuers import IssuerView


@dataclass(slots=True)
class Whose:
    """A token, told as one of our own, and whose it is."""

    token: VerifiedToken
    client: ClientView


@dataclass(frozen=True, slots=True)
class Asserted:
    """A client assertion with a good signature, and whose it is."""

    client: ClientView
    claims: TokenClaims
    #: The claim iss.
    issuer: str
    subject: str
    token_id: str
    #: Of a service account of this cluster.
    of_cluster: bool
    #: And ends with a pod, a Secret or a node.
    bound: bool


class TrustedTokens:
    """Looks up identities."""

    def __init__(self, own_issuer: str, relations: Relations, picture: Picture, verifier: ForeignVerifier) -> None:
        self._apis = f"{own_issuer}/apis/"
        self._relations = relations
        self._by_client_id = picture.by_client_id
        self._verifier = verifier

    def __bool__(self) -> bool:
        """Whether any issuer is trusted."""
        return bool(self._verifier)

    def read(self, token: bytes, now: float) -> Whose | Fault | Denial:
        """The client of a token, or why there is none. Raises NotReadyError if its issuer's keys count no longer."""
        try:
            found = self._verifier.verify(token)
        except InvalidTokenError as error:
            return error.fault
        if not has_keys(found.issuer.view, now):
            raise NotReadyError(Problem.ISSUER_KEYS_STALE)
        denial = foreign_denial(found.claims, now)
        if denial is not None:
            return denial
        client = self._client(found)
        return Whose(self._as_ours(found, client), client) if client is not None else Denial.UNKNOWN_IDENTITY

    def asserted(self, token: bytes, now: float) -> Asserted | Fault | Denial:
        """Whose client assertion it is, or why it is nobody's. Raises NotReadyError as ``read`` does."""
        try:
            found = self._verifier.verify_assertion(token, self._own_issuer)
        except InvalidTokenError as error:
            return error.fault
        view = found.issuer.view
        if not has_keys(view, now):
            raise NotReadyError(Problem.ISSUER_KEYS_STALE)
        denial = foreign_denial(found.claims, now)
        if denial is not None:
            return denial
        client = self._client(found)
        if client is None:
            return Denial.UNKNOWN_IDENTITY
        claims = claims_for(client, found.claims, view)
        return Asserted(client, claims, found.name, found.claims.subject, found.token_id, view.cluster, found.bound)

    def signed(self, token: bytes) -> VerifiedToken | Fault | None:
        """What a token says, good now or not; else what is wrong with it, None if it is nobody's."""
        if not self._verifier:
            return None
        try:
            found = self._verifier.verify(token)
        except InvalidTokenError as error:
            return error.fault
        client = self._client(found)
        return self._as_ours(found, client) if client is not None else None

    def _own_issuer(self, client_id: str) -> IssuerView | None:
        client = self._by_client_id.get(client_id)
        return own_issuer(client) if client is not None else None

    def _client(self, token: ForeignToken) -> ClientView | None:
        if token.issuer.view.of_client:
            return self._by_client_id.get(token.name)
        view, identities = token.issuer.view, self._relations.identities
        key = owner(identities.claims((view.name, token.claims.subject)), view)
        return self._relations.client(key) if key is not None else None

    def _as_ours(self, token: ForeignToken, client: ClientView) -> VerifiedToken:
        """Of its audiences those of Apis alone: that of the token endpoint makes it no token for APIs."""
        return VerifiedToken(
            claims=claims_for(client, token.claims, token.issuer.view),
            subject=token.claims.subject,
            client_id=client.client_id,
            scope="",  # without a contract its scopes say nothing
            scopes=token.scopes,
            token_id=token.token_id,
            audience=tuple(one for one in token.audiences if one.startswith(self._apis)),
            foreign=Foreign(token.name, token.audiences, token.everywhere),
        )
