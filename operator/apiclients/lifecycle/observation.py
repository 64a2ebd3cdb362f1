"""What a decision about a client looks at."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from apiclients.lifecycle.digests import Stamp
from apiclients.resources.apiclient import ClientContracts
from apiclients.resources.objects import ApiClient, ApiClientHold


@dataclass(frozen=True, slots=True)
class SecretUnseen:
    """The cache holds no Secret of that name. That proves nothing: it may be late, and foreign ones are not in it."""


@dataclass(frozen=True, slots=True)
class SecretAbsent:
    """The API server said that there is no Secret of that name."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The controlling owner of a Secret."""

    kind: str
    name: str
    uid: str


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
    #: Other Secrets of this client, left where ``spec.secret.name`` was changed.
    other_secrets: tuple[SecretMetadata, ...] = ()
    #: The client's contracts: what a retirement would end.
    contracts: ClientContracts = NO_CONTRACTS
    #: Whether those were taken from a fresh list, as accepting a retirement needs (rule 9).
    contracts_proved: bool = False
    #: Holds that match the client and are in force.
    holds: tuple[ApiClientHold, ...] = ()
    #: False while the operator's clock disagrees with the API server's (rule 26).
    clock_trusted: bool = True
