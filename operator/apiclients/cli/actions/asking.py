"""Questions to a person on the terminal."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from apiclients.cli.errors import Interrupted


def terminal() -> Callable[[str], str] | None:
    """Asks a question and returns the answer; None where nobody can answer."""
    return _ask if sys.stdin.isatty() else None


def _ask(question: str) -> str:
    """Raises Interrupted on Ctrl-C."""
    with _interruptible():
        print(question, end="", file=sys.stderr, flush=True)
        return sys.stdin.readline()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends a read at once; asyncio's own handler would only cancel a task that does not run meanwhile."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted("Nothing was changed.") from None
    finally:
        signal.signal(signal.SIGINT, before)
