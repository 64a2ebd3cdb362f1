"""From JSON to what the gate keeps: a view, or why there is none with the most restrictive view that it could be."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from apiclients.engine.lean import for_gate
from apiclients.engine.views import View, unreadable_view, view_of
from apiclients.kube.decoding import JSON, Decoding
from apiclients.kube.objects import JsonObject, Named
from apiclients.kube.struct_decoding import StructDecoding
from apiclients.resources.objects import READERS, InvalidObjectError
from apiclients.resources.structs import KINDS, read_object


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for an object that does not fit the models (rule 32)."""

    reason: str
    #: The most restrictive that it could be; None where not being there is just that.
    view: View | None = None


#: What a Reflector keeps of one object.
Entry = View | Unreadable


@dataclass(frozen=True, slots=True)
class Viewed:
    """An object of which nothing but the view was kept when it was decoded."""

    metadata: Named
    view: View


def _nothing() -> None:
    """For who does not listen."""


def decoding(kind: str, on_arrival: Callable[[], None] = _nothing) -> Decoding:
    """How the Reflector of a kind decodes: to views at once, where there may be very many objects.

    ``on_arrival`` hears of each object before it is decoded so.
    """
    if kind not in KINDS:
        return JSON

    def read(text: msgspec.Raw) -> Viewed | None:
        on_arrival()
        try:
            found = read_object(kind, text)
            return Viewed(found.metadata, for_gate(view_of(found))) if found is not None else None
        except Exception:  # nothing stands behind this one: the model judges, and behind that `on_bad`
            return None

    return StructDecoding(read)


def reader(kind: str) -> Callable[[JsonObject | Viewed], Entry]:
    """``convert`` of the Reflector of a kind. What it returns raises InvalidObjectError."""
    read = READERS[kind]

    def convert(body: JsonObject | Viewed) -> Entry:
        return body.view if isinstance(body, Viewed) else for_gate(view_of(read(body)))

    return convert


def on_bad(kind: str) -> Callable[[JsonObject, Exception], Entry]:
    """``on_bad`` of the Reflector of a kind."""

    def convert(body: JsonObject, error: Exception) -> Entry:
        view = unreadable_view(kind, body)
        return Unreadable(_why(error), for_gate(view) if view is not None else None)

    return convert


def view_in(entry: Entry | None) -> View | None:
    """What counts of an entry."""
    return entry.view if isinstance(entry, Unreadable) else entry


def _why(error: Exception) -> str:
    """Only our own errors are known to quote nothing that is secret."""
    return str(error) if isinstance(error, InvalidObjectError) else type(error).__name__
