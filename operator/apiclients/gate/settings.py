"""What the gate is told: command line first, then environment (``APICLIENT_GATE_<OPTION>``), then defaults."""

import argparse
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from apiclients.gate.freshness import Bounds

ENVIRONMENT_PREFIX = "APICLIENT_GATE_"
_TRUE = frozenset({"1", "true", "yes"})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one gate process."""

    issuer: str
    host: str
    port: int
    tls_cert: Path | None
    tls_key: Path | None
    keys_namespace: str
    keys_secret: str
    kubeconfig: Path | None
    context: str | None
    bounds: Bounds
    lease_namespace: str
    lease_interval: float
    replica_name: str
    log_format: str
    log_level: str


def parse_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Read settings; a wrong one ends the program with a sentence, as argparse does."""
    parser = _parser(environment)
    found = parser.parse_args(arguments)
    problem = _problem(found)
    if problem:
        parser.error(problem)
    return Settings(
        issuer=found.issuer,
        host=found.host,
        port=found.port,
        tls_cert=found.tls_cert,
        tls_key=found.tls_key,
        keys_namespace=found.keys_namespace or found.namespace,
        keys_secret=found.keys_secret,
        kubeconfig=found.kubeconfig,
        context=found.context,
        bounds=Bounds(found.proof_interval, found.max_staleness, found.relist_interval, found.fail_static),
        lease_namespace=found.lease_namespace or found.namespace,
        lease_interval=found.lease_interval,
        replica_name=found.replica_name,
        log_format=found.log_format,
        log_level=found.log_level,
    )


class _Options:
    """Options with a default from the environment."""

    def __init__(self, parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
        self._parser = parser
        self._environment = environment

    def add(self, name: str, default: object, text: str, **more: object) -> None:
        """One option; argparse converts a default from the environment like an argument."""
        variable = ENVIRONMENT_PREFIX + name.upper().replace("-", "_")
        value = self._environment.get(variable, default)
        self._parser.add_argument(f"--{name}", default=value, help=f"{text} [{variable}]", **more)  # type: ignore[arg-type]

    def add_flag(self, name: str, text: str) -> None:
        """One option without a value."""
        variable = ENVIRONMENT_PREFIX + name.upper().replace("-", "_")
        value = self._environment.get(variable, "").lower() in _TRUE
        self._parser.add_argument(f"--{name}", default=value, action="store_true", help=f"{text} [{variable}]")


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("apiclient-gate", description="Issues access tokens and checks them for gateways.")
    options = _Options(parser, environment)
    options.add("issuer", None, "URL of this issuer, as clients and gateways know it; required")
    options.add("host", "0.0.0.0", "address to listen on")  # noqa: S104 - a pod is reached from outside
    options.add("port", 8080, "port to listen on", type=int)
    options.add("tls-cert", None, "certificate chain, PEM; read again when it changes", type=Path)
    options.add("tls-key", None, "private key of the certificate, PEM", type=Path)
    options.add("namespace", "apiclients-system", "namespace of the gate")
    options.add("keys-namespace", None, "namespace of the keys Secret; default: that of the gate")
    options.add("keys-secret", "apiclient-keys", "name of the keys Secret")
    options.add("kubeconfig", None, "kubeconfig file; default: the pod's service account, else as kubectl", type=Path)
    options.add("context", None, "context of the kubeconfig")
    options.add("proof-interval", 2.0, "seconds between freshness proofs", type=float)
    options.add("max-staleness", 10.0, "seconds without a proof after which nothing is decided", type=float)
    options.add("relist-interval", 60.0, "seconds between full lists", type=float)
    options.add_flag("fail-static", "keep deciding from the last known state however old it is")
    options.add("lease-namespace", None, "namespace of this replica's Lease; default: that of the gate")
    options.add("lease-interval", 5.0, "seconds between renewals of the Lease", type=float)
    options.add("replica-name", _own_name(), "name of this replica, and so of its Lease")
    options.add("log-format", "json", "json or text", choices=["json", "text"])
    options.add("log-level", "info", "debug, info, warning or error", choices=["debug", "info", "warning", "error"])
    return parser


def _own_name() -> str:
    """The host's name (in a pod, the pod's) as Kubernetes takes names."""
    return re.sub(r"[^a-z0-9.-]", "-", socket.gethostname().lower()).strip("-.") or "apiclient-gate"


def _problem(found: argparse.Namespace) -> str | None:
    """What is wrong with settings that parse one by one."""
    if not found.issuer:
        return f"--issuer (or {ENVIRONMENT_PREFIX}ISSUER) is required"
    url = urlsplit(found.issuer)
    if url.scheme not in {"http", "https"} or not url.netloc or url.query or url.fragment or found.issuer.endswith("/"):
        return "--issuer must be an https URL without query, fragment or slash at the end (RFC 8414 section 2)"
    if (found.tls_cert is None) != (found.tls_key is None):
        return "--tls-cert and --tls-key belong together"
    if min(found.proof_interval, found.relist_interval, found.lease_interval) <= 0:
        return "intervals must be greater than 0"
    if found.max_staleness < 2 * found.proof_interval:
        return "--max-staleness must be at least twice --proof-interval, or one late answer stops everything"
    return None
