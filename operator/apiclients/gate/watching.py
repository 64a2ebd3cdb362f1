"""The gate's own watches: one Reflector for each kind and one for the keys Secret, feeding the state."""

from collections.abc import Coroutine, Mapping
from typing import Any

from apiclients.gate.state.freshness import Listed
from apiclients.gate.state.reading import Entry, on_bad
from apiclients.gate.state.state import GateState
from apiclients.gate.state.verification import Verifiable
from apiclients.gate.tokens.keystore import KeyStore
from apiclients.gate.tokens.signing import LoadedRing
from apiclients.kube.cache import Reflector
from apiclients.kube.client import SECRETS, KubeClient
from apiclients.kube.kinds import (
    ALL_KINDS,
    API_CLIENT_HOLDS,
    API_CLIENTS,
    APIS,
    CONTRACT_APPROVALS,
    CONTRACTS,
    TOKEN_ISSUERS,
    TOKEN_REVOCATIONS,
)
from apiclients.kube.objects import ResourceType
from apiclients.lifecycle.revocations import RevocationView
from apiclients.settings.gate import GateSettings

# One Secret costs nothing, and whoever lacks a new key refuses good tokens.
_KEYS_RELIST_SECONDS = 60.0


class Watches:
    """All Reflectors of one process."""

    def __init__(self, client: KubeClient, settings: GateSettings, state: GateState, keys: KeyStore) -> None:
        relist = settings.relist_interval
        #: What decides about calls, by plural.
        self.kinds: Mapping[str, Reflector[Entry]] = {
            kind.plural: _reflector(client, kind, state, relist) for kind in ALL_KINDS
        }
        #: Of one namespace, so that a gate needs no right elsewhere.
        self.revocations: Reflector[RevocationView] = Reflector(
            client,
            TOKEN_REVOCATIONS,
            state.revocations.read,
            namespace=settings.namespace,
            on_change=state.revocations.apply,
            on_bad=state.revocations.read_bad,
            relist_interval=relist,
            relist_by_identity=True,
        )
        self.ring: Reflector[LoadedRing] = Reflector(
            client,
            SECRETS,
            keys.read,
            namespace=settings.keys_home,
            field_selector=f"metadata.name={settings.keys_secret}",
            on_change=keys.apply,
            on_bad=keys.note_damage,
            relist_interval=min(relist, _KEYS_RELIST_SECONDS),
        )

    @property
    def clients(self) -> Reflector[Entry]:
        """The clients, whose proof is a list of those to be denied."""
        return self.kinds[API_CLIENTS.plural]

    @property
    def holds(self) -> Reflector[Entry]:
        """The holds, whose proof is a list of all of them."""
        return self.kinds[API_CLIENT_HOLDS.plural]

    @property
    def unproved(self) -> tuple[Listed, ...]:
        """What is proved by nothing but its own lists."""
        return tuple(self.kinds[kind.plural] for kind in (APIS, CONTRACTS, CONTRACT_APPROVALS, TOKEN_ISSUERS))

    @property
    def verifiable(self) -> Mapping[str, Verifiable]:
        """What can be verified by use, by kind."""
        return {kind.kind: self.kinds[kind.plural] for kind in ALL_KINDS} | {TOKEN_REVOCATIONS.kind: self.revocations}

    @property
    def _proving(self) -> Mapping[str, Reflector[Any]]:
        """All but that of the keys, by plural."""
        return {**self.kinds, TOKEN_REVOCATIONS.plural: self.revocations}

    def runs(self) -> dict[Coroutine[Any, Any, None], str]:
        """What to run, and how it is called."""
        named = {reflector.run(): f"the watch of {plural}" for plural, reflector in self._proving.items()}
        return named | {self.ring.run(): "the watch of the keys Secret"}

    async def all_synced(self) -> None:
        """Wait until every kind has been listed once."""
        for reflector in self._proving.values():
            await reflector.synced.wait()

    def applied(self) -> dict[str, int]:
        """Up to which version everything has been applied, by plural."""
        return {plural: reflector.resource_version for plural, reflector in self._proving.items()}

    def lost_events(self) -> dict[str, int]:
        """How many changes lists found that a watch had passed over, by plural."""
        return {plural: reflector.lost_events for plural, reflector in self._proving.items()} | {
            SECRETS.plural: self.ring.lost_events
        }

    def counts(self) -> dict[str, int]:
        """How many objects there are, by plural."""
        return {plural: len(reflector.store) for plural, reflector in self._proving.items()}


def _reflector(client: KubeClient, kind: ResourceType, state: GateState, relist: float) -> Reflector[Entry]:
    return Reflector(
        client,
        kind,
        state.read[kind.plural],
        on_change=state.apply[kind.plural],
        on_bad=on_bad(kind.kind),
        relist_interval=relist,
        relist_by_identity=True,
        decoding=state.decoding[kind.plural],
    )
