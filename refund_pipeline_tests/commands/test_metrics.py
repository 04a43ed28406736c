"""`refund-pipeline metrics`: text that Prometheus reads, with what the ledger says."""

from prometheus_client.parser import text_string_to_metric_families

from refund_pipeline.domain.standing import SensorTicks
from refund_pipeline.gateways.metrics import metrics_text, of_sensor
from refund_pipeline_tests.fakes import NOON


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Return every sample by its name, without our prefix, and its labels in order of name."""
    return {
        (
            sample.name.removeprefix("refund_pipeline_"),
            *(sample.labels[name] for name in sorted(sample.labels)),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_counts_by_status_and_reason_with_a_zero_where_there_is_none(shell) -> None:
    result = shell("metrics")
    assert result.exit_code == 0, result.output
    found = samples(result.stdout)
    assert found["open_refunds", "unmapped_tender", "held"] == 1
    assert found["open_refunds", "erp_uncertain", "uncertain"] == 3
    assert found["open_refunds", "", "landed"] == 1
    assert found["open_amount", "USD", "unmapped_tender", "held"] == 12.5
    assert found["open_refunds", "", "awaiting_origin"] == 0


def test_recent_refunds_by_standing_and_currency(shell) -> None:
    found = samples(shell("metrics").stdout)
    counts = {key[2]: value for key, value in found.items() if key[0] == "recent_refunds"}
    assert counts == {"posted": 2, "outstanding": 8, "held": 4, "skipped": 2}
    assert found["recent_amount", "USD", "posted"] == 25
    assert (found["landed_refunds_total",], found["settled_refunds",]) == (16, 4)


def test_ages_and_latencies_are_in_seconds(shell) -> None:
    found = samples(shell("metrics").stdout)
    assert found["oldest_seconds", "held"] == found["oldest_seconds", "outstanding"] == 1800
    assert found["seconds_to_post", "0.5"] == 0
    assert found["posted_last_day",] == 2
    assert ("seconds_to_post", "0.5") not in samples(shell("metrics", minutes=60 * 25).stdout)


def test_the_last_file_and_rejected_lines(shell) -> None:
    found = samples(shell("metrics").stdout)
    assert found["last_read_timestamp_seconds",] == NOON.timestamp()
    assert found["last_landed_timestamp_seconds",] == NOON.timestamp() - 3600
    assert found["rejected_lines",] == 2


def test_an_empty_ledger_has_numbers_too(empty_shell) -> None:
    found = samples(empty_shell("metrics").stdout)
    assert found["ledger_up",] == 1
    assert found["oldest_seconds", "held"] == 0
    assert ("last_landed_timestamp_seconds",) not in found


def test_a_ledger_that_cannot_be_used_is_exit_code_3(shell, monkeypatch) -> None:
    monkeypatch.setenv("REFUNDS_LEDGER_URL", "sqlite:////nowhere/ledger.db")
    result = shell("metrics")
    assert (result.exit_code, result.stdout) == (3, "")


def test_ticks_are_asked_of_dagster_only_where_it_is_said(shell, monkeypatch) -> None:
    result = shell("metrics", "--dagster")
    assert (result.exit_code, "DAGSTER_HOME is not set" in result.stderr) == (3, True)


def test_ticks_are_shown_as_moments() -> None:
    ticks = SensorTicks(last=NOON, last_good=None, started=None, stopped=True)
    assert samples(metrics_text(of_sensor(ticks)).decode()) == {
        ("landing_sensor_stopped",): 1,
        ("landing_sensor_tick_timestamp_seconds",): NOON.timestamp(),
    }
