"""Carry out what a person decides about refunds: a plan first, then the decision.

The same for the shell and for the job in Dagster's UI. Which decision fits is
`domain/resolutions.py`; the ledger looks at it again when it writes, so a plan may be as old as a
person takes to say yes.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import Enum

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.events import canonical_id
from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.domain.reasons import HANDLED_BY_HAND, REASONS
from refund_pipeline.domain.resolutions import (
    ACTIONS,
    Decision,
    InvalidDecision,
    TenderChoice,
    choices_of,
    decided,
    needs_look_up,
)
from refund_pipeline.domain.statuses import OUTSTANDING
from refund_pipeline.gateways.erp import Erp
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import RefundStatus, ResolutionWork
from refund_pipeline.steps.look_ups import WRITE_IS_OVER_AFTER, Found, look_up

_UNCLEAR = frozenset({"intended", "uncertain"})
_MOST = 1_000_000


class Verdict(str, Enum):
    """What deciding about one refund would come to."""

    DO = "do"
    NOTHING = "nothing to do"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class Planned:
    """One refund of a plan; `what` says what happens to it, or why nothing does."""

    refund_id: str
    standing: RefundStatus | None
    verdict: Verdict
    what: str
    tenders: tuple[TenderChoice, ...] = ()
    looked_up: int | None = None
    """How often it had been written when the ERP was asked for it; None where it was not."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a decision would do, refund by refund, oldest landing day first."""

    decision: Decision
    items: tuple[Planned, ...]

    def having(self, verdict: Verdict) -> list[Planned]:
        """Return the items of one verdict."""
        return [item for item in self.items if item.verdict is verdict]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What became of a plan; `overtaken` moved on between plan and decision, and were left."""

    done: tuple[Planned, ...]
    overtaken: tuple[Planned, ...]

    @property
    def days(self) -> list[date]:
        """The landing days whose next run carries on."""
        return sorted({item.standing.landing_day for item in self.done if item.standing})


@dataclass(frozen=True, slots=True)
class Places:
    """Where a decision is looked up and written; mapping and ERP are opened when first needed."""

    ledger: Ledger
    mapping: Callable[[], RefundMapping]
    erp: Callable[[], Erp]
    now: Callable[[], datetime]


def refunds_with(ledger: Ledger, *, reason: str, since: date | None) -> list[str]:
    """Return the ids of refunds that are not posted for this reason, landed on `since` or later.

    Raises:
        InvalidDecision: there is no such reason.
    """
    if reason not in REASONS:
        raise InvalidDecision(f"{reason!r} is no reason; docs/operations.md lists them")
    open_refunds = ledger.refunds(statuses=OUTSTANDING | {"held"}, limit=_MOST)
    return [
        row.refund_id
        for row in open_refunds
        if row.reason == reason and (since is None or row.landing_day >= since)
    ]


def plan_resolution(
    refund_ids: Collection[str],
    decision: Decision,
    *,
    places: Places,
    tenders: Sequence[str] = (),
) -> Plan:
    """Say what `decision` would do to these refunds; nothing is changed.

    `tenders` are `TENDER` or `PAID=TENDER`, for the action tender only. The ERP is asked for those
    a write was begun for, where the action needs to know that nothing came of it.

    Raises:
        InvalidDecision: `tenders` do not belong to the action, or are missing.
        Unavailable, Misconfigured, InvalidMapping: ledger, mapping or ERP cannot be used.
    """
    if bool(tenders) != (decision.action is Action.TENDER):
        raise InvalidDecision("the action tender, and no other, says which tender to book as")
    wanted = sorted({canonical_id(refund_id.strip()) for refund_id in refund_ids})
    planning = _Planning(decision.action, tuple(tenders), places)
    works = places.ledger.refunds_to_resolve(wanted)
    items = planning.items(works)
    known = {work.standing.refund_id for work in works}
    unknown = [
        Planned(name, None, Verdict.IMPOSSIBLE, "is not in the ledger: it has not landed")
        for name in wanted
        if name not in known
    ]
    return Plan(decision, (*items, *unknown))


def carry_out(plan: Plan, ledger: Ledger) -> Resolved:
    """Decide as planned, in one transaction; what has moved on since is left alone."""
    chosen = plan.having(Verdict.DO)
    done = set(
        ledger.resolve(
            [item.refund_id for item in chosen],
            plan.decision,
            tenders={item.refund_id: item.tenders for item in chosen},
            looked_up={
                item.refund_id: item.looked_up for item in chosen if item.looked_up is not None
            },
        )
    )
    return Resolved(
        done=tuple(item for item in chosen if item.refund_id in done),
        overtaken=tuple(item for item in chosen if item.refund_id not in done),
    )


@dataclass(frozen=True, slots=True)
class _Planning:
    """The plan of one decision, refund by refund."""

    action: Action
    tenders: tuple[str, ...]
    places: Places

    def items(self, works: Sequence[ResolutionWork]) -> list[Planned]:
        """Return one item per refund."""
        planned = [self._judged(work) for work in works]
        written = [
            work
            for work, item in zip(works, planned, strict=True)
            if item.verdict is Verdict.DO
            and needs_look_up(self.action, work.standing.reason, work.posting_state)
        ]
        if not written:
            return planned
        found = look_up(
            written,
            erp=self.places.erp(),
            refund_id_field=self.places.mapping().custom_fields.refund_id,
        )
        asked = {work.standing.refund_id: work for work in written}
        return [
            self._after_look_up(item, asked[item.refund_id], found.get(item.refund_id))
            if item.refund_id in asked
            else item
            for item in planned
        ]

    def _judged(self, work: ResolutionWork) -> Planned:
        """Judge by what the ledger and the mapping say."""
        standing = work.standing
        tenders: tuple[TenderChoice, ...] = ()
        if standing.status == "posted":
            problem: str | None = f"is posted as record {standing.erp_id}: correct it in the ERP"
        else:
            tenders, problem = self._choices(work)
        if problem is not None:
            return Planned(standing.refund_id, standing, Verdict.IMPOSSIBLE, problem)
        idle = self._already(work, tenders)
        if idle is not None:
            return Planned(standing.refund_id, standing, Verdict.NOTHING, idle)
        problem = self._objection(work)
        if problem is not None:
            return Planned(standing.refund_id, standing, Verdict.IMPOSSIBLE, problem)
        effect = _EFFECTS[self.action] + ", ".join(map(str, tenders))
        if self.action is Action.RETRY and work.posting_state in _UNCLEAR:
            effect = "the next run looks it up; it is not written again before that"
        return Planned(standing.refund_id, standing, Verdict.DO, effect, tenders)

    def _choices(self, work: ResolutionWork) -> tuple[tuple[TenderChoice, ...], str | None]:
        if self.action is not Action.TENDER:
            return (), None
        try:
            return choices_of(self.tenders, work.lines, self.places.mapping()), None
        except InvalidDecision as problem:
            return (), str(problem)

    def _already(self, work: ResolutionWork, tenders: tuple[TenderChoice, ...]) -> str | None:
        """Say why nothing is left to decide; None while there is."""
        before = decided(work.resolutions)
        by_hand = work.standing.reason == HANDLED_BY_HAND
        known = {
            Action.SKIP: (by_hand, "was handled by hand before"),
            Action.REOPEN: (not by_hand and not before.anything, "nobody decided anything"),
            Action.STANDALONE: (before.standalone, "was to be posted without its sale before"),
            Action.RELEASE: (before.released, "was released before"),
            Action.TENDER: (set(tenders) <= set(before.tenders), "was to be booked so before"),
            Action.RETRY: (self._is_due(work), "the next run looks at it anyway"),
        }
        idle, why = known[self.action]
        return why if idle else None

    def _is_due(self, work: ResolutionWork) -> bool:
        due = work.standing.next_attempt_at
        return work.standing.status in {"landed", "ready", "uncertain"} and (
            due is None or due <= self.places.now()
        )

    def _objection(self, work: ResolutionWork) -> str | None:
        """Say what of the ledger's speaks against it: the reason, or a write that may not be over.

        What may be there is not skipped while it can still come in.
        """
        standing = work.standing
        fitting = ACTIONS[standing.reason]
        if self.action not in fitting:
            stands = f"{standing.status} ({standing.reason})" if standing.reason else "on its way"
            return f"is {stands}; what fits: " + (
                ", ".join(sorted(one.value for one in fitting)) or "nothing"
            )
        written_at = work.posting_updated_at
        if (
            written_at is None
            or work.posting_state not in _UNCLEAR
            or not needs_look_up(self.action, standing.reason, work.posting_state)
        ):
            return None
        over = written_at + WRITE_IS_OVER_AFTER
        if self.places.now() >= over:
            return None
        return (
            f"was written at {written_at:%H:%M} UTC, and its answer may still come in: let the next"
            f" run settle it, or decide after {over:%H:%M} UTC"
        )

    def _after_look_up(self, item: Planned, work: ResolutionWork, found: Found | None) -> Planned:
        """Judge again once the ERP was asked."""
        if found is None or (self.action in _COMPARING and found.under_its_id):
            return replace(item, looked_up=work.posting_attempts)
        if self.action in _COMPARING:
            problem = (
                f"record {found.erp_id} of the ERP bears its refund id, but not its external id"
                f" {work.external_id}: a person must look there first"
            )
        else:
            problem = f"the ERP has record {found.erp_id} of it: retry, and the next run compares"
        return replace(item, verdict=Verdict.IMPOSSIBLE, what=problem, tenders=())


_COMPARING = frozenset({Action.RETRY, Action.REOPEN})
"""Actions that lead to a run which compares a record under the refund's external id."""
_EFFECTS: Mapping[Action, str] = {
    Action.RETRY: "the next run looks at it anew",
    Action.STANDALONE: "posted without its sale",
    Action.TENDER: "booked as ",
    Action.SKIP: "never posted: a person has handled it",
    Action.RELEASE: "let through the gates",
    Action.REOPEN: "the rules alone decide again",
}
