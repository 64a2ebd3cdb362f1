"""The answer of ``explain`` as text."""

from apiclients.cli.screens.advice import Advice
from apiclients.cli.screens.explain import ExplainView
from apiclients.cli.screens.text import Style, clean, joined, until, wrap
from apiclients.resources.fields import format_time

_INDENT = "  "


def render_explain(view: ExplainView, style: Style) -> str:
    """The whole answer."""
    title = style.bold(f"ApiClient {view.namespace}/{view.name}")
    standing = f"{style.mark(view.mark)} {style.marked(view.mark, view.effective_status)}"
    lines = [f"{title}  {standing}, {_ready(view)}", "", style.bold("Why")]
    for sentence in view.why:
        lines += wrap(clean(sentence), style.width, first=_INDENT)
    lines += ["", style.bold("What happens next"), *_next(view, style)]
    lines += ["", style.bold("What would unblock it"), *_unblock(view, style)]
    for text in view.missing:
        lines += ["", *wrap(f"Not known: {text}", style.width)]
    return joined(lines)


def _ready(view: ExplainView) -> str:
    if view.ready is None:
        return "readiness not known yet"
    if view.ready:
        return "ready"
    return f"not ready: {view.reason}"


def _next(view: ExplainView, style: Style) -> list[str]:
    if not view.next:
        return [f"{_INDENT}Nothing, unless somebody changes something."]
    lines: list[str] = []
    for item in view.next:
        when = "now" if item.time <= view.now else until(item.time, view.now)
        stamp = format_time(item.time)
        lines += wrap(item.what, style.width, first=f"{_INDENT}{when.ljust(9)} {style.dim(stamp)}  ")
    return lines


def _unblock(view: ExplainView, style: Style) -> list[str]:
    if not view.unblock:
        return [f"{_INDENT}Nothing is blocked."]
    lines: list[str] = []
    for number, advice in enumerate(view.unblock, 1):
        lines += _advice(number, advice, style)
    return lines if lines[-1] else lines[:-1]


def _advice(number: int, advice: Advice, style: Style) -> list[str]:
    lines = wrap(f"{clean(advice.problem)}. {clean(advice.what)}", style.width, first=f"{_INDENT}{number}. ")
    if advice.snippet:
        lines += ["", *(f"{_INDENT * 4}{line}" for line in advice.snippet), ""]
    return lines
