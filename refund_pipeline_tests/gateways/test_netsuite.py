"""NetSuite against the sandbox, by both ways to authenticate: posting, finding, lost answers too.

The tests share a sandbox and its token, since a new one costs 0.4 s, and each takes new refunds;
those that count every request or break the account have their own.
"""

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.domain.outcomes import (
    Busy,
    Posted,
    Refused,
    Uncertain,
    differences,
    found_records,
)
from refund_pipeline.domain.transactions import Origin, RefundTransaction
from refund_pipeline.gateways.netsuite import NetSuite
from refund_pipeline.sandbox.netsuite.ledger import TransactionType
from refund_pipeline.sandbox.netsuite.preferences import TaxProfile
from refund_pipeline.sandbox.netsuite.records import StoredCashRefund
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.fakes import DAY, transaction
from refund_pipeline_tests.gateways.netsuite_logins import AT_ONCE, BOTH, login

FIELDS = ("custbody_nst_order_number", "custbody_nst_refund_id")


NUMBERS = itertools.count()


@pytest.fixture(scope="module", params=BOTH)
def auth(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def shared_sandbox(auth: str) -> Iterator[NetSuiteSandbox]:
    with NetSuiteSandbox() as running:
        yield running


@pytest.fixture
def sandbox(shared_sandbox: NetSuiteSandbox) -> Iterator[NetSuiteSandbox]:
    yield shared_sandbox
    shared_sandbox.faults.end_outage()
    assert shared_sandbox.logins.failures == []


@pytest.fixture
def own_sandbox() -> Iterator[NetSuiteSandbox]:
    with NetSuiteSandbox() as running:
        yield running


def netsuite_of(sandbox: NetSuiteSandbox, auth: str = "oauth2", **changes: Any) -> NetSuite:
    return NetSuite(
        **{
            "account": sandbox.account,
            "base_url": sandbox.base_url,
            "authenticator": login(sandbox, auth),
            "custom_fields": FIELDS,
            "read_seconds": 10,
            "policy": AT_ONCE,
            **changes,
        }
    )


@pytest.fixture(scope="module")
def netsuite(shared_sandbox: NetSuiteSandbox, auth: str) -> NetSuite:
    return netsuite_of(shared_sandbox, auth)


def new_refund() -> RefundTransaction:
    return transaction(next(NUMBERS))


def sold(sandbox: NetSuiteSandbox) -> RefundTransaction:
    """Return a new refund after its sale was booked."""
    refund = new_refund()
    return replace(refund, created_from=sell(sandbox, refund.order_number))


def records_of(sandbox: NetSuiteSandbox, refund: RefundTransaction) -> list[StoredCashRefund]:
    return [one for one in sandbox.cash_refunds() if one.external_id == refund.external_id]


def sell(sandbox: NetSuiteSandbox, order_number: str, **changes: Any) -> str:
    values: dict[str, Any] = {
        "external_id": order_number,
        "entity": "601",
        "subsidiary": "1",
        "location": "11",
        "currency": "USD",
        "total": Decimal(50),
        "on": DAY,
    }
    return sandbox.add_cash_sale(**{**values, **changes})


def test_a_posted_refund_is_in_netsuite_as_it_was_meant(sandbox, netsuite):
    refund = sold(sandbox)
    outcome = netsuite.post(refund)

    (stored,) = records_of(sandbox, refund)
    assert outcome == Posted(stored.id)
    assert stored.external_id == refund.external_id
    assert stored.created_from == refund.created_from
    assert (stored.entity, stored.subsidiary, stored.location) == ("601", "1", "11")
    assert (stored.currency, stored.total) == ("USD", 0)
    assert (stored.tran_date, stored.memo) == (date(2026, 11, 20), refund.memo)
    assert [(line.item, line.amount) for line in stored.lines] == [
        ("9001", Decimal("12.50")),
        ("8101", Decimal("-12.50")),
    ]
    assert stored.custom == dict(refund.custom_fields)
    assert sandbox.audit.second_payouts == 0
    assert sandbox.audit.flags == []


@pytest.mark.parametrize(
    ("currency", "amount"), [("USD", "0.10"), ("EUR", "1234567.89"), ("JPY", "1200")]
)
def test_an_amount_arrives_exactly_in_each_currency(sandbox, netsuite, currency, amount):
    number = {"USD": "1", "EUR": "2", "JPY": "3"}[currency]
    refund = new_refund()
    goodwill, tender = refund.lines
    refund = replace(
        refund,
        created_from=None,
        currency=currency,
        currency_id=number,
        entity=f"50{number}",
        subsidiary=number,
        location=f"{number}9",
        amount=Decimal(amount),
        lines=(
            replace(goodwill, amount=Decimal(amount)),
            replace(tender, amount=-Decimal(amount)),
        ),
    )

    assert isinstance(netsuite.post(refund), Posted)
    amounts = [str(line.amount) for line in records_of(sandbox, refund)[0].lines]
    assert [Decimal(text) for text in amounts] == [Decimal(amount), -Decimal(amount)]
    for record in (
        netsuite.find([refund.external_id])[refund.external_id],
        netsuite.look_up(refund.external_id),
    ):
        assert record is not None
        assert differences(refund, record) == ()


@pytest.mark.parametrize(("auth", "tokens"), [("oauth2", {"POST token": 1}), ("tba", {})])
def test_twelve_refunds_over_three_threads_make_one_record_each(own_sandbox, auth, tokens):
    netsuite = netsuite_of(own_sandbox, auth)
    refunds = [sold(own_sandbox) for _ in range(12)]
    outcomes: dict[str, object] = {}

    def _post(mine: list[RefundTransaction]) -> None:
        for refund in mine:
            outcomes[refund.external_id] = netsuite.post(refund)

    threads = [threading.Thread(target=_post, args=(refunds[one::3],)) for one in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    stored = {one.external_id: Posted(one.id) for one in own_sandbox.cash_refunds()}
    assert stored == outcomes
    assert set(stored) == {refund.external_id for refund in refunds}
    assert len(own_sandbox.cash_refunds()) == 12
    assert own_sandbox.audit.counts == {"POST cashRefund": 12, **tokens}
    assert own_sandbox.logins.failures == []
    assert netsuite.requests_made == 12 + sum(tokens.values())


# Outcomes of a post


def test_a_second_post_of_a_refund_is_refused_and_makes_no_second_record(sandbox, netsuite):
    refund = sold(sandbox)
    netsuite.post(refund)

    assert netsuite.post(refund) == Refused("USER_ERROR already exists")
    assert len(records_of(sandbox, refund)) == 1


@pytest.mark.parametrize("fault", ["lose_answers", "fail_after_commit"])
def test_a_post_whose_answer_is_lost_is_uncertain_and_is_found_again(sandbox, netsuite, fault):
    refund = sold(sandbox)
    posts = sandbox.audit.posts
    getattr(sandbox.faults, fault)(1)

    assert isinstance(netsuite.post(refund), Uncertain)
    record = netsuite.look_up(refund.external_id)
    assert record is not None
    assert differences(refund, record) == ()
    assert sandbox.audit.posts == posts + 1


def test_a_post_that_is_dropped_is_uncertain_and_is_not_there(sandbox, netsuite):
    refund = sold(sandbox)
    posts = sandbox.audit.posts
    sandbox.faults.drop_before_commit(1)

    assert isinstance(netsuite.post(refund), Uncertain)
    assert netsuite.look_up(refund.external_id) is None
    assert sandbox.audit.posts == posts + 1


def test_a_refused_post_may_have_made_its_record(sandbox, netsuite):
    refund = sold(sandbox)
    sandbox.faults.refuse_but_create(1)

    assert netsuite.post(refund) == Refused("USER_ERROR")
    assert netsuite.look_up(refund.external_id) is not None


def test_a_post_over_the_limit_is_busy_and_made_nothing(sandbox, netsuite):
    refund = sold(sandbox)
    sandbox.faults.too_many_requests(1)

    assert netsuite.post(refund) == Busy(None)
    assert records_of(sandbox, refund) == []


def test_a_post_during_an_outage_is_uncertain_once_a_token_is_there(sandbox, netsuite):
    refund = sold(sandbox)
    netsuite.find([refund.external_id])
    sandbox.faults.start_outage()

    assert netsuite.post(refund) == Uncertain("NetSuite answered 503")


def test_without_a_token_nothing_is_posted_during_an_outage(own_sandbox):
    netsuite = netsuite_of(own_sandbox)
    own_sandbox.faults.start_outage()
    with pytest.raises(Unavailable, match="access token"):
        netsuite.post(transaction())

    assert own_sandbox.audit.posts == 0


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"location": "21"}, "USER_ERROR at location Invalid location reference key 21 for subs"),
        ({"entity": "999"}, "at entity"),
    ],
)
def test_a_refusal_says_where_and_quotes_nothing_of_ours(sandbox, netsuite, change, detail):
    refund = replace(sold(sandbox), **change)
    outcome = netsuite.post(refund)

    assert isinstance(outcome, Refused)
    assert detail in outcome.detail
    assert refund.memo not in outcome.detail
    assert refund.order_number not in outcome.detail
    assert records_of(sandbox, refund) == []


def test_a_closed_period_is_named(own_sandbox):
    netsuite = netsuite_of(own_sandbox)
    refund = sold(own_sandbox)
    own_sandbox.close_period("2026-11")
    outcome = netsuite.post(refund)

    assert isinstance(outcome, Refused)
    assert "closed period" in outcome.detail


def test_a_token_that_ends_early_is_renewed_once(own_sandbox):
    netsuite = netsuite_of(own_sandbox)
    first, second = sold(own_sandbox), sold(own_sandbox)
    netsuite.post(first)
    own_sandbox.tokens.expire_tokens()

    assert isinstance(netsuite.post(second), Posted)
    assert own_sandbox.audit.counts == {"POST cashRefund": 3, "POST token": 2}
    assert len(own_sandbox.cash_refunds()) == 2


def test_a_revoked_certificate_stops_everything(own_sandbox):
    netsuite = netsuite_of(own_sandbox)
    netsuite.find(["apz-1"])
    own_sandbox.tokens.revoke_certificate(own_sandbox.certificate_id)
    own_sandbox.tokens.expire_tokens()
    with pytest.raises(Misconfigured, match="invalid_grant"):
        netsuite.post(sold(own_sandbox))


# Finding


def test_found_and_looked_up_records_equal_what_was_posted(sandbox, netsuite):
    refunds = [sold(sandbox) for _ in range(3)]
    for refund in refunds:
        netsuite.post(refund)

    found = netsuite.find([*[refund.external_id for refund in refunds], "apz-unknown"])
    assert set(found) == {refund.external_id for refund in refunds}
    for refund in refunds:
        assert differences(refund, found[refund.external_id]) == ()
        looked_up = netsuite.look_up(refund.external_id)
        assert looked_up is not None
        assert looked_up.erp_id == found[refund.external_id].erp_id
        assert dict(found[refund.external_id].custom) == dict(refund.custom_fields)
        assert found[refund.external_id].tran_date == looked_up.tran_date == DAY


def test_many_ids_are_asked_for_in_batches_and_read_page_by_page(sandbox, netsuite):
    refunds = [new_refund() for _ in range(201)]
    asked = sandbox.audit.counts.get("POST suiteql", 0)
    for refund in refunds:
        copied(sandbox, refund, lines=6)

    found = netsuite.find([refund.external_id for refund in refunds])
    assert set(found) == {refund.external_id for refund in refunds}
    assert {len(record.lines) for record in found.values()} == {6}
    # 200 ids with 7 rows each are two pages; the last id is one
    assert sandbox.audit.counts["POST suiteql"] == asked + 3


def copied(sandbox: NetSuiteSandbox, refund: RefundTransaction, *, lines: int) -> None:
    """Put a cash refund into the books without a request, copied from a sale's draft."""
    sell(sandbox, refund.order_number)
    sale = sandbox._ledger.by_external_id(refund.order_number)
    assert sale is not None
    draft = replace(
        sale.draft,
        type=TransactionType.CASH_REFUND,
        external_id=refund.external_id,
        lines=sale.draft.lines * lines,
    )
    sandbox._ledger.add(draft)


def test_a_record_is_looked_up_whatever_the_case_of_its_id(sandbox, netsuite):
    refund = sold(sandbox)
    netsuite.post(replace(refund, external_id=refund.external_id.upper()))
    record = netsuite.look_up(refund.external_id)

    assert record is not None
    assert differences(refund, record) == ()
    assert netsuite.post(refund) == Refused("USER_ERROR already exists")


def test_a_sale_under_our_id_is_seen_for_what_it_is(sandbox, netsuite):
    refund = new_refund()
    sell(sandbox, refund.external_id)

    for record in (
        netsuite.look_up(refund.external_id),
        netsuite.find([refund.external_id])[refund.external_id],
    ):
        assert record is not None
        assert record.kind == "cash_sale"
        assert "it is a cash_sale, not a cash refund" in differences(refund, record)


def test_a_record_the_index_does_not_show_yet_is_looked_up_all_the_same():
    with NetSuiteSandbox(index_lag=3600) as sandbox:
        netsuite = netsuite_of(sandbox)
        refund = sold(sandbox)
        netsuite.post(refund)

        assert netsuite.find([refund.external_id]) == {}
        assert netsuite.look_up(refund.external_id) is not None


def test_a_custom_field_suiteql_does_not_know_is_left_out(sandbox, auth):
    netsuite = netsuite_of(sandbox, auth, custom_fields=(*FIELDS, "custbody_not_in_suiteql"))
    refund = sold(sandbox)
    netsuite.post(refund)
    record = netsuite.find([refund.external_id])[refund.external_id]

    assert differences(refund, record) == ()
    assert dict(record.custom) == dict(refund.custom_fields)
    asked = sandbox.audit.counts["POST suiteql"]
    netsuite.find([refund.external_id])
    assert sandbox.audit.counts["POST suiteql"] == asked + 1


def test_a_field_the_account_does_not_have_stops_everything(sandbox, netsuite):
    refund = replace(sold(sandbox), custom_fields=(("custbody_misspelled", "SO-1"),))
    with pytest.raises(Misconfigured, match="at custbody_misspelled"):
        netsuite.post(refund)
    assert records_of(sandbox, refund) == []


# Origins


def test_the_sales_of_an_order_are_found_by_the_first_field_that_knows_it(sandbox, netsuite):
    sale = sell(sandbox, "SO-1")
    order = sandbox.add_sales_order(
        external_id="SO-2",
        entity="621",
        subsidiary="2",
        location="21",
        currency="EUR",
        total=Decimal(9),
        on=DAY,
    )
    origins = netsuite.origins(["SO-1", "SO-2", "SO-3"], fields=["otherrefnum", "externalid"])

    assert origins == {
        "SO-1": [Origin("cash_sale", sale, "601", "1", "1", location="11", total=Decimal(50))],
        "SO-2": [Origin("sales_order", order, "621", "2", "2", location="21", total=Decimal(9))],
    }


def test_our_own_refund_is_no_sale(sandbox, netsuite):
    refund = sold(sandbox)
    netsuite.post(refund)

    assert netsuite.origins([refund.external_id], fields=["externalid"]) == {}


def test_sales_of_more_than_two_hundred_orders_are_found_in_batches(sandbox, netsuite):
    numbers = [f"SO-many-{number}" for number in range(250)]
    sales = {number: sell(sandbox, number) for number in numbers}
    asked = sandbox.audit.counts.get("POST suiteql", 0)

    origins = netsuite.origins(numbers, fields=["externalid"])
    assert {number: [one.erp_id for one in found] for number, found in origins.items()} == {
        number: [sale] for number, sale in sales.items()
    }
    assert sandbox.audit.counts["POST suiteql"] == asked + 2


# Posting model: header


def in_header(refund: RefundTransaction) -> RefundTransaction:
    """Return the refund as two tenders in headers: 5.00 on a card, 7.50 in cash."""
    goodwill, tender = refund.lines
    card = replace(tender, item="", amount=Decimal("-5.00"), payment_option="5")
    cash = replace(tender, item="", amount=Decimal("-7.50"), payment_option="1")
    return replace(refund, in_header=True, lines=(goodwill, card, cash))


def test_tenders_in_the_header_are_records_that_read_back_equal(sandbox, auth):
    netsuite = netsuite_of(sandbox, auth, custom_fields=(*FIELDS, "paymentoption"))
    refund = in_header(sold(sandbox))
    card, cash = refund.records
    posted = [netsuite.post(record) for record in refund.records]

    assert all(isinstance(one, Posted) for one in posted)
    assert [one.total for one in records_of(sandbox, card)] == [Decimal("5.00")]
    found = netsuite.find(refund.possible_ids)
    assert [record for _, record in found_records(refund, found)] == [card, cash]
    by_address = netsuite.look_up(cash.external_id)
    assert by_address is not None
    assert differences(cash, by_address) == ()
    assert sandbox.audit.second_payouts == 0


@pytest.mark.parametrize("way", ["suiteql", "address"])
def test_another_payment_option_is_a_difference(sandbox, auth, way):
    netsuite = netsuite_of(sandbox, auth, custom_fields=(*FIELDS, "paymentoption"))
    card, cash = in_header(sold(sandbox)).records
    netsuite.post(card)
    record = (
        netsuite.find([card.external_id])[card.external_id]
        if way == "suiteql"
        else netsuite.look_up(card.external_id)
    )
    meant = replace(cash, external_id=card.external_id, amount=card.amount, lines=card.lines)
    assert differences(meant, record) == ("payment option 5 instead of 1",)


# Periods, and what is ours


def test_the_dates_of_closed_periods_are_told(own_sandbox):
    netsuite = netsuite_of(own_sandbox)
    open_day = DAY
    assert netsuite.closed_dates([open_day]) == frozenset()
    own_sandbox.close_period("2026-10")
    asked = [date(2026, 10, 1), date(2026, 10, 31), date(2026, 11, 1), open_day]
    assert netsuite.closed_dates(asked) == {date(2026, 10, 1), date(2026, 10, 31)}
    assert netsuite.closed_dates([]) == frozenset()


def test_our_records_of_some_days_are_listed_by_prefix(own_sandbox):
    netsuite = netsuite_of(own_sandbox)
    refunds = [replace(sold(own_sandbox)) for _ in range(3)]
    stranger = replace(sold(own_sandbox), external_id="other-1")
    for refund in (*refunds, stranger):
        assert isinstance(netsuite.post(refund), Posted)
    found = netsuite.ours("apz-", start=DAY, end=DAY)
    assert set(found) == {refund.external_id for refund in refunds}
    assert set(found.values()) == {records_of(own_sandbox, refund)[0].id for refund in refunds}
    before = DAY - timedelta(days=1)
    assert netsuite.ours("apz-", start=before, end=before) == {}


# Every kind of account, either way to authenticate, either posting model


@pytest.mark.parametrize("tax", list(TaxProfile))
@pytest.mark.parametrize("model", ["payment_lines", "header"])
def test_what_is_posted_reads_back_equal_in_every_kind_of_account(own_sandbox, auth, tax, model):
    own_sandbox.preferences.tax = tax
    netsuite = netsuite_of(own_sandbox, auth, custom_fields=(*FIELDS, "paymentoption"))
    refund = sold(own_sandbox)
    if model == "header":
        refund = in_header(refund)
    for record in refund.records:
        assert isinstance(netsuite.post(record), Posted)
        by_address = netsuite.look_up(record.external_id)
        assert by_address is not None
        assert differences(record, by_address) == ()
    found = netsuite.find(refund.possible_ids)
    assert [one for _, one in found_records(refund, found)] == list(refund.records)


@pytest.mark.parametrize("tax", list(TaxProfile))
def test_a_tax_that_an_item_adds_is_seen_when_it_is_read_back(own_sandbox, tax):
    own_sandbox.preferences.tax = tax
    taxed = replace(own_sandbox.master_data.items["9001"], taxable=True)
    own_sandbox.master_data.put(taxed)
    netsuite = netsuite_of(own_sandbox)
    refund = sold(own_sandbox)
    assert isinstance(netsuite.post(refund), Posted)
    for record in (
        netsuite.find([refund.external_id])[refund.external_id],
        netsuite.look_up(refund.external_id),
    ):
        assert "lines" in "; ".join(differences(refund, record))


def test_a_refund_whose_external_id_a_script_took_away_is_found_by_its_own_id(own_sandbox):
    own_sandbox.scripts.before_submit(lambda draft: replace(draft, external_id=None))
    netsuite = netsuite_of(own_sandbox)
    refund = sold(own_sandbox)
    outcome = netsuite.post(refund)
    assert isinstance(outcome, Posted)
    assert netsuite.find(refund.possible_ids) == {}
    field = refund.refund_id_field
    assert field is not None
    found = netsuite.find_by_field(field, [refund.refund_id, "another"])
    assert set(found) == {refund.refund_id}
    (record,) = found[refund.refund_id]
    assert record.erp_id == outcome.erp_id
    assert differences(refund, record) == ()
    assert netsuite.find_by_field("custbody_no_such_field", [refund.refund_id]) == {}
