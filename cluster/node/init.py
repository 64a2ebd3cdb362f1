"""Process 1 of the node: run as a script, by ``unshare``, in mount, PID, UTS and IPC namespaces of its own.

It hides from the machine what kubelet and containerd write to fixed places, starts both, and reaps what their pods
leave behind. One that fails is started again, a limited number of times, as their systemd units do: a kubelet that is
faster than containerd ends at once and is meant to be started again. When one has reached that limit, or this process
is killed, everything inside ends. Its argument is a file:
``{"folder": ..., "environment": {...}, "programs": [[name, command...], ...]}``.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

#: The kubelet sets these for the whole machine; here it finds and sets copies.
_SYSCTLS = (
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
_LOG_BYTES = 4096
_MOST_STARTS = 20
_PAUSE_SECONDS = 0.5


def main(spec: dict[str, Any]) -> None:
    folder = Path(spec["folder"])
    _mount("--make-rshared", "/")  # volumes are passed on to containers
    _hide_fixed_places(folder)
    _copy_sysctls(folder)
    run({name: command for name, *command in spec["programs"]}, folder, spec["environment"])


def run(commands: dict[str, list[str]], folder: Path, environment: dict[str, str]) -> None:
    """Run the programs until one of them has reached the limit of its starts; ends this process then."""
    running = {name: _start(folder, name, command, environment) for name, command in commands.items()}
    starts = Counter(commands.keys())
    while True:
        ended, status = os.wait()
        name = next((name for name, program in running.items() if program.pid == ended), None)
        if name is None:
            continue  # of a pod
        print(f"{name} ended ({os.waitstatus_to_exitcode(status)}). The end of its log:", flush=True)
        print(_end_of(folder / f"{name}.log"), flush=True)
        if starts[name] == _MOST_STARTS:
            sys.exit(1)
        time.sleep(_PAUSE_SECONDS)
        running[name] = _start(folder, name, commands[name], environment)
        starts[name] += 1


def _hide_fixed_places(folder: Path) -> None:
    for place in ("/var/lib", "/var/log"):
        own = folder / "hidden" / place.strip("/")
        own.mkdir(parents=True, exist_ok=True)
        _mount("--bind", str(own), place)
    _mount("-t", "tmpfs", "tmpfs", "/run")


def _copy_sysctls(folder: Path) -> None:
    for name in _SYSCTLS:
        setting = Path("/proc/sys") / name
        copy = folder / "sysctls" / name.replace("/", ".")
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(setting.read_text())
        _mount("--bind", str(copy), str(setting))


def _start(folder: Path, name: str, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd="/")


def _end_of(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_BYTES))
        return file.read().decode(errors="replace")


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, timeout=30)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
