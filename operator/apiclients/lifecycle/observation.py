"""What a decision about a client looks at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from apiclients.lifecycle.digests import Stamp
from apiclients.lifecycle.enforcement import Sight
from apiclients.lifecycle.features import Lacking
from apiclients.lifecycle.holds import HoldView
from apiclients.lifecycle.identities import NOTHING_OBSERVED, ObservedIdentities
from apiclients.lifecycle.reports import NO_REPORTS, Reports
from apiclients.lifecycle.template import DEFAULT_TEMPLATE_KEYS, TemplateKeys, permitted
from apiclients.lifecycle.timing import MIN_LIFETIME
from apiclients.lifecycle.usage import LastUse
from apiclients.resources.apiclient import ClientContracts, SecretTemplate
from apiclients.resources.names import GROUP
from apiclients.resources.objects import ApiClient, Metadata


@dataclass(frozen=True, slots=True)
class SecretUnseen:
    """The cache holds no Secret of that name. That proves nothing: it may be late, and foreign ones are not in it."""


@dataclass(frozen=True, slots=True)
class SecretAbsent:
    """The API server said that there is no Secret of that name."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The controlling owner of a Secret. The API group counts, for other groups have kinds of the same name.

    Its version does not: a later version of our own group is ours.
    """

    group: str
    kind: str
    name: str
    uid: str


def owner_from(reference: Mapping[str, Any]) -> Owner:
    """The owner that an entry of ``ownerReferences`` names."""
    group, slash, _version = reference["apiVersion"].partition("/")
    return Owner(group if slash else "", reference["kind"], reference["name"], reference["uid"])


def client_as_owner(client: Metadata) -> Owner:
    """How the Secret of a client names its owner."""
    return Owner(GROUP, "ApiClient", client.name, client.uid)


def client_annotation(client: Metadata) -> str:
    """How the Secret of a client names it once more, for when its owners are lost."""
    return f"{client.name}/{client.uid}"


def annotated_client(value: str) -> Owner | None:
    """The client that an annotation names; None for anything that no operator wrote."""
    name, slash, uid = value.partition("/")
    return Owner(GROUP, "ApiClient", name, uid) if name and slash and uid else None


@dataclass(frozen=True, slots=True)
class SecretMetadata:
    """A Secret as the cache of metadata knows it: no bytes."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    owner: Owner | None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    #: Whether its deletion was asked for; it stays until these have done what they wait for.
    deleting: bool = False
    finalizers: tuple[str, ...] = ()
    #: The client that its annotation names, where it has no owner at all: so a restore leaves it.
    issued_for: Owner | None = None


@dataclass(frozen=True, slots=True)
class SecretRead:
    """A Secret that was read, without its bytes: what they prove is here instead."""

    metadata: SecretMetadata
    type: str
    immutable: bool
    #: Digest of the secret by each known pepper, keyed by the pepper's id; empty when there is no secret in it.
    digests: Mapping[str, str] = field(repr=False)
    #: The stamp, when its MAC verifies with a known pepper for this UID and these bytes.
    stamp: Stamp | None
    #: Whether the public keys (client id, issuer, token endpoint) are as they should be.
    public_data_right: bool
    #: Whether an operator with these keys made it, for the owner that it names, or without owners for the client that
    #: its annotation names: by type, stamp and MAC, and where it has an owner by field manager.
    genuine: bool


def secret_name(secret: SecretMetadata | SecretRead) -> str:
    """The name of a Secret, however it is known."""
    return secret.metadata.name if isinstance(secret, SecretRead) else secret.name


SecretSeen = SecretUnseen | SecretAbsent | SecretMetadata | SecretRead


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues tokens: told to every client in its Secret."""

    url: str

    @property
    def token_endpoint(self) -> str:
        return f"{self.url}/token"


NO_CONTRACTS = ClientContracts(active=0, pending=0, rejected=0)


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that a decision about one client depends on, beside the time."""

    client: ApiClient
    secret: SecretSeen
    issuer: Issuer
    #: Ids of the peppers in the key ring; the last one keys new digests.
    peppers: tuple[str, ...]
    #: Other Secrets that name this client as owner, such as those left where ``spec.secret.name`` was changed.
    other_secrets: tuple[SecretMetadata | SecretRead, ...] = ()
    #: The client's contracts: what a retirement would end.
    contracts: ClientContracts = NO_CONTRACTS
    #: Whether those were taken from a fresh list, as accepting a retirement needs (rule 9).
    contracts_proved: bool = False
    #: Holds that match the client and are in force.
    holds: tuple[HoldView, ...] = ()
    #: What decides about its identities.
    identities: ObservedIdentities = NOTHING_OBSERVED
    #: False while the operator's clock disagrees with the API server's (rule 26).
    clock_trusted: bool = True
    #: Which living gates do not obey which features.
    gates_lacking: Lacking = field(default_factory=dict)
    #: What is known of how far the gates are; None for who does not know the gates.
    sight: Sight | None = None
    #: When it was last used, as gates have reported it; None while there is nothing new.
    last_use: LastUse | None = None
    #: How far the reports of gates go.
    reports: Reports = NO_REPORTS
    #: What ``spec.secret.template`` may set.
    template_keys: TemplateKeys = DEFAULT_TEMPLATE_KEYS
    #: How long secrets and tokens have to live at least.
    min_lifetime: timedelta = MIN_LIFETIME

    @property
    def template(self) -> SecretTemplate:
        """What the Secret is to have of its template."""
        return permitted(self.client.spec.secret.template, self.template_keys)
