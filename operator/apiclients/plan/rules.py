"""The rules by which findings are told. Ids are API: none is renamed or used again for something else."""

from dataclasses import dataclass

from apiclients.plan.model import Level


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: ``name`` for programs, ``summary`` in one sentence, ``help`` what to do."""

    id: str
    name: str
    level: Level
    summary: str
    help: str


UNACKNOWLEDGED = Rule(
    "APIC001",
    "unacknowledged-contracts",
    Level.ERROR,
    "A retirement or deletion would end active contracts that are not acknowledged.",
    "Name every active contract in spec.retirement.acknowledgedContracts (of an Api: set acknowledgedContractCount).",
)
DUPLICATE = Rule(
    "APIC002",
    "duplicate-object",
    Level.ERROR,
    "The same object is declared more than once.",
    "Delete one of the two: which one wins depends on the order in which files are applied.",
)
EMPTY_MAP = Rule(
    "APIC003",
    "empty-metadata",
    Level.WARNING,
    "Empty annotations, labels or finalizers in Git make GitOps tools see a difference for ever.",
    "Remove the empty field.",
)
INVALID_YAML = Rule(
    "APIC004",
    "invalid-yaml",
    Level.ERROR,
    "A document that mentions apiclients.dev is not valid YAML.",
    "Mend the syntax. Templates must be rendered first: pipe `helm template` or `kubectl kustomize` into --head -.",
)
INVALID_FIELD = Rule(
    "APIC005",
    "invalid-field",
    Level.ERROR,
    "A field does not have the form that the API server demands.",
    "Mend the value: the API server refuses the whole object.",
)
NO_DESIRED_STATUS = Rule(
    "APIC006",
    "missing-desired-status",
    Level.ERROR,
    "spec.desiredStatus is missing; it has no default.",
    "Say what is desired: Available, Suspended or Retired; for an Api Published or Retired.",
)
UNKNOWN_FIELD = Rule(
    "APIC007",
    "unknown-field",
    Level.ERROR,
    "There is no such field; it would be refused, or dropped without a word.",
    "Remove it or mend its spelling.",
)
FUTURE_NOT_BEFORE = Rule(
    "APIC008",
    "not-before-in-future",
    Level.ERROR,
    "spec.tokens.notBefore lies in the future and is not obeyed.",
    "Set a time that has passed, such as the present.",
)
LONG_OVERLAP = Rule(
    "APIC009",
    "overlap-not-below-lifetime",
    Level.ERROR,
    "spec.secret.overlap is not below spec.secret.lifetime and is not obeyed.",
    "Lower overlap or remove it.",
)
LONG_RENEW_BEFORE = Rule(
    "APIC010",
    "renew-before-not-below-lifetime",
    Level.ERROR,
    "spec.secret.renewBefore is not below spec.secret.lifetime and is not obeyed.",
    "Lower renewBefore or remove it.",
)
DANGLING = Rule(
    "APIC011",
    "reference-to-nothing",
    Level.WARNING,
    "The object refers to something that is not there, or may not be used from here.",
    "Declare what is missing, or mend the name.",
)
NO_PLAN = Rule(
    "APIC012",
    "plan-not-found",
    Level.ERROR,
    "The Api has no plan of that name.",
    "Choose one of the Api's plans.",
)
SECRET_CLASH = Rule(
    "APIC013",
    "secret-name-clash",
    Level.ERROR,
    "Another client of the namespace has a Secret of that name; a Secret is never taken over.",
    "Choose another spec.secret.name.",
)
CONTRACT_CLASH = Rule(
    "APIC014",
    "duplicate-contract",
    Level.WARNING,
    "The client has an older contract for the same Api; only one counts.",
    "Delete one of the two, or change the plan of the older one.",
)
RENAMED = Rule(
    "APIC015",
    "renamed",
    Level.WARNING,
    "A renamed or moved object is another object: the old one and everything it holds go.",
    "Keep the old name, or create the new one first and retire the old one later.",
)
NO_NAMESPACE = Rule(
    "APIC016",
    "missing-namespace",
    Level.WARNING,
    "metadata.namespace is missing: where the object lands depends on who applies it.",
    "Write the namespace into the manifest, or plan the rendered output.",
)
MISMATCH = Rule(
    "APIC017",
    "approval-does-not-count",
    Level.WARNING,
    "The approval does not match its contract, so it counts for nothing.",
    "Contract, client, api and plan must be the contract's; edit the approval when the contract was made anew.",
)
STATUS_IN_GIT = Rule(
    "APIC018",
    "status-in-manifest",
    Level.WARNING,
    "The manifest has a status; it is ignored, and the operator alone writes it.",
    "Remove status.",
)
UNKNOWN_KIND = Rule(
    "APIC019",
    "unknown-kind",
    Level.ERROR,
    "The group apiclients.dev has no such kind or version.",
    "Mend apiVersion or kind.",
)
UNRENDERED = Rule(
    "APIC020",
    "unrendered-kustomization",
    Level.WARNING,
    "A kustomization changes what is applied: the files alone are not what arrives in the cluster.",
    "Plan the rendered output: kubectl kustomize FOLDER | kubectl apiclient plan --head - ...",
)
HELD_LIVE = Rule(
    "APIC021",
    "held-live",
    Level.WARNING,
    "A hold in the cluster stops the client, whatever Git says.",
    "Release the hold when its reason is gone: kubectl apiclient release NAME.",
)
DRIFT = Rule(
    "APIC022",
    "live-drift",
    Level.NOTE,
    "The cluster is not what base says.",
    "Somebody or something changed it live: bring Git and cluster together.",
)
FINAL = Rule(
    "APIC023",
    "retirement-is-final",
    Level.ERROR,
    "The Api's retirement is final and cannot be taken back.",
    "Publish the API under another name.",
)
TOO_MANY = Rule(
    "APIC024",
    "too-many-contracts",
    Level.ERROR,
    "The client has as many active contracts as there can be.",
    "Delete a contract, or split the client.",
)
ORDER = Rule(
    "APIC025",
    "depends-on-order",
    Level.WARNING,
    "What comes depends on the order in which the objects of the change arrive.",
    "Split the change in two, and merge the second when the first is in effect.",
)
IRREVERSIBLE = Rule(
    "APIC101",
    "irreversible-change",
    Level.WARNING,
    "The change cannot be undone by a revert.",
    "Make sure that everybody who depends on it knows.",
)
DISRUPTIVE = Rule(
    "APIC102",
    "disruptive-change",
    Level.NOTE,
    "The change stops something that works.",
    "Make sure that everybody who depends on it knows.",
)

ALL: tuple[Rule, ...] = (
    UNACKNOWLEDGED, DUPLICATE, EMPTY_MAP, INVALID_YAML, INVALID_FIELD, NO_DESIRED_STATUS, UNKNOWN_FIELD,
    FUTURE_NOT_BEFORE, LONG_OVERLAP, LONG_RENEW_BEFORE, DANGLING, NO_PLAN, SECRET_CLASH, CONTRACT_CLASH, RENAMED,
    NO_NAMESPACE, MISMATCH, STATUS_IN_GIT, UNKNOWN_KIND, UNRENDERED, HELD_LIVE, DRIFT, FINAL, TOO_MANY, ORDER,
    IRREVERSIBLE, DISRUPTIVE,
)  # fmt: skip

BY_ID: dict[str, Rule] = {rule.id: rule for rule in ALL}
