"""Options that several commands share, as parent parsers, and the words that they take."""

import argparse
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

#: What is shown for a value that an option takes decides also how the shell completes it.
NAMESPACE, CONTEXT, CLIENT, HOLD, API = "NAMESPACE", "CONTEXT", "NAME", "HOLD", "NAMESPACE/NAME"
STATUS, BASE, HEAD = "STATUS", "DIR|GITREF", "DIR|GITREF|-"
#: A contract that waits for the owner of an Api.
CONTRACT = "[NAMESPACE/]CONTRACT"

LIST_FORMATS = ("table", "wide", "json", "yaml", "name")
SCREEN_FORMATS = ("text", "json", "yaml")

Subparsers = Any  # argparse._SubParsersAction is generic in stubs only


def common() -> argparse.ArgumentParser:
    """What every command takes: where the cluster is, and colour."""
    parser = _parent("connection")
    group = parser.add_argument_group("cluster and colour")
    group.add_argument("-n", "--namespace", metavar=NAMESPACE, help="namespace; default: that of the context")
    group.add_argument("--context", metavar=CONTEXT, help="context of the kubeconfig")
    group.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default: $KUBECONFIG, else ~/.kube/config")
    group.add_argument("--as", dest="act_as", default="", metavar="USER", help="user to act as, if you may impersonate")
    group.add_argument(
        "--as-group",
        dest="act_as_groups",
        action="append",
        default=[],
        metavar="GROUP",
        help="group to act as; repeatable",
    )
    group.add_argument("--as-uid", dest="act_as_uid", default="", metavar="UID", help="UID to act as")
    group.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="auto: on a terminal, unless NO_COLOR is set",
    )
    return parser


def selecting() -> argparse.ArgumentParser:
    """Which objects of a list: all namespaces, label selector."""
    parser = _parent("selection")
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="look in all namespaces")
    parser.add_argument("-l", "--selector", metavar="SELECTOR", help="label selector, such as team=a,tier!=gold")
    return parser


def output(formats: tuple[str, ...]) -> argparse.ArgumentParser:
    """The format of what is printed; the first one is the default."""
    parser = _parent("output")
    parser.add_argument("-o", "--output", choices=formats, default=formats[0], help="format (%(default)s)")
    return parser


def dry_run() -> argparse.ArgumentParser:
    """Whether a change is only shown, or only checked by the server."""
    parser = _parent("dry run")
    parser.add_argument(
        "--dry-run",
        choices=("none", "client", "server"),
        default="none",
        help="client: print what would be done; server: let the API server check it, and change nothing",
    )
    return parser


def repository(what: str) -> argparse.ArgumentParser:
    """Where in Git the change belongs."""
    parser = _parent("repository")
    parser.add_argument(
        "-f",
        "--filename",
        type=Path,
        default=Path(),
        metavar="PATH",
        help=f"folder or file of your Git repository that declares {what}; default: where you are",
    )
    return parser


def system() -> argparse.ArgumentParser:
    """Where operator and gates keep their Leases."""
    parser = _parent("system")
    parser.add_argument(
        "--system-namespace",
        metavar=NAMESPACE,
        default="apiclients-system",
        help="namespace of operator and gate (%(default)s)",
    )
    return parser


def waiting(what: str) -> argparse.ArgumentParser:
    """Whether to wait until a change is in effect, and how long at most."""
    parser = _parent("waiting")
    parser.add_argument("--wait", action="store_true", help=f"wait until {what}")
    parser.add_argument(
        "--timeout", type=duration, default="60s", metavar="TIME", help="longest wait (%(default)s); then exit status 1"
    )
    return parser


def duration(text: str) -> timedelta:
    """A time such as 90s, 2h30m or 14d. Raises argparse.ArgumentTypeError."""
    found = re.fullmatch(r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?", text)
    if not text or found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration; use e.g. 90s, 2h30m or 14d")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def names(text: str) -> tuple[str, ...]:
    """Names separated by commas; an empty text is none."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _parent(prog: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=prog, add_help=False, allow_abbrev=False)
