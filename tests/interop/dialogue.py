"""A program of another language as a process that is asked, one line each: ``token basic SECRET - -``, ``call``."""

import contextlib
import os
import select
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

#: A JVM that starts on a busy machine takes the longest.
_ANSWER_SECONDS = 240.0
_END_SECONDS = 20.0
_LOG_CHARACTERS = 4000
#: On loopback a proxy is of no use.
_DROPPED = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}


class Dialogue:
    """One running program."""

    def __init__(self, name: str, process: subprocess.Popen[str], log: Path) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.name = name
        self._process = process
        self._to: IO[str] = process.stdin
        self._from: IO[str] = process.stdout
        self._log = log

    def ask(self, *words: str) -> str:
        """The line that it answers. AssertionError with the end of its log if it says nothing in time, or has ended."""
        with contextlib.suppress(BrokenPipeError):  # it has ended: its log says why
            self._to.write(" ".join(words) + "\n")
            self._to.flush()
        readable, _, _ = select.select([self._from], [], [], _ANSWER_SECONDS)
        if not readable:
            self._process.kill()
        line = self._from.readline() if readable else ""
        assert line, f"{self.name} does not answer {words[0]}:\n{self._log.read_text()[-_LOG_CHARACTERS:]}"
        return line.rstrip("\n")

    def token(self, way: str, secret: str, *, resource: str = "-", scope: str = "-") -> str:
        """Ask for a token by ``basic`` or ``form``; the token, or the error code of RFC 6749."""
        return self.ask("token", way, secret, resource, scope)


@contextmanager
def dialogue(
    name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path
) -> Iterator[Dialogue]:
    """The program, from its start until the end of its standard input; its words go to ``log``."""
    inherited = {key: value for key, value in os.environ.items() if key.upper() not in _DROPPED}
    with log.open("w") as words:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
            cwd=folder,
            env={**inherited, **environment},
        )
    try:
        yield Dialogue(name, process, log)
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """It ends with its standard input, or is killed."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
