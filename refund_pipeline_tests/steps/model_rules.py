"""What holds in the world of the model after each step, and once the faults have stopped.

At most one ERP record per refund, whole and balanced; every landed line accounted for; statuses
move along the edges below; the history only grows; what can be posted is posted, without a person.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.statuses import OUTSTANDING
from refund_pipeline.domain.transactions import RefundTransaction
from refund_pipeline.gateways.ledger.tables import landed_file, refund_history
from refund_pipeline_tests.fakes import refund_id
from refund_pipeline_tests.steps.model_refunds import (
    OF_A_RETURN,
    SPLIT,
    TOLD_OF,
    UNMAPPED,
)
from refund_pipeline_tests.steps.model_world import World

_NOT_SENT = frozenset({"landed", "awaiting_payment", "awaiting_origin", "ready", "held"})
EDGES: Mapping[str | None, frozenset[str]] = {
    None: frozenset({"landed", "held"}),
    "landed": _NOT_SENT | {"skipped", "posted"},
    "awaiting_payment": _NOT_SENT,
    "awaiting_origin": _NOT_SENT,
    "ready": _NOT_SENT | {"uncertain", "posted"},
    "uncertain": frozenset({"posted", "ready", "held"}),
    "held": _NOT_SENT | {"posted", "uncertain"},
    "skipped": frozenset({"held"}),
    "posted": frozenset(),
}
"""How a run, or an event that lands, moves a refund.

What is not sent yet is decided anew by every run: the mapping, the payments and the sales it sees
may be others, and older ones in a run that was overtaken. What is or may be in the ERP is not. A
refund of which the ERP refused the second record is uncertain again once it reads differently.
"""
IN_CONFLICT = frozenset({"held", "posted"})
"""Where a refund can be once two events contradict each other: a write may be under way then."""
LOOKED_AT_ANEW = frozenset({"landed"})
BY_A_PERSON: Mapping[str, Mapping[str, frozenset[str]]] = {
    "retry": {
        **dict.fromkeys(("landed", "awaiting_payment", "awaiting_origin", "held"), LOOKED_AT_ANEW),
        "ready": frozenset({"ready"}),
        "uncertain": frozenset({"uncertain"}),
    },
    "standalone": dict.fromkeys(("awaiting_origin", "held"), LOOKED_AT_ANEW),
    "tender": {"held": LOOKED_AT_ANEW},
    "release": {"held": LOOKED_AT_ANEW},
    "skip": dict.fromkeys(
        ("landed", "awaiting_payment", "awaiting_origin", "ready", "uncertain", "held"),
        frozenset({"skipped"}),
    ),
    "reopen": {
        **dict.fromkeys(("landed", "awaiting_origin", "ready", "held"), LOOKED_AT_ANEW),
        "awaiting_payment": frozenset({"awaiting_payment"}),
        "skipped": frozenset({"landed", "awaiting_payment", "held"}),
    },
}
"""How a decision moves one, by action; its line of the history says so."""


def edges(entry: Any) -> frozenset[str]:
    """Return where the move that an entry of the history tells of may have led."""
    action, told, _ = (entry.detail or "").partition(", decided by ")
    if told:
        return BY_A_PERSON[action].get(entry.from_status or "", frozenset())
    return EDGES[entry.from_status]


@dataclass
class Watch:
    """Looks at a world again and again, and remembers what its history was."""

    world: World
    history: list[Any] = field(default_factory=list)
    standing: dict[str, tuple[str, str | None]] = field(default_factory=dict)

    def look(self) -> None:
        """Check what holds at any moment."""
        self._history_is_append_only_and_moves_along_the_edges()
        self._lines_are_accounted_for()
        self._records_are_whole_and_single()

    def _history_is_append_only_and_moves_along_the_edges(self) -> None:
        statement = sa.select(refund_history).order_by(refund_history.c.id)
        with self.world.ledger._database.read() as connection:
            history = list(connection.execute(statement))
        assert history[: len(self.history)] == self.history, "the history only grows"
        for entry in history[len(self.history) :]:
            status, reason = self.standing.get(entry.refund_id, (None, None))
            assert entry.from_status == status
            assert entry.to_status in edges(entry), entry
            if reason == "conflicting_event" and status == "held":
                assert entry.to_status in IN_CONFLICT | {"skipped"}, entry
            self.standing[entry.refund_id] = (entry.to_status, entry.reason)
        self.history = history
        rows = {row.refund_id: row for row in self.world.ledger.refunds()}
        assert {key: (row.status, row.reason) for key, row in rows.items()} == self.standing

    def _lines_are_accounted_for(self) -> None:
        told: set[str] = set()
        with self.world.ledger._database.read() as connection:
            files = list(connection.execute(sa.select(landed_file)))
        for file in files:
            lines = Counter(self.world.versions[file.key, file.etag])
            told.update(TOLD_OF[line] for line in lines if line in TOLD_OF)
            assert file.landing_day == self.world.files[file.key]
            assert file.lines == lines.total()
            assert (file.other, file.rejected) == (lines["event of another kind"], lines["bad"])
            parts = (file.new, file.duplicates, file.conflicts, file.rejected, file.other)
            assert file.lines == sum(parts)
        assert sum(file.new for file in files) == len(told)
        assert set(self.standing) == told, "each refund told of is there, and no other"

    def _records_are_whole_and_single(self) -> None:
        made = self.world.erp.made
        ids = Counter(one.external_id for one in made)
        assert set(ids.values()) <= {1}, f"a record was made twice: {ids}"
        for one in made:
            assert is_balanced(one), one
        paid = self.world.erp.paid_out()
        half_refused = self.world.erp.refused & {refund_id(SPLIT)}
        for row in self.world.ledger.refunds():
            out = paid.pop(row.refund_id, Decimal(0))
            assert out <= row.amount, f"{row.refund_id} is paid out more than once"
            if row.status == "posted":
                assert out == row.amount, f"{row.refund_id} is posted in part"
            elif out and row.refund_id not in half_refused:
                assert row.reason in {"erp_uncertain", "conflicting_event"}, row
        assert paid == {}, "what was made for refunds nobody told of"


def is_balanced(record: RefundTransaction) -> bool:
    """Whether a record's lines sum to zero or, with the tender in its header, to its amount."""
    total = sum(line.amount for line in record.lines)
    return total == (record.amount if record.payment_option else 0) and record.amount > 0


def check_the_end(world: World) -> None:
    """Check that everything that can be posted is, and that the rest says why not."""
    there = set(world.lines_there())
    rows = {row.refund_id: row for row in world.ledger.refunds()}
    assert {TOLD_OF[line] for line in there if line in TOLD_OF} <= set(rows), "nothing is lost"
    assert not {row for row in rows.values() if row.status in OUTSTANDING}, "nothing waits"
    by_reason: defaultdict[tuple[str, str | None], set[str]] = defaultdict(set)
    for key, row in rows.items():
        if row.status != "posted":
            by_reason[row.status, row.reason].add(key)
    read = {line for _, line in world.lines_read()}
    decided = world.ledger.resolutions(list(rows))
    skipped = {
        key for key, made in decided.items() if any(one.action is Action.SKIP for one in made)
    }
    allowed = {
        ("skipped", "belongs_to_return"): {refund_id(OF_A_RETURN)},
        ("skipped", "handled_by_hand"): skipped,
        ("held", "unmapped_tender"): {refund_id(UNMAPPED)},
        ("held", "refused_by_erp"): world.erp.refused,
        # its other half is there, and the mapping is another one since
        ("held", "conflicting_erp_record"): world.erp.refused & {refund_id(SPLIT)},
        ("held", "conflicting_event"): (
            {refund_id(0)} if {"refund 0", "refund 0 told otherwise"} <= read else set()
        ),
    }
    for standing, keys in by_reason.items():
        assert keys <= allowed.get(standing, set()), f"{keys} are {standing}"
    for reconciliation in world.reconciled.values():
        assert reconciliation.problems == ()
        assert reconciliation.extra == ()
