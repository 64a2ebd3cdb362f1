"""ApiClient: one version of one consumer program."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from apiclients.resources.conditions import Condition
from apiclients.resources.fields import (
    LABEL_VALUE_PATTERN,
    LIST_ATOMIC,
    LIST_SET,
    Model,
    Name,
    SecretLifetime,
    SecretName,
    Span,
    Time,
    TokenLifetime,
    list_map,
    parse_duration,
)

MAX_CREDENTIALS = 5
MAX_HISTORY = 20
MAX_CONTRACTS = 256
MAX_HOLDS = 16


class DesiredStatus(StrEnum):
    """What can be desired; nothing else can."""

    AVAILABLE = "Available"
    SUSPENDED = "Suspended"
    RETIRED = "Retired"


class ObservedStatus(StrEnum):
    """What can be observed: the wish in force, or what the clock made of it."""

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
        Field(description="Tokens issued before this time are dead for good. RFC 3339, not in the future."),
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
    owner: Annotated[_Text | None, Field(description="Whom to ask: a person, a team, an address.")] = None
    secret: Annotated[SecretSpec, Field(description="The client's secret and how it is renewed.")] = Field(
        default_factory=SecretSpec
    )
    tokens: Annotated[TokensSpec, Field(description="The client's access tokens.")] = Field(default_factory=TokensSpec)
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
        str, Field(max_length=63, description="Why it was issued: First, Age, Revision, Request, Missing, ...")
    ]


class SecretStatus(Model):
    name: Annotated[SecretName, Field(description="Name of the Secret.")]
    resource_version: Annotated[
        str,
        Field(max_length=64, description="Version of the Secret that was last found right; any other version is read."),
    ]


class TokensStatus(Model):
    not_before: Annotated[Time, Field(description="Tokens issued before this time are dead for good.")]


class RetirementStatus(Model):
    retired_time: Annotated[Time, Field(description="When the retirement was accepted.")]
    final_time: Annotated[Time, Field(description="When it is, or was, final: the end of the grace period.")]


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
        str | None, Field(max_length=128, description="Field manager that last set spec.desiredStatus.")
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
        DesiredStatus | None, Field(description="The wish in force: what spec said when it was last accepted.")
    ] = None
    desired_generation: Annotated[
        int | None,
        Field(ge=0, description="The generation whose wish was last considered, also while reconciling goes on."),
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
    secret: Annotated[SecretStatus | None, Field(description="The Secret as last found right.")] = None
    tokens: Annotated[TokensStatus | None, Field(description="What holds for the client's tokens.")] = None
    retirement: Annotated[RetirementStatus | None, Field(description="Present while retired.")] = None
    contracts: Annotated[ClientContracts | None, Field(description="The client's contracts.")] = None
    holds: Annotated[
        list[HoldStatus],
        Field(max_length=MAX_HOLDS, description="Holds that stop the client, capped."),
        list_map("name"),
    ] = Field(default_factory=list)
    conditions: Annotated[
        list[Condition], Field(max_length=16, description="Conditions; wait on Ready or Active."), list_map("type")
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
