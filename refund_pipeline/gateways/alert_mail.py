"""Mail through an SMTP server given as a URL: always encrypted, always verified.

`smtps://` is TLS from the start, `smtp://` must offer STARTTLS before anything else is said; plain
SMTP is for loopback only, for a relay on the same machine. Every recipient has a mail of its own,
so that one who is refused costs the others nothing.
"""

import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.gateways.http import LOOPBACK

_SECONDS = 10.0
_PORTS = {"smtp": 587, "smtps": 465}
_EXAMPLE = (
    "smtps://user:password@host/"  # pragma: allowlist secret
    "?from=refunds@example.com&to=finance@example.com"
)
_PERMANENT = range(500, 600)


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail goes, by whom and to whom."""

    host: str
    port: int
    is_tls: bool
    """TLS from the start; else STARTTLS, unless the host is loopback."""
    sender: str
    recipient: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def send(self, subject: str, text: str, *, at: datetime) -> None:
        """Send one mail.

        Raises:
            Unavailable: the server cannot be reached, or says to come again.
            Misconfigured: it refuses us for good, or does not encrypt.
        """
        mail = self._mail(subject, text, at)
        try:
            with self._connected() as server:
                if self.user:
                    server.login(self.user, self.password)
                server.send_message(mail, self.sender, [self.recipient])
        except smtplib.SMTPNotSupportedError:
            raise Misconfigured(
                f"the mail server {self.host} offers no STARTTLS, or no way to log in that we know;"
                " nothing was sent"
            ) from None
        except ssl.SSLCertVerificationError:
            raise Misconfigured(
                f"the certificate of the mail server {self.host} cannot be verified"
            ) from None
        except smtplib.SMTPRecipientsRefused as error:
            raise self._refusal({code for code, _ in error.recipients.values()}) from None
        except smtplib.SMTPResponseException as error:
            raise self._refusal({error.smtp_code}) from None
        except (OSError, smtplib.SMTPException, UnicodeError, ValueError) as error:
            raise Unavailable(
                f"the mail server {self.host} did not take the mail ({type(error).__name__})"
            ) from None

    def _connected(self) -> smtplib.SMTP:
        domain = self.sender.rpartition("@")[2]
        if self.is_tls:
            return smtplib.SMTP_SSL(
                self.host,
                self.port,
                local_hostname=domain,
                timeout=_SECONDS,
                context=ssl.create_default_context(),
            )
        server = smtplib.SMTP(self.host, self.port, local_hostname=domain, timeout=_SECONDS)
        if self.host not in LOOPBACK:
            try:
                server.starttls(context=ssl.create_default_context())
                server.ehlo()
            except BaseException:
                server.close()
                raise
        return server

    def _mail(self, subject: str, text: str, at: datetime) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = subject
        mail["From"] = self.sender
        mail["To"] = self.recipient
        mail["Date"] = format_datetime(at)
        mail["Message-ID"] = make_msgid(domain=self.sender.rpartition("@")[2])
        mail["Auto-Submitted"] = "auto-generated"  # no out-of-office answers (RFC 3834)
        mail.set_content(text, cte="quoted-printable")
        return mail

    def _refusal(self, codes: set[int]) -> Unavailable | Misconfigured:
        shown = ", ".join(str(code) for code in sorted(codes))
        kind = Misconfigured if codes & set(_PERMANENT) else Unavailable
        return kind(f"the mail server {self.host} refused the mail ({shown})")


def mail_servers(url: str, *, name: str) -> list[MailServer]:
    """Read a URL like `smtps://user@host:port/?from=…&to=…,…`, one per recipient.

    Raises:
        Misconfigured: it is none; `name` is the setting it came from.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        query = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise Misconfigured(f"{name} is no URL like {_EXAMPLE}") from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.fragment:
        raise Misconfigured(f"{name} is no URL like {_EXAMPLE}")
    senders = query.pop("from", [])
    recipients = [
        one.strip() for value in query.pop("to", []) for one in value.split(",") if one.strip()
    ]
    if query:
        raise Misconfigured(f"{name}: only from and to may follow the ?")
    if len(senders) != 1 or not recipients:
        raise Misconfigured(f"{name} needs one ?from= and at least one &to=")
    if not all(_is_address(one) for one in (*senders, *recipients)):
        raise Misconfigured(f"{name}: from and to must be plain addresses, name@host")
    user, password = _credentials(parts, name)
    return [
        MailServer(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            is_tls=parts.scheme == "smtps",
            sender=senders[0],
            recipient=recipient,
            user=user,
            password=password,
        )
        for recipient in dict.fromkeys(recipients)
    ]


def _credentials(parts: SplitResult, name: str) -> tuple[str, str]:
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(user) != bool(password):
        raise Misconfigured(f"{name} has a user without a password, or the other way round")
    return user, password


def _is_address(text: str) -> bool:
    local, _, domain = text.rpartition("@")
    signs = set(text)
    return (
        bool(local and domain)
        and text.isascii()
        and text.isprintable()
        and not (signs & set(' ,;:<>()[]"\\') or "@" in local)
    )
