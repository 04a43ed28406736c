"""Which service answers which path under `/services/rest/` (contract 2.1)."""

from collections.abc import Callable
from datetime import datetime

from refund_pipeline.sandbox.netsuite.async_jobs import AsyncJobs
from refund_pipeline.sandbox.netsuite.exchange import Answer, Request, refuse
from refund_pipeline.sandbox.netsuite.governance import Governance
from refund_pipeline.sandbox.netsuite.record_service import RecordService
from refund_pipeline.sandbox.netsuite.role import Role
from refund_pipeline.sandbox.netsuite.suiteql import SuiteQlService

_ROOT = "/services/rest/"
_WRITES = ("POST", "PUT", "PATCH", "DELETE")


def _parts(request: Request) -> list[str]:
    return request.path.removeprefix(_ROOT).split("/")


def is_write(request: Request) -> bool:
    """Say whether a request may change a record."""
    return _parts(request)[:2] == ["record", "v1"] and request.method in _WRITES


def is_query(request: Request) -> bool:
    """Say whether a request is a SuiteQL query."""
    return _parts(request) == ["query", "v1", "suiteql"]


class Services:
    """The services of one account, at one address."""

    def __init__(
        self,
        *,
        records: RecordService,
        suiteql: SuiteQlService,
        governance: Governance,
        role: Role,
        clock: Callable[[], datetime],
        address: str,
    ) -> None:
        self.jobs = AsyncJobs(self._record, clock, address)
        self._records = records
        self._suiteql = suiteql
        self._governance = governance
        self._role = role
        self._address = address

    def answer(self, request: Request) -> Answer:
        """Answer a request that may pass.

        Raises:
            Refusal: with the error to answer.
        """
        self.jobs.run_due()
        parts = _parts(request)
        if parts[:2] == ["system", "v1"] and parts[2:] == ["governanceLimits"]:
            return self._governance.limits(request, self._role)
        self._role.require_rest()
        match parts:
            case ["record", "v1", *_]:
                if "respond-async" in request.headers.get("prefer", "").lower():
                    return self.jobs.submit(request)
                return self._record(request)
            case ["async", "v1", *rest]:
                return self.jobs.handle(request, rest)
            case ["query", "v1", "suiteql"]:
                return self._suiteql.handle(request, address=f"{self._address}{request.path}")
            case _:
                raise refuse(404, "NONEXISTENT_ID", "The requested resource was not found.")

    def _record(self, request: Request) -> Answer:
        return self._records.handle(request, _parts(request)[2:])
