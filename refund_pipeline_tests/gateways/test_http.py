"""HTTP: exact JSON, URLs that may bear credentials, what is retried and what never is."""

import contextlib
import datetime as dt
import ipaddress
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import requests
import stamina
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.gateways import http as http_module
from refund_pipeline.gateways.http import (
    Answer,
    Http,
    NoAnswer,
    RetryPolicy,
    _pause,
    _TryAgainError,
    checked_base_url,
    exact_json,
    retry_after,
)
from refund_pipeline_tests.gateways.scripted_server import (
    DROPPED,
    Reply,
    ScriptedServer,
    closed_port,
    json_reply,
    scripted_server,
)

AT_ONCE = RetryPolicy(attempts=3, first_pause=0.0, longest_pause=0.0)
SECRET = "s3cret-token"


@pytest.fixture
def http() -> Iterator[Http]:
    client = Http("NetSuite", read_seconds=5, policy=AT_ONCE)
    yield client
    client.close()


@pytest.fixture(scope="module")
def running_server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def server(running_server: ScriptedServer) -> ScriptedServer:
    running_server.say(Reply())
    return running_server


@contextlib.contextmanager
def talking(answer: bytes, *, tls: ssl.SSLContext | None = None, spoil: bool = False):
    """Serve one connection: read a POST of {}, send `answer` as it is (or spoil the TLS), close."""
    listener = socket.create_server(("127.0.0.1", 0))

    def _serve() -> None:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        try:
            with plain if tls is None else tls.wrap_socket(plain, server_side=True) as connection:
                request = received = connection.recv(65536)
                while received and not request.endswith(b"{}"):  # the unread would mean a reset
                    received = connection.recv(65536)
                    request += received
                if spoil:
                    os.write(connection.fileno(), answer)
                else:
                    connection.sendall(answer)
        except OSError:
            plain.close()

    thread = threading.Thread(target=_serve)
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join(10)
        listener.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file with a key and a certificate for 127.0.0.1 that nobody trusts by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.timezone.utc)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def tls_of(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


# Exact JSON


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15))
def test_every_amount_is_written_with_its_exact_value_and_without_an_exponent(amount):
    text = exact_json({"rate": amount})

    assert "e" not in text[8:].lower()
    assert json.loads(text, parse_float=Decimal, parse_int=Decimal)["rate"] == amount


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("12.50", "12.50"),
        ("1200", "1200"),
        ("1.2E+3", "1200"),
        ("-0.01", "-0.01"),
        ("1E-7", "0.0000001"),
    ],
)
def test_an_amount_keeps_its_digits(amount, written):
    assert exact_json([Decimal(amount)]) == f"[{written}]"


@pytest.mark.parametrize("nested", [1.5, [1.5], {"a": [{"b": 1.5}]}, (1.5,)])
def test_a_float_is_refused_wherever_it_stands(nested):
    with pytest.raises(TypeError, match="float"):
        exact_json({"amount": nested})


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity"])
def test_an_amount_that_is_no_number_is_refused(amount):
    with pytest.raises(ValueError, match="finite"):
        exact_json({"amount": Decimal(amount)})


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False, places=2),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(_VALUES)
def test_indented_and_compact_json_say_the_same(value):
    compact, indented = exact_json(value), exact_json(value, indent="\n")

    read = [json.loads(text, parse_float=Decimal) for text in (compact, indented)]
    assert read == [value, value]
    assert "\n" not in compact


# URLs


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://1234567.suitetalk.api.netsuite.com", None),
        ("https://host:8443/path/", "https://host:8443/path"),
        (" https://host/ ", "https://host"),
        ("http://127.0.0.1:8080", None),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://[::1]:8080", None),
    ],
)
def test_https_and_plain_loopback_are_taken(url, kept):
    assert checked_base_url(url, name="X") == (kept or url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host",
        "https://",
        "https:///path",
        "ftp://host",
        "http://host",
        "http://127.0.0.1.host",
        "http://10.0.0.1",
        f"https://user:{SECRET}@host",
        f"https://{SECRET}@host",
        "https://@host",
        f"https://host/?token={SECRET}",
        "https://host/?",
        "https://host/#part",
        "https://ho\nst/",
        "https://ho st/",
        "https://host\\.other",
        "https://[::1",
        "https://host:99999",
        "https://host:port",
    ],
)
def test_any_other_url_is_refused_by_the_name_of_its_setting(url):
    with pytest.raises(Misconfigured, match="SOME_URL") as refused:
        checked_base_url(url, name="SOME_URL")

    assert SECRET not in str(refused.value)


# Reads are tried again


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_read_is_tried_again_after_an_answer_that_passes(http, status, server):
    server.say(Reply(status), json_reply({"ok": True}))
    answer = http.read("reading", "GET", server.url)

    assert (answer.status, answer.document) == (200, {"ok": True})
    assert len(server.seen) == http.requests_made == 2


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 501])
def test_a_read_is_not_tried_again_after_an_answer_that_stays(http, status, server):
    server.say(Reply(status), json_reply({}))
    assert http.read("reading", "GET", server.url).status == status

    assert len(server.seen) == 1


def test_a_read_is_tried_again_after_a_reset(http, server):
    server.say(DROPPED, json_reply({"ok": True}))
    assert http.read("reading", "GET", server.url).status == 200

    assert len(server.seen) == 2


def test_a_repeated_read_sends_the_same_request(http, server):
    server.say(Reply(503), json_reply({}))
    http.read("q", "POST", server.url, body=b"[1]", params={"limit": "5"}, headers={"Prefer": "x"})

    first, second = server.seen
    assert (first.body, first.query, first.headers["prefer"]) == (b"[1]", {"limit": "5"}, "x")
    assert second == first


def test_a_read_gives_up_after_its_attempts_and_says_what_and_why(http, server):
    server.say(Reply(503, b"body-of-the-answer"))
    with pytest.raises(Unavailable) as raised:
        http.read(
            "listing refunds",
            "GET",
            server.url,
            params={"key": SECRET},
            headers={"Authorization": f"Bearer {SECRET}"},
        )

    assert len(server.seen) == 3
    message = str(raised.value)
    assert "listing refunds" in message
    assert "NetSuite answered 503" in message
    assert SECRET not in message
    assert "body-of-the-answer" not in message
    assert raised.value.__cause__ is None


def test_a_read_gives_up_when_nobody_listens(http):
    with pytest.raises(Unavailable, match=r"listing: NetSuite gave no answer \(ConnectionError\)"):
        http.read("listing", "GET", closed_port())

    assert http.requests_made == 3


def test_the_pause_is_the_one_asked_for(server):
    pauses: list[float] = []
    server.say(Reply(429, headers={"Retry-After": "0"}), json_reply({}))
    client = Http("NetSuite", policy=RetryPolicy(attempts=2, first_pause=30, longest_pause=30))
    stamina.instrumentation.set_on_retry_hooks([lambda details: pauses.append(details.wait_for)])
    try:
        assert client.read("reading", "GET", server.url).status == 200
    finally:
        stamina.instrumentation.set_on_retry_hooks(None)
        client.close()

    assert pauses == [0.0]


def test_an_error_decides_its_pause():
    assert _pause(_TryAgainError("x", 7.0)) == 7.0
    assert _pause(_TryAgainError("x")) is True
    assert _pause(ValueError()) is False


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("86400", 30.0),
        ("9" * 400, 30.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("\u00b2", None),
        ("Fri, 20 Nov 2026 12:00:00 GMT", None),
    ],
)
def test_retry_after_is_whole_seconds_and_capped(header, seconds):
    assert retry_after(Answer(429, {"Retry-After": header}, None, is_json=False)) == seconds


# Sending


@pytest.mark.parametrize("reply", [Reply(503), Reply(429), Reply(500)])
def test_a_sent_request_is_never_repeated_after_an_answer(http, reply, server):
    server.say(reply)
    assert http.send("POST", server.url, body=b"{}").status == reply.status

    assert len(server.seen) == http.requests_made == 1


def test_a_sent_request_is_never_repeated_after_a_reset(http, server):
    server.say(DROPPED)
    with pytest.raises(NoAnswer) as lost:
        http.send("POST", server.url, body=b"{}")

    assert lost.value.sent
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_the_credentials_stay_here(http, status, server):
    server.say(Reply(status, headers={"Location": f"{server.url}/elsewhere"}))
    answer = http.read("posting", "POST", server.url, headers={"Authorization": SECRET})

    assert answer.status == status
    assert [seen.path for seen in server.seen] == ["/"]


def test_a_redirect_is_not_followed_whatever_the_session_would_do(http, server):
    http._session = requests.Session()
    server.say(Reply(307, headers={"Location": f"{server.url}/elsewhere"}))
    http.send("POST", server.url, headers={"Authorization": SECRET})

    assert [seen.path for seen in server.seen] == ["/"]


def test_a_netrc_file_does_not_replace_our_credentials(http, tmp_path, monkeypatch, server):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.say(json_reply({}))
    http.send("GET", server.url, headers={"Authorization": f"Bearer {SECRET}"})

    assert server.seen[0].headers["authorization"] == f"Bearer {SECRET}"


def test_each_host_has_the_proxy_the_environment_gives_it_and_is_asked_for_once(
    http, monkeypatch, server
):
    asked = []
    real = requests.sessions.get_environ_proxies
    monkeypatch.setattr(
        requests.sessions,
        "get_environ_proxies",
        lambda url, no_proxy=None: [asked.append(url), real(url, no_proxy)][1],
    )
    for name in ("HTTP_PROXY", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.say(json_reply({}))
    for url in ("http://netsuite.invalid/a", f"{server.url}/b", "http://netsuite.invalid/c"):
        http.send("GET", url)

    assert [seen.headers["host"] for seen in server.seen] == [
        "netsuite.invalid",
        server.url.removeprefix("http://"),
        "netsuite.invalid",
    ]
    assert len(asked) == 2


def test_requests_of_many_threads_are_all_counted(http, server):
    server.say(json_reply({}))
    threads = [
        threading.Thread(target=lambda: [http.send("GET", server.url) for _ in range(5)])
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert http.requests_made == len(server.seen) == 30


# Bodies


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!DOCTYPE html><h1>Service Unavailable</h1>",
        b'{"items": [{"id": "1"',
        b"[" * 200_000,
        b'{"amount": NaN}',
        b'{"amount": -Infinity}',
        b'{"amount": 1e99999999999999999999}',
        b"9" * 5000,
        b'{"memo": "\xff\xfe"}',
    ],
)
def test_a_body_that_is_no_json_is_an_answer_without_a_document(http, body, server):
    server.say(Reply(200, body))
    answer = http.send("GET", server.url)

    assert (answer.status, answer.document, answer.is_json) == (200, None, False)


def test_numbers_are_read_exactly(http, server):
    server.say(Reply(200, b'{"a": 12.50, "b": 1200, "c": 0.1, "d": 1E+3}'))
    document = http.send("GET", server.url).document

    assert document == {"a": Decimal("12.50"), "b": 1200, "c": Decimal("0.1"), "d": Decimal(1000)}
    assert [str(document[key]) for key in "abc"] == ["12.50", "1200", "0.1"]
    assert not any(isinstance(value, float) for value in document.values())


def test_a_body_larger_than_any_real_one_is_no_answer(http, monkeypatch, server):
    monkeypatch.setattr(http_module, "_LARGEST_BODY", 1000)
    server.say(Reply(200, b" " * 1000 + b"1"))
    with pytest.raises(NoAnswer) as lost:
        http.send("GET", server.url)

    assert lost.value.sent


def test_the_body_of_a_redirect_is_not_read_to_its_end_either(http, monkeypatch, server):
    monkeypatch.setattr(http_module, "_LARGEST_BODY", 1000)
    server.say(Reply(307, b" " * 1001, {"Location": f"{server.url}/elsewhere"}))
    with pytest.raises(NoAnswer):
        http.send("GET", server.url)


def test_a_body_of_the_largest_size_is_read(http, monkeypatch, server):
    monkeypatch.setattr(http_module, "_LARGEST_BODY", 1000)
    server.say(Reply(200, b" " * 999 + b"1"))
    assert http.send("GET", server.url).document == 1


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"id": "1"}',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n{"id":',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 2",
        b"",
    ],
    ids=["short", "cut chunk", "bad chunk", "no gzip", "cut status line", "closed"],
)
def test_an_answer_that_is_cut_off_is_no_answer_although_the_request_was_sent(http, answer):
    with talking(answer) as url, pytest.raises(NoAnswer) as lost:
        http.send("POST", url, body=b"{}")

    assert lost.value.sent


def test_a_body_that_only_drips_in_ends_at_the_deadline():
    client = Http("NetSuite", read_seconds=0.5)
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def _drip() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            with contextlib.suppress(OSError):
                while not stop.wait(0.02):
                    connection.sendall(b" ")

    thread = threading.Thread(target=_drip)
    thread.start()
    try:
        with pytest.raises(NoAnswer) as lost:
            client.send("GET", f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert not stop.is_set()
    finally:
        stop.set()
        thread.join()
        listener.close()
        client.close()
    assert lost.value.sent


# Whether it was sent


@pytest.mark.parametrize(
    "url", [closed_port(), "https://nobody.invalid"], ids=["refused", "unknown host"]
)
def test_without_a_connection_nothing_was_sent(http, url):
    with pytest.raises(NoAnswer) as lost:
        http.send("POST", f"{url}/{SECRET}", body=SECRET.encode(), headers={"X": SECRET})

    assert not lost.value.sent
    assert SECRET not in str(lost.value)


def test_a_server_that_proves_no_identity_was_sent_nothing(http, certificate):
    with talking(b"", tls=tls_of(certificate)) as url, pytest.raises(NoAnswer) as lost:
        http.send("POST", url, body=b"{}")

    assert not lost.value.sent
    assert "SSLError" in str(lost.value)


def test_tls_that_breaks_after_the_request_may_have_been_sent(http, certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    broken = b"HTTP/1.1 400 no TLS record at all\r\n\r\n"
    with (
        talking(broken, tls=tls_of(certificate), spoil=True) as url,
        pytest.raises(NoAnswer, match="SSLError") as lost,
    ):
        http.send("POST", url, body=b"{}")

    assert lost.value.sent


def test_a_read_time_out_may_have_been_sent():
    client = Http("NetSuite", read_seconds=0.05)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(NoAnswer, match="ReadTimeout") as lost,
    ):
        client.send("POST", f"http://127.0.0.1:{silent.getsockname()[1]}", body=b"{}")
    client.close()

    assert lost.value.sent
