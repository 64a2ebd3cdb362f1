"""From a manifest of the kustomizations to a template of the chart: text for text, comments included."""

import re
from dataclasses import dataclass

_NAMESPACE = "apiclients-system"
#: Where a manifest names one of the two accounts, as a subject or in an expression of a policy.
_SUBJECT = re.compile(r"(kind: ServiceAccount\n\s+(?:serviceAccount:\n\s+)?name: )apiclient-(operator|gate)\n")
_USER_NAME = re.compile(r"system:serviceaccount:apiclients-system:apiclient-(operator|gate)")
_ACCOUNT = '{{{{ include "apiclients.{}.serviceAccountName" $ }}}}'
_KEYS_NAME = "apiclient-keys"
_KEYS_SECRET = '{{ include "apiclients.keysSecret" $ }}'
_RELEASE_NAMESPACE = "{{ $.Release.Namespace }}"
_LABELS = '    {{- include "apiclients.labels" $ | nindent 4 }}\n'
_METADATA = re.compile(r"^metadata:\n  name: .*\n(?:  namespace: .*\n)?", re.MULTILINE)
_KIND = re.compile(r"^kind: (\w+)$", re.MULTILINE)
_NAME = re.compile(r"^metadata:\n  name: (\S+)$", re.MULTILINE)
_KEEP = """  annotations:
    {{- if $.Values.crds.keep }}
    helm.sh/resource-policy: keep
    {{- else }}
    apiclients.dev/deletion: allowed # or the policy keep-clients refuses it
    {{- end }}
"""


@dataclass(frozen=True, slots=True)
class Source:
    """What becomes one template: its text, and the condition under which the chart has it."""

    text: str
    condition: str
    #: By kind and name: single objects with a condition of their own.
    conditions: "dict[tuple[str, str], str] | None" = None


def template(source: Source) -> str:
    """The template of a manifest. Raises ValueError for text that a template would take for its own."""
    if "{{" in source.text:
        raise ValueError("a manifest with {{ in it cannot become a template as it is")
    documents = re.split(r"^---\n", source.text, flags=re.MULTILINE)
    parts = [_conditional(_document(part), (source.conditions or {}).get(_identity(part), "")) for part in documents]
    body = "---\n".join(part if part.endswith("\n") else part + "\n" for part in parts)
    return _conditional(body, source.condition)


def _identity(document: str) -> tuple[str, str]:
    kind, name = _KIND.search(document), _NAME.search(document)
    return (kind.group(1) if kind else "", name.group(1) if name else "")


def _conditional(text: str, condition: str) -> str:
    return f"{{{{- if {condition} }}}}\n{text}{{{{- end }}}}\n" if condition else text


def _document(text: str) -> str:
    text = _SUBJECT.sub(lambda found: f"{found[1]}{_ACCOUNT.format(found[2])}\n", text)
    text = _USER_NAME.sub(lambda found: f"system:serviceaccount:{_RELEASE_NAMESPACE}:{_ACCOUNT.format(found[1])}", text)
    text = text.replace(_NAMESPACE, _RELEASE_NAMESPACE).replace(_KEYS_NAME, _KEYS_SECRET)
    return _METADATA.sub(_labelled, text, count=1) if "\n  labels:\n" not in text else _added(text)


def _labelled(found: re.Match[str]) -> str:
    return f"{found[0]}  labels:\n{_LABELS}"


def _added(text: str) -> str:
    return text.replace("\n  labels:\n", f"\n  labels:\n{_LABELS}", 1)


def crd(text: str) -> str:
    """The template of a CustomResourceDefinition, which the chart can keep when it goes."""
    return _conditional(_METADATA.sub(lambda found: _labelled(found) + _KEEP, text, count=1), "$.Values.crds.enabled")
