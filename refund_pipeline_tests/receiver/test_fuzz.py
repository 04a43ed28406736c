"""More than twelve thousand requests no NewStore ever sent: no crash, nothing unaccounted for.

The rules every answer obeys are in `Bench.post`; the tests differ in where their bodies come from.
The parser alone is in `domain/test_events_fuzz.py`.
"""

import asyncio
import copy
import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from refund_pipeline.domain.events import OtherEvent, RefundEvent, Rejected, parse_line
from refund_pipeline.receiver.app import create_app
from refund_pipeline_tests.fakes import event_line
from refund_pipeline_tests.receiver.asgi import HEADERS, SETTINGS, Answer, KeptFiles, request

EVENT: dict[str, Any] = json.loads(event_line(1))
LINE = json.dumps(EVENT).encode()
FIELDS = sorted(EVENT)
PAYLOAD = sorted(EVENT["payload"])
RAW_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
positions = st.integers(0, len(LINE))


def cases(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


class Bench:
    """One app on one loop for many requests."""

    def __init__(self) -> None:
        self.bucket = KeptFiles()
        self.app = create_app(SETTINGS, writer=self.bucket)
        self.loop = asyncio.new_event_loop()

    def send(self, body: bytes | Sequence[bytes], **options: Any) -> Answer:
        self.bucket.files.clear()
        return self.loop.run_until_complete(request(self.app, body, **options))

    def post(self, body: bytes, *, cuts: Sequence[int] = ()) -> None:
        """Post a body in pieces, and check that nothing of it is unaccounted for."""
        edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
        pieces = [body[start:end] for start, end in itertools.pairwise(edges)]
        answer = self.send(pieces)
        assert answer.status in {200, 400}
        assert len(answer.body) < 300
        found = parse_line(body, tenant="demo")  # to a JSON parser line ends are space
        if answer.detail == "stored":
            line = body.replace(b"\r", b" ").replace(b"\n", b" ").strip(b" \t")
            assert self.bucket.files == [[line]]
            assert parse_line(line, tenant="demo") == found
            assert isinstance(found, (RefundEvent, Rejected))
        else:
            assert self.bucket.files == []
            assert isinstance(found, (OtherEvent, Rejected)), "a refund is always stored"
        if isinstance(found, (RefundEvent, OtherEvent)):
            assert answer.status == 200, "a well-formed event is never refused"


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.loop.close()


documents: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)

nasty = st.text(
    st.sampled_from(["\x00", "\ud800", "\udfff", "\U0001f600", "\u2028", "\ufeff", " ", "é", "a"]),
    max_size=8,
)


# Bodies that are anything


@cases(3000)
@given(st.binary(max_size=200))
@example(b"\xff\xfe" + LINE.decode().encode("utf-16-le"))
@example(b"[" * 100_000)
def test_arbitrary_bytes(bench: Bench, body: bytes) -> None:
    bench.post(body)


@cases(1000)
@given(documents, st.none() | st.integers(0, 2))
def test_arbitrary_json(bench: Bench, document: Any, indent: int | None) -> None:
    bench.post(json.dumps(document, indent=indent).encode())


# Bodies that are almost an event


@cases(2000)
@given(positions, st.integers(0, 20), st.binary(max_size=6))
def test_an_event_with_bytes_taken_out_and_put_in(
    bench: Bench, start: int, length: int, inserted: bytes
) -> None:
    bench.post(LINE[:start] + inserted + LINE[start + length :])


@cases(1000)
@given(st.lists(st.tuples(positions, st.integers(0, 7)), min_size=1, max_size=3))
def test_an_event_with_bits_flipped(bench: Bench, flips: list[tuple[int, int]]) -> None:
    line = bytearray(LINE)
    for position, bit in flips:
        line[position % len(line)] ^= 1 << bit
    bench.post(bytes(line))


@cases(1500)
@given(
    st.dictionaries(st.sampled_from(FIELDS), documents, max_size=2),
    st.dictionaries(st.sampled_from(PAYLOAD), documents, max_size=2),
    st.sets(st.sampled_from(FIELDS), max_size=1),
)
def test_an_event_with_fields_gone_wrong_or_missing(
    bench: Bench, envelope: dict[str, Any], payload: dict[str, Any], missing: set[str]
) -> None:
    document = copy.deepcopy(EVENT)
    document["payload"].update(payload)
    document.update(envelope)
    bench.post(json.dumps({k: v for k, v in document.items() if k not in missing}).encode())


@cases(1500)
@given(st.sampled_from(("tenant", "name", "published_at")), nasty, st.booleans(), st.booleans())
def test_an_event_with_nasty_text(
    bench: Bench, field: str, text: str, is_added: bool, is_escaped: bool
) -> None:
    document = EVENT | {field: (EVENT[field] if is_added else "") + text}
    body = json.dumps(document, ensure_ascii=is_escaped)
    bench.post(body.encode("utf-8", "surrogatepass"))


@cases(1000)
@given(
    st.sampled_from([None, 1, "\t", "\r"]),
    st.text("\r\n\t \x0b\x0c\u00a0\ufeff", max_size=3),
    st.text("\r\n\t \x0b\x0c\u00a0\ufeff", max_size=3),
    st.lists(st.integers(0, 600), max_size=4),
)
def test_an_event_with_space_between_and_around_in_pieces(
    bench: Bench, indent: int | str | None, before: str, after: str, cuts: list[int]
) -> None:
    bench.post((before + json.dumps(EVENT, indent=indent) + after).encode(), cuts=cuts)


@cases(500)
@given(
    st.sampled_from([*FIELDS, *PAYLOAD]),
    st.sampled_from(
        ["1" * 5000, "-0", "1e999", "1E-999999999", "NaN", "Infinity", "0x1", "01", '"\\ud800"']
    ),
    st.booleans(),
)
def test_an_event_with_numbers_no_computer_holds_and_fields_given_twice(
    bench: Bench, field: str, raw: str, is_twice: bool
) -> None:
    value = json.dumps(EVENT[field] if field in EVENT else EVENT["payload"][field])
    name = f'"{field}": '
    other = f"{name}{raw}, {name}{value}" if is_twice else f"{name}{raw}"
    bench.post(json.dumps(EVENT).replace(f"{name}{value}", other).encode())


# Requests that are anything


tokens = st.sampled_from(
    [b"Bearer", b"bearer", b" ", b"\t", b",", b"k" * 32, b"k", b"\xff", b"\x00"]
)
values = st.lists(tokens, max_size=4).map(b"".join) | st.binary(max_size=20)
names = st.sampled_from([b"authorization", b"content-type", b"content-length", b"x"])


@cases(1000)
@given(
    st.lists(st.tuples(names, values), max_size=4),
    st.sets(st.sampled_from(RAW_HEADERS), max_size=2),
    st.sampled_from(["POST", "GET", "PUT", "\ud800", ""]),
    st.sampled_from(["/events", "/healthz", "/readyz", "/", "", "/events\n", "/\ud800"]),
)
def test_arbitrary_headers_methods_and_paths(
    bench: Bench,
    more: list[tuple[bytes, bytes]],
    right: set[tuple[bytes, bytes]],
    method: str,
    path: str,
) -> None:
    headers = [*more, *sorted(right)]
    answer = bench.send(LINE, method=method, path=path, headers=headers)
    assert answer.status in {200, 401, 404, 405, 413, 415}
    if bench.bucket.files:
        given_keys = [value.split() for name, value in headers if name == b"authorization"]
        assert len(given_keys) == 1
        assert given_keys[0][0].lower() == b"bearer"
        assert given_keys[0][1:] == [b"k" * 32]
