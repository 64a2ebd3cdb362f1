"""What can go wrong at the Kubernetes edge, as exceptions.

No message holds a request body: bodies may carry secrets. For writes of Secrets the API server's own message is left
out too, because a validation message quotes what was submitted.
"""

from __future__ import annotations

import traceback
from typing import Any

import orjson

_MAX_MESSAGE = 1000
_FRAMES = 8


class KubeError(Exception):
    """Anything that went wrong between this process and the API server."""


class ConfigurationError(KubeError):
    """No usable kubeconfig or service account was found, or its credentials could not be obtained."""


class UnreachableError(KubeError):
    """The network failed, a timeout passed or the connection broke. A write may or may not have happened."""


class ResponseTooLargeError(KubeError):
    """An answer was longer than its bound and was dropped."""


class MalformedObjectError(KubeError):
    """An object lacks what every Kubernetes object has."""


class MissingColumnsError(MalformedObjectError):
    """A table does not tell which objects its rows are: the CustomResourceDefinition is of an older version."""


class ApiError(KubeError):
    """The API server answered with an error.

    `status` is the HTTP status, `reason` the machine-readable reason of Kubernetes ("AlreadyExists"), `message` the
    server's sentence (may be empty), `retry_after` the seconds that the server asks to wait, if it does.
    """

    def __init__(
        self, status: int, reason: str, message: str, retry_after: float | None = None, *, request: str = ""
    ) -> None:
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.request = request
        super().__init__(status, reason, message)

    def __str__(self) -> str:
        parts = (self.request, f"{self.status} {self.reason}".rstrip(), self.message)
        return ": ".join(part for part in parts if part)


class NotFoundError(ApiError):
    """404: the object or its namespace is not there."""


class ConflictError(ApiError):
    """409: the resourceVersion or the UID is not the one that was read. Read again, decide again."""


class AlreadyExistsError(ConflictError):
    """409 on a create: an object of that name is there."""


class GoneError(ApiError):
    """410: the resourceVersion or the continue token is too old. List again."""


class ForbiddenError(ApiError):
    """403: no right to do this, an admission policy refused it, a quota is used up, or the namespace is being deleted.

    `by_policy` is True where the answer names causes: admission policies and the end of a namespace do, rights and
    quotas do not.
    """

    by_policy: bool = False


class InvalidError(ApiError):
    """422: the API server's validation refused the object."""


class TooManyRequestsError(ApiError):
    """429, still after the tries that Retry-After asked for."""


_BY_STATUS: dict[int, type[ApiError]] = {
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    422: InvalidError,
    429: TooManyRequestsError,
}


def api_error(
    status: int, body: object, *, retry_after: float | None = None, request: str = "", hide_message: bool = False
) -> ApiError:
    """Make the exception for an answer.

    `body` is the decoded Status object of the API server, or anything else when something in between answered.
    `request` says what was asked ("update secrets ns/name"), without any content.
    """
    fields = body if isinstance(body, dict) else {}
    reason = str(fields.get("reason") or "")
    message = "" if hide_message else str(fields.get("message") or "")[:_MAX_MESSAGE]
    kind = _BY_STATUS.get(status, ApiError)
    if status == 404 and reason != "NotFound":
        kind = ApiError  # an unknown path or something in between: no proof that the object is not there
    elif status == 422 and "metadata.uid" in _fields_at_fault(fields):
        kind = ConflictError  # how the API server says that an applied UID is not the stored one
    if status == 409 and reason == "AlreadyExists":
        kind = AlreadyExistsError
    elif reason == "Expired":
        kind = GoneError
    if retry_after is None:
        details = fields.get("details")
        seconds = details.get("retryAfterSeconds") if isinstance(details, dict) else None
        retry_after = float(seconds) if isinstance(seconds, int) and seconds > 0 else None
    error = kind(status, reason, message, retry_after, request=request)
    if isinstance(error, ForbiddenError):
        error.by_policy = bool(_causes(fields))
    return error


def _fields_at_fault(status: dict[str, Any]) -> set[str]:
    return {cause.get("field", "") for cause in _causes(status)}


def _causes(status: dict[str, Any]) -> list[dict[str, Any]]:
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return [cause for cause in causes or [] if isinstance(cause, dict)]


def decode_error_body(raw: bytes) -> object:
    """Return the decoded JSON of an error answer, or None: proxies answer with HTML or nothing."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def where(error: BaseException) -> str:
    """What kind of error happened where, without its text, which may quote a token or a secret (rule 23)."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(where(part) for part in error.exceptions)
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return " < ".join([type(error).__name__, *(f"{f.filename}:{f.lineno} {f.name}" for f in reversed(frames))])
