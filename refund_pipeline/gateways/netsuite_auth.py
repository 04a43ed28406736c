"""How requests to NetSuite prove who sends them: OAuth 2.0 with a certificate (contract 1.4).

The access token is cached, renewed a minute early, and by one thread for all. PyJWT and
cryptography are imported when the first token is asked for.
"""

import re
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from refund_pipeline.domain.errors import Misconfigured, SystemicFailure, Unavailable
from refund_pipeline.gateways.http import Answer, Http, checked_base_url

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_ACCOUNT = re.compile(r"[A-Za-z0-9]{1,20}([_-][A-Za-z0-9]{1,20})?", re.ASCII)
_SERVICES = "/services/rest"
_TOKEN_PATH = f"{_SERVICES}/auth/oauth2/v1/token"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS = 300
_RENEW_EARLY = 60.0


def services_url(account: str, base_url: str | None) -> str:
    """Return `https://<host>/services/rest` of an account, or of `base_url` where there is one.

    Raises:
        Misconfigured: the account id or the URL cannot be right.
    """
    if not _ACCOUNT.fullmatch(account.strip()):
        raise Misconfigured("NETSUITE_ACCOUNT must be an account id like 1234567 or 1234567_SB1")
    if base_url:
        return (
            checked_base_url(base_url, name="NETSUITE_BASE_URL").removesuffix(_SERVICES) + _SERVICES
        )
    host = account.strip().lower().replace("_", "-")
    return f"https://{host}.suitetalk.api.netsuite.com{_SERVICES}"


class Authenticator(ABC):
    """Signs requests. Safe to use from several threads."""

    @abstractmethod
    def headers(self) -> Mapping[str, str]:
        """Return the headers that authorise one request."""

    @abstractmethod
    def refused(self, headers: Mapping[str, str]) -> None:
        """Take note that NetSuite answered 401 to `headers`, so that the next ones differ."""

    @property
    @abstractmethod
    def requests_made(self) -> int:
        """How many requests this object has made itself."""


class OAuth2ClientCredentials(Authenticator):
    """OAuth 2.0 machine to machine: a signed assertion buys an access token of an hour.

    An RSA key signs with PS256, an EC P-256 key with ES256; RS256 is not accepted by NetSuite.
    """

    def __init__(
        self,
        *,
        account: str,
        base_url: str | None,
        client_id: str,
        certificate_id: str,
        private_key_pem: str,
        http: Http | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._token_url = services_url(account, base_url).removesuffix(_SERVICES) + _TOKEN_PATH
        self._client_id = client_id
        self._certificate_id = certificate_id
        self._pem = private_key_pem
        self._http = http or Http("NetSuite")
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = 0.0
        self._failure: SystemicFailure | None = None

    @property
    def requests_made(self) -> int:
        """How many tokens were asked for."""
        return self._http.requests_made

    def headers(self) -> Mapping[str, str]:
        """Return the bearer header, with a new token when the old one is about to end.

        Raises:
            Misconfigured: NetSuite refuses the credentials, or the key cannot be used.
            Unavailable: NetSuite does not answer.
        """
        known_failure = self._failure
        with self._lock:  # the others wait here for the one renewal
            if not self._token or self._clock() >= self._renew_at:
                if self._failure is not None and self._failure is not known_failure:
                    raise type(self._failure)(*self._failure.args)  # they share its failure too
                try:
                    self._renew()
                except SystemicFailure as failure:
                    self._failure = failure
                    raise
            return {"Authorization": f"Bearer {self._token}"}

    def refused(self, headers: Mapping[str, str]) -> None:
        """Forget the token in `headers`, unless another thread has renewed it already."""
        with self._lock:
            if headers.get("Authorization") == f"Bearer {self._token}":
                self._token = ""

    def _renew(self) -> None:
        asked_at = self._clock()
        answer = self._http.read(
            "asking NetSuite for an access token",
            "POST",
            self._token_url,
            form={
                "grant_type": "client_credentials",
                "client_assertion_type": _ASSERTION_TYPE,
                "client_assertion": self._assertion(int(asked_at)),
            },
            headers={"Accept": "application/json"},
        )
        self._token, life = _token_of(answer)
        self._renew_at = asked_at + max(life - _RENEW_EARLY, life / 2)

    def _assertion(self, now: int) -> str:
        import jwt

        key, algorithm = self._key()
        return jwt.encode(
            {
                "iss": self._client_id,
                "scope": ["rest_webservices"],
                "aud": self._token_url,
                "iat": now,
                "exp": now + _ASSERTION_SECONDS,
                "jti": str(uuid.uuid4()),
            },
            key,  # type: ignore[arg-type]  # _key() admits RSA and EC keys only
            algorithm=algorithm,
            headers={"kid": self._certificate_id},
        )

    def _key(self) -> "tuple[PrivateKeyTypes, str]":
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(self._pem.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise Misconfigured(
                "the NetSuite private key is not an unencrypted PEM private key"
            ) from None
        if isinstance(key, RSAPrivateKey):
            return key, "PS256"
        if isinstance(key, EllipticCurvePrivateKey) and key.curve.name == "secp256r1":
            return key, "ES256"
        raise Misconfigured("the NetSuite private key must be an RSA or an EC P-256 key")


def _token_of(answer: Answer) -> tuple[str, float]:
    document = answer.document if isinstance(answer.document, dict) else {}
    token, life = document.get("access_token"), document.get("expires_in", 3600)
    if answer.status == 200 and isinstance(token, str) and token:  # noqa: PLR2004
        return token, float(str(life)) if str(life).isdecimal() else 3600.0
    if 400 <= answer.status < 500:  # noqa: PLR2004
        code = document.get("error")
        known = (
            code if code in {"invalid_grant", "invalid_request", "invalid_client"} else "no code"
        )
        raise Misconfigured(
            f"NetSuite refuses the credentials ({answer.status}, {known}); check client id, "
            "certificate id, key, role and the clock of this machine"
        )
    raise Unavailable(
        f"NetSuite's token endpoint answered {answer.status}; a later run tries again"
    )
