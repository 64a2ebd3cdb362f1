"""Which proxy a server is reached by: the usual variables, with the meaning that kubectl gives them.

That is the meaning of Go's ``golang.org/x/net/http/httpproxy``, which clusters are set up for: ranges of addresses in
``NO_PROXY`` above all, which neither urllib nor aiohttp knows.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from apiclients.kube.errors import ConfigurationError

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class _Target:
    """A server that is to be reached."""

    host: str
    port: str
    #: None for a name.
    address: _Address | None


@dataclass(frozen=True, slots=True)
class _Exception:
    """One entry of ``NO_PROXY``: a range, an address, or a name with all below it. A port narrows the latter two."""

    network: _Network | None = None
    #: Begins with a dot.
    suffix: str = ""
    #: Whether the name itself is meant too, and not only what is below it.
    itself: bool = False
    port: str = ""

    def covers(self, target: _Target) -> bool:
        """Whether a server is reached directly because of this entry."""
        if self.port not in ("", target.port):
            return False
        if self.network is not None:
            return target.address is not None and target.address in self.network
        if target.address is not None:
            return False
        return target.host.endswith(self.suffix) or (self.itself and target.host == self.suffix[1:])


def environment_proxy(server: str, environment: Mapping[str, str]) -> str | None:
    """The URL of the proxy for a server's URL; None where it is reached directly. Raises ConfigurationError.

    ``HTTPS_PROXY`` and ``HTTP_PROXY`` go by the server's scheme, ``NO_PROXY`` says who is reached directly: ``*``,
    ranges (``10.0.0.0/8``), addresses and names, these two with a port if wanted. ``example.com`` is the name and all
    below it, ``.example.com`` and ``*.example.com`` only what is below. Each variable may be in lower case; upper case
    goes first. ``localhost`` and loopback addresses are always reached directly.
    """
    scheme = urlsplit(server).scheme
    proxy = _variable(environment, f"{scheme}_proxy")
    if not proxy or _is_direct(server, _variable(environment, "no_proxy")):
        return None
    return checked_proxy(proxy)


def checked_proxy(proxy: str) -> str:
    """The URL of a proxy; one without a scheme is an http proxy. Raises ConfigurationError for what is no proxy."""
    try:
        url = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        usable = url.scheme in _PORTS and url.hostname
        _ = url.port
    except ValueError:
        usable = False
    if not usable:  # it is not quoted, for it may hold a password
        raise ConfigurationError(
            "the proxy for the API server (proxy-url of the kubeconfig, or HTTPS_PROXY) cannot be used: "
            "write it http://HOST:PORT or https://HOST:PORT; SOCKS is not supported"
        )
    return url.geturl()


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name.upper()) or environment.get(name) or ""


def _is_direct(server: str, no_proxy: str) -> bool:
    target = _target(server)
    if target.host == "localhost" or (target.address is not None and target.address.is_loopback):
        return True
    return any(exception is None or exception.covers(target) for exception in _exceptions(no_proxy))


def _target(server: str) -> _Target:
    url = urlsplit(server)
    host = (url.hostname or "").lower()
    address, _, _ = host.partition("%")  # less the zone of a link-local one
    port = url.port or _PORTS.get(url.scheme)
    return _Target(_ascii(host), str(port or ""), _address(address))


def _exceptions(no_proxy: str) -> Iterator[_Exception | None]:
    """The entries of ``NO_PROXY``; None for the one that covers everything. What cannot be read is left out."""
    for text in no_proxy.lower().split(","):
        entry = text.strip()
        if entry == "*":
            yield None
        elif entry and (exception := _exception(entry)) is not None:
            yield exception


def _exception(entry: str) -> _Exception | None:
    if "/" in entry:
        network = _network(entry)
        return _Exception(network=network) if network is not None else None
    host, port = _split_port(entry)
    if "%" not in host and (address := _address(host)) is not None:
        return _Exception(network=ipaddress.ip_network(address), port=port)
    host = host.removeprefix("*") if host.startswith("*.") else host
    if not host:
        return None
    return _Exception(suffix="." + _ascii(host.removeprefix(".")), itself=not host.startswith("."), port=port)


def _split_port(entry: str) -> tuple[str, str]:
    """Host and port of ``host:port`` and ``[address]:port``; all else is a host without a port."""
    host, colon, port = entry.rpartition(":")
    if not colon:
        return entry, ""
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1], port
    return (entry, "") if ":" in host else (host, port)


def _network(text: str) -> _Network | None:
    _, _, length = text.partition("/")
    if not length.isdigit():
        return None  # a mask such as /255.0.0.0 is no range of Go's
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _address(text: str) -> _Address | None:
    """An address; one of IPv4 that is written as one of IPv6 is the former. None for a name."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _ascii(host: str) -> str:
    """A name as it is asked for in DNS."""
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return host
