"""Exact money: `Decimal` with an ISO 4217 currency. No float ever becomes an amount.

Minor digits per ISO 4217:2015 list one; a currency not listed there is refused, not guessed.
"""

import re
from collections.abc import Iterable
from decimal import Decimal

from refund_pipeline.domain.errors import InvalidAmount

_TWO_DIGITS = """ AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD
BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP
GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR
LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN
PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS
TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
"""
_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DIGITS = "CLF UYW"

_MINOR_DIGITS = {
    code: digits
    for codes, digits in ((_TWO_DIGITS, 2), (_NO_DIGITS, 0), (_THREE_DIGITS, 3), (_FOUR_DIGITS, 4))
    for code in codes.split()
}
_PLAIN_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,15})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_LARGEST = Decimal(10) ** 12


def minor_digits(currency: str) -> int:
    """Return how many decimals `currency` has.

    Raises:
        InvalidAmount: the code is not an ISO 4217 currency.
    """
    try:
        return _MINOR_DIGITS[currency]
    except KeyError:
        raise InvalidAmount("is not an ISO 4217 currency code") from None


def exact_amount(value: object, currency: str) -> Decimal:
    """Read a number or numeric text as money of `currency`, at the currency's own scale.

    The amount may be negative or zero; callers demand what their rule demands.

    Raises:
        InvalidAmount: not a plain number, a binary float, out of range, or finer than the
        currency's minor unit.
    """
    digits = minor_digits(currency)
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        raise InvalidAmount(f"is not a number but {type(value).__name__}")
    if not _PLAIN_NUMBER.fullmatch(str(value).strip()):
        raise InvalidAmount("is not a plain decimal number")
    number = Decimal(str(value).strip())
    if abs(number) >= _LARGEST:
        raise InvalidAmount("is larger than any refund can be")
    at_scale = number.quantize(Decimal(1).scaleb(-digits))
    if at_scale != number:
        raise InvalidAmount(f"has more than the {digits} decimals of {currency}")
    return at_scale + Decimal(0)  # -0 becomes 0


def in_full(amount: Decimal, currency: str) -> Decimal:
    """Return a sum with all decimals of its currency, a zero too; what does not fit as it is."""
    digits = _MINOR_DIGITS.get(currency)
    if digits is None:
        return amount
    at_scale = amount.quantize(Decimal(1).scaleb(-digits))
    return at_scale if at_scale == amount else amount


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Add amounts of one currency, exactly."""
    return sum(amounts, Decimal(0))
