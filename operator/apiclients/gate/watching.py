"""The gate's own watches: one Reflector for each kind and one for the keys Secret, feeding the picture."""

from collections.abc import Coroutine, Mapping
from typing import Any

from apiclients.gate.freshness import Listed
from apiclients.gate.holds import HoldEntry, Holds
from apiclients.gate.keystore import KeyStore
from apiclients.gate.picture import Entry, Picture
from apiclients.gate.routes import ApiEntry, ApprovalEntry, ContractEntry, Routes
from apiclients.gate.settings import Settings
from apiclients.gate.signing import LoadedRing
from apiclients.kube.cache import Reflector
from apiclients.kube.client import SECRETS, KubeClient
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS, APIS, CONTRACT_APPROVALS, CONTRACTS


class Watches:
    """All Reflectors of one process."""

    def __init__(
        self, client: KubeClient, settings: Settings, picture: Picture, holds: Holds, routes: Routes, keys: KeyStore
    ) -> None:
        relist = settings.bounds.relist_interval
        self.clients: Reflector[Entry] = Reflector(
            client,
            API_CLIENTS,
            picture.read,
            on_change=picture.apply,
            on_bad=picture.read_bad,
            relist_interval=relist,
        )
        self.holds: Reflector[HoldEntry] = Reflector(
            client,
            API_CLIENT_HOLDS,
            holds.read,
            on_change=holds.apply,
            on_bad=holds.read_bad,
            relist_interval=relist,
        )
        self.apis: Reflector[ApiEntry] = Reflector(
            client,
            APIS,
            routes.read_api,
            on_change=routes.apply_api,
            on_bad=routes.read_bad,
            relist_interval=relist,
        )
        self.contracts: Reflector[ContractEntry] = Reflector(
            client,
            CONTRACTS,
            routes.read_contract,
            on_change=routes.apply_contract,
            on_bad=routes.read_bad,
            relist_interval=relist,
        )
        self.approvals: Reflector[ApprovalEntry] = Reflector(
            client,
            CONTRACT_APPROVALS,
            routes.read_approval,
            on_change=routes.apply_approval,
            on_bad=routes.read_bad,
            relist_interval=relist,
        )
        self.ring: Reflector[LoadedRing] = Reflector(
            client,
            SECRETS,
            keys.read,
            namespace=settings.keys_namespace,
            field_selector=f"metadata.name={settings.keys_secret}",
            on_change=keys.apply,
            on_bad=keys.note_damage,
            relist_interval=relist,
        )
        #: What decides about calls, by plural.
        self.kinds: Mapping[str, Reflector[Any]] = {
            API_CLIENTS.plural: self.clients,
            APIS.plural: self.apis,
            CONTRACTS.plural: self.contracts,
            CONTRACT_APPROVALS.plural: self.approvals,
            API_CLIENT_HOLDS.plural: self.holds,
        }

    @property
    def unproved(self) -> tuple[Listed, ...]:
        """What is proved by nothing but its own lists."""
        return self.apis, self.contracts, self.approvals

    def runs(self) -> dict[Coroutine[Any, Any, None], str]:
        """What to run, and how it is called."""
        named = {reflector.run(): f"the watch of {plural}" for plural, reflector in self.kinds.items()}
        return named | {self.ring.run(): "the watch of the keys Secret"}

    async def all_synced(self) -> None:
        """Wait until every kind has been listed once."""
        for reflector in self.kinds.values():
            await reflector.synced.wait()

    def applied(self) -> dict[str, int]:
        """Up to which version everything has been applied, by plural."""
        return {plural: reflector.resource_version for plural, reflector in self.kinds.items()}

    def lost_events(self) -> dict[str, int]:
        """How many changes lists found that a watch had passed over, by plural."""
        return {plural: reflector.lost_events for plural, reflector in self.kinds.items()} | {
            SECRETS.plural: self.ring.lost_events
        }

    def counts(self) -> dict[str, int]:
        """How many objects there are, by plural."""
        return {plural: len(reflector.store) for plural, reflector in self.kinds.items()}
