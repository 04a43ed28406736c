"""Mistakes in NetSuite, or in what the mapping says of it: each is found alone, with its cure."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import stamina

from refund_pipeline.sandbox.netsuite.properties import Kind
from refund_pipeline.sandbox.netsuite.role import Level
from refund_pipeline.sandbox.netsuite.server import (
    BODY_CUSTOM_FIELDS,
    LINE_CUSTOM_FIELDS,
    NetSuiteSandbox,
)
from refund_pipeline.sandbox.netsuite.suiteql_switches import HiddenColumn
from refund_pipeline.sandbox.sandbox import Sandbox
from refund_pipeline.steps.doctor_findings import Finding, Verdict
from refund_pipeline_tests.gateways.scripted_server import closed_port
from refund_pipeline_tests.planted import Planted, account, healthy, shared_sandbox, wrong

Plant: TypeAlias = Callable[[Planted], object]
Case: TypeAlias = tuple[Plant, str, str, str]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with shared_sandbox() as running:
        yield running


@pytest.fixture
def planted(sandbox: Sandbox, tmp_path: Path) -> Iterator[Planted]:
    with account() as netsuite, healthy(sandbox, tmp_path, netsuite) as ready:
        yield ready


@contextmanager
def new_account(sandbox: Sandbox, directory: Path, **settings: Any) -> Iterator[Planted]:
    """Set everything up with an account nobody has posted to."""
    with (
        account(has_refund=False, **settings) as netsuite,
        healthy(sandbox, directory, netsuite) as planted,
    ):
        yield planted


def change(lists: str, internal_id: str, **changes: Any) -> Plant:
    """Plant a change of an entry of the account's lists."""

    def plant(it: Planted) -> None:
        entry = getattr(it.netsuite.master_data, lists)[internal_id]
        it.netsuite.master_data.put(replace(entry, **changes))

    return plant


def tba(it: Planted, **changes: str) -> None:
    """Change the environment to token-based authentication."""
    netsuite = it.netsuite
    it.unset("NETSUITE_CLIENT_ID", "NETSUITE_CERTIFICATE_ID", "NETSUITE_PRIVATE_KEY_FILE")
    it.set(
        **{
            "NETSUITE_AUTH": "tba",
            "NETSUITE_CONSUMER_KEY": netsuite.consumer_key,
            "NETSUITE_CONSUMER_SECRET": netsuite.consumer_secret,
            "NETSUITE_TOKEN_ID": netsuite.token_id,
            "NETSUITE_TOKEN_SECRET": netsuite.token_secret,
            **changes,
        }
    )


def level(record: str, to: Level) -> Plant:
    """Plant a permission level of the role for one record type."""

    def plant(it: Planted) -> None:
        (kind,) = (one for one in it.netsuite.role.records if one.value == record)
        it.netsuite.role.records[kind] = to

    return plant


def this_month(it: Planted) -> str:
    return f"{it.now:%Y-%m}"


CREDENTIALS: dict[str, Case] = {
    "the certificate id is another's": (
        lambda it: it.set(NETSUITE_CERTIFICATE_ID="another"),
        "NetSuite",
        "NetSuite refuses the credentials (400, invalid_grant)",
        "its certificate",
    ),
    "the certificate was revoked": (
        lambda it: it.netsuite.tokens.revoke_certificate(it.netsuite.certificate_id),
        "NetSuite",
        "NetSuite refuses the credentials",
        "its certificate",
    ),
    "the token's secret is wrong": (
        lambda it: tba(it, NETSUITE_TOKEN_SECRET="0" * 64),
        "NetSuite",
        "NetSuite refuses a fresh signature",
        "correct the NETSUITE_ variables",
    ),
    "the user is inactive": (
        lambda it: setattr(it.netsuite.logins.access, "user_active", False),
        "NetSuite",
        "NetSuite refuses",
        "its user",
    ),
    "the key is not there": (
        lambda it: it.set(NETSUITE_PRIVATE_KEY_FILE=str(it.directory / "nowhere.pem")),
        "NetSuite",
        "NETSUITE_PRIVATE_KEY_FILE cannot be read",
        "correct the NETSUITE_ variables",
    ),
    "a variable of the login is missing": (
        lambda it: it.unset("NETSUITE_CLIENT_ID"),
        "NetSuite",
        "set NETSUITE_CLIENT_ID too",
        "correct the NETSUITE_ variables",
    ),
    "the way to log in is misspelt": (
        lambda it: it.set(NETSUITE_AUTH="oauth"),
        "NetSuite",
        "it must be oauth2 or tba",
        "correct the NETSUITE_ variables",
    ),
    "the account is a host name": (
        lambda it: it.set(NETSUITE_ACCOUNT="1234567.suitetalk.api.netsuite.com"),
        "NetSuite",
        "NETSUITE_ACCOUNT must be an account id",
        "correct the NETSUITE_ variables",
    ),
    "the account is asked without TLS": (
        lambda it: it.set(NETSUITE_BASE_URL="http://1234567.suitetalk.api.example"),
        "NetSuite",
        "NETSUITE_BASE_URL must be an https:// URL",
        "correct the NETSUITE_ variables",
    ),
    "the concurrency is no number": (
        lambda it: it.set(NETSUITE_CONCURRENCY="two"),
        "NetSuite",
        "NETSUITE_CONCURRENCY must be a whole number",
        "correct the NETSUITE_ variables",
    ),
    "the concurrency is none": (
        lambda it: it.set(NETSUITE_CONCURRENCY="0"),
        "NetSuite",
        "NETSUITE_CONCURRENCY must be between 1 and 50",
        "correct the NETSUITE_ variables",
    ),
    "NetSuite's host is not there": (
        lambda it: it.set(NETSUITE_BASE_URL=closed_port()),
        "NetSuite",
        "cannot be reached",
        "check the address in the NETSUITE_ variables",
    ),
    "NetSuite is down": (
        lambda it: it.netsuite.faults.start_outage(),
        "NetSuite",
        "answers 503",
        "try again later",
    ),
    "the clock is ten minutes behind": (
        lambda it: setattr(it, "now", it.now - timedelta(minutes=10)),
        "clock",
        "behind NetSuite's; NetSuite refuses signatures",
        "set the clock, best by NTP",
    ),
}
ROLE: dict[str, Case] = {
    "the role may not edit cash sales": (
        level("cashSale", Level.VIEW),
        "NetSuite",
        "answers 403 to reading a Cash Sale",
        "give the role Transactions > Cash Sale (Edit)",
    ),
    "the role may not see sales orders": (
        level("salesOrder", Level.NONE),
        "NetSuite",
        "answers 403 to reading a Sales Order",
        "give the role Transactions > Sales Order (Edit)",
    ),
    "the role may not see cash refunds": (
        level("cashRefund", Level.NONE),
        "NetSuite",
        "answers 403 to reading a Cash Refund",
        "give the role Transactions > Cash Refund (Full)",
    ),
    "the role may not use SuiteQL": (
        lambda it: setattr(it.netsuite.role, "suite_analytics", False),
        "NetSuite",
        "SuiteQL cannot be used",
        "SuiteAnalytics Workbook (Edit)",
    ),
}
LISTS: dict[str, Case] = {
    "an item does not exist": (
        lambda it: it.mapping["tenders"][0].update(item="8404"),
        "NetSuite lists",
        "tenders[0].item: NetSuite shows no item 8404",
        "put the internal id of a Payment item there",
    ),
    "an appeasement item is inactive": (
        change("items", "9001", active=False),
        "NetSuite lists",
        "appeasement_items.default: item 9001 is inactive",
        "activate item 9001",
    ),
    "an appeasement item is goods": (
        lambda it: it.mapping["appeasement_items"].update(default="7001"),
        "NetSuite lists",
        "appeasement_items.default: item 7001 is of type NonInvtPart",
        "put an Other Charge item for sale or resale into appeasement_items.default",
    ),
    "an appeasement item is for purchase": (
        change("items", "9002", subtype="Purchase"),
        "NetSuite lists",
        "appeasement_items.by_reason_code.7: item 9002 is an Other Charge item for purchase",
        "for sale or resale",
    ),
    "an appeasement item is taxable": (
        change("items", "9001", taxable=True),
        "NetSuite lists",
        "item 9001 is taxable",
        "make item 9001 non-taxable",
    ),
    "a payment item is taxable": (
        change("items", "8101", taxable=True),
        "NetSuite lists",
        "tenders[1].item: item 8101 is taxable",
        "make item 8101 non-taxable",
    ),
    "a payment item is of another type": (
        lambda it: it.mapping["tenders"][0].update(item="9002"),
        "NetSuite lists",
        "tenders[0].item: item 9002 is of type OthCharge",
        "put a Payment item into tenders[0].item",
    ),
    "a payment item is not for a subsidiary": (
        change("items", "8301", subsidiaries=frozenset({"1", "2"})),
        "NetSuite lists",
        "item 8301 is not available to subsidiary 3",
        "add subsidiary 3 to item 8301",
    ),
    "a gift card's item is not for its currency's subsidiary": (
        change("items", "8203", subsidiaries=frozenset({"1", "2"})),
        "NetSuite lists",
        "item 8203 is not available to subsidiary 3",
        "tenders[5].item",
    ),
    "an account is inactive": (
        change("accounts", "490", active=False),
        "NetSuite lists",
        "account 490 is inactive",
        "activate account 490",
    ),
    "an account is of another subsidiary": (
        change("accounts", "210", subsidiaries=frozenset({"1", "2"})),
        "NetSuite lists",
        "account 210 is not available to subsidiary 3",
        "add subsidiary 3 to account 210",
    ),
    "a location does not exist": (
        lambda it: it.mapping["stores"]["NYC01"].update(location="404"),
        "NetSuite lists",
        "stores.NYC01.location: NetSuite shows no location 404",
        "put another location into stores.NYC01.location",
    ),
    "a location is inactive": (
        change("locations", "21", active=False),
        "NetSuite lists",
        "stores.BER01.location: location 21 is inactive",
        "activate location 21",
    ),
    "a location is of another subsidiary": (
        lambda it: it.mapping["stores"]["SFO01"].update(location="22"),
        "NetSuite lists",
        "stores.SFO01.location: location 22 is not available to subsidiary 1",
        "put another location into stores.SFO01.location",
    ),
    "a subsidiary is inactive": (
        change("subsidiaries", "3", active=False),
        "NetSuite lists",
        "subsidiary 3 is inactive",
        "stores.TYO01.subsidiary",
    ),
    "a currency is another one": (
        lambda it: it.mapping["currencies"].update(USD="2"),
        "NetSuite lists",
        "currencies.USD: in NetSuite 2 is EUR, not USD",
        'set currencies.USD: "1"',
    ),
    "a currency is unknown": (
        lambda it: it.mapping["currencies"].update(JPY="9"),
        "NetSuite lists",
        "currencies.JPY: in NetSuite 9 is no currency, not JPY",
        'set currencies.JPY: "3"',
    ),
    "a currency is inactive": (
        change("currencies", "3", active=False),
        "NetSuite lists",
        "currencies.JPY: currency 3 is inactive",
        "activate JPY",
    ),
    "a default customer does not exist": (
        lambda it: it.mapping["default_customers"].update({"1": "404"}),
        "NetSuite lists",
        "default_customers.1: NetSuite shows no customer 404",
        "put another customer into default_customers.1",
    ),
    "a default customer is inactive": (
        change("customers", "501", active=False),
        "NetSuite lists",
        "default_customers.1: customer 501 is inactive",
        "activate customer 501",
    ),
    "a default customer is of another subsidiary": (
        lambda it: it.mapping["default_customers"].update({"2": "501"}),
        "NetSuite lists",
        "default_customers.2: customer 501 does not belong to subsidiary 2",
        "add subsidiary 2 to customer 501",
    ),
    "a default customer lacks the currency": (
        change("customers", "503", currency="1"),
        "NetSuite lists",
        "default_customers.3: customer 503 does not have the currency JPY",
        "add JPY to the currencies of customer 503",
    ),
    "the period is closed": (
        lambda it: it.netsuite.close_period(this_month(it)),
        "accounting period",
        "is closed or locked",
        "Manage Accounting Periods",
    ),
    "the period is locked for receivables": (
        lambda it: it.netsuite.master_data.lock_receivables(this_month(it)),
        "accounting period",
        "is closed or locked",
        "Manage Accounting Periods",
    ),
    "an order's field cannot be read": (
        lambda it: it.mapping.update(origins=["externalid", "custbody_order"]),
        "NetSuite fields",
        "origins: custbody_order cannot be read by SuiteQL",
        "correct origins in the mapping",
    ),
}
ERRORS = {**CREDENTIALS, **ROLE, **LISTS}


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
    assert len(planted.netsuite.logins.failures) <= 1


FIELDS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a custom field of the body is not there": (
        {"body_custom_fields": BODY_CUSTOM_FIELDS[1:]},
        "custom_fields.order_number: a cash refund has no property custbody_nst_order_number",
        "create custbody_nst_order_number under",
    ),
    "a custom field of the lines is not there": (
        {"line_custom_fields": ()},
        "an item line of a cash refund has no property custcol_nst_gift_card_last4",
        "Transaction Line Fields",
    ),
    "a custom field holds no text": (
        {
            "body_custom_fields": {
                **dict.fromkeys(BODY_CUSTOM_FIELDS, Kind.TEXT),
                "custbody_nst_refund_id": Kind.NUMBER,
            }
        },
        "custom_fields.refund_id: custbody_nst_refund_id of a cash refund holds no text",
        "Free-Form Text",
    ),
    "a standard property is not on the record": (
        {"hidden_properties": ("handlingMode",)},
        "a cash refund has no property handlingMode",
        "let the form of custom_form and the role have the field handlingMode",
    ),
    "Created From is not on the record": (
        {"hidden_properties": ("createdFrom",)},
        "policies.created_from: a cash refund has no property createdFrom",
        "policies.created_from: leave_out",
    ),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_property_that_is_missing_is_found_alone_and_with_its_cure(
    name: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, what, fix = FIELDS[name]
    with new_account(sandbox, tmp_path, **settings) as planted:
        (found,) = wrong(planted.findings(monkeypatch))
    assert found.area == "NetSuite fields"
    assert what in found.what
    assert fix in found.fix


def hide(table: str) -> Plant:
    return lambda it: setattr(it.netsuite.role, "hidden_tables", {table})


WARNINGS: dict[str, Case] = {
    "no refund was made by the form": (
        lambda it: it.mapping.update(custom_form="132"),
        "NetSuite fields",
        "custom_form: whether 132 is a form of cash refunds cannot be read",
        "Customization > Forms > Transaction Forms",
    ),
    "a custom field is hidden from SuiteQL": (
        lambda it: setattr(it.netsuite.search, "hidden_fields", {"custbody_nst_refund_id"}),
        "NetSuite fields",
        "custbody_nst_refund_id cannot be read by SuiteQL",
        "on the Access tab of custbody_nst_refund_id",
    ),
    "a default customer is for a subsidiary that is not used": (
        lambda it: it.mapping["default_customers"].update({"7": "501"}),
        "NetSuite lists",
        "default_customers.7: no store and no web row",
        "remove default_customers.7",
    ),
    **{
        f"the role does not see {table}": (hide(table), area, what, fix)
        for table, area, what, fix in (
            ("item", "NetSuite lists", "its items", "Lists > Items (View)"),
            ("location", "NetSuite lists", "its locations", "Lists > Locations (View)"),
            ("currency", "NetSuite lists", "its currencies", "Lists > Currency (View)"),
            ("customer", "NetSuite lists", "its customers", "Lists > Customers (View)"),
            ("account", "NetSuite lists", "its accounts", "Lists > Accounts (View)"),
            (
                "accountingperiod",
                "accounting period",
                "may not read accounting periods",
                "Manage Accounting Periods (View)",
            ),
        )
    },
}


@pytest.mark.parametrize("name", WARNINGS)
def test_what_is_worth_a_look_is_no_error(
    name: str, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant, area, what, fix = WARNINGS[name]
    plant(planted)
    findings = planted.findings(monkeypatch)
    assert wrong(findings) == []
    warnings = [one for one in findings if one.verdict is Verdict.WARNING]
    (found,) = (one for one in warnings if what in one.what)
    assert found.area == area
    assert fix in found.fix


def header(it: Planted) -> None:
    """Change the mapping to the other posting model."""
    it.mapping.update(
        posting_model="header",
        tenders=[
            {"method": "cash", "payment_option": "1"},
            {"method": "credit_card", "payment_option": "5", "account": "100"},
        ],
    )


HEADER: dict[str, tuple[Plant, Verdict, str, str]] = {
    "all is well": (lambda _: None, Verdict.OK, "", ""),
    "a payment option is unknown": (
        lambda it: it.mapping["tenders"][0].update(payment_option="77"),
        Verdict.WARNING,
        "tenders[0].payment_option: 77 is not among NetSuite's payment methods",
        "into tenders[0].payment_option",
    ),
    "a payment option is inactive": (
        change("payment_methods", "5", active=False),
        Verdict.ERROR,
        "tenders[1].payment_option: payment method 5 is inactive",
        "into tenders[1].payment_option",
    ),
    "an account is unknown": (
        lambda it: it.mapping["tenders"][1].update(account="777"),
        Verdict.ERROR,
        "tenders[1].account: NetSuite shows no account 777",
        "choose another account for tenders[1].account",
    ),
}


@pytest.mark.parametrize("name", HEADER)
def test_the_tenders_of_the_posting_model_header_are_checked(
    name: str, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant, verdict, what, fix = HEADER[name]
    header(planted)
    plant(planted)
    findings = [one for one in planted.findings(monkeypatch) if one.verdict is not Verdict.OK]
    if verdict is Verdict.OK:
        assert findings == []
        return
    (found,) = findings
    assert found.verdict is verdict
    assert what in found.what
    assert fix in found.fix


def test_both_ways_to_log_in_are_healthy(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    tba(planted)
    before = planted.netsuite.audit.counts["POST token"]
    findings = planted.findings(monkeypatch)
    assert [one for one in findings if one.verdict is not Verdict.OK] == []
    assert planted.netsuite.audit.counts["POST token"] == before


def test_an_account_nobody_posted_to_yet_has_one_warning(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_account(sandbox, tmp_path) as planted:
        (found,) = (one for one in planted.findings(monkeypatch) if one.verdict is not Verdict.OK)
    assert "custom_form" in found.what


def test_a_calendar_without_this_month_is_found(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_account(sandbox, tmp_path) as planted:
        planted.netsuite.master_data.remove_period(this_month(planted))
        (found,) = wrong(planted.findings(monkeypatch))
    assert "there is no accounting period for" in found.what
    assert "Manage Accounting Periods" in found.fix


def test_what_a_restricted_role_does_not_see_may_exist_all_the_same(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted.netsuite.role.subsidiaries = {"1", "2"}
    (found,) = wrong(planted.findings(monkeypatch))
    assert "default_customers.3: NetSuite shows no customer 503" in found.what
    assert "or let the role see it" in found.fix


def test_a_field_search_fails_on_is_no_outage(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted.netsuite.search.hidden_fields = {"custbody_nst_refund_id"}
    planted.netsuite.search.hidden_columns = HiddenColumn.SERVER_ERROR
    with stamina.set_testing(True, attempts=1):
        findings = planted.findings(monkeypatch)
    (found,) = (one for one in findings if one.verdict is not Verdict.OK)
    assert "custbody_nst_refund_id cannot be read by SuiteQL" in found.what


def test_an_account_without_subsidiaries_is_told(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_account(sandbox, tmp_path, one_world=False) as planted:
        (found,) = wrong(planted.findings(monkeypatch))
    assert "a cash refund has no property subsidiary" in found.what


def test_the_doctor_posts_nothing_and_changes_nothing(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = planted.netsuite.cash_refunds()
    planted.findings(monkeypatch)
    assert planted.netsuite.cash_refunds() == before
    written = {
        name for name in planted.netsuite.audit.counts if not name.startswith(("GET ", "POST s"))
    }
    assert written <= {"POST token", "POST cashRefund"}
    assert planted.netsuite.audit.counts["POST cashRefund"] == 1, "that of the fixture"


def test_a_user_is_never_locked_by_asking_the_doctor_again_and_again(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    tba(planted, NETSUITE_TOKEN_SECRET="0" * 64)
    found: list[Finding] = []
    for _ in range(6):
        found = wrong(planted.findings(monkeypatch))
    assert not planted.netsuite.logins.locked
    assert len(planted.netsuite.logins.failures) == 3
    assert "3 times in a row" in found[0].what


def test_credentials_that_are_refused_are_not_used_for_anything_more(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    tba(planted, NETSUITE_CONSUMER_SECRET="0" * 64)
    findings = planted.findings(monkeypatch)
    assert [one.what for one in findings if one.verdict is Verdict.WARNING] == [
        "not checked: nothing more of NetSuite was asked with these credentials"
    ]


def test_no_secret_is_in_any_finding(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    tba(planted, NETSUITE_TOKEN_SECRET="very-secret-1", NETSUITE_CONSUMER_SECRET="very-secret-2")
    planted.set(NEWSTORE_CLIENT_SECRET="very-secret-3", AWS_SECRET_ACCESS_KEY="very-secret-4")
    planted.set(REFUNDS_LEDGER_URL="postgresql://user:very-secret-5@127.0.0.1:1/ledger")
    assert "very-secret" not in repr(planted.findings(monkeypatch))


def test_the_fields_of_the_fixture_are_those_of_the_example(planted: Planted) -> None:
    fields = planted.mapping["custom_fields"]
    assert set(fields.values()) == {*BODY_CUSTOM_FIELDS, *LINE_CUSTOM_FIELDS}
    assert isinstance(planted.netsuite, NetSuiteSandbox)
