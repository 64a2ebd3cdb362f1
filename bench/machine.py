"""What a figure depends on: the machine, its load, the versions; and what a process has used so far (Linux)."""

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("apiclient-operator", "kopf", "aiohttp", "orjson", "uvicorn", "httptools", "uvloop", "cryptography")
_TICKS = os.sysconf("SC_CLK_TCK")
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU time of the whole machine so far, in seconds: all that was spent, and what others took from it."""

    busy: float
    stolen: float


def facts(command: str) -> dict[str, Any]:
    """Everything that is said beside the figures."""
    return {
        "command": command,
        "commit": _commit(),
        "cores": len(os.sched_getaffinity(0)),
        "processor": _field(Path("/proc/cpuinfo"), "model name"),
        "memory_mib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**20),
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def load() -> float:
    """The load average of the last minute."""
    return os.getloadavg()[0]


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def machine_cpu() -> Cpu:
    """CPU time of all cores."""
    user, nice, system, _, _, irq, soft, stolen = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return Cpu((user + nice + system + irq + soft) / _TICKS, stolen / _TICKS)


def peak_mib(pid: int) -> float:
    """The most memory that a process had resident so far."""
    return int(_field(Path(f"/proc/{pid}/status"), "VmHWM").split()[0]) / 1024


def resident_mib(pid: int) -> float:
    """The memory that a process has resident."""
    return int(_field(Path(f"/proc/{pid}/status"), "VmRSS").split()[0]) / 1024


def _field(path: Path, name: str) -> str:
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    return (git("rev-parse", "--short", "HEAD") or "unknown") + (
        " with changes" if git("status", "--porcelain") else ""
    )
