"""Starting, watching and ending the programs of a cluster."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cluster import watchdog
from cluster.errors import ClusterError, PortTakenError

# etcd takes its whole configuration from ETCD_* variables too, so the programs see nothing but these.
_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "GOMAXPROCS", "GOGC", "GOMEMLIMIT")
_POLL_SECONDS = 0.02
_LOG_TAIL_LINES = 15


@dataclass(slots=True)
class Program:
    """One program of a cluster, started here or by an earlier process."""

    name: str
    log: Path
    _adopted: int | None = None
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _log_start: int = 0

    @property
    def pid(self) -> int | None:
        """The process id, or None when the program does not run."""
        if self._process is not None:
            return self._process.pid if self._process.poll() is None else None
        return self._adopted if self._adopted is not None and is_alive(self._adopted) else None

    def adopt(self, pid: int, mark: str) -> None:
        """Take the process ``pid`` for this program if its command line holds ``mark``; else it is another's by now."""
        if mark in command_line(pid):
            self._adopted = pid

    def start(self, command: list[str], group: int) -> None:
        """Start ``command`` in the process group ``group``, with its output appended to the log.

        Raises ``ClusterError`` if it cannot be started.
        """
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    cwd=self.log.parent,
                    process_group=group,
                )
            except OSError as error:
                raise ClusterError(f"{self.name} could not be started: {error}") from error

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Return once ``ready`` is true.

        Raises ``PortTakenError`` if the program ended because its port was taken, and ``ClusterError``, with the end
        of the log, if it ended otherwise or was not ready within ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if self.pid is None:
                error = PortTakenError if "address already in use" in self._written() else ClusterError
                raise error(f"{self.name} ended while starting. The end of {self.log}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"{self.name} was not ready within {seconds:.0f} s. The end of {self.log}:\n{self.log_tail()}"
                )
            time.sleep(_POLL_SECONDS)

    def log_tail(self) -> str:
        """The last lines of what the program has written since it was started."""
        return "\n".join(self._written().splitlines()[-_LOG_TAIL_LINES:]) or "(nothing was logged)"

    def _written(self) -> str:
        with contextlib.suppress(OSError), self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")
        return ""

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if the program runs."""
        if (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self, grace: float = 0.0) -> None:
        """End the program: asked to for ``grace`` seconds, then killed. Returns once it is gone.

        Raises ``ClusterError`` if it is still there after being killed.
        """
        if grace > 0:
            self.signal(signal.SIGTERM)
            self._gone_within(grace)
        self.signal(signal.SIGKILL)
        if not self._gone_within(10):
            raise ClusterError(f"{self.name} (process {self.pid}) does not end, even when killed.")

    def _gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.pid is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True


class Watchdog:
    """The process whose group the programs join, and which ends them should this Python process die."""

    def __init__(self, remove: Path | None) -> None:
        """Start it; ``remove`` is a folder to remove once the programs are gone."""
        script = str(Path(watchdog.__file__).resolve())
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", script, *([str(remove)] if remove else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )

    @property
    def group(self) -> int:
        """The process group of the cluster."""
        return self._process.pid

    def end_group(self) -> None:
        """Kill all that is in the group, the watchdog included."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGKILL)

    def release(self) -> None:
        """End the watchdog and leave the programs as they are."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(watchdog.RELEASE)
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()


def command_line(pid: int) -> str:
    """The command line of a process, or an empty text if it does not run."""
    if _has_proc():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            return ""
    return "" if _ps(pid, "stat").startswith("Z") else _ps(pid, "args")


def is_alive(pid: int) -> bool:
    """Whether a process still runs, or has ended so lately that its ports may not be free yet."""
    if not _has_proc():
        return _ps(pid, "stat")[:1] not in ("", "Z")
    # A killed process loses its command line first and its ports only when its last thread has ended.
    return any(_thread_state(stat) not in ("Z", "X") for stat in Path(f"/proc/{pid}/task").glob("*/stat"))


def children(pid: int | None) -> list[int]:
    """The processes that a process has started and that run; none if it does not run itself. On Linux."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def wait_until_gone(pid: int, seconds: float) -> None:
    """Return once a process of others has ended. Raises ``ClusterError`` if it has not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        if time.monotonic() > deadline:
            raise ClusterError(f"Process {pid} has not ended within {seconds:.0f} s.")
        time.sleep(_POLL_SECONDS)


def _thread_state(stat: Path) -> str:
    try:
        return stat.read_text().rpartition(") ")[2][:1]
    except OSError:
        return "X"


def _has_proc() -> bool:
    return Path("/proc/self/task").exists()  # as on every Linux, where ps is often missing


def _ps(pid: int, field: str) -> str:
    command = ["ps", "-ww", "-o", f"{field}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
