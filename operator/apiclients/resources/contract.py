"""Contract: one client version consumes one API under one plan."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from apiclients.resources.conditions import Condition
from apiclients.resources.fields import Model, Name, RepeatedTime, Time, list_map


class ContractStatusName(StrEnum):
    """What is observed of a contract."""

    PENDING = "Pending"
    PENDING_APPROVAL = "PendingApproval"
    ACTIVE = "Active"
    REJECTED = "Rejected"
    INACTIVE = "Inactive"


class Grant(StrEnum):
    """What let a plan into force."""

    AUTOMATIC = "Automatic"
    APPROVAL = "Approval"


class ApiReference(Model):
    namespace: Annotated[Name, Field(description="Namespace of the Api.")]
    name: Annotated[Name, Field(description="Name of the Api.")]


class ContractSpec(Model):
    client_name: Annotated[Name, Field(description="The ApiClient, in this namespace.")]
    api: Annotated[ApiReference, Field(description="The Api.")]
    plan: Annotated[
        Name, Field(description="The plan. It may be edited: the old one stays in force until the new one is.")
    ]
    end_time: Annotated[
        Time | None,
        Field(
            description="The contract ends by itself at this time, which may be moved. Unset: it stays until deleted."
        ),
    ] = None


class PlanInForce(Model):
    plan: Annotated[str, Field(max_length=63, description="The plan under which calls are let through.")]
    client_name: Annotated[str, Field(max_length=63, description="The client that it holds for.")]
    client_uid: Annotated[str, Field(max_length=64, description="UID of that client.")]
    api: Annotated[ApiReference, Field(description="The Api that it holds for.")]
    api_uid: Annotated[str, Field(max_length=64, description="UID of that Api.")]
    granted_by: Annotated[Grant, Field(description="Automatic, or an approval, which must stay.")]


class ContractStatus(Model):
    """What the operator observed. The operator alone writes it."""

    observed_generation: Annotated[int, Field(ge=-1, description="The generation that was last observed.")] = -1
    observed_status: Annotated[
        ContractStatusName | None, Field(description="Pending, PendingApproval, Active, Rejected or Inactive.")
    ] = None
    in_force: Annotated[
        PlanInForce | None, Field(description="What is, or was before the client or Api was retired, in force.")
    ] = None
    last_used_time: Annotated[
        Time | None,
        Field(description="When a call under it was last let through by any gate, to the hour; absent while never."),
    ] = None
    repeated_time: RepeatedTime = None
    conditions: Annotated[
        list[Condition], Field(max_length=16, description="Conditions; wait on Ready or Active."), list_map("type")
    ] = Field(default_factory=list)
