"""Gathers what a decision looks at: one object, and of all others what the relations keep of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from apiclients.engine.contract_index import client_of
from apiclients.engine.relations import Relations
from apiclients.lifecycle.api_view import ApiView
from apiclients.lifecycle.apis import ApiContracts
from apiclients.lifecycle.approvals import Parties, Ruling, contract_within_say
from apiclients.lifecycle.contract_view import ContractView, contract_view, contracts_of_client
from apiclients.lifecycle.contracts import ObservedContract, may_contract
from apiclients.lifecycle.enforcement import Sight
from apiclients.lifecycle.features import ALL_OBEYED, Lacking
from apiclients.lifecycle.holds import holding
from apiclients.lifecycle.identities import identity_views
from apiclients.lifecycle.issuers import Fetched
from apiclients.lifecycle.observation import Issuer, Observed, SecretMetadata, SecretSeen
from apiclients.lifecycle.reports import NO_REPORTS, Reports
from apiclients.lifecycle.template import DEFAULT_TEMPLATE_KEYS, TemplateKeys
from apiclients.lifecycle.timing import MIN_LIFETIME
from apiclients.lifecycle.usage import LastUse
from apiclients.resources.api import MAX_PENDING, PendingContract
from apiclients.resources.objects import ApiClient, Contract, ContractApproval, TokenIssuer
from apiclients.resources.refs import NamespacedName, ObjectRef


class Secrets(Protocol):
    """What is known of Secrets without reading one."""

    def seen(self, client: ApiClient) -> SecretSeen:
        """What is known of the Secret that a client's spec names."""

    def others(self, client: ApiClient) -> tuple[SecretMetadata, ...]:
        """Secrets of a client under other names."""


@dataclass(frozen=True, slots=True)
class ObservedApproval:
    """Everything that a decision about one approval depends on."""

    #: None also for a contract about which its namespace has no say.
    contract: ContractView | None = None
    #: Of all approvals for its plan of the contract the one that decides.
    decisive: Ruling | None = None
    #: The client and the Api of the contract, while both are there.
    parties: Parties | None = None


@dataclass(slots=True)
class Observer:
    """Where observations come from. Operator, plan and plugin make one each."""

    relations: Relations
    secrets: Secrets
    issuer: Issuer
    #: Ids of the peppers that digests may be keyed with, the newest last.
    peppers: Callable[[ApiClient], tuple[str, ...]]
    #: Labels of a namespace, or None while they are not known.
    namespace_labels: Callable[[str], Mapping[str, str] | None]
    #: False while this clock disagrees with the API server's (rule 26).
    clock_trusted: Callable[[], bool]
    #: What templates of Secrets may set. A plan does not know the operator's settings and goes by the default.
    template_keys: TemplateKeys = DEFAULT_TEMPLATE_KEYS
    #: How long secrets and tokens have to live at least; the operator's setting as well.
    min_lifetime: timedelta = MIN_LIFETIME
    #: Which living gates do not obey which features. A plan does not know the gates.
    gates_lacking: Callable[[], Lacking] = lambda: ALL_OBEYED
    #: How far the gates are with a client. A plan does not ask the gates.
    sight: Callable[[ApiClient], Sight | None] = lambda _: None
    #: When a client was last used, as far as its status does not say so yet. A plan does not ask the gates.
    last_use: Callable[[ApiClient], LastUse | None] = lambda _: None
    #: How far the reports of gates go.
    reports: Callable[[], Reports] = Reports
    #: The last use of a contract, as an hour.
    contract_last_use: Callable[[Contract], int | None] = lambda _: None
    #: What the last try to fetch the keys of a TokenIssuer came to. A plan fetches nothing.
    fetched: Callable[[TokenIssuer], Fetched | None] = lambda _: None
    #: Active contracts of an Api that lie where nobody looked: a plan may read some namespaces only.
    unseen_contracts: Mapping[NamespacedName, int] = field(default_factory=dict)

    def client(self, client: ApiClient, now: datetime) -> Observed:
        """What a decision about a client looks at."""
        key = (client.metadata.namespace, client.metadata.name)
        identities = self.relations.observed_identities(key, identity_views(client))
        trusted = self.clock_trusted()
        holds = holding(self.relations.holds.of_client(key), client.metadata, now, clock_trusted=trusted)
        return Observed(
            client=client,
            secret=self.secrets.seen(client),
            issuer=self.issuer,
            peppers=self.peppers(client),
            other_secrets=self.secrets.others(client),
            contracts=contracts_of_client(self.relations.contracts.of_client(key)),
            holds=tuple(holds),
            identities=identities,
            clock_trusted=trusted,
            gates_lacking=self.gates_lacking(),
            sight=self.sight(client),
            last_use=self.last_use(client),
            reports=self.reports() if len(client.status.credentials) > 1 else NO_REPORTS,
            template_keys=self.template_keys,
            min_lifetime=self.min_lifetime,
        )

    def contract(self, contract: Contract) -> ObservedContract | None:
        """What a decision about a contract looks at; None while any of it is there but cannot be read.

        Then nothing is known that could be decided on, and what status says stays (rule 32).
        """
        view = contract_view(contract)
        client, api, key = client_of(view), view.claim.api, (view.claim.namespace, view.claim.name)
        if any(map(self.relations.is_unreadable, (ObjectRef("ApiClient", *client), ObjectRef("Api", *api)))):
            return None
        contracts, rulings = self.relations.contracts, self.relations.rulings
        first, known = contracts.first(client, api), contracts.get(key)
        if not (rulings.all_readable(key, api[0]) and (first is None or first.readable)):
            return None
        return ObservedContract(
            contract=contract,
            client=self.relations.client(client),
            api=self._permitted_api(api, key[0]),
            rulings=rulings.deciding(view),
            rival=first if first is not None and first.claim.uid != view.claim.uid else None,
            other_active=contracts.active_count(client) - (known is not None and known.active),
            clock_trusted=self.clock_trusted(),
            gates_lacking=self.gates_lacking(),
            last_use=self.contract_last_use(contract),
        )

    def approval(self, approval: ContractApproval) -> ObservedApproval | None:
        """What a decision about an approval looks at; None while any of it is there but cannot be read (rule 32)."""
        named, namespace = approval.spec.contract, approval.metadata.namespace
        key = (named.namespace, named.name)
        contract = contract_within_say(self.relations.contracts.get(key), namespace)
        if contract is None:
            return ObservedApproval()
        if not (contract.readable and self.relations.rulings.all_readable(key, namespace)):
            return None
        decisive = self.relations.rulings.decisive(contract.claim, approval.spec.plan)
        return ObservedApproval(contract, decisive, self._parties(contract))

    def _parties(self, contract: ContractView) -> Parties | None:
        """The client and the Api that a contract names, by UID; None while one of them is not there."""
        client, api = self.relations.client(client_of(contract)), self.relations.api(contract.claim.api)
        return Parties(client.uid, api.uid) if client is not None and api is not None else None

    def _permitted_api(self, api: NamespacedName, namespace: str) -> ApiView | None:
        """An Api if a namespace may contract it; one that is being deleted, not there or closed reads the same."""
        view = self.relations.api(api)
        if view is None or view.deleting:
            return None
        permitted = may_contract(view.consumers, view.namespace, namespace, self.namespace_labels(namespace))
        return view if permitted else None

    def api_contracts(self, api: NamespacedName) -> ApiContracts:
        """The contracts that name an Api: how many, and the first of those that wait for approval."""
        waiting = tuple(
            PendingContract(
                namespace=view.claim.namespace, name=view.claim.name, client=view.claim.client, plan=view.plan
            )
            for view in self.relations.contracts.first_waiting(api, MAX_PENDING)
        )
        counts, unseen = self.relations.contracts.counts(api), self.unseen_contracts.get(api, 0)
        if unseen:
            counts = counts.model_copy(update={"active": counts.active + unseen})
        return ApiContracts(counts, waiting)
