"""A program of the stage as a process of this machine: start it, wait until it is ready, stop or kill it."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

_POLL_SECONDS = 0.05


class ServiceError(RuntimeError):
    """A program did not do as it should; the message holds the end of its log."""


class Service:
    """One process, its log file and the URL that tells when it is ready."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        ready_url: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self.ready_url = ready_url
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id. Raises ServiceError when it was never started."""
        if self._process is None:
            raise ServiceError(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, ready_within: float | None = 90.0) -> "Service":
        """Start it; wait until it is ready unless ``ready_within`` (seconds) is None. Raises ServiceError."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=os.environ | self._environment
            )
        if ready_within is not None:
            self.wait_ready(ready_within)
        return self

    def wait_ready(self, seconds: float = 90.0) -> None:
        """Wait until the ready URL answers 200. Raises ServiceError."""
        end = time.monotonic() + seconds
        while self.ready_url is not None and not self.is_ready():
            if not self.running:
                raise ServiceError(f"{self.name} ended by itself:\n{self.tail()}")
            if time.monotonic() > end:
                raise ServiceError(f"{self.name} was not ready within {seconds:.0f} s:\n{self.tail()}")
            time.sleep(_POLL_SECONDS)

    def is_ready(self) -> bool:
        """Whether the ready URL answers 200 now."""
        if self.ready_url is None:
            return self.running
        try:
            with urllib.request.urlopen(self.ready_url, timeout=2) as answer:  # noqa: S310 - loopback
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self, seconds: float = 30.0) -> int | None:
        """SIGTERM, and SIGKILL for one that does not end within ``seconds``; returns the exit status."""
        if self._process is None:
            return None
        if self.running:
            self._process.send_signal(signal.SIGCONT)  # a paused process could not end
            self._process.terminate()
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """SIGSTOP: it lives and does nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def tail(self, lines: int = 20) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.is_file() else ""
