"""What an issuer may be. Tokens, metadata and headers repeat it letter by letter, so it has one spelling everywhere."""

import ipaddress
import re

#: Of the path, what no server, gateway or client encodes or resolves on the way.
_ISSUER = re.compile(r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?((?:/[A-Za-z0-9._~-]+)*)(/?)")
_LARGEST_PORT = 65535
#: What the gate answers there is something else.
_TAKEN = ("authz", "check", ".well-known")


def check_issuer(text: str) -> str:
    """Return the issuer as it is. Raises ValueError unless it is a URL as RFC 8414 section 2 asks for, and simple."""
    found = _ISSUER.fullmatch(text)
    if found is None or int(found[3] or 0) > _LARGEST_PORT or {".", ".."} & set(found[4].split("/")):
        raise ValueError(
            "is not an issuer: https:// with host, port and path of ASCII letters, digits and . _ ~ -, without user, "
            "query and fragment (RFC 8414 section 2)"
        )
    if found[5]:
        raise ValueError("must not end with a slash: clients compare an issuer letter by letter (RFC 8414 section 3.3)")
    if found[4].split("/")[1:2] and found[4].split("/")[1] in _TAKEN:
        raise ValueError("must not have a path below /authz, /check or /.well-known")
    return text


def is_unsafe(issuer: str) -> bool:
    """Whether callers would send secrets in the clear over a network: http that is no loopback."""
    found = _ISSUER.fullmatch(issuer)
    return found is not None and found[1] == "http" and not _is_loopback(found[2])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
