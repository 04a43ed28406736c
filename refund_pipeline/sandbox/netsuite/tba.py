"""Token-based authentication (contract 1.3, section 8 points 1 to 3): every header is taken apart.

The signature is computed here by hand, with hashlib and hmac, so that no mistake of a library a
client uses can hide. The reason of a refusal goes to the login audit trail only.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, unquote

from refund_pipeline.sandbox.netsuite.exchange import Request
from refund_pipeline.sandbox.netsuite.logins import LOCKED, Logins, invalid_login

_METHOD = "HMAC-SHA256"
_VERSION = "1.0"
_LONGEST_DIFFERENCE = 300
_SHORTEST_NONCE = 6
_REQUIRED = frozenset(
    {
        "realm",
        "oauth_consumer_key",
        "oauth_token",
        "oauth_nonce",
        "oauth_timestamp",
        "oauth_signature_method",
        "oauth_version",
        "oauth_signature",
    }
)
_OPTIONAL = frozenset({"oauth_body_hash"})
"""Sent by the `netsuite` package, which works in the field; it takes part in the signature."""
_PARAMETER = re.compile(r'[ \t]*([A-Za-z_]+)="([^"\\]*)"[ \t]*')


@dataclass(frozen=True, slots=True)
class TokenCredentials:
    """The keys and secrets of one integration and of one user's token for it."""

    consumer_key: str
    token_id: str
    consumer_secret: str = field(repr=False)
    token_secret: str = field(repr=False)


def new_credentials() -> TokenCredentials:
    """Return credentials as NetSuite makes them: 64 hexadecimal digits each."""
    return TokenCredentials(*(secrets.token_hex(32) for _ in range(4)))


class _RefusedError(Exception):
    """A login is refused; the text is the reason for the trail."""


class TokenLogins:
    """Checks the signatures of one account, one integration and one token."""

    def __init__(
        self,
        credentials: TokenCredentials,
        *,
        account: str,
        logins: Logins,
        clock: Callable[[], datetime],
    ) -> None:
        self.token_revoked = False
        self._credentials = credentials
        self._account = account
        self._logins = logins
        self._clock = clock
        self._used: set[tuple[str, str]] = set()

    def require_signature(self, request: Request, *, base_url: str) -> None:
        """Let the request pass if its OAuth 1.0a header is right in every part.

        Raises:
            Refusal: 401 without a reason.
        """
        try:
            self._check(request, base_url)
        except _RefusedError as error:
            self._logins.fail(str(error), counts=str(error) != LOCKED)
            raise invalid_login() from None

    def _check(self, request: Request, base_url: str) -> None:
        if self._logins.locked:
            raise _RefusedError(LOCKED)
        given = _parse(request.headers.get("authorization", ""))
        if any(name.startswith("oauth_") for name, _ in request.query):
            raise _RefusedError("parameter_rejected")
        self._check_protocol(given)
        self._check_caller(given)
        text = base_string(request, given, base_url=base_url)
        if not hmac.compare_digest(signature(text, self._credentials), given["oauth_signature"]):
            raise _RefusedError("InvalidSignature")
        used = (given["oauth_timestamp"], given["oauth_nonce"])
        if used in self._used:
            raise _RefusedError("NonceUsed")
        self._used.add(used)

    def _check_protocol(self, given: dict[str, str]) -> None:
        if given["realm"] != self._account:
            raise _RefusedError("the realm is not this account")
        if given["oauth_signature_method"] != _METHOD:
            raise _RefusedError("UnknownAlgorithm")
        if given["oauth_version"] != _VERSION:
            raise _RefusedError("VersionRejected")
        timestamp = given["oauth_timestamp"]
        if not re.fullmatch(r"[1-9][0-9]{0,11}", timestamp, re.ASCII):
            raise _RefusedError("InvalidTimestamp")
        if abs(self._clock().timestamp() - int(timestamp)) > _LONGEST_DIFFERENCE:
            raise _RefusedError("InvalidTimestamp")
        if len(given["oauth_nonce"]) < _SHORTEST_NONCE:
            raise _RefusedError("nonce_rejected")

    def _check_caller(self, given: dict[str, str]) -> None:
        access = self._logins.access
        if given["oauth_consumer_key"] != self._credentials.consumer_key:
            raise _RefusedError("consumer_key_unknown")
        if not access.token_feature_enabled:
            raise _RefusedError("FeatureDisabled")
        if not access.integration_enabled:
            raise _RefusedError("consumer_key_refused")
        if given["oauth_token"] != self._credentials.token_id or self.token_revoked:
            raise _RefusedError("token_rejected")
        if not self._logins.role_open:
            raise _RefusedError("permission_denied")


def _parse(header: str) -> dict[str, str]:
    """Return the decoded parameters of an Authorization header, each there exactly once."""
    scheme, _, rest = header.partition(" ")
    found: dict[str, str] = {}
    for part in rest.split(",") if scheme.lower() == "oauth" else ():
        match = _PARAMETER.fullmatch(part)
        if match is None or match[1] in found:
            raise _RefusedError("parameter_rejected")
        name, value = match[1], unquote(match[2])
        if not value or _encode(value) != match[2] or name not in _REQUIRED | _OPTIONAL:
            raise _RefusedError("parameter_rejected")
        found[name] = value
    if _REQUIRED - found.keys():
        raise _RefusedError("MissingTokenPassportRequiredFields")
    return found


def base_string(request: Request, given: dict[str, str], *, base_url: str) -> str:
    """Return what is signed (RFC 5849, 3.4.1): the path as sent, the query decoded, no realm."""
    signed = [*request.query]
    signed += [(k, v) for k, v in given.items() if k not in {"realm", "oauth_signature"}]
    pairs = sorted((_encode(name), _encode(value)) for name, value in signed)
    normalised = "&".join(f"{name}={value}" for name, value in pairs)
    address = base_url + request.raw_path
    return "&".join(_encode(part) for part in (request.method, address, normalised))


def signature(text: str, credentials: TokenCredentials) -> str:
    """Return the HMAC-SHA256 of a base string, in base64."""
    key = f"{_encode(credentials.consumer_secret)}&{_encode(credentials.token_secret)}"
    return base64.b64encode(hmac.digest(key.encode(), text.encode(), hashlib.sha256)).decode()


def _encode(text: str) -> str:
    """Encode all but letters, digits and -._~ (RFC 5849, 3.6)."""
    return quote(text, safe="")
