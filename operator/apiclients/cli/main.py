"""``kubectl apiclient``: finds the command, runs it, and says in a sentence what went wrong.

Only the command that is asked for is imported, so that the first output comes at once.
"""

import argparse
import errno
import gc
import os
import sys
import traceback
from importlib import import_module
from types import ModuleType

PROGRAM = "kubectl apiclient"

#: Each command and what it is for; the module of ``new-version`` is ``commands/new_version.py``.
COMMANDS: dict[str, str] = {
    "get": "list clients, by what people look for",
    "status": "show one client: contracts, credentials, holds, history, events",
    "explain": "explain why a client is not ready, what happens next, and what would unblock it",
    "dashboard": "show clients in the browser: a read-only dashboard on this machine, with your own rights",
    "contracts": "list the contracts of a client or of an Api",
    "inspect": "say whose a token or client id is, why it is refused, and what to do",
    "plan": "show what a change in Git will do, before it is merged",
    "snapshot": "write the live state to a file that plan can read without a cluster",
    "hold": "stop clients at once; Git does not undo it",
    "release": "take holds back",
    "rotate": "ask for new secrets",
    "suspend": "print the change that suspends a client",
    "resume": "print the change that makes a client available again",
    "retire": "print the change that retires a client",
    "approve": "print the approval of a contract",
    "reject": "print the rejection of a contract",
    "create": "print the YAML of a new client, with its contracts",
    "new-version": "print the YAML of a new version of a client, with its contracts",
    "doctor": "check the installation; exit status 1 when something is wrong",
    "report": "collect diagnostics into one file, without secrets",
}

#: Exit status after Ctrl-C: 128 and the number of the signal.
INTERRUPTED = 130
#: What writing to standard output can end in: a full disk or quota, a file that is too large, a broken or closed one.
_OUTPUT_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})

#: Options that may stand before the command, and whether they take a value.
_LEADING = {
    "-n": True,
    "--namespace": True,
    "--context": True,
    "--kubeconfig": True,
    "--as": True,
    "--as-group": True,
    "--as-uid": True,
    "--color": True,
    "-A": False,
    "--all-namespaces": False,
}


#: Objects until the garbage collector looks for cycles. Imports alone make many thousands, and none of them is garbage.
_COLLECT_AFTER = 50_000


def main() -> None:
    """The console script ``kubectl-apiclient``."""
    gc.set_threshold(_COLLECT_AFTER)
    sys.exit(run(sys.argv[1:]))


def run(argv: list[str]) -> int:
    """Run a command line and return the exit status: 0, 1 for an error, 2 for a wrong command line, or the command's.

    Raises SystemExit as argparse does, for ``--help`` and for a command line that cannot be read.
    """
    argv = command_first(argv)
    _check_command(argv)
    args = build_parser(argv[0] if argv else None).parse_args(argv)
    import asyncio  # not for --help

    try:
        status = asyncio.run(args.func(args))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _forget_output()  # whoever read has read enough
        return 0
    except Exception as error:
        return _report(error)
    return int(status)


def _forget_output() -> None:
    """What is still to be written goes nowhere, so that the end of the process does not fail on it again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _check_command(argv: list[str]) -> None:
    """Raises SystemExit with 2 when there is no command, or none of that name."""
    if argv and (argv[0].startswith("-") or argv[0] in COMMANDS):
        return
    parser = build_parser(None)
    if not argv:
        parser.print_help(sys.stderr)
        parser.exit(2)
    from difflib import get_close_matches

    guesses = get_close_matches(argv[0], COMMANDS, cutoff=0.7)
    hint = f"Did you mean {' or '.join(guesses)}?" if guesses else f"`{PROGRAM} --help` lists them"
    parser.error(f"there is no command {argv[0]}. {hint}")


def command_first(argv: list[str]) -> list[str]:
    """The command line with options such as ``-n team-a`` moved behind the command."""
    position = 0
    while position < len(argv) and argv[position].startswith("-"):
        option, _, value = argv[position].partition("=")
        if option not in _LEADING:
            return argv
        position += 2 if _LEADING[option] and not value else 1
    return [*argv[position : position + 1], *argv[:position], *argv[position + 1 :]]


def option_takes_value(word: str) -> bool:
    """Whether a word before the command is an option whose value comes next."""
    return _LEADING.get(word, False)


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """The parser with the options of one command; the others are only named. None or an unknown command: none."""
    from apiclients import __version__

    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Manage the life cycles of API clients.",
        epilog=f"`{PROGRAM} COMMAND --help` tells more about a command.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        if name == command:
            command_module(name).register(subparsers)
        else:
            subparsers.add_parser(name, help=text)
    return parser


def command_module(name: str) -> ModuleType:
    """The module of a command."""
    return import_module(f"apiclients.cli.commands.{name.replace('-', '_')}")


def _report(error: Exception) -> int:
    from apiclients.cli.cluster.problems import sentence
    from apiclients.cli.errors import CliError, Interrupted

    if isinstance(error, Interrupted):
        print(f"\n{error}", file=sys.stderr)
        return INTERRUPTED
    if isinstance(error, OSError) and error.errno in _OUTPUT_ERRORS and error.filename is None:
        _forget_output()
        text: str | None = f"standard output cannot be written: {error.strerror}"
    else:
        text = str(error) if isinstance(error, CliError) else sentence(error)
    if text is None:
        traceback.print_exception(error)
        text = "this is a bug in kubectl apiclient: please report it with the lines above"
    print(f"error: {text}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
