"""Asynchronous requests (contract 4.1): `Prefer: respond-async`, jobs, tasks, results.

A job runs once its delay has passed on the sandbox's clock, when the account is next asked
anything. Only here does `X-NetSuite-Idempotency-Key` do something.
"""

import itertools
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from refund_pipeline.sandbox.netsuite.exchange import (
    RESOURCE,
    Answer,
    ErrorDetail,
    Refusal,
    Request,
    error_answer,
    json_answer,
    not_allowed,
    read_query,
    refuse,
)

_KEY_HEADER = "x-netsuite-idempotency-key"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_PATH = "/services/rest/async/v1/job"
_SUCCESS = 300


@dataclass(slots=True)
class _Job:
    number: int
    request: Request
    submitted: datetime
    due: datetime
    result: Answer | None = None
    done: datetime | None = field(default=None)

    @property
    def failed(self) -> bool:
        return self.result is not None and self.result.status >= _SUCCESS


class AsyncJobs:
    """The jobs of one account; safe to use from any thread.

    `run` carries a request out as if it had been synchronous.
    `delay` is the seconds between a submission and its execution. `conflict_status` is what a
    repeated key is answered with: 400 in Oracle's sample, 409 in the field (contract 3.1).
    """

    def __init__(
        self, run: Callable[[Request], Answer], clock: Callable[[], datetime], address: str
    ) -> None:
        self.delay = 0.0
        self.conflict_status = 400
        self._run = run
        self._clock = clock
        self._address = f"{address}{_PATH}"
        self._numbers = itertools.count(1)
        self._jobs: dict[int, _Job] = {}
        self._by_key: dict[str, int] = {}
        self._lock = threading.RLock()

    def submit(self, request: Request) -> Answer:
        """Take a request in and answer 202 with the job's address.

        Raises:
            Refusal: for a key that is no UUID, or that was used before.
        """
        if request.headers.get("content-type", "").endswith("type=collection"):
            raise refuse(
                400, "INVALID_REQUEST", "The sandbox has no batches.", header="Content-Type"
            )
        key = request.headers.get(_KEY_HEADER)
        now = self._clock()
        headers = {name: value for name, value in request.headers.items() if name != "prefer"}
        with self._lock:
            if key is not None:
                self._require_unused(key)
            job = _Job(
                next(self._numbers),
                replace(request, headers=headers),
                submitted=now,
                due=now + timedelta(seconds=self.delay),
            )
            self._jobs[job.number] = job
            if key is not None:
                self._by_key[key.lower()] = job.number
        return Answer(
            202,
            headers=(
                ("Preference-Applied", "respond-async"),
                ("Location", f"{self._address}/{job.number}"),
            ),
            committed=True,
        )

    def run_due(self) -> None:
        """Carry out every job whose time has come."""
        now = self._clock()
        with self._lock:
            for job in self._jobs.values():
                if job.result is None and job.due <= now:
                    job.result = self._carry_out(job.request)
                    job.done = now

    def _carry_out(self, request: Request) -> Answer:
        try:
            return self._run(request)
        except Refusal as refusal:
            return refusal.answer()

    def handle(self, request: Request, parts: list[str]) -> Answer:
        """Answer a request whose path goes on with `parts` after `async/v1`."""
        if request.method != "GET":
            raise not_allowed(request, "GET")
        read_query(request, ())
        match parts:
            case ["job", number]:
                return self._show(self._job_body(self._find(number)))
            case ["job", number, "task"]:
                return self._tasks(self._find(number))
            case ["job", number, "task", "1"]:
                return self._show(self._task_body(self._find(number)))
            case ["job", number, "task", "1", "result"]:
                return self._result(self._find(number))
            case _:
                raise refuse(404, "NONEXISTENT_ID", "The requested resource was not found.")

    def _require_unused(self, key: str) -> None:
        if not _UUID.fullmatch(key):
            raise refuse(
                400, "INVALID_REQUEST", "The idempotency key is no UUID.", header=_KEY_HEADER
            )
        first = self._by_key.get(key.lower())
        if first is not None:
            detail = ErrorDetail("The idempotency key has been used before.", "IDEMPOTENCY_ERROR")
            headers = (("Location", f"{self._address}/{first}"),)
            raise Refusal(self.conflict_status, [detail], headers)

    def _find(self, number: str) -> _Job:
        job = self._jobs.get(int(number)) if number.isascii() and number.isdigit() else None
        if job is None:
            raise refuse(404, "NONEXISTENT_ID", "The job does not exist.")
        return job

    @staticmethod
    def _show(body: dict[str, object]) -> Answer:
        return json_answer(200, body, media_type=f"{RESOURCE}; type=singular")

    def _job_body(self, job: _Job) -> dict[str, object]:
        """Return the job: "succeeded" means that it ran, whatever became of its tasks."""
        here = f"{self._address}/{job.number}"
        return {
            "id": str(job.number),
            "completed": job.result is not None,
            "progress": "succeeded" if job.result is not None else "pending",
            "task": {"links": [_link("self", f"{here}/task")]},
            "links": [_link("self", here)],
        }

    def _tasks(self, job: _Job) -> Answer:
        link = _link("self", f"{self._address}/{job.number}/task/1")
        body = {"count": 1, "hasMore": False, "totalResults": 1, "items": [{"links": [link]}]}
        return json_answer(200, body, media_type=f"{RESOURCE}; type=collection")

    def _task_body(self, job: _Job) -> dict[str, object]:
        here = f"{self._address}/{job.number}/task/1"
        body: dict[str, object] = {
            "id": "1",
            "completed": job.result is not None,
            "progress": "pending",
            "startTime": job.submitted.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "links": [_link("self", here), _link("related", f"{here}/result")],
        }
        if job.done is not None:
            body["progress"] = "failed" if job.failed else "succeeded"
            body["endTime"] = job.done.strftime("%Y-%m-%dT%H:%M:%SZ")
        return body

    @staticmethod
    def _result(job: _Job) -> Answer:
        if job.result is None:
            return error_answer(404, [ErrorDetail("The task has not run yet.", "NONEXISTENT_ID")])
        return replace(job.result, committed=False)


def _link(relation: str, address: str) -> dict[str, str]:
    return {"rel": relation, "href": address}
