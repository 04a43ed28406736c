"""The NetSuite sandbox: master data, books and services of one account behind a loopback server.

This module is what tests and demos hold in their hands; the front that meets HTTP is `front.py`.
Its switches: `role`, `preferences`, `search`, `scripts`, `governance`, `latency`, `faults`, `jobs`,
`master_data`, and `admin` for what other people do in the account.
"""

import secrets
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, timezone
from decimal import Decimal
from types import TracebackType

from refund_pipeline.sandbox.netsuite.administration import Administration
from refund_pipeline.sandbox.netsuite.async_jobs import AsyncJobs
from refund_pipeline.sandbox.netsuite.audit import Audit
from refund_pipeline.sandbox.netsuite.auth import TokenService, private_key_pem, public_key
from refund_pipeline.sandbox.netsuite.books import Books
from refund_pipeline.sandbox.netsuite.building import build_services
from refund_pipeline.sandbox.netsuite.faults import Faults
from refund_pipeline.sandbox.netsuite.front import Front
from refund_pipeline.sandbox.netsuite.general_ledger import postings
from refund_pipeline.sandbox.netsuite.governance import Governance
from refund_pipeline.sandbox.netsuite.latency import Latency
from refund_pipeline.sandbox.netsuite.ledger import GeneralLedgerLine, TransactionType
from refund_pipeline.sandbox.netsuite.logins import Logins
from refund_pipeline.sandbox.netsuite.master_data import MasterData
from refund_pipeline.sandbox.netsuite.preferences import Preferences
from refund_pipeline.sandbox.netsuite.properties import CustomFields, refund_properties
from refund_pipeline.sandbox.netsuite.records import StoredCashRefund, view
from refund_pipeline.sandbox.netsuite.role import Role
from refund_pipeline.sandbox.netsuite.suiteql import SuiteQlService
from refund_pipeline.sandbox.netsuite.suiteql_switches import SearchSwitches
from refund_pipeline.sandbox.netsuite.tba import TokenCredentials, TokenLogins, new_credentials
from refund_pipeline.sandbox.netsuite.user_events import UserEvents
from refund_pipeline.sandbox.serving import LoopbackServer

BODY_CUSTOM_FIELDS = ("custbody_nst_order_number", "custbody_nst_refund_id")
LINE_CUSTOM_FIELDS = ("custcol_nst_gift_card_last4",)


def utc_now() -> datetime:
    """Return the time as an aware UTC datetime."""
    return datetime.now(timezone.utc)


class NetSuiteSandbox:
    """One NetSuite account on loopback. Every method is safe to call while the server runs.

    `address` is the scheme and host clients sign for, where it is not where they connect to.
    `latency` is seconds for every request; with a `latency_scale` times are drawn as in a real
    account and last so many times as long here. `hidden_properties` are standard properties the
    account lacks; without `one_world` it has no subsidiaries to choose from.
    """

    def __init__(
        self,
        *,
        account: str = "1234567_SB1",
        concurrency_limit: int = 5,
        latency: float = 0.0,
        latency_scale: float | None = None,
        token_ttl: int = 3600,
        clock: Callable[[], datetime] = utc_now,
        port: int = 0,
        index_lag: float = 0.0,
        body_custom_fields: CustomFields = BODY_CUSTOM_FIELDS,
        line_custom_fields: CustomFields = LINE_CUSTOM_FIELDS,
        hidden_properties: Collection[str] = (),
        one_world: bool = True,
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
        self.role = Role()
        self.preferences = Preferences(one_world=one_world)
        self.search = SearchSwitches()
        self.scripts = UserEvents()
        self.governance = Governance(concurrency_limit)
        self.latency = Latency(constant=latency, scale=latency_scale)
        self.master_data = MasterData()
        self._ledger = Books(clock)
        self.admin = Administration(self.master_data, self._ledger)
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
        hidden = {*hidden_properties, *(() if one_world else ("subsidiary",))}
        schema = refund_properties(body_custom_fields, line_custom_fields, hidden=hidden)
        self._suiteql = SuiteQlService(
            master=self.master_data,
            books=self._ledger,
            schema=schema,
            role=self.role,
            preferences=self.preferences,
            switches=self.search,
            clock=clock,
            lag=index_lag,
        )
        self._front = Front(
            tokens=self.tokens,
            token_logins=self.token_logins,
            faults=self.faults,
            audit=self.audit,
            governance=self.governance,
            latency=self.latency,
            scripts=self.scripts,
            preferences=self.preferences,
            clock=clock,
        )
        self._server = LoopbackServer(self._front, port=port)
        self._front.base_url = address or self.base_url
        self._front.services = build_services(
            master=self.master_data,
            books=self._ledger,
            schema=schema,
            suiteql=self._suiteql,
            role=self.role,
            preferences=self.preferences,
            scripts=self.scripts,
            governance=self.governance,
            audit=self.audit,
            clock=clock,
            address=self.base_url,
        )

    @property
    def base_url(self) -> str:
        """Scheme, host and port, without `/services/rest`."""
        return self._server.url

    @property
    def jobs(self) -> AsyncJobs:
        """The asynchronous jobs and their delay."""
        return self._front.services.jobs

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
        other_ref_num: str | None = None,
        class_id: str | None = None,
        custom: Mapping[str, str] | None = None,
    ) -> str:
        """Book a cash sale and return its internal id; `currency` is an ISO code."""
        return self.admin.add(
            TransactionType.CASH_SALE,
            external_id=external_id,
            entity=entity,
            subsidiary=subsidiary,
            location=location,
            currency=currency,
            total=total,
            on=on,
            other_ref_num=other_ref_num,
            class_id=class_id,
            custom=custom,
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
        other_ref_num: str | None = None,
        class_id: str | None = None,
        custom: Mapping[str, str] | None = None,
    ) -> str:
        """Enter a sales order and return its internal id; `currency` is an ISO code."""
        return self.admin.add(
            TransactionType.SALES_ORDER,
            external_id=external_id,
            entity=entity,
            subsidiary=subsidiary,
            location=location,
            currency=currency,
            total=total,
            on=on,
            other_ref_num=other_ref_num,
            class_id=class_id,
            custom=custom,
        )

    def cash_refunds(self) -> list[StoredCashRefund]:
        """Return every posted cash refund, oldest first; a job that is due is run before."""
        self.jobs.run_due()
        found = self._ledger.of_type(TransactionType.CASH_REFUND)
        return [view(stored, self.master_data) for stored in found]

    def general_ledger(self) -> list[GeneralLedgerLine]:
        """Return every posting of every transaction; each transaction's sum to zero."""
        return [
            line for stored in self._ledger.all() for line in postings(stored, self.master_data)
        ]

    def close_period(self, month: str) -> None:
        """Close the accounting period of a month written `2026-10`."""
        self.master_data.close_period(month)
