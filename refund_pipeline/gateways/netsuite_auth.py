"""How requests to NetSuite prove who sends them: the account's names, signing, and the answer 401.

The two ways to sign are `netsuite_oauth2.py` and `netsuite_tba.py` (contract 1); when refused
credentials are not sent any more is `netsuite_circuit.py`.
"""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.gateways.http import Answer, Sign, checked_base_url, http_date
from refund_pipeline.gateways.netsuite_circuit import Circuit

SERVICES = "/services/rest"
_ACCOUNT = re.compile(r"[A-Za-z0-9]{1,20}([_-][A-Za-z0-9]{1,20})?", re.ASCII)
_UNAUTHORISED = 401
_LET_IN = (set(range(200, 300)) | set(range(400, 500))) - {_UNAUTHORISED, 429}
"""Answers NetSuite gives to whom it knows; it may block, redirect or fail before it looks."""
_MOST_SKEW = 60.0
"""Seconds between two clocks that are worth a word; NetSuite itself allows five minutes at most."""


def services_url(account: str, base_url: str | None) -> str:
    """Return `https://<host>/services/rest` of an account, or of `base_url` where there is one.

    Raises:
        Misconfigured: the account id or the URL cannot be right.
    """
    host = _checked_account(account).lower().replace("_", "-")
    if base_url:
        return (
            checked_base_url(base_url, name="NETSUITE_BASE_URL").removesuffix(SERVICES) + SERVICES
        )
    return f"https://{host}.suitetalk.api.netsuite.com{SERVICES}"


def realm_of(account: str) -> str:
    """Return an account as NetSuite's pages spell it, `1234567_SB1`, from either spelling.

    Raises:
        Misconfigured: it is not an account id.
    """
    return _checked_account(account).upper().replace("-", "_")


class Authenticator(ABC):
    """Signs requests and decides what a 401 means. Safe to use from several threads."""

    refused_hint: str
    """What was refused and what to look at, for the message of a second 401."""

    def __init__(
        self, *, circuit: Circuit | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.circuit = circuit or Circuit()
        self.clock = clock

    @abstractmethod
    def headers(self, method: str, url: str) -> Mapping[str, str]:
        """Return the headers that authorise one attempt at `url`, its query included."""

    @abstractmethod
    def refused(self, headers: Mapping[str, str]) -> bool:
        """Take note of a 401 to `headers`; return whether NetSuite refused them for the first time.

        The next headers differ from these.
        """

    @property
    @abstractmethod
    def requests_made(self) -> int:
        """How many requests this object has made itself."""

    def send(self, once: Callable[[Sign], Answer], *, attempts: int = 2) -> Answer:
        """Let `once` send a request, signed by what it is given; after a 401 once more, then stop.

        401 means that nothing was executed, so a write may be sent again too. With one attempt, a
        check of the credentials costs one of the refusals that lock the user.

        Raises:
            Misconfigured: NetSuite refuses the credentials; too many refusals close the circuit.
            Unavailable: what signing needs does not answer.
        """
        answer = self._attempt(once)
        if answer.status == _UNAUTHORISED and attempts > 1:
            answer = self._attempt(once)
        if answer.status == _UNAUTHORISED:
            raise Misconfigured(
                f"NetSuite refuses {self.refused_hint}{clock_difference(answer, self.clock())}"
            )
        return answer

    def _attempt(self, once: Callable[[Sign], Answer]) -> Answer:
        signed: Mapping[str, str] = {}

        def _sign(method: str, url: str) -> Mapping[str, str]:
            nonlocal signed
            self.circuit.check()
            signed = self.headers(method, url)
            return signed

        with self.circuit.passage():
            answer = once(_sign)
            if answer.status == _UNAUTHORISED:
                if self.refused(signed):
                    self.circuit.refused()
            elif answer.status in _LET_IN:
                self.circuit.accepted()
        return answer


def clock_difference(answer: Answer, now: float) -> str:
    """Say by how much this machine's clock differs from the `Date` of an answer; mostly nothing."""
    answered = http_date(answer.headers.get("Date", ""))
    if answered is None:
        return ""
    skew = now - answered.timestamp()
    if abs(skew) < _MOST_SKEW:
        return ""
    return (
        f"; the clock of this machine is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} "
        "NetSuite's: set it"
    )


def _checked_account(account: str) -> str:
    """Let only an account id into a host name: anything else could lead credentials elsewhere."""
    if not _ACCOUNT.fullmatch(account.strip()):
        raise Misconfigured("NETSUITE_ACCOUNT must be an account id like 1234567 or 1234567_SB1")
    return account.strip()
