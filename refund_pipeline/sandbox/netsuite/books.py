"""The transactions of one account: numbered, unique by external id over all types, in order.

Every change is kept as well, so that a lagging index can follow. No rules live here.
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from refund_pipeline.sandbox.netsuite.ledger import Draft, Transaction, TransactionType

_FIRST_ID = 90001


@dataclass(frozen=True, slots=True)
class Change:
    """A transaction as it was after a change; None once it is deleted."""

    at: datetime
    id: str
    after: Transaction | None


class DuplicateExternalIdError(Exception):
    """Another transaction, of whatever type, bears this external id."""


class Books:
    """Every transaction of one account; safe to use from any thread."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._by_id: dict[str, Transaction] = {}
        self._by_external_id: dict[str, str] = {}
        self._by_origin: dict[str, dict[str, None]] = {}
        self._numbers: Counter[TransactionType] = Counter()
        self._changes: list[Change] = []
        self._next_id = _FIRST_ID

    def add(self, draft: Draft) -> Transaction:
        """Store a transaction, all or nothing.

        Raises:
            DuplicateExternalIdError: its external id is taken; letter case makes no difference.
        """
        with self._lock:
            self._require_free(draft.external_id, unless=None)
            self._numbers[draft.type] += 1
            now = self._clock()
            stored = Transaction(
                id=str(self._next_id),
                tran_id=draft.tran_id or f"{draft.type.prefix}{1000 + self._numbers[draft.type]}",
                created=now,
                modified=now,
                draft=draft,
            )
            self._next_id += 1
            self._keep(stored)
            return stored

    def put(self, stored: Transaction) -> Transaction:
        """Store a changed transaction under the id it has; its time of change is now.

        Raises:
            DuplicateExternalIdError: another transaction bears its external id.
        """
        with self._lock:
            self._require_free(stored.draft.external_id, unless=stored.id)
            self._unlink(self._by_id[stored.id])
            changed = replace(stored, modified=self._clock())
            self._keep(changed)
            return changed

    def delete(self, internal_id: str) -> None:
        """Forget a transaction; its external id is free again, its number is not."""
        with self._lock:
            self._unlink(self._by_id.pop(internal_id))
            self._changes.append(Change(self._clock(), internal_id, None))

    def get(self, internal_id: str) -> Transaction | None:
        """Return a transaction of any type by internal id."""
        with self._lock:
            return self._by_id.get(internal_id)

    def by_external_id(self, external_id: str) -> Transaction | None:
        """Return a transaction of any type by external id, letter case aside."""
        with self._lock:
            return self._by_id.get(self._by_external_id.get(external_id.lower(), ""))

    def made_from(self, origin: str) -> list[Transaction]:
        """Return the transactions made from this one, oldest first."""
        with self._lock:
            return [self._by_id[one] for one in self._by_origin.get(origin, ())]

    def all(self) -> list[Transaction]:
        """Return every transaction, oldest first."""
        with self._lock:
            return list(self._by_id.values())

    def of_type(self, kind: TransactionType) -> list[Transaction]:
        """Return the transactions of one type, oldest first."""
        return [stored for stored in self.all() if stored.draft.type is kind]

    def changes_since(self, position: int) -> list[Change]:
        """Return what happened after the first `position` changes, oldest first."""
        with self._lock:
            return self._changes[position:]

    def _require_free(self, external_id: str | None, *, unless: str | None) -> None:
        if external_id is None:
            return
        if self._by_external_id.get(external_id.lower()) not in {None, unless}:
            raise DuplicateExternalIdError(external_id)

    def _keep(self, stored: Transaction) -> None:
        draft = stored.draft
        self._by_id[stored.id] = stored
        if draft.external_id is not None:
            self._by_external_id[draft.external_id.lower()] = stored.id
        if draft.created_from is not None:
            self._by_origin.setdefault(draft.created_from, {})[stored.id] = None
        self._changes.append(Change(stored.modified, stored.id, stored))

    def _unlink(self, stored: Transaction) -> None:
        draft = stored.draft
        if draft.external_id is not None:
            del self._by_external_id[draft.external_id.lower()]
        if draft.created_from is not None:
            del self._by_origin[draft.created_from][stored.id]
