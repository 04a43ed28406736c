"""A small SMTP server on loopback that does what it is told, and keeps what it was sent."""

import base64
import contextlib
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "mail.example.test"


@dataclass(slots=True)
class Mailbox:
    """How the server behaves, and what it got."""

    port: int = 0
    context: ssl.SSLContext | None = None
    """Offers STARTTLS with it."""
    is_tls: bool = False
    """TLS from the start."""
    answers: dict[str, str] = field(default_factory=dict)
    """Replies to verbs other than the good ones: `{"RCPT": "550 no such user"}`."""
    is_silent: bool = False
    """Accepts connections and says nothing."""
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, str]] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    in_the_clear: list[str] = field(default_factory=list)
    """Every line that was not encrypted."""


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    mailbox: Mailbox


class _Session(socketserver.StreamRequestHandler):
    timeout = 10

    def handle(self) -> None:
        assert isinstance(self.server, _Server)
        self.mailbox = self.server.mailbox
        self.encrypted = False
        self.sender, self.recipient = "", ""
        with contextlib.suppress(OSError):
            if self.mailbox.is_tls:
                self._encrypt()
            if self.mailbox.is_silent:
                self.rfile.read(1)
                return
            self._say("220 ready")
            while (line := self.rfile.readline()) and self._answer(line.decode().rstrip("\r\n")):
                pass

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.connection.close()

    def _encrypt(self) -> None:
        assert self.mailbox.context is not None
        for plain in (self.rfile, self.wfile):
            plain.close()
        self.connection = self.mailbox.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.encrypted = True

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")

    def _answer(self, line: str) -> bool:
        if not self.encrypted:
            self.mailbox.in_the_clear.append(line)
        verb, _, rest = line.partition(" ")
        verb = verb.upper()
        if verb in self.mailbox.answers:
            self._say(self.mailbox.answers[verb])
            return True
        getattr(self, f"_{verb.lower()}", self._unknown)(rest)
        return verb != "QUIT"

    def _unknown(self, rest: str) -> None:
        self._say("500 what")

    def _ehlo(self, rest: str) -> None:
        offers = ["AUTH PLAIN"]
        if self.mailbox.context is not None and not self.encrypted:
            offers.append("STARTTLS")
        self._say("250-hello")
        for offer in offers[:-1]:
            self._say(f"250-{offer}")
        self._say(f"250 {offers[-1]}")

    def _starttls(self, rest: str) -> None:
        self._say("220 go ahead")
        self._encrypt()

    def _auth(self, rest: str) -> None:
        _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
        self.mailbox.logins.append((user, password))
        self._say("235 welcome")

    def _mail(self, rest: str) -> None:
        self.sender = rest[rest.index("<") + 1 : rest.index(">")]
        self._say("250 ok")

    def _rcpt(self, rest: str) -> None:
        self.recipient = rest[rest.index("<") + 1 : rest.index(">")]
        self._say("250 ok")

    def _data(self, rest: str) -> None:
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline().rstrip(b"\r\n")) != b".":
            lines.append(line[1:] if line.startswith(b".") else line)
        mail = message_from_bytes(b"\r\n".join(lines), policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mailbox.mails.append(mail)
        self.mailbox.envelopes.append((self.sender, self.recipient))
        self._say("250 taken")

    def _rset(self, rest: str) -> None:
        self._say("250 ok")

    def _quit(self, rest: str) -> None:
        self._say("221 bye")


@contextmanager
def smtp_server() -> Iterator[Mailbox]:
    """Serve on a free port of loopback."""
    mailbox = Mailbox()
    with _Server(("127.0.0.1", 0), _Session) as server:
        server.mailbox = mailbox
        mailbox.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield mailbox
        finally:
            server.shutdown()
            thread.join()


def certificate_for(host: str, folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a self-signed certificate; return its file, for who trusts it, and the server's side."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(timezone.utc)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, key_file = folder / f"{host}.pem", folder / f"{host}.key"
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key_file)
    return file, context
