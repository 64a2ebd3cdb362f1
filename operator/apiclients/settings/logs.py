"""Logs of both programs: JSON for machines, or lines for people. Never a token, a secret or a body (rule 23)."""

import logging
import sys

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from apiclients.settings.common import LogFormat, LogLevel

#: What kopf adds to each record for itself: all of its settings.
_OF_KOPF = ("settings", "k8s_skip")
_TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def configure_logs(log_format: LogFormat, level: LogLevel) -> None:
    """Send everything to standard error, one line per record, in one format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_json_formatter() if log_format is LogFormat.JSON else logging.Formatter(_TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # It tells of every event of every object; what matters is logged where it is decided.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    # It warns of every request that is none; those are answered, and anybody can send them by the million.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def _json_formatter() -> logging.Formatter:
    return JsonFormatter(
        "{asctime}{levelname}{name}{message}",
        style="{",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        datefmt="%Y-%m-%dT%H:%M:%S%z",
        reserved_attrs=[*RESERVED_ATTRS, *_OF_KOPF],
        # A record must never be lost because of what somebody adds to it, nor tell more than its author meant to.
        json_default=lambda value: type(value).__name__,
    )
