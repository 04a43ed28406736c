"""The job's resources opened outside a run: what a run would get, and what is missing."""

from datetime import date
from pathlib import Path

import pytest

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.orchestration.resources import default_ledger_url
from refund_pipeline.orchestration.set_up import JobSetUp
from refund_pipeline.steps.doctor_findings import NotGiven, Verdict

REQUIRED = {
    "REFUNDS_TENANT": "demo",
    "REFUNDS_LANDING_URL": "s3://bucket/prefix",
    "REFUNDS_MAPPING": "mapping.yaml",
    "NEWSTORE_BASE_URL": "https://demo.p.newstore.example/",
    "NEWSTORE_TOKEN_URL": "https://id.example/token",
    "NEWSTORE_CLIENT_ID": "client",
    "NEWSTORE_CLIENT_SECRET": "secret",
    "NETSUITE_ACCOUNT": "1234567_SB1",
}
TODAY = date(2026, 11, 20)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Return an environment in which everything that is needed is set."""
    for name in ("NETSUITE_BASE_URL", "NETSUITE_CONCURRENCY", "REFUNDS_LEDGER_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REFUNDS_START_DATE", "2026-11-01")
    monkeypatch.setenv("REFUNDS_ALERTS", "https://alerts.example/hook")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").touch()
    return monkeypatch


def problems() -> list[str]:
    with JobSetUp() as set_up:
        return [one.what for one in set_up.settings(TODAY) if one.verdict is not Verdict.OK]


def test_what_is_needed_and_nothing_else_has_to_be_set(environment: pytest.MonkeyPatch) -> None:
    assert problems() == []
    for name in REQUIRED:
        environment.delenv(name)
    assert sorted(problems()) == [f"{name} is not set" for name in sorted(REQUIRED)]


def test_values_are_those_a_run_gets(environment: pytest.MonkeyPatch) -> None:
    with JobSetUp() as set_up:
        assert set_up.tenant() == "demo"
        assert set_up.newstore_address() == "https://demo.p.newstore.example"


def test_what_is_missing_is_named_by_whoever_needs_it(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("NEWSTORE_CLIENT_ID")
    environment.setenv("NEWSTORE_CLIENT_SECRET", "")
    with JobSetUp() as set_up:
        needed = "NEWSTORE_CLIENT_ID and NEWSTORE_CLIENT_SECRET must be set"
        with pytest.raises(NotGiven, match=needed):
            set_up.newstore()
        assert set_up.tenant() == "demo"


def test_a_number_that_is_none_does_not_show_its_value(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("NETSUITE_CONCURRENCY", "a-pasted-secret")
    with JobSetUp() as set_up, pytest.raises(Misconfigured) as refused:
        set_up.netsuite()
    assert str(refused.value) == "NETSUITE_CONCURRENCY must be a whole number"


@pytest.mark.parametrize("value", [" x", "x\n", "'x'", '"x"'])
def test_what_surrounds_a_value_is_told_without_the_value(
    environment: pytest.MonkeyPatch, value: str
) -> None:
    environment.setenv("NEWSTORE_CLIENT_SECRET", value)
    (problem,) = problems()
    assert problem.startswith("the value of NEWSTORE_CLIENT_SECRET begins or ends with")


def test_the_ledger_without_a_url_is_the_default_one(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with JobSetUp() as set_up:
        set_up.ledger().prove_writable()
    assert (tmp_path / "refund_ledger.db").is_file()
    assert default_ledger_url().endswith(str(tmp_path / "refund_ledger.db"))


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ("2026-11-20", None),
        ("2026-11-21", "nothing is posted before"),
        ("2027-11-21", "nothing is posted before"),
        ("2027-11-22", "more than a year ahead"),
        ("2025-11-19", None),
        ("2025-11-18", "everything that landed since is posted"),
        ("20.11.2026", "is not a date"),
        (" ", "no landing day is ever asked for"),
    ],
)
def test_the_start_date_is_sane(
    environment: pytest.MonkeyPatch, start: str, says: str | None
) -> None:
    environment.setenv("REFUNDS_START_DATE", start)
    found = problems()
    assert found == [] if says is None else says in found[0]
