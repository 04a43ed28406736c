"""How the body of a REST payment account is read."""

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from refund_pipeline.domain.payments import PaymentAccount, PaymentTransaction
from refund_pipeline.gateways import newstore_accounts
from refund_pipeline.gateways.newstore_accounts import AccountFailed
from refund_pipeline_tests.gateways.newstore_makers import CARD

ACCOUNT = "9d0e7a52-0000-4000-8000-000000000001"


def read_account(document: Any) -> PaymentAccount | AccountFailed:
    return newstore_accounts.read_account(document, account_id=ACCOUNT)


def transactions_of(document: Any) -> tuple[PaymentTransaction, ...]:
    found = read_account(document)
    assert isinstance(found, PaymentAccount)
    return found.transactions


def account_of(*transactions: Any, **instrument: Any) -> Any:
    return {"instruments": [instrument | {"original_transactions": list(transactions)}]}


def test_a_transaction_takes_from_its_instrument_what_it_lacks_itself() -> None:
    document = account_of(
        {"reason": " Refund ", "refund_amount": "-5", "correlation_id": "R-1", "new_field": {}},
        payment_method="cash",
        payment_provider="till",
        currency="EUR",
    )
    assert transactions_of(document) == (
        PaymentTransaction("refund", Decimal("5.00"), "EUR", "R-1", "cash", "till"),
    )


def test_a_positive_refund_and_a_negative_zero_are_magnitudes_too() -> None:
    document = account_of(
        {"reason": "refunded", "refund_amount": Decimal("5.5"), "currency": "USD"},
        {"reason": "refund", "refund_amount": Decimal("-0.0"), "currency": "USD"},
        {"reason": "issued", "capture_amount": 7, "currency": "JPY"},
    )
    found = transactions_of(document)
    assert [str(t.amount) for t in found] == ["5.50", "0.00", "7"]


@pytest.mark.parametrize(
    ("transaction", "path"),
    [
        (
            {"reason": "refund", "refund_amount": Decimal("-5.001"), "currency": "USD"},
            ".refund_amount",
        ),
        ({"reason": "refund", "refund_amount": -5.5, "currency": "USD"}, ".refund_amount"),
        ({"reason": "refund", "refund_amount": None, "currency": "USD"}, ".refund_amount"),
        ({"reason": "issue", "capture_amount": "5", "currency": "ZZZ"}, ".capture_amount"),
        ({"reason": "issue", "capture_amount": "5"}, ".currency"),
        ({"reason": 5}, ".reason"),
    ],
)
def test_an_account_that_cannot_be_read_names_the_path_and_no_value(
    transaction: Any, path: str
) -> None:
    found = read_account(account_of({"reason": "capture"}, transaction))
    assert isinstance(found, AccountFailed)
    assert f"$.instruments[0].original_transactions[1]{path}" in found.detail
    assert "5.001" not in found.detail


@pytest.mark.parametrize("document", [None, [], "x", {"instruments": {}}])
def test_a_body_that_is_no_account_fails(document: Any) -> None:
    assert isinstance(read_account(document), AccountFailed)


@pytest.mark.parametrize("document", [{}, {"instruments": None}, {"instruments": []}])
def test_an_empty_account_has_no_transactions(document: Any) -> None:
    assert read_account(document) == PaymentAccount(())


def test_amounts_of_kinds_that_move_no_money_back_are_not_read() -> None:
    found = transactions_of(account_of({"reason": "capture", "capture_amount": "lots"}, {}))
    assert [(t.kind, t.amount) for t in found] == [
        ("capture", Decimal(0)),
        ("(none)", Decimal(0)),
    ]


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"number": CARD}, "9911"),
        ({"gift_card_number": int(CARD)}, "9911"),
        ({"number": "6006-4912-8699-9929-911 "}, "9911"),
        ({"number": "911"}, None),
        ({"number": None, "gift_card_number": CARD}, "9911"),
        ({"number": True}, None),
        ({"last_4": "1234"}, None),
        (None, None),
        ("6006", None),
    ],
)
def test_only_the_last_four_of_a_gift_card_are_kept(metadata: Any, expected: str | None) -> None:
    transaction = {
        "transaction_id": f"issued:r-{CARD}",
        "instrument_id": CARD,
        "reason": "issue",
        "capture_amount": 5,
        "currency": "USD",
        "payment_method": "gift_card",
        "metadata": metadata,
    }
    found = transactions_of(account_of(transaction))
    assert found[0].gift_card_last4 == expected
    assert CARD not in repr(found)


def test_no_digits_are_kept_of_a_credit_card() -> None:
    transaction = {
        "reason": "refund",
        "refund_amount": -5,
        "currency": "USD",
        "payment_method": "credit_card",
        "metadata": {"number": "4111111111111111", "last_4": "1111"},
    }
    found = transactions_of(account_of(transaction))
    assert found[0].gift_card_last4 is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-02-06T22:10:08.879Z", datetime(2019, 2, 6, 22, 10, 8, 879000, timezone.utc)),
        ("2019-02-06T22:10:08", datetime(2019, 2, 6, 22, 10, 8, 0, timezone.utc)),
        (None, None),
        ("", None),
        ("just now", None),
        ([], None),
    ],
)
def test_the_time_of_a_transaction_is_utc_or_unknown(text: Any, expected: datetime | None) -> None:
    refund = {"reason": "refund", "refund_amount": -5, "currency": "USD", "created_at": text}
    (found,) = transactions_of(account_of(refund))
    assert found.created_at == expected


# Where value was issued

ORIGINAL = "9d0e7a52-0000-4000-8000-000000000002"
ISSUE = "5b1c3f7e-0000-4000-8000-00000000abcd"


def issued_on(*instruments: Any) -> tuple[str, ...]:
    found = read_account({"instruments": [{"id": one} for one in instruments]})
    assert isinstance(found, PaymentAccount)
    return found.issued_on


def test_an_instrument_issued_on_another_order_names_that_order() -> None:
    assert issued_on(f"{ORIGINAL}-{ISSUE}") == (ORIGINAL,)
    assert issued_on(f"{ORIGINAL}-{ISSUE}".upper(), f"{ORIGINAL}-{ISSUE}") == (ORIGINAL,)


@pytest.mark.parametrize(
    "instrument",
    [
        f"{ACCOUNT}-{ISSUE}",
        ORIGINAL,
        f"{ORIGINAL}-{CARD}",
        f"{CARD}-{ISSUE}",
        f"{ORIGINAL}-{ISSUE}-{CARD}",
        f"void:{ORIGINAL}-{ISSUE}",
        "",
        None,
        5,
        [],
    ],
)
def test_no_other_instrument_names_an_order(instrument: Any) -> None:
    assert issued_on(instrument) == ()


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_text_no_database_can_hold_fails_the_account_at_its_path(text: str) -> None:
    refund = {"reason": "refund", "refund_amount": -5, "currency": "USD", "payment_method": text}
    found = read_account(account_of(refund))
    assert found == AccountFailed(
        "the payment account cannot be read at"
        " $.instruments[0].original_transactions[0].payment_method"
    )
