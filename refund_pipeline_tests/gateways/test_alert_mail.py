"""Mail against a real SMTP server on loopback: encrypted, verified, and no secret in an error."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.gateways import alert_mail
from refund_pipeline.gateways.alerts import channels
from refund_pipeline_tests.gateways.alert_makers import make_message, make_notice
from refund_pipeline_tests.gateways.scripted_server import closed_port
from refund_pipeline_tests.gateways.smtp_server import (
    HOST,
    Mailbox,
    certificate_for,
    smtp_server,
)

TO = "from=refunds@acme.example&to=finance@acme.example"
LOGIN = "robot:pl%40nted@"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with smtp_server() as running:
        yield running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory):
    return certificate_for(HOST, tmp_path_factory.mktemp("tls"))


@pytest.fixture
def another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """HOST is a name of this machine that does not look like one."""
    look_up = socket.getaddrinfo

    def _look_up(host, *args, **options):
        return look_up("127.0.0.1" if host == HOST else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", _look_up)


@pytest.fixture
def trusted(certificate, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    return certificate[0]


def send(url: str, message=None) -> None:
    for channel in channels(url):
        channel.send(message or make_message())


def test_a_mail_says_who_what_and_when(mailbox) -> None:
    send(f"smtp://127.0.0.1:{mailbox.port}/?{TO}", make_message(make_notice(), make_notice("over")))
    (mail,) = mailbox.mails
    assert mail["Subject"] == "[refunds acme] 1 new, 1 over"
    assert (mail["From"], mail["To"]) == ("refunds@acme.example", "finance@acme.example")
    assert mail["Date"] == "Fri, 20 Nov 2026 12:00:00 +0000"
    assert mail["Message-ID"].endswith("@acme.example>")
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_content()
    assert "NEW (error): 3 refunds held: overpaid" in text
    assert "3 refunds (37.50 USD) wait for a person: <they> & overpaid." in text
    assert "docs/operations.md#held-refunds, key held:overpaid" in text
    assert "OVER (error)" in text


def test_every_recipient_has_a_mail_of_its_own(mailbox) -> None:
    send(f"smtp://127.0.0.1:{mailbox.port}?{TO},b@acme.example&to=c@acme.example")
    assert [recipient for _, recipient in mailbox.envelopes] == [
        "finance@acme.example",
        "b@acme.example",
        "c@acme.example",
    ]


def test_no_word_of_a_situation_can_add_a_header_or_end_the_mail(mailbox) -> None:
    notice = make_notice(title="x\r\nBcc: thief@evil.example", text="a\r\n.\r\nQUIT\r\nü…")
    send(f"smtp://127.0.0.1:{mailbox.port}/?{TO}", make_message(notice))
    (mail,) = mailbox.mails
    assert mail["Bcc"] is None
    assert "Bcc: thief@evil.example" in mail["Subject"]
    assert "a . QUIT ü…" in mail.get_content()


def test_another_machine_gets_the_password_and_the_mail_encrypted_only(
    mailbox, certificate, trusted, another_machine
) -> None:
    mailbox.context = certificate[1]
    send(f"smtp://{LOGIN}{HOST}:{mailbox.port}/?{TO}")
    assert mailbox.logins == [("robot", "pl@nted")]
    assert len(mailbox.mails) == 1
    assert mailbox.in_the_clear == ["ehlo acme.example", "STARTTLS"]


def test_another_machine_that_offers_no_encryption_gets_nothing(mailbox, another_machine) -> None:
    with pytest.raises(Misconfigured, match="STARTTLS"):
        send(f"smtp://{LOGIN}{HOST}:{mailbox.port}/?{TO}")
    assert mailbox.in_the_clear in (["ehlo acme.example"], ["ehlo acme.example", "QUIT"])


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_certificate_nobody_vouches_for_gets_nothing(
    mailbox, certificate, another_machine, scheme
) -> None:
    mailbox.context, mailbox.is_tls = certificate[1], scheme == "smtps"
    with pytest.raises(Misconfigured, match="cannot be verified"):
        send(f"{scheme}://{LOGIN}{HOST}:{mailbox.port}/?{TO}")
    assert (mailbox.logins, mailbox.mails) == ([], [])


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_certificate_of_another_host_gets_nothing(
    mailbox, trusted, tmp_path, monkeypatch, another_machine, scheme
) -> None:
    file, mailbox.context = certificate_for("other.example.test", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    mailbox.is_tls = scheme == "smtps"
    with pytest.raises(Misconfigured, match="cannot be verified"):
        send(f"{scheme}://{LOGIN}{HOST}:{mailbox.port}/?{TO}")
    assert (mailbox.logins, mailbox.mails) == ([], [])


def test_smtps_is_encrypted_from_the_first_byte(
    mailbox, certificate, trusted, another_machine
) -> None:
    mailbox.context, mailbox.is_tls = certificate[1], True
    send(f"smtps://{LOGIN}{HOST}:{mailbox.port}/?{TO}")
    assert len(mailbox.mails) == 1
    assert mailbox.in_the_clear == []


def test_smtps_does_not_fall_back_to_the_clear_even_on_loopback(mailbox) -> None:
    with pytest.raises(Unavailable):
        send(f"smtps://127.0.0.1:{mailbox.port}/?{TO}")
    assert not any("MAIL" in line for line in mailbox.in_the_clear)


@pytest.mark.parametrize(
    ("verb", "reply", "error"),
    [
        ("AUTH", "535 bad pl@nted", Misconfigured),
        ("AUTH", "454 later", Unavailable),
        ("MAIL", "550 no", Misconfigured),
        ("RCPT", "550 no finance@acme.example", Misconfigured),
        ("RCPT", "451 greylisted", Unavailable),
        ("DATA", "421 full", Unavailable),
    ],
)
def test_a_refusal_is_shown_by_its_code_alone(mailbox, verb, reply, error) -> None:
    mailbox.answers = {verb: reply}
    with pytest.raises(error, match=reply[:3]) as caught:
        send(f"smtp://{LOGIN}127.0.0.1:{mailbox.port}/?{TO}")
    assert mailbox.mails == []
    shown = str(caught.value)
    assert not any(word in shown for word in ("nted", "finance", "greylisted", "robot"))


def test_nobody_there_and_nobody_answering_are_unavailable(mailbox, monkeypatch) -> None:
    with pytest.raises(Unavailable, match="ConnectionRefusedError"):
        send(f"smtp://{closed_port().removeprefix('http://')}/?{TO}")
    monkeypatch.setattr(alert_mail, "_SECONDS", 0.05)
    mailbox.is_silent = True
    with pytest.raises(Unavailable, match=r"TimeoutError|SMTPServerDisconnected"):
        send(f"smtp://127.0.0.1:{mailbox.port}/?{TO}")


@pytest.mark.parametrize(
    "url",
    [
        "smtp://mail.example/",
        "smtp://mail.example/?from=a@b.example",
        "smtp://mail.example/?to=a@b.example",
        "smtp://mail.example/?from=a@b.example&to=planted",
        "smtp://mail.example/?from=a@b.example&from=c@b.example&to=c@d.example",
        "smtp://mail.example/?from=a@b.example&to=c@d.example&verify=planted",
        "smtp://mail.example/?from=a%0d%0aplanted@b.example&to=c@d.example",
        "smtp://mail.example/?from=a@b.example&to=<planted@d.example>",
        "smtp://planted@mail.example/?from=a@b.example&to=c@d.example",
        "smtp://:planted@mail.example/?from=a@b.example&to=c@d.example",
        "smtp://mail.example:planted/?from=a@b.example&to=c@d.example",
        "smtp://mail.example/planted?from=a@b.example&to=c@d.example",
        "smtp:///?from=a@b.example&to=planted@d.example",
        "smtps://user:pl/anted@mail.example/?from=a@b.example&to=c@d.example",
    ],
)
def test_a_url_that_cannot_be_mail_says_why_and_shows_nothing_of_itself(url) -> None:
    with pytest.raises(Misconfigured, match="entry 1") as caught:
        send(url)
    assert "nted" not in str(caught.value)


def test_the_password_is_not_in_any_representation() -> None:
    (server,) = alert_mail.mail_servers(f"smtps://{LOGIN}mail.example/?{TO}", name="x")
    assert server.password == "pl@nted"
    assert server.port == 465
    assert "nted" not in repr(server)
    assert "robot" not in repr(server)
