"""The job under a real Dagster instance, against the sandbox."""

import json
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
import stamina

from refund_pipeline.definitions import build_definitions
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.orchestration.partitions import day_of
from refund_pipeline.orchestration.resources import default_resources
from refund_pipeline.orchestration.sensors import landing_bucket_sensor, outstanding_refunds_sensor
from refund_pipeline.sandbox.retail import ADYEN, CASH, PAYPAL
from refund_pipeline.sandbox.sandbox import Sandbox

FAST = {"dagster/max_retries": "3"}
LAST = {"dagster/max_retries": "3", "dagster/retry_number": "3"}


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch):
    state = tmp_path / "sandbox"
    state.mkdir()
    with Sandbox(state=state) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("REFUNDS_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
        yield running


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def ledger(tmp_path: Path):
    book = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=lambda: datetime.now(timezone.utc))
    yield book
    book.close()


@pytest.fixture
def now() -> datetime:
    return datetime.now(timezone.utc)


def run(instance, day, *, tags=None, options=None, job="sync_refunds"):
    config = {"resources": {"options": {"config": options}}} if options else {}
    return (
        build_definitions()
        .resolve_job_def(job)
        .execute_in_process(
            instance=instance,
            partition_key=day.isoformat(),
            tags=tags or {},
            run_config=config,
            raise_on_error=False,
        )
    )


def statuses(ledger) -> Counter:
    counts = Counter()
    for item in ledger.status_totals():
        counts[item.status] += item.count
    return counts


def test_a_landed_day_is_posted_and_a_rerun_posts_nothing(sandbox, instance, ledger, now) -> None:
    refunds = [sandbox.retailer.any_refund(now) for _ in range(6)]
    sandbox.retailer.land(*refunds, at=now)
    assert run(instance, now.date()).success
    assert statuses(ledger) == {"posted": 6}
    records = sandbox.netsuite.cash_refunds()
    posts = sandbox.netsuite.audit.posts
    assert run(instance, now.date()).success
    assert sandbox.netsuite.cash_refunds() == records
    assert sandbox.netsuite.audit.posts == posts


def test_the_demo_day_ends_as_the_retailer_expects(sandbox, instance, ledger, now) -> None:
    day = sandbox.retailer.demo_day(now - timedelta(minutes=1))
    sandbox.netsuite.faults.lose_answers(1)
    result = run(instance, day.landing_day, tags=LAST)
    assert result.success
    assert statuses(ledger) == {"posted": day.posted, "held": day.held}
    totals = ledger.file_totals(day.landing_day)
    assert (totals.duplicates, totals.rejected) == (day.duplicates, day.rejected)
    assert sum(totals.other_events.values()) == day.other_events
    by_refund = {
        record.custom["custbody_nst_refund_id"]: record
        for record in sandbox.netsuite.cash_refunds()
    }
    assert len(by_refund) == len(sandbox.netsuite.cash_refunds()) == day.posted
    for refund in day.refunds:
        if refund.expected == "posted":
            record = by_refund[refund.refund_id]
            assert record.currency == refund.currency
            assert sum(line.amount for line in record.lines) == 0
            assert max(line.amount for line in record.lines) == refund.amount


def test_the_checks_name_what_needs_a_person(sandbox, instance, now) -> None:
    refund = sandbox.retailer.refund("store", "USD", PAYPAL, at=now)
    sandbox.retailer.land(refund, at=now)
    sandbox.landing.land(["not json"], at=now)
    result = run(instance, now.date())
    assert result.success
    failed = {
        evaluation.check_name: evaluation
        for evaluation in result.get_asset_check_evaluations()
        if not evaluation.passed
    }
    assert set(failed) == {"nothing_rejected", "nothing_held"}
    assert refund.refund_id in str(failed["nothing_held"].metadata["refunds"].value)


def test_every_asset_shows_counts_amounts_and_a_preview(sandbox, instance, now) -> None:
    refund = sandbox.retailer.refund("store", "USD", CASH, at=now)
    sandbox.retailer.land(refund, at=now)
    result = run(instance, now.date())
    for asset in (
        "refund_events",
        "order_payments",
        "refund_transactions",
        "erp_postings",
        "refund_reconciliation",
    ):
        (event,) = result.asset_materializations_for_node(asset)
        assert event.metadata["refunds"].value == 1
        assert event.metadata["amount"].value == f"{refund.amount} USD"
        assert refund.refund_id in event.metadata["preview"].value


def test_late_payments_fail_the_run_while_retries_are_left(sandbox, instance, ledger, now) -> None:
    later = now + timedelta(hours=1)
    late = sandbox.retailer.refund("store", "USD", ADYEN, payments_available_at=later, at=now)
    prompt = sandbox.retailer.refund("store", "USD", ADYEN, at=now)
    sandbox.retailer.land(late, prompt, at=now)
    first = run(instance, now.date())
    assert not first.success
    assert ledger.refund(prompt.refund_id).status == "posted", "the others do not wait"
    assert ledger.refund(late.refund_id).status == "awaiting_payment"
    assert first.get_asset_check_evaluations(), "what was found is shown although the run fails"
    assert run(instance, now.date(), tags=LAST).success


@pytest.mark.parametrize("tags", [{"dagster/max_retries": "0"}, {"dagster/backfill": "b"}])
def test_late_payments_are_a_normal_outcome_where_no_retry_follows(
    sandbox, instance, now, tags
) -> None:
    later = now + timedelta(hours=1)
    late = sandbox.retailer.refund("store", "USD", ADYEN, payments_available_at=later, at=now)
    sandbox.retailer.land(late, at=now)
    assert run(instance, now.date(), tags=tags).success


def test_an_erp_outage_fails_the_run_and_the_next_one_posts_everything(
    sandbox, instance, ledger, now
) -> None:
    refunds = [sandbox.retailer.refund("store", "USD", CASH, at=now) for _ in range(4)]
    sandbox.retailer.land(*refunds, at=now)
    assert run(instance, now.date(), options={"dry_run": True}).success
    sandbox.netsuite.faults.drop_before_commit(100)
    failed = run(instance, now.date())
    assert not failed.success
    assert sandbox.netsuite.cash_refunds() == []
    sandbox.netsuite.faults.drop_before_commit(0)
    assert run(instance, now.date()).success
    assert statuses(ledger) == {"posted": 4}
    assert len(sandbox.netsuite.cash_refunds()) == 4


def test_refused_credentials_are_not_retried(sandbox, instance, now, monkeypatch) -> None:
    sandbox.retailer.land(sandbox.retailer.any_refund(now), at=now)
    monkeypatch.setenv("NEWSTORE_CLIENT_SECRET", "wrong")
    result = run(instance, now.date())
    assert not result.success
    tags = instance.get_run_by_id(result.run_id).tags
    assert tags["dagster/retry_on_asset_or_op_failure"] == "false"


def test_a_dry_run_shows_the_bodies_and_posts_nothing(sandbox, instance, ledger, now) -> None:
    refund = sandbox.retailer.refund("store", "USD", CASH, at=now)
    sandbox.retailer.land(refund, at=now)
    result = run(instance, now.date(), options={"dry_run": True})
    assert result.success
    assert sandbox.netsuite.audit.posts == 0
    (shown,) = result.asset_materializations_for_node("erp_postings")
    assert refund.refund_id in shown.metadata["bodies"].value
    assert shown.metadata["would_post"].value == 1
    balance = shown.metadata["balance"].value.splitlines()
    (summed,) = [line.split("|") for line in balance if "**sum**" in line]
    assert summed[-3].strip() == summed[-2].strip() == str(refund.amount)
    assert ledger.refund(refund.refund_id).status == "ready"


def test_only_the_refunds_asked_for_are_posted(sandbox, instance, ledger, now) -> None:
    refunds = [sandbox.retailer.refund("store", "USD", CASH, at=now) for _ in range(3)]
    sandbox.retailer.land(*refunds, at=now)
    wanted = refunds[1].refund_id
    assert run(instance, now.date(), options={"refund_ids": [wanted]}).success
    assert statuses(ledger) == {"posted": 1, "landed": 2}
    assert ledger.refund(wanted).status == "posted"


def test_a_record_deleted_in_the_erp_fails_the_agreement_check(
    sandbox, instance, ledger, now, tmp_path, monkeypatch
) -> None:
    refund = sandbox.retailer.refund("store", "USD", CASH, at=now)
    sandbox.retailer.land(refund, at=now)
    assert run(instance, now.date()).success
    another = tmp_path / "another"
    another.mkdir()
    with Sandbox(state=another) as empty:
        for name, value in empty.environment().items():
            if name.startswith("NETSUITE"):
                monkeypatch.setenv(name, value)
        monkeypatch.setattr(
            "refund_pipeline.steps.reconciliation.INDEX_GRACE", timedelta(seconds=-1)
        )
        result = run(instance, now.date(), options={"reconcile_everything": True})
    (check,) = [
        evaluation
        for evaluation in result.get_asset_check_evaluations()
        if evaluation.check_name == "ledger_and_erp_agree"
    ]
    assert not check.passed
    assert refund.refund_id in check.description


def test_a_day_before_the_start_is_refused_and_not_even_read(
    sandbox, instance, ledger, now, monkeypatch
) -> None:
    sandbox.retailer.land(sandbox.retailer.any_refund(now), at=now)
    first = now.date() + timedelta(days=1)
    monkeypatch.setenv("REFUNDS_START_DATE", first.isoformat())
    job = build_definitions().resolve_job_def("sync_refunds")
    result = job.execute_in_process(
        instance=instance,
        tags={"dagster/partition": now.date().isoformat()},
        raise_on_error=False,
    )
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "before REFUNDS_START_DATE" in str(failure.step_failure_data.error)
    tags = instance.get_run_by_id(result.run_id).tags
    assert tags["dagster/retry_on_asset_or_op_failure"] == "false"
    assert ledger.status_totals() == []


def tick(sensor, instance, cursor=None):
    with dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        definitions=build_definitions(),
        resources=default_resources(),
    ) as context:
        return sensor.evaluate_tick(context)


def test_the_landing_sensor_requests_the_days_of_unread_files_until_they_are_read(
    sandbox, instance, now
) -> None:
    before = now - timedelta(days=2)
    for at in (before, now):
        sandbox.retailer.land(sandbox.retailer.any_refund(at), at=at)
    first = tick(landing_bucket_sensor, instance)
    days = [request.partition_key for request in first.run_requests]
    assert days == [before.date().isoformat(), now.date().isoformat()]
    again = tick(landing_bucket_sensor, instance, first.cursor)
    assert [request.partition_key for request in again.run_requests] == days
    for day in days:
        run(instance, day_of(day))
    last = tick(landing_bucket_sensor, instance, again.cursor)
    assert last.run_requests == []
    assert datetime.fromisoformat(last.cursor) > before


def test_what_lands_on_a_day_that_cannot_be_finished_is_tried_once_and_not_four_times(
    sandbox, instance, now
) -> None:
    def lands() -> dg.RunRequest:
        sandbox.retailer.land(sandbox.retailer.refund("store", "USD", CASH, at=now), at=now)
        (request,) = tick(landing_bucket_sensor, instance).run_requests
        return request

    assert "dagster/max_retries" not in lands().tags
    sandbox.netsuite.faults.start_outage()
    with stamina.set_testing(True):
        assert not run(instance, now.date(), tags=LAST).success
    assert lands().tags["dagster/max_retries"] == "0"
    sandbox.netsuite.faults.end_outage()
    assert run(instance, now.date()).success
    assert "dagster/max_retries" not in lands().tags


def test_the_landing_sensor_leaves_out_what_landed_before_the_start(sandbox, instance, now) -> None:
    old = now - timedelta(days=60)
    sandbox.retailer.land(sandbox.retailer.any_refund(old), at=old)
    assert tick(landing_bucket_sensor, instance).run_requests == []


@pytest.mark.parametrize("sensor", [landing_bucket_sensor, outstanding_refunds_sensor])
def test_without_a_start_date_no_sensor_requests_anything(
    sandbox, instance, now, monkeypatch, sensor
) -> None:
    sandbox.retailer.land(sandbox.retailer.any_refund(now), at=now)
    monkeypatch.delenv("REFUNDS_START_DATE")
    result = tick(sensor, instance)
    assert not result.run_requests
    assert "REFUNDS_START_DATE" in result.skip_message


def test_the_outstanding_sensor_requests_days_that_never_finished(
    sandbox, instance, ledger, now
) -> None:
    sandbox.retailer.land(sandbox.retailer.any_refund(now), at=now)
    assert run(instance, now.date(), options={"refund_ids": ["none"]}).success
    assert statuses(ledger) == {"landed": 1}
    first = tick(outstanding_refunds_sensor, instance)
    (request,) = first.run_requests
    assert request.partition_key == now.date().isoformat()
    assert request.tags["dagster/max_retries"] == "0"
    assert tick(outstanding_refunds_sensor, instance, first.cursor).run_requests == []
    assert list(json.loads(first.cursor)) == [now.date().isoformat()]
    run(instance, now.date())
    assert json.loads(tick(outstanding_refunds_sensor, instance, first.cursor).cursor) == {}


def test_what_a_run_leaves_behind_holds_no_personal_data(sandbox, tmp_path, now, capfd) -> None:
    from refund_pipeline.sandbox.retail import PERSONAL_MARKERS

    home = tmp_path / "home"
    home.mkdir()
    day = sandbox.retailer.demo_day(now - timedelta(minutes=1))
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        assert run(instance, day.landing_day, tags=LAST).success
    out, err = capfd.readouterr()
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    secrets = [sandbox.newstore.client_secret, *PERSONAL_MARKERS]
    assert len(written) > 3
    for secret in secrets:
        assert secret not in out + err
        assert not any(secret.encode() in content for content in written), secret
