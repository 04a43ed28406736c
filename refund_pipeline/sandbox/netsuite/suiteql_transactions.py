"""Rows of transactions in SuiteQL's tables (SuiteQL contract 1.2, 2 and 3).

Amounts are debit minus credit, as `general_ledger.py` lays them out.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from refund_pipeline.sandbox.netsuite.books import Books
from refund_pipeline.sandbox.netsuite.general_ledger import Row as LedgerRow
from refund_pipeline.sandbox.netsuite.general_ledger import RowKind, postings, rows
from refund_pipeline.sandbox.netsuite.ledger import Transaction, TransactionType
from refund_pipeline.sandbox.netsuite.master_data import MasterData
from refund_pipeline.sandbox.netsuite.preferences import Preferences, TaxProfile
from refund_pipeline.sandbox.netsuite.second_looks import pays_out
from refund_pipeline.sandbox.netsuite.statuses import status_of
from refund_pipeline.sandbox.netsuite.suiteql_functions import SqlValue, decimal_text
from refund_pipeline.sandbox.netsuite.suiteql_switches import SearchSwitches

Row = Mapping[str, SqlValue]
_TIME = "%Y-%m-%d %H:%M:%S"


class TransactionRows:
    """Makes the rows of one account's transactions."""

    def __init__(
        self,
        master: MasterData,
        books: Books,
        preferences: Preferences,
        switches: SearchSwitches,
    ) -> None:
        self._master = master
        self._books = books
        self._preferences = preferences
        self._switches = switches

    def of(self, stored: Transaction) -> dict[str, Sequence[Row]]:
        """Return the rows of a transaction by table."""
        return {
            "transaction": [self._header(stored)],
            "transactionline": self._lines(stored),
            "transactionaccountingline": self._postings(stored),
            "nexttransactionlinelink": self._links(stored),
            "paymentevent": self._payment_events(stored),
        }

    def _sign(self, stored: Transaction) -> int:
        refund = stored.draft.type is TransactionType.CASH_REFUND
        return self._switches.refund_sign if refund else 1

    def _header(self, stored: Transaction) -> Row:
        draft = stored.draft
        own = rows(stored, self._master)[0]
        return {
            "id": int(stored.id),
            "type": draft.type.code,
            "recordtype": draft.type.value.lower(),
            "externalid": draft.external_id,
            "tranid": stored.tran_id,
            "transactionnumber": stored.tran_id,
            "typebaseddocumentnumber": stored.tran_id,
            "trandisplayname": f"{draft.type.title} #{stored.tran_id}",
            "trandate": draft.tran_date.isoformat(),
            "createddate": stored.created.strftime(_TIME),
            "lastmodifieddate": stored.modified.strftime(_TIME),
            "status": status_of(stored, self._books),
            "posting": _flag(holds=draft.type.posting),
            "postingperiod": int(draft.period),
            "void": "F",
            "voided": _flag(holds=stored.voided),
            "entity": int(draft.entity),
            "currency": int(draft.currency),
            "exchangerate": decimal_text(draft.exchange_rate),
            "foreigntotal": decimal_text(self._sign(stored) * own.amount),
            "taxtotal": decimal_text(draft.tax_total),
            "memo": draft.memo,
            "otherrefnum": draft.other_ref_num,
            "customform": int(draft.custom_form),
            "paymentoption": _number(draft.payment_option),
            "source": "restWebServices",
            "location": _number(draft.location),
            **draft.custom,
        }

    def _lines(self, stored: Transaction) -> list[Row]:
        legacy = self._preferences.tax is not TaxProfile.SUITETAX
        return [
            {**self._basis(stored, row), **self._particulars(stored, row)}
            for row in rows(stored, self._master)
            if row.kind is not RowKind.TAX or row.amount or legacy
        ]

    def _basis(self, stored: Transaction, row: LedgerRow) -> Row:
        draft = stored.draft
        amount = self._sign(stored) * row.amount
        return {
            "id": row.number,
            "transaction": int(stored.id),
            "linesequencenumber": row.number,
            "uniquekey": int(stored.id) * 1000 + row.number,
            "mainline": _flag(holds=row.kind is RowKind.MAIN),
            "taxline": _flag(holds=row.kind is RowKind.TAX),
            # `iscogs` stays null elsewhere, which a bare iscogs = 'F' does not match (section 3)
            "iscogs": "T" if row.kind is RowKind.COST else None,
            "donotdisplayline": "F",
            "item": _number(row.item),
            "expenseaccount": int(row.account),
            "entity": int(draft.entity),
            "subsidiary": int(draft.subsidiary),
            "createdfrom": _number(draft.created_from),
            "foreignamount": decimal_text(amount),
            "netamount": decimal_text(amount),
            "debitforeignamount": decimal_text(amount) if amount > 0 else None,
            "creditforeignamount": decimal_text(-amount) if amount < 0 else None,
            "linecreateddate": stored.created.strftime(_TIME),
            "linelastmodifieddate": stored.modified.strftime(_TIME),
        }

    def _particulars(self, stored: Transaction, row: LedgerRow) -> Row:
        draft = stored.draft
        match row.kind:
            case RowKind.MAIN:
                return {
                    "location": _number(draft.location),
                    "class": _number(draft.class_id),
                    "department": _number(draft.department),
                }
            case RowKind.TAX:
                return {"itemtype": "TaxItem", "accountinglinetype": "TAX", "quantity": "1"}
            case RowKind.COST:
                return {"itemtype": "InvtPart", "accountinglinetype": "COGS"}
            case RowKind.ITEM:
                return self._item(stored, row)

    def _item(self, stored: Transaction, row: LedgerRow) -> Row:
        line = row.line
        assert line is not None  # noqa: S101 - a row of this kind has one
        sign = stored.draft.type.line_sign
        item_type = self._master.items[line.item].item_type
        return {
            "itemtype": item_type,
            "accountinglinetype": "PAYMENT" if item_type == "Payment" else "INCOME",
            "location": _number(line.location),
            "class": _number(line.class_id),
            "department": _number(line.department),
            "quantity": decimal_text(sign * line.quantity) if line.quantity is not None else None,
            "rate": decimal_text(line.rate) if line.rate is not None else None,
            "price": _number(line.price),
            "memo": line.description,
            **line.custom,
        }

    def _postings(self, stored: Transaction) -> list[Row]:
        return [
            {
                "transaction": int(line.transaction),
                "transactionline": line.line,
                "accountingbook": 1,
                "account": int(line.account),
                "accounttype": self._master.accounts[line.account].account_type,
                "posting": "T",
                "amount": decimal_text(line.amount),
                "netamount": decimal_text(line.amount),
                "debit": decimal_text(line.amount) if line.amount > 0 else None,
                "credit": decimal_text(-line.amount) if line.amount < 0 else None,
                "exchangerate": decimal_text(stored.draft.exchange_rate),
                "lastmodifieddate": stored.modified.strftime(_TIME),
            }
            for line in postings(stored, self._master)
        ]

    def _links(self, stored: Transaction) -> list[Row]:
        origin = self._books.get(stored.draft.created_from or "")
        if origin is None:
            return []
        bills = (origin.draft.type, stored.draft.type) == (
            TransactionType.SALES_ORDER,
            TransactionType.CASH_SALE,
        )
        return [
            {
                "previousdoc": int(origin.id),
                "nextdoc": int(stored.id),
                "previousline": 0,
                "nextline": 0,
                "previoustype": origin.draft.type.code,
                "nexttype": stored.draft.type.code,
                "linktype": "OrdBill" if bills else None,  # no other value is known
            }
        ]

    def _payment_events(self, stored: Transaction) -> list[Row]:
        """Return the payout a refund started, if it did; other events are not known."""
        draft = stored.draft
        if draft.type is not TransactionType.CASH_REFUND or not pays_out(draft, self._master):
            return []
        paid = sum((line.amount for line in draft.lines if line.amount > 0), Decimal(0))
        return [
            {
                "id": int(stored.id) * 10,
                "doc": int(stored.id),
                "paymentoperation": "REFUND",
                "handlingmode": draft.handling_mode or "PROCESS",
                "paymentstatus": "ACCEPT",
                "amount": decimal_text(paid),
                "eventdate": stored.created.strftime(_TIME),
            }
        ]


def _number(internal_id: str | None) -> int | None:
    return int(internal_id) if internal_id is not None else None


def _flag(*, holds: bool) -> str:
    return "T" if holds else "F"
