"""Concurrency governance (contract 5.4): one pool for all integrations, and the 429 above it.

Counting is the audit's; waiting is the front's.
"""

from dataclasses import dataclass
from enum import Enum

from refund_pipeline.sandbox.netsuite.exchange import (
    RESOURCE,
    Answer,
    ErrorDetail,
    Request,
    error_answer,
    json_answer,
    not_allowed,
    read_query,
)
from refund_pipeline.sandbox.netsuite.role import Role, forbidden

_MESSAGE = "Concurrent request limit exceeded. Request blocked."
_CODE = "CONCURRENCY_LIMIT_EXCEEDED"
_AS_PRINTED = (
    '{"type":"https://www.rfc-editor.org/rfc/rfc9110.html#section-15.5.1","title":"Bad Request",'
    f'"status":429,"o:errorDetails":[{{"detail":"{_MESSAGE}","o:errorCode":"{_CODE}"}}]'
)


class Tier(Enum):
    """A service tier, with the requests its account may have in flight (contract 5.4)."""

    STANDARD = "standard"
    PREMIUM = "premium"
    ENTERPRISE = "enterprise"
    ULTIMATE = "ultimate"


_BASE = {Tier.STANDARD: 5, Tier.PREMIUM: 15, Tier.ENTERPRISE: 20, Tier.ULTIMATE: 20}
_PER_LICENCE = 10


def pool_of(tier: Tier, licences: int = 0) -> int:
    """Return the limit of an account with so many SuiteCloud Plus licences."""
    return _BASE[tier] + _PER_LICENCE * licences


class Blocked(Enum):
    """The shape of the answer to a request above the limit (contract 5.2).

    AS_PRINTED is Oracle's own sample, which is no JSON; RESTLET is how RESTlets say it.
    """

    JSON = "json"
    AS_PRINTED = "as_printed"
    RESTLET = "restlet"


@dataclass(slots=True)
class Governance:
    """Limits of one account.

    `others` is how many requests of other integrations are under way at any moment. Of the pool
    `integration_limit` is what this integration may use, None: whatever is left.
    """

    account_limit: int
    integration_limit: int | None = None
    others: int = 0
    retry_after: int | None = None
    blocked: Blocked = Blocked.JSON

    def admits(self, in_flight: int) -> bool:
        """Say whether a request that makes it `in_flight` of ours may run."""
        if self.integration_limit is not None and in_flight > self.integration_limit:
            return False
        return in_flight + self.others <= self.account_limit

    def refusal(self) -> Answer:
        """Return the answer to a request that may not run; nothing of it is executed."""
        headers = () if self.retry_after is None else (("Retry-After", str(self.retry_after)),)
        match self.blocked:
            case Blocked.JSON:
                return error_answer(429, [ErrorDetail(_MESSAGE, _CODE)], headers)
            case Blocked.AS_PRINTED:
                media_type = ("Content-Type", f"{RESOURCE}; type=error")
                return Answer(429, _AS_PRINTED.encode(), (media_type, *headers))
            case Blocked.RESTLET:
                detail = ErrorDetail(_MESSAGE, "SSS_REQUEST_LIMIT_EXCEEDED")
                return error_answer(400, [detail], headers)

    def limits(self, request: Request, role: Role) -> Answer:
        """Answer `GET /services/rest/system/v1/governanceLimits`, for administrators only."""
        if request.method != "GET":
            raise not_allowed(request, "GET")
        if not role.administrator:
            raise forbidden("Administrator")
        read_query(request, ())
        allocated = self.integration_limit or 0
        body = {
            "accountConcurrencyLimit": self.account_limit,
            "accountUnallocatedConcurrencyLimit": self.account_limit - allocated,
            "integrationConcurrencyLimit": self.integration_limit,
            "integrationLimitType": "integrationSpecific" if allocated else "accountSpecific",
        }
        return json_answer(200, body, media_type="application/json")
