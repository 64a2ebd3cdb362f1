"""What each reason means, what a person can do about it, and which rule of a plan reports it: one row each.

What a message says beyond the row (names, numbers, times) is put together where the decision is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from apiclients.resources.conditions import Reason
from apiclients.resources.plan_rules import (
    CONTRACT_CLASH,
    DANGLING,
    FINAL,
    IDENTITY,
    INVALID_FIELD,
    MISMATCH,
    NO_PLAN,
    SECRET_CLASH,
    TEMPLATE,
    TOO_MANY,
    PlanRule,
)


@dataclass(frozen=True, slots=True)
class PlanFinding:
    """How a plan reports an object whose condition has a reason: by which rule, and at which field."""

    rule: PlanRule
    field: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Meaning:
    """One reason."""

    #: The message, where nothing more can be said.
    message: str
    #: What stands in the way, in a few words, and what to do about it; empty where the message says it.
    problem: str = ""
    remedy: str = ""
    #: None where no plan reports it.
    finding: PlanFinding | None = None


REASONS: Mapping[Reason, Meaning] = {
    Reason.AVAILABLE: Meaning("The client is available: its tokens are accepted and new ones are issued."),
    Reason.SUSPENDED: Meaning(
        "The client is suspended: everything it holds is refused and kept for the resumption.",
        problem="spec asks for a suspension",
        remedy="Nothing is lost. To go on, set in Git:",
    ),
    Reason.RETIRED: Meaning(
        "The client is retired: it is refused, and destroyed once the grace period is over.",
        problem="spec asks for a retirement",
    ),
    Reason.EXPIRED: Meaning(
        "The secret has expired: issued tokens live on, new ones need a new secret.",
        problem="The secret has expired and rotation is Manual",
        remedy="Ask for a new secret: change the revision in Git, or request a rotation.",
    ),
    Reason.HELD: Meaning(
        "A hold stops the client until it is released or expires.",
        problem="A hold stops it",
        remedy="Release it once the reason for it is gone.",
    ),
    Reason.PENDING: Meaning(
        "The operator has not finished the first issue of the client's secret.",
        problem="The first secret is being issued",
        remedy="Wait; if it lasts, look at the operator's log.",
    ),
    Reason.DELETING: Meaning(
        "The client is being deleted: everything it holds is refused.",
        problem="It is being deleted",
        remedy="This cannot be undone. Create it again: it gets a new client id.",
    ),
    Reason.ISSUED: Meaning("The Secret holds the current credential."),
    Reason.ROTATION_OVERLAP: Meaning("The Secret holds the current credential; the previous one is still valid."),
    Reason.ROTATION_DUE: Meaning("The secret is close to its expiry, within renewBefore."),
    Reason.OVERLAP_UNUSED: Meaning(
        "An overlap has ended in which nobody used the previous secret, as far as gates have reported; an Event alone."
    ),
    Reason.FRESH: Meaning("The secret is not close to its expiry."),
    Reason.SECRET_MISSING: Meaning("The Secret is not there. The message says what a new one waits for."),
    Reason.SECRET_CONFLICT: Meaning(
        "The Secret is not the operator's, or somebody else keeps changing it.",
        problem="Somebody else writes its Secret",
        finding=PlanFinding(
            SECRET_CLASH,
            (
                "spec",
                "secret",
                "name",
            ),
        ),
    ),
    Reason.SECRET_EDITED: Meaning("Somebody else changed the Secret; the secret issued before stays valid."),
    Reason.SECRET_DELETING: Meaning(
        "A Secret of the operator's has to go and is still there, such as for a finalizer.",
        problem="Its Secret is being deleted",
        remedy="Wait for whoever put the finalizers there, or remove those that nobody answers for.",
    ),
    Reason.SECRET_REMOVED: Meaning("The Secret was removed because the client is retired."),
    Reason.TOO_MANY_SECRETS: Meaning(
        "As many secrets overlap as status can hold; the next one waits for the first to end.",
        problem="Too many secrets overlap",
    ),
    Reason.TEMPLATE_REFUSED: Meaning(
        "The Secret's template has labels or annotations that are not allowed and left out.",
        problem="A label or annotation of its Secret's template is not allowed",
        finding=PlanFinding(TEMPLATE, ("spec", "secret", "template")),
    ),
    Reason.INVALID_SPEC: Meaning(
        "The spec asks for something that cannot be obeyed; the message says what to change.",
        problem="spec cannot be obeyed",
        finding=PlanFinding(INVALID_FIELD, ("spec",)),
    ),
    Reason.CLOCK_SKEW: Meaning(
        "The operator's clock disagrees with the API server's; nothing irreversible is done.",
        problem="The operator's clock is wrong",
        remedy="Set the clock of the operator's node right (NTP), or that of the API server; "
        "then it goes on by itself.",
    ),
    Reason.WRITE_FAILED: Meaning(
        "A write was refused or failed. The operator is still retrying.", problem="The operator cannot write its Secret"
    ),
    Reason.ACKNOWLEDGEMENT_REQUIRED: Meaning(
        "The retirement would end active contracts that are not acknowledged.",
        problem="The retirement ends contracts that it does not name",
        remedy="Name all of them in Git, or go back to another desiredStatus.",
    ),
    Reason.GATE_TOO_OLD: Meaning(
        "A field of spec restricts something, and a gate that lives is too old to obey it; the message says which.",
        problem="A gate does not obey a field of its spec",
        remedy="Upgrade the gates that are named above, or take the field out of spec.",
    ),
    Reason.ENFORCED: Meaning("Every living gate obeys the desired status and the holds."),
    Reason.WAITING: Meaning(
        "Not every living gate obeys the desired status and the holds yet; the message names those that do not."
    ),
    Reason.NO_GATES: Meaning("No gate lives, so nobody can say that it is obeyed."),
    Reason.PUBLISHED: Meaning("The API is published: it can be contracted and called."),
    Reason.RETIREMENT_IS_FINAL: Meaning(
        "The API's retirement is final: publish a new version under another name.",
        finding=PlanFinding(
            FINAL,
            (
                "spec",
                "desiredStatus",
            ),
        ),
    ),
    Reason.ACTIVE: Meaning("The contract is in force."),
    Reason.CLIENT_NOT_FOUND: Meaning(
        "There is no such ApiClient in this namespace (yet).",
        finding=PlanFinding(
            DANGLING,
            (
                "spec",
                "clientName",
            ),
        ),
    ),
    Reason.API_NOT_FOUND: Meaning(
        "There is no such Api that this namespace may contract (yet).",
        remedy="Check spec.api, or ask its owner to let this namespace in (spec.consumers of the Api).",
        finding=PlanFinding(
            DANGLING,
            (
                "spec",
                "api",
            ),
        ),
    ),
    Reason.PLAN_NOT_FOUND: Meaning(
        "The Api has no such plan.",
        finding=PlanFinding(
            NO_PLAN,
            (
                "spec",
                "plan",
            ),
        ),
    ),
    Reason.PENDING_APPROVAL: Meaning("The contract waits for a ContractApproval from the Api's owner."),
    Reason.REJECTED: Meaning(
        "The Api's owner has rejected the contract.", remedy="Ask the Api's owner, or choose another plan."
    ),
    Reason.CONFLICT: Meaning(
        "An older contract of the same client for the same Api is in force.",
        finding=PlanFinding(
            CONTRACT_CLASH,
            (
                "spec",
                "clientName",
            ),
        ),
    ),
    Reason.CLIENT_RETIRED: Meaning("The client is retired: its contracts have ended."),
    Reason.API_RETIRED: Meaning(
        "The Api is retired: contracts to it have ended.",
        remedy="The Api is retired: contract its successor, and delete this contract.",
    ),
    Reason.ENDED: Meaning(
        "The contract has ended by its endTime.",
        remedy="Its endTime has come. To go on, move spec.endTime in Git; else delete it.",
    ),
    Reason.ENDS_SOON: Meaning("The contract ends within a week, by its endTime."),
    Reason.TOO_MANY_CONTRACTS: Meaning(
        "The client has as many active contracts as there can be.",
        finding=PlanFinding(
            TOO_MANY,
            (
                "spec",
                "clientName",
            ),
        ),
    ),
    Reason.COUNTED: Meaning("The approval counts for its contract."),
    Reason.CONTRACT_NOT_FOUND: Meaning(
        "There is no such contract (yet).",
        finding=PlanFinding(
            DANGLING,
            (
                "spec",
                "contract",
            ),
        ),
    ),
    Reason.MISMATCH: Meaning(
        "The approval does not match its contract, or speaks of an earlier contract of that name.",
        finding=PlanFinding(MISMATCH, ("spec",)),
    ),
    Reason.OUTVOTED: Meaning("Another approval rejects the same contract, and a rejection wins."),
    Reason.HOLDING: Meaning("The hold stops the clients that it matches."),
    Reason.HOLD_EXPIRED: Meaning("The hold has expired and stops nobody."),
    Reason.TRUSTED: Meaning("Tokens of the issuer are recognised."),
    Reason.FETCHING_KEYS: Meaning("The keys of the issuer have not been found yet: its tokens are refused."),
    Reason.FETCH_FAILED: Meaning("The keys of the issuer cannot be fetched. The operator is still retrying."),
    Reason.KEYS_STALE: Meaning("The keys of the issuer have not been found for too long: its tokens get 503."),
    Reason.DUPLICATE_ISSUER: Meaning(
        "An older TokenIssuer stands for the same issuer: this one counts for nothing.",
        finding=PlanFinding(INVALID_FIELD, ("spec", "issuer")),
    ),
    Reason.ISSUER_NOT_FOUND: Meaning(
        "There is no such TokenIssuer (yet).",
        problem="An identity names a TokenIssuer that is not there",
        remedy="Correct spec.identities, or ask the administrators of the cluster for the TokenIssuer.",
        finding=PlanFinding(DANGLING, ("spec", "identities")),
    ),
    Reason.IDENTITY_NOT_GRANTED: Meaning(
        "The TokenIssuer does not grant the subject to this namespace.",
        problem="An identity is not granted to this namespace",
        remedy="Ask the administrators of the cluster for a grant in spec.subjects of the TokenIssuer.",
        finding=PlanFinding(IDENTITY, ("spec", "identities")),
    ),
    Reason.IDENTITY_TAKEN: Meaning(
        "Another client claimed the same subject before.",
        problem="An identity belongs to another client",
        remedy="Take it out of one of the two clients.",
        finding=PlanFinding(IDENTITY, ("spec", "identities")),
    ),
    Reason.UNREADABLE: Meaning(
        "This version cannot read it: it stays as it is and counts as the most restrictive it could be."
    ),
}
