"""Logs: JSON for machines, or lines for people. Never a token, a secret or a body of a request (rule 23)."""

import logging
import sys
import traceback

from pythonjsonlogger.json import JsonFormatter

_FRAMES = 8

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure_logs(log_format: str, level: str) -> None:
    """Send everything to standard error in one format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_TEXT) if log_format == "text" else _json_formatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # It warns of every request that is none; those are answered, and anybody can send them by the million.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def _json_formatter() -> logging.Formatter:
    return JsonFormatter(
        "{asctime}{levelname}{name}{message}",
        style="{",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        datefmt="%Y-%m-%dT%H:%M:%S%z",
    )


def where(error: BaseException) -> str:
    """What kind of error happened where, without its text, which may quote a token or a secret (rule 23)."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(where(part) for part in error.exceptions)
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return " < ".join([type(error).__name__, *(f"{f.filename}:{f.lineno} {f.name}" for f in reversed(frames))])
