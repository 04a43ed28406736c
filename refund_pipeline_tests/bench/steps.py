"""The pipeline's steps of one landing day with gateways of their own, as a run opens them."""

import contextlib
import os
import random
import time
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timezone
from pathlib import Path
from unittest import mock

from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.mapping_file import load_mapping
from refund_pipeline.gateways.netsuite import NetSuite
from refund_pipeline.gateways.newstore import NewStore
from refund_pipeline.orchestration.resources import (
    LandingBucketResource,
    NetSuiteResource,
    NewStoreResource,
)
from refund_pipeline.steps.landing import LandingRead, read_landing_day
from refund_pipeline.steps.payments import PaymentsFetched, fetch_payments
from refund_pipeline.steps.posting import PostingSummary, Surroundings, post_refunds
from refund_pipeline.steps.reconciliation import Reconciliation, reconcile
from refund_pipeline.steps.transactions import TransactionsBuilt, build_transactions


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


class Steps:
    """Open it with `opened`."""

    def __init__(self, environment: Mapping[str, str], ledger: Ledger, seed: int) -> None:
        self.ledger = ledger
        self.tenant = environment["REFUNDS_TENANT"]
        self.mapping: RefundMapping = load_mapping(environment["REFUNDS_MAPPING"]).mapping
        self._chance = random.Random(seed)
        self.bucket = LandingBucketResource(
            url=environment["REFUNDS_LANDING_URL"], tenant=self.tenant
        ).open()
        self.newstore: NewStore = NewStoreResource(
            base_url=environment["NEWSTORE_BASE_URL"],
            token_url=environment["NEWSTORE_TOKEN_URL"],
            client_id=environment["NEWSTORE_CLIENT_ID"],
            client_secret=environment["NEWSTORE_CLIENT_SECRET"],
            tenant=self.tenant,
        ).open()
        self.erp: NetSuite = NetSuiteResource(
            account=environment["NETSUITE_ACCOUNT"],
            base_url=environment["NETSUITE_BASE_URL"],
            client_id=environment["NETSUITE_CLIENT_ID"],
            certificate_id=environment["NETSUITE_CERTIFICATE_ID"],
            private_key_file=environment["NETSUITE_PRIVATE_KEY_FILE"],
        ).open(self.mapping.custom_body_fields)

    def read(self, day: date) -> LandingRead:
        return read_landing_day(day, bucket=self.bucket, ledger=self.ledger, tenant=self.tenant)

    def fetch(self, day: date) -> PaymentsFetched:
        return fetch_payments(
            day,
            ledger=self.ledger,
            open_newstore=lambda: self.newstore,
            mapping=self.mapping,
            clock=utc_now,
            random_source=self._chance,
        )

    def build(self, day: date) -> TransactionsBuilt:
        return build_transactions(
            day,
            ledger=self.ledger,
            erp=self.erp,
            mapping=self.mapping,
            mapping_version="bench",
            clock=utc_now,
            random_source=self._chance,
        )

    def post(self, day: date, *, concurrency: int) -> PostingSummary:
        around = Surroundings(utc_now, time.sleep, self._chance, lambda _: None)
        return post_refunds(
            day, ledger=self.ledger, erp=self.erp, concurrency=concurrency, surroundings=around
        )

    def compare(self, day: date) -> Reconciliation:
        return reconcile(
            day,
            ledger=self.ledger,
            erp=self.erp,
            prefix=self.mapping.external_id_prefix,
            clock=utc_now,
        )


@contextlib.contextmanager
def opened(environment: Mapping[str, str], ledger_file: Path, seed: int) -> Iterator[Steps]:
    """Open gateways and a SQLite ledger for the length of a `with` block."""
    with (
        mock.patch.dict(os.environ, environment),
        contextlib.closing(Ledger(f"sqlite:///{ledger_file}", clock=utc_now, run_id="bench")) as it,
    ):
        steps = Steps(environment, it, seed)
        try:
            yield steps
        finally:
            steps.erp.close()
            steps.newstore.close()
