"""JSON lines for log shippers: one per line of the history, written once it is committed.

No detail, note or name goes into a line: ids, statuses, reasons and times only.
"""

import json
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import TypeAlias

from refund_pipeline.domain.errors import Misconfigured

LOGGER = "refund_pipeline.status"


@dataclass(frozen=True, slots=True)
class StatusChange:
    """What one line of the history says, without its detail."""

    at: datetime
    refund_id: str
    order_id: str
    landing_day: date
    from_status: str | None
    to_status: str
    reason: str | None
    run_id: str


Listener: TypeAlias = Callable[[Sequence[StatusChange]], None]


class _StandardError(logging.Handler):
    """Writes to what `sys.stderr` is by then: Dagster captures that of a step."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            sys.stderr.write(f"{record.getMessage()}\n")  # one write, so that no line is torn
            sys.stderr.flush()
        except (OSError, ValueError):  # broken or closed: that ends no posting
            self.handleError(record)


_handler = _StandardError()


def listener(log_format: str) -> Listener | None:
    """Return what writes the lines REFUNDS_LOG_FORMAT asks for; None where it asks for none.

    Raises:
        Misconfigured: it is neither `text`, `json` nor empty.
    """
    match log_format.strip().lower():
        case "" | "text":
            return None
        case "json":
            logger = logging.getLogger(LOGGER)
            logger.setLevel(logging.INFO)
            logger.propagate = False
            logger.addHandler(_handler)  # the same one: adding it again changes nothing
            return _write
    raise Misconfigured("REFUNDS_LOG_FORMAT must be text (the default) or json")


def _write(changes: Sequence[StatusChange]) -> None:
    logger = logging.getLogger(LOGGER)
    for change in changes:
        logger.info("%s", line(change))


def line(change: StatusChange) -> str:
    """Write a change as JSON, in one line of ASCII."""
    return json.dumps(
        {
            "time": change.at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "event": "refund_status",
            "refund_id": change.refund_id,
            "order_id": change.order_id,
            "landing_day": change.landing_day.isoformat(),
            "from": change.from_status,
            "to": change.to_status,
            "reason": change.reason,
            "run_id": change.run_id or None,
        }
    )
