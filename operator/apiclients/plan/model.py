"""A plan as data: what every renderer shows and what the JSON format holds."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from apiclients.resources.plan_rules import BY_ID, Level
from apiclients.resources.refs import ObjectRef


class Severity(StrEnum):
    """What it would take to undo a change, mildest first."""

    #: Nothing that works stops, nothing that is refused starts.
    NONE = "none"
    #: Takes effect at once; reverting the commit puts back what was, the same secrets and tokens included.
    REVERSIBLE = "reversible"
    #: Something that works stops, and a revert does not bring all of it back by itself.
    DISRUPTIVE = "disruptive"
    #: An identity, its credentials or an Api end for good (for a retirement: once its grace period is over).
    IRREVERSIBLE = "irreversible"

    @property
    def rank(self) -> int:
        """Position, mildest first, for comparing."""
        return list(Severity).index(self)


class ChangeKind(StrEnum):
    """What happens to an object."""

    CREATE = "create"
    UPDATE = "update"
    SUSPEND = "suspend"
    RESUME = "resume"
    RETIRE = "retire"
    ROTATE = "rotate"
    DELETE = "delete"
    RENAME = "rename"
    CONTRACT_STARTED = "contract started"
    CONTRACT_ENDED = "contract ended"
    PLAN_CHANGED = "plan changed"
    APPROVAL_NEEDED = "approval needed"
    HELD = "held"
    RELEASED = "released"
    IDENTITY_GAINED = "identity gained"
    IDENTITY_LOST = "identity lost"
    KEY_GAINED = "key gained"
    KEY_LOST = "key lost"


@dataclass(frozen=True, slots=True)
class Location:
    """Where an object, or a field of it, is written. Lines count from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change does to another object."""

    object: ObjectRef
    change: ChangeKind
    severity: Severity
    before: str | None
    after: str | None
    #: The operator's reason, such as ``ApiRetired``.
    reason: str | None
    #: When what stops was last used, to the hour; None where no gate has said so.
    last_used: datetime | None = None


@dataclass(frozen=True, slots=True)
class TokenLoss:
    """Access tokens that die. Nobody counts tokens, so this is a bound on time."""

    #: No token would have lived longer than this from now.
    at_most: timedelta
    #: From when on they are dead for good. Until then a revert revives them.
    final_time: datetime


@dataclass(frozen=True, slots=True)
class SecretLoss:
    """A credentials Secret that goes."""

    namespace: str
    name: str
    #: When it goes; None: with its owner, at once.
    when: datetime | None
    #: ``Deployment shop/web``; None when nobody looked.
    workloads: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Whether what a retirement or deletion ends is acknowledged (DESIGN rule 9)."""

    needed: tuple[str, ...]
    #: How many contracts there are; for an Api only this is known, for they lie in other people's namespaces.
    needed_count: int
    given_count: int
    missing: tuple[str, ...]
    #: Acknowledged, but not active any more: harmless.
    stale: tuple[str, ...]
    complete: bool
    #: The YAML to paste into the manifest; empty when complete.
    paste: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold that stops a client, whatever Git says."""

    name: str
    reason: str
    expires_time: datetime | None
    #: Whether it is in the manifests of head.
    in_git: bool


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that the manifests change."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Drift:
    """Where the live object is not what base says."""

    object: ObjectRef
    #: Empty: the whole object.
    path: str
    base: str | None
    live: str | None
    #: Whether applying head sets it back; what Git does not mention stays.
    reset: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """What happens to one object."""

    object: ObjectRef
    #: The gravest of ``changes``.
    change: ChangeKind
    changes: tuple[ChangeKind, ...]
    severity: Severity
    #: Status in words, before and after; None where it is not there.
    before: str | None
    after: str | None
    location: Location | None
    #: False: its manifest stays as it is, another object's change reaches it.
    declared: bool
    #: The objects whose change reaches it.
    because: tuple[ObjectRef, ...] = ()
    #: The change waits for people, or is refused: nothing happens until then.
    blocked: bool = False
    notes: tuple[str, ...] = ()
    fields: tuple[FieldChange, ...] = ()
    effects: tuple[Effect, ...] = ()
    #: Active contracts that a suspension or a hold stops until it ends.
    paused: tuple[str, ...] = ()
    tokens: TokenLoss | None = None
    secrets: tuple[SecretLoss, ...] = ()
    #: When the client or contract that it stops was last used, to the hour; None where no gate has said so.
    last_used: datetime | None = None
    acknowledgement: Acknowledgement | None = None
    holds: tuple[Hold, ...] = ()
    renamed_from: ObjectRef | None = None
    #: What a rename means; also among the notes.
    rename_note: str | None = None

    @property
    def contracts_ended(self) -> tuple[Effect, ...]:
        """The contracts that stop because of this change."""
        return tuple(effect for effect in self.effects if effect.change is ChangeKind.CONTRACT_ENDED)

    @property
    def unacknowledged(self) -> bool:
        """Whether it ends contracts that nobody has acknowledged."""
        return self.acknowledgement is not None and not self.acknowledgement.complete


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the manifests, or in what they do, that a reviewer should know."""

    rule: str
    level: Level
    message: str
    object: ObjectRef | None
    location: Location | None
    #: What of the object it is about, without values: it goes into the fingerprint.
    subject: str = ""
    #: False: base has it as well.
    new: bool = True


@dataclass(frozen=True, slots=True)
class LiveInfo:
    """Where the live state came from."""

    source: str
    taken_time: datetime
    #: None: all namespaces.
    namespaces: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a change will do."""

    base: str
    head: str
    live: LiveInfo | None
    now: datetime
    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...]
    drift: tuple[Drift, ...]
    #: What the plan rests on and cannot know.
    notices: tuple[str, ...]
    #: How many objects were compared.
    objects: int
    #: Whether other teams' names were replaced.
    redacted: bool = False

    @property
    def severity(self) -> Severity:
        """The gravest of all."""
        return max((entry.severity for entry in self.entries), key=lambda s: s.rank, default=Severity.NONE)

    @property
    def unacknowledged(self) -> tuple[Entry, ...]:
        """Changes that end contracts which nobody has acknowledged."""
        return tuple(entry for entry in self.entries if entry.unacknowledged)

    @property
    def invalid(self) -> tuple[Finding, ...]:
        """What of head the API server would refuse or nobody can read, whether base has it as well or not."""
        return tuple(finding for finding in self.findings if BY_ID[finding.rule].invalid)

    @property
    def shown_findings(self) -> tuple[Finding, ...]:
        """Findings for people: new ones, and those that put the plan in doubt."""
        return tuple(finding for finding in self.findings if finding.new or BY_ID[finding.rule].always_shown)

    @property
    def new_findings(self) -> tuple[Finding, ...]:
        """Findings that base does not have."""
        return tuple(finding for finding in self.findings if finding.new)
