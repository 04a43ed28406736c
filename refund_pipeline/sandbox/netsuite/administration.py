"""What other people do in the account meanwhile: sell, deposit, void, delete, merge, overwrite.

None of it goes through REST, so no rule of a refund is checked here.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from refund_pipeline.sandbox.netsuite.books import Books
from refund_pipeline.sandbox.netsuite.general_ledger import pieces
from refund_pipeline.sandbox.netsuite.ledger import (
    Draft,
    Transaction,
    TransactionLine,
    TransactionType,
)
from refund_pipeline.sandbox.netsuite.master_data import MasterData
from refund_pipeline.sandbox.netsuite.master_defaults import CUSTOM_FORM, SALES_ITEM

WORKFLOW_LOCK = "This record has been locked by a workflow."


class Administration:
    """Acts on the books and lists of one account. Transactions are named by internal id."""

    def __init__(self, master: MasterData, books: Books) -> None:
        self._master = master
        self._books = books

    def add(
        self,
        kind: TransactionType,
        *,
        external_id: str | None,
        entity: str,
        subsidiary: str,
        location: str,
        currency: str,
        total: Decimal,
        on: date,
        item: str = SALES_ITEM,
        quantity: Decimal = Decimal(1),
        other_ref_num: str | None = None,
        class_id: str | None = None,
        created_from: str | None = None,
        custom: Mapping[str, str] | None = None,
    ) -> str:
        """Enter a transaction with one line and return its internal id; `currency` is an ISO code.

        Raises:
            ValueError: the account has no such customer, location, subsidiary or period.
        """
        master = self._master
        period = master.period_of(on)
        if period is None or entity not in master.customers or location not in master.locations:
            raise ValueError("no such customer, location or period in this account")
        if subsidiary not in master.subsidiaries or total < 0:
            raise ValueError("a sale has a subsidiary and a total of at least zero")
        line = TransactionLine(
            item=item,
            amount=total,
            quantity=quantity,
            rate=total / quantity,
            price=None,
            description=None,
            location=location,
            custom={},
        )
        number = master.currency_of(currency).id
        draft = Draft(
            type=kind,
            external_id=external_id,
            entity=entity,
            subsidiary=subsidiary,
            location=location,
            currency=number,
            tran_date=on,
            period=period.id,
            tran_id=None,
            memo=None,
            other_ref_num=other_ref_num,
            custom_form=CUSTOM_FORM,
            created_from=created_from,
            handling_mode=None,
            payment_option=None,
            lines=(line,),
            custom=dict(custom or {}),
            class_id=class_id,
            exchange_rate=master.exchange_rate(number, subsidiary),
        )
        stored = self._books.add(draft)
        if created_from is not None:
            self._books.put(self._get(created_from))  # an order that is billed changes its status
        return stored.id

    def change(self, internal_id: str, **changes: Any) -> None:
        """Change fields of a transaction by hand, e.g. `change(id, external_id=None)`."""
        stored = self._get(internal_id)
        self._books.put(replace(stored, draft=replace(stored.draft, **changes)))

    def void(self, internal_id: str) -> None:
        """Void a transaction: its total and its lines become zero, and it stays."""
        stored = self._get(internal_id)
        zero = Decimal(0)
        lines = tuple(replace(line, amount=zero, rate=None) for line in stored.draft.lines)
        draft = replace(stored.draft, lines=lines, tax_total=zero, memo="VOID")
        self._books.put(replace(stored, draft=draft, voided=True))

    def delete(self, internal_id: str) -> None:
        """Delete a transaction, whatever was made from it."""
        self._books.delete(internal_id)

    def lock(self, internal_id: str, reason: str = WORKFLOW_LOCK) -> None:
        """Lock a transaction against every change."""
        self._books.put(replace(self._get(internal_id), locked=reason))

    def unlock(self, internal_id: str) -> None:
        """Unlock a transaction."""
        self._books.put(replace(self._get(internal_id), locked=None))

    def deposit(self, internal_id: str) -> None:
        """Put a transaction into a bank deposit."""
        self._books.put(replace(self._get(internal_id), deposited=True))

    def merge_customer(self, customer: str, *, into: str) -> None:
        """Merge a customer into another: its transactions move, its id is unknown from now on."""
        for stored in self._books.all():
            if stored.draft.entity == customer:
                self.change(stored.id, entity=into)
        self._master.remove(self._master.customers[customer])

    def stock(self, item: str, location: str) -> Decimal:
        """Return how many pieces of an item came to a location, less those that left it."""
        return sum(
            (
                pieces(stored, line)
                for stored in self._books.all()
                for line in stored.draft.lines
                if line.item == item and (line.location or stored.draft.location) == location
            ),
            Decimal(0),
        )

    def _get(self, internal_id: str) -> Transaction:
        stored = self._books.get(internal_id)
        if stored is None:
            raise KeyError(internal_id)
        return stored
