"""ApiClient: one version of one consumer program."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from apiclients.resources.conditions import Condition
from apiclients.resources.fields import (
    LABEL_VALUE_PATTERN,
    LIST_ATOMIC,
    LIST_SET,
    MicroTime,
    Model,
    Name,
    RepeatedTime,
    SecretLifetime,
    SecretName,
    Span,
    Time,
    TokenLifetime,
    list_map,
    parse_duration,
)
from apiclients.resources.tokenissuer import MAX_SUBJECT, Subject

MAX_CREDENTIALS = 5
MAX_HISTORY = 20
MAX_CONTRACTS = 256
MAX_HOLDS = 16
MAX_IDENTITIES = 16
MAX_JWKS = 16_384
#: Members of private and symmetric keys (RFC 7518 sections 6.2.2, 6.3.2 and 6.4), as JSON has them.
PRIVATE_MEMBER_PATTERN = r'"(d|p|q|dp|dq|qi|oth|k)"\s*:'


class DesiredStatus(StrEnum):
    """What can be desired; nothing else can."""

    AVAILABLE = "Available"
    SUSPENDED = "Suspended"
    RETIRED = "Retired"


class ObservedStatus(StrEnum):
    """What can be observed: the desired status in force, or what the clock made of it."""

    PENDING = "Pending"
    AVAILABLE = "Available"
    EXPIRED = "Expired"
    SUSPENDED = "Suspended"
    RETIRED = "Retired"


class Rotation(StrEnum):
    """Who starts a rotation when the secret grows old."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class CredentialState(StrEnum):
    """Current: the one in the Secret. Previous: valid until the overlap of its rotation ends."""

    CURRENT = "Current"
    PREVIOUS = "Previous"


_LabelValue = Annotated[str, Field(max_length=63, pattern=LABEL_VALUE_PATTERN)]
_AnnotationValue = Annotated[str, Field(max_length=1024)]
_Text = Annotated[str, Field(max_length=253)]


class SecretTemplate(Model):
    labels: Annotated[
        dict[str, _LabelValue],
        Field(max_length=32, description="Labels put on the Secret."),
    ] = Field(default_factory=dict)
    annotations: Annotated[
        dict[str, _AnnotationValue],
        Field(max_length=32, description="Annotations put on the Secret."),
    ] = Field(default_factory=dict)


class SecretSpec(Model):
    issue: Annotated[
        bool,
        Field(
            description="false: the client has no secret, and gets in by its identities and keys alone. "
            "A Secret that was issued before goes, and what is in it is refused."
        ),
    ] = True
    name: Annotated[
        SecretName | None,
        Field(description="Name of the Secret that the operator writes. Default: <name>-credentials."),
    ] = None
    lifetime: Annotated[
        SecretLifetime,
        Field(description="How long a secret lives, at most 24 months (17520h). Applies to the next secret."),
    ] = parse_duration("2160h")
    rotation: Annotated[
        Rotation,
        Field(description="Automatic: a new secret is issued renewBefore its expiry. Manual: change revision."),
    ] = Rotation.AUTOMATIC
    renew_before: Annotated[
        Span | None,
        Field(
            description="How long before its expiry a secret counts as expiring soon and, with Automatic, is rotated. "
            "Default: the smaller of 14 days and a third of the lifetime. Must be less than lifetime."
        ),
    ] = None
    overlap: Annotated[
        Span | None,
        Field(
            description="How long the previous secret stays valid after a rotation; 0s for not at all. "
            "Default: the smaller of 24h and renewBefore. Must be less than lifetime."
        ),
    ] = None
    revision: Annotated[
        int, Field(ge=0, le=2_147_483_647, description="Change it to get a new secret now; any other number will do.")
    ] = 1
    not_before: Annotated[
        Time | None,
        Field(
            description="Secrets issued before this time are refused for good, without overlap, and so are the tokens "
            "issued before it; a new secret comes at once. RFC 3339, not in the future."
        ),
    ] = None
    template: Annotated[
        SecretTemplate, Field(description="Labels and annotations for the Secret, for tools that select by them.")
    ] = Field(default_factory=SecretTemplate)


class TokensSpec(Model):
    lifetime: Annotated[
        TokenLifetime,
        Field(description="How long an access token lives, at most 72h. A shorter value cuts issued tokens at once."),
    ] = parse_duration("12h")
    not_before: Annotated[
        Time | None,
        Field(description="Tokens issued before this time are revoked for good. RFC 3339, not in the future."),
    ] = None


class RetirementSpec(Model):
    acknowledged_contracts: Annotated[
        list[Name],
        Field(max_length=MAX_CONTRACTS, description="The contracts that the retirement is known to end."),
        LIST_SET,
    ] = Field(default_factory=list)
    grace_period: Annotated[
        Span,
        Field(
            description="A retired client is refused at once and destroyed after this time. "
            "Reverting in time restores everything."
        ),
    ] = parse_duration("24h")


class Identity(Model):
    """Tokens of a TokenIssuer that are this client's."""

    issuer: Annotated[Name, Field(description="Name of the TokenIssuer.")]
    subject: Annotated[
        Subject | None,
        Field(
            description="The subject of its tokens, letter by letter. "
            "Exactly one of subject and serviceAccountName is needed."
        ),
    ] = None
    service_account_name: Annotated[
        Name | None,
        Field(description="A ServiceAccount of this namespace, with a TokenIssuer that has keys.cluster."),
    ] = None


class ClientKeys(Model):
    """The client's own public keys."""

    jwks: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_JWKS,
            description="A JWKS (RFC 7517) as text, of public keys alone, each with an id (kid). The private ones stay "
            "with the program, which signs client assertions with them (private_key_jwt).",
        ),
    ]


class ApiClientSpec(Model):
    desired_status: Annotated[
        DesiredStatus,
        Field(
            description="Available: works. Suspended: refused until resumed, nothing is lost. "
            "Retired: refused at once, destroyed after the grace period."
        ),
    ]
    client: Annotated[
        Name | None, Field(description="Groups the versions of one program. Default: the object's name.")
    ] = None
    version: Annotated[_Text | None, Field(description="The version of the program, such as 1.0.")] = None
    display_name: Annotated[_Text | None, Field(description="A name for people.")] = None
    description: Annotated[str | None, Field(max_length=1024, description="What the program is for.")] = None
    owner: Annotated[_Text | None, Field(description="The contact: a person, a team, an address.")] = None
    secret: Annotated[SecretSpec, Field(description="The client's secret and how it is renewed.")] = Field(
        default_factory=SecretSpec
    )
    tokens: Annotated[TokensSpec, Field(description="The client's access tokens.")] = Field(default_factory=TokensSpec)
    identities: Annotated[
        list[Identity],
        Field(
            max_length=MAX_IDENTITIES,
            description="Tokens of other issuers that are the client's: accepted and stopped like its own.",
        ),
        LIST_ATOMIC,
    ] = Field(default_factory=list)
    keys: Annotated[
        ClientKeys | None,
        Field(description="The client's own public keys, by which it authenticates at /token without a secret."),
    ] = None
    retirement: Annotated[RetirementSpec, Field(description="How the client is retired.")] = Field(
        default_factory=RetirementSpec
    )


class Credential(Model):
    """One issued secret, without the secret itself."""

    id: Annotated[int, Field(ge=1, description="Counts up; a higher id is newer.")]
    revision: Annotated[int, Field(ge=0, description="spec.secret.revision that it was issued for.")]
    state: Annotated[
        CredentialState, Field(description="Current: in the Secret. Previous: valid until the overlap ends.")
    ]
    issued_time: Annotated[Time, Field(description="When it was issued.")]
    expires_time: Annotated[Time, Field(description="From then on it is refused.")]
    digest: Annotated[
        str, Field(max_length=64, description="HMAC-SHA-256 of the secret, in hex, keyed with the pepper.")
    ]
    pepper: Annotated[str, Field(max_length=63, description="Id of the pepper that keyed the digest.")]
    cause: Annotated[
        str, Field(max_length=63, description="Why it was issued: First, Age, Revision, Request, Revoked, Missing, ...")
    ]
    last_used_time: Annotated[
        Time | None, Field(description="When a token was last issued for it, to the hour; absent while never.")
    ] = None


class SecretStatus(Model):
    name: Annotated[SecretName, Field(description="Name of the Secret.")]
    resource_version: Annotated[
        str,
        Field(max_length=64, description="Version of the Secret that was last found right; any other version is read."),
    ]


class TokensStatus(Model):
    not_before: Annotated[Time, Field(description="Tokens issued before this time are revoked for good.")]


class RetirementStatus(Model):
    retired_time: Annotated[Time, Field(description="When the retirement was accepted.")]
    final_time: Annotated[Time, Field(description="When it is, or was, final: the end of the grace period.")]


class IdentityStatus(Model):
    """An identity in force: tokens of this issuer with this subject are the client's."""

    issuer: Annotated[Name, Field(description="Name of the TokenIssuer.")]
    subject: Annotated[str, Field(max_length=MAX_SUBJECT, description="The subject of its tokens.")]
    since: Annotated[Time, Field(description="From when on; of several claims the oldest counts.")]


class ClientContracts(Model):
    active: Annotated[int, Field(ge=0, description="Contracts in force.")]
    pending: Annotated[int, Field(ge=0, description="Contracts that wait for something or somebody.")]
    rejected: Annotated[int, Field(ge=0, description="Contracts that were rejected.")]
    active_names: Annotated[
        list[Name], Field(max_length=MAX_CONTRACTS, description="Those in force: what a retirement ends."), LIST_SET
    ] = Field(default_factory=list)


class HoldStatus(Model):
    name: Annotated[Name, Field(description="Name of the ApiClientHold.")]
    reason: Annotated[str, Field(max_length=1024, description="Why it was placed.")]
    expires_time: Annotated[Time | None, Field(description="When it ends by itself.")] = None


class Transition(Model):
    """One change of the observed status."""

    time: Annotated[Time, Field(description="When it was observed.")]
    from_status: Annotated[str, Field(alias="from", max_length=32, description="The status before.")]
    to_status: Annotated[str, Field(alias="to", max_length=32, description="The status after.")]
    reason: Annotated[str, Field(max_length=63, description="Why, for programs.")]
    manager: Annotated[
        str | None,
        Field(
            max_length=128,
            description="Field manager that set spec.desiredStatus; absent where a hold, the clock or the operator "
            "made the change.",
        ),
    ] = None


_ResourceVersion = Annotated[str, Field(max_length=20, pattern=r"^[0-9]+$")]


class EnforcementStatus(Model):
    """How far the gates obey the desired status in force and the holds; see the condition Enforced."""

    generation: Annotated[int, Field(ge=0, description="The generation of spec that it is told for.")]
    gates: Annotated[int, Field(ge=0, description="How many gates obeyed it when this was told.")]
    living_gates: Annotated[int, Field(ge=0, description="Of how many that lived.")]
    seen_time: Annotated[MicroTime, Field(description="When the operator first saw what has to be obeyed.")]
    time: Annotated[
        MicroTime | None, Field(description="When it saw that every living gate obeys it; absent while it waits.")
    ] = None
    client_version: Annotated[
        _ResourceVersion | None,
        Field(description="A gate obeys it from this resourceVersion of the client on; absent: from this status on."),
    ] = None
    holds_version: Annotated[
        _ResourceVersion | None,
        Field(description="And from this resourceVersion of holds on; absent where no hold has changed."),
    ] = None


class ApiClientStatus(Model):
    """What the operator observed. The operator alone writes it."""

    observed_generation: Annotated[
        int, Field(ge=-1, description="The generation that was last settled or found stalled; lower while Reconciling.")
    ] = -1
    observed_status: Annotated[
        ObservedStatus | None, Field(description="Pending, Available, Expired, Suspended or Retired.")
    ] = None
    desired_status: Annotated[
        DesiredStatus | None,
        Field(description="The status in force: what spec said when it was last accepted."),
    ] = None
    desired_generation: Annotated[
        int | None,
        Field(ge=0, description="The generation whose desired status was last considered, even while reconciling."),
    ] = None
    client_id: Annotated[
        str | None, Field(max_length=253, description="OAuth client id: <namespace>.<name>.<first 8 of the UID>.")
    ] = None
    credentials: Annotated[
        list[Credential],
        Field(max_length=MAX_CREDENTIALS, description="Issued secrets that may still be valid, newest first."),
        list_map("id"),
    ] = Field(default_factory=list)
    last_credential_id: Annotated[
        int | None, Field(ge=1, description="The highest credential id ever issued; only a higher one is taken over.")
    ] = None
    last_used_time: Annotated[
        Time | None,
        Field(description="When its secret or a token was last accepted by any gate, to the hour; absent while never."),
    ] = None
    secret: Annotated[SecretStatus | None, Field(description="The Secret as last found right.")] = None
    tokens: Annotated[TokensStatus | None, Field(description="What holds for the client's tokens.")] = None
    identities: Annotated[
        list[IdentityStatus],
        Field(max_length=MAX_IDENTITIES, description="The identities in force: granted, and nobody else's."),
        LIST_ATOMIC,
    ] = Field(default_factory=list)
    retirement: Annotated[RetirementStatus | None, Field(description="Present while retired.")] = None
    contracts: Annotated[ClientContracts | None, Field(description="The client's contracts.")] = None
    holds: Annotated[
        list[HoldStatus],
        Field(max_length=MAX_HOLDS, description="Holds that stop the client, capped."),
        list_map("name"),
    ] = Field(default_factory=list)
    enforcement: Annotated[
        EnforcementStatus | None, Field(description="How far the gates obey the desired status and the holds.")
    ] = None
    repeated_time: RepeatedTime = None
    conditions: Annotated[
        list[Condition],
        Field(max_length=16, description="Conditions; wait on Ready, Active or Enforced."),
        list_map("type"),
    ] = Field(default_factory=list)
    history: Annotated[
        list[Transition],
        Field(max_length=MAX_HISTORY, description="The latest changes of observedStatus, newest first."),
        LIST_ATOMIC,
    ] = Field(default_factory=list)
    last_handled_rotate_request: Annotated[
        str | None,
        Field(max_length=253, description="The latest value of the annotation rotate-requested that was answered."),
    ] = None
