"""Which labels and annotations a client may have put on its Secret.

The operator writes them with its own rights, and other controllers obey some: they copy a Secret to other namespaces,
or take it for the credentials of a cluster. So only keys that are known to do no such thing are allowed (rule 6).
A key that the API server takes for none is left out as well: with it no Secret could be written at all.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from apiclients.resources.apiclient import SecretTemplate

#: So many refused keys are named in a message.
_NAMED = 5
#: So many characters of what is no key are shown.
_SHOWN = 80

#: What the API server takes for the key of a label (IsQualifiedName of k8s.io/apimachinery): a name, maybe behind a DNS
#: subdomain and a slash. Of the key of an annotation it takes upper case for lower case.
_KEY = re.compile(r"(?:(?P<prefix>[^/]*)/)?(?:[A-Za-z0-9][A-Za-z0-9_.-]{0,61})?[A-Za-z0-9]")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_PREFIX = 253


@dataclass(frozen=True, slots=True)
class TemplateKeys:
    """The keys that are allowed: whole ones, and with ``*`` at the end all that begin so."""

    patterns: tuple[str, ...]

    def allow(self, key: str) -> bool:
        """Whether a label or annotation of this key may be set."""
        return any(_matches(pattern, key) for pattern in self.patterns)


def _matches(pattern: str, key: str) -> bool:
    return key.startswith(pattern[:-1]) if pattern.endswith("*") else key == pattern


#: Keys that describe, and one by which workloads that ask for it are restarted. Not ``app.kubernetes.io/instance``, by
#: which Argo CD knows what it may prune, nor ``owner``, by which Helm knows its releases.
DEFAULT_TEMPLATE_KEYS = TemplateKeys(
    (
        "app",
        "app.kubernetes.io/component",
        "app.kubernetes.io/name",
        "app.kubernetes.io/part-of",
        "app.kubernetes.io/version",
        "component",
        "env",
        "environment",
        "note",
        "reloader.stakater.com/match",
        "team",
        "tier",
        "version",
    )
)


def permitted(template: SecretTemplate, keys: TemplateKeys) -> SecretTemplate:
    """The template without what is refused."""
    out = {*refused(template, keys), *no_keys(template)}
    if not out:
        return template
    return SecretTemplate(
        labels={key: value for key, value in template.labels.items() if key not in out},
        annotations={key: value for key, value in template.annotations.items() if key not in out},
    )


def no_keys(template: SecretTemplate) -> tuple[str, ...]:
    """What the API server would not take for keys of labels or annotations, sorted."""
    labels = {key for key in template.labels if not _is_key(key)}
    return tuple(sorted(labels | {key for key in template.annotations if not _is_key(key.lower())}))


def _is_key(text: str) -> bool:
    found = _KEY.fullmatch(text)
    if found is None or found["prefix"] is None:
        return found is not None
    return len(found["prefix"]) <= _LONGEST_PREFIX and _SUBDOMAIN.fullmatch(found["prefix"]) is not None


def refused(template: SecretTemplate, keys: TemplateKeys) -> tuple[str, ...]:
    """The keys of a template that are not allowed, sorted."""
    return tuple(sorted({key for key in (*template.labels, *template.annotations) if not keys.allow(key)}))


def refusal(template: SecretTemplate, keys: TemplateKeys) -> str | None:
    """What of a template is refused and what to do, in one sentence; None when all is allowed."""
    found = refused(template, keys)
    if not found:
        return None
    return (
        f"spec.secret.template may not set {_some(found)}, which is left out: remove it, or have it "
        "allowed by the operator's --secret-template-keys"
    )


def key_problem(template: SecretTemplate) -> str | None:
    """Which keys of a template are none, and what a key is, in one sentence; None when all are."""
    found = no_keys(template)
    if not found:
        return None
    shown = _some([repr(key[:_SHOWN]) for key in found])
    return (
        f"spec.secret.template has {shown}, which the API server does not take for the key of a label or annotation "
        "and which is left out: write it as name or example.com/name, the name with at most 63 letters, digits, '-', "
        "'_' and '.'"
    )


def _some(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return f"{', '.join(keys[:_NAMED])}{more}"
