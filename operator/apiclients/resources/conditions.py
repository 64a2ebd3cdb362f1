"""Condition types and reasons. They are API: people script against them, so none is renamed or reused.

Conditions follow the Kubernetes API conventions ("Typical status properties"): ``Ready`` says that the operator has
done all that it can, ``Active`` that the client is usable now. ``Reconciling`` and ``Stalled`` are present only when
True (kstatus), see DESIGN rule 24.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from apiclients.resources.fields import Model, Time


class ConditionType(StrEnum):
    """What a condition speaks of."""

    READY = "Ready"
    ACTIVE = "Active"
    SECRET_READY = "SecretReady"
    EXPIRING_SOON = "ExpiringSoon"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


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
}


class Condition(Model):
    """One observation, as ``metav1.Condition``."""

    type: Annotated[str, Field(max_length=316, description="What the condition speaks of.")]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="True, False or Unknown.")]
    reason: Annotated[str, Field(min_length=1, max_length=1024, description="Why, for programs: one CamelCase word.")]
    message: Annotated[str, Field(max_length=32768, description="Why, for people.")] = ""
    observed_generation: Annotated[int | None, Field(ge=0, description="The generation that this speaks of.")] = None
    last_transition_time: Annotated[Time, Field(description="When the status last changed.")]
