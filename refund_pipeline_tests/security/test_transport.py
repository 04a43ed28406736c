"""TLS that nobody can switch off, plain http to this machine only, and no credentials but ours."""

import ast
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from refund_pipeline.cli import main
from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.gateways.http import Http, NoAnswer
from refund_pipeline.gateways.s3 import new_client
from refund_pipeline.local_dagster import LocalDagster
from refund_pipeline_tests.security.hostile_answers import document
from refund_pipeline_tests.security.hostile_server import hostile_server

PACKAGE = Path(__file__).parents[2] / "refund_pipeline"
SWITCHES = {
    "verify",
    "verify_ssl",
    "cert_reqs",
    "check_hostname",
    "assert_hostname",
    "assert_fingerprint",
    "use_ssl",
    "trust_env",
}
"""Arguments and attributes that could weaken TLS; none is set anywhere."""
LOOSE = {"CERT_NONE", "_create_unverified_context", "disable_warnings", "PYTHONHTTPSVERIFY"}
SECRET_WORDS = ("secret", "password", "token", "private", "key", "pem", "credential")


def weaknesses(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg in SWITCHES:
            yield f"{node.value.lineno}: {node.arg}="
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if node.attr in SWITCHES:
                yield f"{node.lineno}: .{node.attr} ="
        elif isinstance(node, (ast.Attribute, ast.Name, ast.Constant)):
            name = getattr(node, "attr", None) or getattr(node, "id", None)
            value = getattr(node, "value", None)
            if name in LOOSE or (isinstance(value, str) and value in LOOSE | SWITCHES):
                yield f"{node.lineno}: {name or value}"


@pytest.mark.parametrize(
    "source",
    [
        "requests.get(url, verify=False)",
        "session.verify = False",
        "requests.get(url, **{'verify': False})",
        "context.check_hostname = False",
        "context.verify_mode = ssl.CERT_NONE",
        "ssl._create_unverified_context()",
        "urllib3.disable_warnings()",
        "boto3.client('s3', use_ssl=False)",
        "os.environ['PYTHONHTTPSVERIFY'] = '0'",
    ],
)
def test_the_search_finds_each_way_to_switch_tls_off(source: str) -> None:
    assert list(weaknesses(source))


def test_nothing_in_the_package_touches_the_checking_of_certificates() -> None:
    paths = sorted(PACKAGE.rglob("*.py"))
    assert len(paths) > 100
    found = {path.name: list(weaknesses(path.read_text(encoding="utf-8"))) for path in paths}
    assert {name: places for name, places in found.items() if places} == {}


@pytest.mark.parametrize("url", ["http://s3.example.com", "http://10.0.0.1:9000", "nonsense"])
def test_a_bucket_is_not_read_in_the_clear_from_another_machine(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "sandbox")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    with pytest.raises(Misconfigured, match="AWS_ENDPOINT_URL"):
        new_client()


@pytest.fixture
def http() -> Iterator[Http]:
    client = Http("NetSuite", read_seconds=5)
    yield client
    client.close()


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("value", ["0", "false", "False", "/nowhere/bundle.pem"])
def test_a_bundle_variable_names_certificates_and_never_switches_the_check_off(
    http: Http, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured, match="REQUESTS_CA_BUNDLE"):
        http.send("GET", "https://127.0.0.1:9/")


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PYTHONHTTPSVERIFY"])
@pytest.mark.parametrize("value", ["", "0"])
def test_a_stranger_s_certificate_is_refused_whatever_the_environment_says(
    http: Http, monkeypatch: pytest.MonkeyPatch, stranger: str, name: str, value: str
) -> None:
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(name, value)
    with pytest.raises((NoAnswer, Misconfigured)) as refused:
        http.send("GET", stranger, headers={"Authorization": "Bearer s3cret"})
    assert "SSLError" in str(refused.value) or "REQUESTS_CA_BUNDLE" in str(refused.value)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A TLS server whose certificate nobody we trust has signed."""
    import threading

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path_factory.mktemp("tls")))
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.02)
    stopped = threading.Event()

    def _serve() -> None:
        while not stopped.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            try:
                connection.settimeout(5)
                with context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(1)
            except OSError:
                connection.close()

    thread = threading.Thread(target=_serve)
    thread.start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    stopped.set()
    thread.join()
    listener.close()


def self_signed(folder: Path) -> Path:
    import datetime as dt
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stranger")])
    now = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "stranger.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_a_netrc_file_gives_nobody_credentials(
    http: Http, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password n3trc-secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with hostile_server() as server:
        server.answer = document({})
        http.send("GET", server.url)
        http.send("GET", server.url, headers={"Authorization": "Bearer ours"})
    first, second = server.requests
    assert b"Authorization" not in first
    assert b"Authorization: Bearer ours" in second


# Command lines


def options(command: click.Command) -> Iterator[str]:
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from options(inner)
        return
    for parameter in command.params:
        yield f"{command.name} {parameter.name}"


def test_no_option_takes_a_secret() -> None:
    named = list(options(main))
    assert len(named) > 10
    assert [name for name in named if any(word in name for word in SECRET_WORDS)] == []


def test_dagster_s_processes_get_secrets_by_the_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: dict[str, object] = {}

    class Started:
        pid = 0

        def __init__(self, command: list[str], **options: object) -> None:
            started.update(options, command=command)

    monkeypatch.setattr("refund_pipeline.local_dagster.subprocess.Popen", Started)
    secret = "s3cret-of-the-client"
    LocalDagster(tmp_path, {"NEWSTORE_CLIENT_SECRET": secret}).start()
    environment = started["env"]
    assert isinstance(environment, dict)
    assert environment["NEWSTORE_CLIENT_SECRET"] == secret
    assert secret not in " ".join(map(str, started["command"]))  # type: ignore[call-overload]


STARTS = ("subprocess.", "os.system", "os.popen", "os.exec", "os.spawn", "os.posix_spawn")


def test_no_process_is_started_but_dagster_and_none_through_a_shell() -> None:
    starting: set[str] = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(STARTS):
                starting.add(f"{path.name}: {ast.unparse(node.func)}")
            assert not (isinstance(node, ast.keyword) and node.arg == "shell"), path
    assert starting == {"local_dagster.py: subprocess.Popen"}
