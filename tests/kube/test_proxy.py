"""Which proxy the API server is reached by: what NO_PROXY means to Go's httpproxy, so to kubectl, it means here."""

import pytest

from apiclients.kube.errors import ConfigurationError
from apiclients.kube.proxy import checked_proxy, environment_proxy

PROXY = "http://proxy.example.com:3128"

#: NO_PROXY, a server, and whether it is reached directly.
CASES = [
    # Nothing is said: only this machine itself is direct.
    ("", "https://10.0.0.1", False),
    ("", "https://kubernetes.default.svc", False),
    ("", "https://localhost:6443", True),
    ("", "https://127.0.0.1:6443", True),
    ("", "https://127.8.9.10", True),
    ("", "https://[::1]:6443", True),
    ("", "https://[::ffff:127.0.0.1]:6443", True),
    ("", "https://localhost.example.com", False),
    ("", "https://128.0.0.1", False),
    # Ranges, of both families.
    ("10.0.0.0/8", "https://10.1.2.3:6443", True),
    ("10.0.0.0/8", "https://11.1.2.3:6443", False),
    ("10.0.0.0/8", "https://[::ffff:10.1.2.3]", True),
    ("10.0.0.0/8", "https://10.example.com", False),
    ("10.1.2.3/8", "https://10.200.0.1", True),
    ("10.0.0.1/32", "https://10.0.0.1", True),
    ("10.0.0.1/32", "https://10.0.0.2", False),
    ("0.0.0.0/0", "https://192.0.2.7", True),
    ("0.0.0.0/0", "https://[2001:db8::1]", False),
    ("0.0.0.0/0", "https://api.example.com", False),
    ("fd00::/8", "https://[fd12:3456::1]:443", True),
    ("fd00::/8", "https://[2001:db8::1]:443", False),
    ("FD00::/8", "https://[FD12::1]", True),
    ("10.0.0.0/33", "https://10.0.0.0", False),
    ("10.0.0.0/255.0.0.0", "https://10.1.2.3", False),
    ("10.0.0.0/", "https://10.0.0.0", False),
    ("10.0/8", "https://10.0.0.1", False),
    # Single addresses, with a port or without.
    ("192.0.2.1", "https://192.0.2.1:6443", True),
    ("192.0.2.1", "https://192.0.2.10", False),
    ("192.0.2.1:6443", "https://192.0.2.1:6443", True),
    ("192.0.2.1:6443", "https://192.0.2.1", False),
    ("192.0.2.1:443", "https://192.0.2.1", True),
    ("192.0.2.1:80", "http://192.0.2.1", True),
    ("2001:db8::1", "https://[2001:db8::1]:6443", True),
    ("2001:DB8:0::1", "https://[2001:db8::1]", True),
    ("[2001:db8::1]:6443", "https://[2001:db8::1]:6443", True),
    ("[2001:db8::1]:6443", "https://[2001:db8::1]", False),
    ("[2001:db8::1]", "https://[2001:db8::1]", False),
    ("::ffff:192.0.2.1", "https://192.0.2.1", True),
    ("fe80::1", "https://[fe80::1%25eth0]", True),
    ("fe80::1%eth0", "https://[fe80::1%25eth0]", False),
    # Names: itself and all below it, or only what is below.
    ("example.com", "https://example.com", True),
    ("example.com", "https://api.example.com", True),
    ("example.com", "https://a.b.example.com:6443", True),
    ("example.com", "https://notexample.com", False),
    ("example.com", "https://example.com.net", False),
    (".example.com", "https://example.com", False),
    (".example.com", "https://api.example.com", True),
    ("*.example.com", "https://example.com", False),
    ("*.example.com", "https://a.b.example.com", True),
    ("a*.example.com", "https://ab.example.com", False),
    ("EXAMPLE.com", "https://Api.Example.COM", True),
    ("com", "https://example.com", True),
    ("svc", "https://kubernetes.default.svc", True),
    (".svc,.cluster.local", "https://kubernetes.default.svc.cluster.local", True),
    ("example.com:6443", "https://api.example.com:6443", True),
    ("example.com:6443", "https://api.example.com", False),
    (".example.com:443", "https://api.example.com", True),
    (".example.com:443", "https://example.com", False),
    ("bücher.example", "https://xn--bcher-kva.example", True),
    ("xn--bcher-kva.example", "https://bücher.example", True),
    ("1.2.3.4.example.com", "https://1.2.3.4", False),
    (".2.3.4", "https://1.2.3.4", False),
    # Everything, and lists as people write them.
    ("*", "https://192.0.2.1", True),
    ("*", "https://example.com:6443", True),
    ("other.example.com, *", "https://example.com", True),
    ("*:6443", "https://example.com:6443", False),
    (" 10.0.0.0/8 ,\texample.com ", "https://api.example.com", True),
    (" 10.0.0.0/8 ,\texample.com ", "https://10.9.9.9", True),
    (",,", "https://example.com", False),
    (":6443", "https://example.com:6443", False),
    ("*.", "https://example.com", False),
    (".", "https://example.com", False),
    ("http://example.com", "https://example.com", False),
    ("nonsense/8,example.com", "https://example.com", True),
    ("a:b:c,example.com", "https://example.com", True),
]


@pytest.mark.parametrize(("no_proxy", "server", "direct"), CASES)
def test_no_proxy_means_what_it_means_to_kubectl(no_proxy: str, server: str, direct: bool) -> None:
    both = {"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY}
    expected = None if direct else PROXY
    assert environment_proxy(server, {**both, "NO_PROXY": no_proxy}) == expected
    assert environment_proxy(server, {**both, "no_proxy": no_proxy}) == expected


@pytest.mark.parametrize(
    ("environment", "server", "proxy"),
    [
        ({}, "https://example.com", None),
        ({"HTTPS_PROXY": "http://one:1"}, "https://example.com", "http://one:1"),
        ({"https_proxy": "http://one:1"}, "https://example.com", "http://one:1"),
        ({"https_proxy": "http://one:1", "HTTPS_PROXY": "http://two:2"}, "https://example.com", "http://two:2"),
        ({"https_proxy": "http://one:1", "HTTPS_PROXY": ""}, "https://example.com", "http://one:1"),
        ({"HTTP_PROXY": "http://one:1"}, "https://example.com", None),
        ({"HTTP_PROXY": "http://one:1"}, "http://example.com", "http://one:1"),
        ({"ALL_PROXY": "http://one:1"}, "https://example.com", None),
        (
            {"HTTPS_PROXY": "http://one:1", "no_proxy": "example.com", "NO_PROXY": "other.com"},
            "https://example.com",
            "http://one:1",
        ),
    ],
)
def test_which_variable_counts(environment: dict[str, str], server: str, proxy: str | None) -> None:
    assert environment_proxy(server, environment) == proxy


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("proxy.example.com:3128", "http://proxy.example.com:3128"),
        ("proxy.example.com", "http://proxy.example.com"),
        ("user:word@proxy.example.com:3128", "http://user:word@proxy.example.com:3128"),
        ("https://proxy.example.com", "https://proxy.example.com"),
        ("http://[2001:db8::1]:3128", "http://[2001:db8::1]:3128"),
    ],
)
def test_a_proxy_without_a_scheme_is_an_http_proxy(written: str, url: str) -> None:
    assert checked_proxy(written) == url


@pytest.mark.parametrize("written", ["socks5://canary@proxy:1080", "http://", "canary:x@proxy:99999", "http://[::1"])
def test_what_is_no_proxy_is_a_sentence_that_quotes_nothing(written: str) -> None:
    with pytest.raises(ConfigurationError, match="the proxy for the API server") as told:
        environment_proxy("https://example.com", {"HTTPS_PROXY": written})
    assert "canary" not in str(told.value)
