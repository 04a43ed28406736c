"""What is a well-formed event, and which line it makes."""

import json
from typing import Any

import pytest

from refund_pipeline.domain.events import Rejected, parse_line
from refund_pipeline.receiver.envelopes import Envelope, Malformed, read_envelope
from refund_pipeline_tests.fakes import event_line

EVENT = event_line(1).encode()
DOCUMENT: dict[str, Any] = json.loads(EVENT)
BOM = b"\xef\xbb\xbf"


def changed(**fields: object) -> bytes:
    return json.dumps(DOCUMENT | fields).encode()


def without(name: str) -> bytes:
    return json.dumps({field: DOCUMENT[field] for field in DOCUMENT if field != name}).encode()


def test_an_event_is_its_bytes_as_they_were_sent() -> None:
    assert read_envelope(EVENT) == Envelope("refund_request.issued", EVENT)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_line_ends_become_spaces_so_that_an_event_is_one_line(line_end: bytes) -> None:
    pretty = json.dumps(DOCUMENT, indent=2).encode().replace(b"\n", line_end)
    found = read_envelope(b"\t " + line_end + pretty + line_end)
    assert isinstance(found, Envelope)
    assert found.line == pretty.replace(b"\r", b" ").replace(b"\n", b" ")
    assert parse_line(found.line, tenant="demo") == parse_line(EVENT, tenant="demo")


@pytest.mark.parametrize(
    "odd",
    [
        b"1" * 5000,
        b"-" + b"9" * 1_000_000,
        b"1e999999999",
        b'"\\ud800"',
        b'"\\u0000"',
        b'"\xe2\x80\xa8"',
        b'{"a": 1, "a": 2}',
        b"[" * 100 + b"]" * 100,
        b"null",
    ],
)
def test_odd_but_valid_json_is_an_event(odd: bytes) -> None:
    body = EVENT.replace(b'"payload": {', b'"payload": {"note": ' + odd + b", ")
    assert read_envelope(body) == Envelope("refund_request.issued", body)


@pytest.mark.parametrize("name", ["", " ", "order.opened", "\ud800", "x" * 10_000])
def test_an_event_of_any_name_is_an_event(name: str) -> None:
    found = read_envelope(changed(name=name))
    assert isinstance(found, Envelope)
    assert found.name == name


def test_an_event_nobody_can_use_is_an_event() -> None:
    for body in (changed(payload={}), changed(tenant=""), changed(published_at="yesterday")):
        assert isinstance(read_envelope(body), Envelope)
        assert isinstance(parse_line(body, tenant="demo"), Rejected)


def test_of_a_field_given_twice_the_one_counts_that_counts_for_the_pipeline() -> None:
    twice = EVENT.replace(b'"name": ', b'"name": "order.opened", "name": ')
    found = read_envelope(twice)
    assert isinstance(found, Envelope)
    assert found.name == "refund_request.issued"
    assert parse_line(found.line, tenant="demo") == parse_line(EVENT, tenant="demo")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "the body is not JSON (Expecting value at character 0)"),
        (b" \r\n", "the body is not JSON (Expecting value at character 3)"),
        (b"{", "the body is not JSON"),
        (EVENT + EVENT, "the body is not JSON (Extra data"),
        (EVENT + b"\x00", "the body is not JSON (Extra data"),
        (BOM + EVENT, "the body is not JSON (Expecting value at character 0)"),
        (EVENT.decode().encode("utf-16"), "the body is not UTF-8 at byte 0"),
        (EVENT.decode().encode("utf-16-le"), "the body is not JSON"),
        (EVENT.decode().encode("utf-32-be"), "the body is not JSON"),
        (EVENT.replace(b"demo", b"de\xffmo"), "the body is not UTF-8 at byte 14"),
        (EVENT.replace(b"demo", b"de\xed\xa0\x80mo"), "the body is not UTF-8 at byte 14"),
        (
            EVENT.replace(b"demo", b"de\nmo"),
            "the body is not JSON (Invalid control character at character 14)",
        ),
        (
            EVENT.replace(b"demo", b"de\rmo"),
            "the body is not JSON (Invalid control character at character 14)",
        ),
        (EVENT.replace(b'"demo"', b"NaN"), "the body is not JSON that can be read"),
        (EVENT.replace(b'"demo"', b"-Infinity"), "the body is not JSON that can be read"),
        (b"[" * 100_000, "the body is not JSON that can be read"),
        (b'{"payload":' * 90_000, "the body is not JSON that can be read"),
        (b"[]", "the body is not a JSON object"),
        (b"null", "the body is not a JSON object"),
        (b'"x"', "the body is not a JSON object"),
    ],
)
def test_what_is_no_json_object_in_utf_8_is_told(body: bytes, problem: str) -> None:
    found = read_envelope(body)
    assert isinstance(found, Malformed)
    assert found.problem.startswith(problem)


@pytest.mark.parametrize("name", ["tenant", "name", "published_at"])
@pytest.mark.parametrize("value", [None, 5, 5.0, True, ["secret"], {"secret": "secret"}])
def test_a_field_of_the_wrong_type_is_named_and_its_value_is_not(name: str, value: Any) -> None:
    assert read_envelope(changed(**{name: value})) == Malformed(f"{name} is not a text")
    assert read_envelope(without(name)) == Malformed(f"{name} is missing")


@pytest.mark.parametrize("value", [None, 5, "secret", ["secret"]])
def test_a_payload_is_an_object(value: Any) -> None:
    assert read_envelope(changed(payload=value)) == Malformed("payload is not an object")
    assert read_envelope(without("payload")) == Malformed("payload is missing")


def test_everything_that_is_wrong_is_told_at_once() -> None:
    assert read_envelope(b'{"name": 7, "payload": []}') == Malformed(
        "tenant is missing; name is not a text; published_at is missing; payload is not an object"
    )
