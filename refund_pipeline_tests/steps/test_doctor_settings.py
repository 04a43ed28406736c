"""Mistakes in settings, mapping file, ledger, bucket and NewStore: each is found."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import pytest

from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline.sandbox.sandbox import Sandbox
from refund_pipeline.steps.doctor_findings import Verdict
from refund_pipeline_tests.gateways.scripted_server import closed_port
from refund_pipeline_tests.planted import Planted, account, healthy, shared_sandbox, wrong

Plant: TypeAlias = Callable[[Planted], object]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with shared_sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def netsuite() -> Iterator[NetSuiteSandbox]:
    """Start an account that no test here changes."""
    with account() as running:
        yield running


@pytest.fixture
def planted(sandbox: Sandbox, netsuite: NetSuiteSandbox, tmp_path: Path) -> Iterator[Planted]:
    with healthy(sandbox, tmp_path, netsuite) as ready:
        yield ready


def start_in(planted: Planted, days: int) -> None:
    planted.set(REFUNDS_START_DATE=(planted.now.date() + timedelta(days=days)).isoformat())


ERRORS: dict[str, tuple[Plant, str, str, str]] = {
    "a secret is not set": (
        lambda it: it.unset("NEWSTORE_CLIENT_SECRET"),
        "settings",
        "NEWSTORE_CLIENT_SECRET is not set",
        "set NEWSTORE_CLIENT_SECRET",
    ),
    "a variable is blank": (
        lambda it: it.set(NETSUITE_ACCOUNT=" "),
        "settings",
        "NETSUITE_ACCOUNT is not set",
        "set NETSUITE_ACCOUNT",
    ),
    "a channel of alerts is none": (
        lambda it: it.set(REFUNDS_ALERTS="https://a.example/hook ftp://planted.example/"),
        "settings",
        "REFUNDS_ALERTS, entry 2, must be https://",
        "correct REFUNDS_ALERTS",
    ),
    "a limit is no number": (
        lambda it: it.set(REFUNDS_TICK_LIMIT_MINUTES="soon"),
        "settings",
        "REFUNDS_TICK_LIMIT_MINUTES is not a whole number",
        "correct it",
    ),
    "there is no start date": (
        lambda it: it.unset("REFUNDS_START_DATE"),
        "settings",
        "REFUNDS_START_DATE is not set",
        "set REFUNDS_START_DATE",
    ),
    "the start date is no date": (
        lambda it: it.set(REFUNDS_START_DATE="1.11.2026"),
        "settings",
        "REFUNDS_START_DATE is not a date",
        "set REFUNDS_START_DATE",
    ),
    "the start date is years ahead": (
        lambda it: start_in(it, 3650),
        "settings",
        "more than a year ahead",
        "correct REFUNDS_START_DATE",
    ),
    "Dagster's home is not there": (
        lambda it: it.set(DAGSTER_HOME=str(it.directory / "nowhere")),
        "settings",
        "DAGSTER_HOME is no directory",
        "correct DAGSTER_HOME",
    ),
    "there is no mapping file": (
        lambda it: it.set(REFUNDS_MAPPING=str(it.directory / "nowhere.yaml")),
        "mapping",
        "there is no such file",
        "correct it in",
    ),
    "the mapping misspells a key": (
        lambda it: it.mapping["appeasement_items"].update(defualt="9001"),
        "mapping",
        "appeasement_items.defualt: is not a field of the mapping",
        "docs/mapping.md",
    ),
    "the mapping names a zone that is none": (
        lambda it: it.mapping["stores"]["NYC01"].update(zone="America/New_Yrok"),
        "mapping",
        "stores.NYC01.zone: America/New_Yrok is not an IANA time zone",
        "correct it in",
    ),
    "the ledger's URL is none": (
        lambda it: it.set(REFUNDS_LEDGER_URL="mysql://nowhere/ledger"),
        "ledger",
        "must begin with sqlite:/// or postgresql://",
        "correct REFUNDS_LEDGER_URL",
    ),
    "the ledger's directory is not there": (
        lambda it: it.set(REFUNDS_LEDGER_URL=f"sqlite:///{it.directory}/nowhere/ledger.db"),
        "ledger",
        "unable to open database file",
        "correct REFUNDS_LEDGER_URL",
    ),
    "the landing URL is of another kind": (
        lambda it: it.set(REFUNDS_LANDING_URL="https://bucket.example/events"),
        "landing bucket",
        "is not an S3 URL",
        "correct REFUNDS_LANDING_URL",
    ),
    "the bucket is misspelt": (
        lambda it: it.set(REFUNDS_LANDING_URL="s3://no-such-bucket-here/newstore/events"),
        "landing bucket",
        "NoSuchBucket",
        "correct REFUNDS_LANDING_URL",
    ),
    "NewStore is asked without TLS": (
        lambda it: it.set(NEWSTORE_BASE_URL="http://tenant.p.newstore.example"),
        "NewStore",
        "NEWSTORE_BASE_URL must be an https:// URL",
        "correct the NEWSTORE_ variables",
    ),
    "NewStore's host is not there": (
        lambda it: it.set(NEWSTORE_BASE_URL=closed_port()),
        "NewStore",
        "cannot be reached",
        "check the address in the NEWSTORE_ variables",
    ),
    "NewStore's secret is wrong": (
        lambda it: it.set(NEWSTORE_CLIENT_SECRET="0" * 32),
        "NewStore",
        "answered 401 invalid_client without a token",
        "correct NEWSTORE_CLIENT_ID, NEWSTORE_CLIENT_SECRET",
    ),
    "NewStore's realm is wrong": (
        lambda it: it.set(NEWSTORE_TOKEN_URL=it.newstore.token_url.replace("demo", "dmeo")),
        "NewStore",
        "answered 404 without a token",
        "NEWSTORE_TOKEN_URL",
    ),
    "the API client may not read payment accounts": (
        lambda it: it.newstore.forbid("payment_account"),
        "NewStore",
        "answered 403",
        "permitted to read payment accounts",
    ),
    "the API client may not read refunds": (
        lambda it: it.newstore.forbid("refunds"),
        "NewStore",
        "answered 403",
        "permitted to read refunds of orders",
    ),
    "the API client may not use GraphQL": (
        lambda it: it.newstore.forbid("graphql"),
        "NewStore",
        "answered 403",
        "permitted to read orders",
    ),
    "the attribution is misspelt": (
        lambda it: it.set(NEWSTORE_ATTRIBUTION="graphql-only"),
        "NewStore",
        "NEWSTORE_ATTRIBUTION must be one of",
        "correct the NEWSTORE_ variables",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_a_mistake_is_found_alone_and_with_its_cure(
    name: str, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant, area, what, fix = ERRORS[name]
    plant(planted)
    (found,) = wrong(planted.findings(monkeypatch))
    assert found.area == area
    assert what in found.what
    assert fix in found.fix


WARNINGS: dict[str, tuple[Plant, str, str, str]] = {
    "nobody is told": (
        lambda it: it.unset("REFUNDS_ALERTS"),
        "settings",
        "nobody is told when something needs a person",
        "refund-pipeline watch --test",
    ),
    "the start date lies ahead": (
        lambda it: start_in(it, 10),
        "settings",
        "nothing is posted before",
        "correct REFUNDS_START_DATE",
    ),
    "the start date lies far back": (
        lambda it: start_in(it, -1000),
        "settings",
        "everything that landed since is posted",
        "correct REFUNDS_START_DATE",
    ),
    "a secret ends with a line break": (
        lambda it: it.set(NETSUITE_BASE_URL=f"{it.netsuite.base_url}\n"),
        "settings",
        "the value of NETSUITE_BASE_URL begins or ends with",
        "set NETSUITE_BASE_URL without it",
    ),
    "there is no home for Dagster": (
        lambda it: it.unset("DAGSTER_HOME"),
        "settings",
        "DAGSTER_HOME is not set",
        "set DAGSTER_HOME",
    ),
    "Dagster has no settings": (
        lambda it: (it.directory / "home" / "dagster.yaml").unlink(),
        "settings",
        "failed runs are not tried again",
        "copy dagster.yaml",
    ),
    "the tenant is misspelt": (
        lambda it: it.set(REFUNDS_TENANT="dmeo"),
        "landing bucket",
        "newstore/events/demo/ holds files",
        "REFUNDS_TENANT",
    ),
    "the prefix is misspelt": (
        lambda it: it.set(REFUNDS_LANDING_URL=f"{it.environment['REFUNDS_LANDING_URL']}s"),
        "landing bucket",
        "nothing of tenant demo landed",
        "REFUNDS_LANDING_URL",
    ),
    "posting is stopped": (
        lambda it: it.mapping["gates"].update(stop_posting=True),
        "mapping",
        "every refund is held",
        "gates.stop_posting: false",
    ),
    "there are no stores": (
        lambda it: it.mapping.update(stores={}),
        "mapping",
        "there are no stores",
        "under stores",
    ),
    "web orders in a currency have no place": (
        lambda it: it.mapping["web"].pop("JPY"),
        "mapping",
        "web has no row for JPY",
        "add JPY under web",
    ),
    "a place's currency has no id": (
        lambda it: it.mapping["currencies"].pop("JPY"),
        "mapping",
        "currencies has no JPY",
        "add JPY under currencies",
    ),
    "the clock is a little ahead": (
        lambda it: setattr(it, "now", it.now + timedelta(seconds=120)),
        "clock",
        "s ahead of NewStore's",
        "by NTP",
    ),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_what_is_worth_a_look_is_a_warning_alone(
    name: str, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant, area, what, fix = WARNINGS[name]
    plant(planted)
    (found,) = (one for one in planted.findings(monkeypatch) if one.verdict is not Verdict.OK)
    assert found.verdict is Verdict.WARNING
    assert found.area == area
    assert what in found.what
    assert fix in found.fix


def test_a_healthy_set_up_is_all_well(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [one for one in planted.findings(monkeypatch) if one.verdict is not Verdict.OK] == []


def test_every_problem_of_the_mapping_is_listed_whatever_else_is_broken(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted.set(NEWSTORE_CLIENT_SECRET="0" * 32)
    planted.unset("NETSUITE_CERTIFICATE_ID")
    planted.mapping["custom_form"] = 131
    planted.mapping["tenders"][0]["item"] = "cash"
    found = wrong(planted.findings(monkeypatch))
    assert [one.area for one in found] == ["mapping", "mapping", "NewStore", "NetSuite"]
    assert {one.what.split(":")[0] for one in found[:2]} == {"custom_form", "tenders[0].item"}
    assert "NETSUITE_CERTIFICATE_ID" in found[3].what


def test_a_wrong_mapping_leaves_the_account_itself_to_be_checked(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted.mapping.pop("tenders")
    findings = planted.findings(monkeypatch)
    assert "lets us in" in " ".join(one.what for one in findings)
    assert "the ids and fields of the mapping" in " ".join(one.what for one in findings)


def test_an_outage_of_newstore_is_told_and_not_waited_for(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted.newstore.faults.start_outage()
    try:
        (found,) = wrong(planted.findings(monkeypatch))
    finally:
        planted.newstore.faults.end_outage()
    assert "answers 503" in found.what


def test_the_payment_account_is_not_asked_where_it_never_is(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted.set(NEWSTORE_ATTRIBUTION="graphql_only")
    planted.newstore.forbid("payment_account")
    assert wrong(planted.findings(monkeypatch)) == []


def test_the_refund_resource_is_not_asked_where_the_event_is_trusted(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted.mapping["policies"]["returns"] = "event"
    planted.newstore.forbid("refunds")
    assert wrong(planted.findings(monkeypatch)) == []
