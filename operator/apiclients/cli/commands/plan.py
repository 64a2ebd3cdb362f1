"""``plan``: what a change in Git will do, before it is merged."""

import argparse
import os
import sys
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from apiclients.cli import options
from apiclients.cli.errors import CliError

if TYPE_CHECKING:
    from apiclients.cli.screens.text import Style
    from apiclients.plan.live import LiveState
    from apiclients.plan.manifests import Manifests
    from apiclients.plan.model import Plan

FORMATS = ("text", "markdown", "json", "sarif", "gitlab", "github", "junit")
FAIL_ON = ("irreversible", "disruptive", "unacknowledged", "invalid")

#: Exit statuses; 1, an error, is never one of them.
CHANGED, FAILED = 2, 3

_EXAMPLES = """\
examples:
  kubectl apiclient plan -R -f teams/
  kubectl apiclient plan --base main --head HEAD
  kubectl apiclient plan --base main --head teams/ --fail-on invalid --fail-on unacknowledged
  kubectl kustomize overlays/prod | kubectl apiclient plan --base rendered/prod --head -
  kubectl apiclient plan --base origin/main --merge-base --head HEAD --state live.json -o markdown

exit status:
  0  the plan was made, whatever it found
  1  an error: there is no plan
  2  with --detailed-exitcode: something changes, or is invalid
  3  with --fail-on: the named class is there; invalid: what the API server would refuse, and files that cannot be read
"""


@dataclass(frozen=True, slots=True)
class _Sides:
    """What is compared."""

    base: "Manifests"
    head: "Manifests"
    live: "LiveState | None"
    notices: tuple[str, ...]


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
        help="show what a change in Git will do, before it is merged",
        description="Say what applying manifests will do: which clients stop, which contracts end, which tokens and "
        "Secrets go, and whether that is acknowledged. With --base and --head: what a change in Git does where BASE is "
        "applied, deletions included. Without --base: what applying them now does to what is live; as with `kubectl "
        "apply -f`, nothing is deleted. Reads no Secret, changes nothing, runs no code of the tree.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[options.common()],
        allow_abbrev=False,
    )
    parser.__class__ = _Parser
    _add_sources(parser)
    _add_live(parser)
    _add_output(parser)
    parser.set_defaults(func=run)


def _add_sources(parser: argparse.ArgumentParser) -> None:
    source = "a folder or file, a Git revision (main, HEAD~1, main:teams), or - for standard input"
    where = "A revision alone means the folder of the other side; `main:` all of it"
    parser.add_argument(
        "--base", metavar=options.BASE, help=f"what is applied now: {source}. {where}. Default: what is live"
    )
    heads = parser.add_mutually_exclusive_group(required=True)
    heads.add_argument("--head", metavar=options.HEAD, help="what is to be applied: the same")
    heads.add_argument(
        "-f", "--filename", action="append", metavar="PATH",
        help="what is to be applied, compared with what is live: a file, a folder, or -; may be repeated",
    )  # fmt: skip
    heads.add_argument(
        "-k", "--kustomize", metavar="DIR", help="the same, for what `kubectl kustomize` makes of a folder"
    )
    parser.add_argument("-R", "--recursive", action="store_true", help="with -f: folders with all below them")
    parser.add_argument("--merge-base", action="store_true", help="take for base the commit at which the two parted")


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
    _check(args)
    writes = [_write_target(text) for text in args.write]
    sides = await (_against_live(args) if args.base is None else _against_base(args))
    moment = _time(args.time)
    made = plan(sides.base, sides.head, _redacted(sides.live, sides.base, sides.head, args), moment)
    made = replace(made, notices=(*sides.notices, *made.notices), redacted=args.redact)
    for format_, path in writes:
        _write_file(path, _render(made, format_, args))
    _print(made, args)
    return status(made, args)


def _check(args: argparse.Namespace) -> None:
    """Raises CliError for options that do not go together."""
    if args.state is not None and args.no_live:
        raise CliError("--state and --no-live exclude each other")
    if args.base is None and args.merge_base:
        raise CliError("--merge-base needs --base")
    if args.base is None and args.no_live:
        raise CliError("without --base the plan compares with what is live: leave out --no-live, or say --base")
    if args.base is not None and args.head is None:
        raise CliError("-f and -k compare with what is live: beside --base, name what is to be applied with --head")
    if args.recursive and not args.filename:
        raise CliError("-R goes with -f; --head always takes all of a folder")


def status(plan: "Plan", args: argparse.Namespace) -> int:
    """The exit status."""
    from apiclients.plan.model import Severity

    there = {
        "irreversible": plan.severity is Severity.IRREVERSIBLE,
        "disruptive": plan.severity.rank >= Severity.DISRUPTIVE.rank,
        "unacknowledged": bool(plan.unacknowledged),
        "invalid": bool(plan.invalid),
    }
    if any(there[name] for name in args.fail_on):
        return FAILED
    return CHANGED if args.detailed_exitcode and (plan.entries or plan.invalid) else 0


async def _against_base(args: argparse.Namespace) -> "_Sides":
    """A change in Git, where base is applied."""
    from apiclients.cli.cluster.live_state import cluster_is_configured
    from apiclients.cli.git.manifest_sources import read_sides
    from apiclients.plan.manifests import read_all

    trees = read_sides(args.base, args.head, parted=args.merge_base)
    base, head = read_all([trees.base, trees.head], args.namespace)
    wanted = args.state is not None or (not args.no_live and cluster_is_configured(args))
    live = await _live(args, base, head) if wanted else None
    return _Sides(base, head, live, trees.notices)


async def _against_live(args: argparse.Namespace) -> "_Sides":
    """Manifests, as applying them now would change what is live."""
    from apiclients.cli.cluster.live_state import cluster_is_configured, context_namespace
    from apiclients.cli.git.manifest_sources import read_files, read_kustomization, read_one
    from apiclients.plan.live_base import live_base
    from apiclients.plan.manifests import NOTHING, read_all

    if args.state is None and not cluster_is_configured(args):
        raise CliError("without --base the plan compares with what is live: name a kubeconfig, or --state, or --base")
    if args.filename:
        tree = read_files(args.filename, recursive=args.recursive)
    else:
        tree = read_kustomization(args.kustomize) if args.kustomize is not None else read_one(args.head)
    namespace = args.namespace if args.state is not None else context_namespace(args)
    (head,) = read_all([tree], namespace)
    live = await _live(args, NOTHING, head)
    return _Sides(live_base(live, head), head, live, ("Compared with what is live: what the files leave out stays.",))


async def _live(args: argparse.Namespace, base: "Manifests", head: "Manifests") -> "LiveState":
    from apiclients.cli.cluster.live_state import read_cluster, read_snapshot

    if args.state is not None:
        return read_snapshot(args.state)
    own = {name.namespace for name in (*base.objects, *head.objects)}
    return await read_cluster(args, namespaces=args.live_namespace, workloads_in=own)


def _redacted(
    live: "LiveState | None", base: "Manifests", head: "Manifests", args: argparse.Namespace
) -> "LiveState | None":
    from apiclients.plan.redact import redacted

    return redacted(live, base, head) if args.redact and live is not None else live


def _time(text: str | None) -> datetime:
    from apiclients.cli.cluster.live_state import now
    from apiclients.resources.fields import parse_time

    try:
        return parse_time(text) if text is not None else now()
    except ValueError as error:
        raise CliError(str(error)) from error


def _render(plan: "Plan", format_: str, args: argparse.Namespace, style: "Style | None" = None) -> str:
    match format_:
        case "text":
            from apiclients.plan.render import text

            return text.render(plan, color=style.color, width=style.width) if style else text.render(plan)
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
    from apiclients.cli.files import SHARED, write_whole

    try:
        write_whole(path, text.encode(), SHARED)
    except OSError as error:
        raise CliError(f"{path} cannot be written: {error.strerror}") from error


def _print(plan: "Plan", args: argparse.Namespace) -> None:
    from apiclients.cli.screens.text import style_for, write

    style = style_for(sys.stdout, args.color)
    try:
        write(sys.stdout, _render(plan, args.output, args, style).removesuffix("\n"))
    except BrokenPipeError:
        # Whoever reads has read enough; the exit status still tells what the plan found.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
