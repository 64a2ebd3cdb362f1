"""Process 1 of the node: run as a script, by ``unshare``, in mount, PID, UTS and IPC namespaces of its own.

It hides from the machine what kubelet and containerd write to fixed places, starts both, and reaps what their pods
leave behind. When one of them ends, or it is killed itself, everything inside ends with it. Its argument is a file:
``{"folder": ..., "environment": {...}, "programs": [[name, command...], ...]}``.
"""

import json
import os
import subprocess
import sys
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


def main(spec: dict[str, Any]) -> None:
    folder = Path(spec["folder"])
    _mount("--make-rshared", "/")  # volumes are passed on to containers
    _hide_fixed_places(folder)
    _copy_sysctls(folder)
    running = {_start(folder, name, command, spec["environment"]).pid: name for name, *command in spec["programs"]}
    ended, status = os.wait()
    while ended not in running:
        ended, status = os.wait()
    name = running[ended]
    print(f"{name} ended ({os.waitstatus_to_exitcode(status)}). The end of its log:\n{_end_of(folder / f'{name}.log')}")
    sys.exit(1)


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
