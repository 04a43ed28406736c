"""Token-based authentication: OAuth 1.0a without a dance, HMAC-SHA256 (contract 1.3).

oauthlib signs; it is imported with the first request. New integrations of this kind end with
NetSuite 2027.1 (contract 1.1).
"""

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from refund_pipeline.gateways.netsuite_auth import Authenticator, realm_of
from refund_pipeline.gateways.netsuite_circuit import Circuit

_NONCE_BYTES = 16


@dataclass(frozen=True, slots=True)
class TokenCredentials:
    """An integration's consumer key and a user's token for it, each with its secret."""

    consumer_key: str
    token_id: str
    consumer_secret: str = field(repr=False)
    token_secret: str = field(repr=False)


class TokenBasedAuthentication(Authenticator):
    """Signs every attempt anew: a nonce NetSuite has seen, or an old timestamp, is refused.

    A body that is not a form takes no part in the signature.
    """

    refused_hint = (
        "a fresh signature; check NETSUITE_ACCOUNT, consumer key and token id with their secrets, "
        "the integration, the token's role and user, and the clock of this machine (the reason is "
        "in NetSuite's Login Audit Trail)"
    )

    def __init__(
        self,
        credentials: TokenCredentials,
        *,
        account: str,
        circuit: Circuit | None = None,
        clock: Callable[[], float] = time.time,
        nonce: Callable[[], str] = lambda: secrets.token_hex(_NONCE_BYTES),
    ) -> None:
        super().__init__(circuit=circuit, clock=clock)
        self._credentials = credentials
        self._realm = realm_of(account)
        self._nonce = nonce
        # At DEBUG the library writes token ids, URLs and signatures into the log.
        logging.getLogger("oauthlib").setLevel(logging.INFO)

    @property
    def requests_made(self) -> int:
        """None: a signature costs no request."""
        return 0

    def headers(self, method: str, url: str) -> Mapping[str, str]:
        """Return the Authorization header of one attempt, its nonce and timestamp fresh."""
        from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, Client

        credentials = self._credentials
        client = Client(
            credentials.consumer_key,
            client_secret=credentials.consumer_secret,
            resource_owner_key=credentials.token_id,
            resource_owner_secret=credentials.token_secret,
            signature_method=SIGNATURE_HMAC_SHA256,
            realm=self._realm,
            nonce=self._nonce(),
            timestamp=str(int(self.clock())),
        )
        _, headers, _ = client.sign(url, http_method=method)
        return {"Authorization": headers["Authorization"]}

    def refused(self, headers: Mapping[str, str]) -> bool:
        """Return True: each signature is another login."""
        del headers
        return True
