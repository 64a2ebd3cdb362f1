"""``plan``: what a change in Git will do, before it is merged."""

import argparse
import os
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from apiclients.cli import options
from apiclients.cli.errors import CliError

if TYPE_CHECKING:
    from apiclients.plan.live import LiveState
    from apiclients.plan.manifests import Manifests
    from apiclients.plan.model import Plan

FORMATS = ("text", "markdown", "json", "sarif", "gitlab", "github", "junit")
FAIL_ON = ("irreversible", "disruptive", "unacknowledged")

#: Exit statuses; 1, an error, is never one of them.
CHANGED, FAILED = 2, 3

_EXAMPLES = """\
examples:
  kubectl apiclient plan --base main --head HEAD
  kubectl apiclient plan --base main:clients --head clients/ --fail-on unacknowledged
  kubectl kustomize overlays/prod | kubectl apiclient plan --base rendered/prod --head -
  kubectl apiclient plan --base origin/main --merge-base --head HEAD --state live.json -o markdown

exit status:
  0  the plan was made, whatever it found
  1  an error: there is no plan
  2  with --detailed-exitcode: something changes
  3  with --fail-on: the named class is there
"""


class _Parser(argparse.ArgumentParser):
    """A wrong command line ends with 1: 2 means that something changes."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"error: {message}\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "plan",
        help="say what a change in Git will do, before it is merged",
        description="Say what applying the manifests of HEAD will do where those of BASE are applied: which clients "
        "stop, which contracts end, which tokens and Secrets go, and whether that is acknowledged. Reads no Secret, "
        "changes nothing, runs no code of the tree.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[options.common()],
        allow_abbrev=False,
    )
    parser.__class__ = _Parser
    source = "a folder or file, a Git revision (main, HEAD~1, main:clients), or - for standard input"
    parser.add_argument("--base", required=True, metavar="DIR|GITREF", help=f"what is applied now: {source}")
    parser.add_argument("--head", required=True, metavar="DIR|GITREF|-", help="what is to be applied: the same")
    parser.add_argument("--merge-base", action="store_true", help="take for base the commit at which the two parted")
    _add_live(parser)
    _add_output(parser)
    parser.set_defaults(func=run)


def _add_live(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("live state")
    group.add_argument("--state", type=Path, metavar="FILE", help="from a file that `snapshot` wrote, not the cluster")
    group.add_argument("--no-live", action="store_true", help="plan on manifests alone, also where a cluster is known")
    group.add_argument(
        "--live-namespace", action="append", metavar=options.NAMESPACE, help="read only this one; may be repeated"
    )
    group.add_argument(
        "--allow-exec-plugins", action="store_true", help="run the program that the kubeconfig names for credentials"
    )
    group.add_argument("--redact", action="store_true", help="hide names of other teams, for public places")
    group.add_argument("--time", metavar="RFC3339", help=argparse.SUPPRESS)


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument(
        "-o", "--output", choices=FORMATS, default="text", help="format of what is printed (%(default)s)"
    )
    group.add_argument(
        "--write", action="append", default=[], metavar="FORMAT=FILE", help="write this too; may be repeated"
    )
    group.add_argument(
        "--comment-key", default="default", metavar="KEY", help="tells markdown comments of several plans apart"
    )
    group.add_argument("--detailed-exitcode", action="store_true", help="exit with 2 when something changes")
    group.add_argument(
        "--fail-on", action="append", default=[], choices=FAIL_ON, help="exit with 3 when it is there; may be repeated"
    )


async def run(args: argparse.Namespace) -> int:
    """Plan, print, and return the exit status. Raises CliError and KubeError."""
    import gc

    from apiclients.plan.core import plan

    gc.disable()  # one plan, and the process ends: collecting would take a third of the time and find nothing
    writes = [_write_target(text) for text in args.write]
    base, head = _manifests(args)
    live = await _live(args, base, head)
    moment = _time(args.time)
    made = replace(plan(base, head, _redacted(live, base, head, args), moment), redacted=args.redact)
    for format_, path in writes:
        _write_file(path, _render(made, format_, args))
    _print(made, args)
    return status(made, args)


def status(plan: "Plan", args: argparse.Namespace) -> int:
    """The exit status."""
    from apiclients.plan.model import Severity

    grave = {"irreversible": Severity.IRREVERSIBLE.rank, "disruptive": Severity.DISRUPTIVE.rank}
    hit = [
        name
        for name in args.fail_on
        if (plan.unacknowledged if name == "unacknowledged" else plan.severity.rank >= grave[name])
    ]
    if hit:
        return FAILED
    return CHANGED if args.detailed_exitcode and plan.entries else 0


def _manifests(args: argparse.Namespace) -> tuple["Manifests", "Manifests"]:
    from apiclients.cli.manifest_sources import STDIN, merge_base, read_tree
    from apiclients.plan.manifests import read_all

    if args.base == STDIN and args.head == STDIN:
        raise CliError("only one of --base and --head can be standard input")
    base = merge_base(args.base, args.head) if args.merge_base else args.base
    one, other = read_all([read_tree(base), read_tree(args.head)], args.namespace)
    return one, other


async def _live(args: argparse.Namespace, base: "Manifests", head: "Manifests") -> "LiveState | None":
    from apiclients.cli.live_state import cluster_is_configured, read_cluster, read_snapshot

    if args.state is not None and args.no_live:
        raise CliError("--state and --no-live exclude each other")
    if args.state is not None:
        return read_snapshot(args.state)
    if args.no_live or not cluster_is_configured(args):
        return None
    own = {name.namespace for name in (*base.objects, *head.objects)}
    return await read_cluster(args, namespaces=args.live_namespace, workloads_in=own)


def _redacted(
    live: "LiveState | None", base: "Manifests", head: "Manifests", args: argparse.Namespace
) -> "LiveState | None":
    from apiclients.plan.redact import redacted

    return redacted(live, base, head) if args.redact and live is not None else live


def _time(text: str | None) -> datetime:
    from apiclients.cli.live_state import now
    from apiclients.resources.fields import parse_time

    try:
        return parse_time(text) if text is not None else now()
    except ValueError as error:
        raise CliError(str(error)) from error


def _render(plan: "Plan", format_: str, args: argparse.Namespace, *, color: bool = False) -> str:
    match format_:
        case "text":
            from apiclients.plan.render import text

            return text.render(plan, color=color)
        case "markdown":
            from apiclients.plan.render import markdown

            return markdown.render(plan, key=args.comment_key)
        case "json":
            from apiclients.plan.render import json_format

            return json_format.render(plan)
        case _:
            from apiclients.plan.render import reports

            render = {
                "sarif": reports.sarif,
                "gitlab": reports.gitlab,
                "github": reports.github,
                "junit": reports.junit,
            }
            return render[format_](plan)


def _write_target(text: str) -> tuple[str, Path]:
    format_, separator, path = text.partition("=")
    if format_ not in FORMATS or not separator or not path:
        raise CliError(f"--write {text}: write it like sarif=plan.sarif; formats are {', '.join(FORMATS)}")
    return format_, Path(path)


def _write_file(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CliError(f"{path} cannot be written: {error.strerror}") from error


def _print(plan: "Plan", args: argparse.Namespace) -> None:
    from apiclients.cli.text import style_for, write

    style = style_for(sys.stdout, args.color)
    try:
        write(sys.stdout, _render(plan, args.output, args, color=style.color).removesuffix("\n"))
    except BrokenPipeError:
        # Whoever reads has read enough; the exit status still tells what the plan found.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
