"""What a fault makes of an answer (section 8, point 41). When one strikes is `faults.py`."""

from dataclasses import replace

from refund_pipeline.sandbox.netsuite.exchange import Answer, ErrorDetail, error_answer
from refund_pipeline.sandbox.netsuite.faults import Fault

_HTML = (("Content-Type", "text/html"),)
_OUTAGE_PAGE = b"<!DOCTYPE html><html><body><h1>Service Unavailable</h1></body></html>"
_GATEWAY_PAGE = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"
_MAINTENANCE_PAGE = (
    b"<!DOCTYPE html><html><body><h1>Your account is currently unavailable</h1>"
    b"<p>This is a scheduled maintenance.</p></body></html>"
)


def outage() -> Answer:
    """Return what everybody gets during an outage."""
    return Answer(503, _OUTAGE_PAGE, _HTML)


def maintenance() -> Answer:
    """Return a page of maintenance; what NetSuite answers then is not known (contract 5.5)."""
    return Answer(503, _MAINTENANCE_PAGE, _HTML)


def before_commit(fault: Fault) -> Answer | None:
    """Return the answer to a write that was not done, None for a reset connection."""
    match fault:
        case Fault.FAIL_BEFORE_COMMIT | Fault.FAIL_QUERY:
            return _unexpected()
        case Fault.GATEWAY_PAGE:
            return Answer(502, _GATEWAY_PAGE, _HTML)
        case Fault.CHANGED_MEANWHILE:
            detail = ErrorDetail(
                "Error while accessing a resource. Record has been changed.",
                "RCRD_HAS_BEEN_CHANGED",
            )
            return error_answer(400, [detail])
        case _:
            return None


def after_commit(fault: Fault | None, answer: Answer) -> Answer | None:
    """Return the answer to a write that was done, None for a reset connection."""
    match fault:
        case Fault.LOSE_ANSWER:
            return None
        case Fault.FAIL_AFTER_COMMIT:
            return _unexpected()
        case Fault.GATEWAY_PAGE_AFTER_COMMIT:
            return Answer(502, _GATEWAY_PAGE, _HTML)
        case Fault.REFUSE_BUT_CREATE:
            detail = ErrorDetail(
                "Error while accessing a resource. An error occurred in a later step.", "USER_ERROR"
            )
            return error_answer(400, [detail])
        case _:
            return answer


def spoiled(fault: Fault | None, answer: Answer) -> Answer:
    """Return an answer whose body is cut or missing."""
    match fault:
        case Fault.TRUNCATE:
            return replace(answer, body=answer.body[: len(answer.body) // 2])
        case Fault.EMPTY:
            return replace(answer, body=b"")
        case _:
            return answer


def _unexpected() -> Answer:
    detail = ErrorDetail(
        "An unexpected error occurred. Error ID: m1k2s3a4n5d6b7o8x9", "UNEXPECTED_ERROR"
    )
    return error_answer(500, [detail])
