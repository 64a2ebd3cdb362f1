"""What the gate's yes answers rest on, as names of objects: what has to be read again."""

from collections.abc import Iterator, Mapping

from apiclients.gate.state.access import AccessTable
from apiclients.gate.state.tally import Tally
from apiclients.kube.kinds import TOKEN_REVOCATIONS
from apiclients.lifecycle.access import ClientView
from apiclients.resources.refs import ObjectRef

#: So many tokens wait at most for that their absent TokenRevocations are read.
MOST_TOKENS_WAITING = 2000


class InUse:
    """Collects it from the marks that answers leave, which are all that they do about it."""

    def __init__(self, tally: Tally, access: AccessTable, clients: Mapping[str, ClientView]) -> None:
        """``clients`` by UID."""
        self._tally = tally
        self._access = access
        self._clients = clients

    def take(self) -> set[ObjectRef]:
        """What every yes since the last call rests on, as the picture has it now."""
        return {*self._of_clients(), *self._access.take_relied_on(self._clients)}

    def _of_clients(self) -> Iterator[ObjectRef]:
        for uid in self._tally.take_relied_on():
            client = self._clients.get(uid)
            if client is not None:
                yield ObjectRef("ApiClient", client.namespace, client.name)
                # Absence is relied on as well. It can be read of a hold whose name is known: the plugin gives this one.
                yield ObjectRef("ApiClientHold", client.namespace, client.name)
                # Which of its tokens it was is not marked: it may have been one of these.
                yield from (ObjectRef("TokenIssuer", "", identity.issuer) for identity in client.identities)


class TokensInUse:
    """The same of tokens: of each, that the TokenRevocation which would refuse it is not there."""

    def __init__(self, tally: Tally, namespace: str) -> None:
        """``namespace`` is that of the TokenRevocations."""
        self._tally = tally
        self._namespace = namespace

    def take(self) -> set[ObjectRef]:
        """Of the tokens that were accepted since the last call, a few of each client."""
        names = self._tally.take_tokens_relied_on()
        return {ObjectRef(TOKEN_REVOCATIONS.kind, self._namespace, name) for name in names}
