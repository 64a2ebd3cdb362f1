"""ContractApproval: the provider's yes or no to a contract; it lives in the Api's namespace."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from apiclients.resources.conditions import Condition
from apiclients.resources.fields import Model, Name, RepeatedTime, list_map


class Decision(StrEnum):
    """What the provider says."""

    APPROVED = "Approved"
    REJECTED = "Rejected"


class ContractReference(Model):
    namespace: Annotated[Name, Field(description="Namespace of the contract.")]
    name: Annotated[Name, Field(description="Name of the contract.")]


class ContractApprovalSpec(Model):
    contract: Annotated[ContractReference, Field(description="The contract.")]
    client: Annotated[Name, Field(description="The client that the contract names.")]
    api: Annotated[Name, Field(description="The Api, in this namespace.")]
    plan: Annotated[Name, Field(description="The plan that the contract names.")]
    decision: Annotated[Decision, Field(description="Approved or Rejected.")]
    reason: Annotated[str | None, Field(max_length=1024, description="Shown to the consumer.")] = None


class Binding(Model):
    """An approval speaks of one contract by UID, not of every later one of its name."""

    contract_uid: Annotated[str, Field(max_length=64, description="UID of the contract that this speaks of.")]
    generation: Annotated[int, Field(ge=0, description="Generation of the approval that was bound.")]
    client_uid: Annotated[
        str | None, Field(max_length=64, description="UID of the client for which the contract came into force.")
    ] = None
    api_uid: Annotated[
        str | None, Field(max_length=64, description="UID of the Api for which the contract came into force.")
    ] = None


class ContractApprovalStatus(Model):
    """What the operator observed. The operator alone writes it."""

    observed_generation: Annotated[int, Field(ge=-1, description="The generation that was last observed.")] = -1
    bound: Annotated[Binding | None, Field(description="The contract that it counts for.")] = None
    repeated_time: RepeatedTime = None
    conditions: Annotated[
        list[Condition],
        Field(max_length=16, description="Conditions; Ready tells whether it counts."),
        list_map("type"),
    ] = Field(default_factory=list)
