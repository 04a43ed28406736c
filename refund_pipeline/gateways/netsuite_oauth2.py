"""OAuth 2.0 machine to machine: a signed assertion buys an access token (contract 1.4).

The token is cached, renewed a minute early, and by one thread for all. PyJWT and cryptography are
imported when the first token is asked for.
"""

import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from refund_pipeline.domain.errors import Misconfigured, SystemicFailure, Unavailable
from refund_pipeline.gateways.http import Answer, Http
from refund_pipeline.gateways.netsuite_auth import (
    SERVICES,
    Authenticator,
    clock_difference,
    services_url,
)
from refund_pipeline.gateways.netsuite_circuit import Circuit

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_TOKEN_PATH = f"{SERVICES}/auth/oauth2/v1/token"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS = 300
_BACKDATED_SECONDS = 30
"""A clock a few seconds fast must not make an assertion that comes from NetSuite's future."""
_RENEW_EARLY = 60.0
_SHORTEST_RSA = 3072
_EC_ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_KNOWN_ERRORS = frozenset({"invalid_grant", "invalid_request", "invalid_client"})
_TOKEN = re.compile(r"[\x21-\x7e]+")
"""What can stand in a header."""
_OK = 200


class OAuth2ClientCredentials(Authenticator):
    """One integration's certificate: an RSA key signs with PS256, an EC key with its ES algorithm.

    RS256 is not accepted by NetSuite.
    """

    refused_hint = "a fresh access token; check the integration, its role and its user"

    def __init__(
        self,
        *,
        account: str,
        base_url: str | None,
        client_id: str,
        certificate_id: str,
        private_key_pem: str,
        http: Http | None = None,
        circuit: Circuit | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(circuit=circuit, clock=clock)
        self._token_url = services_url(account, base_url).removesuffix(SERVICES) + _TOKEN_PATH
        self._client_id = client_id
        self._certificate_id = certificate_id
        self._pem = private_key_pem
        self._http = http or Http("NetSuite")
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = 0.0
        self._failure: SystemicFailure | None = None

    @property
    def requests_made(self) -> int:
        """How many tokens were asked for."""
        return self._http.requests_made

    def headers(self, method: str, url: str) -> Mapping[str, str]:
        """Return the bearer header, with a new token when the old one is about to end.

        Raises:
            Misconfigured: NetSuite refuses the credentials, or the key cannot be used.
            Unavailable: NetSuite does not answer.
        """
        del method, url  # a token is good for any request
        known_failure = self._failure
        with self._lock:  # the others wait here for the one renewal
            if not self._token or self.clock() >= self._renew_at:
                if self._failure is not None and self._failure is not known_failure:
                    raise type(self._failure)(*self._failure.args)  # they share its failure too
                try:
                    self._renew()
                except SystemicFailure as failure:
                    self._failure = failure
                    raise
            return {"Authorization": f"Bearer {self._token}"}

    def refused(self, headers: Mapping[str, str]) -> bool:
        """Forget the token in `headers`, unless another thread has renewed it already."""
        with self._lock:
            current = headers.get("Authorization") == f"Bearer {self._token}"
            if current:
                self._token = ""
            return current

    def _renew(self) -> None:
        asked_at = self.clock()
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
        try:
            self._token, life = _token_of(answer)
        except Misconfigured as refusal:
            self.circuit.refused()
            raise Misconfigured(f"{refusal}{clock_difference(answer, self.clock())}") from None
        self._renew_at = asked_at + max(life - _RENEW_EARLY, life / 2)

    def _assertion(self, now: int) -> str:
        import jwt

        key, algorithm = self._key()
        issued_at = now - _BACKDATED_SECONDS
        return jwt.encode(
            {
                "iss": self._client_id,
                "scope": ["rest_webservices"],
                "aud": self._token_url,
                "iat": issued_at,
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
            if key.key_size < _SHORTEST_RSA:
                raise Misconfigured(
                    f"the NetSuite private key is an RSA key of {key.key_size} bits; NetSuite "
                    "takes certificates of 3072 or 4096 bits, or EC keys"
                )
            return key, "PS256"
        if isinstance(key, EllipticCurvePrivateKey) and key.curve.name in _EC_ALGORITHMS:
            return key, _EC_ALGORITHMS[key.curve.name]
        raise Misconfigured(
            "the NetSuite private key must be an RSA key or an EC key on P-256, P-384 or P-521"
        )


def _token_of(answer: Answer) -> tuple[str, float]:
    document = answer.document if isinstance(answer.document, dict) else {}
    token, life = document.get("access_token"), document.get("expires_in", 3600)
    if answer.status == _OK and isinstance(token, str) and _TOKEN.fullmatch(token):
        return token, float(str(life)) if str(life).isdecimal() else 3600.0
    if 400 <= answer.status < 500:  # noqa: PLR2004
        error = document.get("error")
        code = error if isinstance(error, str) and error in _KNOWN_ERRORS else "no code"
        raise Misconfigured(
            f"NetSuite refuses the credentials ({answer.status}, {code}); check client id, "
            "certificate id, key, role and the clock of this machine"
        )
    raise Unavailable(
        f"NetSuite's token endpoint answered {answer.status}; a later run tries again"
    )
