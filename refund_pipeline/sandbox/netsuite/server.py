"""The NetSuite sandbox: master data, ledger and services of one account behind one loopback server.

This module is what tests and demos hold in their hands; the front that meets HTTP is `front.py`.
"""

import secrets
from collections.abc import Callable, Collection
from datetime import date, datetime, timezone
from decimal import Decimal
from types import TracebackType

from refund_pipeline.sandbox.netsuite.audit import Audit
from refund_pipeline.sandbox.netsuite.auth import TokenService, private_key_pem, public_key
from refund_pipeline.sandbox.netsuite.faults import Faults
from refund_pipeline.sandbox.netsuite.front import Front
from refund_pipeline.sandbox.netsuite.general_ledger import postings
from refund_pipeline.sandbox.netsuite.ledger import (
    Draft,
    GeneralLedgerLine,
    Ledger,
    Transaction,
    TransactionLine,
    TransactionType,
)
from refund_pipeline.sandbox.netsuite.logins import Logins
from refund_pipeline.sandbox.netsuite.master_data import CUSTOM_FORM, SALES_ITEM, MasterData
from refund_pipeline.sandbox.netsuite.properties import refund_properties
from refund_pipeline.sandbox.netsuite.record_service import RecordService
from refund_pipeline.sandbox.netsuite.records import StoredCashRefund, StoredLine
from refund_pipeline.sandbox.netsuite.rendering import Rendering
from refund_pipeline.sandbox.netsuite.suiteql import SuiteQlService
from refund_pipeline.sandbox.netsuite.tba import TokenCredentials, TokenLogins, new_credentials
from refund_pipeline.sandbox.serving import LoopbackServer

BODY_CUSTOM_FIELDS = ("custbody_nst_order_number", "custbody_nst_refund_id")
LINE_CUSTOM_FIELDS = ("custcol_nst_gift_card_last4",)


def utc_now() -> datetime:
    """Return the time as an aware UTC datetime."""
    return datetime.now(timezone.utc)


class NetSuiteSandbox:
    """One NetSuite account on loopback. Every method is safe to call while the server runs.

    `address` is the scheme and host clients sign for, where it is not where they connect to.
    """

    def __init__(
        self,
        *,
        account: str = "1234567_SB1",
        concurrency_limit: int = 5,
        latency: float = 0.0,
        token_ttl: int = 3600,
        clock: Callable[[], datetime] = utc_now,
        port: int = 0,
        index_lag: float = 0.0,
        body_custom_fields: Collection[str] = BODY_CUSTOM_FIELDS,
        line_custom_fields: Collection[str] = LINE_CUSTOM_FIELDS,
        token_credentials: TokenCredentials | None = None,
        address: str | None = None,
    ) -> None:
        self.account = account
        self.client_id = secrets.token_hex(32)
        self.certificate_id = secrets.token_urlsafe(24)
        self.private_key_pem = private_key_pem()
        self._token_credentials = token_credentials or new_credentials()
        self.faults = Faults(clock)
        self.audit = Audit()
        self.master_data = MasterData()
        self._ledger = Ledger(clock)
        self.logins = Logins(clock)
        self.token_logins = TokenLogins(
            self._token_credentials, account=account, logins=self.logins, clock=clock
        )
        self.tokens = TokenService(
            account=account,
            client_id=self.client_id,
            token_ttl=token_ttl,
            logins=self.logins,
            clock=clock,
        )
        self.tokens.map_certificate(self.certificate_id, public_key())
        schema = refund_properties(body_custom_fields, line_custom_fields)
        self._suiteql = SuiteQlService(
            master=self.master_data,
            ledger=self._ledger,
            schema=schema,
            clock=clock,
            lag=index_lag,
        )
        self._front = Front(
            tokens=self.tokens,
            token_logins=self.token_logins,
            faults=self.faults,
            audit=self.audit,
            suiteql=self._suiteql,
            concurrency_limit=concurrency_limit,
            latency=latency,
        )
        self._server = LoopbackServer(self._front, port=port)
        self._front.records = RecordService(
            master=self.master_data,
            ledger=self._ledger,
            schema=schema,
            rendering=Rendering(self.master_data, self.base_url),
            audit=self.audit,
            clock=clock,
        )
        self._front.base_url = address or self.base_url

    @property
    def base_url(self) -> str:
        """Scheme, host and port, without `/services/rest`."""
        return self._server.url

    @property
    def consumer_key(self) -> str:
        """The integration's key for token-based authentication."""
        return self._token_credentials.consumer_key

    @property
    def consumer_secret(self) -> str:
        """Its secret."""
        return self._token_credentials.consumer_secret

    @property
    def token_id(self) -> str:
        """The user's token for the integration."""
        return self._token_credentials.token_id

    @property
    def token_secret(self) -> str:
        """Its secret."""
        return self._token_credentials.token_secret

    def start(self) -> None:
        """Start answering."""
        self._server.start()

    def stop(self) -> None:
        """Stop answering."""
        self._server.stop()
        self._suiteql.close()

    def __enter__(self) -> "NetSuiteSandbox":  # noqa: PYI034 - Self needs Python 3.11
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def add_cash_sale(
        self,
        *,
        external_id: str,
        entity: str,
        subsidiary: str,
        location: str,
        currency: str,
        total: Decimal,
        on: date,
    ) -> str:
        """Book a cash sale and return its internal id; `currency` is an ISO code."""
        return self._sell(
            TransactionType.CASH_SALE,
            external_id=external_id,
            entity=entity,
            subsidiary=subsidiary,
            location=location,
            currency=currency,
            total=total,
            on=on,
        )

    def add_sales_order(
        self,
        *,
        external_id: str,
        entity: str,
        subsidiary: str,
        location: str,
        currency: str,
        total: Decimal,
        on: date,
    ) -> str:
        """Enter a sales order and return its internal id; `currency` is an ISO code."""
        return self._sell(
            TransactionType.SALES_ORDER,
            external_id=external_id,
            entity=entity,
            subsidiary=subsidiary,
            location=location,
            currency=currency,
            total=total,
            on=on,
        )

    def cash_refunds(self) -> list[StoredCashRefund]:
        """Return every posted cash refund, oldest first."""
        return [self._view(one) for one in self._ledger.of_type(TransactionType.CASH_REFUND)]

    def general_ledger(self) -> list[GeneralLedgerLine]:
        """Return every posting of every transaction; each transaction's sum to zero."""
        return [
            line
            for stored in self._ledger.since(0)
            for line in postings(stored, self.master_data.items)
        ]

    def close_period(self, month: str) -> None:
        """Close the accounting period of a month written `2026-10`."""
        self.master_data.close_period(month)

    def _sell(
        self,
        kind: TransactionType,
        *,
        external_id: str,
        entity: str,
        subsidiary: str,
        location: str,
        currency: str,
        total: Decimal,
        on: date,
    ) -> str:
        master = self.master_data
        period = master.period_of(on)
        if period is None or entity not in master.customers or location not in master.locations:
            raise ValueError("no such customer, location or period in this account")
        if master.subsidiaries[subsidiary] is None or total < 0:
            raise ValueError("a sale has a subsidiary and a total of at least zero")
        line = TransactionLine(
            item=SALES_ITEM,
            amount=total,
            quantity=Decimal(1),
            rate=total,
            price=None,
            description=None,
            location=location,
            custom={},
        )
        draft = Draft(
            type=kind,
            external_id=external_id,
            entity=entity,
            subsidiary=subsidiary,
            location=location,
            currency=master.currency_of(currency).id,
            tran_date=on,
            period=period.id,
            tran_id=None,
            memo=None,
            other_ref_num=None,
            custom_form=CUSTOM_FORM,
            created_from=None,
            handling_mode=None,
            payment_option=None,
            lines=(line,),
            custom={},
        )
        return self._ledger.add(draft).id

    def _view(self, stored: Transaction) -> StoredCashRefund:
        draft = stored.draft
        return StoredCashRefund(
            id=stored.id,
            external_id=draft.external_id,
            entity=draft.entity,
            subsidiary=draft.subsidiary,
            location=draft.location,
            currency=self.master_data.currencies[draft.currency].symbol,
            tran_date=draft.tran_date,
            memo=draft.memo,
            created_from=draft.created_from,
            total=draft.total,
            lines=tuple(StoredLine(one.item, one.amount, dict(one.custom)) for one in draft.lines),
            custom=dict(draft.custom),
        )
