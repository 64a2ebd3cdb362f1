"""The answer of ``inspect`` as text."""

from apiclients.cli.screens.inspection import Answer, InspectView
from apiclients.cli.screens.text import Style, age, clean, joined, until, wrap

_INDENT = "  "
_MOST_AUDIENCES = 10
_UNCHECKED = (
    "The signature was not checked here: only the gate has the keys. If the gate refuses a token that is good by "
    "this, its log says unknown_header or bad_signature."
)


def render_inspection(view: InspectView, style: Style) -> str:
    """The whole answer."""
    lines = [style.bold(f"ApiClient {view.namespace}/{view.name}") + f"  client id {clean(view.client_id)}"]
    if view.token is not None:
        lines += ["", style.bold("Token"), *_token(view, style)]
    lines += ["", style.bold("What the gate answers"), *_answer(view.client, style)]
    for answer in view.apis:
        lines += _answer(answer, style)
    for text in view.missing:
        lines += ["", *wrap(f"Not known: {text}", style.width)]
    return joined(lines)


def _token(view: InspectView, style: Style) -> list[str]:
    token = view.token
    if token is None:
        return []
    shown = [clean(audience) for audience in token.audiences[:_MOST_AUDIENCES]]
    more = [f"and {len(token.audiences) - len(shown)} more"] if len(token.audiences) > len(shown) else []
    facts = [
        f"of issuer {clean(token.issuer)}",
        f"issued {age(token.issued, view.now)} ago, ends {until(token.expires, view.now)}",
        f"for {', '.join([*shown, *more]) or 'nobody'}",
        _UNCHECKED,
    ]
    return [line for fact in facts for line in wrap(fact, style.width, first=_INDENT)]


def _answer(answer: Answer, style: Style) -> list[str]:
    verdict = f"{answer.status} {answer.reason}" if answer.reason is not None else str(answer.status)
    first = f"{_INDENT}{style.mark(answer.mark)} "
    head = f"{clean(answer.question)}: {style.marked(answer.mark, verdict)}. {clean(answer.meaning)}"
    lines = wrap(head, style.width, first=first)
    return [*lines, *wrap(answer.remedy, style.width, first=f"{_INDENT}  → ")] if answer.remedy else lines
