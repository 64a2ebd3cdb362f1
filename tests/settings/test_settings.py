"""Every option from every source, and what a bad value is answered with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from apiclients.lifecycle.keys import MIN_PUBLICATION, KeyPolicy
from apiclients.lifecycle.template import DEFAULT_TEMPLATE_KEYS
from apiclients.resources.keys import Algorithm
from apiclients.settings.common import CommonSettings, LogFormat, LogLevel, flag
from apiclients.settings.gate import GateSettings
from apiclients.settings.load import load, unknown_variables
from apiclients.settings.operator import OperatorSettings

ISSUER = "https://tokens.example.com"
PROGRAMS = [("apiclients.operator", "APICLIENT_OPERATOR_"), ("apiclients.gate.main", "APICLIENT_GATE_")]
COMPUTED = object()

#: Field, its default, a value as a person writes it, what it means.
COMMON: list[tuple[str, object, str, object]] = [
    ("issuer", ISSUER, "https://other.example.com:8080/path", "https://other.example.com:8080/path"),
    ("allow_http_issuer", False, "true", True),
    ("namespace", "apiclients-system", "here", "here"),
    ("keys_secret", "apiclient-keys", "other-keys", "other-keys"),
    ("kubeconfig", None, "/etc/kubeconfig", Path("/etc/kubeconfig")),
    ("context", None, "production", "production"),
    ("log_format", LogFormat.JSON, "TEXT", LogFormat.TEXT),
    ("log_level", LogLevel.INFO, "Debug", LogLevel.DEBUG),
]
OPERATOR: list[tuple[str, object, str, object]] = [
    *COMMON,
    ("secret_namespaces", (), "team-a, team-b", ("team-a", "team-b")),
    ("secret_template_keys", DEFAULT_TEMPLATE_KEYS.patterns, "team, example.com/*", ("team", "example.com/*")),
    ("signing_algorithm", Algorithm.ES256, "RS256", Algorithm.RS256),
    ("signing_key_days", 90, "30", 30),
    ("publication_seconds", 600, "900", 900),
    ("rekey", False, "true", True),
    ("allow_local_issuers", False, "true", True),
    ("http_host", None, "127.0.0.1", "127.0.0.1"),
    ("http_port", 8081, "9000", 9000),
    ("no_leader_election", False, "1", True),
    ("identity", COMPUTED, "replica-1", "replica-1"),
    ("scrub_rate", 10.0, "2.5", 2.5),
    ("workers", 24, "8", 8),
    ("min_lifetime_seconds", 60, "1", 1),
]
GATE: list[tuple[str, object, str, object]] = [
    *COMMON,
    ("host", None, "127.0.0.1", "127.0.0.1"),
    ("port", 8080, "9000", 9000),
    ("metrics_port", None, "8082", 8082),
    ("tls_cert", None, "/tls/crt", Path("/tls/crt")),
    ("tls_key", None, "/tls/key", Path("/tls/key")),
    ("keys_namespace", None, "there", "there"),
    ("proof_interval", 2.0, "0.5", 0.5),
    ("max_staleness", 10.0, "20", 20.0),
    ("verify_rate", 20.0, "0", 0.0),
    ("relist_interval", 600.0, "5.5", 5.5),
    ("namespace_budget", 2000, "500", 500),
    ("fail_static", False, "yes", True),
    ("lease_namespace", None, "there", "there"),
    ("lease_interval", 5.0, "2", 2.0),
    ("usage_interval", 600.0, "60", 60.0),
    ("replica_name", COMPUTED, "gate-1", "gate-1"),
]
OPTIONS = [
    pytest.param(model, *row, id=f"{model.program}-{row[0]}")
    for model, rows in ((OperatorSettings, OPERATOR), (GateSettings, GATE))
    for row in rows
]
#: An option that is refused without another one.
COMPANIONS = {"tls_cert": {"tls_key": "/tls/key"}, "tls_key": {"tls_cert": "/tls/crt"}}
#: Program, field, bad value, what the message says besides the name.
BAD: list[tuple[type[CommonSettings], str, str, str]] = [
    (OperatorSettings, "issuer", "tokens.example.com", "is not an issuer"),
    (OperatorSettings, "issuer", f"{ISSUER}/", "must not end with a slash"),
    (OperatorSettings, "http_port", "tcp://10.0.0.1:8081", "is set by Kubernetes for a Service of that name"),
    (OperatorSettings, "namespace", "Not A Name", "is not a name as Kubernetes takes it"),
    (OperatorSettings, "log_level", "loud", "is not one of 'debug', 'info', 'warning' or 'error'; use e.g. info"),
    (OperatorSettings, "log_format", "xml", "is not one of 'json' or 'text'; use e.g. json"),
    (OperatorSettings, "signing_algorithm", "HS256", "is not one of 'ES256' or 'RS256'"),
    (OperatorSettings, "signing_key_days", "0", "is too small: at least 1; use e.g. 90"),
    (OperatorSettings, "signing_key_days", "99999999999", "is too large: at most 3650"),
    (OperatorSettings, "signing_key_days", "ninety", "is not a whole number; use e.g. 90"),
    (OperatorSettings, "publication_seconds", "599", "is too small: at least 600"),
    (OperatorSettings, "publication_seconds", "86401", "is too large: at most 86400"),
    (OperatorSettings, "http_port", "70000", "is too large: at most 65535; use e.g. 8081"),
    (OperatorSettings, "workers", "0", "is too small: at least 1"),
    (OperatorSettings, "scrub_rate", "0", "is too small"),
    (OperatorSettings, "scrub_rate", "101", "is too large: at most 100"),
    (OperatorSettings, "min_lifetime_seconds", "0", "is too small: at least 1"),
    (OperatorSettings, "secret_namespaces", "team-a,TEAM", "is not a name as Kubernetes takes it"),
    (OperatorSettings, "secret_template_keys", "team,*/x", "is not the key of a label or annotation, or the beginning"),
    (OperatorSettings, "identity", "x" * 254, "is too long: at most 253 characters"),
    (GateSettings, "port", "tcp://10.0.0.1:8080", "set enableServiceLinks: false in the pod; use e.g. 8080"),
    (GateSettings, "metrics_port", "tcp://10.0.0.1:8082", "is set by Kubernetes for a Service of that name"),
    (GateSettings, "metrics_port", "70000", "is too large: at most 65535; use e.g. 8082"),
    (GateSettings, "port", "http", "is not a whole number; use e.g. 8080"),
    (GateSettings, "proof_interval", "0", "is too small"),
    (GateSettings, "proof_interval", "nan", "is not a finite number"),
    (GateSettings, "max_staleness", "301", "is too large: at most 300"),
    (GateSettings, "relist_interval", "90s", "is not a number; use e.g. 600"),
    (GateSettings, "verify_rate", "-1", "is too small: at least 0.0; use e.g. 20"),
    (GateSettings, "namespace_budget", "0", "is too small: at least 1; use e.g. 2000"),
    (GateSettings, "lease_interval", "inf", "is not a finite number"),
    (GateSettings, "log_level", "loud", "is not one of 'debug', 'info', 'warning' or 'error'"),
    (GateSettings, "replica_name", "Gate_1", "is not a name as Kubernetes takes it"),
]


#: Two programs that took an issuer for two different ones would hand out tokens that nobody accepts.
BOTH = pytest.mark.parametrize("model", [OperatorSettings, GateSettings])
GOOD_ISSUERS = [
    "https://tokens.example.com",
    "https://tokens.example.com:8443",
    "https://example.com/auth/v1.0/tenant_a",
    "https://10.1.2.3",
    "https://[2001:db8::1]:8443",
    "http://127.0.0.1:8080",
    "http://127.1.2.3",
    "http://localhost:8080/auth",
    "http://[::1]",
]
BAD_ISSUERS = [
    ("https://tokens.example.com/", "must not end with a slash"),
    ("https://tokens.example.com/auth/", "must not end with a slash"),
    ("http://tokens.example.com", "must begin with https://, unless it is a loopback address; --allow-http-issuer (or"),
    ("http://localhost.example.com", "must begin with https://"),
    ("http://127.0.0.1.example.com", "must begin with https://"),
    ("http://127.0.0.1@example.com", "is not an issuer"),
    ("HTTPS://tokens.example.com", "is not an issuer"),
    ("https://tokens.example.com:99999", "is not an issuer"),
    ("https://tokens.example.com:", "is not an issuer"),
    ("https://user@tokens.example.com", "is not an issuer"),
    ("https://tokens.example.com/é", "is not an issuer"),
    ("https://tökens.example.com", "is not an issuer"),
    ("https://tokens.example.com/a b", "is not an issuer"),
    ('https://tokens.example.com/"x"', "is not an issuer"),
    ("https://tokens.example.com/'x'", "is not an issuer"),
    ("https://tokens.example.com?", "is not an issuer"),
    ("https://tokens.example.com?x=1", "is not an issuer"),
    ("https://tokens.example.com#", "is not an issuer"),
    ("https://tokens.example.com/a%2fb", "is not an issuer"),
    ("https://tokens.example.com//a", "is not an issuer"),
    ("https://tokens.example.com/../a", "is not an issuer"),
    ("https://tokens.example.com/a\\b", "is not an issuer"),
    ("https://tokens.example.com\r\nX: y", "is not an issuer"),
    ("https://tokens.example.com\n", "is not an issuer"),
    ("https://", "is not an issuer"),
    ("https:///auth", "is not an issuer"),
    ("ftp://tokens.example.com", "is not an issuer"),
    ("https://tokens.example.com/check", "must not have a path below /authz, /check or /.well-known"),
    ("https://tokens.example.com/authz/x", "must not have a path below /authz, /check or /.well-known"),
    ("https://tokens.example.com/.well-known", "must not have a path below /authz, /check or /.well-known"),
]


@BOTH
@pytest.mark.parametrize("issuer", GOOD_ISSUERS)
def test_issuers(model: type[CommonSettings], issuer: str) -> None:
    assert load(model, ["--issuer", issuer]).issuer == issuer


@BOTH
@pytest.mark.parametrize(("issuer", "reason"), BAD_ISSUERS)
def test_what_is_no_issuer(
    model: type[CommonSettings], issuer: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        load(model, ["--issuer", issuer])
    assert reason in capsys.readouterr().err


@BOTH
def test_an_http_issuer_is_an_explicit_choice(model: type[CommonSettings]) -> None:
    issuer = "http://tokens.apiclients-system.svc:8080"
    assert load(model, ["--issuer", issuer, "--allow-http-issuer"]).issuer == issuer


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("APICLIENT_")]:
        monkeypatch.delenv(name)


def _arguments(**values: str) -> list[str]:
    """A command line with these options, and an issuer."""
    found: list[str] = []
    for name, value in ({"issuer": ISSUER} | values).items():
        switch = name in ("allow_http_issuer", "allow_local_issuers", "rekey", "no_leader_election", "fail_static")
        found += [flag(name)] if switch else [flag(name), value]
    return found


@pytest.mark.parametrize("model", [OperatorSettings, GateSettings])
def test_the_tables_are_complete(model: type[CommonSettings]) -> None:
    assert {row[0] for row in (OPERATOR if model is OperatorSettings else GATE)} == set(model.model_fields)
    for name, field in model.model_fields.items():
        assert field.description, name
        assert field.examples or name == "issuer" or name.endswith("port"), name


@pytest.mark.parametrize(("model", "name", "default", "text", "meant"), OPTIONS)
def test_an_option_is_read_from_everywhere(
    model: type[CommonSettings], name: str, default: object, text: str, meant: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = COMPANIONS.get(name, {})
    plain = getattr(load(model, _arguments()), name)
    assert plain if default is COMPUTED else plain == default

    assert getattr(load(model, _arguments(**more, **{name: text})), name) == meant

    monkeypatch.setenv(model.variable(name), text)
    arguments = [] if name == "issuer" else _arguments(**more)
    assert getattr(load(model, arguments), name) == meant


def test_the_command_line_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APICLIENT_GATE_PORT", "9000")
    assert load(GateSettings, _arguments()).port == 9000
    assert load(GateSettings, _arguments(port="9001")).port == 9001
    monkeypatch.setenv("APICLIENT_GATE_PORT", "bad")
    assert load(GateSettings, _arguments(port="9001")).port == 9001


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APICLIENT_OPERATOR_HTTP_PORT", "")
    monkeypatch.setenv("APICLIENT_OPERATOR_SECRET_NAMESPACES", "")
    settings = load(OperatorSettings, _arguments())
    assert (settings.http_port, settings.secret_namespaces) == (8081, ())


@pytest.mark.parametrize("source", ["command line", "environment"])
@pytest.mark.parametrize(("model", "name", "text", "sentence"), BAD)
def test_a_bad_value_is_one_line(
    model: type[CommonSettings],
    name: str,
    text: str,
    sentence: str,
    source: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if source == "environment":
        monkeypatch.setenv(model.variable(name), text)
        arguments = [] if name == "issuer" else _arguments()
    else:
        arguments = _arguments(**{name: text})
    with pytest.raises(SystemExit) as caught:
        load(model, arguments)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{model.program}: error: ")
    assert (model.variable(name) if source == "environment" else flag(name)) in line
    assert sentence in line


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--tls-cert", "x"],
            "--tls-cert (or APICLIENT_GATE_TLS_CERT) and --tls-key (or APICLIENT_GATE_TLS_KEY) belong together",
        ),
        (
            ["--max-staleness", "3"],
            "--max-staleness (or APICLIENT_GATE_MAX_STALENESS) is 3 and must be at least twice "
            "--proof-interval (or APICLIENT_GATE_PROOF_INTERVAL), which is 2, ",
        ),
        (
            ["--metrics-port", "8080"],
            "--metrics-port (or APICLIENT_GATE_METRICS_PORT) is that of --port (or APICLIENT_GATE_PORT): ",
        ),
        (["--prot", "1"], "unrecognized arguments: --prot 1"),
        (["--port"], "--port: expected one argument"),
    ],
)
def test_what_does_not_fit_together_is_one_line(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        load(GateSettings, [*_arguments(), *arguments])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line


def test_a_switch_in_the_environment_is_checked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APICLIENT_OPERATOR_REKEY", "perhaps")
    with pytest.raises(SystemExit):
        load(OperatorSettings, _arguments())
    assert "APICLIENT_OPERATOR_REKEY: 'perhaps' is neither true nor false" in capsys.readouterr().err


def test_an_issuer_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    for model in (OperatorSettings, GateSettings):
        with pytest.raises(SystemExit):
            load(model, [])
        assert f"--issuer (or {model.variable('issuer')}) is required" in capsys.readouterr().err


def test_what_follows_from_other_options() -> None:
    gate = load(GateSettings, _arguments(namespace="here", keys_namespace="there"))
    assert (gate.keys_home, gate.lease_home) == ("there", "here")
    operator = load(OperatorSettings, _arguments(signing_key_days="7"))
    assert operator.keys == KeyPolicy(lifetime=timedelta(days=7), publication=MIN_PUBLICATION)


def test_variables_that_are_no_settings_are_found() -> None:
    environment = {
        "APICLIENT_GATE_ISSUER": ISSUER,
        "apiclient_gate_port": "8080",
        "APICLIENT_GATE_MAX_STALENES": "20",
        "APICLIENT_GATE_LOGLEVEL": "debug",
        "APICLIENT_GATE_COLOUR": "blue",
        "APICLIENT_OPERATOR_COLOUR": "of the other program",
        # What Kubernetes adds for Services apiclient-gate and apiclient-gate-metrics.
        "APICLIENT_GATE_SERVICE_HOST": "10.0.0.1",
        "APICLIENT_GATE_SERVICE_PORT": "8080",
        "APICLIENT_GATE_SERVICE_PORT_HTTP": "8080",
        "APICLIENT_GATE_PORT_8080_TCP": "tcp://10.0.0.1:8080",
        "APICLIENT_GATE_PORT_8080_TCP_ADDR": "10.0.0.1",
        "APICLIENT_GATE_METRICS_PORT": "tcp://10.0.0.1:9090",
    }
    assert list(unknown_variables(GateSettings, environment)) == [
        ("APICLIENT_GATE_COLOUR", None),
        ("APICLIENT_GATE_LOGLEVEL", "APICLIENT_GATE_LOG_LEVEL"),
        ("APICLIENT_GATE_MAX_STALENES", "APICLIENT_GATE_MAX_STALENESS"),
    ]


@pytest.mark.parametrize(("module", "prefix"), PROGRAMS)
def test_a_mistyped_variable_is_told_in_the_log(module: str, prefix: str, tmp_path: Path) -> None:
    mistyped = {f"{prefix}NAMESPACES": "canary", f"{prefix}KUBECONFIG": str(tmp_path / "none")}
    done = _run(module, mistyped)
    (record,) = [json.loads(line) for line in done.stderr.splitlines() if "NAMESPACES" in line]
    assert record["level"] == "WARNING"
    assert f"{prefix}NAMESPACES is no setting of" in record["message"]
    assert f"is {prefix}NAMESPACE meant?" in record["message"]
    assert "canary" not in done.stderr


@pytest.mark.parametrize("module", ["apiclients.operator", "apiclients.gate.main"])
@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [("LOG_LEVEL", "loud", "'loud' is not one of"), ("LOG_FORMAT", "xml", "'xml' is not one of")],
)
def test_the_programs_end_with_one_line_and_never_a_traceback(
    module: str, option: str, value: str, sentence: str
) -> None:
    program = "OPERATOR" if module == "apiclients.operator" else "GATE"
    done = _run(module, {f"APICLIENT_{program}_{option}": value})
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert sentence in done.stderr


@pytest.mark.parametrize("module", ["apiclients.operator", "apiclients.gate.main"])
def test_the_programs_take_a_level_in_any_case(module: str, tmp_path: Path) -> None:
    program = "OPERATOR" if module == "apiclients.operator" else "GATE"
    absent = {f"APICLIENT_{program}_LOG_LEVEL": "dEbug", f"APICLIENT_{program}_KUBECONFIG": str(tmp_path / "none")}
    done = _run(module, absent)
    assert done.returncode == 1
    assert "kubeconfig" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("home", [None, "/nowhere/at/all"])
@pytest.mark.parametrize(("module", "prefix"), PROGRAMS)
def test_without_a_home_the_missing_kubeconfig_is_a_sentence(module: str, prefix: str, home: str | None) -> None:
    script = f"import os, pwd\nos.getuid = lambda: 12345\nfrom {module} import main; main()"
    hidden = ("HOME", "KUBECONFIG", "KUBERNETES_SERVICE_HOST", "LOGNAME", "USER")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"HOME": home} if home else {}
    command = [sys.executable, "-c", script, "--issuer", ISSUER]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "no kubeconfig was found" in done.stderr
    assert "Traceback" not in done.stderr


def _run(module: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"from {module} import main; main()", "--issuer", ISSUER]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )
