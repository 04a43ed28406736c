"""Money: exact at the scale of its currency, or refused."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refund_pipeline.domain.errors import InvalidAmount
from refund_pipeline.domain.money import exact_amount, minor_digits, total

SCALES = {"JPY": 0, "USD": 2, "EUR": 2, "KWD": 3, "CLF": 4}
currencies = st.sampled_from(sorted(SCALES))
minor_units = st.integers(-(10**11), 10**11)


@given(minor_units, currencies)
def test_every_amount_survives_its_way_through_json_text_and_numbers(
    units: int, currency: str
) -> None:
    amount = Decimal(units).scaleb(-SCALES[currency])
    for value in (
        str(amount),
        amount,
        json.loads(format(amount, "f"), parse_float=Decimal),
        amount * Decimal("1.000"),
        f" {amount} ",
    ):
        found = exact_amount(value, currency)
        assert found == amount
        assert found.as_tuple().exponent == -SCALES[currency]


@given(minor_units, currencies)
def test_a_tenth_of_a_minor_unit_is_refused(units: int, currency: str) -> None:
    finer = Decimal(units * 10 + 1).scaleb(-SCALES[currency] - 1)
    with pytest.raises(InvalidAmount, match=f"decimals of {currency}"):
        exact_amount(finer, currency)


@given(st.text() | st.floats() | st.booleans() | st.none() | st.decimals() | st.integers())
def test_anything_at_all_is_exact_money_or_refused_without_a_crash(value: object) -> None:
    try:
        found = exact_amount(value, "USD")
    except InvalidAmount:
        return
    assert not isinstance(value, float)
    assert found == Decimal(str(value).strip())


def test_a_refusal_does_not_repeat_the_value() -> None:
    with pytest.raises(InvalidAmount) as caught:
        exact_amount("4111111111111111", "USD")
    assert "4111" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        True,
        None,
        [],
        "",
        " ",
        "1,50",
        "1_000",
        "0x10",
        "+5",
        "NaN",
        "Infinity",
        "1.",
        ".5",
        "1e999",
        "--1",
        "\u0661",
        "\uff11",
        "1\n2",
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("1E+12"),
        10**12,
    ],
)
def test_what_is_not_a_plain_number_is_refused(value: object) -> None:
    with pytest.raises(InvalidAmount):
        exact_amount(value, "USD")


@pytest.mark.parametrize(
    ("value", "currency", "expected"),
    [
        ("5", "USD", "5.00"),
        (5, "JPY", "5"),
        (Decimal("5.0"), "JPY", "5"),
        ("1E+3", "JPY", "1000"),
        ("1.5e1", "KWD", "15.000"),
        ("-0.0", "USD", "0.00"),
        (Decimal(-0), "JPY", "0"),
        ("999999999999.99", "EUR", "999999999999.99"),
        ("-22.28", "USD", "-22.28"),
    ],
)
def test_amounts_have_the_scale_of_their_currency(
    value: object, currency: str, expected: str
) -> None:
    assert str(exact_amount(value, currency)) == expected


@pytest.mark.parametrize("code", ["", "usd", "XXX", "EURO", "XAU", " USD", "DEM"])
def test_a_currency_that_is_not_in_use_is_refused(code: str) -> None:
    with pytest.raises(InvalidAmount, match="ISO 4217"):
        minor_digits(code)


def test_the_minor_digits_are_those_of_iso_4217() -> None:
    known = {code: minor_digits(code) for code in ("JPY", "ISK", "KRW", "HUF", "TND", "UYW", "GBP")}
    assert known == {"JPY": 0, "ISK": 0, "KRW": 0, "HUF": 2, "TND": 3, "UYW": 4, "GBP": 2}


@given(st.lists(minor_units, max_size=30))
def test_a_total_is_exact_in_any_order(units: list[int]) -> None:
    amounts = [Decimal(unit).scaleb(-2) for unit in units]
    assert total(amounts) == total(reversed(amounts)) == Decimal(sum(units)).scaleb(-2)


def test_the_total_of_nothing_is_zero() -> None:
    assert total([]) == 0
