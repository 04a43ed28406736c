"""Every scenario through the whole pipeline without Dagster, against the running sandbox.

One by one, and all at once in random order with duplicates. Each refund stands where its scenario
says at every checkpoint, and the sandbox's ERP, asked itself, has what was posted and nothing else.
Each test has a ledger and a landing day of its own, a week from any other's, since what the ERP has
around a day is compared with the ledger.
"""

import contextlib
import itertools
import logging
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from refund_pipeline.domain.mapping import Mapping
from refund_pipeline.domain.payments import Attribution
from refund_pipeline.domain.statuses import OUTSTANDING
from refund_pipeline.domain.transactions import external_id
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.netsuite import NetSuite
from refund_pipeline.gateways.netsuite_oauth2 import OAuth2ClientCredentials
from refund_pipeline.gateways.newstore import NewStore
from refund_pipeline.sandbox.netsuite.records import StoredCashRefund
from refund_pipeline.sandbox.retail import PERSONAL_MARKERS
from refund_pipeline.sandbox.sandbox import Sandbox
from refund_pipeline.sandbox.scenarios.library import all_scenarios
from refund_pipeline.sandbox.scenarios.model import Checkpoint
from refund_pipeline.sandbox.scenarios.staged import StagedRefund, StagedScenario
from refund_pipeline.sandbox.scenarios.staging import stage
from refund_pipeline.steps.landing import read_landing_day
from refund_pipeline.steps.payments import fetch_payments
from refund_pipeline.steps.posting import Surroundings, post_refunds
from refund_pipeline.steps.reconciliation import Reconciliation, reconcile
from refund_pipeline.steps.transactions import build_transactions
from refund_pipeline_tests.fakes import FakeClock, example_mapping, opened_ledger

SCENARIOS = all_scenarios()
MAPPING: Mapping = example_mapping()
ITEMS = {
    ("cash", "cash"): "8001",
    ("credit_card", "adyen"): "8101",
    ("credit_card", "stripe"): "8102",
    ("store_credit", "store_credit"): "8301",
}
GIFT_CARD_ITEMS = {
    (("gift_card", "gift_card"), "USD"): "8201",
    (("gift_card", "gift_card"), "EUR"): "8202",
}
WEEKS = itertools.count()
FIRST_DAY = datetime(2024, 3, 1, 12, tzinfo=timezone.utc)


@dataclass
class World:
    """The sandbox and the pipeline's gateways to it, on one clock."""

    sandbox: Sandbox
    clock: FakeClock
    bucket: LandingBucket
    newstore: NewStore
    erp: NetSuite
    empty_ledger: Path
    logged: list[str] = field(default_factory=list)

    def new_day(self) -> datetime:
        """Return noon of a landing day no other test uses, and let it be now."""
        self.clock._now = FIRST_DAY + timedelta(weeks=next(WEEKS))
        return self.clock.now()

    def ledger(self, folder: Path) -> Ledger:
        """Return an empty ledger; migrating one anew costs more than a scenario."""
        shutil.copyfile(self.empty_ledger, folder / "ledger.db")
        return opened_ledger(folder, self.clock)

    def run(self, ledger: Ledger) -> Reconciliation:
        """Run every step for the day it is."""
        day, chance = self.clock.now().date(), random.Random(1)
        read_landing_day(day, bucket=self.bucket, ledger=ledger, tenant="demo")
        fetch_payments(
            day,
            ledger=ledger,
            open_newstore=lambda: self.newstore,
            mapping=MAPPING,
            clock=self.clock.now,
            random_source=chance,
        )
        build_transactions(
            day,
            ledger=ledger,
            erp=self.erp,
            mapping=MAPPING,
            mapping_version="v1",
            clock=self.clock.now,
            random_source=chance,
        )
        around = Surroundings(self.clock.now, self.clock.sleep, chance, self.logged.append)
        post_refunds(day, ledger=ledger, erp=self.erp, concurrency=2, surroundings=around)
        return reconcile(
            day,
            ledger=ledger,
            erp=self.erp,
            prefix=MAPPING.external_id_prefix,
            clock=self.clock.now,
            everything=True,
        )


@contextlib.contextmanager
def running_world(folder: Path, *, show_correlation_id: bool) -> Iterator[World]:
    clock = FakeClock(FIRST_DAY)
    migrated = Ledger(f"sqlite:///{folder / 'empty.db'}", clock=clock.now)
    migrated.file_totals(FIRST_DAY.date())
    migrated.close()
    with Sandbox(clock=clock.now, state=folder, show_correlation_id=show_correlation_id) as sandbox:
        sandbox.netsuite.tokens._ttl = 10**9  # weeks pass between tests; a new token costs 0.2 s
        newstore = NewStore(
            base_url=sandbox.newstore.base_url,
            token_url=sandbox.newstore.token_url,
            client_id=sandbox.newstore.client_id,
            client_secret=sandbox.newstore.client_secret,
            tenant=sandbox.tenant,
        )
        authenticator = OAuth2ClientCredentials(
            account=sandbox.netsuite.account,
            base_url=sandbox.netsuite.base_url,
            client_id=sandbox.netsuite.client_id,
            certificate_id=sandbox.netsuite.certificate_id,
            private_key_pem=sandbox.netsuite.private_key_pem,
            clock=lambda: clock.now().timestamp(),
        )
        erp = NetSuite(
            account=sandbox.netsuite.account,
            base_url=sandbox.netsuite.base_url,
            authenticator=authenticator,
            custom_fields=MAPPING.custom_body_fields,
        )
        bucket = LandingBucket(
            sandbox.landing.url,
            tenant=sandbox.tenant,
            client=lambda: sandbox.landing.client,
            clock=clock.now,
        )
        yield World(sandbox, clock, bucket, newstore, erp, folder / "empty.db")
        newstore.close()
        erp._http.close()
        authenticator._http.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A tenant whose GraphQL shows no correlation ids."""
    folder = tmp_path_factory.mktemp("rest")
    with running_world(folder, show_correlation_id=False) as running:
        assert running.newstore.attribution is Attribution.REST
        yield running


@pytest.fixture(scope="module")
def world_by_graphql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A tenant whose GraphQL shows them."""
    folder = tmp_path_factory.mktemp("graphql")
    with running_world(folder, show_correlation_id=True) as running:
        assert running.newstore.attribution is Attribution.GRAPHQL
        yield running


def play(world: World, ledger: Ledger, staged: Sequence[StagedScenario]) -> Reconciliation:
    """Let the scenarios happen, and look at every refund at each of its checkpoints."""
    timeline = world.sandbox.timeline(staged)
    refunds = [refund for one in staged for refund in one.refunds]
    zero = staged[0].at
    moments = sorted({checkpoint.at for refund in refunds for checkpoint in refund.expected})
    for seconds in moments:
        world.clock._now = max(world.clock.now(), zero + timedelta(seconds=seconds))
        timeline.play(world.clock.now())
        world.run(ledger)
        for refund in refunds:
            for checkpoint in refund.expected:
                if checkpoint.at == seconds:
                    assert standing(ledger, refund) == said(refund, checkpoint)
    reconciliation = world.run(ledger)
    for refund in refunds:
        assert standing(ledger, refund) == said(refund, refund.end), "it stays where it ended"
    return reconciliation


def standing(ledger: Ledger, refund: StagedRefund) -> tuple[str, str, str | None]:
    row = ledger.refund(refund.refund_id)
    if row is None:
        return refund.scenario, "rejected", None
    return refund.scenario, row.status, row.reason


def said(refund: StagedRefund, checkpoint: Checkpoint) -> tuple[str, str, str | None]:
    return refund.scenario, checkpoint.status, checkpoint.reason


def check_erp(records: Sequence[StoredCashRefund], staged: Sequence[StagedScenario]) -> None:
    """Ask the ERP itself: exactly one record per posted refund, with exactly its tender lines."""
    refunds = [refund for one in staged for refund in one.refunds]
    expected = {
        external_id(refund.refund_id, MAPPING.external_id_prefix): refund
        for refund in refunds
        if refund.end.status == "posted"
    }
    assert Counter(record.external_id for record in records) == Counter(expected.keys())
    for record in records:
        refund = expected[record.external_id or ""]
        appeasement, *tenders = record.lines
        assert (appeasement.amount, record.currency) == (refund.amount, refund.currency)
        assert record.total == 0
        assert record.custom["custbody_nst_order_number"] == refund.order_number
        assert Counter(
            (line.item, line.amount, line.custom.get("custcol_nst_gift_card_last4"))
            for line in tenders
        ) == Counter(
            (
                GIFT_CARD_ITEMS.get((line.tender, refund.currency)) or ITEMS[line.tender],
                -line.amount,
                line.gift_card_last4,
            )
            for line in refund.end.tenders
        )


def check_money(ledger: Ledger, staged: Sequence[StagedScenario], day: datetime) -> None:
    """Money in is money posted + outstanding + held + skipped, per currency, exactly."""
    kinds = {"posted", "held", "skipped"}
    money_in, money_out = Counter[str](), Counter[tuple[str, str]]()
    for one in staged:
        for refund in one.refunds:
            if refund.end.status != "rejected":
                end = refund.end.status if refund.end.status in kinds else "outstanding"
                money_in[refund.currency] += refund.amount
                money_out[refund.currency, end] += refund.amount
    totals = ledger.status_totals(day.date())
    found_in, found_out = Counter[str](), Counter[tuple[str, str]]()
    for total in totals:
        assert total.status in OUTSTANDING | kinds
        end = total.status if total.status in kinds else "outstanding"
        found_in[total.currency] += total.amount
        found_out[total.currency, end] += total.amount
    assert found_in == money_in
    assert found_out == money_out
    files = ledger.file_totals(day.date())
    assert files.lines == files.events + files.duplicates + files.rejected


def check_secrets(
    world: World, ledger: Ledger, folder: Path, staged: Sequence[StagedScenario], logs: str
) -> None:
    """No card number and nothing personal in ledger, logs, requests and records."""
    ledger.close()
    kept = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
    sandbox = world.sandbox
    requests = repr((sandbox.newstore.audit.entries, sandbox.netsuite.audit.requests))
    records = repr(sandbox.netsuite.cash_refunds())
    said_aloud = "\n".join((logs, *world.logged, requests, records))
    for secret in (*PERSONAL_MARKERS, *(number for one in staged for number in one.card_numbers)):
        assert secret.encode() not in kept
        assert secret not in said_aloud


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, logger="refund_pipeline")
    return caplog


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_ends_as_documented(
    name: str, world: World, tmp_path: Path, logs: pytest.LogCaptureFixture
) -> None:
    day, ledger = world.new_day(), world.ledger(tmp_path)
    staged = [stage(name, SCENARIOS[name], at=day)]
    before = len(world.sandbox.netsuite.cash_refunds())

    reconciliation = play(world, ledger, staged)

    assert reconciliation.agrees
    check_erp(world.sandbox.netsuite.cash_refunds()[before:], staged)
    check_money(ledger, staged, day)
    check_secrets(world, ledger, tmp_path, staged, logs.text)


def in_disorder(staged: Sequence[StagedScenario], chance: random.Random) -> list[StagedScenario]:
    """Shuffle scenarios and what lands together, and let every event land more than once."""
    events = [event for one in staged for event in one.events]
    moments = sorted({event.at for event in events})
    told: list = []
    for moment in moments:
        together = [event for event in events if event.at == moment]
        earlier = [replace(event, at=moment) for event in events if event.at < moment]
        together += chance.sample(together, len(together) // 2)
        together += chance.sample(earlier, len(earlier) // 2)
        chance.shuffle(together)
        told += together
    others = [replace(one, events=()) for one in staged[1:]]
    shuffled = [replace(staged[0], events=tuple(told)), *others]
    chance.shuffle(shuffled)
    return shuffled


@pytest.mark.parametrize(("seed", "tenant"), [(1, "world"), (2, "world"), (3, "world_by_graphql")])
def test_all_scenarios_at_once_in_any_order_with_duplicates_end_as_documented(
    seed: int,
    tenant: str,
    tmp_path: Path,
    logs: pytest.LogCaptureFixture,
    request: pytest.FixtureRequest,
) -> None:
    world: World = request.getfixturevalue(tenant)
    day, ledger = world.new_day(), world.ledger(tmp_path)
    everything = [
        stage(name, scenario, at=day, seed=100 + seed) for name, scenario in SCENARIOS.items()
    ]
    before = len(world.sandbox.netsuite.cash_refunds())

    reconciliation = play(world, ledger, in_disorder(everything, random.Random(seed)))

    assert reconciliation.agrees
    assert ledger.file_totals(day.date()).duplicates > len(everything) // 2
    check_erp(world.sandbox.netsuite.cash_refunds()[before:], everything)
    check_money(ledger, everything, day)
    check_secrets(world, ledger, tmp_path, everything, logs.text)


def test_the_scenarios_hold_money_in_every_state() -> None:
    ends = Counter[str]()
    for scenario in SCENARIOS.values():
        for refund in scenario.refunds:
            ends[refund.end.status] += 1
    assert {"posted", "awaiting_payment", "awaiting_origin", "held", "skipped", "rejected"} == set(
        ends
    )
    assert sum(refund.amount for one in SCENARIOS.values() for refund in one.refunds) > Decimal(0)
