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
    ENFORCED = "Enforced"
    SECRET_READY = "SecretReady"
    EXPIRING_SOON = "ExpiringSoon"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


CONDITIONS: dict[ConditionType, str] = {
    ConditionType.READY: "The operator has done all that it can. Also True while suspended, retired or held.",
    ConditionType.ACTIVE: "It is usable now: tokens are accepted, calls pass, the hold stops.",
    ConditionType.ENFORCED: "Every living gate obeys the desired status and the holds. Unknown while no gate lives.",
    ConditionType.SECRET_READY: "The Secret holds a current credential that has not expired.",
    ConditionType.EXPIRING_SOON: (
        "The secret expires within renewBefore, or has expired; the contract ends within a week."
    ),
    ConditionType.RECONCILING: "The operator is still retrying. Present only when True.",
    ConditionType.STALLED: "Only a person can fix it; the message says how. Present only when True.",
}


class Reason(StrEnum):
    """Why a condition is as it is. What each means is in ``resources.reasons``."""

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
    SECRET_EDITED = "SecretEdited"
    SECRET_DELETING = "SecretDeleting"
    SECRET_REMOVED = "SecretRemoved"
    TOO_MANY_SECRETS = "TooManySecrets"
    TEMPLATE_REFUSED = "TemplateRefused"
    INVALID_SPEC = "InvalidSpec"
    CLOCK_SKEW = "ClockSkew"
    WRITE_FAILED = "WriteFailed"
    ACKNOWLEDGEMENT_REQUIRED = "AcknowledgementRequired"
    GATE_TOO_OLD = "GateTooOld"
    ENFORCED = "Enforced"
    WAITING = "Waiting"
    NO_GATES = "NoGates"
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
    ENDED = "Ended"
    ENDS_SOON = "EndsSoon"
    #: Of an Event alone.
    OVERLAP_UNUSED = "OverlapUnused"
    TOO_MANY_CONTRACTS = "TooManyContracts"
    COUNTED = "Counted"
    CONTRACT_NOT_FOUND = "ContractNotFound"
    MISMATCH = "Mismatch"
    OUTVOTED = "Outvoted"
    HOLDING = "Holding"
    HOLD_EXPIRED = "HoldExpired"
    UNREADABLE = "Unreadable"
    TRUSTED = "Trusted"
    FETCHING_KEYS = "FetchingKeys"
    FETCH_FAILED = "FetchFailed"
    KEYS_STALE = "KeysStale"
    DUPLICATE_ISSUER = "DuplicateIssuer"
    ISSUER_NOT_FOUND = "IssuerNotFound"
    IDENTITY_NOT_GRANTED = "IdentityNotGranted"
    IDENTITY_TAKEN = "IdentityTaken"


ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(Model):
    """One observation, as metav1.Condition."""

    type: Annotated[str, Field(max_length=316, description="The type of the condition.")]
    status: Annotated[ConditionStatus, Field(description="True, False or Unknown.")]
    reason: Annotated[
        str,
        Field(
            min_length=1, max_length=1024, description="The reason for the status, for programs: one CamelCase word."
        ),
    ]
    message: Annotated[str, Field(max_length=MAX_MESSAGE, description="Why, for people.")] = ""
    observed_generation: Annotated[
        int | None, Field(ge=0, description="The generation that the condition was set for.")
    ] = None
    last_transition_time: Annotated[Time, Field(description="When the status last changed.")]
