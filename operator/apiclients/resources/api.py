"""Api: something that can be consumed."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from apiclients.resources.conditions import Condition
from apiclients.resources.fields import (
    LIST_SET,
    Model,
    Name,
    RepeatedTime,
    Span,
    Time,
    TokenLifetime,
    list_map,
    parse_duration,
)
from apiclients.resources.selectors import LabelSelector

MAX_PLANS = 32
MAX_PENDING = 64

_Text = Annotated[str, Field(max_length=253)]
#: RFC 6749, section 3.3: scope-token.
SCOPE_PATTERN = r"^[\x21\x23-\x5B\x5D-\x7E]+$"
Scope = Annotated[str, Field(min_length=1, max_length=128, pattern=SCOPE_PATTERN)]

#: An https URL as RFC 9728 section 1.2 has it, in one spelling: compared letter by letter.
PUBLIC_URL_PATTERN = r"^https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~-]+)*/?$"
PublicUrl = Annotated[str, Field(max_length=512, pattern=PUBLIC_URL_PATTERN)]


class ApiStatusName(StrEnum):
    """What can be desired of an Api, and what is observed of it."""

    PUBLISHED = "Published"
    RETIRED = "Retired"


class Approval(StrEnum):
    """Who lets a contract in under a plan."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class ConsumersFrom(StrEnum):
    """Which namespaces may contract."""

    SAME = "Same"
    ALL = "All"
    SELECTOR = "Selector"


class RateLimit(Model):
    requests: Annotated[int, Field(ge=1, le=1_000_000_000, description="How many requests.")]
    window: Annotated[TokenLifetime, Field(description="In what time, such as 1m.")]


class Plan(Model):
    name: Annotated[Name, Field(description="Name of the plan; contracts refer to it.")]
    display_name: Annotated[_Text | None, Field(description="A name for people.")] = None
    approval: Annotated[
        Approval,
        Field(description="Automatic, which is the default: in force at once. Manual: waits for a ContractApproval."),
    ] = Approval.AUTOMATIC
    scopes: Annotated[list[Scope], Field(max_length=64, description="OAuth scopes that the plan covers."), LIST_SET] = (
        Field(default_factory=list)
    )
    rate_limit: Annotated[
        RateLimit | None, Field(description="Handed to the gateway with every call; the gateway enforces it.")
    ] = None


class Consumers(Model):
    from_: Annotated[
        ConsumersFrom,
        Field(alias="from", description="Same: this namespace. All: every namespace. Selector: by namespace labels."),
    ] = ConsumersFrom.SAME
    selector: Annotated[
        LabelSelector | None, Field(description="With from: Selector: the labels of namespaces that may contract.")
    ] = None


class ApiRetirement(Model):
    acknowledged_contract_count: Annotated[
        int, Field(ge=0, le=1_000_000, description="How many active contracts the retirement is known to end.")
    ] = 0
    grace_period: Annotated[
        Span, Field(description="Calls are refused at once; after this time the retirement is final.")
    ] = parse_duration("24h")


class ApiSpec(Model):
    desired_status: Annotated[
        ApiStatusName, Field(description="Published: can be called. Retired: refused, final after the grace period.")
    ]
    version: Annotated[_Text | None, Field(description="The version of the API, such as v1.")] = None
    display_name: Annotated[_Text | None, Field(description="A name for people.")] = None
    public_url: Annotated[
        PublicUrl | None,
        Field(
            alias="publicURL",
            description="Where clients call the API: they find its issuer from there (RFC 9728), may name it as "
            "resource, and tokens have it as an audience too. Of several Apis with the same one the oldest has it.",
        ),
    ] = None
    plans: Annotated[
        list[Plan],
        Field(min_length=1, max_length=MAX_PLANS, description="Under what terms the API can be consumed."),
        list_map("name"),
    ]
    consumers: Annotated[Consumers, Field(description="Which namespaces may contract.")] = Field(
        default_factory=Consumers
    )
    retirement: Annotated[ApiRetirement, Field(description="How the API is retired.")] = Field(
        default_factory=ApiRetirement
    )


class ContractCounts(Model):
    active: Annotated[int, Field(ge=0, description="Contracts in force.")] = 0
    pending: Annotated[int, Field(ge=0, description="Contracts that wait for something or somebody.")] = 0
    rejected: Annotated[int, Field(ge=0, description="Contracts that were rejected.")] = 0


class PendingContract(Model):
    namespace: Annotated[str, Field(max_length=63, description="Namespace of the contract.")]
    name: Annotated[str, Field(max_length=63, description="Name of the contract.")]
    client: Annotated[str, Field(max_length=63, description="The client.")]
    plan: Annotated[str, Field(max_length=63, description="The plan that waits for approval.")]


class ApiRetirementStatus(Model):
    retired_time: Annotated[Time, Field(description="When the retirement was accepted.")]
    final_time: Annotated[Time, Field(description="When it is, or was, final.")]
    final: Annotated[bool, Field(description="Whether the grace period is over: it cannot be undone.")] = False


class ApiStatus(Model):
    """What the operator observed. The operator alone writes it."""

    observed_generation: Annotated[int, Field(ge=-1, description="The generation that was last observed.")] = -1
    observed_status: Annotated[ApiStatusName | None, Field(description="Published or Retired.")] = None
    desired_status: Annotated[
        ApiStatusName | None,
        Field(description="The status in force: what spec said when it was last accepted."),
    ] = None
    audience: Annotated[str | None, Field(max_length=1024, description="The audience of tokens for this API.")] = None
    contracts: Annotated[ContractCounts | None, Field(description="How many contracts there are.")] = None
    pending_contracts: Annotated[
        list[PendingContract],
        Field(max_length=MAX_PENDING, description="Contracts that wait for approval, capped."),
        list_map("namespace", "name"),
    ] = Field(default_factory=list)
    retirement: Annotated[ApiRetirementStatus | None, Field(description="Present once retired.")] = None
    repeated_time: RepeatedTime = None
    conditions: Annotated[
        list[Condition], Field(max_length=16, description="Conditions; wait on Ready."), list_map("type")
    ] = Field(default_factory=list)
