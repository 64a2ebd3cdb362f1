"""Objects as the API server hands them out, past the edge: typed metadata with a typed spec and status."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from apiclients.resources.api import ApiSpec, ApiStatus
from apiclients.resources.apiclient import ApiClientSpec, ApiClientStatus
from apiclients.resources.approval import ContractApprovalSpec, ContractApprovalStatus
from apiclients.resources.contract import ContractSpec, ContractStatus
from apiclients.resources.fields import Model, parse_time
from apiclients.resources.hold import ApiClientHoldSpec, ApiClientHoldStatus
from apiclients.resources.revocation import TokenRevocationSpec
from apiclients.resources.tokenissuer import TokenIssuerSpec, TokenIssuerStatus

#: Of one object; whoever fixes these sees the next ones.
_MOST_PROBLEMS = 5
_LONGEST_SHOWN = 64


class InvalidObjectError(ValueError):
    """The stored object does not fit the models. The message is for its owner and names the fields."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The parts of ``metadata`` that decisions use."""

    namespace: str
    name: str
    uid: str
    generation: int = 0
    resource_version: str = ""
    creation_time: datetime | None = None
    deletion_time: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_object(cls, obj: Mapping[str, Any]) -> "Metadata":
        """From the JSON object. Raises KeyError when name or UID is missing: that is no object of an API server."""
        meta = obj["metadata"]
        return cls(
            namespace=meta.get("namespace", ""),
            name=meta["name"],
            uid=meta["uid"],
            generation=meta.get("generation", 0),
            resource_version=meta.get("resourceVersion", ""),
            creation_time=_time(meta.get("creationTimestamp")),
            deletion_time=_time(meta.get("deletionTimestamp")),
            labels=meta.get("labels") or {},
            annotations=meta.get("annotations") or {},
        )

    @property
    def deleting(self) -> bool:
        """Whether deletion has been accepted; it cannot be undone."""
        return self.deletion_time is not None


_Spec = TypeVar("_Spec", bound=Model)
_Status = TypeVar("_Status", bound=Model)


@dataclass(frozen=True)
class _Object(Generic[_Spec, _Status]):
    """One object of a kind, read."""

    metadata: Metadata
    spec: _Spec
    status: _Status

    _spec_model: ClassVar[type[Model]]
    _status_model: ClassVar[type[Model]]

    @classmethod
    def from_object(cls, obj: Mapping[str, Any]) -> Self:
        """Read a JSON object. Raises :class:`InvalidObjectError` when spec or status does not fit the models."""
        problems: list[str] = []
        spec: Any = _read(cls._spec_model, "spec", obj, problems)
        status: Any = _read(cls._status_model, "status", obj, problems)
        if problems:
            raise InvalidObjectError("; ".join(problems))
        return cls(Metadata.from_object(obj), spec, status)


@dataclass(frozen=True)
class ApiClient(_Object[ApiClientSpec, ApiClientStatus]):
    """One ApiClient."""

    _spec_model = ApiClientSpec
    _status_model = ApiClientStatus

    #: Field manager that last set ``spec.desiredStatus``, when managedFields told.
    changed_by: str | None = None

    @property
    def client_id(self) -> str:
        """The OAuth client id; bound to the UID, so a re-created client of the same name is another one."""
        return client_id(self.metadata)

    @property
    def secret_name(self) -> str:
        """Name of the Secret that the operator writes for this client."""
        return self.spec.secret.name or default_secret_name(self.metadata.name)


@dataclass(frozen=True)
class Api(_Object[ApiSpec, ApiStatus]):
    """One Api."""

    _spec_model = ApiSpec
    _status_model = ApiStatus


@dataclass(frozen=True)
class Contract(_Object[ContractSpec, ContractStatus]):
    """One Contract."""

    _spec_model = ContractSpec
    _status_model = ContractStatus


@dataclass(frozen=True)
class ContractApproval(_Object[ContractApprovalSpec, ContractApprovalStatus]):
    """One ContractApproval."""

    _spec_model = ContractApprovalSpec
    _status_model = ContractApprovalStatus


@dataclass(frozen=True)
class ApiClientHold(_Object[ApiClientHoldSpec, ApiClientHoldStatus]):
    """One ApiClientHold."""

    _spec_model = ApiClientHoldSpec
    _status_model = ApiClientHoldStatus


@dataclass(frozen=True)
class TokenIssuer(_Object[TokenIssuerSpec, TokenIssuerStatus]):
    """One TokenIssuer; it has no namespace."""

    _spec_model = TokenIssuerSpec
    _status_model = TokenIssuerStatus


@dataclass(frozen=True)
class TokenRevocation(_Object[TokenRevocationSpec, Model]):
    """One TokenRevocation; it has no status. Nobody declares it, so it is none of the kinds below."""

    _spec_model = TokenRevocationSpec
    _status_model = Model


def client_id(metadata: Metadata) -> str:
    """``<namespace>.<name>.<first 8 of the UID>`` (DESIGN section 2)."""
    return f"{metadata.namespace}.{metadata.name}.{metadata.uid[:8]}"


def default_secret_name(client: str) -> str:
    """Name of the Secret of a client whose spec names none."""
    return f"{client}-credentials"


def _time(text: str | None) -> datetime | None:
    return parse_time(text) if text else None


def value_at(raw: Any, *path: str) -> Any:
    """What is at a path of a JSON object that may fit no model; None if there is nothing."""
    for step in path:
        raw = raw.get(step) if isinstance(raw, Mapping) else None
    return raw


def text_at(raw: Any, *path: str) -> str | None:
    """A text at a path of a JSON object that may fit no model; None if there is none."""
    found = value_at(raw, *path)
    return found if isinstance(found, str) else None


def _read(model: type[Model], part: str, obj: Mapping[str, Any], problems: list[str]) -> Model | None:
    try:
        return model.model_validate(obj.get(part) or {}, by_alias=True, by_name=False)
    except ValidationError as error:
        problems += [f"{_path(part, one['loc'])}: {_explain(one)}" for one in error.errors()[:_MOST_PROBLEMS]]
        return None


def _path(part: str, location: tuple[int | str, ...]) -> str:
    return part + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)


def _explain(problem: ErrorDetails) -> str:
    """What is wrong with one field. Only enum values and times are quoted: nothing secret is one (rule 23)."""
    if problem["type"] in ("enum", "literal_error"):
        return f"{_shown(problem['input'])} is not known to this version"
    return problem["msg"].removeprefix("Value error, ")


def _shown(value: object) -> str:
    return repr(value[:_LONGEST_SHOWN]) if isinstance(value, str) else f"a value of type {type(value).__name__}"


AnyObject = ApiClient | Api | Contract | ContractApproval | ApiClientHold | TokenIssuer

_KINDS: tuple[type[AnyObject], ...] = (ApiClient, Api, Contract, ContractApproval, ApiClientHold, TokenIssuer)

#: Reads an object as JSON, by the name of its kind. Raises :class:`InvalidObjectError`.
READERS: Mapping[str, Callable[[Mapping[str, Any]], AnyObject]] = {kind.__name__: kind.from_object for kind in _KINDS}
