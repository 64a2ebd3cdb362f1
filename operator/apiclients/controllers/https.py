"""Fetching small documents of other parties: https alone, no redirects, bounded in size and time (DESIGN rule 31).

The address is checked when connecting, after the name was resolved, so that no name leads into this machine or to the
metadata service of a cloud.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable
from typing import Any

import aiohttp
from yarl import URL

#: From the first packet to the last byte of the answer.
TOTAL_SECONDS = 10.0
_CONNECT_SECONDS = 5.0
MAX_BYTES = 256 * 1024
_CHUNK = 16 * 1024
#: Metadata services that are not link-local.
_METADATA = frozenset({ipaddress.ip_address("fd00:ec2::254")})

SocketFactory = Callable[[Any], socket.socket]


class FetchError(Exception):
    """Why there is no document. The message is a predicate that quotes nothing of the answer."""


class _ForbiddenAddressError(OSError):
    """The name leads where nothing is fetched from."""


async def fetch(url: str, authorities: str | None, *, allow_local: bool) -> bytes:
    """The body of a JSON document. ``authorities`` are certificates in PEM, None for those of the system.

    Raises FetchError.
    """
    if URL(url).scheme != "https":
        raise FetchError("is no https:// URL")
    context = _context(authorities)
    try:
        async with asyncio.timeout(TOTAL_SECONDS), _session(context, _sockets(allow_local)) as session:
            return await _get(session, url)
    except TimeoutError:
        raise FetchError(f"took longer than {TOTAL_SECONDS:g}s") from None
    except aiohttp.ClientConnectorCertificateError:
        raise FetchError("has a certificate that is not trusted") from None
    except aiohttp.ClientConnectorError as error:
        raise FetchError(_why_unreachable(error)) from None
    except (aiohttp.ClientError, OSError, ValueError):
        raise FetchError("broke off, or is no HTTP") from None


def _context(authorities: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=authorities)
    except (ssl.SSLError, ValueError):
        raise FetchError("cannot be asked: the certificate authority is no certificate in PEM") from None


def _session(context: ssl.SSLContext, sockets: SocketFactory) -> aiohttp.ClientSession:
    """One for each fetch: nothing is kept of one issuer that could reach another. No proxy of the environment."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, socket_factory=sockets, use_dns_cache=False, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS, connect=_CONNECT_SECONDS),
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "apiclient-operator"},
        auto_decompress=False,
        trust_env=False,
    )


async def _get(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url, allow_redirects=False) as answer:
        if 300 <= answer.status < 400:
            raise FetchError(f"answers with a redirect ({answer.status}), which is not followed")
        if answer.status != 200:
            raise FetchError(f"answers {answer.status}")
        if not _is_json(answer.content_type):
            raise FetchError("answers with something else than JSON (Content-Type)")
        return await _read(answer)


def _is_json(content_type: str) -> bool:
    return content_type == "application/json" or content_type.endswith("+json")


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > MAX_BYTES:
            raise FetchError(f"answers with more than {MAX_BYTES} bytes")
    return bytes(body)


def _why_unreachable(error: aiohttp.ClientConnectorError) -> str:
    causes = [error.os_error, error.os_error.__cause__, *getattr(error.os_error, "exceptions", ())]
    if any(isinstance(cause, _ForbiddenAddressError) for cause in causes):
        return "leads to an address of this machine, link-local or of a metadata service (--allow-local-issuers)"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "has a name that cannot be resolved"
    return "cannot be reached"


def _sockets(allow_local: bool) -> SocketFactory:
    """Makes sockets for addresses that are allowed, at the moment of connecting to them."""

    def make(info: Any) -> socket.socket:
        family, kind, protocol, _, address = info
        if not allow_local and is_local(address[0]):
            raise _ForbiddenAddressError
        return socket.socket(family, kind, protocol)

    return make


def is_local(text: str) -> bool:
    """Whether an address is of this machine, of its link, of a metadata service, or of nobody in particular."""
    address = ipaddress.ip_address(text.partition("%")[0])
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    return any(_is_local(one) for one in (address, inner) if one is not None)


def _is_local(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    kinds = (address.is_loopback, address.is_link_local, address.is_unspecified, address.is_multicast)
    return any(kinds) or address.is_reserved or address in _METADATA
