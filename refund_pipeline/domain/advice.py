"""What each status and reason means, what to do about it, and how to see that it worked.

The one place for these words: shell, Dagster's pages, alerts and docs/operations.md say the same.
`REFUND` and `DAY` in a command stand for the refund's id and landing day, `WHY` for a note.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType

from refund_pipeline.domain.alerts import length
from refund_pipeline.domain.reasons import HANDLED_BY_HAND, REASONS
from refund_pipeline.domain.retry_policy import LONGEST_WAIT
from refund_pipeline.domain.statuses import OUTSTANDING


@dataclass(frozen=True, slots=True)
class Advice:
    """Sentences for the person who looks; commands stand in backticks."""

    means: str
    to_do: str
    worked: str = ""
    """How to see that it worked; empty for a status."""

    def about(self, refund_id: str, landing_day: date) -> str:
        """Return what to do about one refund, with its id and landing day in the commands."""
        return self.to_do.replace("REFUND", refund_id).replace("DAY", landing_day.isoformat())


_POSTED = "It becomes `posted`."
_SKIP = "`refund-pipeline resolve REFUND --action skip --note WHY`"
_BY_HAND = f"book it by hand and say so: {_SKIP}"
_RETRY = "`refund-pipeline retry REFUND`"
_STANDALONE = "`refund-pipeline resolve REFUND --action standalone --note WHY`"
_NOTHING = "Nothing."


def _again(reason: str) -> str:
    return f"`refund-pipeline retry --reason {reason}`"


def _on(reason: str, to_do: str, worked: str = _POSTED) -> tuple[str, Advice]:
    return reason, Advice(REASONS[reason], to_do, worked)


def _row(reason: str, of: str) -> str:
    return f"Add the row that the detail names to the mapping{of}, then {_again(reason)}."


_LATE = (
    "Nothing: it is tried again by itself, after a minute at first, hourly later, for as long as it"
    " takes."
)

_REASONS = (
    _on(
        "conflicting_event",
        "Ask NewStore which of the two events is right: the detail names file and line of the"
        f" second. Then {_BY_HAND}.",
        "It becomes `skipped` (`handled_by_hand`).",
    ),
    _on(
        "ambiguous_payments",
        "Look at the order's payments in NewStore. Once they are clear there,"
        f" {_RETRY}; if they stay as they are, {_BY_HAND}.",
    ),
    _on(
        "currency_mismatch",
        "Compare event, order and payments in NewStore with the sale in NetSuite. Correct what is"
        f" wrong, then {_RETRY}; if nothing is, {_BY_HAND}.",
    ),
    _on(
        "overpaid",
        "Look at the order's payments in NewStore: more went back than was asked for. Once that is"
        f" cleared up there, {_RETRY}; else {_BY_HAND}.",
    ),
    _on(
        "refund_failed",
        "Ask NewStore whether the customer got the money. Once the refund request shows as"
        f" succeeded, {_RETRY}; if no money went back, {_SKIP}.",
        "It becomes `posted`, or `skipped` (`handled_by_hand`).",
    ),
    _on(
        "exchange_refund",
        "Decide whether refunds of exchanges are posted: set `policies.exchange: match` in the"
        f" mapping, then {_again('exchange_refund')}; else {_BY_HAND}.",
    ),
    _on(
        "fiscal_in_store",
        "Decide with the store's tax advisor. If such refunds may be posted, set"
        " `policies.fiscal_in_store: post` in the mapping, then"
        f" {_again('fiscal_in_store')}; else {_BY_HAND}.",
    ),
    _on(
        "unmapped_tender",
        f"{_row('unmapped_tender', ', under `tenders`')} Or book this one by the row of another"
        " tender: `refund-pipeline resolve REFUND --action tender --tender cash --note WHY`.",
    ),
    _on("unmapped_currency", _row("unmapped_currency", ", under `currencies`")),
    _on("unmapped_store", _row("unmapped_store", ", under `stores` or `web`")),
    _on(
        "ambiguous_origin",
        "Open the sales that the detail names in NetSuite. Void or correct the one that should not"
        f" be there, then {_RETRY}; if all are right, post it without its sale: {_STANDALONE}.",
    ),
    _on(
        "subsidiary_mismatch",
        "Open the sale that the detail names in NetSuite. Correct the sale, or the store's row in"
        f" the mapping, then {_again('subsidiary_mismatch')}; if both are right, post it without"
        f" its sale: {_STANDALONE}.",
    ),
    _on(
        "exceeds_sale",
        "Look at the order's refunds in NewStore and NetSuite: one of them is too much, or the sale"
        f" is not whole. Correct that, then {_RETRY}; else {_BY_HAND}.",
    ),
    _on(
        "closed_period",
        "Reopen the period in NetSuite, or set `policies.closed_period: current_date` in the"
        f" mapping, then {_again('closed_period')}.",
    ),
    _on(
        "over_max_amount",
        "Check that the amount is right, then"
        " `refund-pipeline resolve REFUND --action release --note WHY`.",
    ),
    _on(
        "daily_gate",
        "Look why the day has so many refunds, then release the day:"
        " `refund-pipeline release --day DAY --note WHY`.",
    ),
    _on(
        "posting_stopped",
        "Once posting may go on, set `gates.stop_posting: false` in the mapping, then"
        f" {_again('posting_stopped')}.",
    ),
    _on(
        "conflicting_erp_record",
        "Compare the record that the detail names with the refund. Once it is corrected or gone,"
        f" {_RETRY}; if it is right as it is, {_SKIP}.",
        "It becomes `posted`, or `skipped` (`handled_by_hand`).",
    ),
    _on(
        "refused_by_erp",
        "The detail has NetSuite's codes. Correct the mapping or NetSuite, then"
        f" {_RETRY}; it is looked up before it is written again.",
    ),
    _on("belongs_to_return", _NOTHING, "The return is booked by whatever books returns."),
    _on(
        "historical",
        "Nothing. If such refunds are to be posted: `policies.historical: post` in the mapping,"
        " then run the day again.",
        "It stays `skipped`, or becomes `posted`.",
    ),
    _on(
        HANDLED_BY_HAND,
        "Nothing. If that was a mistake:"
        " `refund-pipeline resolve REFUND --action reopen --note WHY`.",
        "It stays `skipped`; reopened, it becomes `landed` and goes on.",
    ),
    _on(
        "payments_incomplete",
        f"{_LATE} After a day, see in the order's payments in NewStore whether the money went"
        " back.",
    ),
    _on(
        "origin_missing",
        f"{_LATE} After a day, see why the order's sale is not in NetSuite; it can be posted"
        f" without: {_STANDALONE}.",
    ),
    _on(
        "erp_uncertain",
        "Nothing: the next attempt looks for the record, and writes it again only if it is surely"
        " not there.",
    ),
    _on(
        "erp_unavailable",
        "Nothing: it is tried again by itself. If it goes on, see whether NetSuite is up and its"
        " credentials are accepted: `refund-pipeline doctor`.",
    ),
)

_STATUSES = {
    "landed": Advice(
        "it has landed, and no run has looked at it yet",
        "Nothing: `outstanding_refunds_sensor` asks for a run of its day within a minute. Without"
        " sensors, run the day.",
    ),
    "awaiting_payment": Advice("NewStore does not show the whole amount yet", _LATE),
    "awaiting_origin": Advice("the sale it refunds is not in the ERP yet", _LATE),
    "ready": Advice(
        "its transaction is built and balanced, and not posted yet",
        "Nothing: the day's next run posts it. What it would post:"
        " `refund-pipeline plan --refund REFUND`.",
    ),
    "uncertain": Advice(
        "a write to the ERP was begun, and whether it came in is not known yet",
        "Nothing: it is looked up by itself, and never written twice.",
    ),
    "posted": Advice(
        "it is in the ERP; `erp_id` is the record's internal id",
        "Nothing. What is wrong with it is corrected in the ERP.",
    ),
    "held": Advice(
        "it does not fit, and nothing happens by itself; reason and detail say why",
        "What its reason says.",
    ),
    "skipped": Advice(
        "it is not ours to post: imported, part of a return, or handled by hand",
        _NOTHING,
    ),
}

REASON_ADVICE: Mapping[str, Advice] = MappingProxyType(dict(_REASONS))
STATUS_ADVICE: Mapping[str, Advice] = MappingProxyType(dict(_STATUSES))


def advice(status: str, reason: str | None) -> Advice:
    """Return what is known of a refund's reason, else of its status."""
    return STATUS_ADVICE[status] if reason is None else REASON_ADVICE[reason]


def runbook(reason: str | None) -> str:
    """Return the anchor of its section in docs/operations.md."""
    return reason or "statuses"


def happens_by_itself(
    status: str, next_attempt_at: datetime | None, *, now: datetime
) -> str | None:
    """Say what happens without anybody, and when; None where nothing does."""
    if status not in OUTSTANDING:
        return None
    if next_attempt_at is None or next_attempt_at > now + LONGEST_WAIT:
        return "with the next run of its day, which the sensor asks for within a minute"
    if next_attempt_at <= now:
        return "due now, with the next run of its day"
    return f"next attempt at {next_attempt_at:%H:%M} UTC, in {length(next_attempt_at - now)}"
