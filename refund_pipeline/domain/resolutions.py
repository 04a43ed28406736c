"""What a person may decide about a refund that is not posted, and what their decisions come to.

The rules alone: which action fits which reason, what stands after several decisions. Carrying one
out, and asking the ERP first where that is needed, is `steps/resolution.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.errors import PipelineError
from refund_pipeline.domain.gates import RELEASABLE
from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.domain.mapping import TenderRow
from refund_pipeline.domain.payments import PaymentLine
from refund_pipeline.domain.reasons import HANDLED_BY_HAND, REASONS

_LONGEST_ACTOR = 100
_LONGEST_NOTE = 500


_LOOK_AGAIN = frozenset({Action.RETRY, Action.SKIP, Action.REOPEN})
_WITHOUT_ITS_SALE = _LOOK_AGAIN | {Action.STANDALONE}
_BY_REASON: Mapping[str | None, frozenset[Action]] = {
    # the refund itself is in doubt: which event is right nobody can tell the pipeline
    "conflicting_event": frozenset({Action.SKIP}),
    "unmapped_tender": _LOOK_AGAIN | {Action.TENDER},
    "ambiguous_origin": _WITHOUT_ITS_SALE,
    "subsidiary_mismatch": _WITHOUT_ITS_SALE,
    "origin_missing": _WITHOUT_ITS_SALE,
    # looked up and not there: another body under the same external id is the only one
    "refused_by_erp": _WITHOUT_ITS_SALE | {Action.TENDER},
    # the ERP has a record: it is compared again, or a person has settled it, nothing else
    "conflicting_erp_record": frozenset({Action.RETRY, Action.SKIP}),
    # a record may be there: what was sent stays as it was sent
    "erp_uncertain": frozenset({Action.RETRY, Action.SKIP}),
    **dict.fromkeys(RELEASABLE, _LOOK_AGAIN | {Action.RELEASE}),
    # not ours by the rules, and nothing to decide
    "belongs_to_return": frozenset(),
    "historical": frozenset(),
    HANDLED_BY_HAND: frozenset({Action.REOPEN}),
}
ACTIONS: Mapping[str | None, frozenset[Action]] = MappingProxyType(
    {None: _LOOK_AGAIN, **dict.fromkeys(REASONS, _LOOK_AGAIN), **_BY_REASON}
)
"""What fits a refund that is not posted, by its reason; None: nothing stands against it."""

_ASKING_FIRST = frozenset({Action.SKIP, Action.STANDALONE, Action.TENDER, Action.REOPEN})


def needs_look_up(action: Action, reason: str | None, posting_state: str | None) -> bool:
    """Whether the ERP must be asked for the refund's record before this is decided.

    That is once a write of it was begun (`posting_state` is not None): a skip would hide a record,
    another body would go out under an external id that is taken. A record that is known to be there
    and different is not looked for again to skip the refund.
    """
    if action is Action.RETRY:
        return posting_state == "held"
    if action is Action.SKIP and reason == "conflicting_erp_record":
        return False
    return posting_state is not None and action in _ASKING_FIRST


class InvalidDecision(PipelineError):
    """What a person typed is no decision; nothing was done."""


@dataclass(frozen=True, slots=True)
class Tender:
    """A tender as people name it: `cash`, or `credit_card/adyen`."""

    method: str
    provider: str | None = None

    def __str__(self) -> str:
        return self.method if self.provider is None else f"{self.method}/{self.provider}"

    def row(self, mapping: RefundMapping, currency: str) -> TenderRow | None:
        """Return the row that says exactly this, the one for `currency` before the general one."""
        rows = {row.key: row for row in mapping.tenders}
        provider = self.provider.lower() if self.provider else None
        narrow = rows.get((self.method.lower(), provider, currency))
        return narrow or rows.get((self.method.lower(), provider, None))


@dataclass(frozen=True, slots=True)
class TenderChoice:
    """What went back as `paid` is booked by the row of `booked_as`."""

    paid: Tender
    booked_as: Tender

    def is_about(self, line: PaymentLine) -> bool:
        """Whether this line's tender is the one decided about."""
        return str(self.paid).lower() == f"{line.method}/{line.provider}".lower()

    def __str__(self) -> str:
        return f"{self.booked_as} instead of {self.paid}"


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision as a person makes it. `note` says why, for those who ask later.

    Raises:
        InvalidDecision: nobody decides, or nobody says why.
    """

    action: Action
    actor: str
    note: str

    def __post_init__(self) -> None:
        for name, value, longest in (
            ("actor (who decides)", self.actor, _LONGEST_ACTOR),
            ("note (why)", self.note, _LONGEST_NOTE),
        ):
            if not value.strip():
                raise InvalidDecision(f"a decision needs its {name}")
            if len(value) > longest or not value.isprintable():
                raise InvalidDecision(
                    f"the {name} is one line of at most {longest} printable characters"
                )


@dataclass(frozen=True, slots=True)
class Resolution:
    """A decision as the ledger has it."""

    action: Action
    actor: str
    note: str
    resolved_at: datetime
    tenders: tuple[TenderChoice, ...] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """What stands after all decisions about a refund that a rebuilt transaction has to honour."""

    standalone: bool = False
    released: bool = False
    tenders: tuple[TenderChoice, ...] = ()

    @property
    def anything(self) -> bool:
        """Whether there is something to take back."""
        return self.standalone or self.released or bool(self.tenders)

    def choice(self, line: PaymentLine) -> TenderChoice | None:
        """Return what was decided about the tender of `line`."""
        return next((choice for choice in self.tenders if choice.is_about(line)), None)

    def tender_row(self, line: PaymentLine, mapping: RefundMapping) -> TenderRow | None:
        """Return the mapping row that books `line`: the one chosen, else that of its own tender."""
        choice = self.choice(line)
        if choice is not None:
            return choice.booked_as.row(mapping, line.currency)
        return mapping.tender(line.method, line.provider, line.currency)


NOTHING_DECIDED = Decided()


def decided(resolutions: Sequence[Resolution]) -> Decided:
    """Return what these decisions, oldest first, come to."""
    standalone = released = False
    tenders: dict[str, TenderChoice] = {}
    for one in resolutions:
        match one.action:
            case Action.REOPEN:
                standalone = released = False
                tenders.clear()
            case Action.STANDALONE:
                standalone = True
            case Action.RELEASE:
                released = True
            case Action.TENDER:
                tenders |= {str(choice.paid).lower(): choice for choice in one.tenders}
            case Action.RETRY | Action.SKIP:
                pass
    return Decided(standalone, released, tuple(tenders.values()))


def tender_named(text: str) -> Tender:
    """Read a tender's name.

    Raises:
        InvalidDecision: it is none.
    """
    method, slash, provider = (part.strip() for part in text.strip().partition("/"))
    if not method or (slash and not provider):
        raise InvalidDecision(f"{text!r} names no tender; write cash, or credit_card/adyen")
    return Tender(method, provider or None)


def choices_of(
    texts: Sequence[str], lines: Sequence[PaymentLine], mapping: RefundMapping
) -> tuple[TenderChoice, ...]:
    """Read `TENDER` or `PAID=TENDER` for a refund with these payment lines.

    Without `PAID`, all its tenders that the mapping does not know are meant, or its only one.

    Raises:
        InvalidDecision: it fits neither the refund nor the mapping; says which.
    """
    paid_with = {f"{line.method}/{line.provider}".lower(): line for line in lines}
    found: dict[str, TenderChoice] = {}
    for text in texts:
        paid, equals, name = text.rpartition("=")
        booked_as = tender_named(name)
        about = [paid.strip().lower()] if equals else _meant(paid_with, mapping)
        for key in about:
            line = paid_with.get(key)
            if line is None:
                known = ", ".join(sorted(paid_with)) or "none yet"
                raise InvalidDecision(f"no money went back by {key}; its tenders: {known}")
            if booked_as.row(mapping, line.currency) is None:
                raise InvalidDecision(
                    f"the mapping has no row of tenders for {booked_as} in {line.currency}"
                )
            found[key] = TenderChoice(Tender(line.method, line.provider), booked_as)
    return tuple(found.values())


def _meant(paid_with: Mapping[str, PaymentLine], mapping: RefundMapping) -> list[str]:
    unmapped = [
        key
        for key, line in paid_with.items()
        if mapping.tender(line.method, line.provider, line.currency) is None
    ]
    if unmapped or len(paid_with) == 1:
        return unmapped or list(paid_with)
    raise InvalidDecision(
        "which of its tenders? Write PAID=TENDER, like paypal/paypal=cash; its tenders: "
        + (", ".join(sorted(paid_with)) or "none yet")
    )
