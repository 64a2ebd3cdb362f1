"""Where an issuer's endpoints are: at the root, and below the path of the issuer, where its metadata say they are."""

from urllib.parse import urlsplit

TOKEN = "/token"
INTROSPECT = "/introspect"
REVOKE = "/revoke"
AUTHORIZE = "/authorize"
JWKS = "/jwks"
OAUTH_METADATA = "/.well-known/oauth-authorization-server"
OPENID_METADATA = "/.well-known/openid-configuration"
RESOURCE_METADATA = "/.well-known/oauth-protected-resource"


def places(issuer: str, path: str) -> set[bytes]:
    """The raw paths of an endpoint. A gateway in front may cut the path of the issuer off, or not."""
    return {path.encode(), (urlsplit(issuer).path + path).encode()}


def well_known_places(issuer: str, path: str) -> set[bytes]:
    """Those of metadata: the path of the issuer also follows the well-known one (RFC 8414 section 3.1)."""
    return places(issuer, path) | {(path + urlsplit(issuer).path).encode()}
