"""The jobs a person launches in Dagster's UI, under a real instance."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from refund_pipeline.definitions import build_definitions
from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.transactions import Held
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import TransactionRow
from refund_pipeline.orchestration.pruning import finished_runs, prune_runs
from refund_pipeline.sandbox.retail import PAYPAL
from refund_pipeline.sandbox.sandbox import Sandbox
from refund_pipeline_tests.fakes import EXAMPLE_MAPPING, FakeClock, event, proven_ledger, refund_id

OPS = {
    "resolve_refund": "decide",
    "release_rejected_lines": "let_go",
    "reconcile": "compare",
    "prune": "delete",
}
JOBS = tuple(OPS)
ONE, TWO = refund_id(1), refund_id(2)
WHY = {"actor": "anna", "note": "settled with the store"}


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what the resources are made of; nothing of it is reached."""
    for name, value in {
        "REFUNDS_LEDGER_URL": f"sqlite:///{tmp_path / 'ledger.db'}",
        "REFUNDS_MAPPING": str(EXAMPLE_MAPPING),
        "REFUNDS_LANDING_URL": "s3://landing/events",
        "REFUNDS_TENANT": "demo",
        "NETSUITE_ACCOUNT": "1234567",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def ledger(settings: None, tmp_path: Path) -> Ledger:
    """Return a ledger in which two refunds are held for a closed period."""
    book = proven_ledger(tmp_path, [event(1), event(2)], FakeClock())
    held = Held("closed_period", "closed")
    book.save_transactions(
        [TransactionRow(name, held, 1, None) for name in (ONE, TWO)], mapping_version="v"
    )
    return book


def launch(
    instance: dg.DagsterInstance, name: str, **config: Any
) -> tuple[dg.ExecuteInProcessResult, str, dict[str, Any]]:
    """Run a job; return the result, why it failed, and what it shows."""
    result = (
        build_definitions()
        .resolve_job_def(name)
        .execute_in_process(
            instance=instance,
            run_config={"ops": {OPS[name]: {"config": config}}},
            raise_on_error=False,
        )
    )
    failures = [found for found in result.all_events if found.is_step_failure]
    why = failures[0].step_failure_data.user_failure_data.description if failures else ""
    outputs = [found for found in result.all_events if found.is_successful_output]
    metadata = outputs[0].step_output_data.metadata if outputs else {}
    if failures:
        metadata = failures[0].step_failure_data.user_failure_data.metadata
    return result, why or "", {key: value.value for key, value in metadata.items()}


def decisions(ledger: Ledger) -> dict[str, list[Action]]:
    made = ledger.resolutions([ONE, TWO])
    return {name: [one.action for one in found] for name, found in made.items()}


def test_a_decision_is_made_and_each_refund_shown(ledger: Ledger, instance) -> None:
    config = {"action": "skip", "reason": "closed_period", "since": "2026-11-20"}
    result, _, shown = launch(instance, "resolve_refund", **config, **WHY)
    assert result.success
    assert decisions(ledger) == {ONE: [Action.SKIP], TWO: [Action.SKIP]}
    made = ledger.resolutions([ONE])[ONE][0]
    assert (made.actor, made.note) == ("anna", "settled with the store")
    assert ledger.history(ONE)[-1].run_id == result.run_id
    assert (shown["decided"], shown["dry_run"]) == (2, False)
    assert ONE in shown["refunds"]


def test_a_dry_run_shows_the_plan_and_decides_nothing(ledger: Ledger, instance) -> None:
    config = {"action": "retry", "refund_ids": [ONE], "dry_run": True}
    result, _, shown = launch(instance, "resolve_refund", **config, **WHY)
    assert (result.success, shown["dry_run"], shown["decided"]) == (True, True, 0)
    assert decisions(ledger) == {}


def test_what_cannot_be_decided_fails_the_run_once_and_the_rest_is_done(
    ledger: Ledger, instance
) -> None:
    config = {"action": "skip", "refund_ids": [ONE, "gone"]}
    result, why, shown = launch(instance, "resolve_refund", **config, **WHY)
    assert not result.success
    assert why.startswith("1 of 2 refund(s) were left as they are: gone is not in the ledger")
    assert shown["decided"] == 1
    assert decisions(ledger) == {ONE: [Action.SKIP]}
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags["dagster/max_retries"] == "0"


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"actor": "", "note": "x", "refund_ids": [ONE]}, "a decision needs its actor"),
        ({"actor": "anna", "note": " ", "refund_ids": [ONE]}, "a decision needs its note"),
        ({**WHY}, "either refund_ids or a reason"),
        ({**WHY, "refund_ids": [ONE], "reason": "closed_period"}, "either refund_ids or a reason"),
        ({**WHY, "reason": "no_such"}, "is no reason"),
        ({**WHY, "reason": "closed_period", "since": "yesterday"}, "since is a date like"),
        ({**WHY, "reason": "daily_gate"}, "nothing was done"),
        ({**WHY, "refund_ids": [ONE], "tenders": ["cash"]}, "the action tender"),
    ],
)
def test_what_is_filled_in_wrongly_is_a_sentence(ledger: Ledger, instance, config, why) -> None:
    result, told, _ = launch(instance, "resolve_refund", action="skip", **config)
    assert (result.success, why in told, decisions(ledger)) == (False, True, {}), told


def test_a_day_of_a_person_in_the_ui(tmp_path: Path, monkeypatch, instance) -> None:
    """Held for an unknown tender, booked by another one; a bad line let go; both sides agree."""
    now = datetime.now(timezone.utc)
    state = tmp_path / "sandbox"
    state.mkdir()
    with Sandbox(state=state) as sandbox:
        for name, value in sandbox.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("REFUNDS_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
        refund = sandbox.retailer.refund("store", "USD", PAYPAL, at=now)
        sandbox.retailer.land(refund, at=now)
        sandbox.landing.land(["not json"], at=now)

        def sync() -> None:
            job = build_definitions().resolve_job_def("sync_refunds")
            assert job.execute_in_process(instance=instance, partition_key=str(now.date())).success

        sync()
        assert sandbox.netsuite.cash_refunds() == []
        ids = {"refund_ids": [refund.refund_id]}
        decided, why, _ = launch(
            instance, "resolve_refund", action="tender", tenders=["cash"], **ids, **WHY
        )
        assert decided.success, why
        sync()
        (record,) = sandbox.netsuite.cash_refunds()
        assert record.custom["custbody_nst_refund_id"] == refund.refund_id
        touched, why, _ = launch(instance, "resolve_refund", action="skip", **ids, **WHY)
        assert (touched.success, "is posted as record" in why) == (False, True)
        released, why, shown = launch(
            instance, "release_rejected_lines", day=str(now.date()), **WHY
        )
        assert (released.success, shown["released"]) == (True, "1 were let go as they are"), why
        again, why, _ = launch(instance, "release_rejected_lines", day=str(now.date()), **WHY)
        assert (again.success, "nothing was done" in why) == (False, True)
        agrees, why, shown = launch(instance, "reconcile", first_day=str(now.date()))
        assert (agrees.success, f"| {now.date()} | yes |" in shown["days"]) == (True, True), why


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"first_day": ""}, "first_day is empty"),
        ({"first_day": "x"}, "first_day is a date"),
        ({"first_day": "2026-11-20", "last_day": "2026-11-19"}, "last_day is before"),
    ],
)
def test_reconcile_says_which_day_is_none(settings, instance, config, why) -> None:
    result, told, _ = launch(instance, "reconcile", **config)
    assert (result.success, why in told) == (False, True)


def test_pruning_is_a_dry_run_first(ledger: Ledger, instance) -> None:
    result, why, shown = launch(instance, "prune")
    assert result.success, why
    assert shown == {"dry_run": True, "runs": 0, "orders": 0}
    result, why, _ = launch(instance, "prune", run_days=1)
    assert (result.success, "at least 7" in why) == (False, True)
    assert launch(instance, "prune", dry_run=False)[0].success


@dg.op(config_schema={"fails": bool})
def something(context: dg.OpExecutionContext) -> None:
    if context.op_config["fails"]:
        raise dg.Failure("as told")


@dg.job(executor_def=dg.in_process_executor)
def some_job() -> None:
    something()


def test_runs_go_but_the_newest_good_one_of_each_day_and_job() -> None:
    with dg.DagsterInstance.ephemeral() as instance:

        def ran(day: str | None = None, *, fails: bool = False) -> str:
            result = some_job.execute_in_process(
                instance=instance,
                run_config={"ops": {"something": {"config": {"fails": fails}}}},
                tags={"dagster/partition": day} if day else {},
                raise_on_error=False,
            )
            return result.run_id

        goes = [ran("2026-01-01"), ran("2026-01-01", fails=True)]
        kept = [ran("2026-01-01")]
        goes.append(ran("2026-01-01", fails=True))
        kept.append(ran("2026-01-02"))
        goes.append(ran())
        kept.append(ran())
        before = datetime.now(timezone.utc)
        young = ran(fails=True)
        assert finished_runs(instance, before=before) == goes
        assert finished_runs(instance, before=before - timedelta(hours=1)) == []
        prune_runs(instance, goes)
        assert {run.run_id for run in instance.get_runs()} == {*kept, young}
        assert instance.all_logs(goes[0]) == []
        assert instance.all_logs(kept[0]) != []


# what a person may fill in


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions()


def fields(job: dg.JobDefinition) -> dict[str, dg.Field]:
    (op,) = job.nodes
    return dict(op.definition.config_schema.as_field().config_type.fields)


def test_the_jobs_are_in_a_repository_dagster_can_load(definitions) -> None:
    loaded = {job.name for job in definitions.get_repository_def().get_all_jobs()}
    assert set(JOBS) <= loaded


@pytest.mark.parametrize("name", JOBS)
def test_every_field_says_what_it_is_for(definitions, name: str) -> None:
    found = fields(definitions.resolve_job_def(name))
    assert found
    assert [key for key, field in found.items() if len(field.description or "") < 15] == []


@pytest.mark.parametrize("name", JOBS)
def test_what_is_prefilled_is_valid_and_no_text_is_the_name_of_a_variable(
    settings, definitions, name: str
) -> None:
    job = definitions.resolve_job_def(name)
    assert dg.validate_run_config(job, job.run_config)
    prefilled = job.run_config["ops"][OPS[name]]["config"]
    secret: Any = {"env": "NEWSTORE_CLIENT_SECRET"}
    planted = {"String": secret, "Array.String": [secret]}
    for key, field in fields(job).items():
        if field.config_type.key in planted:
            config = {**prefilled, key: planted[field.config_type.key]}
            with pytest.raises(dg.DagsterInvalidConfigError, match="Invalid scalar"):
                dg.validate_run_config(job, {"ops": {OPS[name]: {"config": config}}})


def test_a_run_s_configuration_leads_no_decision_elsewhere(
    ledger: Ledger, instance, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    resources = {"ledger": {"config": {"url": f"sqlite:///{elsewhere}"}}}
    config = {"action": "skip", "refund_ids": [ONE], **WHY}
    ops = {"decide": {"config": config}}
    job = build_definitions().resolve_job_def("resolve_refund")
    job.execute_in_process(instance=instance, run_config={"ops": ops, "resources": resources})
    assert (decisions(ledger), elsewhere.exists()) == ({ONE: [Action.SKIP]}, False)
