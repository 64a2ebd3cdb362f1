"""Settings of the operator, from its command line."""

import argparse
import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from apiclients import __version__
from apiclients.lifecycle.keys import KeyPolicy
from apiclients.lifecycle.observation import Issuer
from apiclients.resources.keys import Algorithm

_KEY_LIFETIME_DAYS = 90
_PUBLICATION_SECONDS = 600


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """Everything that can be set."""

    issuer: Issuer
    namespace: str
    keys_secret: str
    #: Where the operator may have Secrets; none means everywhere.
    secret_namespaces: tuple[str, ...]
    keys: KeyPolicy
    rekey: bool
    kubeconfig: Path | None
    context: str | None
    host: str
    port: int
    leader_election: bool
    identity: str
    workers: int
    log_format: str
    log_level: str


def parse(argv: list[str] | None = None) -> OperatorSettings:
    """Read the command line; every option may also be set by a variable APICLIENT_OPERATOR_<OPTION>."""
    args = _parser().parse_args(argv)
    return OperatorSettings(
        issuer=Issuer(args.issuer.rstrip("/")),
        namespace=args.namespace,
        keys_secret=args.keys_secret,
        secret_namespaces=tuple(name for name in args.secret_namespaces.replace(",", " ").split() if name),
        keys=KeyPolicy(
            algorithm=Algorithm(args.signing_algorithm),
            lifetime=timedelta(days=args.signing_key_days),
            publication=timedelta(seconds=args.publication_seconds),
        ),
        rekey=args.rekey,
        kubeconfig=args.kubeconfig,
        context=args.context,
        host=args.http_host,
        port=args.http_port,
        leader_election=not args.no_leader_election,
        identity=args.identity,
        workers=args.workers,
        log_format=args.log_format,
        log_level=args.log_level,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="apiclient-operator",
        description="Reconciles ApiClients: issues and rotates their Secrets, writes their status.",
        epilog="Each option may also be set by a variable, such as APICLIENT_OPERATOR_ISSUER for --issuer.",
    )

    def option(name: str, default: object = None, **kwargs: object) -> None:
        variable = "APICLIENT_OPERATOR_" + name.strip("-").replace("-", "_").upper()
        value = os.environ.get(variable, default)
        parser.add_argument(name, default=value, required=name == "--issuer" and value is None, **kwargs)  # type: ignore[arg-type]

    option(
        "--issuer", type=_issuer, help="URL of the token gate as clients reach it, such as https://tokens.example.com"
    )
    option("--namespace", "apiclients-system", help="namespace of the keys Secret and the Lease (%(default)s)")
    option("--keys-secret", "apiclient-keys", help="name of the keys Secret (%(default)s)")
    option(
        "--secret-namespaces",
        "",
        help="namespaces where the operator may have Secrets, separated by commas (default: everywhere)",
    )
    option("--signing-algorithm", "ES256", choices=[a.value for a in Algorithm], help="of access tokens (%(default)s)")
    option(
        "--signing-key-days", _KEY_LIFETIME_DAYS, type=int, help="age at which a signing key is renewed (%(default)s)"
    )
    option(
        "--publication-seconds",
        _PUBLICATION_SECONDS,
        type=int,
        help="how long a new signing key is published before it signs: at least what verifiers cache a JWKS for, "
        "plus the gate's --max-staleness (%(default)s)",
    )
    option(
        "--kubeconfig", type=Path, help="default: the service account in a cluster, else KUBECONFIG or ~/.kube/config"
    )
    option("--context", help="context of the kubeconfig")
    option("--http-host", "0.0.0.0", help="where /healthz, /readyz and /metrics are served (%(default)s)")  # noqa: S104
    option("--http-port", 8081, type=int, help="their port (%(default)s)")
    option(
        "--identity", f"{socket.gethostname()}-{os.getpid()}", help="name of this replica in the Lease (%(default)s)"
    )
    option("--workers", 24, type=int, help="reconciles at the same time (%(default)s)")
    option("--log-format", "json", choices=["json", "text"], help="%(default)s")
    option("--log-level", "INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"], help="%(default)s")
    parser.add_argument("--no-leader-election", action="store_true", help="do not take the Lease: for debugging alone")
    parser.add_argument(
        "--rekey",
        action="store_true",
        help="make new keys although clients hold credentials: after the keys Secret is lost for good",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def _issuer(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.netloc or url.query or url.fragment:
        raise argparse.ArgumentTypeError(f"{text!r} is no issuer: write a URL such as https://tokens.example.com")
    return text
