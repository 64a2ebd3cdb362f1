"""Condition types and reasons. They are API: people script against them, so none is renamed or reused.

Conditions follow the Kubernetes API conventions ("Typical status properties"): ``Ready`` says that the operator has
done all that it can, ``Active`` that the client is usable now. ``Reconciling`` and ``Stalled`` are present only when
True (kstatus), see DESIGN rule 24.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from apiclients.resources.fields import Model, Time

#: The longest message (the bound of ``metav1.Condition``); longer ones are cut.
MAX_MESSAGE = 32768


class ConditionType(StrEnum):
    """What a condition speaks of."""

    READY = "Ready"
    ACTIVE = "Active"
    SECRET_READY = "SecretReady"
    EXPIRING_SOON = "ExpiringSoon"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


CONDITIONS: dict[ConditionType, str] = {
    ConditionType.READY: "The operator has done all that it can. Also True while suspended, retired or held.",
    ConditionType.ACTIVE: "It is usable now: tokens are accepted, calls pass, the hold stops.",
    ConditionType.SECRET_READY: "The Secret holds a current credential that has not expired.",
    ConditionType.EXPIRING_SOON: "The secret expires within renewBefore, or has expired.",
    ConditionType.RECONCILING: "The operator goes on trying. Present only when True.",
    ConditionType.STALLED: "Only a person can mend it; the message says how. Present only when True.",
}


class Reason(StrEnum):
    """Why a condition is as it is. The sentence of each is in :data:`REASONS`."""

    AVAILABLE = "Available"
    SUSPENDED = "Suspended"
    RETIRED = "Retired"
    EXPIRED = "Expired"
    HELD = "Held"
    PENDING = "Pending"
    DELETING = "Deleting"
    ISSUED = "Issued"
    ROTATION_OVERLAP = "RotationOverlap"
    ROTATION_DUE = "RotationDue"
    FRESH = "Fresh"
    SECRET_MISSING = "SecretMissing"
    SECRET_CONFLICT = "SecretConflict"
    SECRET_REMOVED = "SecretRemoved"
    TOO_MANY_SECRETS = "TooManySecrets"
    INVALID_SPEC = "InvalidSpec"
    CLOCK_SKEW = "ClockSkew"
    WRITE_FAILED = "WriteFailed"
    ACKNOWLEDGEMENT_REQUIRED = "AcknowledgementRequired"
    PUBLISHED = "Published"
    RETIREMENT_IS_FINAL = "RetirementIsFinal"
    ACTIVE = "Active"
    CLIENT_NOT_FOUND = "ClientNotFound"
    API_NOT_FOUND = "ApiNotFound"
    PLAN_NOT_FOUND = "PlanNotFound"
    PENDING_APPROVAL = "PendingApproval"
    REJECTED = "Rejected"
    CONFLICT = "Conflict"
    CLIENT_RETIRED = "ClientRetired"
    API_RETIRED = "ApiRetired"
    TOO_MANY_CONTRACTS = "TooManyContracts"
    COUNTED = "Counted"
    CONTRACT_NOT_FOUND = "ContractNotFound"
    MISMATCH = "Mismatch"
    OUTVOTED = "Outvoted"
    HOLDING = "Holding"
    HOLD_EXPIRED = "HoldExpired"


REASONS: dict[Reason, str] = {
    Reason.AVAILABLE: "The client is available: its tokens are accepted and new ones are issued.",
    Reason.SUSPENDED: "The client is suspended: everything it holds is refused and kept for the resumption.",
    Reason.RETIRED: "The client is retired: it is refused, and destroyed once the grace period is over.",
    Reason.EXPIRED: "The secret has expired: issued tokens live on, new ones need a new secret.",
    Reason.HELD: "A hold stops the client until it is released or expires.",
    Reason.PENDING: "The operator has not finished the first issue of the client's secret.",
    Reason.DELETING: "The client is being deleted: everything it holds is refused.",
    Reason.ISSUED: "The Secret holds the current credential.",
    Reason.ROTATION_OVERLAP: "The Secret holds the current credential; the previous one is still valid.",
    Reason.ROTATION_DUE: "The secret is close to its expiry, within renewBefore.",
    Reason.FRESH: "The secret is not close to its expiry.",
    Reason.SECRET_MISSING: "The Secret is not there and is not issued anew while the client is not available.",
    Reason.SECRET_CONFLICT: "The Secret is not the operator's, or somebody else keeps changing it.",
    Reason.SECRET_REMOVED: "The Secret was removed because the client is retired.",
    Reason.TOO_MANY_SECRETS: "As many secrets overlap as status can hold; the next one waits for the first to end.",
    Reason.INVALID_SPEC: "The spec asks for something that cannot be obeyed; the message says what to change.",
    Reason.CLOCK_SKEW: "The operator's clock disagrees with the API server's; nothing irreversible is done.",
    Reason.WRITE_FAILED: "A write was refused or failed; the operator tries again.",
    Reason.ACKNOWLEDGEMENT_REQUIRED: "The retirement would end active contracts that are not acknowledged.",
    Reason.PUBLISHED: "The API is published: it can be contracted and called.",
    Reason.RETIREMENT_IS_FINAL: "The API's retirement is final: publish a new version under another name.",
    Reason.ACTIVE: "The contract is in force.",
    Reason.CLIENT_NOT_FOUND: "There is no such ApiClient in this namespace (yet).",
    Reason.API_NOT_FOUND: "There is no such Api that this namespace may contract (yet).",
    Reason.PLAN_NOT_FOUND: "The Api has no such plan.",
    Reason.PENDING_APPROVAL: "The contract waits for a ContractApproval from the Api's owner.",
    Reason.REJECTED: "The Api's owner has rejected the contract.",
    Reason.CONFLICT: "An older contract of the same client for the same Api counts.",
    Reason.CLIENT_RETIRED: "The client is retired: its contracts have ended.",
    Reason.API_RETIRED: "The Api is retired: contracts to it have ended.",
    Reason.TOO_MANY_CONTRACTS: "The client has as many active contracts as there can be.",
    Reason.COUNTED: "The approval counts for its contract.",
    Reason.CONTRACT_NOT_FOUND: "There is no such contract (yet).",
    Reason.MISMATCH: "The approval does not match its contract, or speaks of an earlier contract of that name.",
    Reason.OUTVOTED: "Another approval rejects the same contract, and a rejection wins.",
    Reason.HOLDING: "The hold stops the clients that it matches.",
    Reason.HOLD_EXPIRED: "The hold has expired and stops nobody.",
}


class Condition(Model):
    """One observation, as metav1.Condition."""

    type: Annotated[str, Field(max_length=316, description="What the condition speaks of.")]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="True, False or Unknown.")]
    reason: Annotated[str, Field(min_length=1, max_length=1024, description="Why, for programs: one CamelCase word.")]
    message: Annotated[str, Field(max_length=MAX_MESSAGE, description="Why, for people.")] = ""
    observed_generation: Annotated[int | None, Field(ge=0, description="The generation that this speaks of.")] = None
    last_transition_time: Annotated[Time, Field(description="When the status last changed.")]
