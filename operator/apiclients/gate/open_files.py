"""Open files: as many as the process may have, and some of them kept from callers."""

import logging
import resource

from apiclients.gate.http.protocol import MAX_CONNECTIONS

logger = logging.getLogger(__name__)

#: For watches, lists and proofs, the Lease, certificates, and a reload of each at once.
RESERVED_FILES = 64


def raise_limit_of_open_files() -> int:
    """Raise the soft limit to the hard one; returns how many connections of callers fit beside what the gate needs.

    A process that has no file left can neither prove that its picture is fresh nor renew its Lease: a flood of
    connections would stop it for everybody.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError) as error:
            logger.warning("the limit of open files stays at %d: %s", soft, error)
    connections = max_connections(soft)
    level = logging.INFO if connections == MAX_CONNECTIONS else logging.WARNING
    logger.log(level, "open files: %s at most, for connections of callers: %d", _text(soft), connections)
    return connections


def max_connections(limit: int) -> int:
    """How many connections fit into a limit of open files."""
    if limit == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(1, min(MAX_CONNECTIONS, limit - RESERVED_FILES))


def shares(connections: int | None) -> tuple[int | None, int]:
    """How many of the connections are for callers, and for a port of health and metrics; None: as many as by default.

    An eighth, and no fewer than 16: whoever fills that port keeps the kubelet out, and no caller.
    """
    if connections is None:
        return None, MAX_CONNECTIONS // 8
    health = max(16, connections // 8)
    return max(1, connections - health), health


def _text(limit: int) -> str:
    return "unlimited" if limit == resource.RLIM_INFINITY else str(limit)
