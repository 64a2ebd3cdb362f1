"""Renders the templates. Every value is escaped, and stripped of characters that hide or reorder text."""

from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from apiclients.cli.screens.listing import ClientLine
from apiclients.cli.screens.status import effective_mark
from apiclients.cli.screens.text import Mark, age, harmless, last_used, span, until
from apiclients.resources.fields import format_time

#: The CSS class of a mark. Its sign is shown too: colour alone is not accessible.
_CLASSES = {Mark.GOOD: "good", Mark.WAITS: "waits", Mark.BAD: "bad", Mark.PLAIN: "plain"}


def render(template: str, **values: Any) -> str:
    """Render a page. A value that the template uses and ``values`` lacks is an error."""
    return _ENVIRONMENT.get_template(template).render(**values)


def _finalized(value: object) -> object:
    """None is empty; strings lose their control characters."""
    if value is None:
        return ""
    return harmless(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _tone(mark: Mark) -> str:
    return _CLASSES[mark]


def _client_url(namespace: str, name: str) -> str:
    return f"/clients/{namespace}/{name}"  # names of Kubernetes need no quoting


def _line_mark(line: ClientLine) -> Mark:
    return effective_mark(line.effective_status)


def _stamp(time: datetime) -> str:
    return format_time(time)


_ENVIRONMENT = Environment(
    loader=PackageLoader("apiclients.cli.dashboard"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_finalized,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {
    "tone": _tone,
    "stamp": _stamp,
    "until": until,
    "age": age,
    "span": span,
    "last_used": last_used,
    "mark": _line_mark,
}
_ENVIRONMENT.globals |= {"client_url": _client_url}
