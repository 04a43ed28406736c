"""NewStore's access token: OAuth 2.0 client credentials, cached, renewed before it ends.

One thread asks while the others wait for its answer. Sending a request is the caller's business.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from refund_pipeline.domain.errors import SystemicFailure

_LONGEST_MARGIN = 60.0
_MARGIN_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; it ends `expires_in` seconds after it was asked for."""

    value: str = field(repr=False)
    expires_in: float


class TokenCache:
    """One token for all threads."""

    def __init__(
        self, fetch: Callable[[], Token], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._failure: SystemicFailure | None = None
        self._renew_at = 0.0

    def current(self, *, refused: str | None = None) -> str:
        """Return a token that is good for a while, and not the one the API has `refused`.

        Raises:
            Unavailable, Misconfigured: there is none; who waited meanwhile shares that answer.
        """
        known_failure = self._failure
        with self._lock:
            token = self._token
            if token is None or token.value == refused or self._monotonic() >= self._renew_at:
                if self._failure is not None and self._failure is not known_failure:
                    raise type(self._failure)(*self._failure.args)
                token = self._renew()
            return token.value

    def _renew(self) -> Token:
        asked_at = self._monotonic()
        try:
            token = self._fetch()
        except SystemicFailure as failure:
            self._failure = failure
            raise
        margin = min(_LONGEST_MARGIN, token.expires_in * _MARGIN_SHARE)
        self._token = token
        self._renew_at = asked_at + token.expires_in - margin
        return token
