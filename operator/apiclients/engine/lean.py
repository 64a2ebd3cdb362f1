"""Views without what a program never asks for: it holds tens of thousands of them."""

from dataclasses import replace

from apiclients.engine.views import View
from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.approvals import Ruling
from apiclients.lifecycle.holds import HoldView


def for_gate(view: View) -> View:
    """The same view, without what only the operator asks for."""
    match view:
        case Ruling():
            return replace(view, reason=None)
        case HoldView():
            return replace(view, reason="")
        case _:
            return view


def for_operator(view: View) -> View:
    """The same view, without what only the gate asks for."""
    return replace(view, credentials=(), jwks="") if isinstance(view, ClientView) else view
