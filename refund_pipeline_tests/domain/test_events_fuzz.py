"""More than ten thousand lines that no NewStore ever sent: each is one of three things, no crash.

The rules every result obeys are in `parsed`; the tests differ in where their lines come from.
"""

import copy
import json
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from refund_pipeline.domain.events import (
    REFUND_ISSUED,
    OtherEvent,
    ParsedLine,
    RefundEvent,
    Rejected,
    canonical_id,
    parse_line,
)
from refund_pipeline.domain.money import minor_digits

MARKER = "Zq7marker"
NUMBER = 987654321987
"""Planted in lines: what problems must not repeat."""

REFUND = "5b1c3f7e-0000-4000-8000-00000000abcd"
ORDER = "9d0e7a52-0000-4000-8000-000000000001"
ENVELOPE: dict[str, Any] = {
    "tenant": "demo",
    "name": REFUND_ISSUED,
    "published_at": "2026-11-20T09:15:31.402Z",
    "payload": {
        "id": REFUND,
        "order_id": ORDER,
        "payment_account_id": ORDER,
        "amount": 12.5,
        "currency": "EUR",
        "requested_at": "2026-11-20T09:15:30.911Z",
        "reason_code": 7,
        "return_reason": "Late delivery",
        "return_id": None,
        "is_historical": False,
        "note": "call Jane on 555-0100",
        "items": [{"id": "1", "amount": 1.5}],
    },
}
LINE = json.dumps(ENVELOPE).encode()
READ = ("id", "order_id", "payment_account_id", "amount", "currency", "requested_at")
READ_TOO = ("reason_code", "return_reason", "return_id", "is_historical")
PATHS = {
    "$",
    *(f"$.{name}" for name in ENVELOPE),
    *(f"$.payload.{name}" for name in (*READ, *READ_TOO)),
}

LONGEST_REASON = 200
YEARS = range(1969, 10000)


def parsed(line: bytes) -> ParsedLine:
    """Parse a line and check what holds for every result."""
    found = parse_line(line, tenant="demo")
    match found:
        case RefundEvent():
            check_refund(found)
        case OtherEvent():
            assert found.name != REFUND_ISSUED
            assert 0 < len(found.name) <= 100
            assert is_storable(found.name)
        case Rejected():
            assert found.problems
            for problem in found.problems:
                check_problem(problem)
        case _:
            raise AssertionError(type(found))
    assert parse_line(line, tenant="demo") == found
    return found


def check_refund(found: RefundEvent) -> None:
    assert type(found.amount) is Decimal
    assert found.amount.is_finite()
    assert 0 < found.amount < 10**12
    assert found.amount.as_tuple().exponent == -minor_digits(found.currency)
    for moment in (found.requested_at, found.published_at):
        assert moment.utcoffset() == timedelta(0)
        assert moment.year in YEARS
    identifiers = (found.refund_id, found.order_id, found.payment_account_id)
    for identifier in (*identifiers, *filter(None, [found.return_id])):
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", identifier, re.ASCII)
    assert found.refund_id == canonical_id(found.refund_id)
    assert found.tenant == "demo"
    assert len(found.reason or "") <= LONGEST_REASON
    assert len(found.reason_code or "") <= 20
    assert isinstance(found.is_historical, bool)
    for name in RefundEvent.__slots__:
        value = getattr(found, name)
        assert not isinstance(value, str) or is_storable(value)
    assert re.fullmatch(r"[0-9a-f]{64}", found.content_hash)


def check_problem(problem: str) -> None:
    path, _, what = problem.partition(": ")
    assert path in PATHS
    assert what
    assert problem.isascii()
    assert len(problem) < 120
    assert MARKER not in problem
    assert str(NUMBER) not in problem


def is_storable(text: str) -> bool:
    try:
        return "\x00" not in text.encode().decode()
    except UnicodeEncodeError:
        return False


def changed(**payload: Any) -> dict[str, Any]:
    envelope = copy.deepcopy(ENVELOPE)
    envelope["payload"].update(payload)
    return envelope


def with_raw(name: str, raw: str) -> bytes:
    """Write the event with this text as the JSON value of a payload field."""
    return json.dumps(changed(**{name: "<here>"})).replace('"<here>"', raw).encode()


def cases(count: int) -> settings:
    return settings(max_examples=count)


# Lines that are anything


@cases(1500)
@given(st.binary(max_size=300))
@example(b"\xef\xbb\xbf" + LINE)
@example(LINE.decode().encode("utf-16"))
@example(LINE + LINE)
@example(b"\x00" * 1000)
def test_arbitrary_bytes(line: bytes) -> None:
    parsed(line)


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([MARKER, NUMBER, -NUMBER, "", " ", "12.50", "EUR", ORDER, 10**4000, 1e308])
)
names = st.sampled_from([*ENVELOPE, *ENVELOPE["payload"], MARKER]) | st.text(max_size=5)
documents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5),
    max_leaves=12,
)


@cases(1000)
@given(documents)
def test_arbitrary_json(document: Any) -> None:
    parsed(json.dumps(document).encode())


positions = st.integers(0, len(LINE) - 1)


@cases(1500)
@given(positions, st.integers(0, 12), st.binary(max_size=6), positions)
def test_an_event_with_bytes_cut_out_put_in_and_cut_off(
    start: int, length: int, piece: bytes, end: int
) -> None:
    broken = LINE[:start] + piece + LINE[start + length :]
    parsed(broken)
    parsed(broken[:end])


# Events that are almost right

junk = leaves | st.lists(leaves, max_size=2) | st.dictionaries(names, leaves, max_size=2)


@cases(2000)
@given(
    st.dictionaries(st.sampled_from((*READ, *READ_TOO)), junk, max_size=4),
    st.dictionaries(st.sampled_from(list(ENVELOPE)), junk, max_size=1),
    st.sets(st.sampled_from((*READ, *READ_TOO)), max_size=2),
)
def test_fields_of_any_type_or_missing(
    payload: dict[str, Any], envelope: dict[str, Any], missing: set[str]
) -> None:
    line = changed(**payload) | envelope
    if "payload" not in envelope:
        for name in missing:
            line["payload"].pop(name, None)
    found = parsed(json.dumps(line).encode())
    if isinstance(found, RefundEvent):
        assert not missing & set(READ[:-1])


number_pieces = st.lists(
    st.sampled_from(
        ["-", "+", "0", "1", "9", "99999", ".", "e", "E", "_", "x", " ", "\u0661", '"']
    ),
    min_size=1,
    max_size=10,
).map("".join)
exponents = st.integers(-(10**25), 10**25) | st.integers(-20, 20)
huge_numbers = st.builds(
    "{}{}e{}".format, st.sampled_from(["", "-"]), st.integers(0, 99), exponents
)


@cases(2000)
@given(number_pieces | huge_numbers, st.sampled_from(["amount", "reason_code", "note", "id"]))
@example("1e9999999999999999999", "amount")
@example("-1E-9999999999999999999", "note")
@example("9" * 5000, "amount")
@example("9" * 5000, "reason_code")
@example("-0.0", "amount")
def test_numbers_of_any_spelling_and_size(raw: str, name: str) -> None:
    parsed(with_raw(name, raw))
    parsed(with_raw(name, f'"{raw}"'))


@cases(800)
@given(st.integers(1, 10**14), st.sampled_from(["EUR", "JPY", "KWD", "UYW"]), st.booleans())
def test_an_amount_at_the_currencys_scale_is_read_and_a_finer_one_is_not(
    units: int, currency: str, as_text: bool
) -> None:
    digits = minor_digits(currency)
    amount = Decimal(units).scaleb(-digits)
    for exact, accepted in ((amount, amount < 10**12), (amount + Decimal("0.00001"), False)):
        raw = f'"{exact:f}"' if as_text else f"{exact:f}"
        line = with_raw("amount", raw).replace(b'"EUR"', f'"{currency}"'.encode())
        found = parsed(line)
        assert isinstance(found, RefundEvent) == accepted
        if isinstance(found, RefundEvent):
            assert found.amount == amount


nasty = st.text(
    st.sampled_from(
        ["\x00", "\ud800", "\udfff", "\U0001f600", "\u202e", "\ufeff", " ", "é", "a", "Z"]
    ),
    max_size=8,
)


@cases(1000)
@given(st.dictionaries(st.sampled_from((*READ, *READ_TOO, "note")), nasty, max_size=3), nasty)
def test_text_with_nul_surrogates_and_invisible_characters(
    payload: dict[str, str], suffix: str
) -> None:
    parsed(json.dumps(changed(**payload)).encode())
    parsed(json.dumps(ENVELOPE | {"name": "order.opened" + suffix}).encode())
    parsed(json.dumps(ENVELOPE | {"tenant": "demo" + suffix}).encode())
    # raw in the line rather than escaped; half a surrogate pair is then no UTF-8
    raw = json.dumps(changed(**payload), ensure_ascii=False).encode("utf-8", "surrogatepass")
    parsed(raw)


dates = ["2026-11-20", "9999-12-31", "0001-01-01", "2026-02-30", "2026-W01-1", "20261120"]
clocks = ["T", " ", "09:15:30", "24:00:00", "23:59:60", "09:15", ".9", ".9" * 9, ",5", "\u0661"]
zones = ["Z", "z", "+14:00", "-12:00", "+24:00", "+00:00:30", "-00:00", "+0100", "[UTC]"]
time_pieces = st.lists(
    st.sampled_from([*dates, *clocks, *zones, "1795166131"]), min_size=1, max_size=5
).map("".join)


@cases(1500)
@given(time_pieces, time_pieces)
def test_times_of_any_spelling(requested: str, published: str) -> None:
    line = changed(requested_at=requested) | {"published_at": published}
    parsed(json.dumps(line).encode())


@cases(300)
@given(st.datetimes(datetime(1970, 1, 1), datetime(9998, 12, 31)), st.integers(-1439, 1439))  # noqa: DTZ001 - the zone is added
def test_every_moment_in_every_zone_is_read(moment: datetime, minutes: int) -> None:
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    found = parsed(json.dumps(changed(requested_at=zoned.isoformat())).encode())
    assert isinstance(found, RefundEvent)
    assert found.requested_at == zoned


# Shapes


@cases(300)
@given(st.sampled_from([*READ, *READ_TOO, "note"]), st.booleans(), documents)
def test_of_a_key_given_twice_one_value_counts(name: str, last: bool, other: Any) -> None:
    valid = json.dumps(ENVELOPE["payload"][name])
    values = [json.dumps(other), valid] if last else [valid, json.dumps(other)]
    found = parsed(with_raw(name, f'{values[0]}, "{name}": {values[1]}'))
    if last and "NaN" not in values[0] and "Infinity" not in values[0]:
        assert found == parse_line(LINE, tenant="demo")


@cases(60)
@given(
    st.sampled_from([10, 900, 5_000, 100_000]),
    st.sampled_from([("[", "]"), ('{"a":', "}"), ('{"payload":', "}"), ("[[{", "")]),
    st.sampled_from(["", "note", "amount", "id"]),
)
def test_deep_nesting_anywhere(depth: int, brackets: tuple[str, str], name: str) -> None:
    deep = brackets[0] * depth + "1" + brackets[1] * depth
    parsed(with_raw(name, deep) if name else deep.encode())


@cases(60)
@given(st.sampled_from((*READ, *READ_TOO, "note")), st.sampled_from([65, 201, 10_000, 1_000_000]))
def test_long_text_anywhere(name: str, length: int) -> None:
    for text in (
        "a" * length,
        "1" * length,
        "." + "1" * length,
        ".1" * (length // 2),
        " " * length,
    ):
        parsed(json.dumps(changed(**{name: text})).encode())


@cases(200)
@given(st.text("\ufeff \t\r\u00a0\x0b", max_size=3), st.text("\ufeff \t\r\u00a0\x0b", max_size=3))
def test_marks_and_spaces_around_an_event_change_nothing_or_reject_it(
    before: str, after: str
) -> None:
    found = parsed(before.encode() + LINE + after.encode())
    if not (before + after).strip(" \t\r"):
        assert found == parse_line(LINE, tenant="demo")
    else:
        assert isinstance(found, Rejected)


# What a problem says


planted = st.sampled_from(
    [
        f"{MARKER} {NUMBER}",
        [MARKER],
        {MARKER: NUMBER},
        NUMBER,
        -NUMBER,
        f"{NUMBER}.123",
        MARKER * 20,
    ]
)


@cases(1500)
@given(
    st.dictionaries(st.sampled_from([*ENVELOPE["payload"]]), planted, min_size=1, max_size=6),
    st.dictionaries(st.sampled_from([*ENVELOPE, MARKER]), planted, max_size=2),
    st.none() | positions,
)
def test_problems_name_fields_and_repeat_no_value(
    payload: dict[str, Any], envelope: dict[str, Any], end: int | None
) -> None:
    line = json.dumps(changed(**payload) | envelope).encode()
    parsed(line[:end])
