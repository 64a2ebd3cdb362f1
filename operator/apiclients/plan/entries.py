"""Plan entries: one for each object that a change names, or that it retires or resumes without naming it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from apiclients.lifecycle.approvals import near_miss, ruling
from apiclients.lifecycle.contract_view import claim
from apiclients.lifecycle.timing import overlap
from apiclients.plan.blast_radius import BlastRadius, effect
from apiclients.plan.changes import active, changes_of, gravest, held, outcome, severity, stalled
from apiclients.plan.forecast import Forecast
from apiclients.plan.last_use import last_used
from apiclients.plan.live import LiveState
from apiclients.plan.losses import api_acknowledgement, client_acknowledgement, token_loss
from apiclients.plan.manifests import Manifest, Manifests
from apiclients.plan.model import (
    Acknowledgement,
    ChangeKind,
    Effect,
    Entry,
    FieldChange,
    Hold,
    Location,
    SecretLoss,
    Severity,
    TokenLoss,
)
from apiclients.plan.values import differences, shown
from apiclients.plan.world import condition_reason, key_of
from apiclients.resources.api import ApiStatusName
from apiclients.resources.apiclient import CredentialState, DesiredStatus
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.fields import format_duration, format_time
from apiclients.resources.objects import AnyObject, Api, ApiClient, Contract, ContractApproval
from apiclients.resources.refs import ObjectRef

#: Reached without being named, these get entries of their own; others are listed with what reaches them.
_OWN_ENTRY = frozenset({ChangeKind.RETIRE, ChangeKind.RESUME, ChangeKind.SUSPEND, ChangeKind.ROTATE})


@dataclass(frozen=True, slots=True)
class Builder:
    """Makes the entries of one forecast."""

    seen: Forecast
    base: Manifests
    head: Manifests
    live: LiveState | None
    blast_radius: BlastRadius
    #: New names and the old ones that they replace.
    renamed: dict[ObjectRef, ObjectRef]
    _reached: dict[ObjectRef, list[ObjectRef]] = field(default_factory=lambda: defaultdict(list))

    def entries(self) -> list[Entry]:
        """All entries, the gravest first."""
        for name, causes in self.blast_radius.causes.items():
            for cause in causes:
                self._reached[cause].append(name)
        olds = set(self.renamed.values())
        made = [self._declared(name) for name in sorted(self.seen.declared) if name not in olds and self._planned(name)]
        made += [self._reached_entry(name) for name in sorted(self.blast_radius.causes) if self._has_own_entry(name)]
        return sorted(made, key=lambda entry: (-entry.severity.rank, entry.object))

    def _planned(self, name: ObjectRef) -> bool:
        """Not what the API server refuses: findings tell of it, and nothing happens."""
        manifest = self.head.objects.get(name)
        refused = manifest is not None and (manifest.refused or name in self.seen.unreadable)
        return not refused and (name in self.seen.before.objects or name in self.seen.after.objects)

    def _has_own_entry(self, name: ObjectRef) -> bool:
        before, after = self.seen.before.objects.get(name), self.seen.after.objects.get(name)
        return name.kind in ("ApiClient", "Api") and bool(_OWN_ENTRY & set(changes_of(before, after)))

    def _declared(self, name: ObjectRef) -> Entry:
        old_name = self.renamed.get(name)
        before = self.seen.before.objects.get(old_name or name)
        after = self.seen.after.objects.get(name)
        deleted = name not in self.head.objects or old_name is not None
        changes = changes_of(before, after) if old_name is None else ()
        if old_name is not None:
            changes = (ChangeKind.RENAME,)
        elif deleted:
            changes = (ChangeKind.DELETE, *(c for c in changes if c is not ChangeKind.DELETE))
        return self._entry(name, before, after, changes or (ChangeKind.UPDATE,), deleted=deleted)

    def _reached_entry(self, name: ObjectRef) -> Entry:
        before, after = self.seen.before.objects.get(name), self.seen.after.objects.get(name)
        return self._entry(name, before, after, changes_of(before, after), deleted=False)

    def _entry(
        self,
        name: ObjectRef,
        before: AnyObject | None,
        after: AnyObject | None,
        changes: tuple[ChangeKind, ...],
        *,
        deleted: bool,
    ) -> Entry:
        old_name = self.renamed.get(name)
        effects = self._effects(name, before, after)
        left = self.seen.after.objects.get(old_name) if old_name is not None else (None if deleted else after)
        acknowledgement = self._acknowledgement(before, after, changes, deleted=deleted)
        refused = (old_name or name) in self.seen.refused_deletions
        waits = refused or _retirement_waits(after, changes)
        tokens = self._tokens(before, None if deleted and not refused else left or after)
        grades = [severity(change, before, after) for change in changes] + [e.severity for e in effects]
        stops = tokens is not None or _secret_moves(before, after) or bool(self._lost_scopes(before, after))
        grades += [Severity.DISRUPTIVE] * stops
        grade = max(grades, key=lambda one: one.rank)
        old, new = outcome(before), outcome(after)
        return Entry(
            object=name,
            change=gravest(changes, before, after),
            changes=changes,
            severity=grade,
            before=old.status if old is not None else None,
            after=new.status if new is not None and not (deleted and old_name is None and not refused) else None,
            location=self._location(name),
            declared=name in self.seen.declared,
            because=self.blast_radius.causes.get(name, ()),
            blocked=waits,
            notes=tuple(self._notes(before, after, changes, refused=refused)),
            fields=self._fields(name) if old_name is None else (),
            effects=effects,
            paused=self._paused(before, after),
            tokens=tokens if not waits else None,
            secrets=self._secrets(before, after, deleted=deleted) if not waits else (),
            last_used=last_used(before, after, grade),
            acknowledgement=acknowledgement,
            holds=self._holds(after),
            renamed_from=old_name,
            rename_note=_rename_note(before, after) if old_name is not None else None,
        )

    # The parts of an entry

    def _effects(self, name: ObjectRef, before: AnyObject | None, after: AnyObject | None) -> tuple[Effect, ...]:
        """What reaches others through this object; for a client or Api with the contracts that go with it."""
        names = set(self._reached.get(name, ())) | set(self._reached.get(self.renamed.get(name, name), ()))
        names |= {one for one in self._contracts_of(before, after) if one in self.blast_radius.changed}
        names -= {name}
        found = (effect(self.seen, one) for one in sorted(names))
        return tuple(one for one in found if one is not None)

    def _contracts_of(self, *objects: AnyObject | None) -> Iterable[ObjectRef]:
        for obj in objects:
            for world in (self.seen.before, self.seen.after):
                if isinstance(obj, ApiClient):
                    yield from _ids(world.contracts_of_client(key_of(obj)))
                elif isinstance(obj, Api):
                    yield from _ids(world.contracts_of_api(key_of(obj)))

    def _acknowledgement(
        self, before: AnyObject | None, after: AnyObject | None, changes: tuple[ChangeKind, ...], *, deleted: bool
    ) -> Acknowledgement | None:
        if not deleted and ChangeKind.RETIRE not in changes:
            return None
        subject = before if deleted else after
        if isinstance(subject, ApiClient):
            return client_acknowledgement(self.seen.before, self.seen.after, subject, deleted=deleted)
        if isinstance(subject, Api):
            name = ObjectRef("Api", *key_of(subject))
            waits = name in self.seen.refused_deletions if deleted else _retirement_waits(after, changes)
            return api_acknowledgement(self.seen.before, self.seen.after, subject, waits=waits)
        return None

    def _tokens(self, before: AnyObject | None, after: AnyObject | None) -> TokenLoss | None:
        if not isinstance(before, ApiClient):
            return None
        return token_loss(before, after if isinstance(after, ApiClient) else None, self.seen.before.now)

    def _location(self, name: ObjectRef) -> Location | None:
        manifest = self.head.objects.get(name)
        if manifest is None:
            gone = self.base.objects.get(name)
            return gone.location if gone is not None else None
        return _place(manifest)

    def _paused(self, before: AnyObject | None, after: AnyObject | None) -> tuple[str, ...]:
        """The contracts in force of a client that is suspended or held now, and was not before."""
        if not isinstance(before, ApiClient) or not isinstance(after, ApiClient):
            return ()
        stopped = (after.status.desired_status is DesiredStatus.SUSPENDED, held(after))
        was = (before.status.desired_status is DesiredStatus.SUSPENDED, held(before))
        if not any(stopped) or any(was) or after.status.desired_status is DesiredStatus.RETIRED:
            return ()
        contracts = self.seen.after.contracts_of_client(key_of(after))
        return tuple(contract.metadata.name for contract in contracts if active(contract))

    def _secrets(self, before: AnyObject | None, after: AnyObject | None, *, deleted: bool) -> tuple[SecretLoss, ...]:
        if not isinstance(before, ApiClient) or before.status.secret is None:
            return ()
        name = before.status.secret.name
        if deleted:
            return (self._secret_loss(before, name, None),)
        if not isinstance(after, ApiClient):
            return ()
        begun = after.status.desired_status is DesiredStatus.RETIRED is not before.status.desired_status
        if begun and after.status.retirement is not None:
            return (self._secret_loss(before, name, after.status.retirement.final_time),)
        if not after.spec.secret.issue and not after.status.credentials and before.status.credentials:
            return (self._secret_loss(before, name, None),)
        if _secret_moves(before, after):
            valid = [c.expires_time for c in after.status.credentials if c.state is CredentialState.PREVIOUS]
            return (self._secret_loss(before, name, max(valid, default=self.seen.before.now)),)
        return ()

    def _secret_loss(self, client: ApiClient, name: str, when: datetime | None) -> SecretLoss:
        namespace, loads = client.metadata.namespace, self.live.workloads if self.live is not None else None
        mounting = None
        if loads is not None:
            mounting = tuple(sorted(str(w) for w in loads if w.namespace == namespace and name in w.secrets))
        return SecretLoss(namespace, name, when, mounting)

    def _holds(self, after: AnyObject | None) -> tuple[Hold, ...]:
        if not isinstance(after, ApiClient):
            return ()
        namespace = after.metadata.namespace
        return tuple(
            Hold(h.name, h.reason, h.expires_time, ObjectRef("ApiClientHold", namespace, h.name) in self.head.objects)
            for h in after.status.holds
        )

    def _fields(self, name: ObjectRef) -> tuple[FieldChange, ...]:
        """The fields that the manifests change, for an object that is in both."""
        old, new = self.base.objects.get(name), self.head.objects.get(name)
        if old is None or new is None:
            return ()
        found = differences(_declared_parts(old), _declared_parts(new))
        return tuple(FieldChange(path, shown(before), shown(after)) for path, before, after in found)

    def _notes(
        self, before: AnyObject | None, after: AnyObject | None, changes: tuple[ChangeKind, ...], *, refused: bool
    ) -> list[str]:
        notes = []
        stuck = stalled(after)
        if refused:
            notes.append("The cluster refuses the deletion while these contracts are active and not acknowledged.")
        elif stuck is not None and stuck != stalled(before):
            notes.append(stuck.message)
        if ChangeKind.RENAME in changes:
            notes.append(_rename_note(before, after))
        if isinstance(after, ApiClient) and isinstance(before, ApiClient):
            notes += _client_notes(before, after, changes)
        if isinstance(after, Contract) and stuck is None:
            notes += [*_contract_notes(after), *self._near_misses(after)]
        if isinstance(after, Api):
            notes += self._api_notes(before, after, changes)
        return notes

    def _near_misses(self, contract: Contract) -> list[str]:
        """Approvals that seem to be meant for a contract that waits for one."""
        if condition_reason(contract, ConditionType.READY) != Reason.PENDING_APPROVAL:
            return []
        approvals = [obj for obj in self.seen.after.objects.values() if isinstance(obj, ContractApproval)]
        told = (near_miss(ruling(one), claim(contract), contract.spec.plan) for one in approvals)
        return sorted(text for text in told if text is not None)

    def _api_notes(self, before: AnyObject | None, after: Api, changes: tuple[ChangeKind, ...]) -> list[str]:
        notes = []
        if after.status.retirement is not None and ChangeKind.RETIRE in changes:
            notes.append(f"Calls are refused at once; final at {format_time(after.status.retirement.final_time)}.")
        for plan, lost in self._lost_scopes(before, after).items():
            notes.append(f"Contracts in force under plan {plan} lose scopes: {', '.join(lost)}.")
        return notes

    def _lost_scopes(self, before: AnyObject | None, after: AnyObject | None) -> dict[str, list[str]]:
        """The scopes that plans lose under which contracts are in force, by plan."""
        if not isinstance(before, Api) or not isinstance(after, Api):
            return {}
        contracts = self.seen.after.contracts_of_api(key_of(after))
        used = {c.status.in_force.plan for c in contracts if active(c) and c.status.in_force is not None}
        new = {plan.name: set(plan.scopes) for plan in after.spec.plans}
        lost = {p.name: sorted(set(p.scopes) - new[p.name]) for p in before.spec.plans if p.name in used & new.keys()}
        return {plan: scopes for plan, scopes in lost.items() if scopes}


def _ids(objects: Iterable[AnyObject]) -> Iterable[ObjectRef]:
    return (ObjectRef(type(obj).__name__, *key_of(obj)) for obj in objects)


def _retirement_waits(after: AnyObject | None, changes: tuple[ChangeKind, ...]) -> bool:
    """Whether a retirement was asked for that the operator holds."""
    if ChangeKind.RETIRE not in changes:
        return False
    if isinstance(after, ApiClient):
        return after.status.desired_status is not DesiredStatus.RETIRED
    return isinstance(after, Api) and after.status.desired_status is not ApiStatusName.RETIRED


def _secret_moves(before: AnyObject | None, after: AnyObject | None) -> bool:
    if not isinstance(before, ApiClient) or not isinstance(after, ApiClient):
        return False
    old, new = before.status.secret, after.status.secret
    return before.metadata.uid == after.metadata.uid and old is not None and new is not None and old.name != new.name


def _rename_note(before: AnyObject | None, after: AnyObject | None) -> str:
    if isinstance(before or after, ApiClient):
        return (
            "A client under another name is another client: another client id, another secret; "
            "the old one's tokens and contracts end."
        )
    if isinstance(before or after, Api):
        return "An Api under another name has another audience; contracts and tokens for the old one end."
    return "An object under another name is another object; approvals of the old one do not count for it."


def _client_notes(before: ApiClient, after: ApiClient, changes: tuple[ChangeKind, ...]) -> list[str]:
    notes = []
    end = after.status.retirement
    if ChangeKind.RETIRE in changes and end is not None:
        grace = format_duration(after.spec.retirement.grace_period)
        notes.append(
            f"Refused at once; destroyed at {format_time(end.final_time)} (gracePeriod {grace}), until then a revert "
            "brings everything back."
        )
    if ChangeKind.RESUME in changes and before.status.retirement is not None and ChangeKind.ROTATE in changes:
        notes.append("Registered again after its retirement: a new secret, and none of the old tokens.")
    elif ChangeKind.ROTATE in changes:
        span = overlap(after.spec.secret)
        kept = f"stays valid for at most {format_duration(span)}" if span else "is refused at once"
        notes.append(f"A new secret is issued; the previous one {kept}.")
    return notes


def _contract_notes(after: Contract) -> list[str]:
    """Why it is not in force as asked, and what is in force meanwhile."""
    conditions = {c.type: c for c in after.status.conditions}
    ready, in_force = conditions.get(ConditionType.READY), conditions.get(ConditionType.ACTIVE)
    if ready is None or ready.reason == Reason.ACTIVE:
        return []
    meanwhile = [in_force.message] if active(after) and in_force is not None else []
    return [ready.message, *meanwhile]


def _declared_parts(manifest: Manifest) -> dict[str, object]:
    metadata = manifest.content.get("metadata")
    parts = {k: metadata.get(k) for k in ("labels", "annotations")} if isinstance(metadata, dict) else {}
    given = {key: value for key, value in parts.items() if value}
    return ({"metadata": given} if given else {}) | {"spec": manifest.content.get("spec")}


def _place(manifest: Manifest) -> Location:
    """Where a reviewer looks: at what is desired, if that is written there."""
    spec = manifest.content.get("spec")
    if isinstance(spec, dict) and "desiredStatus" in spec:
        return manifest.place("spec", "desiredStatus")
    return manifest.location
