"""Takes secrets out of what goes into a report: by the names of fields, and by what secrets look like. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from apiclients.kube.objects import JsonObject

REDACTED = "<redacted>"

#: Fields whose value is never shown, wherever they stand. Digests are no secrets, but nobody who helps needs them.
_FIELDS = re.compile(
    r"(?i)^(digest|pepper|password|passwd|client-?secret|secret-?key|private-?key|token|api-?key|auth|authorization|caBundle)$"
)
#: Annotations that hold whole objects, or proofs of secrets.
_ANNOTATIONS = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "apiclients.dev/credential",
        "apiclients.dev/applied",
    }
)
_PATTERNS = (
    re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|$)", re.DOTALL),
    re.compile(r"eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){1,4}"),
    re.compile(r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
)
#: What is written behind such a word is taken for a secret; the word stays.
_ASSIGNED = re.compile(
    r"(?i)\b((?:[a-z0-9]+[-_])*(?:password|passwd|pwd|secret|token|api[-_]?key|credentials?|passphrase)s?)"
    r"(\s*[:=]\s*)([\"']?)([^\s\"',;]{4,})"
)
_LONG = re.compile(r"(?:sha256:)?[A-Za-z0-9_\-+/=]{20,}")
_HEX = re.compile(r"[0-9a-fA-F]{32,}")
#: A word as in ValidatingAdmissionPolicy. At random a new one begins at about every second character.
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_LETTERS_A_WORD = 5
_MOST_DIGITS = 4
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def redact(value: Any) -> Any:
    """A JSON value without secrets."""
    if isinstance(value, Mapping):
        return {str(key): _field(str(key), part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [redact(part) for part in value]
    return redact_text(value) if isinstance(value, str) else value


def redact_object(obj: JsonObject) -> JsonObject:
    """An object of the API without secrets, and without its bookkeeping of managed fields."""
    metadata = {key: part for key, part in (obj.get("metadata") or {}).items() if key != "managedFields"}
    kept = {key: text for key, text in (metadata.get("annotations") or {}).items() if key not in _ANNOTATIONS}
    if "annotations" in metadata:
        metadata["annotations"] = kept
    cleaned: JsonObject = redact({**obj, "metadata": metadata})
    if obj.get("kind") == "Secret":  # never asked for; if one comes all the same, nothing of it stays
        cleaned = {key: part for key, part in cleaned.items() if key in ("apiVersion", "kind")}
    return cleaned


def redact_text(text: str) -> str:
    """Text without what looks like a secret."""
    for pattern in _PATTERNS:
        text = pattern.sub(REDACTED, text)
    text = _ASSIGNED.sub(lambda found: f"{found[1]}{found[2]}{found[3]}{REDACTED}", text)
    return _LONG.sub(lambda found: REDACTED if _random(found[0]) else found[0], text)


def _field(name: str, value: Any) -> Any:
    if _FIELDS.fullmatch(name) and isinstance(value, str | int):
        return REDACTED
    if name == "env" and isinstance(value, list):
        return [_variable(one) for one in value]
    if name in ("args", "command") and isinstance(value, list):
        return [redact_text(str(one)) for one in value]
    return redact(value)


def _variable(variable: Any) -> Any:
    if not isinstance(variable, Mapping):
        return REDACTED
    return {key: REDACTED if key == "value" else redact(part) for key, part in variable.items()}


def _random(text: str) -> bool:
    """Whether a run of characters looks drawn at random, as generated secrets are, rather than written by people."""
    if _UUID.fullmatch(text) or text.startswith("sha256:"):  # the digest of an image
        return False
    if _HEX.fullmatch(text):
        return True
    if text.lower() == text:
        return False  # a name; one secret in a thousand million has no capital
    words, digits = len(_WORD.findall(text)), sum(c.isdigit() for c in text)
    return digits > _MOST_DIGITS or words * _LETTERS_A_WORD > len(text)
