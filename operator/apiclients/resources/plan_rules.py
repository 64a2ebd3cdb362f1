"""The rules of ``kubectl apiclient plan``. Ids are API: none is renamed or used again for something else.

They stand beside the reasons of conditions, which name them: what stalls an object live is a finding before a merge.
"""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is; the words are SARIF's."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class PlanRule:
    """One rule: ``name`` for programs, ``summary`` in one sentence, ``help`` what to do."""

    id: str
    name: str
    level: Level
    summary: str
    help: str
    #: The class ``invalid``: what it finds is refused by the API server, or cannot be read at all.
    invalid: bool = False
    #: Shown also where base has it as well: it puts the rest of the plan in doubt.
    always_shown: bool = False

    @property
    def anchor(self) -> str:
        """The part of an address that leads to its section in ``docs/plan-rules.md``."""
        return f"{self.id.lower()}-{self.name}"


UNACKNOWLEDGED = PlanRule(
    "APIC001",
    "unacknowledged-contracts",
    Level.ERROR,
    "A retirement or deletion would end active contracts that are not acknowledged.",
    "Name every active contract in spec.retirement.acknowledgedContracts (of an Api: set acknowledgedContractCount).",
)
DUPLICATE = PlanRule(
    "APIC002",
    "duplicate-object",
    Level.ERROR,
    "The same object is declared more than once.",
    "Delete one of the two: which one wins depends on the order in which files are applied.",
)
EMPTY_MAP = PlanRule(
    "APIC003",
    "empty-metadata",
    Level.WARNING,
    "Empty annotations, labels or finalizers in Git make GitOps tools see a difference for ever.",
    "Remove the empty field.",
)
INVALID_YAML = PlanRule(
    "APIC004",
    "invalid-yaml",
    Level.ERROR,
    "A document that mentions apiclients.dev is not valid YAML, or not UTF-8.",
    "Fix the file. Templates must be rendered first: pipe `helm template` or `kubectl kustomize` into --head -.",
    invalid=True,
    always_shown=True,
)
INVALID_FIELD = PlanRule(
    "APIC005",
    "invalid-field",
    Level.ERROR,
    "A field does not have the form that the API server demands.",
    "Fix the value: the API server refuses the whole object.",
    invalid=True,
    always_shown=True,
)
NO_DESIRED_STATUS = PlanRule(
    "APIC006",
    "missing-desired-status",
    Level.ERROR,
    "spec.desiredStatus is missing; it has no default.",
    "Say what is desired: Available, Suspended or Retired; for an Api Published or Retired.",
    invalid=True,
    always_shown=True,
)
UNKNOWN_FIELD = PlanRule(
    "APIC007",
    "unknown-field",
    Level.ERROR,
    "There is no such field; it would be refused, or dropped without a word.",
    "Remove it or fix its spelling.",
    invalid=True,
    always_shown=True,
)
FUTURE_NOT_BEFORE = PlanRule(
    "APIC008",
    "not-before-in-future",
    Level.ERROR,
    "A notBefore, of the secret or of the tokens, lies in the future and is not obeyed.",
    "Set a time that has passed, such as the present.",
)
LONG_OVERLAP = PlanRule(
    "APIC009",
    "overlap-not-below-lifetime",
    Level.ERROR,
    "spec.secret.overlap is not below spec.secret.lifetime and is not obeyed.",
    "Lower overlap or remove it.",
)
LONG_RENEW_BEFORE = PlanRule(
    "APIC010",
    "renew-before-not-below-lifetime",
    Level.ERROR,
    "spec.secret.renewBefore is not below spec.secret.lifetime and is not obeyed.",
    "Lower renewBefore or remove it.",
)
DANGLING = PlanRule(
    "APIC011",
    "reference-to-nothing",
    Level.WARNING,
    "The object refers to something that is not there, or may not be used from here.",
    "Declare what is missing, or fix the name.",
)
NO_PLAN = PlanRule(
    "APIC012",
    "plan-not-found",
    Level.ERROR,
    "The Api has no plan of that name.",
    "Choose one of the Api's plans.",
)
SECRET_CLASH = PlanRule(
    "APIC013",
    "secret-name-clash",
    Level.ERROR,
    "Another client of the namespace has a Secret of that name; a Secret is never taken over.",
    "Choose another spec.secret.name.",
)
CONTRACT_CLASH = PlanRule(
    "APIC014",
    "duplicate-contract",
    Level.WARNING,
    "The client has an older contract for the same Api; only one can be in force.",
    "Delete one of the two, or change the plan of the older one.",
)
RENAMED = PlanRule(
    "APIC015",
    "renamed",
    Level.WARNING,
    "A renamed or moved object is another object: the old one and everything it holds go.",
    "Keep the old name, or create the new one first and retire the old one later.",
)
NO_NAMESPACE = PlanRule(
    "APIC016",
    "missing-namespace",
    Level.WARNING,
    "metadata.namespace is missing: where the object lands depends on who applies it.",
    "Write the namespace into the manifest, or plan the rendered output.",
)
MISMATCH = PlanRule(
    "APIC017",
    "approval-does-not-count",
    Level.WARNING,
    "The approval does not match its contract, so it counts for nothing.",
    "Contract, client, api and plan must be the contract's; edit the approval when the contract was made anew.",
)
STATUS_IN_GIT = PlanRule(
    "APIC018",
    "status-in-manifest",
    Level.WARNING,
    "The manifest has a status; it is ignored, and the operator alone writes it.",
    "Remove status.",
)
UNKNOWN_KIND = PlanRule(
    "APIC019",
    "unknown-kind",
    Level.ERROR,
    "The group apiclients.dev has no such kind or version.",
    "Fix apiVersion or kind.",
    invalid=True,
    always_shown=True,
)
UNRENDERED = PlanRule(
    "APIC020",
    "unrendered-kustomization",
    Level.WARNING,
    "A kustomization changes what is applied: the files alone are not what arrives in the cluster.",
    "Plan the rendered output: kubectl kustomize FOLDER | kubectl apiclient plan --head - ...",
    always_shown=True,
)
HELD_LIVE = PlanRule(
    "APIC021",
    "held-live",
    Level.WARNING,
    "A hold in the cluster stops the client, whatever Git says.",
    "Release the hold when its reason is gone: kubectl apiclient release NAME.",
)
DRIFT = PlanRule(
    "APIC022",
    "live-drift",
    Level.NOTE,
    "The cluster is not what base says.",
    "Somebody or something changed it live: bring Git and cluster together.",
)
FINAL = PlanRule(
    "APIC023",
    "retirement-is-final",
    Level.ERROR,
    "The Api's retirement is final and cannot be taken back.",
    "Publish the API under another name.",
)
TOO_MANY = PlanRule(
    "APIC024",
    "too-many-contracts",
    Level.ERROR,
    "The client has as many active contracts as there can be.",
    "Delete a contract, or split the client.",
)
ORDER = PlanRule(
    "APIC025",
    "depends-on-order",
    Level.WARNING,
    "What comes depends on the order in which the objects of the change arrive.",
    "Split the change in two, and merge the second when the first is in effect.",
)
TEMPLATE = PlanRule(
    "APIC026",
    "template-key-refused",
    Level.WARNING,
    "spec.secret.template has labels or annotations that are not allowed; they are left out.",
    "Remove them, or have them allowed by the operator's --secret-template-keys; a plan knows its default only.",
)
UNKNOWN_OBJECT = PlanRule(
    "APIC027",
    "unknown-object",
    Level.ERROR,
    "An object of base is missing in head, and a file of head that may declare it cannot be read.",
    "Fix the file. Until then nobody can tell whether the object stays, changes or goes.",
    invalid=True,
    always_shown=True,
)
FORCED = PlanRule(
    "APIC028",
    "forced-apply",
    Level.WARNING,
    "An annotation lets a GitOps tool delete the object and create it anew where the API server refuses it.",
    "Remove the annotation: the new object is another one, and what the old one gave ends with it.",
)
IDENTITY = PlanRule(
    "APIC029",
    "identity-not-in-force",
    Level.ERROR,
    "An identity of the client does not come into force: it is not granted to its namespace, or another client's.",
    "Ask the administrators of the cluster for a grant, or take the identity out of the other client.",
)
IRREVERSIBLE = PlanRule(
    "APIC101",
    "irreversible-change",
    Level.WARNING,
    "The change cannot be undone by a revert.",
    "Make sure that everybody who depends on it knows.",
)
DISRUPTIVE = PlanRule(
    "APIC102",
    "disruptive-change",
    Level.NOTE,
    "The change stops something that works.",
    "Make sure that everybody who depends on it knows.",
)

ALL: tuple[PlanRule, ...] = (
    UNACKNOWLEDGED, DUPLICATE, EMPTY_MAP, INVALID_YAML, INVALID_FIELD, NO_DESIRED_STATUS, UNKNOWN_FIELD,
    FUTURE_NOT_BEFORE, LONG_OVERLAP, LONG_RENEW_BEFORE, DANGLING, NO_PLAN, SECRET_CLASH, CONTRACT_CLASH, RENAMED,
    NO_NAMESPACE, MISMATCH, STATUS_IN_GIT, UNKNOWN_KIND, UNRENDERED, HELD_LIVE, DRIFT, FINAL, TOO_MANY, ORDER,
    TEMPLATE, UNKNOWN_OBJECT, FORCED, IDENTITY, IRREVERSIBLE, DISRUPTIVE,
)  # fmt: skip

BY_ID: dict[str, PlanRule] = {rule.id: rule for rule in ALL}
