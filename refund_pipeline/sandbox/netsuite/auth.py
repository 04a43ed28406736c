"""OAuth 2.0 client credentials (contract 1.4): the token endpoint and the bearer check.

Every check of section 8, points 4 and 5, is made; the reason of a refusal never reaches the client.
The other way to authenticate is `tba.py`.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from refund_pipeline.sandbox.netsuite.exchange import (
    Answer,
    Refusal,
    Request,
    json_answer,
)
from refund_pipeline.sandbox.netsuite.logins import LOCKED, Logins, invalid_login

TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"  # noqa: S105 - a path
_ALGORITHMS = ["PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
_REST_SCOPE = "rest_webservices"
_SCOPES = {_REST_SCOPE, "restlets", "suite_analytics"}
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LONGEST_ASSERTION = 3600
_CLOCK_SKEW = 60
_LONGEST_CERTIFICATE = timedelta(days=2 * 365)


class _RefusedError(Exception):
    """A login is refused; the text is the reason for the trail."""


@lru_cache(maxsize=1)
def _private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


@lru_cache(maxsize=1)
def private_key_pem() -> str:
    """Return this process's RSA 3072 key in PKCS8 PEM; made once, since that takes a second."""
    return (
        _private_key()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


@lru_cache(maxsize=1)
def public_key() -> RSAKey:
    """Return the public half of this process's key."""
    return RSAKey.import_key(
        _private_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


@dataclass(frozen=True, slots=True)
class _Certificate:
    key: RSAKey | ECKey
    ends: datetime


@dataclass(frozen=True, slots=True)
class _Issued:
    scopes: frozenset[str]
    ends: datetime


class TokenService:
    """Issues and checks access tokens of one account and one integration."""

    def __init__(
        self,
        *,
        account: str,
        client_id: str,
        token_ttl: int,
        logins: Logins,
        clock: Callable[[], datetime],
    ) -> None:
        self._account = account
        self._client_id = client_id
        self._ttl = token_ttl
        self._logins = logins
        self._clock = clock
        self._certificates: dict[str, _Certificate] = {}
        self._issued: dict[str, _Issued] = {}

    def map_certificate(
        self, certificate_id: str, key: RSAKey | ECKey, *, ends: datetime | None = None
    ) -> None:
        """Let assertions signed with this key in, under this `kid`, for two years at most."""
        longest = self._clock() + _LONGEST_CERTIFICATE
        self._certificates[certificate_id] = _Certificate(key, min(ends or longest, longest))

    def revoke_certificate(self, certificate_id: str) -> None:
        """Refuse assertions under this `kid` from now on; issued tokens live on."""
        del self._certificates[certificate_id]

    def expire_tokens(self) -> None:
        """Forget every issued token, so that the next call with one gets 401."""
        self._issued.clear()

    def issue(self, request: Request, *, audience: str) -> Answer:
        """Answer a request to the token endpoint."""
        if request.method != "POST":
            return _token_error(405, "invalid_request")
        form = _read_form(request)
        if form is None:
            return _token_error(400, "invalid_request")
        try:
            self._check_access()
            scopes = self._check(form["client_assertion"], audience)
        except (_RefusedError, JoseError, ValueError, TypeError) as error:
            reason = str(error) if isinstance(error, _RefusedError) else "no valid assertion"
            self._logins.fail(reason, counts=False)
            return _token_error(400, "invalid_grant")
        token = (
            f"{secrets.token_urlsafe(24)}.{secrets.token_urlsafe(96)}.{secrets.token_urlsafe(48)}"
        )
        self._issued[token] = _Issued(scopes, self._clock() + timedelta(seconds=self._ttl))
        body = {"access_token": token, "expires_in": self._ttl, "token_type": "Bearer"}
        return json_answer(200, body, media_type="application/json")

    def require_bearer(self, request: Request) -> None:
        """Let the request pass if its bearer token is known, alive and of the right scope.

        Raises:
            Refusal: 401 with `WWW-Authenticate`.
        """
        try:
            self._check_token(request.headers.get("authorization", ""))
            self._check_access()
        except _RefusedError as error:
            self._logins.fail(str(error), counts=False)
            raise self._unauthorized() from None

    def _unauthorized(self) -> Refusal:
        challenge = (
            f'Bearer realm="{self._account}", error="invalid_token", '
            'error_description="The access token is invalid or has expired."'
        )
        return invalid_login((("WWW-Authenticate", challenge),))

    def _check_token(self, authorization: str) -> None:
        scheme, _, token = authorization.partition(" ")
        issued = self._issued.get(token) if scheme.lower() == "bearer" else None
        if issued is None:
            raise _RefusedError("no access token of this account")
        if issued.ends <= self._clock():
            raise _RefusedError("the access token has expired")
        if _REST_SCOPE not in issued.scopes:
            raise _RefusedError("the access token is for another scope")

    def _check_access(self) -> None:
        access = self._logins.access
        if self._logins.locked:
            raise _RefusedError(LOCKED)
        if not (access.oauth2_feature_enabled and access.integration_enabled):
            raise _RefusedError("the feature or the integration is switched off")
        if not self._logins.role_open:
            raise _RefusedError("user or role may not log in")

    def _check(self, assertion: str, audience: str) -> frozenset[str]:
        header = jws.extract_compact(assertion.encode()).headers()
        if header.get("alg") not in _ALGORITHMS or header.get("typ") != "JWT":
            raise _RefusedError("alg or typ")
        certificate = self._certificates.get(str(header.get("kid")))
        if certificate is None:
            raise _RefusedError("kid")
        if certificate.ends <= self._clock():
            raise _RefusedError("the certificate has expired")
        claims = jwt.decode(assertion, certificate.key, algorithms=_ALGORITHMS).claims
        if claims.get("iss") != self._client_id or claims.get("aud") != audience:
            raise _RefusedError("iss or aud")
        self._check_times(claims.get("iat"), claims.get("exp"))
        scopes = claims.get("scope")
        if not isinstance(scopes, list) or not scopes or not _SCOPES.issuperset(scopes):
            raise _RefusedError("scope")
        return frozenset(scopes)

    def _check_times(self, issued_at: object, expires: object) -> None:
        for value in (issued_at, expires):
            if not isinstance(value, int) or isinstance(value, bool):
                raise _RefusedError("iat or exp is missing")
        assert isinstance(issued_at, int)  # noqa: S101 - for the type checker, checked above
        assert isinstance(expires, int)  # noqa: S101
        now = self._clock().timestamp()
        if not 0 < expires - issued_at <= _LONGEST_ASSERTION:
            raise _RefusedError("lifetime")
        if expires <= now or issued_at > now + _CLOCK_SKEW:
            raise _RefusedError("expired, or from the future")


def _token_error(status: int, error: str) -> Answer:
    return json_answer(status, {"error": error}, media_type="application/json")


def _read_form(request: Request) -> dict[str, str] | None:
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded" or request.query:
        return None
    try:
        pairs = parse_qsl(request.body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        return None
    form = dict(pairs)
    wanted = {"grant_type", "client_assertion_type", "client_assertion"}
    if len(form) != len(pairs) or set(form) != wanted:
        return None
    if form["grant_type"] != "client_credentials":
        return None
    return form if form["client_assertion_type"] == _ASSERTION_TYPE else None
