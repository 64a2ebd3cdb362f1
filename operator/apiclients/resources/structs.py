"""Objects of the kinds that there are many of, read from JSON text with neither dictionaries nor models in between.

A Struct of msgspec is derived from each model, so that no field can be in one and not in the other. It has the same
values under the same names, and takes nothing that the model refuses. What it does not take is for the model to judge:
so there is one place where an object is found to be unreadable (DESIGN rule 32).

Only programs that hold very many objects import this module, for it takes time to import.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import Enum
from functools import cache, lru_cache, partial
from sys import intern
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic.fields import FieldInfo

from apiclients.resources.fields import Model, parse_duration, parse_time
from apiclients.resources.objects import AnyObject, ApiClient, Contract, ContractApproval, Metadata

#: How many texts are remembered: very many objects have the same times, durations and names.
_REMEMBERED = 8192
#: The longest time or duration that is read here, in characters.
_LONGEST_TIME = 64
#: Decoders of JSON do not agree about larger numbers.
_INTEGERS = {"ge": -(2**63), "le": 2**63 - 1}
_NO_LABELS: Mapping[str, str] = {}

_Fields = list[tuple[str, Any] | tuple[str, Any, Any] | str]
#: From the value in JSON, or a default, to the value that the model has. Raises ValueError.
_Read = Callable[[Any], Any]


def read_object(kind: str, text: bytes | msgspec.Raw) -> AnyObject | None:
    """Read one object of :data:`KINDS`; None for one that only the models can read, or say why they cannot.

    Its metadata has no annotations, and spec and status are no models: they have the fields of one, and no methods.
    """
    try:
        found = _decoder(kind).decode(text)
    except (msgspec.MsgspecError, RecursionError, ValueError):  # UnicodeDecodeError, which msgspec lets through
        return None
    return KINDS[kind](found.metadata, found.spec, found.status)


#: What can be read so: views of other kinds have parts of models in them, and of these there are few.
KINDS: Mapping[str, type[AnyObject]] = {kind.__name__: kind for kind in (ApiClient, Contract, ContractApproval)}


class _Metadata(msgspec.Struct, rename="camel", gc=False):
    """As :class:`apiclients.resources.objects.Metadata`, without annotations."""

    name: str
    uid: str
    namespace: str = ""
    generation: Annotated[int, msgspec.Meta(**_INTEGERS)] = 0
    resource_version: str = ""
    creation_time: Any = msgspec.field(default=None, name="creationTimestamp")
    deletion_time: Any = msgspec.field(default=None, name="deletionTimestamp")
    labels: dict[str, str] | None = None

    deleting = Metadata.deleting

    def __post_init__(self) -> None:
        """As the model reads them."""
        self.creation_time = _read_time(self.creation_time) if self.creation_time else None
        self.deletion_time = _read_time(self.deletion_time) if self.deletion_time else None
        labels: Any = {intern(key): intern(value) for key, value in (self.labels or {}).items()} or _NO_LABELS
        self.labels = labels


@cache
def _decoder(kind: str) -> msgspec.json.Decoder[Any]:
    spec, status = struct_of(KINDS[kind]._spec_model), struct_of(KINDS[kind]._status_model)
    fields: _Fields = [
        ("metadata", _Metadata),
        ("spec", spec),
        ("status", status, msgspec.field(default_factory=status)),
    ]
    return msgspec.json.Decoder(msgspec.defstruct(kind, fields, gc=False))


@cache
def struct_of(model: type[Model]) -> type[msgspec.Struct]:
    """The Struct of a model. Raises TypeError for a model with something that has no counterpart here."""
    decorators = model.__pydantic_decorators__
    if decorators.field_validators or decorators.model_validators or decorators.root_validators:
        raise TypeError(f"{model.__name__} has validators")
    if model.model_config.get("extra") != "ignore" or model.__pydantic_post_init__ is not None:
        raise TypeError(f"{model.__name__} reads otherwise than other models")
    fields: _Fields = []
    reads: list[tuple[str, _Read]] = []
    for name, info in model.model_fields.items():
        if info.validation_alias not in (None, info.alias):
            raise TypeError(f"{model.__name__}.{name} is read by another name")
        kind, read = _counterpart(info.annotation, info.metadata)
        fields.append((name, kind, *_default(info)))
        if read is not None:
            reads.append((name, read))
    namespace = {"__post_init__": _reading(reads)} if reads else {}
    aliases = {name: info.alias or name for name, info in model.model_fields.items()}
    return msgspec.defstruct(
        model.__name__, fields, namespace=namespace, rename=aliases, kw_only=True, gc=False, module=__name__
    )


def _reading(reads: list[tuple[str, _Read]]) -> Callable[[Any], None]:
    """What a Struct does after it was decoded."""

    def read_fields(struct: Any) -> None:
        for name, read in reads:
            value = getattr(struct, name)
            if value is not None:
                setattr(struct, name, read(value))

    return read_fields


def _default(info: FieldInfo) -> tuple[Any, ...]:
    factory: Any = info.default_factory
    if factory is None:
        return () if info.is_required() else (info.default,)
    is_model = isinstance(factory, type) and issubclass(factory, Model)
    return (msgspec.field(default_factory=struct_of(factory) if is_model else factory),)


def _counterpart(annotation: Any, given: list[Any]) -> tuple[Any, _Read | None]:
    """The type to decode an annotation to, and how its values are read then."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _counterpart(arguments[0], [*given, *arguments[1:]])
    if origin in (Union, UnionType):
        (choice,) = (one for one in arguments if one is not NoneType)
        kind, read = _counterpart(choice, given)
        return kind | None, read
    bounds = _bounds(annotation, given)
    pattern = bounds.pop("pattern", None)
    if origin in (list, dict):
        return _container(origin, arguments, bounds)
    if annotation in _TIMES and not (bounds or pattern):
        return Annotated[str, msgspec.Meta(max_length=_LONGEST_TIME)], _TIMES[annotation]
    if annotation is str:
        return Annotated[str, msgspec.Meta(**bounds)], _read_text(pattern) if pattern else None
    if annotation is int:
        return Annotated[int, msgspec.Meta(**(_INTEGERS | bounds))], None
    if bounds or pattern:
        raise TypeError(f"{annotation} has bounds")
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return struct_of(annotation), None
    if annotation is bool or origin is Literal or (isinstance(annotation, type) and issubclass(annotation, Enum)):
        return annotation, None
    raise TypeError(f"{annotation} has no counterpart")


def _container(origin: Any, arguments: tuple[Any, ...], bounds: dict[str, Any]) -> tuple[Any, _Read | None]:
    found = [_counterpart(one, []) for one in arguments]
    kinds, read = tuple(kind for kind, _ in found), None
    if any(one is not None for _, one in found):
        read = partial(_read_list if origin is list else _read_dict, [one or _as_it_is for _, one in found])
    return Annotated[origin[kinds], msgspec.Meta(**bounds)] if bounds else origin[kinds], read


def _bounds(annotation: Any, given: list[Any]) -> dict[str, Any]:
    """What a value has to fulfil, by its name in pydantic and in msgspec alike."""
    bounds: dict[str, Any] = {}
    for one in given:
        if isinstance(one, FieldInfo):
            bounds |= _bounds(annotation, one.metadata)
        elif names := [name for name in _BOUNDS if hasattr(one, name)]:
            bounds |= {name: getattr(one, name) for name in names if getattr(one, name) is not None}
        elif not (isinstance(one, _NO_BOUNDS) and (annotation in _TIMES or not isinstance(one, BeforeValidator))):
            raise TypeError(f"{one} has no counterpart")
    return bounds


_BOUNDS = ("min_length", "max_length", "ge", "le", "pattern")
#: What says how a value is written, or is read by :data:`_TIMES`.
_NO_BOUNDS = (BeforeValidator, PlainSerializer, WithJsonSchema)


@lru_cache(_REMEMBERED)
def _read_time(value: Any) -> datetime:
    return value if isinstance(value, datetime) else parse_time(value)


@lru_cache(_REMEMBERED)
def _read_duration(value: Any) -> timedelta:
    return value if isinstance(value, timedelta) else parse_duration(value)


_TIMES: Mapping[Any, _Read] = {datetime: _read_time, timedelta: _read_duration}


@cache
def _read_text(pattern: str) -> _Read:
    """Texts that match. For pydantic ``$`` is the end of the text, for Python also a line break before it."""
    if not (pattern.startswith("^") and pattern.endswith("$")):
        raise TypeError(f"{pattern} is not for whole texts")
    matches = re.compile(pattern[:-1] + r"\Z").match

    @lru_cache(_REMEMBERED)
    def read(text: str) -> str:
        if not matches(text):
            raise ValueError("a text does not match its pattern")
        return text

    return read


def _read_list(reads: list[_Read], values: list[Any]) -> list[Any]:
    (read,) = reads
    return [read(value) for value in values]


def _read_dict(reads: list[_Read], values: dict[Any, Any]) -> dict[Any, Any]:
    read_key, read_value = reads
    return {read_key(key): read_value(value) for key, value in values.items()}


def _as_it_is(value: Any) -> Any:
    return value
