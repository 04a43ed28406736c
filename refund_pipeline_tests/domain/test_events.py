"""Lines of landed files: typed events, or every problem with its path and none of its values."""

import copy
import json
import uuid
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refund_pipeline.domain.events import (
    OtherEvent,
    RefundEvent,
    Rejected,
    canonical_id,
    parse_line,
)

REFUND = "5b1c3f7e-0000-4000-8000-00000000abcd"
ORDER = "9d0e7a52-0000-4000-8000-000000000001"
ENVELOPE: dict[str, Any] = {
    "tenant": "demo",
    "name": "refund_request.issued",
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
        "note": "call Jane on 555-0100",
        "associate_email": "jane@example.com",
    },
}


def parse(envelope: object) -> Any:
    return parse_line(json.dumps(envelope).encode(), tenant="demo")


def changed(**payload: Any) -> dict[str, Any]:
    envelope = copy.deepcopy(ENVELOPE)
    envelope["payload"].update(payload)
    return envelope


def without(*names: str) -> dict[str, Any]:
    envelope = copy.deepcopy(ENVELOPE)
    for name in names:
        del envelope["payload"][name]
    return envelope


def test_an_event_is_read_whole_and_keeps_no_personal_data() -> None:
    event = parse(ENVELOPE)
    assert event == RefundEvent(
        refund_id=REFUND,
        tenant="demo",
        order_id=ORDER,
        payment_account_id=ORDER,
        amount=Decimal("12.50"),
        currency="EUR",
        requested_at=datetime(2026, 11, 20, 9, 15, 30, 911000, timezone.utc),
        published_at=datetime(2026, 11, 20, 9, 15, 31, 402000, timezone.utc),
        reason_code="7",
        reason="Late delivery",
        return_id=None,
        is_historical=False,
    )
    assert "jane" not in repr(event).lower()


def test_fields_that_may_be_missing_or_null_are() -> None:
    optional = ("requested_at", "reason_code", "return_reason", "note", "associate_email")
    absent = parse(without(*optional))
    null = parse(changed(**dict.fromkeys(optional), return_id=None, is_historical=None))
    assert absent == null
    assert absent.requested_at == absent.published_at
    assert (absent.reason_code, absent.reason) == (None, None)


def test_what_marks_a_refund_as_not_ours_is_kept() -> None:
    event = parse(changed(return_id=REFUND, is_historical=True))
    assert (event.return_id, event.is_historical) == (REFUND, True)


def test_an_event_of_another_kind_is_named_whatever_its_payload() -> None:
    assert parse(ENVELOPE | {"name": "order.opened", "payload": {}}) == OtherEvent("order.opened")
    assert parse(ENVELOPE | {"name": "x" * 300}) == OtherEvent("x" * 100)


def test_the_tenant_is_compared_without_case_and_spaces() -> None:
    event = parse_line(json.dumps(ENVELOPE | {"tenant": " DEMO "}).encode(), tenant=" Demo")
    assert isinstance(event, RefundEvent)
    assert event.tenant == "demo"


def test_every_problem_is_reported_with_its_path() -> None:
    payload = {
        "id": "not an id",
        "order_id": None,
        "amount": "12.505",
        "currency": "EUR",
        "requested_at": "yesterday",
        "reason_code": [1],
        "is_historical": "no",
    }
    found = parse(ENVELOPE | {"payload": payload})
    assert isinstance(found, Rejected)
    assert set(found.problems) == {
        "$.payload.id: is not an identifier (letters, digits, - and _, at most 64)",
        "$.payload.order_id: is null",
        "$.payload.payment_account_id: is missing",
        "$.payload.amount: has more than the 2 decimals of EUR",
        "$.payload.requested_at: is not an RFC 3339 time",
        "$.payload.reason_code: is not a code",
        "$.payload.is_historical: is not true or false",
    }


def test_every_problem_of_the_envelope_is_reported() -> None:
    found = parse({"tenant": "other", "name": 5, "payload": []})
    assert found == Rejected(
        (
            "$.name: is not text",
            "$.published_at: is missing",
            "$.payload: is not an object",
            "$.tenant: is not the tenant of this deployment",
        )
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"", "$: is not JSON"),
        (b"{", "$: is not JSON"),
        (b'{"a": 1} {"b": 2}', "$: is not JSON"),
        (b"[]", "$: is not a JSON object"),
        (b"null", "$: is not a JSON object"),
        (b'{"a": NaN}', "$: is not JSON that can be read"),
        (b"\xff{}", "$: is not UTF-8 at byte 0"),
        (b"[" * 100_000, "$: is not JSON that can be read"),
        (b'{"a": ' + b"9" * 5000 + b"}", "$: is not JSON that can be read"),
        (b'{"a": 1e9999999999999999999}', "$: is not JSON that can be read"),
    ],
)
def test_what_is_not_a_json_object_is_one_problem(line: bytes, problem: str) -> None:
    found = parse_line(line, tenant="demo")
    assert isinstance(found, Rejected)
    assert found.problems[0].startswith(problem)
    assert len(found.problems) == 1


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": -5}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": "1e3000"}, "amount"),
        ({"amount": "12,50"}, "amount"),
        ({"currency": "EURO"}, "currency"),
        ({"currency": "eur"}, "currency"),
        ({"currency": None}, "currency"),
        ({"amount": 5, "currency": 978}, "currency"),
        ({"amount": 5.5, "currency": "JPY"}, "amount"),
        ({"id": ""}, "id"),
        ({"id": "a" * 65}, "id"),
        ({"id": "a/b"}, "id"),
        ({"return_id": "a b"}, "return_id"),
        ({"reason_code": True}, "reason_code"),
        ({"reason_code": 1.5}, "reason_code"),
        ({"reason_code": "x" * 21}, "reason_code"),
        ({"requested_at": "2026-11-20T09:15:30"}, "requested_at"),
        ({"requested_at": "2026-11-20"}, "requested_at"),
        ({"requested_at": 1795166131}, "requested_at"),
        ({"return_reason": {"text": "x"}}, "return_reason"),
    ],
)
def test_an_impossible_value_is_rejected_at_its_path(changes: dict[str, Any], path: str) -> None:
    found = parse(changed(**changes))
    assert isinstance(found, Rejected)
    assert [problem.partition(":")[0] for problem in found.problems] == [f"$.payload.{path}"]


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "ok \udfff"])
@pytest.mark.parametrize("field", ["return_reason", "reason_code"])
def test_text_no_database_can_hold_is_rejected(field: str, text: str) -> None:
    found = parse(changed(**{field: text}))
    assert isinstance(found, Rejected)
    assert found.problems[0].startswith(f"$.payload.{field}: is not")


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]
)
def test_a_time_that_does_not_exist_everywhere_is_rejected(text: str) -> None:
    assert parse(changed(requested_at=text)) == Rejected(
        ("$.payload.requested_at: is out of range",)
    )


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(9990, 1, 1)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
    st.integers(0, 9),
)
def test_any_rfc_3339_time_is_read_to_the_microsecond(
    moment: datetime, minutes: int, digits: int
) -> None:
    zone = timezone(timedelta(minutes=minutes))
    kept = moment.replace(microsecond=0, tzinfo=zone)
    fraction = f"{moment.microsecond:06}000"[:digits]
    offset = "Z" if not minutes else kept.isoformat()[-6:]
    text = kept.isoformat()[:19] + (f".{fraction}" if digits else "") + offset
    event = parse(changed(requested_at=text))
    expected = kept.replace(microsecond=int(f"{fraction:0<6}"[:6]))
    assert event.requested_at == expected
    assert event.requested_at.utcoffset() == timedelta(0)


@given(st.integers(1, 10**13), st.booleans())
def test_the_amount_is_exact_as_number_and_as_text(cents: int, as_text: bool) -> None:
    amount = Decimal(cents).scaleb(-2)
    written = f'"{amount}"' if as_text else str(amount)
    line = json.dumps(changed(amount="HERE")).replace('"HERE"', written)
    event = parse_line(line.encode(), tenant="demo")
    assert isinstance(event, RefundEvent)
    assert event.amount == amount


@given(st.binary(max_size=400))
def test_arbitrary_bytes_never_crash_the_parser(line: bytes) -> None:
    assert isinstance(parse_line(line, tenant="demo"), (RefundEvent, OtherEvent, Rejected))


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70)
objects = st.dictionaries(st.text(max_size=8), scalars, max_size=3)
junk = scalars | st.lists(scalars, max_size=3) | objects
payload_changes = st.dictionaries(
    st.sampled_from([*ENVELOPE["payload"], "return_id", "is_historical"]), junk, max_size=4
)


@given(payload_changes, st.dictionaries(st.sampled_from(list(ENVELOPE)), junk, max_size=1))
def test_almost_valid_events_are_read_or_rejected_with_paths(
    payload: dict[str, Any], envelope: dict[str, Any]
) -> None:
    found = parse(changed(**payload) | envelope)
    if isinstance(found, Rejected):
        assert found.problems
        assert all(problem.startswith("$") for problem in found.problems)
    elif isinstance(found, RefundEvent):
        assert found.amount > 0
        found.content_hash.encode()
        repr(found).encode()


def test_problems_hold_no_values_of_the_line() -> None:
    secret = "4111111111111111 jane@example.com"
    for name in (*ENVELOPE["payload"], "return_id", "is_historical"):
        found = parse(changed(**{name: [secret]}))
        if isinstance(found, Rejected):
            assert secret not in repr(found)


# Identity


@given(st.uuids())
def test_one_uuid_has_one_identity_however_it_is_written(value: uuid.UUID) -> None:
    spellings = (str(value), str(value).upper(), value.hex, value.hex.upper())
    assert {canonical_id(text) for text in spellings} == {str(value)}


hexadecimal = st.text("0123456789abcdef-_", min_size=30, max_size=40)


@given(hexadecimal, hexadecimal)
def test_only_spellings_of_one_uuid_share_an_identity(one: str, two: str) -> None:
    if canonical_id(one) == canonical_id(two):
        assert one.replace("-", "") == two.replace("-", "")


@pytest.mark.parametrize(
    "text", ["0123456789abcde_0123456789abcdef", "1-2-3-4-0123456789abcdef01234567890a", "R-1", ""]
)
def test_what_is_no_uuid_stays_as_it_is(text: str) -> None:
    assert canonical_id(text) == text.lower()


@given(payload_changes)
def test_equal_refunds_have_equal_hashes_and_only_they(payload: dict[str, Any]) -> None:
    first, second = parse(ENVELOPE), parse(changed(**payload))
    if isinstance(second, RefundEvent):
        names = set(RefundEvent.__slots__) - {"refund_id", "tenant", "published_at"}
        content = [{name: getattr(event, name) for name in names} for event in (first, second)]
        assert (first.content_hash == second.content_hash) == (content[0] == content[1])


def test_a_refund_published_again_has_the_same_hash() -> None:
    again = ENVELOPE | {"published_at": "2026-11-21T10:00:00.000Z"}
    assert parse(ENVELOPE).content_hash == parse(again).content_hash


def test_one_amount_has_one_hash_however_it_is_written() -> None:
    hashes = {parse(changed(amount=amount)).content_hash for amount in (12.5, "12.50", "1.25e1")}
    assert len(hashes) == 1
