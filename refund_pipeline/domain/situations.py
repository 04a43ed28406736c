"""The situations there are, each in the words a person reads; one function per kind.

What each means and what to do is a paragraph of docs/operations.md, "Alerts". A sentence holds ids,
counts, reasons and amounts only.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from refund_pipeline.domain.advice import REASON_ADVICE
from refund_pipeline.domain.alerts import Situation, length, moment
from refund_pipeline.domain.gates import GATE_REASONS
from refund_pipeline.domain.reasons import REASONS
from refund_pipeline.domain.standing import (
    FailedRun,
    Held,
    Named,
    Outstanding,
    SensorTicks,
    Standing,
)

LANDING = "landing"
SENSOR = "landing_sensor"
OUTSTANDING = "outstanding"
REJECTED = "rejected_lines"
HELD = "held"
GATE = "gate"
AGREEMENT = "reconciliation"
RUN = "run_failed"
SUBSCRIPTION = "subscription"
LEDGER = "ledger"
DAGSTER = "dagster"

OF_THE_LEDGER = frozenset({OUTSTANDING, REJECTED, HELD, GATE, AGREEMENT})
OF_DAGSTER = frozenset({SENSOR, RUN, SUBSCRIPTION})
_LONGEST_SENTENCE = 600


def of_the_ledger(standing: Standing, *, limit: timedelta, now: datetime) -> Iterator[Situation]:
    """Yield what the ledger shows; `limit` is how long a refund may be outstanding."""
    for held in standing.held:
        yield _gate(held) if held.reason in GATE_REASONS else _held(held)
    if standing.outstanding is not None:
        yield _outstanding(standing.outstanding, limit, now)
    if (lines := standing.rejected) is not None:
        yield Situation(
            REJECTED,
            f"{_counted(lines.count, 'landed line')} cannot be read",
            f"Since {moment(lines.since)}, in {_listed(lines)}. What they say is in no refund.",
            "error",
            lines.since,
            "Open the check nothing_rejected of the landing days named: it has the lines and what"
            " is wrong with each.",
            "rejected-lines",
            {"lines": lines.count, "landing_days": _days(lines.days)},
        )
    if (wrong := standing.different) is not None:
        yield Situation(
            f"{AGREEMENT}:different",
            f"Ledger and ERP differ in {_counted(wrong.count, 'refund')}",
            f"Read back from the ERP, these were missing or different: {_listed(wrong)}.",
            "error",
            wrong.since,
            "Open the records in the ERP: somebody changed or deleted them. Then run the days"
            " again.",
            "ledger-and-erp-differ",
            {"refunds": wrong.count, "landing_days": _days(wrong.days)},
        )
    if (extra := standing.unknown) is not None:
        yield Situation(
            f"{AGREEMENT}:unknown",
            f"The ERP has {_counted(extra.count, 'refund')} the ledger does not know",
            f"Records under our prefix that the ledger does not know: {_listed(extra)}.",
            "error",
            extra.since,
            "Open the records in the ERP: somebody made them, or the ledger is incomplete. Then"
            " compare the days again with refund-pipeline reconcile.",
            "ledger-and-erp-differ",
            {"records": extra.count, "landing_days": _days(extra.days)},
        )


def _held(held: Held) -> Situation:
    return Situation(
        f"{HELD}:{held.reason}",
        f"{_counted(held.count, 'refund')} held: {held.reason}",
        f"{_money(held)} wait for a person: {REASONS[held.reason]}.",
        "error",
        held.since,
        REASON_ADVICE[held.reason].to_do,
        "held-refunds",
        {"refunds": held.count, "reason": held.reason, "amount": _sums(held.amounts)},
    )


def _gate(held: Held) -> Situation:
    return Situation(
        f"{GATE}:{held.reason}",
        f"A gate holds {_counted(held.count, 'refund')} back: {held.reason}",
        f"{_money(held)} are not posted: {REASONS[held.reason]}.",
        "error",
        held.since,
        REASON_ADVICE[held.reason].to_do,
        "a-gate-is-closed",
        {"refunds": held.count, "reason": held.reason, "amount": _sums(held.amounts)},
    )


def _outstanding(late: Outstanding, limit: timedelta, now: datetime) -> Situation:
    where = ", ".join(f"{count} {status}" for status, count in sorted(late.by_status.items()))
    return Situation(
        OUTSTANDING,
        f"{_counted(late.count, 'refund')} not posted after {length(limit)}",
        f"They are still tried by themselves ({where}). The oldest, {late.oldest_id}, landed"
        f" {length(now - late.oldest_landed_at)} ago.",
        "error",
        late.oldest_landed_at + limit,
        "See in refund_status why: the column detail says what each waits for.",
        "refunds-outstanding-too-long",
        {"refunds": late.count, **late.by_status},
    )


def nothing_lands(
    last: datetime | None, *, since: datetime, limit: timedelta, unread: int, now: datetime
) -> Situation:
    """Say that no file has landed since `since`, or that files land and are not read.

    `last` is when the last file the ledger knows landed; `unread` files came to the bucket later.
    """
    if unread:
        return Situation(
            f"{LANDING}:unread",
            "Files land, but are not read",
            f"At least {unread} file(s) are in the bucket and not in the ledger; the last one read"
            f" landed at {moment(since)}.",
            "error",
            since,
            "Look at Dagster's queue and daemon: the sensor asks for runs, and none has read them.",
            "files-are-not-read",
            {"unread_files": unread},
        )
    begun = "No file has ever landed" if last is None else f"The last file landed {moment(last)}"
    return Situation(
        f"{LANDING}:silent",
        f"No file has landed for {length(now - since)}",
        f"{begun}. At this hour of the week it is usual for at most {length(limit)}.",
        "warning",
        since,
        "Ask whether the shops are closed. If not: refund-pipeline newstore subscription status,"
        " the export's credentials or the receiver; then replay the gap.",
        "no-file-has-landed",
        {"minutes": int((now - since).total_seconds() // 60)},
    )


def sensor_situation(ticks: SensorTicks, *, limit: timedelta, now: datetime) -> Situation | None:
    """Say that the landing sensor has not done its work for longer than `limit`, and why."""
    since = ticks.last_good or ticks.started
    if since is not None and now - since <= limit:
        return None
    runs, mend = _ticking(ticks, limit, now)
    since = since or now
    worked = f"It last worked {moment(since)}." if ticks.last_good else "It never worked."
    return Situation(
        SENSOR,
        "The landing sensor does not run",
        f"{runs} {worked} Nothing that lands is read by itself.",
        "error",
        since,
        mend,
        "the-landing-sensor-does-not-run",
        {"minutes": int((now - since).total_seconds() // 60)},
    )


def _ticking(ticks: SensorTicks, limit: timedelta, now: datetime) -> tuple[str, str]:
    if ticks.stopped:
        return "A person has stopped it.", "Start landing_bucket_sensor in Dagster's UI."
    if ticks.last is not None and now - ticks.last <= limit:
        return "It ticks, and every tick fails.", "Its ticks in Dagster's UI show the error."
    return (
        "Dagster does not evaluate it.",
        "See that dagster-daemon and the code server run, and restart them.",
    )


def run_situation(run: FailedRun) -> Situation:
    """Say that a run failed for good."""
    what = f"{run.job} of {run.partition}" if run.partition else run.job
    failed = f"Run {run.run_id[:8]} failed {moment(run.failed_at)}"
    failed += (
        "; Dagster was to try it again, and has not."
        if run.given_up
        else ", and Dagster does not try it again."
    )
    said = f" It said: {_short(run.why)}" if run.why else " Dagster's UI shows the error."
    return Situation(
        f"{RUN}:{run.job}:{run.partition}",
        f"A run failed for good: {what}",
        failed + said,
        "error",
        run.failed_at,
        "Mend what it says, and run the partition again; what is due is also asked for by"
        " outstanding_refunds_sensor.",
        "a-run-failed-for-good",
        {"run_id": run.run_id, "job": run.job, "partition": run.partition},
    )


def subscription_situation(run: FailedRun) -> Situation:
    """Say what the hourly watch of the event stream found."""
    return Situation(
        SUBSCRIPTION,
        "NewStore's event stream needs a look",
        _short(run.why)
        or f"The hourly watch failed (run {run.run_id[:8]}); Dagster's UI shows the error.",
        "error",
        run.failed_at,
        "Do what the sentence says; the replay brings what was not delivered meanwhile.",
        "the-event-stream",
        {"run_id": run.run_id},
    )


def ledger_unusable(why: str, *, now: datetime) -> Situation:
    """Say that the ledger cannot be used, so that nothing is read, posted or watched."""
    return Situation(
        LEDGER,
        "The ledger cannot be used",
        f"{_short(why)} No run can do anything, and nothing else is watched meanwhile.",
        "error",
        now,
        "Bring its database back. Runs go on by themselves.",
        "the-ledger-cannot-be-used",
    )


def dagster_unusable(why: str, *, now: datetime) -> Situation:
    """Say that Dagster's storage cannot be read."""
    return Situation(
        DAGSTER,
        "Dagster's storage cannot be read",
        f"{_short(why)} Runs and sensors are not watched meanwhile.",
        "error",
        now,
        "See that DAGSTER_HOME is right and its database runs.",
        "dagsters-storage-cannot-be-read",
    )


def _short(sentence: str) -> str:
    text = " ".join(sentence.split())
    return text if len(text) <= _LONGEST_SENTENCE else text[:_LONGEST_SENTENCE] + " …"


def _counted(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"


def _money(held: Held) -> str:
    return f"{_counted(held.count, 'refund')} ({_sums(held.amounts)})"


def _sums(amounts: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{amount} {currency}" for currency, amount in sorted(amounts.items()))


def _listed(named: Named) -> str:
    more = named.count - len(named.names)
    return ", ".join(named.names) + (f" and {more} more" if more > 0 else "")


def _days(days: Collection[date]) -> str:
    return ", ".join(day.isoformat() for day in sorted(days))
